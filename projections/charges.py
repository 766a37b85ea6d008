"""By which facts somebody answers for an auxiliary on one day, and how such a charge ended.

Owns the reading of seats, portfolios and pairings at one position. Invariant: what `charges` says
is constant between two days at which a fact it has read begins or ends.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Literal, NamedTuple

from domain.acts.officers import OFFICER, SUSPENSION
from domain.acts.people import HOST, SERVICE, UNIT
from domain.acts.posts import POST
from domain.acts.responsibility import (
    ACTING_DEPUTY,
    ACTING_HEAD,
    DEPUTY,
    PORTFOLIO,
    SUPERVISOR,
    UNIT_HEAD,
)
from domain.acts.units import UNIT_PARENT
from domain.bitemporal import AsOf, Fact, resolve
from domain.events import Facet

Capacity = Literal["head", "deputy", "supervisor"]
Cause = Literal[
    "relieved",
    "term-ended",
    "auxiliary-left-unit",
    "officer-left-unit",
    "officer-left",
    "officer-suspended",
    "not-covered",
]

_Lost = Cause | None  # spelt in an inner function it would be made anew at each call
DAY = timedelta(days=1)
WHOLE_UNIT = 3


class View:
    """What a source says at one position; remembers the days and positions it turns at."""

    def __init__(self, versions: Callable[[Facet, str], list[Fact]], recorded: int) -> None:
        self._versions = versions
        self._known: dict[tuple[str, str], list[Fact]] = {}
        self.recorded = recorded
        self.days: set[date] = set()
        self.positions: set[int] = set()

    def facts(self, facet: Facet, key: str) -> list[Fact]:
        strand = (facet.name, key)
        if strand not in self._known:
            versions = self._versions(facet, f"{facet.of}:{key}")
            known = [fact for fact in versions if fact.known(self.recorded)]
            self._known[strand] = known
            self.positions.update(p for f in versions for p in (f.known_from, f.known_to))
            self.days.update(d for f in known for d in (f.effective, f.until))
        return self._known[strand]

    def at(self, facet: Facet, key: str, day: date, slot: str = "") -> Fact | None:
        facts = (fact for fact in self.facts(facet, key) if fact.slot == slot)
        return resolve(facts, AsOf(day, self.recorded))

    def value(self, facet: Facet, key: str, day: date) -> Any:
        fact = self.at(facet, key, day)
        return None if fact is None else fact.value


class Charge(NamedTuple):
    """A fact by which an officer answers; `basis`: the entries beside its own it rests on."""

    capacity: Capacity
    unit: str | None
    seat: str
    acting: bool
    fact: Fact
    basis: tuple[int, ...] = ()

    @property
    def root(self) -> tuple[str, int]:
        return self.fact.facet, self.fact.root


class Ending(NamedTuple):
    day: date
    cause: Cause
    entries: tuple[int, ...]


def service(view: View, person: str, day: date) -> Literal["in", "out", "not-recorded"]:
    fact = view.at(SERVICE, person, day)
    if fact is None:
        return "not-recorded"
    return "in" if fact.value and fact.value["state"] == "in" else "out"


def placing(view: View, person: str, day: date) -> Fact | None:
    """The fact that names the using unit: the host, else the home unit (never an agency: no act
    places anybody there).
    """
    for facet in (HOST, UNIT):
        fact = view.at(facet, person, day)
        if fact is not None and fact.value is not None:
            return fact
    return None


def using(view: View, person: str, day: date) -> str | None:
    placed = placing(view, person, day)
    return placed.value["unit"] if placed else None


def line_of(view: View, unit: str, day: date) -> list[str]:
    """The unit and those above it, nearest first."""
    line = [unit]
    while (parent := view.value(UNIT_PARENT, line[-1], day)) and parent["parent"] not in line:
        line.append(parent["parent"])
    return line


def _of_unit(view: View, capacity: Capacity, unit: str) -> Iterator[Charge]:
    own, acting = (UNIT_HEAD, ACTING_HEAD) if capacity == "head" else (DEPUTY, ACTING_DEPUTY)
    for facet in (own, acting):
        for fact in view.facts(facet, unit):
            seat = fact.slot if capacity == "head" else ""
            yield Charge(capacity, unit, seat, facet is acting, fact)


def standing(view: View, capacity: Capacity, unit: str, day: date) -> list[Charge]:
    """A unit's heads or deputies, acting ones too, in order of place."""
    held = [
        charge
        for charge in _of_unit(view, capacity, unit)
        if charge.fact.effective <= day and ending(view, charge.fact, day) is None
    ]
    return sorted(held, key=lambda charge: charge.fact.place)


def deputies(view: View, person: str, unit: str, day: date) -> list[Charge]:
    """The deputies who answer for the person: of the nearest unit where any does, those whose
    portfolio names the person; else the post; else a sub-unit; else those of the whole unit.
    """
    line = line_of(view, unit, day)
    post = view.value(POST, person, day)
    for distance, above in enumerate(line):
        found: dict[int, list[Charge]] = {}
        for charge in standing(view, "deputy", above, day):
            fact = charge.fact
            basis: tuple[int, ...] = ()
            rank = WHOLE_UNIT if distance == 0 else None
            portfolio = view.at(PORTFOLIO, above, day, fact.value["officer"])
            if portfolio and portfolio.value and portfolio.effective >= fact.effective:
                rank = _rank(portfolio.value, person, post and post["post"], line[: distance + 1])
                basis = (portfolio.entry,)
            if rank is not None:
                found.setdefault(rank, []).append(charge._replace(basis=basis))
        if found:
            return found[min(found)]
    return []


