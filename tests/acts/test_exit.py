from typing import Any

import pytest

from domain.acts.contracts import CONTRACT, ContractSigned
from domain.acts.exit import (
    AuxiliaryDied,
    AuxiliaryResigned,
    AuxiliaryRetired,
    LeftForInstitution,
    LeftForPolice,
)
from domain.acts.people import CATEGORY, SERVICE, UNIT, PersonRegistered
from domain.acts.probation import PROBATION
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitEstablished
from domain.refusals import LawForbids, NotInService, UnknownSubject
from tests.given import Story, act

NOTICE = {"resignation-notice"}


def story(division: str = "330200") -> Story:
    """Hired on 2021-09-01, in probation up to 2021-10-31."""
    signed = ContractSigned(
        person="p1", number="c1", employer="s1", last_day="2024-08-31",
        probation_last_day="2021-10-31",
    )  # fmt: skip
    return Story().given(
        act(UnitEstablished(unit="s1", name="所", division=division), "2000-01-01"),
        act(PersonRegistered(person="p1"), "2000-01-01"),
        act(AuxiliaryHired(person="p1", unit="s1", category="field"), "2021-09-01"),
        act(signed, "2021-09-01"),
    )


def resigned(on: str = "2022-05-01", **fields: Any) -> Any:
    return act(AuxiliaryResigned(person="p1", **fields), on)


LEAVINGS = [
    (AuxiliaryResigned(person="p1", notice_on="2022-03-01"), "resigned", "resignation"),
    (AuxiliaryRetired(person="p1"), "retired", "retirement"),
    (AuxiliaryDied(person="p1", on_duty=True), "died", "death"),
    (LeftForPolice(person="p1"), "recruited", "recruited-to-police"),
    (LeftForInstitution(person="p1"), "recruited", "recruited-to-institution"),
]


@pytest.mark.parametrize(("event", "kind", "ground"), LEAVINGS)
def test_leaving_ends_service_and_all_it_carries_from_that_day_on(event, kind, ground):
    s = story().when(act(event, "2022-05-01"))
    left = s.value(SERVICE, "p1", "2022-05-01")
    assert (left["state"], left["kind"], left["ground"]) == ("left", kind, ground)
    for facet in (UNIT, CATEGORY, CONTRACT, PROBATION):
        assert s.value(facet, "p1", "2022-04-30") is not None
        assert s.at(facet, "p1", "2022-05-01") is None
    assert s.rules_found() == set()


@pytest.mark.parametrize("mood", ["ordered", "attested"])
@pytest.mark.parametrize("event", [event for event, *_ in LEAVINGS])
def test_only_who_serves_can_leave(event, mood):
    s = story().given(act(AuxiliaryRetired(person="p1"), "2022-05-01"))
    s.refused(act(event, "2022-05-02"), NotInService, mood, field="person")
    nobody = event.model_copy(update={"person": "p9"})
    s.refused(act(nobody, "2022-05-02"), UnknownSubject, mood, field="person")


def test_resigning_takes_thirty_days_of_notice_or_is_a_finding():
    assert story().when(resigned(notice_on="2022-04-01")).rules_found() == set()
    assert story().when(resigned(notice_on="2022-04-02")).rules_found() == NOTICE
    assert story().when(resigned()).rules_found() == NOTICE


def test_in_probation_three_days_of_notice_do():
    assert story().when(resigned("2021-10-04", notice_on="2021-10-01")).rules_found() == set()
    assert story().when(resigned("2021-10-03", notice_on="2021-10-01")).rules_found() == NOTICE
    assert story().when(resigned("2021-10-31", notice_on="2021-10-28")).rules_found() == set()
    assert story().when(resigned("2021-11-01", notice_on="2021-10-28")).rules_found() == NOTICE


def test_resigning_for_the_employers_breach_takes_no_notice():
    assert story().when(resigned(ground="resignation-for-cause")).rules_found() == set()


def test_a_ground_that_is_no_ground_of_resignation_is_refused_in_force_and_else_found():
    wrong = resigned(ground="serious-breach", notice_on="2022-03-01")
    s = story()
    s.refused(wrong, LawForbids, field="ground", rule="exit-ground-list")
    assert s.when(wrong, "attested").rules_found() == {"exit-ground-list"}


def test_without_rules_any_ground_and_no_notice_pass():
    assert story("none").when(resigned(ground="private")).rules_found() == set()


def test_the_record_of_a_death_says_whether_it_was_on_duty_and_keeps_the_cause_private():
    died = AuxiliaryDied(person="p1", on_duty=True, cause="事故")
    s = story().when(act(died, "2022-05-01"))
    assert s.value(SERVICE, "p1", "2022-05-01")["on_duty"] is True
    assert AuxiliaryDied.private["cause"].cls == "health"
