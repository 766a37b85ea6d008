"""Both times of one subject: what was said of a day, over which positions, and what two pairs
differ in, with the entries that made it so.

Owns these lines; it travels inside the checker of an evidence bundle and needs Python
alone. Invariant: a version is what one fact said from a position on until an entry made it another.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from replay.lines import (
    AskedOf,
    Basis,
    Both,
    Line,
    NoSuchUnit,
    each_fact,
    last_day,
    one_after_another,
)
from replay.refold import Held, Refold

FOREVER = 1 << 63
SAME_AS = "same-as"
"""What an id that went says of itself; all else it says is the kept one's."""
PLACING = ("service", "unit", "host")

Strand = tuple[str, str]
"""Facet and slot; the slots of a many-valued facet are one."""


class Version(NamedTuple):
    """A fact, and the positions [start, end) at which it was known so."""

    fact: Held
    start: int
    end: int

    def known(self, recorded: int) -> bool:
        return self.start <= recorded < self.end


def beliefs(basis: Basis, asked: AskedOf) -> Iterator[Line]:
    found = []
    for strand, own in _strands_of(basis, asked).items():
        of_day = [v for v in own if v.fact.effective <= basis.effective < v.fact.until]
        turns = {p for v in of_day for p in (v.start, v.end) if p <= basis.recorded}
        before: list[Version] | None = None
        for position in sorted({0, *turns}):
            answer = _answering(basis, strand, [v for v in of_day if v.known(position)])
            if answer != before:
                facts: list[Held | None] = [version.fact for version in answer]
                found += [(strand, fact, position) for fact in facts or [None]]
            before = answer
    cited = basis.cited(position for *_, position in found)
    for strand, fact, position in found:
        yield {
            **_of_strand(basis, asked["subject"], strand), "day": basis.effective,
            "known_from": position, **_as_told(basis, fact), **cited.get(position, {}),
        }  # fmt: skip


def rectangles(basis: Basis, asked: AskedOf) -> Iterator[Line]:
    found = []
    for strand, own in _strands_of(basis, asked).items():
        if _many(basis, strand):
            found += [(strand, *version) for version in own for _ in each_fact([version.fact])]
        else:
            found += [(strand, *one) for one in _areas(own, basis.recorded)]
    edges = {position for *_, start, end in found for position in (start, end)}
    cited = basis.cited(edges)
    words = basis.events(edges)
    for strand, fact, start, end in found:
        yield {
            **_of_strand(basis, asked["subject"], strand), **_as_told(basis, fact),
            "known_from": start,
            "known_to": None if end == FOREVER else end, **cited.get(start, {}),
            "closed_by": words.get(end),
        }  # fmt: skip


def differences(basis: Basis, asked: AskedOf) -> Iterator[Line]:
    """What two pairs differ in; of a unit also who came onto its roster and who went off it."""
    subject = asked["subject"]
    before = Basis(basis.replays, asked["before"], int(asked["before_recorded"]))
    versions = _versions(basis, subject, max(before.recorded, basis.recorded))
    versions = [version for version in versions if version.fact.facet != SAME_AS]
    for strand, made, sides in _differing(basis, versions, before):
        tags = [one["subjects"] for one in basis.cited(made).values()]
        yield {
            **_of_strand(basis, subject.partition(":")[2], strand), "how": "changed",
            "before": sides[0], "after": sides[1], "entries": " ".join(map(str, made)),
            "subjects": " ".join(tags),
        }  # fmt: skip
    if subject.startswith("unit:"):
        yield from _moved(basis, before, subject.partition(":")[2])


