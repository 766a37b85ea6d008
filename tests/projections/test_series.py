"""Series by month equal what the questions of one day answer for each month's last day."""

import os
from collections import Counter
from datetime import date
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.acts.grades import GradeConverted, GradeRated
from domain.acts.movement import AuxiliaryTransferred
from domain.acts.officers import OfficerAppointed
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.responsibility import (
    ActingHeadAppointed,
    DeputyHeadAppointed,
    DeputyHeadRelieved,
    SupervisingOfficerAssigned,
    SupervisingOfficerRelieved,
    UnitHeadAppointed,
    UnitHeadRelieved,
)
from domain.acts.units import UnitDissolved, UnitEstablished, UnitMoved
from domain.bitemporal import AsOf
from domain.events import FactAnnulled, Proposal
from domain.ledger.requests import Request
from domain.refusals import UnknownSubject
from projections.accountability import answer, seats
from projections.charges import View
from projections.questions import series
from projections.questions.series import Asked, last_days
from projections.roster import headcount, roster, tree
from tests.histories import DAYS, FIRST, STEPS, STRIDE, History

LOTS = 10 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 1
MONTHS = last_days(date(2020, 12, 1), (FIRST + STRIDE * (DAYS + 2)).replace(day=1))


def naive_pyramid(records, pair, unit):
    try:
        counts = dict(headcount(records, pair, "grade", unit))
    except UnknownSubject:
        return None
    return counts


def naive_vacancies(records, pair, unit):
    stands = tree(records, pair)
    if unit is not None and unit not in stands.states:
        return None
    counts = Counter(dict.fromkeys(series.SEATS, 0))
    for one, state in stands.states.items():
        if state == "active" and (unit is None or one in stands.below(unit)):
            for line in seats(View(records.versions, pair.recorded), one, pair.effective):
                counts["seats"] += line.status != "not-recorded"
                counts[line.capacity] += line.status == "vacant"
                counts[f"acting-{line.capacity}"] += line.status == "acting"
    return dict(counts)


def naive_gaps(records, pair, unit):
    stands = tree(records, pair)
    if unit is not None and unit not in stands.states:
        return None
    counts = Counter(dict.fromkeys(series.GAPS, 0))
    for line in roster(records, pair, unit):
        found = answer(records, line.person, pair)
        if unit is None or found.unit in stands.below(unit):
            vacant = {seat.capacity for seat in found.lines if seat.status == "vacant"}
            counts.update(vacant)
            counts["persons"] += bool(vacant)
    return dict(counts)


NAIVE = {
    series.pyramid: naive_pyramid,
    series.vacancies: naive_vacancies,
    series.gaps: naive_gaps,
}


@pytest.mark.parametrize("lot", range(LOTS))
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, cut=st.integers(1, 60))
def test_each_month_says_what_the_question_of_its_last_day_says(bureau, lot, steps, cut):
    history = History(bureau.ledger).play(steps)
    list(bureau.runner.catch_up())
    records = bureau.records
    for recorded in (min(history.first + cut, history.head), history.head):
        for unit in history.units[:2]:
            asked = Asked(MONTHS, recorded, unit)
            pairs = [AsOf(day, recorded) for day in MONTHS]
            for counted, naive in NAIVE.items():
                expected = [naive(records, pair, unit) for pair in pairs]
                if all(one is None for one in expected):
                    with pytest.raises(UnknownSubject):
                        counted(records, asked)
                else:
                    assert counted(records, asked) == expected


# one station, half a year


def act(event, day):
    return Proposal(event, date.fromisoformat(day))


@pytest.fixture
def half_year(bureau):
    """Station s of bureau b from January; x heads it to March and acts from May on; y is deputy
    till April; a comes in February, b2 in March, and leaves for bureau b in June. Returns
    (records, a function of the position that answers a series).
    """
    entered = bureau.ledger.enter(
        Request(
            [
                act(UnitEstablished(unit="b", name="局", kind="bureau"), "2023-01-01"),
                act(UnitEstablished(unit="s", name="所", parent="b"), "2024-01-10"),
                *(
                    act(PersonRegistered(person=p), "2024-01-01")
                    for p in ("x", "y", "a", "b2")
                ),
                act(OfficerAppointed(person="x", unit="s"), "2024-01-10"),
                act(OfficerAppointed(person="y", unit="s"), "2024-01-10"),
                act(UnitHeadAppointed(unit="s", officer="x"), "2024-01-10"),
                act(DeputyHeadAppointed(unit="s", officer="y"), "2024-01-10"),
                act(AuxiliaryHired(person="a", unit="s", category="field"), "2024-02-29"),
                act(AuxiliaryHired(person="b2", unit="s", category="field"), "2024-03-01"),
                act(GradeRated(person="a", grade="g1"), "2024-02-29"),
                act(GradeConverted(person="a", grade="g2", ladder="l"), "2024-05-31"),
                act(SupervisingOfficerAssigned(person="a", officer="x"), "2024-03-01"),
                act(UnitHeadRelieved(unit="s", officer="x"), "2024-03-20"),
                act(DeputyHeadRelieved(unit="s", officer="y"), "2024-04-30"),
                act(SupervisingOfficerRelieved(person="a", officer="x"), "2024-05-31"),
                act(ActingHeadAppointed(unit="s", officer="x"), "2024-05-02"),
                act(AuxiliaryTransferred(person="b2", unit="b"), "2024-06-30"),
            ],
            mood="attested", attested_by="registry",
        )
    )  # fmt: skip
    list(bureau.runner.catch_up())
    days = last_days(date(2023, 12, 1), date(2024, 7, 1))

    def ask(question, unit=None, recorded=entered.position):
        return question(bureau.records, Asked(days, recorded, unit))

    return bureau, ask


