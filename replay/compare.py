"""Two as-of pairs of one subject, side by side, with the entries that made each difference.

Owns the comparison of answers. Invariant: it reads facts only; a strand on which both pairs agree
is not named.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from domain.bitemporal import AsOf, Fact, in_force, resolve
from domain.events import FACETS
from projections.records import Records


class Difference(NamedTuple):
    """What one facet answers at each pair, and the positions of the entries between them.

    An answer is the list of facts in force: at most one for a single-valued facet.
    """

    facet: str
    slot: str
    before: list[Fact]
    after: list[Fact]
    entries: list[int]


def subject(records: Records, subject: str, before: AsOf, after: AsOf) -> list[Difference]:
    """Where the answers about a subject (`kind:id`) differ between two pairs, facet by facet."""
    strands: dict[tuple[str, str], list[Fact]] = {}
    for fact in records.of(subject):
        many = FACETS[fact.facet].many
        strands.setdefault((fact.facet, "" if many else fact.slot), []).append(fact)
    found = []
    for (facet, slot), facts in sorted(strands.items()):
        was, now = (_answer(facet, facts, pair) for pair in (before, after))
        if _content(was) != _content(now):
            made = _made_by(facts, was, now, before, after)
            found.append(Difference(facet, slot, was, now, made))
    return found


def person(records: Records, person: str, before: AsOf, after: AsOf) -> list[Difference]:
    return subject(records, f"person:{person}", before, after)


def _answer(facet: str, facts: Iterable[Fact], as_of: AsOf) -> list[Fact]:
    if FACETS[facet].many:
        return in_force(facts, as_of)
    fact = resolve(facts, as_of)
    return [] if fact is None else [fact]


def _content(facts: Iterable[Fact]) -> list[Any]:
    return [(f.effective, f.until, f.root, f.value) for f in facts]


def _made_by(
    facts: Iterable[Fact], was: list[Fact], now: list[Fact], before: AsOf, after: AsOf
) -> list[int]:
    """The entries of the facts that answer at only one pair, what ended them, and what was entered
    about them between the two positions.
    """
    first, last = sorted((before.recorded, after.recorded))
    differ = [f for f in (*was, *now) if not (f in was and f in now)]
    made = {f.entry for f in differ} | {f.ended_by for f in differ if f.ended_by is not None}
    roots = {f.root for f in differ}
    for fact in facts:
        if fact.root in roots:
            made |= {p for p in (fact.known_from, fact.known_to) if first < p <= last}
    return sorted(made)