def _rank(
    portfolio: dict[str, Any], person: str, post: str | None, line: Sequence[str]
) -> int | None:
    """How closely a portfolio names the person (0 is closest), None where it does not."""
    if person in portfolio.get("persons", ()):
        return 0
    if post in portfolio.get("posts", ()):
        return 1
    units = portfolio.get("units", ())
    if any(unit in units for unit in line[:-1]):
        return 2
    return WHOLE_UNIT if line[-1] in units else None


def supervisors(view: View, person: str, day: date) -> list[Charge]:
    fact = view.at(SUPERVISOR, person, day)
    if fact is None or fact.value is None or ending(view, fact, day) is not None:
        return []
    return [Charge("supervisor", None, "", acting=False, fact=fact)]


def charges(view: View, person: str, day: date) -> list[Charge]:
    """All by which anybody answers for the person on a day."""
    if service(view, person, day) == "out":
        return []
    found = supervisors(view, person, day)
    if (unit := using(view, person, day)) is not None:
        found += standing(view, "head", unit, day) + deputies(view, person, unit, day)
    return found


def passed(view: View, person: str, day: date) -> list[Charge]:
    """What began on a day and was overtaken that very day; pairings that stand are among them."""
    found = [
        Charge("supervisor", None, "", acting=False, fact=fact)
        for fact in view.facts(SUPERVISOR, person)
        if fact.effective == day and fact.value is not None
    ]
    if (unit := using(view, person, day)) is not None:
        capacities: tuple[Capacity, ...] = ("head", "deputy")
        found += [
            charge
            for capacity in capacities
            for charge in _of_unit(view, capacity, unit)
            if charge.fact.effective == charge.fact.until == day
        ]
    return found


def ending(view: View, fact: Fact, day: date) -> Ending | None:
    """How a charge had come to an end by a day: by an act, by its term, or because the officer no
    longer was one of the unit. A pairing ends too when the auxiliary leaves the unit or the officer
    is suspended, unless it was made that day or later.
    """
    officer, since = fact.value["officer"], fact.effective
    ends = [_lost_role(view, officer, since, day)]
    if fact.until <= day:
        by = () if fact.ended_by is None else (fact.ended_by,)
        ends.append(Ending(fact.until, "relieved" if by else "term-ended", by))
    if fact.facet == SUPERVISOR.name:
        person = fact.subject.partition(":")[2]
        ends += [_suspended(view, officer, since, day), _left_unit(view, person, since, day)]
    return min((e for e in ends if e is not None), key=lambda e: e.day, default=None)


def premise(view: View, fact: Fact, cause: Cause) -> tuple[int, ...]:
    """The entry that had placed whoever a charge lapsed with, on the day from which it ran."""
    placed = None
    if cause == "auxiliary-left-unit":
        placed = placing(view, fact.subject.partition(":")[2], fact.effective)
    elif cause in ("officer-left", "officer-left-unit"):
        placed = view.at(OFFICER, fact.value["officer"], fact.effective)
    return () if placed is None else (placed.entry,)


def _lost_role(view: View, officer: str, since: date, day: date) -> Ending | None:
    was = view.value(OFFICER, officer, since)

    def lost(turn: date) -> _Lost:
        role = view.value(OFFICER, officer, turn)
        if role is None:
            return "officer-left"
        return "officer-left-unit" if was and role["unit"] != was["unit"] else None

    return _first(view.facts(OFFICER, officer), since, day, lost) if was else None


def _suspended(view: View, officer: str, since: date, day: date) -> Ending | None:
    def lost(turn: date) -> _Lost:
        now, before = (view.value(SUSPENSION, officer, d) for d in (turn, turn - DAY))
        return "officer-suspended" if now and not before else None

    return _first(view.facts(SUSPENSION, officer), since, day, lost)


def _left_unit(view: View, person: str, since: date, day: date) -> Ending | None:
    was = using(view, person, since)

    def lost(turn: date) -> _Lost:
        return "auxiliary-left-unit" if using(view, person, turn) != was else None

    facts = view.facts(UNIT, person) + view.facts(HOST, person)
    return _first(facts, since, day, lost) if was else None


def _first(
    facts: list[Fact], since: date, day: date, lost: Callable[[date], Cause | None]
) -> Ending | None:
    """The first day after `since`, up to `day`, on which these facts turn and something is lost."""
    for turn in sorted({d for f in facts for d in (f.effective, f.until) if since < d <= day}):
        if (cause := lost(turn)) is not None:
            return Ending(turn, cause, turning(facts, turn))
    return None


def turning(facts: Iterable[Fact], day: date) -> tuple[int, ...]:
    """The entries by which facts begin or end on a day."""
    begun = {fact.entry for fact in facts if fact.effective == day}
    ended = {fact.ended_by for fact in facts if fact.until == day and fact.ended_by is not None}
    return tuple(sorted(begun | ended))


def run_start(view: View, day: date, holds: Callable[[date], bool]) -> date | None:
    """The first day of the unbroken run up to `day` on which something holds; None: always so."""
    while (start := max((d for d in view.days if d <= day), default=None)) is not None:
        day = start - DAY
        if not holds(day):
            return start
    return None
