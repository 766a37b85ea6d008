"""The retro report: what the whole roster and its pay became between two positions.

Owns no table. Invariant: a person is owed what the pay of every full month differs by, month by
month, and each month names the entries between the two positions that made it so. Whoever is one
person at the later position is asked about as one, be it under several ids at the earlier.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import islice, pairwise
from typing import NamedTuple

from domain.acts.grades import GRADE
from domain.acts.people import HOST, SERVICE, UNIT
from domain.acts.units import UNIT_PARENT, UNIT_PLACE
from domain.bitemporal import OPEN, AsOf, Fact, in_force, resolve
from domain.events import Facet
from domain.forest import Forest
from domain.ledger import Ledger
from domain.workdays import add_months
from projections.pay import FACETS, Filed, Known, PayDifference, pay_difference
from projections.questions.causes import made_by
from projections.questions.law import Published, Strands, rules_of
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
    each position. Of two ids that were merged between, the one that said otherwise.
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
        changed = records.changed([SERVICE], 0, later)
    else:
        changed = records.changed(FACETS, earlier, later)
    people = grouped(changed, ledger.forest(later))
    owed: list[Owed] = []
    placed: list[Placed] = []
    for person, ids in facts_by_id(records, people):
        placed += _placed(person, list(ids.values()), span)
        days = (span.start, span.end) if everyone else _months(list(ids.values()), span)
        if days is None:
            continue
        filed = [Filed(facts, known_of(units, published, moved, a)) for a, facts in ids.items()]
        units.hold([fact for facts in ids.values() for fact in facts])
        if months := pay_difference(filed, earlier, later, *days):
            owed.append(Owed(person, tuple(months)))
    return Retro(len(people), _law(records, published, span), owed, placed)


def grouped(subjects: Sequence[str], forest: Forest) -> dict[str, list[str]]:
    """The ids of these subjects by the id that is kept, which is the first where it is of them."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for subject in subjects:
        alias = subject.partition(":")[2]
        found[forest.kept(alias)].append(alias)
    return {
        person: sorted(found[person], key=lambda alias: (alias != person, alias))
        for person in sorted(found)
    }


def known_of(
    records: Strands, published: Published, moved: frozenset[date], alias: str
) -> Callable[[int], Known]:
    """The law of an id at each position; `moved`: see `tree_days`."""

    def known(recorded: int) -> Known:
        law = published.at(recorded)
        return Known(recorded, rules_of(records, law, alias, recorded), law.pay_days | moved)

    return known


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


def facts_by_id(
    records: Records, people: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, dict[str, list[Fact]]]]:
    """Each person with the facts filed under each id."""
    waiting = iter(people)
    while some := list(islice(waiting, _TOGETHER)):
        by_id = {alias: list[Fact]() for person in some for alias in people[person]}
        for fact in records.strands(FACETS, [f"person:{alias}" for alias in by_id]):
            by_id[fact.subject.partition(":")[2]].append(fact)
        for person in some:
            yield person, {alias: by_id[alias] for alias in people[person]}


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


def _answers(facet: Facet, ids: Iterable[Sequence[Fact]], as_of: AsOf) -> list[Fact]:
    """What a facet answers of a person, under each id."""
    found: list[Fact] = []
    for facts in ids:
        own = [fact for fact in facts if fact.facet == facet.name]
        if facet.many:
            found += in_force(own, as_of)
        elif (fact := resolve(own, as_of)) is not None:
            found.append(fact)
    return found


def _values(facts: Iterable[Fact]) -> list[str]:
    return sorted(repr(fact.value) for fact in facts)


def _months(ids: Sequence[Sequence[Fact]], span: Span) -> tuple[date, date] | None:
    """The full months of the span on a day of which some facet answers otherwise."""
    first, last = OPEN, date.min
    for facet in FACETS:
        own = [[f for f in facts if f.facet == facet.name] for facts in ids]
        days = {d for facts in own for f in facts for d in (f.effective, f.until) if d < span.end}
        for day, following in pairwise([*sorted(days), span.end]):
            then, now = (
                _values(_answers(facet, own, AsOf(day, at))) for at in (span.earlier, span.later)
            )
            if then != now:
                first, last = min(first, day), max(last, following)
    start, end = max(first.replace(day=1), span.start), min(_next_month(last), span.end)
    return (start, end) if start < end else None


def _next_month(day: date) -> date:
    """The first day of a month on or after this day."""
    return day if day.day == 1 else add_months(day.replace(day=1), 1)


def _placed(person: str, ids: Sequence[Sequence[Fact]], span: Span) -> Iterator[Placed]:
    for facet in (SERVICE, UNIT, HOST, GRADE):
        own = [[f for f in facts if f.facet == facet.name] for facts in ids]
        then, now = (_answers(facet, own, AsOf(span.day, at)) for at in (span.earlier, span.later))
        after = now[0] if now else None
        was = [fact for fact in then if after is None or fact.value != after.value]
        if was or (not then and after):
            before = was[0] if was else None
            every = [fact for facts in own for fact in facts]
            old, new = ([fact] if fact else [] for fact in (before, after))
            made = made_by(every, old, new, span.earlier, span.later)
            between = tuple(p for p in made if p > span.earlier)
            yield Placed(person, facet, before, after, between)
