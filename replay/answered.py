"""Who answered for an auxiliary on a day, told a second time: from facts folded out of a bundle.

Owns an implementation of the chain of responsibility that shares no line with `projections`; it
travels inside the checker of an evidence bundle and needs Python alone. Invariant: of every person,
day and position it says what the ledger says; where it does not, one of the two is wrong.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from replay.refold import Held

OWN_SEAT = "主要领导"
"""The head seat of a unit that declares none."""
SUPERVISING = "supervising-officer"
TIERS = {"head": ("unit-head", "acting-head"), "deputy": ("deputy-head", "acting-deputy")}
"""Tier of a unit's seats → the facets that say who holds one, and who acts in it."""
AWAY = (("officer-leave", "on-leave"), ("officer-suspension", "suspended"))
ANSWERING = {SUPERVISING, *TIERS["head"], *TIERS["deputy"]}
"""The facets by which somebody answers; what they say can lapse with no act that ends it."""
BEARING = {
    *ANSWERING, "service", "unit", "host", "post", "officer", "portfolio", "head-seats",
    "unit-parent", *(facet for facet, _ in AWAY),
}  # fmt: skip
WHOLE_UNIT = 3

Strands = Mapping[tuple[str, str], Sequence[Held]]
Seat = dict[str, Any]


class Charge(NamedTuple):
    """A fact by which an officer answers, filed under `of`; `basis`: what else it rests on."""

    capacity: str
    unit: str | None
    seat: str
    acting: bool
    of: str
    fact: Held
    basis: tuple[int, ...] = ()

    @property
    def root(self) -> tuple[str, int]:
        return self.fact.facet, self.fact.place[2]


class Over(NamedTuple):
    """Since when a charge is over, why, and by which entries."""

    day: str
    cause: str
    entries: list[int]


