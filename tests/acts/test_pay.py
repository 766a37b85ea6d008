from datetime import date

import pytest
from pydantic import ValidationError

from domain.acts.exit import AuxiliaryResigned
from domain.acts.pay import (
    SPECIAL_PAY,
    PayLevel,
    SpecialPayApproved,
    SpecialPayEnded,
    monthly_pay,
)
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitEstablished
from domain.law import Law, Pack, load_calendars
from domain.refusals import BadInput, LawForbids, NotInService, UnknownFact
from tests.given import Story, act, packaged_law

SUZHOU = packaged_law().at("320500", date(2017, 7, 5))
NOWHERE = packaged_law().at("none", date(2017, 7, 5))

PACK = """
code = "370000"
zh = "某省"
en = "A province"
version = "1"
status = "in-force"

[[rule]]
id = "special-pay-ground-list"
kind = "closed_list"
since = 2015-01-01
article = "办法 30"
source = "a text [read]"
strength = "block"
zh = "特殊工资事由"
en = "Grounds of special pay"
values = { list = "special-pay-grounds" }

[[list]]
id = "special-pay-grounds"
since = 2015-01-01
article = "办法 30"
source = "a text [read]"
zh = "特殊工资事由"
en = "Grounds of special pay"
members = [{ code = "expertise", zh = "专业特长", en = "Expertise" }]
"""


def hired(place: str | None = None, law: Law | None = None) -> Story:
    return Story(law).given(
        act(UnitEstablished(unit="u1", name="城东所", division=place), "2010-01-01"),
        act(PersonRegistered(person="p1"), "2020-01-01"),
        act(AuxiliaryHired(person="p1", unit="u1", category="field"), "2020-01-06"),
    )


def extra(fen: int = 500_00, ground: str = "expertise") -> SpecialPayApproved:
    return SpecialPayApproved(person="p1", amount=fen, ground=ground)


def test_special_pays_add_up_until_the_day_each_was_approved_until() -> None:
    story = hired().when(act(extra(500_00), "2020-02-01", until="2021-02-01"))
    story.when(act(extra(300_00), "2020-06-01"))
    amounts = {
        day: [value["amount"] for value in story.every(SPECIAL_PAY, "p1", day)]
        for day in ("2020-05-31", "2021-01-31", "2021-02-01")
    }
    assert amounts == {
        "2020-05-31": [500_00],
        "2021-01-31": [500_00, 300_00],
        "2021-02-01": [300_00],
    }


def test_special_pay_ends_by_an_act_or_by_leaving() -> None:
    story = hired().when(act(extra(), "2020-02-01")).when(act(extra(), "2020-03-01"))
    first = story.id_of(story.record.head - 1)
    story.refused(act(SpecialPayEnded(person="p1"), "2021-01-01"), BadInput, field="ends")
    story.when(act(SpecialPayEnded(person="p1"), "2021-01-01", ends=first))
    assert len(story.every(SPECIAL_PAY, "p1", "2021-01-01")) == 1
    story.given(act(AuxiliaryResigned(person="p1"), "2021-06-01"))
    assert story.every(SPECIAL_PAY, "p1", "2021-06-01") == []
    story.refused(
        act(SpecialPayEnded(person="p1"), "2021-06-01"), UnknownFact, "attested", field="ends"
    )


def test_special_pay_is_for_someone_in_service() -> None:
    hired().refused(act(extra(), "2020-01-05"), NotInService, "attested", field="person")


def test_special_pay_is_an_addition() -> None:
    with pytest.raises(ValidationError, match="amount"):
        extra(0)


def test_a_ground_off_a_list_in_force_is_refused_when_ordered_and_found_when_attested() -> None:
    law = Law([Pack.parse(PACK)], load_calendars().values())
    story = hired("370000", law).when(act(extra(), "2020-02-01"))
    assert story.findings == []
    odd = act(extra(ground="kin"), "2020-02-01")
    story.refused(
        odd, LawForbids, field="ground", rule="special-pay-ground-list", article="办法 30"
    )
    assert story.when(odd, "attested").rules_found() == {"special-pay-ground-list"}
    assert hired("none").when(odd).findings == []


def test_a_grade_and_the_scale_in_force_give_the_pay_level() -> None:
    grade = {"grade": "member-2", "ladder": "suzhou"}
    level = monthly_pay(grade, [{"amount": 500_00}, {"amount": 1}], SUZHOU)
    assert level == PayLevel(
        grade="member-2", ladder="suzhou", scale="suzhou-illustrative",
        version="illustrative-2", status="reported", base=3_150_00, special=500_01,
    )  # fmt: skip
    assert level.amount == 3_650_01


def test_a_grade_without_a_ladder_is_of_the_ladder_of_the_place() -> None:
    assert monthly_pay({"grade": "member-2"}, [], SUZHOU).amount == 3_150_00


@pytest.mark.parametrize(
    ("grade", "rules"),
    [
        (None, SUZHOU),
        ({"grade": "g9"}, SUZHOU),
        ({"grade": "member-2", "ladder": "henan"}, SUZHOU),
        ({"grade": "member-2", "ladder": "suzhou"}, NOWHERE),
        ({"grade": "member-2"}, NOWHERE),
    ],
)
def test_pay_that_cannot_be_told_is_not_nought(grade: dict[str, str] | None, rules: object) -> None:
    level = monthly_pay(grade, [{"amount": 500_00}], rules)
    assert (level.base, level.special, level.amount) == (None, 500_00, None)
