"""Who would answer for whom otherwise, if acts were entered that are not.

Owns no table. Invariant: each row is a stretch of days on which the answer with the acts names an
officer whom the answer without them does not, or the reverse.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from domain.bitemporal import Fact
from domain.events import Facet
from domain.record import Record, Strand
from projections.accountability import (
    Index,
    Segment,
    Source,
    answered_for,
    below_units,
    over,
    placed_in,
)

MOST_PEOPLE = 200
"""Persons compared; a change to a bureau's own seats can touch all it has."""


class Flip(NamedTuple):
    """On the days [start, end) the officer answers for the person only with the acts, or only
    without them.
    """

    person: str
    officer: str
    capacity: str
    unit: str | None
    seat: str
    acting: bool
    change: Literal["added", "removed"]
    start: date
    end: date


class Tried(NamedTuple):
    """The records as they would be: the strands that acts change, from the record with them in."""

    source: Source
    record: Record
    strands: frozenset[Strand]

    def versions(self, facet: Facet, subject: str, /) -> list[Fact]:
        if Strand(facet.name, subject) in self.strands:
            return self.record.versions(facet, subject)
        return self.source.versions(facet, subject)


def people_of(source: Index, strands: Iterable[Strand]) -> list[str]:
    """Whose answers a change of these strands may touch: the persons, those they lead, and those
    of the units.
    """
    named = {s.subject for s in strands}
    persons = {n.removeprefix("person:") for n in named if n.startswith("person:")}
    units = {n.removeprefix("unit:") for n in named if n.startswith("unit:")}
    led = {p for officer in persons for p in answered_for(source, officer)}
    return sorted(persons | led | placed_in(source, below_units(source, units)))


def flips(
    before: Source, after: Source, person: str, period: tuple[date, date], known: tuple[int, int]
) -> Iterator[Flip]:
    """What differs on the days of a period, each answer as known at its own position."""
    old = over(before, person, *period, known[0])
    new = over(after, person, *period, known[1])
    running: dict[tuple[Any, ...], Flip] = {}
    for start, end in pairwise(sorted({day for s in (*old, *new) for day in s[:2]})):
        was, becomes = _named(old, start), _named(new, start)
        now: dict[tuple[Any, ...], Flip] = {}
        for holder in was ^ becomes:
            change: Literal["added", "removed"] = "added" if holder in becomes else "removed"
            key = (*holder, change)
            since = running[key].start if key in running else start
            now[key] = Flip(person, *holder, change, since, end)
        yield from (flip for key, flip in running.items() if key not in now)
        running = now
    yield from running.values()


def _named(segments: Iterable[Segment], day: date) -> set[tuple[str, str, str | None, str, bool]]:
    answer = next(s.answer for s in segments if s.start <= day < s.end)
    return {
        (h.officer, h.capacity, h.unit, h.seat, h.acting)
        for line in answer.lines
        for h in line.holders
    }
