"""What is said of who answered for whom, held against the naive telling of it; what was found,
against what is found again.
"""

import itertools
from collections import defaultdict
from datetime import date
from functools import cache
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from domain.bitemporal import AsOf
from domain.case import Finding
from domain.events import Entry, FactAnnulled
from domain.record import Record
from domain.refusals import UnknownSubject
from projections import accountability
from projections.charges import View, standing
from projections.findings import of_entries, of_subjects
from projections.journal import STANDS, standings
from projections.questions.answering import everybody
from projections.questions.at_hand import AtHand
from projections.records import Records
from projections.roster import roster
from projections.undermined import Undermining
from tests.answerable import BEARING, Answerable, Named, Seat, Told
from tests.oracle import Held

OVER = {"relieved": "over", "term-ended": "over"}


def answers_agree(lives: Any, fold: Record, days: list[date], head: int) -> None:
    """Who answered for each person and who sat in each unit's seats, at each position that
    bears on it; at the last also for whom each officer answered, what is said of the whole
    time, and where the answer about a day became another.
    """
    rows = SimpleNamespace(versions=cache(lives.records.versions),
                           referring=cache(lives.records.referring))  # fmt: skip
    before: list[Held] = []
    told = Answerable(before)
    changed: defaultdict[tuple[str, date], dict[int, Any]] = defaultdict(dict)
    for known in range(lives.first - 1, head + 1):
        facts = [f for f in lives.oracle.facts(known) if f.facet in BEARING]
        if facts == before:
            continue
        before, told = facts, Answerable(facts)
        view = View(fold.versions, known)
        for day in days:
            for person in lives.people:
                found = accountability.answer(rows, person, AsOf(day, known))
                ours = told.answer(person, day)
                _agree(found, ours)
                changed[person, day][known] = ours.who
            for unit, tier in itertools.product(lives.units, ("head", "deputy")):
                sitting = {c.root for c in standing(view, tier, unit, day)}
                taken = {(f.facet, f.root) for f in told.standing(tier, unit, day)}
                assert sitting == taken, (unit, tier, day, known)
        unit = lives.units[known % len(lives.units)]
        for day in days[known % 5 :: 5]:
            _everybody_agrees(lives.records, unit, AsOf(day, known), told)
    for officer, day in itertools.product(lives.officers, days):
        charged = accountability.of_officer(rows, officer, AsOf(day, head))
        named = {(person, told.named(fact, day)) for person in lives.everyone
                 for fact in told.charged(person, day) if fact.value["officer"] == officer}  # fmt: skip
        assert {(c.person, _named(c.holder)) for c in charged} == named, (officer, day)
    for (person, day), said in changed.items():
        if days.index(day) % 4 == 0:
            both = accountability.then_and_now(rows, person, day, lives.first - 1, head)
            turned = {k for (_, was), (k, now) in pairwise(said.items()) if was != now}
            # a cause alone may have become another
            assert turned <= set(both.entries) <= said.keys(), (both, turned)
    for person in lives.people:
        stretches = accountability.over(rows, person, days[0], days[-1], head)
        for day in days[:-1]:
            [found] = [x.answer for x in stretches if x.start <= day < x.end]
            _agree(found, told.answer(person, day)._replace(ceased=()))


def _everybody_agrees(records: Records, unit: str, as_of: AsOf, told: Answerable) -> None:
    """Who serves in a unit and beneath it, and who answers for each."""
    day = as_of.effective
    try:
        lines = roster(records, as_of, unit)
    except UnknownSubject:
        assert told.held("unit-state", f"unit:{unit}", day) is None
    else:
        assert sorted(line.person for line in lines) == told.roster(unit, day)
        found = everybody(AtHand(records, as_of.recorded), records, as_of, unit)
        for answer, (person, ours) in zip(found, told.of_many(unit, day), strict=True):
            assert answer.person == person, (unit, as_of)
            _agree(answer, ours)


def findings_agree(lives: Any, head: int) -> None:
    """What was found on entering is found again, however many acts share a reading; of some
    subjects, what of it stands.
    """
    entries = list(lives.ledger.entries(after=lives.first - 1, until=head))
    again = {f.entry.position: f.findings for f in of_entries(lives.ledger, entries, 5)}
    annulling = {e.position for e in entries if e.cls is FactAnnulled}
    told = {p: found for p, found in lives.found.items() if p not in annulling}
    assert {p: found for p, found in again.items() if found} == told
    tags = [*(f"unit:{u}" for u in lives.units), *(f"person:{p}" for p in lives.everyone)]
    became = standings(entries)
    standing = _with_undermined(lives, entries, head, {
        p: found for p, found in told.items() if became[p] == STANDS
    })  # fmt: skip
    for together in (1, 3, len(tags)):
        shares: list[float] = []
        found = of_subjects(lives.ledger, tags, head, shares.append, together)
        assert [(f.entry.position, f.findings) for f in found] == standing
        assert shares == sorted(shares)
        assert 0 < shares[0] <= shares[-1] <= 1


def _with_undermined(
    lives: Any, entries: list[Entry], head: int, told: dict[int, list[Finding]]
) -> list[tuple[int, list[Finding]]]:
    """With what undermined each act that stands: asked of every entry, whatever its day."""
    undermining, became = Undermining(lives.ledger, head), standings(entries)
    found = defaultdict(list, {p: list(findings) for p, findings in told.items()})
    for entry in entries:
        for one in undermining.found(entry):
            act, by = one.act.position, one.by.position
            if by == entry.position and became[by] == became.get(act) == STANDS:
                found[act].append(one.of_act())
    return sorted(found.items())


def _agree(found: accountability.Answer, told: Told) -> None:
    ceased = tuple(_named(h) for h in found.outgoing)
    ours = (found.service, found.unit, found.seconded, ceased)
    assert ours == (*told[:3], told.ceased), (found, told)
    _agree_on_lines(found.lines, told.seats)


def _named(h: accountability.Holder) -> Named:
    return Named(h.capacity, h.unit, h.seat, h.officer, h.acting, h.state, h.entries)


def _agree_on_lines(lines: tuple[accountability.Line, ...], seats: tuple[Seat, ...]) -> None:
    for line, seat in zip(lines, seats, strict=True):
        cause = OVER.get(line.cause, line.cause)
        assert cause in seat.causes if seat.causes else cause is None, (line, seat)
        named = tuple(_named(h) for h in line.holders)
        assert (*line[:4], named, line.overlap, line.since) == seat[:7], (line, seat)
        _agree_on_lines(line.beside, seat.beside)
