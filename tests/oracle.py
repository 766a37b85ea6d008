"""The two times told naively, to judge the fold by: lists of lines, every answer from the beginning.

It follows the words of the rule on time and shares nothing with the code that it judges: a line is
an entry in the test's own words, and no answer is kept from one question to the next.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

Moment = tuple[date, int]
"""A day and the place (`seq`) within it."""


class Says(NamedTuple):
    """One fact that an act states. A `value` of None is an explicit none, one place earlier."""

    facet: str
    subject: str
    value: dict[str, Any] | None
    since: date | None = None
    outlasts: bool = False  # leaving the service does not end it


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
        found = []
        for root in self.roots(known):
            line = self.meaning(self.chain(root.id, known)[-1])
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
            s for s in standing if before is None or (s.line.effective, s.line.seq) <= before
        ]
        return [
            self._held(one, says, stopping, into)
            for one in standing
            for says in one.line.says
            if before is None or (says.since or one.line.effective, one.line.seq) <= before
        ]

    def kept(self, subject: str, without: UUID | None = None) -> str:
        """Where a subject leads by the merges that stand, whatever their days."""
        return _led(
            subject, dict(s.line.merges for s in self.standing(None, without) if s.line.merges)
        )

    def _held(
        self, one: Standing, says: Says, stopping: list[Standing], into: dict[str, str]
    ) -> Held:
        subject, value = says.subject, says.value
        if one.line.merges is None:
            subject = _led(subject, into)
            if value is not None and "person" in value:
                value = value | {"person": _led(f"person:{value['person']}", into)[7:]}
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
            subject, says.facet, begins, min(stops), seq, one.position, one.line.position, value,
        )  # fmt: skip


def _led(subject: str, into: dict[str, str]) -> str:
    passed = set()
    while subject in into and subject not in passed:  # what is yet to be refused may go in circles
        passed.add(subject)
        subject = into[subject]
    return subject


def in_force(facts: Iterable[Held], day: date) -> list[Held]:
    return [f for f in facts if f.effective <= day < f.until]


def on_record(facts: Iterable[Held], day: date) -> list[Held]:
    return [f for f in facts if f.effective <= day]


def prevailing(facts: Iterable[Held], day: date) -> Iterator[Held]:
    """Of each subject's facts of a facet that hold that day, the last in (day, seq, entry)."""
    holding = in_force(facts, day)
    for fact in holding:
        rivals = [f for f in holding if (f.subject, f.facet) == (fact.subject, fact.facet)]
        if fact == max(rivals, key=lambda f: (f.effective, f.seq, f.root)):
            yield fact
