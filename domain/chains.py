"""A fact in its chain: the root entry and the corrections after it.

Owns what a chain says, as far as a fold has come. Invariant: the newest entry of a chain decides; a
correction keeps its root's place in the order of its day.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from domain.bitemporal import FOREVER, Fact, Place
from domain.events import Entry, FactSpec, fact_specs


class Content(NamedTuple):
    """What a chain says while one of its entries is the newest."""

    entry: int
    effective: date
    until: date
    seq: int
    specs: tuple[FactSpec, ...]
    ends: str | None
    leaves: str | None
    fields: Mapping[str, Any]


def content_of(entry: Entry) -> Content:
    cls = entry.cls
    fields = entry.fields
    return Content(
        entry.position,
        entry.effective,
        entry.until,
        entry.seq,
        fact_specs(cls, fields),
        entry.ended,
        fields[cls.leaves] if cls.leaves else None,
        fields,
    )


class Chain:
    """A fact's root entry and its corrections, as far as the fold has come."""

    __slots__ = (
        "content", "ended", "facts", "id", "last", "newest", "newest_position", "root",
        "tags", "type",
    )  # fmt: skip

    def __init__(self, entry: Entry) -> None:
        self.id = entry.id
        self.root = entry.position
        self.type = entry.type
        self.tags = entry.tags
        self.newest = entry.id
        self.newest_position = entry.position
        self.content: Content | None = None
        self.last = content_of(entry)
        self.facts: list[Fact] = []
        self.ended: tuple[str, ...] = ()

    @property
    def place(self) -> Place:
        return Place(self.last.effective, self.last.seq, self.root)


def standing(entries: Iterable[Entry]) -> list[tuple[Entry, Entry]]:
    """Of entries in order of position, each root that is not annulled and the entry that gives its
    content. A correction whose root is not among them changes nothing.
    """
    roots: dict[str, Entry] = {}
    contents: dict[str, Entry] = {}
    annulled: set[str] = set()
    for entry in entries:
        if not entry.corrects:
            roots[entry.id] = contents[entry.id] = entry
        elif entry.root in roots:
            if "annuls" in entry.envelope:
                annulled ^= {entry.root}
            else:
                contents[entry.root] = entry
    return [(root, contents[id_]) for id_, root in roots.items() if id_ not in annulled]


def corrections(root: str, tagged: Iterable[Entry]) -> list[Entry]:
    """Of the entries with the tag of a root, those of its chain: what ends the fact has the tag,
    too, and what corrects that ending.
    """
    return [entry for entry in tagged if entry.root == root]


def uncapped(entry: Entry) -> Iterator[Fact]:
    """The facts of a root entry that no other entry corrects, ends or caps."""
    effective, until, seq, position = entry.effective, entry.until, entry.seq, entry.position
    for spec in fact_specs(entry.cls, entry.fields):
        yield Fact(
            spec.subject, spec.facet, spec.slot, spec.effective or effective, until,
            seq + spec.seq, position, position, position, FOREVER, None, spec.ref, spec.value,
        )  # fmt: skip
