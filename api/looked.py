"""Who has looked: the reads in which a person was, alone or in a list.

Owns the answer to that. Invariant: whether somebody was in a list is learnt by putting the list's
question again as of its own pair; where that gives other persons than the digest on record, the
read is shown as one that may have been about them.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from api import answers_axes, answers_series, copies  # noqa: F401 - whose questions are put again
from api.answers import Answer
from api.asking import asks, put_again
from api.cases import cases
from api.settings import Bureau
from api.shapes import opened
from api.times import NOW, as_of, day_of
from domain.events import cases_of
from domain.ledger.cutting import ordered
from domain.ledger.reads import Row, digest_of
from domain.refusals import BadInput, Refusal, UnknownSubject
from domain.workdays import SHANGHAI
from projections.cases import sealed_cases
from projections.sight import Sight
from replay.looks import Looks

DAY = timedelta(days=1)


@asks(again=False, one="person")
def who_read(
    bureau: Bureau,
    person: str,
    first_day: str | date | None = None,
    last_day: str | date | None = None,
) -> Answer:
    """Every read in which a person was, under any id that is that person's now, from one day to
    another in Asia/Shanghai, both included.

    Reads made for cases that are sealed now from whoever asks are left out. `sure` is False of a
    list that cannot be put again as it was. `cut` tells which reads are gone.
    Raises UnknownSubject, ImpossibleDate, BadInput.
    """
    pair, stated = as_of(bureau, NOW)
    family = set(bureau.ledger.forest(pair.recorded).family(person))
    if not any(bureau.records.of(f"person:{one}") for one in family):
        raise UnknownSubject(field="person")
    first, last = day_of(first_day, "first_day"), day_of(last_day, "last_day")
    if first is not None and last is not None and last < first:
        raise BadInput("a period ends after it begins", field="last_day", zh="止日不得早于起日")
    log = bureau.reads.log
    after = 0 if first is None else log.position_at(_midnight(first) - timedelta(microseconds=1))
    until = log.head()
    if last is not None:
        until = min(until, log.position_at(_midnight(last + DAY) - timedelta(microseconds=1)))
    rows = {row.position: (row, True) for row in bureau.reads.naming(family, after, until)}
    rows |= {row.position: (row, sure) for row, sure in _in_lists(bureau, family, after, until)}
    kept = _kept_from(bureau, [row for row, _ in rows.values()])
    shown = [_told(*rows[position]) for position in sorted(rows.keys() - kept)]
    data = {
        "person": person, "first_day": first, "last_day": last,
        "until": until, "count": len(shown), "reads": shown, "cut": _cut(bureau),
    }  # fmt: skip
    told = {case for at in rows.keys() - kept for case in cases_of(rows[at][0].tags)}
    return opened(bureau, stated, data, told)


def _cut(bureau: Bureau) -> dict[str, Any] | None:
    """Which reads are gone, and by which entry; None while all are there."""
    gone = ordered(bureau.ledger, bureau.reads)
    if gone is None or bureau.reads.log.first() == 1:
        return None
    return {"rows": gone.rows, "before": gone.before, "entry": gone.position}


def evident(bureau: Bureau, *, cases: bool) -> Looks:
    """The reads as they go into evidence; without `cases`, for one who knows of no sealed case."""
    seen = bureau if cases else bureau.seen_with(None, Sight(bureau.ledger.today()))

    def held(row: Row) -> set[str] | None:
        try:
            return put_again(seen, row.said)
        except (Refusal, LookupError, TypeError):
            return None

    return Looks(bureau.reads, lambda rows: _kept_from(seen, rows), held)


def _kept_from(bureau: Bureau, rows: list[Row]) -> set[int]:
    """Of these reads, those made for cases that are sealed from whoever asks, or that told of one,
    and looks at the register of cases.
    """
    sight = bureau.sight
    if sight is None or (sight.cases and not sight.own):
        return set()
    made_for = {row.position: cases_of(row.tags) for row in rows}
    sealed = sealed_cases(bureau.records, {case for told in made_for.values() for case in told})
    register = {row.position for row in rows if row.said["question"] == cases.__name__}
    return register | {at for at, told in made_for.items() if not sealed.isdisjoint(told)}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)


def _in_lists(
    bureau: Bureau, family: set[str], after: int, until: int
) -> Iterator[tuple[Row, bool]]:
    """The lists that a person was in, and whether that is certain; each is put again once."""
    found: dict[str, bool | None] = {}
    for row in bureau.reads.lists(after, until):
        digest = row.said["digest"]
        if digest not in found:
            found[digest] = _was_in(bureau, row, family)
        if found[digest] is not False:
            yield row, found[digest] is True


def _was_in(bureau: Bureau, row: Row, family: set[str]) -> bool | None:
    try:
        persons = put_again(bureau, row.said)
    except (Refusal, LookupError, TypeError):  # a question or a parameter that is no more
        return None
    return not family.isdisjoint(persons) if digest_of(persons) == row.said["digest"] else None


_TOLD = (
    "outcome", "actor", "via", "question", "parameters", "effective", "recorded", "classes",
    "count", "purpose", "case", "rights", "request_id",
)  # fmt: skip


def _told(row: Row, sure: bool) -> dict[str, Any]:
    told = {name: row.said[name] for name in _TOLD if name in row.said}
    return {
        "position": row.position, "at": row.recorded_at, **told,
        "list": row.listed, "sure": sure,
    }  # fmt: skip
