"""The two times told naively, to judge the fold by: lists of lines, every answer from the beginning.

It follows the words of the rule on time and shares nothing with the code that it judges: a line is
an entry in the test's own words, and no answer is kept from one question to the next.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

Moment = tuple[date, int, float]
"""A day, the place (`seq`) within it, and the position of what is ordered there."""
PERSONS = ("person", "officer")
"""The parts of a value that name a person; `persons` names several."""


class Says(NamedTuple):
    """One fact that an act states. A `value` of None is an explicit none, one place earlier."""

    facet: str
    subject: str
    value: dict[str, Any] | None
    since: date | None = None
    outlasts: bool = False  # leaving the service does not end it
    slot: str = ""  # a seat, or the person of whom it is said


class Line(NamedTuple):
    """An entry: content for the chain of `root`, or the undoing of one of that chain's lines."""

    position: int
    id: UUID
    root: UUID
    about: str
    effective: date
    until: date | None = None
    seq: int = 0
    says: tuple[Says, ...] = ()
    undoes: UUID | None = None
    ends: UUID | None = None
    ended_facet: str | None = None
    leaves: str | None = None
    merges: tuple[str, str] | None = None  # the first subject reads as the second


class Held(NamedTuple):
    """A fact as it stands: from `effective`, to the day before `until`."""

    subject: str
    facet: str
    slot: str
    effective: date
    until: date
    seq: int
    root: int
    entry: int
    value: dict[str, Any] | None


class Standing(NamedTuple):
    """A chain that says something: its root's id and position, and the line that speaks for it."""

    root: UUID
    position: int
    line: Line


class Oracle:
    """What these lines make true, on any day, as known at any position."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.lines = list(lines)

    def chain(self, root: UUID, known: int | None = None) -> list[Line]:
        return [x for x in self.lines if x.root == root and (known is None or x.position <= known)]

    def line(self, id_: UUID) -> Line:
        return next(x for x in self.lines if x.id == id_)

    def roots(self, known: int | None = None) -> list[Line]:
        return [x for x in self.lines if x.id == x.root and (known is None or x.position <= known)]

    def meaning(self, line: Line | None) -> Line | None:
        """What a chain says while this is its newest line.

        Content: that content. Undoing content: nothing. Undoing an undoing: what was said before.
        """
        if line is None or line.undoes is None:
            return line
        undone = self.line(line.undoes)
        return None if undone.undoes is None else self.meaning(self.line(undone.undoes))

    def standing(self, known: int | None = None, without: UUID | None = None) -> list[Standing]:
        newest = {x.root: x for x in self.lines if known is None or x.position <= known}
        found = []
        for root in self.roots(known):
            line = self.meaning(newest[root.id])
            if line is not None and root.id != without:
                found.append(Standing(root.id, root.position, line))
        return found

    def facts(
        self, known: int | None = None, without: UUID | None = None, before: Moment | None = None
    ) -> list[Held]:
        """Every fact that stands; with `before`, as if nothing later in its day or after it was
        ever decided, be it a fact, an ending or a leaving.
        """
        standing = self.standing(known, without)
        into = dict(s.line.merges for s in standing if s.line.merges)
        stopping = [
            s
            for s in standing
            if (s.line.ends or s.line.leaves) and (before is None or _moment(s) <= before)
        ]
        return [
            self.held(one, says, stopping, into)
            for one in standing
            for says in one.line.says
            if before is None or _moment(one, says) <= before
        ]

    def kept(self, subject: str, without: UUID | None = None) -> str:
        """Where a subject leads by the merges that stand, whatever their days."""
        return _led(
            subject, dict(s.line.merges for s in self.standing(None, without) if s.line.merges)
        )

    @staticmethod
    def held(
        one: Standing, says: Says, stopping: Iterable[Standing] = (), into: Mapping[str, str] = {}
    ) -> Held:
        subject, slot, value = says.subject, says.slot, says.value
        if one.line.merges is None:
            subject, slot = _led(subject, into), _led(f"person:{slot}", into)[7:]
            for part in PERSONS:
                if value is not None and part in value:
                    value = value | {part: _led(f"person:{value[part]}", into)[7:]}
            if value is not None and "persons" in value:
                led = [_led(f"person:{one}", into)[7:] for one in value["persons"]]
                value = value | {"persons": list(dict.fromkeys(led))}
        begins = says.since or one.line.effective
        seq = one.line.seq - (says.value is None)
        stops = [one.line.until or date.max]
        for other in stopping:
            line = other.line
            if line.ends == one.root and line.ended_facet == says.facet:
                stops.append(line.effective)
            if line.leaves and _led(line.leaves, into) == subject and not says.outlasts:
                left = (line.effective, line.seq, other.position)
                if left > (begins, seq, one.position):
                    stops.append(line.effective)
        return Held(
            subject, says.facet, slot, begins, min(stops), seq, one.position, one.line.position,
            value,
        )  # fmt: skip


def _moment(one: Standing, says: Says | None = None) -> Moment:
    none = says is not None and says.value is None
    since = says and says.since
    return (since or one.line.effective, one.line.seq - none, one.position)


def _led(subject: str, into: Mapping[str, str]) -> str:
    passed = set()
    while subject in into and subject not in passed:  # what is yet to be refused may go in circles
        passed.add(subject)
        subject = into[subject]
    return subject


def in_force(facts: Iterable[Held], day: date) -> list[Held]:
    return [f for f in facts if f.effective <= day < f.until]


def on_record(facts: Iterable[Held], day: date) -> list[Held]:
    return [f for f in facts if f.effective <= day]


def prevailing(facts: Iterable[Held], day: date) -> Iterable[Held]:
    """Of each subject's facts of a facet (and slot) that hold that day, the last in (day, seq,
    entry).
    """
    holding = sorted(in_force(facts, day), key=lambda f: (f.effective, f.seq, f.root))
    return {(f.facet, f.subject, f.slot): f for f in holding}.values()


def told(facts: Iterable[Held], facet: str, subject: str, day: date) -> dict[str, Any] | None:
    """What a facet without slots says of a subject that day; None is none, or not recorded."""
    ours = [f for f in facts if (f.facet, f.subject) == (facet, subject)]
    return next((f.value for f in prevailing(ours, day)), None)


def encircled(facts: Iterable[Held], moved: Held) -> bool:
    """Whether on any day on which this says where a unit stands the unit would be above itself."""
    facts = [f for f in facts if f.facet == moved.facet]
    days = {moved.effective, *(d for f in facts for d in (f.effective, f.until))}
    for day in days:
        above = {f.subject: f for f in prevailing([*facts, moved], day)}
        passed, at = [], moved.subject if above.get(moved.subject) is moved else ""
        while at in above and at not in passed:
            passed.append(at)
            at = f"unit:{(above[at].value or {})['parent']}"
        if passed and at == moved.subject:
            return True
    return False
