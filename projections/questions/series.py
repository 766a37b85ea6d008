"""Series by month, for charts: headcount, grade pyramid, vacancies, responsibility gaps.

Owns no table. Invariant: a month's figures are what the questions of one day (`roster`,
`accountability`) answer for its last day as known at one position.

The facts are read once for all months, however many they are. Of a strand's facts, painted onto the
months in order of place, the last one answers: that is the resolution rule.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, NamedTuple

from domain.acts.grades import GRADE
from domain.acts.people import HOST, SERVICE, UNIT
from domain.acts.units import UNIT_PARENT, UNIT_STATE
from domain.events import Facet
from domain.refusals import UnknownSubject
from domain.workdays import add_months
from projections.accountability import seats, vacant
from projections.charges import View, using
from projections.questions.at_hand import AtHand
from projections.records import Records, Row
from projections.roster import below_in

Counts = dict[str | None, int]
"""A month's figures by key; the key None counts what is not recorded."""


class Asked(NamedTuple):
    """The last days of the months, in order; the position; the unit, with those below it."""

    days: Sequence[date]
    recorded: int
    unit: str | None = None


def last_days(start: date, end: date) -> list[date]:
    """The last day of every month of [start, end), both of them first days of months."""
    found = []
    while start < end:
        start = add_months(start, 1)
        found.append(start - timedelta(days=1))
    return found


def headcount(records: Records, asked: Asked) -> list[Counts | None]:
    """Auxiliaries in service on the last day of each month, under the key None.

    None where the unit asked about was not recorded that day. Raises UnknownSubject where it was on
    none of the days.
    """
    return _serving(records, asked)


def pyramid(records: Records, asked: Asked) -> list[Counts | None]:
    """The same by grade."""
    return _serving(records, asked, GRADE)


def _serving(records: Records, asked: Asked, *by: Facet) -> list[Counts | None]:
    months = len(asked.days)
    within = _within(records, asked)
    turns = {i for i in range(1, months) if within and within[i] != within[i - 1]}
    changes: list[Counter[str | None]] = [Counter() for _ in range(months + 1)]
    facets = (SERVICE, *by, *(() if within is None else (UNIT, HOST)))
    for own in _people(records, asked, facets, within):
        cuts = {0, months} | turns
        said = {facet.name: _paint(own.get(facet.name, ()), asked.days, cuts) for facet in facets}
        for i, j in pairwise(sorted(cuts)):
            if said[SERVICE.name][i] != "in":
                continue
            if within is not None:
                units = within[i] or ()
                if said[UNIT.name][i] not in units and said[HOST.name][i] not in units:
                    continue
            key = said[by[0].name][i] if by else None
            changes[i][key] += 1
            changes[j][key] -= 1
    running: Counter[str | None] = Counter()
    found: list[Counts | None] = []
    for i in range(months):
        running.update(changes[i])
        recorded = within is None or within[i] is not None
        found.append({key: n for key, n in running.items() if n} if recorded else None)
    return found


def vacancies(records: Records, asked: Asked) -> list[Counts | None]:
    """Seats of the units that stand on the last day of each month: "head" and "deputy" count those
    with nobody in office, "acting-head" and "acting-deputy" those with an acting holder alone,
    "seats" all that were ever filled. One never filled is not recorded, and so no vacancy.

    A unit has its declared head seats, and one seat for its deputies. Otherwise as `headcount`.
    """
    within = _within(records, asked)
    source = AtHand(records, asked.recorded)
    found: list[Counts] = [dict.fromkeys(SEATS, 0) for _ in asked.days]
    for unit in source.units:
        view = View(source.versions, asked.recorded)

        def ask(day: date, view: View = view, unit: str = unit) -> list[tuple[str, str]]:
            state = view.value(UNIT_STATE, unit, day)
            active = state is not None and state["state"] == "active"
            return [(s.capacity, s.status) for s in seats(view, unit, day)] if active else []

        for i, said in enumerate(_by_month(view, asked.days, ask)):
            if within is not None and unit not in (within[i] or ()):
                continue
            for capacity, status in said:
                found[i]["seats"] += status != "not-recorded"
                found[i][capacity] += status == "vacant"
                found[i][f"acting-{capacity}"] += status == "acting"
    return [None if within and within[i] is None else one for i, one in enumerate(found)]


SEATS = ("head", "deputy", "acting-head", "acting-deputy", "seats")
GAPS = ("head", "deputy", "supervisor", "persons")