class Answering:
    """What facts that stand at one position say. `days`: those on which what was read turns."""

    def __init__(self, strands: Strands) -> None:
        self._strands = strands
        self._days: set[str] = set()

    def persons(self) -> list[str]:
        """Everybody for whom anyone may ever have answered."""
        facets = ("service", "unit", "host", SUPERVISING)
        return sorted({id_ for facet, id_ in self._strands if facet in facets})

    def units(self) -> list[str]:
        return sorted(
            {id_ for facet, id_ in self._strands if facet in ("unit-state", "unit-parent")}
        )

    def answer(self, person: str, day: str) -> dict[str, Any]:
        """Who answers on a day, and who ceased to on that very day (`outgoing`)."""
        self._days = set()
        today = {charge.root for charge in self._charges(person, day)}
        before = self._charges(person, next_day(day, -1)) + self._passed(person, day)
        gone = {charge.root: charge for charge in before if charge.root not in today}
        outgoing = sorted(gone.values(), key=lambda charge: charge.fact.place)
        return {
            **self._state(person, day),
            "outgoing": [self._holder(charge, day) for charge in outgoing],
        }

    def over(self, person: str, start: str, end: str) -> list[dict[str, Any]]:
        """Who answers on the days [start, end), in as few stretches as can be."""
        self._days = set()
        found: list[dict[str, Any]] = []
        for day, following, state in self._stretches(start, end, lambda d: self._state(person, d)):
            if found and found[-1]["answer"] == state:
                found[-1]["end"] = following
            else:
                found.append({"start": day, "end": following, "answer": state})
        return found

    def held_by(self, officer: str, start: str, end: str) -> Iterator[dict[str, Any]]:
        """For whom an officer answers on the days [start, end)."""
        for person in self.persons():
            self._days = set()
            running: list[dict[str, Any]] = []

            def held(day: str, person: str = person) -> list[dict[str, Any]]:
                own = self._charges(person, day)
                return [self._holder(c, day) for c in own if c.fact.value["officer"] == officer]

            for day, following, holders in self._stretches(start, end, held):
                going_on = [one for one in running if one["holder"] in holders]
                yield from (one for one in running if one["holder"] not in holders)
                for one in going_on:
                    one["end"] = following
                begun = [h for h in holders if all(h != one["holder"] for one in going_on)]
                running = going_on + [
                    {"person": person, "start": day, "end": following, "holder": holder}
                    for holder in begun
                ]
            yield from running

    def lapse(self, id_: str, fact: Held, day: str) -> Over | None:
        """How a fact by which somebody answers had come to an end by a day."""
        self._days = set()
        return self._over(id_, fact, day)

    def lapsed(self, person: str, day: str) -> list[dict[str, Any]]:
        """The pairing in force on a day by which nobody answers any more, since when and why."""
        found = self.lapses(SUPERVISING, person, day).items()
        return [{"facet": SUPERVISING, "slot": slot, **over._asdict()} for slot, over in found]

    def lapses(self, facet: str, id_: str, day: str) -> dict[str | None, Over]:
        """How what is in force of a facet on a day had come to an end all the same, by slot."""
        self._days = set()
        held = [fact for fact in self._facts(facet, id_) if fact.effective <= day < fact.until]
        held = sorted(held, key=lambda fact: fact.place)
        if facet == SUPERVISING:
            held = held[-1:]
        overs = {fact.slot or None: self._over(id_, fact, day) for fact in held if fact.value}
        return {slot: over for slot, over in overs.items() if over is not None}

    def vacant(self, person: str, day: str) -> tuple[str | None, set[str]]:
        """The using unit, and in which capacities nobody answers for somebody in service."""
        if self._service(person, day) != "in":
            return None, set()
        said = self._state(person, day)
        return said["unit"], {one["capacity"] for one in said["lines"] if one["status"] == "vacant"}

    def seats(self, unit: str, day: str) -> list[Seat]:
        """The head seats of a unit that stands, and one for its deputies."""
        if (self.value("unit-state", unit, day) or {}).get("state") != "active":
            return []
        deputies = self._filled(
            _seat("deputy", unit), day, lambda on: self._sitting("deputy", unit, on)
        )
        return [*self._head_seats(unit, day), deputies]

    def each(self, days: Iterable[str], ask: Callable[[str], Any]) -> Iterator[Any]:
        """What is said of each of these days, asked anew where anything that was read turns."""
        self._days = set()
        before, said = "", None
        for day in days:
            if not before or any(before < turn <= day for turn in self._days):
                said = ask(day)
            before = day
            yield said

    def value(self, facet: str, id_: str, day: str, slot: str = "") -> Any:
        fact = self._at(facet, id_, day, slot)
        return None if fact is None else fact.value

    # what stands

    def _facts(self, facet: str, id_: str) -> Sequence[Held]:
        facts = self._strands.get((facet, id_), ())
        self._days.update(day for fact in facts for day in (fact.effective, fact.until))
        return facts

    def _at(self, facet: str, id_: str, day: str, slot: str = "") -> Held | None:
        on = [f for f in self._facts(facet, id_) if f.slot == slot and f.effective <= day < f.until]
        return max(on, key=lambda fact: fact.place, default=None)

    def _service(self, person: str, day: str) -> str:
        fact = self._at("service", person, day)
        if fact is None:
            return "not-recorded"
        return "in" if fact.value and fact.value["state"] == "in" else "out"

    def _using(self, person: str, day: str) -> Held | None:
        """What places a person: as a guest, else at home."""
        placed = (self._at(facet, person, day) for facet in ("host", "unit"))
        return next((fact for fact in placed if fact is not None and fact.value is not None), None)

    def _upwards(self, unit: str, day: str) -> list[str]:
        units = [unit]
        while (above := self.value("unit-parent", units[-1], day)) is not None:
            if above["parent"] in units:
                break
            units.append(above["parent"])
        return units

    # by what somebody answers

    def _charges(self, person: str, day: str) -> list[Charge]:
        if self._service(person, day) == "out":
            return []
        placed = self._using(person, day)
        if placed is None:
            return self._supervisors(person, day)
        unit = placed.value["unit"]
        return [
            *self._supervisors(person, day), *self._sitting("head", unit, day),
            *self._deputies(person, unit, day),
        ]  # fmt: skip

    def _supervisors(self, person: str, day: str) -> list[Charge]:
        fact = self._at(SUPERVISING, person, day)
        if fact is None or fact.value is None or self._over(person, fact, day) is not None:
            return []
        return [_pairing(person, fact)]

    def _of_unit(self, tier: str, unit: str) -> Iterator[Charge]:
        for acting, facet in enumerate(TIERS[tier]):
            for fact in self._facts(facet, unit):
                seat = fact.slot if tier == "head" else ""
                yield Charge(tier, unit, seat, bool(acting), unit, fact)

    def _sitting(self, tier: str, unit: str, day: str) -> list[Charge]:
        begun = (c for c in self._of_unit(tier, unit) if c.fact.effective <= day)
        held = [charge for charge in begun if self._over(unit, charge.fact, day) is None]
        return sorted(held, key=lambda charge: charge.fact.place)

    def _deputies(self, person: str, unit: str, day: str) -> list[Charge]:
        """Of the nearest unit where any deputy covers the person, those who do so most closely."""
        upwards, post = self._upwards(unit, day), self.value("post", person, day)
        for distance, above in enumerate(upwards):
            covering: dict[int, list[Charge]] = {}
            for charge in self._sitting("deputy", above, day):
                rank = WHOLE_UNIT if distance == 0 else None
                basis: tuple[int, ...] = ()
                officer, since = charge.fact.value["officer"], charge.fact.effective
                named = self._at("portfolio", above, day, officer)
                if named is not None and named.value and named.effective >= since:
                    below = upwards[:distance]
                    rank = _closeness(named.value, person, post and post["post"], below, above)
                    basis = (named.entry,)
                if rank is not None:
                    covering.setdefault(rank, []).append(charge._replace(basis=basis))
            if covering:
                return covering[min(covering)]
        return []

    def _passed(self, person: str, day: str) -> list[Charge]:
        """What began on a day and was overtaken on it; what stands may be among them."""
        found = [
            _pairing(person, fact)
            for fact in self._facts(SUPERVISING, person)
            if fact.effective == day and fact.value is not None
        ]
        placed = self._using(person, day)
        for tier in TIERS if placed is not None else ():
            found += [
                charge
                for charge in self._of_unit(tier, placed.value["unit"] if placed else "")
                if charge.fact.effective == charge.fact.until == day
            ]
        return found

    # how it came to an end

    def _over(self, of: str, fact: Held, day: str) -> Over | None:
        officer, since = fact.value["officer"], fact.effective
        ends = [self._left_role(officer, since, day)]
        if fact.until <= day:
            by = [] if fact.ended_by is None else [fact.ended_by]
            ends.append(Over(fact.until, "relieved" if by else "term-ended", by))
        if fact.facet == SUPERVISING:
            ends += [self._suspended(officer, since, day), self._moved(of, since, day)]
        return min((one for one in ends if one), key=lambda one: one.day, default=None)

    def _left_role(self, officer: str, since: str, day: str) -> Over | None:
        was = self.value("officer", officer, since)

        def lost(turn: str) -> str | None:
            now = self.value("officer", officer, turn)
            if now is None:
                return "officer-left"
            return None if now["unit"] == was["unit"] else "officer-left-unit"

        return None if was is None else _first(self._facts("officer", officer), since, day, lost)

    def _suspended(self, officer: str, since: str, day: str) -> Over | None:
        def lost(turn: str) -> str | None:
            of_days = (turn, next_day(turn, -1))
            now, before = (self.value("officer-suspension", officer, d) for d in of_days)
            return "officer-suspended" if now is not None and before is None else None

        return _first(self._facts("officer-suspension", officer), since, day, lost)

    def _moved(self, person: str, since: str, day: str) -> Over | None:
        was = _unit_of(self._using(person, since))
        facts = [*self._facts("unit", person), *self._facts("host", person)]

        def lost(turn: str) -> str | None:
            return None if _unit_of(self._using(person, turn)) == was else "auxiliary-left-unit"

        return None if was is None else _first(facts, since, day, lost)

    # the seats of a day

    def _state(self, person: str, day: str) -> dict[str, Any]:
        service = self._service(person, day)
        said: dict[str, Any] = {"person": person, "service": service, "outgoing": []}
        if service == "out":
            return {**said, "placed": None, "unit": None, "lines": []}
        placed = self._using(person, day)
        said["placed"] = placed and (placed.facet, placed.entry)
        unit = _unit_of(placed)
        if unit is None:
            lines = [_seat("head", None), _seat("deputy", None)]
        else:
            lines = [*self._head_seats(unit, day), self._deputy_seat(person, unit, day)]
            for line in lines[:-1]:
                if line["status"] == "vacant":
                    above = self._upwards(unit, day)[1:2]
                    line["beside"] = [seat for one in above for seat in self._head_seats(one, day)]
        floor = self._run(day, lambda on: self._service(person, on) != "out")
        lines.append(self._filled(
            _seat("supervisor", None), day, lambda on: self._supervisors(person, on), floor,
        ))  # fmt: skip
        return {**said, "unit": unit, "lines": lines}

    def _head_seats(self, unit: str, day: str) -> list[Seat]:
        declared = self.value("head-seats", unit, day)
        seats = declared["head_seats"] if declared is not None else [OWN_SEAT]
        taken = {charge.seat for charge in self._sitting("head", unit, day)}

        def sitting(seat: str) -> Callable[[str], list[Charge]]:
            return lambda on: [c for c in self._sitting("head", unit, on) if c.seat == seat]

        return [
            self._filled(_seat("head", unit, seat), day, sitting(seat))
            for seat in [*seats, *sorted(taken - {*seats})]
        ]

    def _deputy_seat(self, person: str, unit: str, day: str) -> Seat:
        def covering(on: str) -> list[Charge]:
            return self._deputies(person, unit, on)

        def uncovered(on: str) -> bool:
            return bool(self._sitting("deputy", unit, on)) and not covering(on)

        seat = self._filled(_seat("deputy", unit), day, covering)
        if seat["status"] == "not-recorded" and uncovered(day):
            since = self._run(day, uncovered)
            seat |= {"status": "vacant", "since": since, "cause": "not-covered"}
        if seat["cause"] == "not-covered" and seat["since"] is not None:
            facts = [*self._facts("post", person)]
            for above in self._upwards(unit, day):
                for facet in (*TIERS["deputy"], "portfolio", "unit-parent"):
                    facts += self._facts(facet, above)
            seat["entries"] = _turning(facts, seat["since"])
        return seat

    def _filled(
        self, seat: Seat, day: str, ask: Callable[[str], list[Charge]], floor: str | None = None
    ) -> Seat:
        """A seat with who is in it. Empty since the first day of a spell, it is not recorded."""
        held = ask(day)
        seat["holders"] = [self._holder(charge, day) for charge in held]
        if any(not charge.acting for charge in held):
            return {**seat, "status": "held"}

        def missed(on: str) -> list[Charge]:
            return [charge for charge in ask(on) if not (held and charge.acting)]

        first = self._run(day, lambda on: not missed(on))
        if first is None or (floor is not None and first <= floor):
            return {**seat, "status": "acting"} if held else seat
        ended = [
            self._over(charge.of, charge.fact, first) or Over(first, "not-covered", [])
            for charge in missed(next_day(first, -1))
        ]
        return {
            **seat, "status": "acting" if held else "vacant", "since": first,
            "cause": ended[-1].cause, "entries": sorted({e for one in ended for e in one.entries}),
        }  # fmt: skip

    def _holder(self, charge: Charge, day: str) -> dict[str, Any]:
        fact = charge.fact
        state, entries = "in-post", [fact.entry, *charge.basis]
        for facet, named in AWAY:
            away = self._at(facet, fact.value["officer"], day)
            if away is not None and away.value is not None:
                state = named
                entries.append(away.entry)
        return {
            "capacity": charge.capacity, "unit": charge.unit, "seat": charge.seat,
            "officer": fact.value["officer"], "acting": charge.acting, "state": state,
            "place": [*fact.place], "until": fact.until, "entries": entries,
        }  # fmt: skip

    # days

    def _run(self, day: str, holds: Callable[[str], bool]) -> str | None:
        """The first day of the unbroken run up to a day on which something holds; None: always."""
        while (start := max((d for d in self._days if d <= day), default=None)) is not None:
            day = next_day(start, -1)
            if not holds(day):
                return start
        return None

    def _stretches(
        self, start: str, end: str, ask: Callable[[str], Any]
    ) -> Iterator[tuple[str, str, Any]]:
        while start < end:
            said = ask(start)
            following = min((d for d in self._days if start < d < end), default=end)
            yield start, following, said
            start = following


