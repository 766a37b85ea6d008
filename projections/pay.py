"""What an auxiliary is due in pay, month by month, and what a late change makes owed.

Owns the split of a month's pay by days. Invariant: pay is computed from the facts and the law as
known at one position, so the same position gives the same fen for ever.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from domain.acts.grades import GRADE
from domain.acts.pay import SPECIAL_PAY, PayLevel, monthly_pay
from domain.acts.people import HOST, SERVICE, UNIT
from domain.bitemporal import AsOf, Fact, in_force, resolve
from domain.law import Rules
from domain.workdays import add_months

FACETS = (SERVICE, GRADE, SPECIAL_PAY, UNIT, HOST)
"""What the pay of a person rests on (the units by way of the law of their place). The functions
here are given facts filed under one id in any order, and pass over those of other facets."""

_DAY = timedelta(days=1)
_NAMES = frozenset(facet.name for facet in FACETS)


class Known(NamedTuple):
    """A position, and the law of each day at the person's using unit as published by then.

    `turns` are all the days from which `rules_on` may price otherwise, but for those on which facts
    of the person begin or end; None: it may on any day.
    """

    recorded: int
    rules_on: Callable[[date], Rules]
    turns: frozenset[date] | None = None


class Filed(NamedTuple):
    """What is filed under one id of a person, and the law there at any position."""

    facts: Sequence[Fact]
    known: Callable[[int], Known]


class Stay(NamedTuple):
    """Days [start, end) in service on which nothing changes that is filed under the id: the content
    of the grade, those of the special pays, and the positions it rests on.
    """

    start: date
    end: date
    grade: Mapping[str, Any] | None
    special: tuple[Mapping[str, Any], ...]
    entries: tuple[int, ...]


class PaySegment(NamedTuple):
    """Days [start, end) in service at one pay level; `entries` are the positions it rests on."""

    start: date
    end: date
    level: PayLevel
    entries: tuple[int, ...]

    @property
    def days(self) -> int:
        return (self.end - self.start).days


class PayMonth(NamedTuple):
    """A calendar month's pay in fen for the days asked about.

    `unpriced` counts days in service for which no pay can be told (grade not recorded, no scale);
    they are not in `amount`.
    """

    month: date
    amount: int
    unpriced: int
    segments: tuple[PaySegment, ...]


class PayDifference(NamedTuple):
    """A month whose pay is another at the second position than at the first; fen.

    `entries` are the positions, after the first and up to the second, at which facts of the person
    changed and the month's pay with them: none where only the law changed.
    """

    month: date
    before: int
    after: int
    unpriced_before: int
    unpriced_after: int
    entries: tuple[int, ...]

    @property
    def owed(self) -> int:
        """To be paid to the person; negative: to be recovered."""
        return self.after - self.before


def pay_segments(facts: Iterable[Fact], known: Known, start: date, end: date) -> list[PaySegment]:
    """The pay levels over [start, end), in order and as few as can be.

    Days out of service have none.
    """
    recorded, rules_on, turns = known
    found: list[PaySegment] = []
    for stay in stays(facts, recorded, start, end, turns or ()):
        step = _DAY if turns is None else stay.end - stay.start
        for day in _days(stay.start, stay.end, step):
            level = monthly_pay(stay.grade, stay.special, rules_on(day))
            last = found[-1] if found else None
            if last and (last.end, last.level, last.entries) == (day, level, stay.entries):
                found[-1] = last._replace(end=day + step)
            else:
                found.append(PaySegment(day, day + step, level, stay.entries))
    return found


def stays(
    facts: Iterable[Fact], recorded: int, start: date, end: date, turns: Collection[date]
) -> Iterator[Stay]:
    """The days in service of [start, end) at a position, in order, cut where a fact begins or ends
    and on the days `turns`.
    """
    held = [
        fact
        for fact in facts
        if fact.facet in _NAMES
        and fact.known(recorded)
        and fact.effective < end
        and fact.until > start
    ]
    service, grade, special = (
        [fact for fact in held if fact.facet == facet.name]
        for facet in (SERVICE, GRADE, SPECIAL_PAY)
    )
    cuts = {start, end, *(day for day in turns if start < day < end)}
    cuts.update(day for f in held for day in (f.effective, f.until) if start < day < end)
    for first, following in pairwise(sorted(cuts)):
        as_of = AsOf(first, recorded)
        serves = resolve(service, as_of)
        if serves is None or serves.value is None or serves.value["state"] != "in":
            continue
        holds, extras = resolve(grade, as_of), in_force(special, as_of)
        basis = (serves, *([holds] if holds else []), *extras)
        yield Stay(
            first,
            following,
            holds.value if holds else None,
            tuple(fact.value for fact in extras),
            tuple(sorted({fact.entry for fact in basis})),
        )


def pay_months(paid: Iterable[PaySegment]) -> list[PayMonth]:
    """Each month's pay, in order, of segments in order."""
    months: dict[date, list[PaySegment]] = {}
    for segment in paid:
        for part in _by_month(segment):
            months.setdefault(part.start.replace(day=1), []).append(part)
    return [
        PayMonth(
            month,
            prorated(month, parts),
            sum(part.days for part in parts if part.level.amount is None),
            tuple(parts),
        )
        for month, parts in months.items()
    ]


