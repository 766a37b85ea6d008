"""Who answered for an auxiliary on a day: unit head, deputy head, supervising officer.

Owns no table: pure over facts, rows and a folded record alike. Invariant: an answer rests on the
facts known at its position and on nothing else; an empty seat is an answer (空缺), and no other
name stands in its place.

All of it is one function of a day, `charges`; vacancies, periods and differences are found by
asking it again where a fact it has read begins, ends, or becomes known.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import cache, partial
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from domain.acts.officers import LEAVE, SUSPENSION
from domain.acts.people import HOST, UNIT
from domain.acts.posts import POST
from domain.acts.responsibility import (
    ACTING_DEPUTY,
    ACTING_HEAD,
    DEPUTY,
    PORTFOLIO,
    SUPERVISOR,
    UNIT_HEAD,
)
from domain.acts.units import HEAD, HEAD_SEATS, UNIT_PARENT
from domain.bitemporal import AsOf, Fact, Place
from domain.events import Facet, Label
from domain.refusals import BadInput
from projections.charges import (
    DAY,
    Capacity,
    Cause,
    Charge,
    Ending,
    View,
    charges,
    deputies,
    ending,
    line_of,
    passed,
    placing,
    run_start,
    service,
    standing,
    supervisors,
    turning,
)

Status = Literal["held", "acting", "vacant", "not-recorded"]
State = Literal["in-post", "on-leave", "suspended"]
CAPACITIES: dict[Capacity, Label] = {
    "head": Label("主要领导(主要领导责任)", "Unit head"),
    "deputy": Label("分管领导(重要领导责任)", "Deputy head"),
    "supervisor": Label("带辅责任民警(直接责任)", "Supervising officer"),
}
CAUSES: dict[Cause, Label] = {
    "relieved": Label("已免职或者解除", "Relieved"),
    "term-ended": Label("任期届满", "The term ended"),
    "auxiliary-left-unit": Label("辅警离开用人单位", "The auxiliary left the unit"),
    "officer-left-unit": Label("民警离开该单位", "The officer left the unit"),
    "officer-left": Label("民警离任", "The officer left the police"),
    "officer-suspended": Label("民警停职", "The officer was suspended"),
    "not-covered": Label("不在任何分管范围内", "In no deputy's portfolio"),
}
Said = TypeVar("Said")


class Source(Protocol):
    """Every version of one facet of a subject (`kind:id`): the record or its rows."""

    def versions(self, facet: Facet, subject: str, /) -> list[Fact]: ...


class Index(Source, Protocol):
    """A source that can also be asked the other way round: every version that refers to an id."""

    def referring(self, facet: Facet, ref: str, /) -> list[Fact]: ...


class Holder(NamedTuple):
    """An officer who answered: in which unit and seat, and the entries that rests on.

    `place` is the order among the holders of a day; `outgoing` ended that very day.
    """

    capacity: Capacity
    unit: str | None
    seat: str
    officer: str
    acting: bool
    state: State
    outgoing: bool
    place: Place
    until: date
    entries: tuple[int, ...]

    @property
    def since(self) -> date:
        return self.place.effective


class Line(NamedTuple):
    """One seat of a tier on a day. "vacant": it was held once and is not; `since` its first day
    without (for "acting", without a holder of its own), `cause` why, `entries` by what.

    `beside` a vacant head seat are the seats of the unit above. Several holders of one kind in a
    head seat are an overlap.
    """

    capacity: Capacity
    unit: str | None
    seat: str
    status: Status = "not-recorded"
    holders: tuple[Holder, ...] = ()
    since: date | None = None
    cause: Cause | None = None
    entries: tuple[int, ...] = ()
    beside: tuple["Line", ...] = ()

    @property
    def overlap(self) -> bool:
        kinds = [holder.acting for holder in self.holders]
        return self.capacity == "head" and len(kinds) > len(set(kinds))

    @property
    def who(self) -> tuple[Any, ...]:
        """What the line says, without what it rests on."""
        named = tuple((h.unit, h.officer, h.acting, h.state) for h in self.holders)
        return (*self[:4], self.cause, named, tuple(line.who for line in self.beside))


class Answer(NamedTuple):
    """Who answered for a person as of a pair; no lines where the person was out of service.

    `unit` is the using unit, `entries` what placed the person there.
    """

    person: str
    as_of: AsOf
    service: Literal["in", "out", "not-recorded"]
    unit: str | None
    seconded: bool
    entries: tuple[int, ...]
    lines: tuple[Line, ...]
    outgoing: tuple[Holder, ...] = ()

    @property
    def named(self) -> list[Holder]:
        """Every holder of the day in order of place, those who ended that day among them."""
        return sorted(
            (*self.outgoing, *(h for line in self.lines for h in line.holders)),
            key=lambda holder: holder.place,
        )

    @property
    def who(self) -> tuple[Any, ...]:
        """What two answers about one day differ in, if they differ."""
        outgoing = tuple((*h[:5], h.state) for h in self.outgoing)
        return (self.service, self.unit, tuple(line.who for line in self.lines), outgoing)


class Segment(NamedTuple):
    """A stretch of days [start, end) with one answer, given for its first day."""

    start: date
    end: date
    answer: Answer


class Gap(NamedTuple):
    """Nobody answered in this capacity on the days [start, end) (空缺)."""

    capacity: Capacity
    unit: str | None
    seat: str
    start: date
    end: date
    cause: Cause | None
    entries: tuple[int, ...]

    @property
    def days(self) -> int:
        return (self.end - self.start).days


class ThenAndNow(NamedTuple):
    """One day as recorded then and now; `entries`: the positions at which the answer changed."""

    then: Answer
    now: Answer
    entries: tuple[int, ...]

    @property
    def differ(self) -> bool:
        return self.then.who != self.now.who


class Answered(NamedTuple):
    """An officer answered for a person on the days [start, end)."""

    person: str
    start: date
    end: date
    holder: Holder


def answer(source: Source, person: str, as_of: AsOf) -> Answer:
    """Who answered for the person as of the pair, and who ceased to on that very day."""
    return _answer(View(cache(source.versions), as_of.recorded), person, as_of.effective)


def over(source: Source, person: str, start: date, end: date, recorded: int) -> list[Segment]:
    """Who answered on the days [start, end) as known at a position, in as few stretches as can be.

    Raises BadInput where the period is empty.
    """
    view = View(cache(source.versions), recorded)
    found: list[Segment] = []
    for day, following, state in _stretches(view, start, end, lambda d: _state(view, person, d)):
        if found and found[-1].answer == state._replace(as_of=found[-1].answer.as_of):
            found[-1] = found[-1]._replace(end=following)
        else:
            found.append(Segment(day, following, state))
    return found


def gaps(segments: Iterable[Segment]) -> list[Gap]:
    """The vacancies of a period, each as one stretch of days, in order of their first day."""
    found: list[Gap] = []
    last: dict[tuple[Any, ...], int] = {}
    for start, end, state in segments:
        for line in state.lines:
            if line.status != "vacant":
                continue
            seat = (line.capacity, line.unit, line.seat)
            at = last.get(seat)
            if at is not None and found[at].end == start:
                found[at] = found[at]._replace(end=end)
            else:
                last[seat] = len(found)
                found.append(Gap(*seat, start, end, line.cause, line.entries))
    return found


def then_and_now(
    source: Source, person: str, day: date, recorded_then: int, recorded_now: int
) -> ThenAndNow:
    """One day's answer as known at two positions, and the entries between that changed it.

    Raises BadInput where the second position is before the first.
    """
    if recorded_now < recorded_then:
        raise BadInput("the second position is before the first", field="recorded",
                       zh="后一登记时点早于前一时点")  # fmt: skip
    versions = cache(source.versions)
    view = View(versions, recorded_then)
    then = now = _answer(view, person, day)
    positions: set[int] = set()
    changed = []
    at = recorded_then
    while True:
        positions |= view.positions
        at = min((p for p in positions if p > at), default=recorded_now + 1)
        if at > recorded_now:
            break
        view = View(versions, at)
        following = _answer(view, person, day)
        if following.who != now.who:
            changed.append(at)
        now = following
    return ThenAndNow(then, now._replace(as_of=AsOf(day, recorded_now)), tuple(changed))


def of_officer(source: Index, officer: str, as_of: AsOf) -> list[Answered]:
    """Whom an officer answered for as of the pair, in which capacity; in order of person."""
    day = as_of.effective
    return of_officer_over(source, officer, day, day + DAY, as_of.recorded)


def of_officer_over(
    source: Index, officer: str, start: date, end: date, recorded: int
) -> list[Answered]:
    """Whom an officer answered for on the days [start, end), in order of person and day.

    Raises BadInput where the period is empty.
    """
    versions = cache(source.versions)
    found: list[Answered] = []
    for person in answered_for(source, officer):
        view = View(versions, recorded)
        running: dict[Holder, int] = {}
        ask = partial(_held_by, view, person, officer)
        for day, following, held in _stretches(view, start, end, ask):
            running = {holder: running.get(holder, -1) for holder in held}
            for holder, at in running.items():
                if at >= 0:
                    found[at] = found[at]._replace(end=following)
                else:
                    running[holder] = len(found)
                    found.append(Answered(person, day, following, holder))
    return found


def _held_by(view: View, person: str, officer: str, day: date) -> list[Holder]:
    held = (c for c in charges(view, person, day) if c.fact.value["officer"] == officer)
    return [_holder(view, charge, day) for charge in held]


def answered_for(source: Index, officer: str) -> list[str]:
    """Everybody the officer may ever have answered for, in order."""
    headed = [f for facet in (UNIT_HEAD, ACTING_HEAD) for f in source.referring(facet, officer)]
    deputised = [f for facet in (DEPUTY, ACTING_DEPUTY) for f in source.referring(facet, officer)]
    below = below_units(source, {_id(fact) for fact in deputised})
    people = {_id(fact) for fact in source.referring(SUPERVISOR, officer)}
    return sorted(people | placed_in(source, below | {_id(fact) for fact in headed}))


def below_units(source: Index, units: set[str]) -> set[str]:
    """These units and all that ever stood below them."""
    below, waiting = set(units), list(units)
    while waiting:
        under = {_id(fact) for fact in source.referring(UNIT_PARENT, waiting.pop())} - below
        below |= under
        waiting += under
    return below


def placed_in(source: Index, units: Iterable[str]) -> set[str]:
    """Everybody ever placed in these units, or seconded to them."""
    facets = (UNIT, HOST)
    return {_id(f) for unit in units for facet in facets for f in source.referring(facet, unit)}


def _id(fact: Fact) -> str:
    return fact.subject.partition(":")[2]


def _stretches(
    view: View, start: date, end: date, ask: Callable[[date], Said]
) -> Iterator[tuple[date, date, Said]]:
    """What `ask` says on the days [start, end), asked anew where a fact it read begins or ends."""
    if end <= start:
        raise BadInput("the period is empty", field="end", zh="期间为空")
    while start < end:
        said = ask(start)
        following = min((d for d in view.days if start < d < end), default=end)
        yield start, following, said
        start = following


def _answer(view: View, person: str, day: date) -> Answer:
    today = {charge.root for charge in charges(view, person, day)}
    of_day = charges(view, person, day - DAY) + passed(view, person, day)
    gone = {charge.root: charge for charge in of_day if charge.root not in today}
    outgoing = sorted(gone.values(), key=lambda charge: charge.fact.place)
    return _state(view, person, day)._replace(
        outgoing=tuple(_holder(view, charge, day, outgoing=True) for charge in outgoing)
    )


def _state(view: View, person: str, day: date) -> Answer:
    """The answer without those who ceased that day."""
    serving, as_of = service(view, person, day), AsOf(day, view.recorded)
    if serving == "out":
        return Answer(person, as_of, serving, None, seconded=False, entries=(), lines=())
    placed = placing(view, person, day)
    unit = placed.value["unit"] if placed else None
    if unit is None:
        lines = [Line("head", None, ""), Line("deputy", None, "")]
    else:
        lines = [
            line._replace(beside=_above(view, unit, day)) if line.status == "vacant" else line
            for line in _head_lines(view, unit, day)
        ]
        lines.append(_deputy_line(view, person, unit, day))
    spell = run_start(view, day, lambda d: service(view, person, d) != "out")
    paired = partial(supervisors, view, person)
    lines.append(_line(view, Line("supervisor", None, ""), day, paired, spell))
    return Answer(
        person, as_of, serving, unit, seconded=placed is not None and placed.facet == HOST.name,
        entries=(placed.entry,) if placed else (), lines=tuple(lines),
    )  # fmt: skip


def seats(view: View, unit: str, day: date) -> list[Line]:
    """A unit's own seats on a day: its head seats, and one for whoever is its deputy."""
    deputy = partial(standing, view, "deputy", unit)
    return [*_head_lines(view, unit, day), _line(view, Line("deputy", unit, ""), day, deputy)]


