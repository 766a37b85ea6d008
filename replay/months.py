"""Figures on the last day of each month, made of the entries of a bundle.

Owns these lines; it travels inside the checker of an evidence bundle and needs Python
alone. Invariant: a month in which the unit was not recorded counts None, never 0.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from replay.answered import BEARING, Answering, next_day
from replay.lines import AskedOf, Basis, Line, NoSuchUnit

MOST_MONTHS = 1_200
_COUNTED = {*BEARING, "grade", "unit-state"}
_SEATS = ("head", "deputy", "acting-head", "acting-deputy", "seats")
_GAPS = ("head", "deputy", "supervisor", "persons")

_Within = Sequence[set[str] | None] | None
"""The unit and those below it on each of the days, None where it is not recorded; None for all."""


def series(basis: Basis, asked: AskedOf) -> Iterator[Line]:
    of, days = asked["of"], [*_last_days(asked["first_month"], asked["last_month"])]
    answering = Answering(basis.replays.every(basis.recorded, _COUNTED))
    within = _units_of(basis, answering, asked.get("unit"), days)
    count, of_all = _COUNTS[of]
    counted = [
        counts if within is None or within[n] is not None else None
        for n, counts in enumerate(count(answering, days, within))
    ]
    keys = dict.fromkeys(key for counts in counted for key in counts or ())
    for day, counts in zip(days, counted, strict=True):
        told = {"of": of, "unit": asked.get("unit"), "month": day[:7], "day": day}
        yield {**told, "key": "total", "count": None if counts is None else of_all(counts)}
        for key in keys if of != "headcount" else ():
            name = "grade" if of == "pyramid" and key is not None else "key"
            number = None if counts is None else counts.get(key, 0)
            yield {**told, name: "not-recorded" if key is None else key, "count": number}


def _last_days(first: str, last: str) -> Iterator[str]:
    year, month = int(first[:4]), int(first[5:])
    for _ in range(MOST_MONTHS):
        if f"{year:04}-{month:02}" > last:
            return
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        yield next_day(f"{year:04}-{month:02}-01", -1)
    raise ValueError("more months than a series has")


def _units_of(basis: Basis, answering: Answering, unit: str | None, days: Sequence[str]) -> _Within:
    if unit is None:
        return None
    found: list[set[str] | None] = []
    for day in days:
        units = {
            one: {
                "state": (answering.value("unit-state", one, day) or {}).get("state"),
                "parent": (answering.value("unit-parent", one, day) or {}).get("parent"),
            }
            for one in answering.units()
        }
        try:
            found.append(basis.within(units, {"unit": unit}))
        except NoSuchUnit:
            found.append(None)
    if not any(found):
        raise NoSuchUnit(unit)
    return found


def _serving(answering: Answering, days: Sequence[str], within: _Within) -> Iterator[Counter[Any]]:
    persons = answering.persons()
    for n, day in enumerate(days):
        counts: Counter[Any] = Counter()
        for person in persons:
            if (answering.value("service", person, day) or {}).get("state") != "in":
                continue
            placed = (answering.value(facet, person, day) or {} for facet in ("unit", "host"))
            if within is None or any(one.get("unit") in (within[n] or ()) for one in placed):
                counts[(answering.value("grade", person, day) or {}).get("grade")] += 1
        yield counts


def _vacancies(
    answering: Answering, days: Sequence[str], within: _Within
) -> list[Mapping[Any, int]]:
    found = [dict.fromkeys(_SEATS, 0) for _ in days]
    for unit in answering.units():
        seats = answering.each(days, partial(answering.seats, unit))
        for n, said in enumerate(seats):
            for seat in said if within is None or unit in (within[n] or ()) else ():
                found[n]["seats"] += seat["status"] != "not-recorded"
                found[n][seat["capacity"]] += seat["status"] == "vacant"
                found[n][f"acting-{seat['capacity']}"] += seat["status"] == "acting"
    return [*found]


def _gaps(answering: Answering, days: Sequence[str], within: _Within) -> list[Mapping[Any, int]]:
    found = [dict.fromkeys(_GAPS, 0) for _ in days]
    for person in answering.persons():
        lacking = answering.each(days, partial(answering.vacant, person))
        for n, (unit, missing) in enumerate(lacking):
            if missing and (within is None or unit in (within[n] or ())):
                for name in (*missing, "persons"):
                    found[n][name] += 1
    return [*found]


_Count = Callable[[Answering, Sequence[str], _Within], Any]
_COUNTS: Mapping[str, tuple[_Count, Callable[[Mapping[Any, int]], int]]] = {
    "headcount": (_serving, lambda counts: sum(counts.values())),
    "pyramid": (_serving, lambda counts: sum(counts.values())),
    "vacancies": (_vacancies, lambda counts: counts["head"] + counts["deputy"]),
    "gaps": (_gaps, lambda counts: counts["persons"]),
}
