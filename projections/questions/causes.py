"""Why two answers about one strand differ: the entries that made it so.

Owns no table. Invariant: an entry between the two positions that left every differing fact as it
was at the end is not named.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from domain.bitemporal import Fact


def content(fact: Fact) -> tuple[Any, ...]:
    """A fact by what it says, whatever id it is filed under and since when it is known."""
    return fact.effective, fact.until, fact.root, fact.value


def made_by(
    facts: Iterable[Fact], was: Sequence[Fact], now: Sequence[Fact], first: int, last: int
) -> list[int]:
    """The entries of the facts that answer on one side only, what ended them, and the positions of
    (first, last] at which they became what they are; `facts` are the versions of the strand.
    """
    said = [[content(f) for f in side] for side in (was, now)]
    differ = [f for f in (*was, *now) if not all(content(f) in side for side in said)]
    made = {f.entry for f in differ} | {f.ended_by for f in differ if f.ended_by is not None}
    versions: dict[int, list[Fact]] = {f.root: [] for f in differ}
    for fact in facts:
        if fact.root in versions:
            versions[fact.root].append(fact)
    for own in versions.values():
        if _at(own, first) != _at(own, last):
            edges = {p for f in own for p in (f.known_from, f.known_to) if first < p <= last}
            made |= {p for p in edges if _at(own, p - 1) != _at(own, p)}
    return sorted(made)


def _at(versions: Iterable[Fact], recorded: int) -> list[tuple[Any, ...]]:
    return [(*content(f), f.seq, f.entry, f.ended_by) for f in versions if f.known(recorded)]
