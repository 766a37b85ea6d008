from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from domain.acts.dues import declared
from domain.acts.exit import AuxiliaryResigned
from domain.acts.injury import (
    DISABILITY,
    INJURIES,
    RECOGNITION,
    DisabilityGraded,
    InjuryRecognised,
    InjuryRecognitionApplied,
    InjuryReported,
)
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitEstablished
from domain.law import Law, Pack, load_calendars
from domain.refusals import (
    AlreadyRecorded,
    LawForbids,
    NotInService,
    UnknownFact,
    UnknownSubject,
)
from tests.given import Story, act

STEPS = """
code = "370000"
zh = "某省"
en = "A province"
version = "1"
status = "in-force"

[[rule]]
id = "injury-steps"
kind = "steps_in_order"
since = 2015-01-01
article = "办法 40"
source = "a text [read]"
strength = "block"
zh = "先认定、后鉴定"
en = "Recognised before graded"
values = { steps = ["reported", "recognised", "graded"] }
"""


def hired(place: str | None = "440000", law: Law | None = None) -> Story:
    return Story(law).given(
        act(UnitEstablished(unit="u1", name="城东所", division=place), "2010-01-01"),
        act(PersonRegistered(person="p1"), "2020-01-01"),
        act(AuxiliaryHired(person="p1", unit="u1", category="field"), "2020-01-06"),
    )


def hurt(place: str | None = "440000", law: Law | None = None) -> Story:
    return hired(place, law).given(act(InjuryReported(person="p1", injury="i1"), "2021-09-03"))


def recognised(outcome: Any = "recognised", **fields: Any) -> InjuryRecognised:
    return InjuryRecognised(person="p1", injury="i1", outcome=outcome, **fields)


def graded(grade: int, **fields: Any) -> DisabilityGraded:
    return DisabilityGraded(person="p1", injury="i1", disability_grade=grade, **fields)


def test_an_injury_stands_on_the_record_from_its_day_and_outlasts_service() -> None:
    story = hired().when(
        act(InjuryReported(person="p1", injury="i1", cause="追捕时摔伤"), "2021-09-03")
    )
    story.when(act(InjuryReported(person="p1", injury="i2"), "2022-01-05"))
    story.given(act(AuxiliaryResigned(person="p1"), "2022-03-01"))
    assert story.every(INJURIES, "p1", "2021-09-02") == []
    assert story.every(INJURIES, "p1", "2023-01-01") == [
        {"injury": "i1", "kind": "accident"},
        {"injury": "i2", "kind": "accident"},
    ]


def test_place_and_cause_are_health_data() -> None:
    marks = {name: mark.cls for name, mark in InjuryReported.private.items()}
    assert marks == {"place": "health", "cause": "health"}


def test_one_injury_is_reported_once() -> None:
    again = act(InjuryReported(person="p1", injury="i1"), "2021-08-01")
    hurt().refused(again, AlreadyRecorded, "attested", field="injury")


def test_an_accident_happens_in_service_and_a_disease_may_show_later() -> None:
    story = hired().given(act(AuxiliaryResigned(person="p1"), "2022-03-01"))
    accident = act(InjuryReported(person="p1", injury="i1"), "2022-03-01")
    story.refused(accident, NotInService, "attested", field="person")
    story.when(act(InjuryReported(person="p1", injury="i1", kind="disease"), "2022-04-01"))
    assert story.every(INJURIES, "p1", "2022-04-01") == [{"injury": "i1", "kind": "disease"}]


@pytest.mark.parametrize(
    "event",
    [InjuryRecognitionApplied(person="p1", injury="i1"), recognised(), graded(7)],
)
def test_nothing_is_decided_on_an_injury_not_on_this_record(event: Any) -> None:
    unheard = act(event, "2021-10-08")
    hired().refused(unheard, UnknownFact, "attested", field="injury")
    hurt().refused(act(event, "2021-09-02"), UnknownFact, "attested", field="injury")
    stranger = event.model_copy(update={"person": "p9"})
    hurt().refused(act(stranger, "2021-10-08"), UnknownSubject, "attested", field="person")


@pytest.mark.parametrize(
    ("by", "day", "rule"),
    [
        # the thirtieth day is a holiday; the term ends on the first working day after
        ("employer", "2021-10-08", None),
        ("employer", "2021-10-09", "injury-report"),
        ("worker", "2022-09-05", None),
        ("worker", "2022-09-06", "injury-report-by-worker"),
    ],
)
def test_a_late_application_is_found_and_never_refused(by: Any, day: str, rule: str | None) -> None:
    applied = InjuryRecognitionApplied(person="p1", injury="i1", by=by)
    story = hurt().when(act(applied, day))
    assert [(f.rule, f.article) for f in story.findings] == (
        [(rule, "工伤保险条例 17")] if rule else []
    )
    assert hurt("none").when(act(applied, day)).findings == []


