"""What the record says to an act, told by the oracle from what stands but the act's own chain.

Each check asks what an act of its kind must ask, and raises the refusal it foretells.
"""

from typing import Any
from uuid import UUID

from tests.oracle import (
    Held,
    Line,
    Oracle,
    Standing,
    encircled,
    in_force,
    on_record,
    prevailing,
    told,
)

HEAD = "主要领导"
MANY = {"rewards", "sanctions", "unit-head", "acting-head", "deputy-head", "acting-deputy"}


class Foretold(Exception):
    def __init__(self, code: str) -> None:
        self.code = code


class Before:
    """The day of an act, just before its place; `ends` is what it was found to end."""

    def __init__(self, oracle: Oracle, line: Line, mood: str) -> None:
        roots = [r.position for r in oracle.roots() if r.id == line.root]
        self.oracle, self.line, self.ordered = oracle, line, mood == "ordered"
        self.root = roots[0] if roots else line.position
        self.superseding = bool(roots) and line not in oracle.lines
        self.ends: UUID | None = line.ends
        self.all = oracle.facts(without=line.root)
        place = (line.effective, line.seq, self.root)
        self.past = oracle.facts(without=line.root, before=place)
        now = prevailing(self.past, line.effective)
        self.now = {(f.facet, f.subject, f.slot): f for f in now}

    def refuse(self, code: str, *, when: bool = True) -> None:
        if when:
            raise Foretold(code)

    def kept(self, person: str) -> str:
        return self.oracle.kept(f"person:{person}")

    def value(self, facet: str, subject: str, slot: str = "") -> dict[str, Any] | None:
        held = self.now.get((facet, subject, slot))
        return held.value if held else None

    # persons

    def registered(self, person: str) -> str:
        """The subject under which the person's facts are filed."""
        subject = self.kept(person)
        known = any((f.facet, f.subject) == ("person", subject) for f in self.all)
        self.refuse("unknown-subject", when=not known)
        return subject

    def spells(self, subject: str) -> list[Held]:
        past = on_record(self.past, self.line.effective)
        ours = [f for f in past if (f.facet, f.subject) == ("service", subject)]
        return sorted(ours, key=lambda f: (f.effective, f.seq, f.root))

    def serving(self, subject: str) -> bool:
        return (self.value("service", subject) or {}).get("state") == "in"

    def serves(self, person: str) -> str:
        subject = self.registered(person)
        self.refuse("not-in-service", when=not self.serving(subject))
        return subject

    def free(self, subject: str) -> None:
        self.refuse("already-recorded", when=self.serving(subject))
        self.refuse("record-forbids", when=self.value("officer", subject) is not None)

    def officer(self, person: str, unit: str | None = None, *, charged: bool = False) -> str:
        """An officer, of that unit if one is named, and at the post where a charge is given."""
        subject = self.registered(person)
        role = self.value("officer", subject)
        self.refuse("record-forbids", when=role is None or unit not in (None, role["unit"]))
        away = self.value("officer-suspension", subject) is not None
        self.refuse("record-forbids", when=charged and self.ordered and away)
        return subject

    # units

    def unit(self, unit: str) -> None:
        state = self.value("unit-state", f"unit:{unit}")
        self.refuse("unknown-subject", when=state is None)
        self.refuse("record-forbids", when=(state or {})["state"] != "active")

    def below(self, unit: str, above: str) -> None:
        """The unit is the other, or stands somewhere beneath it."""
        passed: set[str] = set()
        while unit != above:
            parent = self.value("unit-parent", f"unit:{unit}")
            self.refuse("record-forbids", when=parent is None or unit in passed)
            passed.add(unit)
            unit = (parent or {})["parent"]

    def under(self, unit: str, parent: str) -> None:
        """No unit comes to stand above itself, on whatever day."""
        [says] = [s for s in self.line.says if s.facet == "unit-parent"]
        moved = Oracle.held(Standing(self.line.root, self.root, self.line), says)
        self.refuse("record-forbids", when=unit == parent or encircled(self.all, moved))

    def seat_free(self, facet: str, unit: str, slot: str, officer: str) -> None:
        """No overlap by order in a seat, and of one officer in none, while they are the unit's."""
        line = self.line
        ending = [s.line.effective for s in self.oracle.standing() if s.line.ends == line.root]
        ends = [d for d in (line.until, *ending) if d is not None]
        seat = [
            f for f in self.all if (f.facet, f.subject, f.slot) == (facet, f"unit:{unit}", slot)
        ]
        for held in sorted(seat, key=lambda f: (f.effective, f.seq, f.root)):
            if held.effective >= min([held.until, *ends]) or line.effective >= held.until:
                continue
            holder = f"person:{(held.value or {})['officer']}"
            role = self.value("officer", holder)
            if held.effective > line.effective:
                role = told(self.all, "officer", holder, held.effective)
            if role is not None and role["unit"] == unit:
                self.refuse("already-recorded", when=holder == officer)
                self.refuse("record-forbids", when=self.ordered)

    # endings

    def end(self, facet: str, subject: str, slot: str = "", *, many: bool | None = None) -> Held:
        """The one fact in force that is named; unnamed, the only one."""
        if facet in MANY if many is None else many:
            held = in_force(self.past, self.line.effective)
            could = [f for f in held if (f.facet, f.subject) == (facet, subject)]
        else:
            one = self.now.get((facet, subject, slot))
            could = [one] if one and one.value is not None else []
        ids = {r.position: r.id for r in self.oracle.roots()}
        if self.line.ends is not None:
            could = [f for f in could if ids[f.root] == self.line.ends]
        self.refuse("unknown-fact", when=not could)
        self.refuse("bad-input", when=len(could) > 1)
        self.ends = ids[could[0].root]
        return could[0]

    def relieve(self, facet: str, unit: str, slot: str, officer: str) -> None:
        """An officer is relieved of a seat: the last to take it, or one that is named."""
        latest = self.now.get((facet, f"unit:{unit}", slot))
        beneath = latest is not None and f"person:{(latest.value or {})['officer']}" != officer
        ended = self.end(facet, f"unit:{unit}", slot, many=beneath)
        mine = (ended.slot, f"person:{(ended.value or {})['officer']}") == (slot, officer)
        self.refuse("record-forbids", when=not mine)
