"""The payroll: what everybody of a unit, or of the bureau, is due month by month.

Owns no table. Invariant: a person's month is what `pay` says of it and stands on the payroll of one
unit, so the payrolls of units side by side add up to that of the bureau.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from domain.acts.people import SERVICE, UNIT
from domain.bitemporal import AsOf, Fact, resolve
from domain.ledger import Ledger
from projections import roster as _roster
from projections.pay import FACETS, Known, PayMonth, pay_months, pay_segments
from projections.questions.law import Published, rules_of
from projections.questions.retro import Held, tree_days
from projections.records import Records

_DAY = timedelta(days=1)
_TOGETHER = 500
"""Persons whose facts are read at once."""


class Line(NamedTuple):
    """A person's month: the home unit and the grade of its last day in service, `days` in service,
    of which `unpriced` have no pay that can be told, the rest come to `amount`, in fen; `entries`
    are the positions it rests on.
    """

    person: str
    month: date
    unit: str | None
    grade: str | None
    days: int
    unpriced: int
    amount: int
    entries: tuple[int, ...]


def payroll(
    records: Records,
    ledger: Ledger,
    as_of: AsOf,
    months: tuple[date, date],
    unit: str | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Iterator[Line]:
    """Whoever served on a day of the months [start, end), both first days of months, in order of
    person and month; of a unit those on whose payroll it is or one below it, as the tree stood on
    the day asked about.

    Raises UnknownSubject for a unit nothing is recorded of on that day.
    """
    start, end = months
    units = None if unit is None else _roster.units_below(records, unit, as_of)
    if units is None:
        people = records.changed([SERVICE], 0, as_of.recorded)
    else:
        placed = records.referring(UNIT, *sorted(units))
        people = sorted(
            {
                fact.subject
                for fact in placed
                if fact.known(as_of.recorded) and fact.effective < end and fact.until > start
            }
        )
    law = Published(ledger, as_of.recorded).at(as_of.recorded)
    turns = law.pay_days | tree_days(records, as_of.recorded)
    held = Held(records)
    for first in range(0, len(people), _TOGETHER):
        some = people[first : first + _TOGETHER]
        facts = records.over(FACETS, (start, end - _DAY), as_of.recorded, some)
        for subject, strands in groupby(facts, attrgetter("subject")):
            own = list(strands)
            held.hold(own)
            person = subject.partition(":")[2]
            known = Known(as_of.recorded, rules_of(held, law, person, as_of.recorded), turns)
            for month in pay_months(pay_segments(own, known, start, end)):
                line = _line(person, month, own, as_of.recorded)
                if units is None or line.unit in units:
                    yield line
        progress((first + len(some)) / len(people))


def _line(person: str, month: PayMonth, facts: Sequence[Fact], recorded: int) -> Line:
    last = month.segments[-1]
    placed = (fact for fact in facts if fact.facet == UNIT.name)
    home = resolve(placed, AsOf(last.end - _DAY, recorded))
    return Line(
        person, month.month, home.value["unit"] if home and home.value else None,
        last.level.grade, sum(part.days for part in month.segments), month.unpriced, month.amount,
        tuple(sorted({entry for part in month.segments for entry in part.entries})),
    )  # fmt: skip
