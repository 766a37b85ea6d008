"""Two times: the only period arithmetic of the ledger.

Owns the as-of pair, the fact, and the one rule that says which fact answers.
Invariant: of the facts of a single-valued facet that hold on a date as known at a position,
the one with the largest place (effective, seq, root position) answers, always.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

OPEN = date(9999, 12, 31)
"""The `until` of a fact that has no end yet (PostgreSQL dates and psycopg both carry it)."""

FOREVER = 2**63 - 1
"""The `known_to` of a version that no later entry has replaced."""


class AsOf(NamedTuple):
    """What held on this date, as the ledger stood at this position."""

    effective: date
    recorded: int


class Place(NamedTuple):
    """The order of facts within a facet; `root` breaks ties by order of entry."""

    effective: date
    seq: int
    root: int


class Fact(NamedTuple):
    """One version of one fact: a rectangle over both times.

    [effective, until) are days, [known_from, known_to) are positions; both half-open.
    `root` is the position of the chain's first entry, `entry` of the one that gave the content,
    `ended_by` of the entry that capped `until`. A `value` of None is an explicit none (空缺).
    """

    subject: str
    facet: str
    slot: str
    effective: date
    until: date
    seq: int
    root: int
    entry: int
    known_from: int
    known_to: int
    ended_by: int | None
    ref: str | None
    value: Any

    @property
    def place(self) -> Place:
        return Place(self.effective, self.seq, self.root)

    def known(self, recorded: int) -> bool:
        return self.known_from <= recorded < self.known_to

    def holds(self, as_of: AsOf) -> bool:
        return self.effective <= as_of.effective < self.until and self.known(as_of.recorded)


class Cap(NamedTuple):
    """An ending or a departure: from its place on, what it caps no longer holds."""

    place: Place
    entry: int


def resolve(
    facts: Iterable[Fact],
    as_of: AsOf,
    slot: str | None = None,
    before: Place | None = None,
) -> Fact | None:
    """Which of one facet's facts answers; None is "not recorded", unlike a fact that is none.

    `slot` passes over other slots; `before` passes over what stands after this place.
    """
    day, recorded = as_of
    best = None
    for fact in facts:
        if (
            fact.effective <= day < fact.until
            and fact.known_from <= recorded < fact.known_to
            and (slot is None or fact.slot == slot)
            and (before is None or fact.place <= before)
            and (best is None or fact.place > best.place)
        ):
            best = fact
    return best


def in_force(facts: Iterable[Fact], as_of: AsOf) -> list[Fact]:
    """The set a many-valued facet answers with on a day, in order of place."""
    return sorted((f for f in facts if f.holds(as_of)), key=lambda f: f.place)


def on_record(facts: Iterable[Fact], as_of: AsOf) -> list[Fact]:
    """Everything that had taken effect by a day, ended or not, in order of place."""
    return sorted(
        (f for f in facts if f.effective <= as_of.effective and f.known(as_of.recorded)),
        key=lambda f: f.place,
    )


def capped(until: date, caps: Iterable[Cap]) -> tuple[date, int | None]:
    """The end of a fact under its caps, and the entry that set it; the earliest cap wins."""
    ended_by = None
    for cap in caps:
        if cap.place.effective < until:
            until, ended_by = cap.place.effective, cap.entry
    return until, ended_by


def last_day(until: date) -> date | None:
    """The last day of a half-open period (至 … 止), None where it is open."""
    return None if until == OPEN else until - timedelta(days=1)


def told_before(facts: Iterable[Fact], day: date) -> list[Fact]:
    """Versions of facts, in order of knowledge, for one who is told of no day from this one on:
    what begins then is not there, and what an act of then ended has the end it was given itself.
    """
    found: list[Fact] = []
    places: dict[tuple[str, str, str, int], int] = {}
    for fact in _uncapped((fact for fact in facts if fact.effective < day), day):
        key = fact.subject, fact.facet, fact.slot, fact.root
        place = places.get(key)
        if place is not None and _goes_on(found[place], fact):
            found[place] = found[place]._replace(known_to=fact.known_to)
        else:
            places[key] = len(found)
            found.append(fact)
    return found


def _uncapped(facts: Iterable[Fact], day: date) -> Iterator[Fact]:
    given: dict[tuple[str, str, str, int, int], date] = {}
    for fact in facts:
        key = fact.subject, fact.facet, fact.slot, fact.root, fact.entry
        if fact.ended_by is None:
            given[key] = fact.until
        if fact.ended_by is not None and fact.until >= day:
            yield fact._replace(until=given.get(key, OPEN), ended_by=None)
        else:
            yield fact


def _goes_on(version: Fact, following: Fact) -> bool:
    """Whether a version says what the one before it said."""
    known_from, known_to = version.known_from, following.known_to
    return version.known_to == following.known_from and version._replace(
        known_to=known_to
    ) == following._replace(known_from=known_from)


class Segment(NamedTuple):
    """A stretch of days [start, end) over which one fact (or none) answers."""

    start: date
    end: date
    fact: Fact | None


def segments(facts: Iterable[Fact], recorded: int, start: date, end: date) -> list[Segment]:
    """Which fact answers on each day of [start, end) at one position, as few stretches as can be.

    A segment without a fact was not recorded.
    """
    known = [f for f in facts if f.known(recorded) and f.effective < end and f.until > start]
    days = {start, end}
    for fact in known:
        days.add(max(fact.effective, start))
        days.add(min(fact.until, end))
    cuts = sorted(days)
    found: list[Segment] = []
    for day, following in pairwise(cuts):
        answer = resolve(known, AsOf(day, recorded))
        if found and found[-1].fact == answer:
            found[-1] = Segment(found[-1].start, following, answer)
        else:
            found.append(Segment(day, following, answer))
    return found


def differing(
    facts: Iterable[Fact], before: int, after: int, *, many: bool = False
) -> list[tuple[date, date]]:
    """The days [start, end) on which one facet says something else at a position than at another.

    Days on which another fact says the same are not among them. `many`: the answer is a set.
    """
    known = [f for f in facts if f.known(before) or f.known(after)]
    found: list[tuple[date, date]] = []
    for day, following in pairwise(sorted({d for f in known for d in (f.effective, f.until)})):
        of_day = [f for f in known if f.effective <= day < f.until]
        if _said(of_day, AsOf(day, before), many) == _said(of_day, AsOf(day, after), many):
            continue
        if found and found[-1][1] == day:
            found[-1] = (found[-1][0], following)
        else:
            found.append((day, following))
    return found


def _said(facts: Sequence[Fact], as_of: AsOf, many: bool) -> list[tuple[str, Any]]:
    """The slots and contents that answer; without those of which nothing is recorded."""
    if many:
        said = [(f.slot, f.value) for f in in_force(facts, as_of)]
        return sorted(said, key=repr)
    answers = ((slot, resolve(facts, as_of, slot)) for slot in sorted({f.slot for f in facts}))
    return [(slot, fact.value) for slot, fact in answers if fact is not None]


class Stretch(NamedTuple):
    """A stretch of positions [start, end) over which the same versions answered for one day."""

    start: int
    end: int
    facts: list[Fact]


def stretches(
    facts: Iterable[Fact], day: date, recorded: int, *, many: bool = False
) -> list[Stretch]:
    """What answered for one day at each position of [0, recorded], as few stretches as can be.

    A stretch without facts was not recorded. `many`: the answer is a set.
    """
    of_day = [f for f in facts if f.effective <= day < f.until and f.known_from <= recorded]
    changes = {p for f in of_day for p in (f.known_from, f.known_to) if p <= recorded}
    found: list[Stretch] = []
    for start, end in pairwise(sorted({0, recorded + 1} | changes)):
        if many:
            answer = in_force(of_day, AsOf(day, start))
        else:
            best = resolve(of_day, AsOf(day, start))
            answer = [] if best is None else [best]
        if found and found[-1].facts == answer:
            found[-1] = found[-1]._replace(end=end)
        else:
            found.append(Stretch(start, end, answer))
    return found


class Rectangle(NamedTuple):
    """Days [start, end) and positions [known_from, known_to) over which one fact answered."""

    start: date
    end: date
    known_from: int
    known_to: int
    fact: Fact


def versions(facts: Iterable[Fact], recorded: int) -> list[Rectangle]:
    """Both axes of a many-valued facet up to a position: each fact's own, which may overlap."""
    held = (f for f in facts if f.known_from <= recorded and f.effective < f.until)
    return [
        Rectangle(
            fact.effective,
            fact.until,
            fact.known_from,
            fact.known_to if fact.known_to <= recorded else FOREVER,
            fact,
        )
        for fact in sorted(held, key=lambda f: (f.known_from, f.place))
    ]


def rectangles(facts: Iterable[Fact], recorded: int) -> list[Rectangle]:
    """Both axes of a single-valued facet up to a position, in order of knowledge and day.

    No two overlap; what none covers was not recorded. `known_to` is FOREVER where one still stands.
    """
    held = [f for f in facts if f.known_from <= recorded]
    first = min((f.effective for f in held), default=OPEN)
    changes = {p for f in held for p in (f.known_from, f.known_to) if p <= recorded}
    standing: dict[tuple[date, date, int, int], Rectangle] = {}
    found: list[Rectangle] = []
    for position in sorted(changes):
        now = {
            (part.start, part.end, part.fact.root, part.fact.known_from): part.fact
            for part in segments(held, position, first, OPEN)
            if part.fact is not None
        }
        gone = [key for key in standing if key not in now]
        found += [standing.pop(key)._replace(known_to=position) for key in gone]
        for key, fact in now.items():
            if key not in standing:
                standing[key] = Rectangle(key[0], key[1], position, FOREVER, fact)
    return sorted([*found, *standing.values()], key=lambda r: (r.known_from, r.start))
