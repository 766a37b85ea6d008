"""Two as-of pairs of a subject or roster, side by side, with the entries that made the difference.

Owns the comparison of answers. Invariant: it reads facts only; a strand on which both pairs agree
is not named.
"""

from collections.abc import Iterable
from typing import NamedTuple

from domain.acts.people import HOST, UNIT
from domain.acts.units import UNIT_PARENT
from domain.bitemporal import AsOf, Fact, in_force, on_record, resolve
from domain.events import FACETS
from domain.refusals import UnknownSubject
from projections.questions.causes import content, made_by
from projections.records import Records
from projections.roster import PLACING, Line, lines, members, tree, units_below

_SOME = 5_000
"""Persons who are sooner read one by one than among everybody."""


class Difference(NamedTuple):
    """What one facet answers at each pair, and the positions of the entries between them.

    An answer is the list of facts in force: at most one for a single-valued facet. Where it is
    empty, but something had begun by the day, `…_ended` is the last that did.
    """

    facet: str
    slot: str
    before: list[Fact]
    after: list[Fact]
    entries: list[int]
    before_ended: Fact | None
    after_ended: Fact | None


def subject(records: Records, subject: str, before: AsOf, after: AsOf) -> list[Difference]:
    """Where the answers about a subject (`kind:id`) differ between two pairs, facet by facet."""
    return differing(records.of(subject), before, after)


def differing(facts: Iterable[Fact], before: AsOf, after: AsOf) -> list[Difference]:
    """Where the answers differ that these versions of a subject's facts give at two pairs."""
    strands: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        many = FACETS[fact.facet].many
        strands.setdefault((fact.facet, "" if many else fact.slot), []).append(fact)
    found = []
    for (facet, slot), of_strand in sorted(strands.items()):
        was, now = (_answer(facet, of_strand, pair) for pair in (before, after))
        gone, over = _ended(of_strand, was, before), _ended(of_strand, now, after)
        if [*map(content, was)] != [*map(content, now)] or (gone is None) != (over is None):
            ended = [] if was or now else [end for end in (gone, over) if end is not None]
            positions = sorted((before.recorded, after.recorded))
            made = made_by(of_strand, was, [*now, *ended], *positions)
            found.append(Difference(facet, slot, was, now, made, gone, over))
    return found


def person(records: Records, person: str, before: AsOf, after: AsOf) -> list[Difference]:
    return subject(records, f"person:{person}", before, after)


class Moved(NamedTuple):
    """Someone who is on a roster at one pair only, and the entries that made it so."""

    line: Line
    entries: list[int]


def rosters(
    records: Records, unit: str, before: AsOf, after: AsOf
) -> tuple[list[Moved], list[Moved]]:
    """Who is on the roster of a unit and those below it at the second pair only, and at the first
    only. At a pair that knows no such unit its roster is empty.

    Where nothing of the person changed, the entries are those that moved a unit above them.
    """
    units = [_units(records, unit, pair) for pair in (before, after)]
    among = _that_may_differ(records, units, before, after)
    was, now = (
        members(records, pair, below, among)
        for pair, below in zip((before, after), units, strict=True)
    )
    trees = [tree(records, pair).parents for pair in (before, after)]
    moves = {
        one: _of_facets(subject(records, f"unit:{one}", before, after), {UNIT_PARENT.name})
        for one in trees[0].keys() | trees[1].keys()
        if trees[0].get(one) != trees[1].get(one)
    }
    own: dict[str, list[Fact]] = {f"person:{one}": [] for one in was ^ now}
    for fact in records.strands(PLACING, sorted(own)):
        own[fact.subject].append(fact)

    def moved(people: set[str], as_of: AsOf) -> list[Moved]:
        found = []
        for line in lines(records, as_of, sorted(people)):
            placed = differing(own[f"person:{line.person}"], before, after)
            made = sorted({p for difference in placed for p in difference.entries})
            found.append(Moved(line, made or _above(line, trees, moves)))
        return found

    return moved(now - was, after), moved(was - now, before)


def _units(records: Records, unit: str, as_of: AsOf) -> set[str]:
    try:
        return units_below(records, unit, as_of)
    except UnknownSubject:
        return set()


def _that_may_differ(
    records: Records, units: list[set[str]], before: AsOf, after: AsOf
) -> list[str] | None:
    """Two beliefs about one day differ only in those of whom something was entered between the
    positions, and those of a unit that is under the other at one of them alone. None is everybody.
    """
    if before.effective != after.effective:
        return None
    first, last = sorted((before.recorded, after.recorded))
    differing = set(records.changed(PLACING, first, last))
    moved = sorted(units[0] ^ units[1])
    for pair in (before, after):
        differing.update(records.subjects_referring((UNIT, HOST), moved, pair))
    return sorted(differing) if len(differing) <= _SOME else None


def _of_facets(differences: Iterable[Difference], facets: set[str]) -> list[int]:
    return sorted({p for d in differences if d.facet in facets for p in d.entries})


def _above(line: Line, trees: list[dict[str, str]], moves: dict[str, list[int]]) -> list[int]:
    found: set[int] = set()
    for parents in trees:
        seen: set[str] = set()
        waiting = [unit for unit in (line.unit, line.host) if unit is not None]
        while waiting:
            unit = waiting.pop()
            if unit not in seen:
                seen.add(unit)
                found.update(moves.get(unit, ()))
                waiting += [parents[unit]] if unit in parents else []
    return sorted(found)


def _answer(facet: str, facts: Iterable[Fact], as_of: AsOf) -> list[Fact]:
    if FACETS[facet].many:
        return in_force(facts, as_of)
    fact = resolve(facts, as_of)
    return [] if fact is None else [fact]


def _ended(facts: Iterable[Fact], answer: list[Fact], as_of: AsOf) -> Fact | None:
    past = [] if answer else on_record(facts, as_of)
    return past[-1] if past else None
