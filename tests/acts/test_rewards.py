import pytest
from pydantic import ValidationError

from domain.acts.exit import AuxiliaryResigned
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.rewards import REWARDS, RewardGranted, RewardRevoked
from domain.acts.units import UnitEstablished
from domain.law import Law, Pack, load_calendars
from domain.refusals import BadInput, LawForbids, UnknownFact, UnknownSubject
from tests.given import Story, act

PACK = """
code = "150000"
zh = "某自治区"
en = "A region"
version = "1"
status = "STATUS"

[[rule]]
id = "reward-one-deed"
kind = "exclusivity"
since = 2015-01-01
article = "办法 3"
source = "a text"
strength = "block"
zh = "一事一奖"
en = "One deed, one reward"
values = { at_most = 1 }
"""


def region(status: str) -> Law:
    return Law([Pack.parse(PACK.replace("STATUS", status))], load_calendars().values())


def hired(place: str | None = None, law: Law | None = None) -> Story:
    return Story(law).given(
        act(UnitEstablished(unit="u1", name="城东所", division=place), "2010-01-01"),
        act(PersonRegistered(person="p1"), "2020-01-01"),
        act(AuxiliaryHired(person="p1", unit="u1", category="field"), "2020-01-06"),
    )


def excellent(year: int) -> RewardGranted:
    return RewardGranted(person="p1", kind="excellent", title_year=year)


def test_rewards_add_up_and_outlast_service() -> None:
    story = hired("320500").when(act(excellent(2020), "2021-01-15"))
    story.when(act(excellent(2021), "2022-01-15"))
    assert story.findings == []
    story.given(act(AuxiliaryResigned(person="p1", notice_on="2022-01-01"), "2022-03-01"))
    assert [r["title_year"] for r in story.every(REWARDS, "p1", "2021-12-31")] == [2020]
    assert [r["title_year"] for r in story.every(REWARDS, "p1", "2023-01-01")] == [2020, 2021]


def test_one_who_has_left_may_still_be_rewarded() -> None:
    story = hired().given(act(AuxiliaryResigned(person="p1", notice_on="2022-01-01"), "2022-03-01"))
    story.when(act(excellent(2021), "2022-04-01"))
    assert story.every(REWARDS, "p1", "2022-04-01") == [{"kind": "excellent", "title_year": 2021}]


def test_a_kind_off_the_reported_list_is_found_in_suzhou_and_free_elsewhere() -> None:
    odd = act(RewardGranted(person="p1", kind="medal"), "2021-01-15")
    story = hired("320500").when(odd)
    assert [(f.rule, f.field) for f in story.findings] == [("reward-kind-list", "kind")]
    assert hired("none").when(odd).findings == []


def test_one_deed_is_rewarded_once_where_a_rule_in_force_says_so() -> None:
    first = act(RewardGranted(person="p1", kind="嘉奖", incident="A1"), "2021-01-15")
    other = act(RewardGranted(person="p1", kind="三等功", incident="A2"), "2021-02-15")
    again = act(RewardGranted(person="p1", kind="三等功", incident="A1"), "2021-02-15")
    story = hired("150000", region("in-force")).when(first).when(other)
    story.refused(again, LawForbids, field="incident", rule="reward-one-deed", article="办法 3")
    assert story.when(again, "attested").rules_found() == {"reward-one-deed"}
    reported = hired("150000", region("reported")).when(first).when(again)
    assert reported.rules_found() == {"reward-one-deed"}
    assert hired("none").when(first).when(again).findings == []


def test_a_revoked_reward_ends_and_stays_on_record() -> None:
    story = hired().when(act(excellent(2020), "2021-01-15"))
    granted = story.id_of(story.record.head)
    story.when(act(excellent(2021), "2022-01-15"))
    story.refused(act(RewardRevoked(person="p1"), "2022-02-01"), BadInput, field="ends")
    story.when(act(RewardRevoked(person="p1"), "2022-02-01", ends=granted))
    assert [r["title_year"] for r in story.every(REWARDS, "p1", "2022-01-31")] == [2020, 2021]
    assert [r["title_year"] for r in story.every(REWARDS, "p1", "2022-02-01")] == [2021]
    again = act(RewardRevoked(person="p1"), "2022-03-01", ends=granted)
    story.refused(again, UnknownFact, "attested", field="ends")


def test_a_reward_is_for_a_registered_person() -> None:
    stranger = act(RewardGranted(person="p9", kind="excellent"))
    hired().refused(stranger, UnknownSubject, "attested", field="person")


def test_a_title_is_for_a_possible_year() -> None:
    with pytest.raises(ValidationError, match="title_year"):
        excellent(21)
