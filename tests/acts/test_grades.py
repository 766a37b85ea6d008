from datetime import date
from functools import cache
from typing import Any

import pytest

from domain.acts.discipline import SanctionImposed, SanctionLifted
from domain.acts.grades import (
    GRADE,
    AuxiliaryDemoted,
    AuxiliaryPromoted,
    GradeConverted,
    GradeRated,
)
from domain.acts.openings import RecordOpened
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitEstablished
from domain.law import Law, Pack, load_calendars
from domain.refusals import AlreadyRecorded, LawForbids, NotInService, RecordForbids, UnknownSubject
from tests.given import Story, act

PACK = """
code = "370000"
zh = "某省"
en = "A province"
version = "1"
status = "in-force"

[[ladder]]
id = "six"
version = "1"
since = 2015-01-01
article = "办法 5"
source = "a text [read]"
zh = "层级"
en = "Ladder"
initial_by_education = { "20" = "g2" }
grades = [
    { code = "g1", zh = "一", en = "One", class = "m", track = "m", mode = "natural" },
    { code = "g2", zh = "二", en = "Two", class = "m", track = "m", mode = "assessment", min_months = 24 },
    { code = "g3", zh = "三", en = "Three", class = "m", track = "m", mode = "selection" },
    { code = "h1", zh = "长", en = "Head", class = "h", track = "h", mode = "selection" },
]

[[rule]]
id = "promotion-one-step"
kind = "ceiling"
since = 2015-01-01
article = "办法 6"
source = "a text [read]"
strength = "block"
zh = "逐级晋升"
en = "One step"
values = { unit = "steps", limit = 1 }

[[rule]]
id = "promotion-months"
kind = "floor"
since = 2015-01-01
article = "办法 7"
source = "a text [read]"
strength = "block"
zh = "任职年限"
en = "Months below"
values = { unit = "months", baseline = "min_months" }

[[rule]]
id = "promotion-mode"
kind = "eligibility"
since = 2015-01-01
article = "办法 8"
source = "a text [read]"
strength = "block"
zh = "晋升方式"
en = "Mode"
values = { conditions = ["mode-of-the-grade"] }

[[rule]]
id = "promotion-no-sanction"
kind = "eligibility"
since = 2015-01-01
article = "办法 9"
source = "a text [read]"
strength = "block"
zh = "处理期内不得晋升"
en = "Not while sanctioned"
values = { conditions = ["no-live-sanction"] }

[[list]]
id = "sanction-kinds"
since = 2015-01-01
article = "办法 10"
source = "a text [read]"
zh = "处理种类"
en = "Sanctions"
members = [
    { code = "warning", zh = "警告", en = "Warning", months = 6, effects = ["blocks_promotion"] },
    { code = "talk", zh = "谈话", en = "Talk" },
]
"""


@cache
def in_force() -> Law:
    return Law([Pack.parse(PACK)], load_calendars().values())


def hired(place: str | None, law: Law | None = None) -> Story:
    return Story(law).given(
        act(UnitEstablished(unit="u1", name="城东所", division=place), "2010-01-01"),
        act(PersonRegistered(person="p1", education="20"), "2020-01-01"),
        act(AuxiliaryHired(person="p1", unit="u1", category="field"), "2020-01-06"),
    )


def rated(place: str | None, grade: str, law: Law | None = None) -> Story:
    return hired(place, law).given(act(GradeRated(person="p1", grade=grade), "2020-03-01"))


def opened(grade: str | None) -> Story:
    story = Story(in_force()).given(
        act(UnitEstablished(unit="u1", name="城东所", division="370000"), "2010-01-01"),
        act(PersonRegistered(person="p1"), "2022-01-01"),
    )
    return story.given(act(RecordOpened(person="p1", unit="u1", grade=grade), "2022-01-01"))


def promoted(grade: str, kind: Any = "assessment", **fields: Any) -> AuxiliaryPromoted:
    return AuxiliaryPromoted(person="p1", grade=grade, kind=kind, **fields)


def test_a_first_grade_holds_from_its_day() -> None:
    story = hired("370000", in_force()).when(
        act(GradeRated(person="p1", grade="g2", ladder="six", basis="education"), "2020-03-01")
    )
    assert story.findings == []
    assert story.at(GRADE, "p1", "2020-02-29") is None
    assert story.value(GRADE, "p1", "2020-03-01") == {"grade": "g2", "ladder": "six"}


