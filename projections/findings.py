"""Findings: rules not met by what was entered, derived by deciding each act again.

Owns no table. Invariant: an act is decided again on the record, the law and the day on which it was
first decided, so the findings of an entry never change while the code of its chapter stands.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple
from uuid import UUID

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from domain.bitemporal import OPEN
from domain.events import FACETS, Entry, Event, FactAnnulled, Proposal
from domain.law import Law
from domain.ledger import SHANGHAI, Ledger
from domain.ledger.reading import Reading, item_of
from domain.ledger.vault import Erased, is_sealed
from domain.record import Case, Finding, Strand, Unread
from domain.refusals import Refusal
from projections.journal import STANDS, standings
from projections.questions.law import Published


class Found(NamedTuple):
    """What the law finds of one entry; `legible` is False where a needed field was erased."""

    entry: Entry
    findings: list[Finding]
    legible: bool = True


def of_subjects(ledger: Ledger, tags: Iterable[str], recorded: int) -> list[Found]:
    """The findings of the entries about these subjects that stand at a position, in its order."""
    query = DCBQuery(items=[DCBQueryItem(tags=[tag]) for tag in tags])
    if not query.items or not recorded:
        return []
    entries = [Entry(*stored) for stored in ledger.log.entries(query, until=recorded)]
    became = standings(entries)
    standing = [e for e in entries if became[e.position] == STANDS]
    return [found for found in of_entries(ledger, standing) if found.findings or not found.legible]


def of_entries(ledger: Ledger, entries: Iterable[Entry]) -> Iterator[Found]:
    """What the law found when these entries, in order of position, were decided.

    All that their premises read is read once and folded as it goes, so that each is decided again
    on what lay before it.
    """
    wanted = [entry for entry in entries if _asked_the_law(entry)]
    last = max((entry.position for entry in wanted), default=0)
    published = Published(ledger, last)
    reading = Reading(ledger.log, last)
    reading.read = {strand for entry in wanted for strand in _premise(entry)}
    items = [item_of(strand) for strand in sorted(reading.read, key=str)]
    past = (Entry(*stored) for stored in ledger.log.entries(DCBQuery(items=items), until=last))
    upcoming = next(past, None) if items else None
    for entry in wanted:
        while upcoming is not None and upcoming.position < entry.position:
            reading.take(upcoming)
            upcoming = next(past, None)
        try:
            law = published.at(entry.position - 1)
            yield Found(entry, _decided_again(ledger, reading, law, entry))
        except Erased:
            yield Found(entry, [], legible=False)


def _asked_the_law(entry: Entry) -> bool:
    """An act that consulted no rule has no findings; its premise says which it consulted."""
    return entry.cls is not FactAnnulled and bool(entry.envelope.get("premise", {}).get("law"))


def _premise(entry: Entry) -> Iterator[Strand]:
    for read in entry.envelope["premise"]["reads"]:
        facet, _, subject = read.partition("@")
        if facet in FACETS:
            yield Strand(facet, subject)


def _decided_again(ledger: Ledger, reading: Reading, law: Law, entry: Entry) -> list[Finding]:
    event = _opened(ledger, entry)
    today = entry.recorded_at.astimezone(SHANGHAI).date()
    proposal = _proposal(entry, event)
    more: Reading | None = None
    while True:
        record = reading.without(entry.root) if entry.corrects else reading.record
        case = Case(proposal, entry.mood, record, reading.read, law, today)
        try:
            event.decide(case)
        except Unread as unread:  # the chapter reads more than it did when this was entered
            more = more or Reading(ledger.log, entry.position - 1)
            more.extend(unread.strands)
            reading = more
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
