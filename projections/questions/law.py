"""The law as it was known at a position, and where a person stood under it.

Owns no rule. Invariant: what is answered depends on the entries up to the position alone.
"""

from bisect import bisect_right
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Protocol

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from domain.acts.people import HOST, UNIT
from domain.acts.units import UNIT_PARENT, UNIT_PLACE
from domain.bitemporal import AsOf, Fact, resolve
from domain.events import Entry, Facet
from domain.law import NOWHERE, Law, Rules
from domain.ledger import Ledger, law_of
from domain.ledger.deciding import LAW_TYPES
from domain.ledger.log import EventLog


class Strands(Protocol):
    """Where the versions of a facet of a subject are read: the records, or facts at hand."""

    def versions(self, facet: Facet, subject: str, /) -> list[Fact]: ...


class Published:
    """The packs and calendars published by entry, up to a position."""

    def __init__(self, ledger: Ledger, until: int) -> None:
        self._log = ledger.log
        published = ledger.entries(types=LAW_TYPES, until=until) if until else ()
        self._positions = [entry.position for entry in published]

    def between(self, earlier: int, later: int) -> list[int]:
        """The positions of (earlier, later] at which law was published."""
        return [p for p in self._positions if earlier < p <= later]

    def at(self, recorded: int) -> Law:
        """The law as published by a position, at most the one this was made for."""
        count = bisect_right(self._positions, recorded)
        return _law(self._log, self._positions[count - 1]) if count else Law([], [])


@lru_cache(maxsize=32)
def _law(log: EventLog, until: int) -> Law:
    query = DCBQuery(items=[DCBQueryItem(types=LAW_TYPES)])
    return law_of(Entry(*stored) for stored in log.entries(query, until=until))


def rules_of(records: Strands, law: Law, person: str, recorded: int) -> Callable[[date], Rules]:
    """The law of each day at the person's using unit, all as known at one position."""
    place = place_of(records, person, recorded)
    return lambda day: law.at(place(day), day)


def place_of(records: Strands, person: str, recorded: int) -> Callable[[date], str]:
    """The code of the place of the person's using unit on each day, as known at one position."""
    known: dict[tuple[str, str], list[Fact]] = {}

    def value(facet: Facet, key: str, day: date, field: str) -> str | None:
        strand = (facet.name, key)
        if strand not in known:
            known[strand] = records.versions(facet, f"{facet.of}:{key}")
        fact = resolve(known[strand], AsOf(day, recorded))
        return fact.value[field] if fact and fact.value else None

    def place(day: date) -> str:
        unit = value(HOST, person, day, "unit") or value(UNIT, person, day, "unit")
        seen = set()
        while unit is not None and unit not in seen:
            if (division := value(UNIT_PLACE, unit, day, "division")) is not None:
                return division
            seen.add(unit)
            unit = value(UNIT_PARENT, unit, day, "parent")
        return NOWHERE

    return place
