"""Who answered for an auxiliary, told naively, to judge the chain of responsibility by.

It follows the words of the rule on who answered for whom and, as the oracle whose facts it is
given, shares nothing with the code that it judges: every question is put to one day after another.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from functools import cache
from typing import Any, NamedTuple

from tests.oracle import Held

HEAD = "主要领导"
TIERS = {
    "head": ("unit-head", "acting-head"),
    "deputy": ("deputy-head", "acting-deputy"),
    "supervisor": ("supervising-officer",),
}
BEARING = {
    *(facet for facets in TIERS.values() for facet in facets),
    "service", "unit", "host", "post", "officer", "officer-suspension", "officer-leave",
    "portfolio", "head-seats", "unit-parent", "unit-state",
}  # fmt: skip
"""The facets that bear on who answers, and on which units can be asked about."""

DAY = timedelta(days=1)


class Named(NamedTuple):
    """An officer who answers: where, how, and the entries that rests on."""

    tier: str
    unit: str | None
    seat: str
    officer: str
    acting: bool
    state: str
    entries: tuple[int, ...]


class Seat(NamedTuple):
    """One line of the answer. `causes`: whatever on its first empty day ended what was held."""

    tier: str
    unit: str | None
    seat: str
    status: str
    named: tuple[Named, ...]
    overlap: bool
    since: date | None
    causes: frozenset[str]
    beside: tuple["Seat", ...] = ()

    @property
    def who(self) -> tuple[object, ...]:
        return (*self[:4], tuple(n[:6] for n in self.named), tuple(s.who for s in self.beside))


class Told(NamedTuple):
    service: str
    unit: str | None
    seconded: bool
    seats: tuple[Seat, ...]
    ceased: tuple[Named, ...]

    @property
    def who(self) -> tuple[object, ...]:
        """What two answers differ in, but for why a seat is empty and what all that rests on."""
        ceased = tuple(n[:6] for n in self.ceased)
        return self.service, self.unit, tuple(s.who for s in self.seats), ceased


class Answerable:
    """What one belief makes of who answers for whom, on any day."""

    def __init__(self, facts: list[Held]) -> None:
        self.facts: dict[tuple[str, str], list[Held]] = defaultdict(list)
        for fact in facts:
            self.facts[fact.facet, fact.subject].append(fact)
        self.turns = sorted({d for f in facts for d in (f.effective, f.until)})
        for asked in ("held", "standing", "deputies", "supervising"):
            setattr(self, asked, cache(getattr(self, asked)))

    def after(self, since: date, upto: date) -> Iterator[date]:
        """The days after `since` on which anything turns, to `upto`."""
        return (d for d in self.turns if since < d <= upto)

    # what stands

    def held(self, facet: str, subject: str, day: date, slot: str = "") -> Held | None:
        holding = [f for f in self.facts.get((facet, subject), [])
                   if f.slot == slot and f.effective <= day < f.until]  # fmt: skip
        return max(holding, key=_place, default=None)

    def said(self, facet: str, subject: str, day: date, part: str, slot: str = "") -> Any:
        fact = self.held(facet, subject, day, slot)
        return None if fact is None or fact.value is None else fact.value[part]

    def service(self, person: str, day: date) -> str:
        fact = self.held("service", f"person:{person}", day)
        if fact is None:
            return "not-recorded"
        return "in" if fact.value and fact.value["state"] == "in" else "out"

    def using(self, person: str, day: date) -> str | None:
        """The host during a secondment, else the home unit."""
        of = f"person:{person}"
        return self.said("host", of, day, "unit") or self.said("unit", of, day, "unit")

    def upwards(self, unit: str, day: date) -> list[str]:
        line = [unit]
        above = self.said("unit-parent", f"unit:{unit}", day, "parent")
        while above is not None and above not in line:
            line.append(above)
            above = self.said("unit-parent", f"unit:{above}", day, "parent")
        return line

    # who has a charge, and what ends it

    def ends(self, fact: Held, day: date) -> set[str]:
        """What has ended a charge by a day: the act's own end, the officer's leaving the unit; a
        pairing's also the officer's suspension and the auxiliary's leaving the unit.
        """
        assert fact.value is not None
        officer, since = f"person:{fact.value['officer']}", fact.effective
        found = {"over"} if fact.until <= day else set()
        of = self.said("officer", officer, since, "unit")
        for turn in self.after(since, day):
            now = self.said("officer", officer, turn, "unit")
            if of is not None and now != of:
                found.add("officer-left" if now is None else "officer-left-unit")
        if fact.facet != "supervising-officer":
            return found
        person = fact.subject[7:]
        using = self.using(person, since)
        for turn in self.after(since, day):
            before, now = (self.said("officer-suspension", officer, d, "state")
                           for d in (turn - DAY, turn))  # fmt: skip
            if now and not before:
                found.add("officer-suspended")
            if using is not None and self.using(person, turn) != using:
                found.add("auxiliary-left-unit")
        return found

    def standing(self, tier: str, unit: str, day: date) -> list[Held]:
        taken = [f for facet in TIERS[tier] for f in self.facts.get((facet, f"unit:{unit}"), [])]
        return [f for f in taken if f.effective <= day and not self.ends(f, day)]

    def closeness(self, fact: Held, person: str, unit: str, day: date) -> int | None:
        """How near a deputy's portfolio comes to the person; without one, the whole own unit."""
        portfolio = self.portfolio(fact, day)
        line, own = self.upwards(unit, day), fact.subject[5:]
        if portfolio is None or portfolio.value is None:
            return 3 if own == unit else None
        says, below = portfolio.value, line[: line.index(own)]
        post = self.said("post", f"person:{person}", day, "post")
        named = [
            person in says.get("persons", []),
            post in says.get("posts", []),
            not set(below).isdisjoint(says.get("units", [])),
            own in says.get("units", []),
        ]
        return named.index(True) if any(named) else None

    def portfolio(self, fact: Held, day: date) -> Held | None:
        """What a deputy was given to answer for since being one."""
        assert fact.value is not None
        found = self.held("portfolio", fact.subject, day, fact.value["officer"])
        return found if found and found.value and found.effective >= fact.effective else None

    def deputies(self, person: str, unit: str, day: date) -> list[Held]:
        """Of the nearest unit of which any deputy answers for the person, those who come nearest."""
        for above in self.upwards(unit, day):
            near = [(self.closeness(f, person, unit, day), f)
                    for f in self.standing("deputy", above, day)]  # fmt: skip
            ranks = [rank for rank, _ in near if rank is not None]
            if ranks:
                return [f for rank, f in near if rank == min(ranks)]
        return []

    def supervising(self, person: str, day: date) -> list[Held]:
        fact = self.held("supervising-officer", f"person:{person}", day)
        return [fact] if fact and fact.value and not self.ends(fact, day) else []

    def charged(self, person: str, day: date) -> list[Held]:
        """All by which anybody answers for the person on a day."""
        if self.service(person, day) == "out":
            return []
        unit = self.using(person, day)
        of_unit = [] if unit is None else [
            *self.standing("head", unit, day), *self.deputies(person, unit, day)
        ]  # fmt: skip
        return [*self.supervising(person, day), *of_unit]

    # the answer

    def roster(self, unit: str, day: date) -> list[str]:
        """Those in service whose home or host the unit is, or stands above; in order."""
        people = sorted(subject[7:] for facet, subject in self.facts if facet == "service")
        serving = (p for p in people if self.service(p, day) == "in")
        return [p for p in serving if unit in self.placed(p, day)]

    def placed(self, person: str, day: date) -> set[str]:
        """The home and the host unit, and all above them."""
        at = (self.said(facet, f"person:{person}", day, "unit") for facet in ("unit", "host"))
        return {above for unit in at if unit is not None for above in self.upwards(unit, day)}

    def of_many(self, unit: str, day: date) -> list[tuple[str, Told]]:
        """Each whom a unit uses, or one below it, and who answered for them."""
        used = {p: self.using(p, day) for p in self.roster(unit, day)}
        return [
            (person, self.answer(person, day))
            for person, at in used.items()
            if at is not None and unit in self.upwards(at, day)
        ]

    def answer(self, person: str, day: date) -> Told:
        service, unit = self.service(person, day), self.using(person, day)
        ceased = tuple(self.named(f, day, day - DAY) for f in self.ceased(person, day))
        if service == "out":
            return Told(service, None, False, (), ceased)
        seats = [self._empty("head"), self._empty("deputy")]
        if unit is not None:
            seats = [
                seat._replace(beside=self.above(unit, day)) if seat.status == "vacant" else seat
                for seat in self.heads(unit, day)
            ]
            seats.append(self.deputy(person, unit, day))
        seats.append(self.pairing(person, day))
        seconded = self.said("host", f"person:{person}", day, "unit") is not None
        return Told(service, unit, seconded, tuple(seats), ceased)

    def ceased(self, person: str, day: date) -> list[Held]:
        """Who answered the day before, or took a charge this very day, and answers no more."""
        unit = self.using(person, day)
        passing = [f for f in self.facts.get(("supervising-officer", f"person:{person}"), [])
                   if f.value is not None and f.effective == day]  # fmt: skip
        for facet in (*TIERS["head"], *TIERS["deputy"]):
            taken = self.facts.get((facet, f"unit:{unit}"), [])
            passing += [f for f in taken if f.effective == f.until == day]
        gone = {(f.facet, f.root): f for f in [*self.charged(person, day - DAY), *passing]}
        for fact in self.charged(person, day):
            gone.pop((fact.facet, fact.root), None)
        return sorted(gone.values(), key=_place)

    def named(self, fact: Held, day: date, answered: date | None = None) -> Named:
        """As somebody is on a day who answered then, or last did on another."""
        assert fact.value is not None
        tier = next(tier for tier, facets in TIERS.items() if fact.facet in facets)
        portfolio = self.portfolio(fact, answered or day) if tier == "deputy" else None
        away = [self.held(f"officer-{why}", f"person:{fact.value['officer']}", day)
                for why in ("leave", "suspension")]  # fmt: skip
        states = [f.value["state"] for f in away if f and f.value]
        rests = [fact, *([portfolio] if portfolio else []), *(f for f in away if f and f.value)]
        return Named(
            tier, None if tier == "supervisor" else fact.subject[5:],
            fact.slot if tier == "head" else "", fact.value["officer"],
            fact.facet.startswith("acting"), states[-1] if states else "in-post",
            tuple(f.entry for f in rests),
        )  # fmt: skip

    @staticmethod
    def _empty(tier: str, unit: str | None = None, seat: str = "") -> Seat:
        return Seat(tier, unit, seat, "not-recorded", (), False, None, frozenset())

    def seat(self, empty: Seat, day: date, ask: Callable[[date], list[Held]]) -> Seat:
        """Held, or empty since the day on which the last of those who held it ceased to."""

        def own(held: Iterable[Held]) -> list[Held]:
            return [f for f in held if not f.facet.startswith("acting")]

        now = sorted(ask(day), key=_place)
        acting = len(now) - len(own(now))
        seat = empty._replace(
            named=tuple(self.named(f, day) for f in now),
            overlap=empty.tier == "head" and (acting > 1 or len(own(now)) > 1),
        )
        if own(now):
            return seat._replace(status="held")
        missed, since = (own if now else list), None
        for turn in sorted((d for d in self.turns if d <= day), reverse=True):
            since = turn
            if last := missed(ask(turn - DAY)):
                break
        else:
            return seat._replace(status="acting" if now else "not-recorded")
        causes = {cause for f in last for cause in self.ends(f, since) or ["not-covered"]}
        return seat._replace(
            status="acting" if now else "vacant", since=since, causes=frozenset(causes)
        )

    def heads(self, unit: str, day: date) -> list[Seat]:
        held = self.standing("head", unit, day)
        seats = self.said("head-seats", f"unit:{unit}", day, "head_seats") or [HEAD]
        seats = [*seats, *sorted({f.slot for f in held} - set(seats))]
        return [
            self.seat(self._empty("head", unit, name), day,
                      lambda d, name=name: [f for f in self.standing("head", unit, d) if f.slot == name])
            for name in seats
        ]  # fmt: skip

    def above(self, unit: str, day: date) -> tuple[Seat, ...]:
        return tuple(s for one in self.upwards(unit, day)[1:2] for s in self.heads(one, day))

    def deputy(self, person: str, unit: str, day: date) -> Seat:
        """Deputies who answer for somebody else leave this person without one."""
        seat = self.seat(self._empty("deputy", unit), day, lambda d: self.deputies(person, unit, d))
        since = None
        if seat.status == "not-recorded":
            for turn in sorted((d for d in self.turns if d <= day), reverse=True):
                if not self.standing("deputy", unit, turn) or self.deputies(person, unit, turn):
                    break
                since = turn
        if since is not None:
            seat = seat._replace(status="vacant", since=since, causes=frozenset(["not-covered"]))
        return seat

    def pairing(self, person: str, day: date) -> Seat:
        """Who is hired again takes over no pairing, and no lack of one."""
        seat = self.seat(self._empty("supervisor"), day, lambda d: self.supervising(person, d))
        spell = date.min
        for turn in (d for d in self.turns if d <= day):
            if self.service(person, turn - DAY) == "out" != self.service(person, turn):
                spell = turn
        if seat.since is not None and seat.since <= spell:
            return self._empty("supervisor")
        return seat


def _place(fact: Held) -> tuple[date, int, int]:
    return fact.effective, fact.seq, fact.root