def _moved(basis: Basis, before: Basis, unit: str) -> Iterator[Line]:
    last = max(before.recorded, basis.recorded)
    was, now = (_roster(pair, unit) for pair in (before, basis))
    trees = [{one["unit"]: one["parent"] for one in pair.every_unit()} for pair in (before, basis)]
    moves = {
        one: _made(basis, before, _versions(basis, f"unit:{one}", last), ("unit-parent",))
        for one in sorted({*trees[0], *trees[1]})
        if trees[0].get(one) != trees[1].get(one)
    }
    for how, there, gone in (("came", now, was), ("went", was, now)):
        for person, line in there.items():
            if person in gone:
                continue
            own = _versions(basis, f"person:{person}", last, follow=False)
            made = _made(basis, before, own, PLACING) or _above(line, trees, moves)
            columns = ("person", "name", "grade", "unit", "host")
            entries = " ".join(map(str, sorted(made)))
            yield {**{n: line[n] for n in columns}, "how": how, "entries": entries}


def _roster(pair: Basis, unit: str) -> dict[str, Line]:
    try:
        return {line["person"]: line for line in pair.roster({"unit": unit})}
    except NoSuchUnit:
        return {}


def _made(
    basis: Basis, before: Basis, versions: Sequence[Version], facets: Sequence[str]
) -> set[int]:
    own = [version for version in versions if version.fact.facet in facets]
    return {entry for _, made, _ in _differing(basis, own, before) for entry in made}


def _above(
    line: Line, trees: Sequence[Mapping[str, Any]], moves: Mapping[str, set[int]]
) -> set[int]:
    """The entries that moved a unit above the one where somebody serves."""
    found: set[int] = set()
    for parents in trees:
        seen: set[str] = set()
        waiting = [line[name] for name in ("unit", "host")]
        while waiting:
            unit = waiting.pop()
            if unit is not None and unit not in seen:
                seen.add(unit)
                found |= moves.get(unit, set())
                waiting.append(parents.get(unit))
    return found


def _differing(
    basis: Basis, versions: Sequence[Version], before: Basis
) -> Iterator[tuple[Strand, list[int], list[Any]]]:
    """Strand by strand: the entries that made the difference, and what a file says of each side."""
    for strand, own in _by_strand(basis, versions).items():
        answers, ended = [], []
        for pair in (before, basis):
            known = [v for v in own if v.known(pair.recorded)]
            begun = [v for v in known if v.fact.effective <= pair.effective]
            on = [v for v in begun if pair.effective < v.fact.until]
            answers.append([v.fact for v in _answering(basis, strand, on)])
            last = max(begun, key=lambda v: v.fact.place, default=None)
            ended.append(None if answers[-1] or last is None else last.fact)
        said = [[_content(fact) for fact in answer] for answer in answers]
        if said[0] == said[1] and (ended[0] is None) == (ended[1] is None):
            continue
        over = [] if answers[0] or answers[1] else [fact for fact in ended if fact is not None]
        between = sorted((before.recorded, basis.recorded))
        made = _made_by(own, answers[0], [*answers[1], *over], between)
        sides = [
            [_as_told(basis, fact) for fact in answer]
            or ("not-recorded" if end is None else "ended")
            for answer, end in zip(answers, ended, strict=True)
        ]
        yield strand, made, sides


def _made_by(
    own: Sequence[Version], was: Sequence[Held], now: Sequence[Held], between: Sequence[int]
) -> list[int]:
    """The entries of what answers on one side only, what ended it, and between the two positions
    those that made it what it is.
    """
    first, last = between
    said = [[_content(fact) for fact in side] for side in (was, now)]
    apart = [f for f in (*was, *now) if not all(_content(f) in side for side in said)]
    made = {fact.entry for fact in apart} | {fact.ended_by for fact in apart} - {None}
    for root in {fact.place[2] for fact in apart}:
        of_root = [version for version in own if version.fact.place[2] == root]

        def at(position: int, of_root: Sequence[Version] = of_root) -> list[Held]:
            return [v.fact for v in of_root if v.known(position)]

        turns = {p for v in of_root for p in (v.start, v.end) if first < p <= last}
        if at(first) != at(last):
            made |= {p for p in turns if at(p - 1) != at(p)}
    return sorted(one for one in made if one is not None)


def _content(fact: Held) -> tuple[Any, ...]:
    return fact.effective, fact.until, fact.place[2], fact.value


