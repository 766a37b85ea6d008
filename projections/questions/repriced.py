"""What everybody's pay becomes under a pack that is not published yet.

Owns no table. Invariant: the same facts, as known at one position, are priced under both laws, so
the pack alone makes a difference; what its publication then makes of them is what was listed.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from domain.acts.pay import PayLevel
from domain.acts.people import SERVICE
from domain.bitemporal import AsOf, Fact
from domain.law import Law, Pack
from domain.ledger import Ledger
from domain.workdays import add_months
from projections.pay import Filed, Known, PaySegment, pay_difference, pay_segments
from projections.questions.law import Published, rules_of
from projections.questions.retro import Held, facts_by_id, grouped, tree_days
from projections.records import Records


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
    records: Records, ledger: Ledger, pack: Pack, as_of: AsOf, end: date, start: date | None = None
) -> Repriced:
    """Whose pay differs from when, on the days from `start` (the first that can differ) up to
    `end`, as known at the position; in order of person and day.
    """
    law = Published(ledger, as_of.recorded).at(as_of.recorded)
    other = law.with_pack(pack)
    since = first_day(law, pack)
    if since is None:
        return Repriced(0, None, [])
    start = max(since, start or since)
    moved = tree_days(records, as_of.recorded)
    units = Held(records)
    served = records.changed([SERVICE], 0, as_of.recorded) if start < end else []
    people = grouped(served, ledger.forest(as_of.recorded))
    lines: list[Line] = []
    for person, ids in facts_by_id(records, people):
        for alias, facts in ids.items():
            units.hold(facts)
            then, now = (
                Known(as_of.recorded, rules, one.pay_days | moved)
                for one in (law, other)
                for rules in (rules_of(units, one, alias, as_of.recorded),)
            )
            lines += _lines(person, facts, then, now, (start, end))
    return Repriced(len(people), since, lines)


def _lines(
    person: str, facts: Sequence[Fact], then: Known, now: Known, days: tuple[date, date]
) -> list[Line]:
    segments = (pay_segments(facts, known, *days) for known in (then, now))
    runs: list[Line] = []
    for first, until, before, after in _side_by_side(*segments):
        if before.amount == after.amount:
            continue
        line = Line(person, after.grade, first, until, before.amount, after.amount, 0)
        last = runs[-1] if runs else None
        if last and last.until == first and last._replace(since=first, until=until) == line:
            runs[-1] = last._replace(until=until)
        else:
            runs.append(line)
    if not runs:
        return []
    for month in pay_difference([Filed(facts, then, now)], days[0].replace(day=1), days[1]):
        # of two differences that begin within a month the later one is told what the month owes
        at = max(n for n, run in enumerate(runs) if run.since < add_months(month.month, 1))
        runs[at] = runs[at]._replace(owed=runs[at].owed + month.owed)
    return runs


def _side_by_side(
    then: Sequence[PaySegment], now: Sequence[PaySegment]
) -> Iterator[tuple[date, date, PayLevel, PayLevel]]:
    """Days [first, until) with the level of each; both cover the same days."""
    cuts = sorted({day for part in (*then, *now) for day in (part.start, part.end)})
    left, right = 0, 0
    for first, until in pairwise(cuts):
        while left < len(then) and then[left].end <= first:
            left += 1
        while right < len(now) and now[right].end <= first:
            right += 1
        if left < len(then) and then[left].start <= first:
            yield first, until, then[left].level, now[right].level