@pytest.mark.parametrize("unit", [None, "b", "s"])
@pytest.mark.parametrize("question", NAIVE)
def test_half_a_year_equals_the_questions_of_its_days(half_year, question, unit):
    bureau, ask = half_year
    recorded = bureau.ledger.log.head()
    pairs = [AsOf(day, recorded) for day in last_days(date(2023, 12, 1), date(2024, 7, 1))]
    assert ask(question, unit) == [NAIVE[question](bureau.records, pair, unit) for pair in pairs]


def test_a_month_counts_its_last_day(half_year):
    _, ask = half_year
    assert [sum(c.values()) for c in ask(series.headcount)] == [0, 0, 1, 2, 2, 2, 2]
    assert ask(series.pyramid)[2:6] == [
        {"g1": 1}, {"g1": 1, None: 1}, {"g1": 1, None: 1}, {"g2": 1, None: 1},
    ]  # fmt: skip


def test_before_a_unit_is_recorded_its_months_are_not_recorded(half_year):
    _, ask = half_year
    counts = ask(series.headcount, "s")
    assert counts[0] is None
    assert [sum(c.values()) for c in counts[1:]] == [0, 1, 2, 2, 2, 1]
    with pytest.raises(UnknownSubject):
        ask(series.headcount, "elsewhere")


def test_a_seat_is_vacant_from_when_its_last_holder_left_and_acting_is_told_apart(half_year):
    _, ask = half_year
    counted = ask(series.vacancies, "s")
    assert counted[0] is None
    assert [c["head"] for c in counted[1:]] == [0, 0, 1, 1, 0, 0]
    assert [c["acting-head"] for c in counted[1:]] == [0, 0, 0, 0, 1, 1]
    assert [c["deputy"] for c in counted[1:]] == [0, 0, 0, 1, 1, 1]
    assert [c["seats"] for c in counted[1:]] == [2] * 6


def test_a_gap_is_a_person_for_whom_nobody_answers_any_more(half_year):
    _, ask = half_year
    counted = ask(series.gaps)
    assert [c["head"] for c in counted] == [0, 0, 0, 2, 2, 0, 0]
    assert [c["deputy"] for c in counted] == [0, 0, 0, 0, 2, 2, 1]
    assert [c["supervisor"] for c in counted] == [0, 0, 0, 0, 0, 1, 1]
    assert [c["persons"] for c in counted] == [0, 0, 0, 2, 2, 2, 1]


def test_a_dissolved_unit_has_no_vacancies_and_one_that_moved_counts_where_it_is(half_year):
    bureau, ask = half_year
    at = bureau.ledger.enter(
        Request(
            [
                act(UnitEstablished(unit="c", name="二局", kind="bureau"), "2024-01-01"),
                act(UnitMoved(unit="s", parent="c"), "2024-04-15"),
                act(UnitDissolved(unit="s"), "2024-06-01"),
            ],
            mood="attested", attested_by="registry",
        )
    ).position  # fmt: skip
    list(bureau.runner.catch_up())
    assert [sum(c.values()) for c in ask(series.headcount, "c", at)[1:]] == [0, 0, 0, 2, 2, 1]
    assert [c["head"] for c in ask(series.vacancies, "c", at)[1:]] == [0, 0, 0, 1, 0, 0]
    assert [c["seats"] for c in ask(series.vacancies, None, at)[1:]] == [2, 2, 2, 2, 2, 0]


def test_a_series_says_what_its_position_knew(half_year):
    bureau, ask = half_year
    entries = bureau.ledger.entries()
    hired = next(e for e in entries if e.type == "AuxiliaryHired" and e.fields["person"] == "b2")
    undone = Proposal(FactAnnulled(), hired.effective, annuls=UUID(hired.id), reason="未到岗")
    at = bureau.ledger.enter(Request([undone], mood="attested", attested_by="registry")).position
    list(bureau.runner.catch_up())
    assert [sum(c.values()) for c in ask(series.headcount)] == [0, 0, 1, 2, 2, 2, 2]
    assert [sum(c.values()) for c in ask(series.headcount, recorded=at)] == [0, 0, 1, 1, 1, 1, 1]
