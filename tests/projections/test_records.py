"""The rectangle table answers what the fold says: every date, every position."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.acts.discipline import SANCTIONS
from domain.acts.injury import INJURIES
from domain.acts.people import HOST, NUMBER_HOLDER, SERVICE, UNIT
from domain.acts.responsibility import UNIT_HEAD
from domain.acts.rewards import REWARDS
from domain.acts.units import UNIT_PARENT, UNIT_STATE
from domain.bitemporal import AsOf
from domain.events import FACETS
from domain.ledger import Receipt
from domain.record import Record
from domain.refusals import UnknownSubject
from projections.filling import fill
from projections.records import Records
from projections.roster import headcount, roster
from replay.verify import verify
from tests.histories import STEPS, History, sample_steps

SINGLE = [f for f in FACETS.values() if not f.many]
LOTS = 30 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 1  # each in a fresh ledger
MANY = [REWARDS, SANCTIONS, INJURIES, NUMBER_HOLDER, UNIT_HEAD]


class Folded:
    """The pure answers: one history's entries folded, asked the slow and obvious way."""

    def __init__(self, ledger, history):
        self.history = history
        self.subjects = set(history.subjects)
        self.record = Record.fold(ledger.entries(after=history.first - 1, until=history.head))
        self.strands = {
            (f.facet, f.subject, f.slot)
            for f in self.record.every_version()
            if not FACETS[f.facet].many
        }

    def versions(self, subject):
        return ordered(f for f in self.record.every_version() if f.subject == subject)

    def at(self, as_of):
        found = (
            self.record.at(FACETS[facet], subject, as_of, slot)
            for facet, subject, slot in self.strands
        )
        return [fact for fact in found if fact is not None]

    def every(self, facet, as_of):
        subjects = self.record.subjects(facet)
        return ordered(f for s in subjects for f in self.record.every(facet, s, as_of))


def ordered(facts):
    return sorted(facts, key=lambda f: (f.subject, f.facet, f.slot, f.root, f.known_from))


def below(unit, parents):
    children = [c for c, parent in parents.items() if parent == unit]
    return {unit}.union(*(below(c, parents) for c in children))


@pytest.mark.parametrize("lot", range(LOTS))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, cuts=st.lists(st.integers(0, 40), max_size=5))
def test_whatever_is_entered_every_answer_equals_the_folds(bureau, lot, steps, cuts):
    history = History(bureau.ledger).play(steps)
    for cut in sorted(cuts):
        list(bureau.runner.catch_up(until=min(history.first + cut, history.head)))
    list(bureau.runner.catch_up())
    folded = Folded(bureau.ledger, history)
    records = bureau.records
    for subject in history.subjects:
        assert ordered(records.of(subject)) == folded.versions(subject)
    for k in range(history.first - 1, history.head + 1):
        for n, day in enumerate(history.days()):
            as_of = AsOf(day, k)
            expected = folded.at(as_of)
            assert_answers(records, folded, as_of, expected, MANY[(k + n) % len(MANY)])
            if (k + n) % 7 == 0:
                assert_places(records, history, as_of, expected)


def assert_answers(records, folded, as_of, expected, facet):
    subjects = sorted(folded.subjects)
    of_ours = ordered(f for f in expected if f.subject in folded.subjects)
    assert ordered(records.at(SINGLE, subjects, as_of)) == of_ours
    ours = (f for f in records.in_force(facet, as_of) if f"{folded.history.scope}-" in f.subject)
    assert ordered(ours) == folded.every(facet, as_of)


def assert_places(records, history, as_of, expected):
    """Who is where: by reference, by roster of a unit and all below it, and of everyone."""
    values = {(f.facet, f.subject.partition(":")[2]): f.value or {} for f in expected}
    for facet in (UNIT, HOST, UNIT_PARENT):
        referring = [f for f in expected if f.facet == facet.name and f.ref in history.units]
        assert ordered(records.holding(facet, history.units, as_of)) == ordered(referring)
    everyone = [
        fact
        for kind in {facet.of for facet in SINGLE}
        for fact in records.everyone([f for f in SINGLE if f.of == kind], as_of)
    ]
    assert ordered(f for f in everyone if f"{history.scope}-" in f.subject) == ordered(expected)
    parents = {u: v["parent"] for (facet, u), v in values.items() if facet == UNIT_PARENT.name}
    for unit in history.units:
        if (UNIT_STATE.name, unit) not in values:
            with pytest.raises(UnknownSubject):
                roster(records, as_of, unit)
            continue
        under = below(unit, parents)
        serving = {
            p: (
                values.get((UNIT.name, p), {}).get("unit"),
                values.get((HOST.name, p), {}).get("unit"),
            )
            for p in (s.removeprefix("person:") for s in history.subjects)
            if values.get((SERVICE.name, p), {}).get("state") == "in"
        }
        lines = roster(records, as_of, unit)
        assert {x.person: (x.unit, x.host) for x in lines} == {
            p: places for p, places in serving.items() if under & set(places)
        }
        assert sum(n for _, n in headcount(records, as_of, "grade", unit)) == len(lines)


@pytest.fixture
def played(bureau):
    """A ledger with histories of every kind of act in it, and how many acts were accepted."""
    histories = [History(bureau.ledger).play(sample_steps(seed)) for seed in range(8)]
    answers = [a for history in histories for a in history.answers]
    assert sum(isinstance(a, Receipt) for a in answers) > len(answers) / 2
    return bureau


def rows(bureau, name):
    return list(Records(bureau.pool, name).every_version())


def filled(bureau, name, until, **how):
    records = Records(bureau.pool, name)
    with bureau.pool.connection() as connection:
        records.create(connection, indexed=False)
    fill(bureau.ledger.log, bureau.database, name, until, **how)
    return rows(bureau, name)


def test_following_in_any_steps_one_fill_several_processes_and_one_fold_give_the_same_rows(played):
    head = played.ledger.log.head()
    for until in (*range(1, 30), *range(30, head, 7), head):
        list(played.runner.catch_up(until=until))
    live = rows(played, "records")
    assert filled(played, "alone", head, processes=1) == live
    assert filled(played, "shared", head, processes=3, alone_below=0) == live
    fold = Record.fold(played.ledger.entries())
    assert sorted(fold.every_version(), key=str) == sorted(live, key=str)
    assert len(live) > 300


def test_a_fill_up_to_an_earlier_position_gives_what_was_known_then(played):
    middle = played.ledger.log.head() // 2
    fold = Record.fold(played.ledger.entries(until=middle))
    assert sorted(filled(played, "half", middle, processes=1), key=str) == sorted(
        fold.every_version(), key=str
    )


def test_the_order_of_entry_of_unrelated_acts_changes_no_answer(bureau):
    """Two histories interleaved answer as each does alone."""
    ledger = bureau.ledger
    one, other = History(ledger), History(ledger)
    for a, b in zip(sample_steps(1), sample_steps(2), strict=True):
        one.play([a])
        other.play([b])
    list(bureau.runner.catch_up())
    assert verify(bureau.runner, bureau.database).green
    for history in (one, other):
        tags = {*history.subjects}
        fold = Record.fold(e for e in ledger.entries() if tags & set(e.tags))
        for subject in history.subjects:
            found = [f for f in fold.every_version() if f.subject == subject]
            assert ordered(bureau.records.of(subject)) == ordered(found)
