"""Findings: rules not met by what was entered, derived by deciding each act again.

Owns no table. Invariant: an act is decided again on the record, the law and the day on which it was
first decided, so the findings of an entry never change while the code of its chapter stands.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from eventsourcing.dcb.api import DCBQuery

from domain.events import Entry, FactAnnulled, Mood
from domain.law import Law
from domain.ledger import Ledger
from domain.ledger.impact import found_of, opened, premise_of, proposal_of
from domain.ledger.reading import MERGING, Reading, item_of
from domain.ledger.sealed import sealed_owners
from domain.record import Case, Finding, Strand, Unread
from domain.refusals import Refusal
from domain.workdays import SHANGHAI
from projections.journal import STANDS, standings
from projections.questions.law import Published


class Found(NamedTuple):
    """What the law finds of one entry; `legible` is False where a needed field was erased."""

    entry: Entry
    findings: list[Finding]
    legible: bool = True


def of_subjects(ledger: Ledger, tags: Iterable[str], recorded: int) -> list[Found]:
    """The findings of the entries about these subjects that stand at a position, in its order."""
    entries = list(ledger.about(list(tags), recorded))
    became = standings(entries)
    standing = [e for e in entries if became[e.position] == STANDS]
    return [found for found in of_entries(ledger, standing) if found.findings or not found.legible]


def of_entries(ledger: Ledger, entries: Iterable[Entry]) -> Iterator[Found]:
    """What the law found when these entries, in order of position, were decided."""
    wanted = [entry for entry in entries if _asked_the_law(entry)]
    published = Published(ledger, max((entry.position for entry in wanted), default=0))
    for one in decided_again(ledger, wanted):
        if one.legible:
            yield Found(one.entry, one.under(published.at(one.entry.position - 1)))
        else:
            yield Found(one.entry, [], legible=False)


class Again:
    """An entered act, ready to be decided again on what lay before it, under any law.

    `legible` is False where a field that it needs was erased: then it cannot be decided. `erased`
    are the fields that were, needed or not.
    """

    def __init__(self, ledger: Ledger, reading: Reading, entry: Entry) -> None:
        self.entry = entry
        self._log = ledger.log
        self._reading = reading
        self._event, self.erased = opened(ledger.vault, entry)

    @property
    def legible(self) -> bool:
        return self._event is not None

    def under(self, law: Law, mood: Mood | None = None) -> list[Finding]:
        """What this law finds, on the day of entering; a refusal is the last of its findings.

        `mood`: decided as if ordered or attested; by default as it was entered.
        """
        entry, event, reading = self.entry, self._event, self._reading
        if event is None:
            raise ValueError(f"entry {entry.position} is not legible")
        today = entry.recorded_at.astimezone(SHANGHAI).date()
        proposal = proposal_of(entry, event)
        while True:
            record = reading.without(entry.root) if entry.corrects else reading.record
            case = Case(proposal, mood or entry.mood, record, reading.read, law, today)
            try:
                case.decide(event)
            except Unread as unread:  # it reads more than it did when it was entered
                if reading.head != entry.position - 1:
                    reading = Reading(self._log, entry.position - 1)
                reading.extend({*premise_of(entry), *unread.strands})
                continue
            except Refusal as refusal:
                case.findings.append(_as_finding(refusal))
            return case.findings


def decided_again(
    ledger: Ledger, wanted: Sequence[Entry], whole: Sequence[str] = ()
) -> Iterator[Again]:
    """These entries, in order of position, each on the record that lay before it.

    All that their premises read is read once and folded as it goes; the subjects in `whole` are
    read whole. Each is to be decided before the next is asked for.
    """
    last = max((entry.position for entry in wanted), default=0)
    reading = Reading(ledger.log, last)
    reading.read = {Strand(None, subject) for subject in whole}
    read_whole = set(whole)
    reading.read |= {s for e in wanted for s in premise_of(e) if s.subject not in read_whole}
    ledger.hold(owner for entry in wanted for owner in sealed_owners(entry.fields))
    items = [MERGING, *(item_of(strand) for strand in sorted(reading.read, key=str))]
    past = (Entry(*stored) for stored in ledger.log.entries(DCBQuery(items=items), until=last))
    upcoming = next(past, None) if last else None
    for entry in wanted:
        while upcoming is not None and upcoming.position < entry.position:
            reading.take(upcoming)
            upcoming = next(past, None)
        if entry.corrects:  # to be decided without its chain: on a record of its own
            own = Reading(ledger.log, entry.position - 1)
            own.extend(premise_of(entry))
            yield Again(ledger, own, entry)
        else:
            yield Again(ledger, reading, entry)


def undermined_by(ledger: Ledger, batch: Sequence[Entry]) -> list[tuple[int, Finding]]:
    """What one attested request's entries undermine, with the place of the act."""
    if not batch or batch[0].mood == "ordered":
        return []
    law = Published(ledger, batch[-1].position).at(batch[0].position - 1)
    return found_of(ledger.vault, law, ledger.log, batch)


def _asked_the_law(entry: Entry) -> bool:
    """An act that consulted no rule has no findings, but a merge; the premise names the law."""
    if entry.cls is FactAnnulled:
        return False
    return bool(entry.cls.merges or entry.envelope.get("premise", {}).get("law"))


def _as_finding(refusal: Refusal) -> Finding:
    return Finding(
        refusal.rule or refusal.code, refusal.article or "", "block", "in-force",
        refusal.detail_zh, refusal.detail, refusal.field,
    )  # fmt: skip
