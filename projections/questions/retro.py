"""The retro report: what the whole roster and its pay became between two positions.

Owns no table. Invariant: a person is owed what the pay of every full month differs by, month by
month, and each month names the entries between the two positions that made it so.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import Any, NamedTuple

from domain.acts.grades import GRADE
from domain.acts.people import HOST, SERVICE, UNIT
from domain.acts.units import UNIT_PARENT, UNIT_PLACE
from domain.bitemporal import OPEN, AsOf, Fact, in_force, resolve
from domain.events import Facet
from domain.ledger import Ledger
from domain.workdays import add_months
from projections.pay import FACETS, Known, PayDifference, pay_difference
from projections.questions.law import Published, rules_of
from projections.records import Records

_TOGETHER = 500
"""Persons whose facts are read at once."""


class Owed(NamedTuple):
    """What one person's pay became, in fen; positive to be paid, negative to be recovered."""

    person: str
    months: tuple[PayDifference, ...]

    @property
    def owed(self) -> int:
        return sum(month.owed for month in self.months)

    @property
    def since(self) -> date:
        """The first month that differs."""
        return self.months[0].month

    @property
    def entries(self) -> tuple[int, ...]:
        return tuple(sorted({p for month in self.months for p in month.entries}))


class Placed(NamedTuple):
    """A facet of a person that answers otherwise on the day asked about: the fact, if any, at
    each position.
    """

    person: str
    facet: Facet
    before: Fact | None
    after: Fact | None
    entries: tuple[int, ...]


class Retro(NamedTuple):
    """The difference between two beliefs. `law`: the positions between them that changed the law
    or a unit's place under it, which can change the pay of persons of whom nothing was entered.
    """

    persons: int
    law: tuple[int, ...]
    owed: list[Owed]
    roster: list[Placed]


class Span(NamedTuple):
    """The positions compared, the day of the roster, and the months [start, end) of the pay."""

    earlier: int
    later: int
    day: date
    start: date
    end: date


def retro(records: Records, ledger: Ledger, span: Span, *, everyone: bool = False) -> Retro:
    """Who is owed what, since when and because of which entries; in order of person.

    Reckons the persons of whom something that pay rests on was entered between the positions, with
    `everyone` all who ever served: the law may have changed for them.
    """
    earlier, later = span.earlier, span.later
    published = Published(ledger, later)
    units = Held(records)
    moved = tree_days(records, later)
    if everyone:
        people = records.changed([SERVICE], 0, later)
    else:
        people = records.changed(FACETS, earlier, later)
    owed: list[Owed] = []
    placed: list[Placed] = []
    for subject, facts in facts_of(records, people):
        person = subject.partition(":")[2]
        placed += _placed(person, facts, span)
        days = (span.start, span.end) if everyone else _months(facts, span)
        if days is None:
            continue
        units.hold(facts)
        then, now = (
            Known(at, rules_of(units, law, person, at), law.pay_days | moved)
            for at in (earlier, later)
            for law in (published.at(at),)
        )
        if months := pay_difference(facts, then, now, *days):
            owed.append(Owed(person, tuple(months)))
    return Retro(len(people), _law(records, published, span), owed, placed)


def tree_days(records: Records, later: int) -> frozenset[date]:
    """Every day on which some unit comes under another parent or another law, as known by then."""
    facets = (UNIT_PLACE, UNIT_PARENT)
    facts = records.strands(facets, records.changed(facets, 0, later))
    return frozenset(day for fact in facts for day in (fact.effective, fact.until))


class Held:
    """The strands that the law of a day is found by: one person's at hand, the units' kept."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._units: dict[tuple[str, str], list[Fact]] = {}
        self._own: Sequence[Fact] = ()

    def hold(self, facts: Sequence[Fact]) -> None:
        self._own = facts

    def versions(self, facet: Facet, subject: str) -> list[Fact]:
        if facet.of == "person":
            return [f for f in self._own if f.facet == facet.name and f.subject == subject]
        strand = (facet.name, subject)
        if strand not in self._units:
            self._units[strand] = self._records.versions(facet, subject)
        return self._units[strand]


def facts_of(records: Records, people: Sequence[str]) -> Iterator[tuple[str, list[Fact]]]:
    """Each subject's facts that pay rests on."""
    for start in range(0, len(people), _TOGETHER):
        by_subject: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in records.strands(FACETS, people[start : start + _TOGETHER]):
            by_subject[fact.subject].append(fact)
        yield from by_subject.items()


def _law(records: Records, published: Published, span: Span) -> tuple[int, ...]:
    between = set(published.between(span.earlier, span.later))
    facets = (UNIT_PLACE, UNIT_PARENT)
    units = records.changed(facets, span.earlier, span.later)
    for fact in records.strands(facets, units):
        between.update(_between((fact,), span))
    return tuple(sorted(between))


def _between(facts: Iterable[Fact], span: Span) -> tuple[int, ...]:
    edges = {p for f in facts for p in (f.known_from, f.known_to)}
    return tuple(sorted(p for p in edges if span.earlier < p <= span.later))


def _values(facet: Facet, facts: Iterable[Fact], as_of: AsOf) -> list[Any]:
    if facet.many:
        return [fact.value for fact in in_force(facts, as_of)]
    fact = resolve(facts, as_of)
    return [] if fact is None else [fact.value]


def _months(facts: Sequence[Fact], span: Span) -> tuple[date, date] | None:
    """The full months of the span on a day of which some facet answers otherwise."""
    first, last = OPEN, date.min
    for facet in FACETS:
        own = [f for f in facts if f.facet == facet.name]
        days = {day for f in own for day in (f.effective, f.until) if day < span.end}
        for day, following in pairwise([*sorted(days), span.end]):
            then, now = (
                _values(facet, own, AsOf(day, at)) for at in (span.earlier, span.later)
            )  # fmt: skip
            if then != now:
                first, last = min(first, day), max(last, following)
    start, end = max(first.replace(day=1), span.start), min(_next_month(last), span.end)
    return (start, end) if start < end else None


def _next_month(day: date) -> date:
    """The first day of a month on or after this day."""
    return day if day.day == 1 else add_months(day.replace(day=1), 1)


def _placed(person: str, facts: Sequence[Fact], span: Span) -> Iterator[Placed]:
    for facet in (SERVICE, UNIT, HOST, GRADE):
        own = [f for f in facts if f.facet == facet.name]
        then, now = (resolve(own, AsOf(span.day, at)) for at in (span.earlier, span.later))
        if _values(facet, own, AsOf(span.day, span.earlier)) != _values(
            facet, own, AsOf(span.day, span.later)
        ):
            yield Placed(person, facet, then, now, _between(own, span))