def gaps(records: Records, asked: Asked) -> list[Counts | None]:
    """Auxiliaries in service for whom nobody answered on the last day of each month, by capacity
    ("head", "deputy", "supervisor"), and how many "persons" lacked any of the three.

    Takes a millisecond or two a person and turn of the chain: a unit's are quick, a bureau's not.
    With a unit: those whose using unit it is, or one below it. Otherwise as `headcount`.
    """
    within = _within(records, asked)
    source = AtHand(records, asked.recorded)
    found: list[Counts] = [dict.fromkeys(GAPS, 0) for _ in asked.days]
    anywhere = None if within is None else _units(within)
    for person in source.people(_served(records, asked.recorded, anywhere)):
        view = View(source.versions, asked.recorded)

        def ask(day: date, view: View = view, person: str = person) -> tuple[str | None, set[Any]]:
            elsewhere = anywhere is not None and using(view, person, day) not in anywhere
            return (None, set()) if elsewhere else vacant(view, person, day)

        for i, (unit, missing) in enumerate(_by_month(view, asked.days, ask)):
            if missing and (within is None or unit in (within[i] or ())):
                for capacity in missing:
                    found[i][capacity] += 1
                found[i]["persons"] += 1
    return [None if within and within[i] is None else one for i, one in enumerate(found)]


def _served(records: Records, recorded: int, units: set[str] | None) -> list[str]:
    """Everybody who ever served, in those units or anywhere."""
    if units is None:
        return records.changed([SERVICE], 0, recorded)
    placed = (records.referring(facet, *units) for facet in (UNIT, HOST))
    return sorted({fact.subject for facts in placed for fact in facts})


def _by_month(view: View, days: Sequence[date], ask: Any) -> Iterator[Any]:
    """What `ask` says of each day, asked anew where a fact it has read begins or ends."""
    before: date | None = None
    said: Any = None
    for day in days:
        if before is None or any(before < turn <= day for turn in view.days):
            said = ask(day)
        before = day
        yield said


def _people(
    records: Records, asked: Asked, facets: Sequence[Facet], within: list[Any] | None
) -> Iterator[dict[str, list[Row]]]:
    """Each person's facts that hold on some of the days, by facet, the largest place first."""
    subjects = None
    if within is not None:
        placed = (records.referring(facet, *_units(within)) for facet in (UNIT, HOST))
        subjects = sorted({fact.subject for facts in placed for fact in facts})
    days = asked.days
    rows = records.held(facets, (days[0], days[-1]), asked.recorded, subjects)
    for _, own in groupby(rows, itemgetter(0)):
        yield {facet: list(strand) for facet, strand in groupby(own, itemgetter(1))}


def _paint(rows: Iterable[Row], days: Sequence[date], cuts: set[int]) -> list[str | None]:
    """What a strand says on each of the days; where it turns is added to `cuts`."""
    said: list[str | None] = [None] * len(days)
    for _, _, effective, until, ref in reversed(list(rows)):
        i, j = bisect_left(days, effective), bisect_left(days, until)
        if i < j:
            said[i:j] = [ref] * (j - i)
            cuts.update((i, j))
    return said


def _within(records: Records, asked: Asked) -> list[set[str] | None] | None:
    """The unit and those below it on each of the days, None where it is not recorded; None where
    no unit is asked about. Raises UnknownSubject where it is recorded on none.
    """
    if asked.unit is None:
        return None
    days = asked.days
    rows = records.held((UNIT_PARENT, UNIT_STATE), (days[0], days[-1]), asked.recorded)
    cuts: set[int] = {0}
    parents: dict[str, list[str | None]] = {}
    recorded = [False] * len(days)
    for (subject, facet), strand in groupby(rows, itemgetter(0, 1)):
        unit, own = subject.partition(":")[2], list(strand)
        if facet == UNIT_PARENT.name:
            parents[unit] = _paint(own, days, cuts)
        elif unit == asked.unit:
            for i, day in enumerate(days):
                recorded[i] = any(row[2] <= day < row[3] for row in own)
    if not any(recorded):
        raise UnknownSubject(field="unit")
    found: list[set[str] | None] = []
    for i in range(len(days)):
        if i in cuts or not found:
            below = below_in({unit: above[i] for unit, above in parents.items()}, asked.unit)
        found.append(below if recorded[i] else None)
    return found


def _units(within: list[set[str] | None]) -> set[str]:
    return {unit for units in within for unit in units or ()}
