"""What everybody's pay becomes under a pack that is not published yet.

Owns no table. Invariant: the same facts, as known at one position, are priced under both laws, so
the pack alone makes a difference; what its publication then makes of them is what was listed.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from domain.acts.pay import PayLevel, monthly_pay
from domain.acts.people import SERVICE
from domain.bitemporal import AsOf
from domain.law import Law, Pack
from domain.ledger import Ledger
from domain.workdays import add_months
from projections.pay import PaySegment, Stay, pay_months, stays
from projections.questions.law import Published, place_of
from projections.questions.retro import Held, facts_by_id, grouped, tree_days
from projections.records import Records

_TOLD_EVERY = 500
"""Persons reckoned between two words of how far it is."""


class Line(NamedTuple):
    """A person's pay from `since` on, in fen a month; None where it cannot be told. `until` is the
    day after the last one at this difference; `owed` what the months up to the end asked about
    differ by, positive to be paid.
    """

    person: str
    grade: str | None
    since: date
    until: date
    before: int | None
    after: int | None
    owed: int

    @property
    def difference(self) -> int | None:
        known = self.before is not None and self.after is not None
        return self.after - self.before if known else None  # type: ignore[operator]


class Repriced(NamedTuple):
    """`reckoned`: how many persons had to be priced; `since`: the first day that could differ, None
    where the pack prices as the published one does.
    """

    reckoned: int
    since: date | None
    lines: list[Line]


def first_day(law: Law, pack: Pack) -> date | None:
    """The first day that a pack prices otherwise than the published one of its code, if any."""
    before = law.pack(pack.code)
    packs = [one for one in (before, pack) if one is not None]
    things = [thing for one in packs for thing in (*one.scales, *one.ladders)]
    days = {day for thing in things for day in (thing.since, thing.until) if day is not None}
    return next((day for day in sorted(days) if _priced(before, day) != _priced(pack, day)), None)


def _priced(pack: Pack | None, day: date) -> tuple[list[str], dict[str, dict[str, int]]]:
    """The ladders that stand on a day, and the amounts of each."""
    if pack is None:
        return [], {}
    ladders = [ladder.id for ladder in pack.ladders if ladder.holds(day)]
    return ladders, {scale.ladder: scale.amounts for scale in pack.scales if scale.holds(day)}


def repriced(
    records: Records,
    ledger: Ledger,
    pack: Pack,
    as_of: AsOf,
    end: date,
    start: date | None = None,
    done: Callable[[float], None] = lambda _: None,
) -> Repriced:
    """Whose pay differs from when, on the days from `start` (the first that can differ) up to
    `end`, as known at the position; in order of person and day. `done` is told the share.
    """
    law = Published(ledger, as_of.recorded).at(as_of.recorded)
    since = first_day(law, pack)
    if since is None:
        return Repriced(0, None, [])
    start = max(since, start or since)
    moved = tree_days(records, as_of.recorded)
    prices = _Prices(law, law.with_pack(pack), moved, start)
    units = Held(records)
    served = records.changed([SERVICE], 0, as_of.recorded) if start < end else []
    people = grouped(served, ledger.forest(as_of.recorded))
    lines: list[Line] = []
    for n, (person, ids) in enumerate(facts_by_id(records, people), 1):
        for alias, facts in ids.items():
            units.hold(facts)
            place = place_of(units, alias, as_of.recorded)
            # from the first of the month: what a month comes to is rounded once
            stayed = stays(facts, as_of.recorded, start.replace(day=1), end, prices.turns)
            runs = ((one.start, one.end, *prices.of(one, place(one.start))) for one in stayed)
            lines += [line._replace(person=person) for line in _lines(tuple(runs))]
        if not n % _TOLD_EVERY:
            done(n / len(people))
    return Repriced(len(people), since, lines)


class _Prices:
    """What grades and additions are paid under both laws; priced once a place and turn."""

    def __init__(self, law: Law, other: Law, turns: frozenset[date], start: date) -> None:
        self._laws = (law, other)
        self._start = start
        self.turns = turns | law.pay_days | other.pay_days | {start}
        self._days = sorted(self.turns)
        self._known: dict[tuple[Any, ...], tuple[PayLevel, PayLevel]] = {}

    def of(self, stay: Stay, place: str) -> tuple[PayLevel, PayLevel]:
        """The levels under either law; before the start the other makes no difference."""
        grade = stay.grade or {}
        special = sum(each["amount"] for each in stay.special)
        turn = bisect_right(self._days, stay.start)
        key = (place, turn, grade.get("grade"), grade.get("ladder"), special)
        if (found := self._known.get(key)) is None:
            before, after = (
                monthly_pay(stay.grade, stay.special, law.at(place, stay.start))
                for law in self._laws
            )
            found = self._known[key] = (before, before if stay.start < self._start else after)
        return found


_Run = tuple[date, date, PayLevel, PayLevel]
"""Days [first, until) at one level under either law."""


@lru_cache(maxsize=4096)
def _lines(runs: tuple[_Run, ...]) -> tuple[Line, ...]:
    """The lines of somebody paid so: many persons are paid in few ways."""
    lines: list[Line] = []
    for first, until, before, after in runs:
        if before.amount == after.amount:
            continue
        line = Line("", after.grade, first, until, before.amount, after.amount, 0)
        last = lines[-1] if lines else None
        if last and last.until == first and last._replace(since=first, until=until) == line:
            lines[-1] = last._replace(until=until)
        else:
            lines.append(line)
    for month, owed in _owed(runs) if lines else ():
        # of two differences that begin within a month the later one is told what the month owes
        at = max(n for n, one in enumerate(lines) if one.since < add_months(month, 1))
        lines[at] = lines[at]._replace(owed=lines[at].owed + owed)
    return tuple(lines)


def _owed(runs: Sequence[_Run]) -> Iterator[tuple[date, int]]:
    """What each month differs by, in fen; a month is rounded once, under either law."""
    then = pay_months(PaySegment(first, until, level, ()) for first, until, level, _ in runs)
    now = pay_months(PaySegment(first, until, level, ()) for first, until, _, level in runs)
    for was, is_ in zip(then, now, strict=True):
        if was.amount != is_.amount:
            yield was.month, is_.amount - was.amount
