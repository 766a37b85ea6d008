"""Findings: rules not met by what was entered, derived by deciding each act again.

Owns no table. Invariant: an act is decided again on the record, the law and the day on which it was
first decided, so the findings of an entry never change while the code of its chapter stands.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple
from uuid import UUID

from domain.bitemporal import OPEN
from domain.events import Entry, Event, FactAnnulled, Proposal
from domain.ledger import SHANGHAI, Ledger
from domain.ledger.reading import Reading
from domain.ledger.vault import Erased, is_sealed
from domain.record import Case, Finding, Unread
from domain.refusals import Refusal
from projections.journal import STANDS, standings
from projections.questions.law import Published


class Found(NamedTuple):
    """What the law finds of one entry; `legible` is False where a needed field was erased."""

    entry: Entry
    findings: list[Finding]
    legible: bool = True


def of_subject(ledger: Ledger, tag: str, recorded: int) -> list[Found]:
    """The findings of the entries about a subject that stand at a position, in order of entry."""
    entries = list(ledger.entries([tag], until=recorded)) if recorded else []
    became = standings(entries)
    standing = [e for e in entries if became[e.position] == STANDS]
    return [found for found in of_entries(ledger, standing) if found.findings or not found.legible]


def of_entries(ledger: Ledger, entries: Iterable[Entry]) -> Iterator[Found]:
    """What the law found when these entries were decided."""
    wanted = [entry for entry in entries if _asked_the_law(entry)]
    published = Published(ledger, max((e.position for e in wanted), default=0))
    for entry in wanted:
        try:
            yield Found(entry, _decided_again(ledger, published, entry))
        except Erased:
            yield Found(entry, [], legible=False)


def _asked_the_law(entry: Entry) -> bool:
    """An act that consulted no rule has no findings; its premise says which it consulted."""
    return entry.cls is not FactAnnulled and bool(entry.envelope.get("premise", {}).get("law"))


def _decided_again(ledger: Ledger, published: Published, entry: Entry) -> list[Finding]:
    event = _opened(ledger, entry)
    before = entry.position - 1
    reading = Reading(ledger.log, before)
    law = published.at(before)
    today = entry.recorded_at.astimezone(SHANGHAI).date()
    proposal = _proposal(entry, event)
    while True:
        record = reading.without(entry.root) if entry.corrects else reading.record
        case = Case(proposal, entry.mood, record, reading.read, law, today)
        try:
            event.decide(case)
        except Unread as unread:
            reading.extend(unread.strands)
            continue
        except Refusal as refusal:
            case.findings.append(_as_finding(refusal))
        return case.findings


def _opened(ledger: Ledger, entry: Entry) -> Event:
    """The typed act, its private fields open. Raises Erased where one is gone that it needs."""
    fields = {}
    for name, value in entry.fields.items():
        if not is_sealed(value):
            fields[name] = value
            continue
        try:
            fields[name] = ledger.vault.open(name, value)
        except Erased:
            if entry.cls.model_fields[name].is_required():
                raise
    return entry.cls.model_validate(fields)


def _proposal(entry: Entry, event: Event) -> Proposal:
    occurred = entry.envelope.get("occurred")
    return Proposal(
        event,
        entry.effective,
        until=None if entry.until == OPEN else entry.until,
        seq=entry.seq,
        occurred=date.fromisoformat(occurred) if occurred else None,
        ends=UUID(entry.ended) if entry.ended else None,
    )


def _as_finding(refusal: Refusal) -> Finding:
    return Finding(
        refusal.rule or refusal.code, refusal.article or "", "block", "in-force",
        refusal.detail_zh, refusal.detail, refusal.field,
    )  # fmt: skip