def vacant(view: View, person: str, day: date) -> tuple[str | None, set[Capacity]]:
    """The using unit, and the capacities in which nobody answered for an auxiliary in service."""
    if service(view, person, day) != "in":
        return None, set()
    state = _state(view, person, day)
    return state.unit, {line.capacity for line in state.lines if line.status == "vacant"}


def _above(view: View, unit: str, day: date) -> tuple[Line, ...]:
    parents = line_of(view, unit, day)[1:2]
    return tuple(line for parent in parents for line in _head_lines(view, parent, day))


def _head_lines(view: View, unit: str, day: date) -> list[Line]:
    def in_seat(seat: str, on: date) -> list[Charge]:
        return [charge for charge in standing(view, "head", unit, on) if charge.seat == seat]

    declared = view.value(HEAD_SEATS, unit, day)
    seats = list(declared["head_seats"]) if declared else [HEAD]
    seats += sorted({charge.seat for charge in standing(view, "head", unit, day)} - set(seats))
    return [_line(view, Line("head", unit, seat), day, partial(in_seat, seat)) for seat in seats]


def _deputy_line(view: View, person: str, unit: str, day: date) -> Line:
    covering = partial(deputies, view, person, unit)

    def uncovered(on: date) -> bool:
        return bool(standing(view, "deputy", unit, on)) and not covering(on)

    line = _line(view, Line("deputy", unit, ""), day, covering)
    if line.status == "not-recorded" and uncovered(day):
        first = run_start(view, day, uncovered)
        line = line._replace(status="vacant", since=first, cause="not-covered")
    if line.cause == "not-covered" and line.since is not None:
        facts = list(view.facts(POST, person))
        for above in line_of(view, unit, day):
            for facet in (DEPUTY, ACTING_DEPUTY, PORTFOLIO, UNIT_PARENT):
                facts += view.facts(facet, above)
        line = line._replace(entries=turning(facts, line.since))
    return line