def next_day(day: str, step: int = 1) -> str:
    return (date.fromisoformat(day) + timedelta(days=step)).isoformat()


def _seat(capacity: str, unit: str | None, seat: str = "") -> Seat:
    return {
        "capacity": capacity, "unit": unit, "seat": seat, "status": "not-recorded", "holders": [],
        "since": None, "cause": None, "entries": [], "beside": [],
    }  # fmt: skip


def _pairing(person: str, fact: Held) -> Charge:
    return Charge("supervisor", None, "", False, person, fact)


def _unit_of(placed: Held | None) -> Any:
    return None if placed is None else placed.value["unit"]


def _closeness(
    portfolio: Mapping[str, Any], person: str, post: str | None, below: Sequence[str], unit: str
) -> int | None:
    """0 names the person, 1 the post, 2 a unit below, 3 the unit itself; None: none of them."""
    units = portfolio.get("units", ())
    named = (
        person in portfolio.get("persons", ()),
        post in portfolio.get("posts", ()),
        any(one in units for one in below),
        unit in units,
    )
    return named.index(True) if True in named else None


def _first(
    facts: Iterable[Held], since: str, day: str, lost: Callable[[str], str | None]
) -> Over | None:
    facts = [*facts]
    turns = {turn for f in facts for turn in (f.effective, f.until) if since < turn <= day}
    for turn in sorted(turns):
        if (cause := lost(turn)) is not None:
            return Over(turn, cause, _turning(facts, turn))
    return None


def _turning(facts: Iterable[Held], day: str) -> list[int]:
    """The entries by which facts begin or end on a day."""
    facts = [*facts]
    begun = {fact.entry for fact in facts if fact.effective == day}
    ended = {f.ended_by for f in facts if f.until == day and f.ended_by is not None}
    return sorted(begun | ended)