def prorated(month: date, parts: Iterable[PaySegment]) -> int:
    """A month's fen: each day earns its monthly amount over the calendar days of the month.

    The shares are added up first and rounded once, half up, so that a full month at one level
    comes to that level exactly and no fen is lost at a change within the month.
    """
    length = (add_months(month, 1) - month).days
    total = sum((part.level.amount or 0) * part.days for part in parts)
    return (2 * total + length) // (2 * length)


def pay_difference(
    ids: Sequence[Filed], earlier: int, later: int, start: date, end: date
) -> list[PayDifference]:
    """The months of [start, end) whose pay differs between two positions.

    Of one person: where two ids were merged between the positions, what was paid under either was
    paid to that person.
    """
    then, now = (_added_up(ids, at, start, end) for at in (earlier, later))
    months = [m for m in sorted(then.keys() | now.keys()) if _fen(then, m) != _fen(now, m)]
    if not months:
        return []
    span = max(months[0], start), min(add_months(months[-1], 1), end)
    moved = _moved(ids, earlier, later, *span)
    found = []
    for month in months:
        was, is_ = _fen(then, month), _fen(now, month)
        causes = tuple(sorted(moved.get(month, ())))
        found.append(PayDifference(month, was[0], is_[0], was[1], is_[1], causes))
    return found


class _Paid(NamedTuple):
    """A month's fen, its unpriced days, and the positions that they rest on, under every id."""

    amount: int = 0
    unpriced: int = 0
    entries: frozenset[int] = frozenset()


def _added_up(ids: Iterable[Filed], recorded: int, start: date, end: date) -> dict[date, _Paid]:
    months: dict[date, _Paid] = {}
    for one in ids:
        for each in pay_months(pay_segments(one.facts, one.known(recorded), start, end)):
            paid = months.get(each.month, _Paid())
            months[each.month] = _Paid(
                paid.amount + each.amount,
                paid.unpriced + each.unpriced,
                paid.entries.union(*(part.entries for part in each.segments)),
            )
    return months


def _fen(months: Mapping[date, _Paid], month: date) -> tuple[int, int]:
    return months.get(month, _Paid())[:2]


def _moved(
    ids: Sequence[Filed], earlier: int, later: int, start: date, end: date
) -> dict[date, set[int]]:
    """Month → the positions of (earlier, later] at which its pay became another with the facts.

    What was entered under another id meanwhile is named with the split that brought it.
    """
    facts = [
        fact
        for one in ids
        for fact in one.facts
        if fact.facet in _NAMES and fact.effective < end and fact.until > start
    ]
    positions = {p for f in facts for p in (f.known_from, f.known_to) if earlier < p <= later}
    found: dict[date, set[int]] = {}
    last: tuple[int, dict[date, _Paid]] | None = None
    for position in sorted(positions):
        if last is None or last[0] != position - 1:
            last = position - 1, _added_up(ids, position - 1, start, end)
        then, now = last[1], _added_up(ids, position, start, end)
        last = position, now
        for month in then.keys() | now.keys():
            if _fen(then, month) != _fen(now, month):
                rested, rests = (m.get(month, _Paid()).entries for m in (then, now))
                brought = {p for p in rests - rested - positions if p > earlier}
                found.setdefault(month, set()).update(brought, {position})
    return found


def _by_month(segment: PaySegment) -> Iterator[PaySegment]:
    start = segment.start
    while start < segment.end:
        following = min(add_months(start.replace(day=1), 1), segment.end)
        yield segment._replace(start=start, end=following)
        start = following


def _days(start: date, end: date, step: timedelta) -> Iterator[date]:
    while start < end:
        yield start
        start += step