def _areas(own: Sequence[Version], recorded: int) -> Iterator[tuple[Held, int, int]]:
    """Days and positions over which one fact of a single-valued strand answered, the days in it."""
    turns = sorted({p for v in own for p in (v.start, v.end) if p <= recorded})
    open_: dict[tuple[Any, ...], tuple[Held, int]] = {}
    for position in turns:
        known = {id(v.fact): v for v in own if v.known(position)}
        now = {}
        for part in one_after_another([v.fact for v in known.values()]):
            if part.fact is not None:
                version = known[id(part.fact)]
                key = part.start, part.end, version.fact.place[2], version.start
                now[key] = part.fact._replace(effective=part.start, until=part.end)
        for key in [key for key in open_ if key not in now]:
            yield (*open_.pop(key), position)
        for key, fact in now.items():
            open_.setdefault(key, (fact, position))
    yield from ((fact, start, FOREVER) for fact, start in open_.values())


def _answering(basis: Basis, strand: Strand, on: Iterable[Version]) -> list[Version]:
    held = sorted(on, key=lambda version: version.fact.place)
    return held if _many(basis, strand) else held[-1:]


def _many(basis: Basis, strand: Strand) -> bool:
    return bool(basis.declared["facets"][strand[0]]["many"])


def _strands_of(basis: Basis, asked: AskedOf) -> dict[Strand, list[Version]]:
    versions = _versions(basis, asked["subject"], basis.recorded)
    only = asked.get("facet")
    return _by_strand(basis, [v for v in versions if only in (None, v.fact.facet)])


def _by_strand(basis: Basis, versions: Iterable[Version]) -> dict[Strand, list[Version]]:
    found: dict[Strand, list[Version]] = {}
    for version in versions:
        facet = version.fact.facet
        slot = "" if _many(basis, (facet, "")) else version.fact.slot
        found.setdefault((facet, slot), []).append(version)
    return dict(sorted(found.items()))


def _of_strand(basis: Basis, subject: str, strand: Strand) -> Line:
    declared = basis.declared["facets"][strand[0]]
    what = Both(declared["zh"], declared["en"])
    return {"subject": subject, "facet": strand[0], "what": what, "slot": strand[1] or None}


def _as_told(basis: Basis, fact: Held | None) -> Line:
    if fact is None:
        return dict.fromkeys(("value", "since", "last_day"))
    value, last = basis.replays.opened(fact.value), last_day(fact.until)
    slot = {"slot": fact.slot} if fact.slot else {}
    return {"value": value, "since": fact.effective, "last_day": last, **slot}


def _versions(basis: Basis, subject: str, last: int, *, follow: bool = True) -> list[Version]:
    """What was known of a subject up to a position; of a person, where `follow`, what the id kept
    at each position says, known since it is kept.
    """
    kind, _, id_ = subject.partition(":")
    fold, found, kept = Refold(basis.declared), list[Version](), id_
    standing: dict[tuple[Any, ...], tuple[Held, int]] = {}
    facets = [name for name, facet in basis.declared["facets"].items() if facet["of"] == kind]
    for entry in basis.replays.about(subject, last):
        if not fold.bears_on(entry.type, facets):
            continue
        fold.apply(entry.position, entry.type, entry.data)
        if kind == "person" and follow and fold.kept(id_) != kept:
            kept = fold.kept(id_)
            for key in [key for key in standing if key[0] != SAME_AS]:
                found.append(Version(*standing.pop(key), entry.position))
        now = {
            (f.facet, f.slot, *f.place[2:]): f for f in fold.of(kind, kept) if f.facet != SAME_AS
        }
        now |= {
            (f.facet, f.slot, *f.place[2:]): f for f in fold.of(kind, id_) if f.facet == SAME_AS
        }
        for key, (fact, _) in [*standing.items()]:
            if now.get(key) != fact:
                found.append(Version(*standing.pop(key), entry.position))
        for key, fact in now.items():
            standing.setdefault(key, (fact, entry.position))
    return [*found, *(Version(fact, start, FOREVER) for fact, start in standing.values())]
