"""The strands a decision has read, folded.

Owns how strands become a query and how what they answer becomes a record. Invariant: a strand in
`read` is complete up to `head`, and nothing beyond `head` has been folded.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar
from uuid import UUID

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from domain.bitemporal import Fact
from domain.case import Unread
from domain.chains import corrections
from domain.events import FACETS, MERGES, REGISTRY, Entry, FactAnnulled, merged_by
from domain.forest import Forest
from domain.ledger.log import EventLog
from domain.record import Record, Strand, types_touching
from domain.refusals import UnknownFact

MERGING = DCBQueryItem(tags=[MERGES])
"""Every merge and split: who is whom."""
_NOTHING: dict[str, list[str]] = {"reads": []}

_Answer = TypeVar("_Answer")


class Reading:
    """What was read of the log, as of `head`, for deciding.

    With `ahead` the caller reads ahead for many acts, persons whole.
    """

    def __init__(self, log: EventLog, head: int, *, ahead: bool = False) -> None:
        self.head = head
        self.ahead = ahead
        self.record = Record()
        self.read: set[Strand] = set()
        self.spoiled = False
        self._merges_read = False
        self._log = log
        self._entries: dict[int, Entry] = {}
        self._tagged: defaultdict[str, list[Entry]] = defaultdict(list)
        self._readers: defaultdict[str, list[Entry]] = defaultdict(list)

    @property
    def size(self) -> int:
        return len(self._entries)

    def extend(self, strands: Iterable[Strand]) -> None:
        """Read these strands too, and first of all who is whom."""
        missing = {
            s for s in strands if s not in self.read and Strand(None, s.subject) not in self.read
        }
        missing = {s for s in missing if s.facet is None or Strand(None, s.subject) not in missing}
        if not missing and self._merges_read:
            return
        items = [item_of(strand) for strand in sorted(missing, key=str)]
        items += [] if self._merges_read else [MERGING]
        self._merges_read = True
        if self.head:
            whole = {s.subject for s in missing if s.facet is None}
            stored = self._log.entries(DCBQuery(items=items), until=self.head)
            self._take_all((Entry(*s) for s in stored), whole)
        self.read |= missing
        others = {Strand(s.facet, alias) for s in missing for alias in self.family(s.subject)}
        if not others <= missing:
            self.extend(others)

    def _take_all(self, entries: Iterable[Entry], whole: set[str]) -> None:
        """Fold them, with the chains of which only a correction names one of the `whole`."""
        roots: set[str] = set()
        for entry in entries:
            if REGISTRY[entry.type].aside:
                continue
            self.take(entry)
            if entry.position not in self._entries and not whole.isdisjoint(entry.tags):
                roots.add(entry.root)
        if roots:
            for root in sorted(roots):
                self.take(self.entry(UUID(root)))
            items = [DCBQueryItem(tags=[f"fact:{root}"]) for root in sorted(roots)]
            for stored in self._log.entries(DCBQuery(items=items), until=self.head):
                self.take(Entry(*stored))

    def family(self, subject: str) -> list[str]:
        """Every subject that is this one, as far as merges were read."""
        return self.record.forest.subjects(subject)

    def take(self, entry: Entry) -> list[Fact]:
        """Fold one entry and answer the versions it changed.

        A correction of a chain not read yet waits for that chain's strand. What is told aside
        is nothing to a decision.
        """
        if entry.position in self._entries or REGISTRY[entry.type].aside:
            return []
        if entry.corrects and entry.root not in self.record.chains:
            return []
        self._entries[entry.position] = entry
        for tag in entry.tags:
            self._tagged[tag].append(entry)
        for strand in entry.envelope.get("premise", _NOTHING)["reads"]:
            self._readers[strand].append(entry)
        return self.record.apply(entry)

    def afresh(self, after: int) -> "Reading":
        """A new reading that has nothing but what was taken in behind the head, up to a position:
        cheaper, where little of the rest is asked for again, than to fold all that stays.
        """
        fresh = Reading(self._log, self.head, ahead=self.ahead)
        for position in sorted(p for p in self._entries if self.head < p <= after):
            entry = self._entries[position]
            if entry.corrects and entry.root not in fresh.record.chains:
                fresh.extend(strands_of(self.root_of(entry)))
            fresh.take(entry)
        return fresh

    def tagged(self, subject: str) -> list[Entry]:
        """The entries about a subject, as far as they were read."""
        return [e for alias in self.family(subject) for e in self._tagged.get(alias, ())]

    def readers(self, strand: Strand) -> list[Entry]:
        """The entries whose decision read this strand, as far as they were read themselves."""
        of = (f"{strand.facet}@{alias}" for alias in self.family(strand.subject))
        return [entry for name in of for entry in self._readers.get(name, ())]

    def touching(self, strands: Iterable[Strand]) -> list[Entry]:
        """The entries that touch these strands, which were read, in order of position; and every
        merge.
        """
        found = {entry.position: entry for entry in self._tagged.get(MERGES, ())}
        for facet, subject in strands:
            types = None if facet is None else frozenset(types_touching(FACETS[facet]))
            for entry in self.tagged(subject):
                if types is None or entry.type in types:
                    found[entry.position] = entry
        return [found[position] for position in sorted(found)]

    def chain(self, event_id: UUID) -> list[Entry]:
        """The entries of the chain that this entry belongs to, the root first."""
        root = self.root_of(self.entry(event_id))
        query = DCBQuery(items=[DCBQueryItem(tags=[f"fact:{root.id}"])])
        later = (Entry(*s) for s in self._log.entries(query, until=self.head))
        return [root, *corrections(root.id, later)]

    def about(self, subjects: Iterable[str]) -> Iterator[Entry]:
        """Every entry that names one of these, in order of position."""
        items = [DCBQueryItem(tags=[subject]) for subject in subjects]
        if items and self.head:
            stored = self._log.entries(DCBQuery(items=items), until=self.head)
            yield from (Entry(*s) for s in stored)

    def root_of(self, entry: Entry) -> Entry:
        return self.entry(UUID(entry.root)) if entry.corrects else entry

    def entry(self, event_id: UUID) -> Entry:
        position = self._log.by_event_id([event_id]).get(event_id)
        if position is None or position > self.head:
            raise UnknownFact(f"there is no entry {event_id}", zh=f"没有登记 {event_id}")
        return Entry(*next(self._log.entries(after=position - 1, until=position)))

    def without(self, root: str) -> Record:
        """The record as if a chain had never been entered: what its correction is decided on."""
        return Record.fold(
            self._entries[p] for p in sorted(self._entries) if self._entries[p].root != root
        )


def having_read(attempt: Callable[[], _Answer], read: Callable[[set[Strand]], None]) -> _Answer:
    """What an attempt answers once all that it asks for has been read; it is made anew after each
    reading.
    """
    while True:
        try:
            return attempt()
        except Unread as unread:
            read(unread.strands)


def forest_at(log: EventLog, position: int) -> Forest:
    """Who was whom, as known at a position."""
    return Record.fold(_merges(log, position)).forest


def kept_over(log: EventLog, person: str, position: int) -> list[tuple[int, str]]:
    """The ids under which a person is filed, each with the position from which on, up to one."""
    found = [(0, person)]
    record = Record()
    for entry in _merges(log, position):
        record.apply(entry)
        if (kept := record.forest.kept(person)) != found[-1][1]:
            found.append((entry.position, kept))
    return found


def ever_joined(log: EventLog, position: int) -> Forest:
    """Families of all who were ever merged up to a position, split again or not."""
    return Forest(
        merged_by(entry.cls, entry.fields)
        for entry in _merges(log, position)
        if entry.cls is not FactAnnulled
    )


def _merges(log: EventLog, position: int) -> Iterator[Entry]:
    if position:
        yield from (Entry(*s) for s in log.entries(DCBQuery(items=[MERGING]), until=position))


def item_of(strand: Strand) -> DCBQueryItem:
    types = [] if strand.facet is None else types_touching(FACETS[strand.facet])
    return DCBQueryItem(types=types, tags=[strand.subject])


def strands_of(entry: Entry) -> Iterator[Strand]:
    """The strands that an entry writes, and those in which it ends a fact."""
    for facet in (*(writes.facet for writes in entry.cls.writes), *entry.cls.ends):
        for tag in entry.tags:
            if tag.startswith(f"{facet.of}:"):
                yield Strand(facet.name, tag)
