"""The one fold: from entries to facts in both times.

Owns the settling of chains and caps (endings, departures). Decisions, read models and replay all
use this fold. Invariant: the facts after an entry depend only on the entries up to it, in order of
position.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from domain.bitemporal import (
    FOREVER,
    AsOf,
    Cap,
    Fact,
    Place,
    capped,
    in_force,
    resolve,
)
from domain.chains import Chain, Content, content_of
from domain.events import (
    FACETS,
    REGISTRY,
    Entry,
    Facet,
    FactAnnulled,
    FactSpec,
    fact_specs,
    kept_names,
    merged_by,
)
from domain.forest import Forest

FOLD = 2
"""The version of the fold; every answer names the one it was made by."""


class Strand(NamedTuple):
    """What a decision can depend on: one facet of one subject; facet None is the whole subject."""

    facet: str | None
    subject: str


def types_touching(facet: Facet) -> list[str]:
    """The event types that can change a facet: they write it, end it, or end everything."""
    return _types_touching(facet.name, len(REGISTRY))


@cache
def _types_touching(facet_name: str, registered: int) -> list[str]:
    del registered  # only so that a type declared later is seen
    facet = FACETS[facet_name]
    departs = facet.of == "person" and not facet.stays
    return sorted(
        name
        for name, cls in REGISTRY.items()
        if cls is FactAnnulled
        or any(w.facet == facet for w in cls.writes)
        or facet in cls.ends
        or (departs and cls.leaves)
    )


class Record:
    """Facts folded from entries: all of the log, or the strands a decision reads.

    Without `remember` only the changes are answered and nothing can be asked: what a rebuild needs.
    """

    def __init__(self, *, remember: bool = True) -> None:
        self.head = 0
        self.forest = Forest()
        self._remember = remember
        self.chains: dict[str, Chain] = {}
        self._by_root: dict[int, Chain] = {}
        self._facts: defaultdict[tuple[str, str], list[Fact]] = defaultdict(list)
        self._naming: defaultdict[str, dict[str, Chain]] = defaultdict(dict)
        self._merges: dict[str, Chain] = {}
        self._enders: defaultdict[str, dict[str, Chain]] = defaultdict(dict)
        self._departures: defaultdict[str, dict[str, Chain]] = defaultdict(dict)

    @classmethod
    def fold(cls, entries: Iterable[Entry]) -> "Record":
        record = cls()
        for entry in entries:
            record.apply(entry)
        return record

    def apply(self, entry: Entry) -> list[Fact]:
        """Take in the next entry; answer the versions it closes (`known_to` = its position) and
        those it opens. A correction whose root lies outside the strands read changes nothing.
        """
        self.head = entry.position
        if entry.corrects:
            chain = self.chains.get(entry.root)
            if chain is None:
                return []
            self._correct(chain, entry)
        else:
            chain = self.chains[entry.id] = self._by_root[entry.position] = Chain(entry)
            chain.content = chain.last
            self._note_names(chain, entry)
        return self._settle(chain, entry.position)

    def _correct(self, chain: Chain, entry: Entry) -> None:
        chain.newest, chain.newest_position = entry.id, entry.position
        if "annuls" in entry.envelope:
            chain.content = None if chain.content is not None else chain.last
        else:
            chain.content = chain.last = content_of(entry)
            self._note_names(chain, entry)

    def _note_names(self, chain: Chain, entry: Entry) -> None:
        for tag in entry.tags:
            if tag.startswith("person:"):
                self._naming[tag[7:]][chain.id] = chain

    def _settle(self, chain: Chain, position: int) -> list[Fact]:
        content = chain.last
        touched = {chain.id: chain}
        if content.ends is not None and content.ends not in chain.ended:
            chain.ended += (content.ends,)
            self._enders[content.ends][chain.id] = chain
        touched.update((ended, self.chains[ended]) for ended in chain.ended if ended in self.chains)
        if content.leaves is not None:
            self._departures[content.leaves][chain.id] = chain
            for alias in self.forest.family(content.leaves):
                touched.update(self._naming[alias])
        if REGISTRY[chain.type].merges:
            touched.update(self._regrouped(chain))
        return [change for one in touched.values() for change in self._recompute(one, position)]

    def _regrouped(self, chain: Chain) -> dict[str, Chain]:
        """The chains that name someone whose family a merge, its correction or its split changes,
        now that the forest is that of the merges that stand.
        """
        self._merges[chain.id] = chain
        standing = sorted((c for c in self._merges.values() if c.content), key=lambda c: c.root)
        before = self.forest
        self.forest = Forest(merged_by(REGISTRY[c.type], c.last.fields) for c in standing)
        differing = before.differing(self.forest)
        return {i: c for alias in differing for i, c in self._naming[alias].items()}

    def _recompute(self, chain: Chain, position: int) -> list[Fact]:
        open_before = list(chain.facts)
        chain.facts = []
        changes = []
        for fact in self._wanted(chain, position):
            same = next((f for f in open_before if _same_version(f, fact)), None)
            if same is not None:
                open_before.remove(same)
                chain.facts.append(same)
                continue
            chain.facts.append(fact)
            changes.append(fact)
            if self._remember:
                self._facts[fact.facet, fact.subject].append(fact)
        for fact in open_before:
            closed = fact._replace(known_to=position)
            changes.append(closed)
            if self._remember:
                rows = self._facts[fact.facet, fact.subject]
                rows[rows.index(fact)] = closed
        return changes

    def _wanted(self, chain: Chain, position: int) -> Iterator[Fact]:
        """The facts a chain contributes now, under every cap in force."""
        content = chain.content
        if content is None:
            return
        for spec in self._specs(chain, content):
            effective = spec.effective or content.effective
            place = Place(effective, content.seq + spec.seq, chain.root)
            until, ended_by = capped(content.until, self._caps(chain, spec, place))
            yield Fact(
                spec.subject, spec.facet, spec.slot, effective, until, place.seq, chain.root,
                content.entry, position, FOREVER, ended_by, spec.ref, spec.value,
            )  # fmt: skip

    def fields_of(self, chain: Chain, content: Content) -> Mapping[str, Any]:
        """The fields of a content, its persons under the ids that are kept now."""
        now = kept_names(REGISTRY[chain.type], content.fields, self.forest)
        return {**content.fields, **now} if now else content.fields

    def _specs(self, chain: Chain, content: Content) -> Iterable[FactSpec]:
        fields = self.fields_of(chain, content)
        if fields is content.fields:
            return content.specs
        specs = fact_specs(REGISTRY[chain.type], fields)
        # what named two persons may state the same of one
        return {(s.subject, s.facet, s.slot): s for s in reversed(specs)}.values()

    def _caps(self, chain: Chain, spec: FactSpec, place: Place) -> Iterator[Cap]:
        for ender in self._enders.get(chain.id, {}).values():
            end = ender.content
            if end is not None and end.ends == chain.id and spec.facet in _ended_facets(ender):
                yield Cap(Place(end.effective, end.seq, ender.root), end.entry)
        if self._departures and FACETS[spec.facet].of == "person" and not FACETS[spec.facet].stays:
            for alias in self.forest.family(spec.subject[7:]):
                for departure in self._departures.get(alias, {}).values():
                    left = departure.content
                    if left is not None and left.leaves == alias:
                        out = Place(left.effective, left.seq, departure.root)
                        if out > place:
                            yield Cap(out, left.entry)

    def endings(self, chain_id: str) -> Iterator[date]:
        """The days on which standing acts end a chain, itself in the record or not."""
        for ender in self._enders.get(chain_id, {}).values():
            if ender.content is not None and ender.content.ends == chain_id:
                yield ender.content.effective

    def ended_by(self, chain_id: str) -> Iterator[Fact]:
        """The facts as they stand of which a chain says, or ever said, that they ended."""
        chain = self.chains[chain_id]
        for ended in chain.ended:
            yield from self.chains[ended].facts if ended in self.chains else ()
        if chain.last.leaves is not None:
            for alias in self.forest.family(chain.last.leaves):
                for one in self._naming[alias].values():
                    yield from (f for f in one.facts if not FACETS[f.facet].stays)

    def capped_by(self, fact: Fact, place: Place) -> Fact:
        """A fact that stands, under the caps that lie no later than this place."""
        chain = self._by_root[fact.root]
        specs = self._specs(chain, chain.last)
        spec = next(s for s in specs if (s.subject, s.facet, s.slot) == fact[:3])
        caps = self._caps(chain, spec, fact.place)
        fallen = (c for c in caps if c.place <= place)
        until, ended_by = capped(chain.last.until, fallen)
        return fact._replace(until=until, ended_by=ended_by)

    def chain_at(self, root: int) -> Chain:
        return self._by_root[root]

    def versions(self, facet: Facet, subject: str) -> list[Fact]:
        """Every version ever known of one facet of one subject (`kind:id`), unordered."""
        return self._facts.get((facet.name, subject), [])

    def stated(self, facet: Facet, person: str) -> list[Fact]:
        """What stands that was stated of a person under this very id, whichever id is kept."""
        subject = f"person:{person}"
        return [
            fact
            for fact in self.versions(facet, f"person:{self.forest.kept(person)}")
            if fact.known_to == FOREVER
            and any(s.subject == subject for s in self._by_root[fact.root].last.specs)
        ]

    def subjects(self, facet: Facet) -> list[str]:
        return sorted(subject for name, subject in self._facts if name == facet.name)

    def every_version(self) -> Iterator[Fact]:
        for rows in self._facts.values():
            yield from rows

    def at(self, facet: Facet, subject: str, as_of: AsOf, slot: str = "") -> Fact | None:
        """The fact of a single-valued facet that answers; None is "not recorded"."""
        return resolve(self.versions(facet, subject), as_of, slot)

    def every(self, facet: Facet, subject: str, as_of: AsOf) -> list[Fact]:
        """The set a many-valued facet answers with."""
        return in_force(self.versions(facet, subject), as_of)


def _same_version(one: Fact, other: Fact) -> bool:
    return one[:8] == other[:8] and one[9:] == other[9:]


def _ended_facets(ender: Chain) -> set[str]:
    return {facet.name for facet in REGISTRY[ender.type].ends}
