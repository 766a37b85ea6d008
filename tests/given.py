"""given(…).when(…).then(…): an act is decided on a history, purely, in the domain's own words."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, Self
from uuid import UUID

import pytest

from domain import acts
from domain.bitemporal import FOREVER, AsOf, Fact
from domain.case import Case, Finding
from domain.events import Entry, Event, Facet, Mood, Proposal, encode
from domain.law import Law, load_calendars, load_packs
from domain.record import Record
from domain.refusals import Refusal

acts.load()

DAY = date(2022, 1, 4)


@cache
def packaged_law() -> Law:
    return Law(load_packs().values(), load_calendars().values())


class Everything(set[Any]):
    """As if all there is had been read."""

    def __contains__(self, strand: object) -> bool:
        return True


def act(event: Event, on: str | date = DAY, **envelope: Any) -> Proposal:
    """An act that takes effect on a day; `until`, `seq`, `occurred`, `ends` … by name."""
    for name in ("until", "occurred"):
        if isinstance(envelope.get(name), str):
            envelope[name] = date.fromisoformat(envelope[name])
    day = date.fromisoformat(on) if isinstance(on, str) else on
    return Proposal(event, day, **envelope)


def _clear(owner: str, cls: str, field: str, plaintext: bytes) -> dict[str, str]:
    return {"o": owner, "k": cls, "c": "", "x": plaintext.decode()}


class Story:
    """A history and the acts tried on it."""

    def __init__(self, law: Law | None = None) -> None:
        self.record = Record()
        self.law = law or packaged_law()
        self.findings: list[Finding] = []

    def id_of(self, position: int) -> UUID:
        """The event id of the act at this position (1 is the first)."""
        return UUID(int=position)

    def _decided(self, proposal: Proposal, mood: Mood) -> tuple[Entry, Case]:
        case = Case(proposal, mood, self.record, Everything(), self.law, date(2026, 11, 2))
        case.decide(proposal.event)
        settled = proposal._replace(until=case.until, ends=UUID(case.ended) if case.ended else None)
        position = self.record.head + 1
        tags = settled.event.tags() + ([f"fact:{case.ended}"] if case.ended else [])
        data = encode(settled, self.id_of(position), None, {"mood": mood}, _clear)
        stamped = datetime(2026, 11, 2, tzinfo=UTC) + timedelta(seconds=position)
        return Entry(position, stamped, type(settled.event).__name__, tags, data), case

    def given(self, *proposals: Proposal, mood: Mood = "attested") -> Self:
        for proposal in proposals:
            entry, _ = self._decided(proposal, mood)
            self.record.apply(entry)
        return self

    def when(self, proposal: Proposal, mood: Mood = "ordered") -> Self:
        """Decide and take in; raises what it raises."""
        entry, case = self._decided(proposal, mood)
        self.findings = case.findings
        self.record.apply(entry)
        return self

    def refused(
        self, proposal: Proposal, refusal: type[Refusal], mood: Mood = "ordered", **pointers: Any
    ) -> Refusal:
        """The act is refused so, and the pointers (field, rule, article) are those given."""
        with pytest.raises(refusal) as caught:
            self._decided(proposal, mood)
        assert type(caught.value) is refusal
        assert {k: getattr(caught.value, k) for k in pointers} == pointers
        return caught.value

    def at(self, facet: Facet, key: str, on: str | date = DAY, slot: str = "") -> Fact | None:
        day = date.fromisoformat(on) if isinstance(on, str) else on
        return self.record.at(facet, f"{facet.of}:{key}", AsOf(day, FOREVER - 1), slot)

    def value(self, facet: Facet, key: str, on: str | date = DAY, slot: str = "") -> Any:
        fact = self.at(facet, key, on, slot)
        return None if fact is None else fact.value

    def every(self, facet: Facet, key: str, on: str | date = DAY) -> list[Any]:
        day = date.fromisoformat(on) if isinstance(on, str) else on
        facts = self.record.every(facet, f"{facet.of}:{key}", AsOf(day, FOREVER - 1))
        return [fact.value for fact in facts]

    def rules_found(self) -> set[str]:
        return {finding.rule for finding in self.findings}


def given(*proposals: Proposal, mood: Mood = "attested") -> Story:
    return Story().given(*proposals, mood=mood)
