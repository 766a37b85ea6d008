"""Figures month by month, as a plain shape that the API and the command line both give.

Owns the shape of a series. Invariant: what was not recorded counts None, never 0.
"""

from collections.abc import Callable
from operator import itemgetter

from api.answers import NOW, Answer, When
from api.asking import asks
from api.settings import Bureau
from api.shapes import opened
from api.times import as_of, months
from domain.refusals import BadInput
from projections.questions import series as _series

MOST_MONTHS = 1_200


@asks()
def series(
    bureau: Bureau,
    of: str,
    first_month: str | None = None,
    last_month: str | None = None,
    when: When = NOW,
    unit: str | None = None,
) -> Answer:
    """Headcount, grade pyramid, vacancies or responsibility gaps on the last day of each month
    (YYYY-MM, both included; the year so far where absent), of a unit and those below it or of the
    bureau; `count` is None where the unit was not recorded. Raises BadInput, UnknownSubject.
    """
    pair, stated = as_of(bureau, when)
    if of not in _SERIES:
        raise BadInput(", ".join(_SERIES), field="of", zh=f"应为 {'、'.join(_SERIES)}")
    days = _series.last_days(*months(first_month, last_month, pair.effective, ("from", "to")))
    if len(days) > MOST_MONTHS:
        raise BadInput(f"at most {MOST_MONTHS} months", field="to", zh=f"至多 {MOST_MONTHS} 个月")
    question, of_all = _SERIES[of]
    counted = question(bureau.records, _series.Asked(days, pair.recorded, unit))
    keys = sorted({key for counts in counted for key in counts or ()}, key=_last_none)
    rows = [
        {
            "month": f"{day:%Y-%m}",
            "day": day,
            "count": None if counts is None else of_all(counts),
            "counts": [] if of == "headcount" else [
                {"key": key, "count": None if counts is None else counts.get(key, 0)}
                for key in keys
            ],
        }
        for day, counts in zip(days, counted, strict=True)
    ]  # fmt: skip
    return opened(bureau, stated, {"of": of, "unit": unit, "months": rows})


def _everybody(counts: _series.Counts) -> int:
    return sum(counts.values())


def _last_none(key: str | None) -> tuple[bool, str]:
    return key is None, key or ""


_SERIES: dict[str, tuple[Callable[..., list[_series.Counts | None]], Callable[..., int]]] = {
    "headcount": (_series.headcount, _everybody),
    "pyramid": (_series.pyramid, _everybody),
    "vacancies": (_series.vacancies, lambda counts: counts["head"] + counts["deputy"]),
    "gaps": (_series.gaps, itemgetter("persons")),
}