def test_the_report_starts_the_time_that_the_application_keeps() -> None:
    due = InjuryRecognitionApplied.due
    assert declared()[due] == ("InjuryRecognitionApplied",)
    assert (due.after, due.on, due.rule) == (("InjuryReported",), "injury", "injury-report")


def test_the_last_decision_on_an_injury_answers() -> None:
    story = hurt().when(act(InjuryRecognitionApplied(person="p1", injury="i1"), "2021-09-10"))
    story.when(act(recognised("refused"), "2021-11-01"))
    assert story.value(RECOGNITION, "p1", "2021-10-31", "i1")["outcome"] == "pending"
    story.when(act(recognised("deemed", decision_number="甬人社工认〔2022〕1号"), "2022-06-01"))
    assert story.value(RECOGNITION, "p1", "2021-12-01", "i1")["outcome"] == "refused"
    assert story.value(RECOGNITION, "p1", "2022-06-01", "i1") == {
        "injury": "i1",
        "outcome": "deemed",
        "decision_number": "甬人社工认〔2022〕1号",
    }


def test_injuries_of_one_person_are_decided_apart() -> None:
    story = hurt().given(act(InjuryReported(person="p1", injury="i2"), "2021-10-11"))
    story.when(act(InjuryRecognitionApplied(person="p1", injury="i2"), "2021-11-10"))
    assert story.findings == []
    story.when(act(recognised(), "2021-11-12"))
    assert story.value(RECOGNITION, "p1", "2021-11-12", "i2")["outcome"] == "pending"
    story.when(act(graded(7), "2022-02-01"))
    assert story.value(DISABILITY, "p1", "2022-02-01", "i2") is None


def test_a_late_decision_of_the_insurer_is_found() -> None:
    # sixty days from 3 September are over on 2 November
    accepted = date(2021, 9, 3)
    in_time = hurt().when(act(recognised(accepted_on=accepted), "2021-11-02"))
    assert in_time.findings == []
    late = hurt().when(act(recognised(accepted_on=accepted), "2021-11-03"))
    assert late.rules_found() == {"injury-recognition"}
    grading = graded(7, applied_on=accepted)
    assert hurt().when(act(grading, "2021-11-03")).rules_found() == {"injury-appraisal"}


def test_a_regrading_answers_from_its_day() -> None:
    story = hurt().when(act(graded(7), "2022-02-01"))
    story.when(act(graded(4, care_level=3), "2023-02-01"))
    assert story.value(DISABILITY, "p1", "2023-01-31", "i1")["disability_grade"] == 7
    assert story.value(DISABILITY, "p1", "2023-02-01", "i1") == {
        "disability_grade": 4,
        "care_level": 3,
        "injury": "i1",
    }


def test_a_grade_the_law_does_not_know_is_refused_when_ordered_and_found_when_attested() -> None:
    odd = act(graded(11), "2022-02-01")
    story = hurt()
    story.refused(
        odd, LawForbids, field="disability_grade", rule="disability-grade-list",
        article="工伤保险条例 22",
    )  # fmt: skip
    assert story.when(odd, "attested").rules_found() == {"disability-grade-list"}
    assert hurt("none").when(odd).findings == []


def test_after_leaving_the_law_is_that_of_the_unit_on_the_day_of_the_injury() -> None:
    story = hurt().given(act(AuxiliaryResigned(person="p1"), "2021-12-01"))
    story.refused(act(graded(11), "2022-02-01"), LawForbids, rule="disability-grade-list")


def test_only_a_recognised_injury_is_graded_where_a_rule_in_force_says_so() -> None:
    law = Law([Pack.parse(STEPS)], load_calendars().values())
    too_soon = act(graded(7), "2022-02-01")
    story = hurt("370000", law=law)
    story.given(act(recognised("refused"), "2021-11-01"))
    story.refused(too_soon, LawForbids, field="injury", rule="injury-steps", article="办法 40")
    assert story.when(too_soon, "attested").rules_found() == {"injury-steps"}
    story.given(act(recognised("deemed"), "2022-03-01"))
    assert story.when(act(graded(7), "2022-03-02")).findings == []


def test_care_levels_end_at_three() -> None:
    with pytest.raises(ValidationError, match="care_level"):
        graded(4, care_level=4)