def test_a_grade_follows_the_education_where_it_is_rated_by_it() -> None:
    by_education = act(GradeRated(person="p1", grade="g1", basis="education"), "2020-03-01")
    story = hired("370000", in_force())
    story.refused(
        by_education, LawForbids, field="grade", rule="first-grade-by-education", article="办法 5"
    )
    story.when(act(GradeRated(person="p1", grade="g1", basis="service"), "2020-03-01"))
    assert story.findings == []


def test_a_second_first_grade_is_refused_even_when_attested() -> None:
    again = act(GradeRated(person="p1", grade="g2"), "2021-01-01")
    rated(None, "g1").refused(again, AlreadyRecorded, "attested", field="grade")


def test_a_grade_off_the_ladder_in_force_is_refused_when_ordered_and_found_when_attested() -> None:
    off = act(GradeRated(person="p1", grade="g9"), "2020-03-01")
    story = hired("370000", in_force())
    story.refused(off, LawForbids, field="grade", rule="grade-on-ladder", article="办法 5")
    story.when(off, "attested")
    assert story.rules_found() == {"grade-on-ladder"}


def test_a_ladder_the_place_does_not_have_is_refused() -> None:
    other = act(GradeRated(person="p1", grade="g1", ladder="suzhou"), "2020-03-01")
    hired("370000", in_force()).refused(other, LawForbids, rule="grade-on-ladder")


def test_a_reported_ladder_only_finds_and_no_ladder_is_silent() -> None:
    off = act(GradeRated(person="p1", grade="g9"), "2020-03-01")
    story = hired("320500").when(off)
    assert [(f.rule, f.status) for f in story.findings] == [("grade-on-ladder", "reported")]
    for place in (None, "none"):
        assert hired(place).when(off).findings == []


@pytest.mark.parametrize(
    "event",
    [
        GradeRated(person="p1", grade="g1"),
        GradeConverted(person="p1", grade="g1", ladder="six"),
        promoted("g2"),
        AuxiliaryDemoted(person="p1", grade="g1", ground="assessment"),
    ],
)
def test_a_grade_is_for_someone_in_service(event: Any) -> None:
    story = hired("370000", in_force())
    story.refused(act(event, "2020-01-05"), NotInService, "attested", field="person")
    stranger = event.model_copy(update={"person": "p9"})
    story.refused(act(stranger, "2020-01-06"), UnknownSubject, "attested", field="person")


def test_a_conversion_goes_up_or_down_or_to_another_track_unjudged() -> None:
    story = rated("370000", "g3", in_force())
    story.when(act(GradeConverted(person="p1", grade="h1", ladder="six"), "2021-01-01"))
    story.when(act(GradeConverted(person="p1", grade="g1", ladder="six"), "2022-01-01"))
    assert story.findings == []
    assert story.value(GRADE, "p1", "2021-12-31")["grade"] == "h1"
    same = act(GradeConverted(person="p1", grade="g1", ladder="six"), "2022-02-01")
    story.refused(same, AlreadyRecorded, "attested", field="grade")


def test_a_promotion_puts_the_next_grade_in_place_of_the_last() -> None:
    story = rated("370000", "g1", in_force()).when(act(promoted("g2"), "2022-03-01"))
    assert story.findings == []
    assert story.value(GRADE, "p1", "2022-02-28") == {"grade": "g1"}
    assert story.value(GRADE, "p1", "2022-03-01") == {"grade": "g2"}


@pytest.mark.parametrize(
    ("start", "event", "day", "rule", "article", "field"),
    [
        ("g2", promoted("g1", "natural"), "2022-03-01", "promotion-goes-up", "办法 5", "grade"),
        ("g2", promoted("h1", "selection"), "2022-03-01", "promotion-goes-up", "办法 5", "grade"),
        ("g1", promoted("g3", "selection"), "2022-03-01", "promotion-one-step", "办法 6", "grade"),
        ("g1", promoted("g2"), "2022-02-28", "promotion-months", "办法 7", "grade"),
        ("g1", promoted("g2", "selection"), "2022-03-01", "promotion-mode", "办法 8", "kind"),
        ("g1", promoted("g9"), "2022-03-01", "grade-on-ladder", "办法 5", "grade"),
        (
            "g1",
            AuxiliaryDemoted(person="p1", grade="g2", ground="sanction"),
            "2022-03-01",
            "demotion-goes-down",
            "办法 5",
            "grade",
        ),
    ],
)
def test_the_ladder_refuses_what_is_ordered_and_finds_what_is_attested(
    start: str, event: Any, day: str, rule: str, article: str, field: str
) -> None:
    story = rated("370000", start, in_force())
    story.refused(act(event, day), LawForbids, rule=rule, article=article, field=field)
    story.when(act(event, day), "attested")
    assert rule in story.rules_found()
    silent = rated("none", start).when(act(event, day))
    assert silent.findings == []