def _line(
    view: View,
    seat: Line,
    day: date,
    ask: Callable[[date], list[Charge]],
    floor: date | None = None,
) -> Line:
    """A seat as `ask` says who is in it. Empty ever since `floor`, the first day of a spell of
    service, it is not recorded in that spell.
    """
    held = ask(day)
    line = seat._replace(holders=tuple(_holder(view, charge, day) for charge in held))
    if any(not charge.acting for charge in held):
        return line._replace(status="held")

    def missed(on: date) -> list[Charge]:
        return [charge for charge in ask(on) if not (held and charge.acting)]

    first = run_start(view, day, lambda d: not missed(d))
    if first is None or (floor is not None and first <= floor):
        return line._replace(status="acting") if held else line
    ended = [
        ending(view, charge.fact, first) or Ending(first, "not-covered", ())
        for charge in missed(first - DAY)
    ]
    entries = {entry for each in ended for entry in each.entries}
    return line._replace(
        status="acting" if held else "vacant", since=first, cause=ended[-1].cause,
        entries=tuple(sorted(entries)),
    )  # fmt: skip


def _holder(view: View, charge: Charge, day: date, *, outgoing: bool = False) -> Holder:
    fact = charge.fact
    officer = fact.value["officer"]
    state: State = "in-post"
    entries = [fact.entry, *charge.basis]
    states: tuple[tuple[Facet, State], ...] = ((LEAVE, "on-leave"), (SUSPENSION, "suspended"))
    for facet, named in states:
        away = view.at(facet, officer, day)
        if away is not None and away.value is not None:
            state = named
            entries.append(away.entry)
    return Holder(
        charge.capacity, charge.unit, charge.seat, officer, charge.acting, state, outgoing,
        fact.place, fact.until, tuple(entries),
    )  # fmt: skip
