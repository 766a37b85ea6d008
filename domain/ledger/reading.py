"""The strands a decision has read, folded.

Owns how strands become a query and how what they answer becomes a record. Invariant: a strand in
`read` is complete up to `head`, and nothing beyond `head` has been folded.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from uuid import UUID

from eventsourcing.dcb.api import DCBQuery, DCBQueryItem

from domain.bitemporal import Fact
from domain.events import FACETS, Entry
from domain.ledger.log import EventLog
from domain.record import Record, Strand, types_touching
from domain.refusals import UnknownFact

_NOTHING: dict[str, list[str]] = {"reads": []}


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
        self._log = log
        self._entries: dict[int, Entry] = {}
        self._tagged: defaultdict[str, list[Entry]] = defaultdict(list)
        self._readers: defaultdict[str, list[Entry]] = defaultdict(list)

    @property
    def size(self) -> int:
        return len(self._entries)

    def extend(self, strands: Iterable[Strand]) -> None:
        """Read these strands too."""
        missing = {
            s for s in strands if s not in self.read and Strand(None, s.subject) not in self.read
        }
        missing = {s for s in missing if s.facet is None or Strand(None, s.subject) not in missing}
        if not missing:
            return
        items = [item_of(strand) for strand in sorted(missing, key=str)]
        if self.head:
            for stored in self._log.entries(DCBQuery(items=items), until=self.head):
                self.take(Entry(*stored))
        self.read |= missing

    def take(self, entry: Entry) -> list[Fact]:
        """Fold one entry and answer the versions it changed.

        A correction of a chain not read yet waits for that chain's strand.
        """
        if entry.position in self._entries:
            return []
        if entry.corrects and entry.root not in self.record.chains:
            return []
        self._entries[entry.position] = entry
        for tag in entry.tags:
            self._tagged[tag].append(entry)
        for strand in entry.envelope.get("premise", _NOTHING)["reads"]:
            self._readers[strand].append(entry)
        return self.record.apply(entry)

    def tagged(self, subject: str) -> list[Entry]:
        """The entries about a subject, as far as they were read."""
        return self._tagged.get(subject, [])

    def readers(self, strand: Strand) -> list[Entry]:
        """The entries whose decision read this strand, as far as they were read themselves."""
        return self._readers.get(f"{strand.facet}@{strand.subject}", [])

    def touching(self, strands: Iterable[Strand]) -> list[Entry]:
        """The entries that touch these strands, which were read, in order of position."""
        found: dict[int, Entry] = {}
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
        return [root, *(e for e in later if e.corrects)]

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


def item_of(strand: Strand) -> DCBQueryItem:
    types = [] if strand.facet is None else types_touching(FACETS[strand.facet])
    return DCBQueryItem(types=types, tags=[strand.subject])


def strands_of(entries: Iterable[Entry]) -> Iterator[Strand]:
    """The strands that entries write."""
    for entry in entries:
        for writes in entry.cls.writes:
            for tag in entry.tags:
                if tag.startswith(f"{writes.facet.of}:"):
                    yield Strand(writes.facet.name, tag)
