"""Findings: rules not met by what was entered, derived by deciding each act again.

Owns no table. Invariant: an act is decided again on the record, the law and the day on which it was
first decided, so the findings of an entry never change while the code of its chapter stands.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice
from typing import NamedTuple

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from domain.case import Case, Finding
from domain.chains import Chain
from domain.events import Entry, FactAnnulled, Mood
from domain.law import Law
from domain.ledger import Ledger
from domain.ledger.impact import opened, premise_of, proposal_of
from domain.ledger.reading import MERGING, Reading, having_read, item_of
from domain.ledger.sealed import sealed_owners
from domain.record import Record, Strand
from domain.refusals import Refusal
from domain.workdays import SHANGHAI
from projections.journal import STANDS, standings
from projections.questions.law import Published
from projections.undermined import Undermining

TOGETHER = 500
"""Persons, or acts that name none of them, decided on one reading."""


class Found(NamedTuple):
    """What is found of one entry; `legible` is False where a needed field was erased."""

    entry: Entry
    findings: list[Finding]
    legible: bool = True


def of_subjects(
    ledger: Ledger,
    tags: Iterable[str],
    recorded: int,
    progress: Callable[[float], None] = lambda _: None,
    together: int = TOGETHER,
) -> list[Found]:
    """The findings of the entries about these subjects that stand at a position, in its order, and
    what undermined them.

    `together` persons at a time, as they are given: who serve together share what is read of their
    unit; each act with the first of them that it names; then the acts that name none. `progress`
    is told the share that is done.
    """
    subjects = dict.fromkeys(tags)
    people = {tag: None for tag in subjects if tag.startswith("person:")}
    others = sorted(subjects.keys() - people.keys())
    published, undermining = Published(ledger, recorded), Undermining(ledger, recorded)
    found: list[Found] = []
    for acts, whole, about, done in _parts(ledger, people, others, recorded, together):
        standing = _that_stand(ledger, acts, recorded)
        undermined = dict(undermining.of(standing, whole, about))
        asked = [entry for entry in standing if _asked_the_law(entry)]
        for one in _found(decided_again(ledger, asked, whole, about), published):
            one.findings.extend(undermined.pop(one.entry.position, ()))
            if one.findings or not one.legible:
                found.append(one)
        found += (Found(e, undermined[e.position]) for e in standing if e.position in undermined)
        progress(done)
    return sorted(found, key=lambda one: one.entry.position)


class _Part(NamedTuple):
    """Acts to decide, the persons whose entries were read whole for them and those entries, and
    the share that is done with them.
    """

    acts: list[Entry]
    whole: Sequence[str]
    about: Sequence[Entry]
    done: float


def _parts(
    ledger: Ledger,
    people: Mapping[str, None],
    others: Sequence[str],
    recorded: int,
    together: int,
) -> Iterator[_Part]:
    """Every entry about these subjects that is not kept from whoever asks, in one part each."""
    waiting, of_all = iter(people), len(people) + len(others)
    done = 0
    while whole := list(islice(waiting, together)):
        query = DCBQuery(items=[DCBQueryItem(tags=[person]) for person in whole])
        about = [Entry(*stored) for stored in ledger.log.entries(query, until=recorded)]
        mine, done = set(whole), done + len(whole)
        acts = [
            entry
            for entry in about
            if next(tag for tag in entry.tags if tag in people) in mine
            and not ledger.hides(entry.tags)
            and ledger.tells(entry)
        ]
        yield _Part(acts, whole, about, done / of_all)
    entries = ledger.about(others, recorded)
    nameless = (entry for entry in entries if people.keys().isdisjoint(entry.tags))
    while acts := list(islice(nameless, together)):
        share = acts[-1].position / recorded
        yield _Part(acts, (), (), (len(people) + len(others) * share) / of_all)


def _that_stand(ledger: Ledger, acts: Sequence[Entry], recorded: int) -> list[Entry]:
    """Those that no later entry of their chains has replaced or annulled."""
    roots = [f"fact:{root}" for root in sorted({entry.root for entry in acts})]
    chains = ledger.about(roots, recorded, later=True)
    known = {entry.position: entry for entry in (*acts, *(e for e in chains if e.corrects))}
    became = standings(known[position] for position in sorted(known))
    return [entry for entry in acts if became[entry.position] == STANDS]


def of_entries(
    ledger: Ledger, entries: Iterable[Entry], together: int = TOGETHER
) -> Iterator[Found]:
    """What the law found when these entries, in order of position, were decided."""
    wanted = [entry for entry in entries if _asked_the_law(entry)]
    published = Published(ledger, max((entry.position for entry in wanted), default=0))
    for first in range(0, len(wanted), together):
        yield from _found(decided_again(ledger, wanted[first : first + together]), published)


def _found(again: Iterable["Again"], published: Published) -> Iterator[Found]:
    for one in again:
        if one.legible:
            yield Found(one.entry, one.under(published.at(one.entry.position - 1)))
        else:
            yield Found(one.entry, [], legible=False)


class Again:
    """An entered act, ready to be decided again on what lay before it, under any law.

    `legible` is False where a field that it needs was erased: then it cannot be decided. `erased`
    are the fields that were, needed or not. A correction is decided without its own chain.
    """

    def __init__(self, ledger: Ledger, reading: Reading, entry: Entry) -> None:
        self.entry = entry
        self._log = ledger.log
        self._reading = reading
        self._strands: set[Strand] = set()
        self._event, self.erased = opened(ledger.vault, entry)

    @property
    def legible(self) -> bool:
        return self._event is not None

    def under(self, law: Law, mood: Mood | None = None) -> list[Finding]:
        """What this law finds, on the day of entering; a refusal is the last of its findings.

        `mood`: decided as if ordered or attested; by default as it was entered.
        """
        entry, event = self.entry, self._event
        if event is None:
            raise ValueError(f"entry {entry.position} is not legible")
        today = entry.recorded_at.astimezone(SHANGHAI).date()
        proposal = proposal_of(entry, event)

        def findings() -> list[Finding]:
            case = Case(proposal, mood or entry.mood, *self._record(), law, today, self._chain())
            try:
                case.decide(event)
            except Refusal as refusal:
                case.findings.append(_as_finding(refusal))
            return case.findings

        return having_read(findings, self._read)

    def _record(self) -> tuple[Record, set[Strand]]:
        """The record to decide it on, and what was read of it."""
        if not self.entry.corrects:
            return self._reading.record, self._reading.read
        strands = self._strands or set(premise_of(self.entry))
        touching = self._reading.touching(strands)
        return Record.fold(e for e in touching if e.root != self.entry.root), strands

    def _chain(self) -> Chain | None:
        """A correction keeps its root's place among the acts of its day."""
        return self._reading.record.chains.get(self.entry.root) if self.entry.corrects else None

    def _read(self, strands: set[Strand]) -> None:
        """It reads more than it did when it was entered: on a reading of its own."""
        before = self.entry.position - 1
        if self._reading.head != before:
            self._reading = Reading(self._log, before)
            self._strands = set(premise_of(self.entry))
        self._strands |= strands
        self._reading.extend(self._strands)


def decided_again(
    ledger: Ledger,
    wanted: Sequence[Entry],
    whole: Sequence[str] = (),
    about: Iterable[Entry] = (),
) -> Iterator[Again]:
    """These entries, in order of position, each on the record that lay before it.

    What their premises read is read once and folded as it goes; of the subjects in `whole` every
    entry is given as `about` already. Each is to be decided before the next is asked for.
    """
    if not wanted:
        return
    last = wanted[-1].position
    reading = Reading(ledger.log, last)
    known = set(whole)
    others = {s for e in wanted for s in premise_of(e) if s.subject not in known}
    reading.read = {Strand(None, subject) for subject in whole} | others
    ledger.hold(owner for entry in wanted for owner in sealed_owners(entry.fields))
    items = [MERGING, *(item_of(strand) for strand in sorted(others, key=str))]
    beside = (Entry(*stored) for stored in ledger.log.entries(DCBQuery(items=items), until=last))
    past = merge(about, beside, key=lambda entry: entry.position)
    upcoming = next(past, None)
    for entry in wanted:
        while upcoming is not None and upcoming.position < entry.position:
            reading.take(upcoming)
            upcoming = next(past, None)
        yield Again(ledger, reading, entry)


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
