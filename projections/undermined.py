"""Acts that an attested one undermined when it was entered, derived from the premises of both.

Owns no table. Invariant: an act is told to be undermined while it and the entry that undermined it
both stand. Which entries are tried is told from their days alone, and none that did is left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from heapq import merge
from typing import NamedTuple
from uuid import UUID

from eventsourcing.dcb.api import DCBQuery

from domain.case import Finding
from domain.events import FACETS, Entry, Event, FactAnnulled
from domain.forest import Forest
from domain.ledger import Ledger
from domain.ledger.impact import LEAST_SEQ, found_of, premise_of
from domain.ledger.reading import MERGING, ever_joined, item_of
from domain.record import Strand
from domain.refusals import Refusal
from projections.journal import STANDS, chain_of, standings
from projections.questions.law import Published

_FIRST_DAY = date.min.isoformat()


class Undermined(NamedTuple):
    """An act and the attested entry that undermined it; `place` is that one's in its request,
    `finding` what its receipt said, with the `refusal` of the act in it.
    """

    act: Entry
    by: Entry
    place: int
    finding: Finding
    refusal: Refusal

    def of_act(self) -> Finding:
        """The finding as it is told of the act."""
        act, by = self.act.position, self.by.position
        return self.finding._replace(
            zh=f"因第{by}号登记,第{act}号登记将不成立:{self.refusal.detail_zh}",
            en=f"by entry {by}: entry {act} would be refused: {self.refusal.detail}",
        )


class Undermining:
    """What attested entries undermined, as far as it stands at a position."""

    def __init__(self, ledger: Ledger, recorded: int) -> None:
        self._ledger = ledger
        self._recorded = recorded
        self._published = Published(ledger, recorded)
        self._joined: Forest | None = None
        self._found: dict[str, list[Undermined]] = {}
        self._standing: dict[int, bool] = {}

    def found(self, entry: Entry) -> list[Undermined]:
        """What the request of an entry undermined when it was entered, standing or not."""
        if entry.mood != "attested":
            return []
        key = entry.envelope.get("batch") or entry.id
        if key not in self._found:
            batch = list(_request_of(self._ledger, entry))
            law = self._published.at(batch[0].position - 1)
            self._found[key] = [
                Undermined(impact.entry, batch[impact.by], impact.by, finding, impact.refusal)
                for impact, finding in found_of(self._ledger.vault, law, self._ledger.log, batch)
                if impact.refusal is not None
            ]
        return self._found[key]

    def by(self, entry: Entry) -> list[Finding]:
        """What this entry undermined, in the words of its receipt."""
        return [
            one.finding
            for one in self.found(entry)
            if one.by.position == entry.position and self._tells(one)
        ]

    def of(
        self, acts: Sequence[Entry], whole: Sequence[str] = (), about: Iterable[Entry] = ()
    ) -> Mapping[int, list[Finding]]:
        """What undermined each of these acts, in order of position, by the act's position.

        Of the subjects in `whole` every entry is given as `about` already.
        """
        wanted = {act.position for act in acts}
        found: defaultdict[int, dict[int, Finding]] = defaultdict(dict)
        for entry in self._doubtful(acts, whole, about):
            for one in self.found(entry):
                if one.act.position in wanted and self._tells(one):
                    found[one.act.position][one.by.position] = one.of_act()
        return {act: [by[at] for at in sorted(by)] for act, by in found.items()}

    def _tells(self, one: Undermined) -> bool:
        """Whether both stand, and neither is kept from whoever asks."""
        return all(
            not self._ledger.hides(entry.tags) and self._ledger.tells(entry) and self._stands(entry)
            for entry in (one.act, one.by)
        )

    def _stands(self, entry: Entry) -> bool:
        at = entry.position
        if at not in self._standing:
            known = at <= self._recorded
            self._standing[at] = (
                known and standings(chain_of(self._ledger, entry, self._recorded)).get(at) == STANDS
            )
        return self._standing[at]

    def _doubtful(
        self, acts: Sequence[Entry], whole: Sequence[str], about: Iterable[Entry]
    ) -> Iterator[Entry]:
        """The attested entries that may have undermined one of these acts."""
        acts = [act for act in acts if "premise" in act.envelope]
        if not acts:
            return
        if self._joined is None:
            self._joined = ever_joined(self._ledger.log, self._recorded)
        beside = self._beside(acts, set(whole), self._joined)
        entries = {e.position: e for e in merge(acts, about, beside, key=lambda e: e.position)}
        last = max((at for at, entry in entries.items() if entry.mood == "attested"), default=0)
        asked, wanted = _Asked(self._joined), {act.position for act in acts}
        for at, entry in entries.items():
            if at > last:
                return
            if asked.may_be_changed_by(entry) and entry.mood == "attested":
                yield entry
            if at in wanted:
                asked.note(entry)

    def _beside(self, acts: Sequence[Entry], whole: set[str], joined: Forest) -> Iterator[Entry]:
        """The later entries that touch what the acts read of other subjects."""
        read = {s for act in acts for s in premise_of(act) if s.subject not in whole}
        strands = {Strand(s.facet, alias) for s in read for alias in joined.subjects(s.subject)}
        if strands:
            items = [MERGING, *(item_of(strand) for strand in sorted(strands, key=str))]
            query = DCBQuery(items=items)
            log, after = self._ledger.log, acts[0].position
            for stored in log.entries(query, after=after, until=self._recorded):
                yield Entry(*stored)


class _Asked:
    """Which strands acts have asked about, and for how late a day."""

    def __init__(self, joined: Forest) -> None:
        self._joined = joined
        self._last: dict[str, str] = {}
        self._place: dict[str, tuple[str, int, int]] = {}
        self._ever: set[str] = set()
        self._chains: dict[str, tuple[type[Event], str]] = {}

    def note(self, act: Entry) -> None:
        """An act answers for the days after its own that it asked about, and for its own up to its
        place in it; for all of them where it asked of any day.
        """
        if act.cls is FactAnnulled or act.cls.case_sealed:
            return
        day, last = act.envelope["effective"], act.envelope["premise"]["to"]
        place = (day, act.seq, act.position)
        for strand in premise_of(act):
            subject = self._joined.subjects(strand.subject)[0]
            for key in (f"{strand.facet}@{subject}", f"@{subject}"):
                self._place[key] = max(place, self._place.get(key, place))
                if last > day:
                    self._last[key] = max(last, self._last.get(key, last))
                if act.cls.merges or FACETS[strand.facet or ""].ever:
                    self._ever.add(key)

    def may_be_changed_by(self, entry: Entry) -> bool:
        """Whether an act noted may rest on what the next entry of the log changes."""
        cls, first = self._chains.get(entry.root, (None, _FIRST_DAY))
        day, seq = entry.envelope["effective"], LEAST_SEQ
        if not entry.corrects:
            cls, first, seq = entry.cls, day, entry.seq
            seq -= any(writes.none for writes in cls.writes)
        first = min(first, day, *_since(entry))
        if cls is not None:
            self._chains[entry.root] = (cls, first)
        place = (first, seq, entry.position)
        earlier = entry.corrects or cls is None or cls.ends or cls.leaves or cls.merges
        return any(
            place < self._place[key]
            or first <= self._last.get(key, "")
            or (earlier and key in self._ever)
            or (cls is not None and cls.merges)
            for key in self._changed(cls, entry.tags)
            if key in self._place
        )

    def _changed(self, cls: type[Event] | None, tags: Sequence[str]) -> Iterator[str]:
        """The strands that an entry with these tags may change, whole subjects where that is not
        known.
        """
        for tag in tags:
            kind, subject = tag.partition(":")[0], self._joined.subjects(tag)[0]
            if cls is None or cls.merges:
                yield f"@{subject}"
                continue
            facets = {w.facet for w in cls.writes} | set(cls.ends)
            if cls.leaves:
                facets |= {f for f in FACETS.values() if f.of == "person" and not f.stays}
            yield from (f"{facet.name}@{subject}" for facet in facets if facet.of == kind)


def _since(entry: Entry) -> list[str]:
    """The days from which an entry's facts hold that have one of their own."""
    fields = [writes.since for writes in entry.cls.writes if writes.since]
    return [day for field in fields if (day := entry.fields.get(field))]


def _request_of(ledger: Ledger, entry: Entry) -> Iterator[Entry]:
    """All the entries of an entry's request, also those that are kept from whoever asks."""
    batch = entry.envelope.get("batch")
    if batch is None:
        yield entry
        return
    first = ledger.log.by_event_id([UUID(batch)])[UUID(batch)]
    for stored in ledger.log.entries(after=first - 1):
        one = Entry(*stored)
        if one.envelope.get("batch") != batch:
            return
        yield one