def test_a_grade_of_another_ladder_is_converted_before_it_is_promoted() -> None:
    story = hired("370000", in_force())
    story.given(act(GradeRated(person="p1", grade="g1", ladder="old"), "2020-03-01"))
    rise = act(promoted("g2"), "2022-03-01")
    story.refused(rise, LawForbids, rule="promotion-goes-up")
    converted = GradeConverted(person="p1", grade="g1", ladder="six", counted_from=date(2020, 3, 1))
    assert story.when(act(converted, "2022-02-01")).when(rise).findings == []


def test_a_reported_ladder_never_refuses_a_promotion() -> None:
    story = rated("320500", "member-2").when(act(promoted("trainee", "selection"), "2020-04-01"))
    assert story.rules_found() == {"promotion-goes-up", "promotion-mode", "promotion-training"}
    story.when(act(promoted("member-3", "natural", trained_on="2020-05-01"), "2020-06-01"))
    assert story.findings == []


def test_time_in_a_grade_counts_from_the_day_that_is_stated() -> None:
    story = hired("370000", in_force())
    rating = GradeRated(person="p1", grade="g1", counted_from=date(2019, 3, 1))
    story.given(act(rating, "2020-03-01"))
    story.refused(act(promoted("g2"), "2021-02-28"), LawForbids, rule="promotion-months")
    assert story.when(act(promoted("g2"), "2021-03-01")).findings == []


def test_a_live_sanction_bars_promotion_until_its_term_ends_or_it_is_lifted() -> None:
    story = rated("370000", "g2", in_force())
    story.given(act(SanctionImposed(person="p1", kind="talk"), "2022-01-10"))
    story.given(act(SanctionImposed(person="p1", kind="warning"), "2022-01-10"))
    rise = promoted("g3", "selection")
    story.refused(
        act(rise, "2022-07-09"), LawForbids, rule="promotion-no-sanction", article="办法 9"
    )
    assert story.when(act(rise, "2022-07-10")).findings == []

    lifted = rated("370000", "g2", in_force())
    lifted.given(act(SanctionImposed(person="p1", kind="warning"), "2022-01-10"))
    lifted.given(act(SanctionLifted(person="p1"), "2022-03-01"))
    assert lifted.when(act(rise, "2022-03-01")).findings == []


def test_promotion_in_ningbo_rests_on_a_final_assessment() -> None:
    story = rated("330200", "a").when(act(promoted("b"), "2022-03-01"))
    assert story.rules_found() == {"promotion-assessment"}
    story.when(act(promoted("c", assessment="2022-年度"), "2023-03-01"))
    assert story.findings == []


@pytest.mark.parametrize(
    "event", [promoted("g1"), AuxiliaryDemoted(person="p1", grade="g1", ground="sanction")]
)
def test_the_grade_held_already_is_neither_a_promotion_nor_a_demotion(event: Any) -> None:
    rated(None, "g1").refused(act(event, "2022-03-01"), RecordForbids, "attested", field="grade")


@pytest.mark.parametrize(
    "event", [promoted("g2"), AuxiliaryDemoted(person="p1", grade="g1", ground="sanction")]
)
def test_whoever_was_hired_and_never_rated_has_no_grade_to_change(event: Any) -> None:
    hired(None).refused(act(event, "2022-03-01"), RecordForbids, "attested", field="grade")


def test_an_opened_record_without_a_grade_refuses_no_change_of_it() -> None:
    story = opened(None)
    story.when(act(promoted("g3", "selection"), "2022-03-01"))
    assert story.findings == []
    assert story.value(GRADE, "p1", "2022-03-01") == {"grade": "g3"}


def test_a_grade_taken_over_from_a_roster_counts_for_no_known_time() -> None:
    story = opened("g1").when(act(promoted("g2"), "2022-03-01"))
    assert story.findings == []


def test_a_demotion_holds_until_the_next_act_on_the_grade() -> None:
    story = rated("370000", "g2", in_force())
    story.when(act(AuxiliaryDemoted(person="p1", grade="g1", ground="sanction"), "2021-01-01"))
    assert story.findings == []
    assert story.value(GRADE, "p1", "2021-01-01") == {"grade": "g1"}
    # the time in the grade below starts anew
    story.refused(act(promoted("g2"), "2022-12-31"), LawForbids, rule="promotion-months")
    story.when(act(promoted("g2"), "2023-01-01"))
    assert story.value(GRADE, "p1", "2023-01-01") == {"grade": "g2"}
