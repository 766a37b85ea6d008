from datetime import date
from typing import Any

import pytest

from domain.acts.exit import LeftForPolice
from domain.acts.officers import (
    LEAVE,
    OFFICER,
    SUSPENSION,
    OfficerAppointed,
    OfficerLeft,
    OfficerOnLeave,
    OfficerReinstated,
    OfficerReturned,
    OfficerSuspended,
)
from domain.acts.people import SERVICE, PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitDissolved, UnitEstablished
from domain.bitemporal import OPEN
from domain.refusals import AlreadyRecorded, RecordForbids, UnknownFact, UnknownSubject
from tests.given import Story, act, given

MOODS = ("ordered", "attested")


def story(*more: Any) -> Story:
    return given(
        act(UnitEstablished(unit="s1", name="一所"), "2000-01-01"),
        act(UnitEstablished(unit="s2", name="二所"), "2000-01-01"),
        act(PersonRegistered(person="o1"), "2000-01-01"),
        act(PersonRegistered(person="a1"), "2000-01-01"),
        act(AuxiliaryHired(person="a1", unit="s1", category="field"), "2019-01-01"),
        *more,
    )


def appointed(on: str = "2020-01-01", person: str = "o1", unit: str = "s1", **fields: Any) -> Any:
    return act(OfficerAppointed(person=person, unit=unit, **fields), on)


def test_an_officer_is_of_a_unit_from_the_appointment_on() -> None:
    told = story().when(appointed(title="民警", police_number="021234"))

    assert told.at(OFFICER, "o1", "2019-12-31") is None
    assert told.value(OFFICER, "o1", "2020-01-01") == {
        "unit": "s1",
        "title": "民警",
        "police_number": "021234",
    }


def test_a_later_appointment_moves_the_officer_to_another_unit() -> None:
    told = story(appointed()).when(appointed("2021-01-01", unit="s2"))

    assert told.value(OFFICER, "o1", "2020-12-31") == {"unit": "s1"}
    assert told.value(OFFICER, "o1", "2021-01-01") == {"unit": "s2"}


def test_the_same_appointment_is_not_entered_twice() -> None:
    story(appointed()).refused(appointed("2021-01-01"), AlreadyRecorded, field="person")


@pytest.mark.parametrize("mood", MOODS)
def test_an_auxiliary_in_service_is_no_officer_even_when_attested(mood: Any) -> None:
    story().refused(appointed(person="a1"), RecordForbids, mood, field="person")


def test_an_auxiliary_who_left_for_the_police_is_an_officer_from_that_day() -> None:
    told = story(act(LeftForPolice(person="a1"), "2022-01-04")).when(
        appointed("2022-01-04", person="a1")
    )

    assert told.value(OFFICER, "a1", "2022-01-04") == {"unit": "s1"}
    assert told.at(OFFICER, "a1", "2022-01-04").until == OPEN
    assert told.value(SERVICE, "a1", "2022-01-04")["state"] == "left"


@pytest.mark.parametrize(
    ("person", "unit", "refusal", "field"),
    [
        ("nobody", "s1", UnknownSubject, "person"),
        ("o1", "nowhere", UnknownSubject, "unit"),
        ("o1", "s2", RecordForbids, "unit"),
    ],
)
def test_an_officer_is_a_registered_person_of_a_standing_unit(
    person: str, unit: str, refusal: Any, field: str
) -> None:
    told = story(act(UnitDissolved(unit="s2"), "2019-01-01"))

    told.refused(appointed(person=person, unit=unit), refusal, field=field)


@pytest.mark.parametrize(
    ("away", "back", "facet", "state"),
    [
        (OfficerSuspended, OfficerReinstated, SUSPENSION, {"state": "suspended"}),
        (OfficerOnLeave, OfficerReturned, LEAVE, {"state": "on-leave"}),
    ],
)
def test_an_officer_who_is_away_keeps_the_role_and_comes_back(
    away: Any, back: Any, facet: Any, state: Any
) -> None:
    told = story(appointed(), act(away(person="o1"), "2021-03-01"))
    told.when(act(back(person="o1"), "2021-04-01"))

    assert told.value(facet, "o1", "2021-03-31") == state
    assert told.value(facet, "o1", "2021-04-01") is None
    assert told.value(OFFICER, "o1", "2021-03-15") == {"unit": "s1"}


@pytest.mark.parametrize("away", [OfficerSuspended, OfficerOnLeave])
@pytest.mark.parametrize("mood", MOODS)
def test_only_an_officer_is_suspended_or_on_leave(away: Any, mood: Any) -> None:
    story().refused(act(away(person="o1"), "2021-03-01"), RecordForbids, mood, field="person")


@pytest.mark.parametrize(
    ("away", "back"), [(OfficerSuspended, OfficerReinstated), (OfficerOnLeave, OfficerReturned)]
)
def test_after_its_last_day_there_is_nothing_to_come_back_from(away: Any, back: Any) -> None:
    told = story(appointed(), act(away(person="o1"), "2021-03-01", until="2021-04-01"))

    told.refused(act(back(person="o1"), "2021-04-01"), UnknownFact, field="ends")


def test_leaving_ends_the_role_and_what_hung_on_it() -> None:
    told = story(
        appointed(),
        act(OfficerSuspended(person="o1"), "2021-03-01"),
        act(OfficerOnLeave(person="o1"), "2021-03-01"),
    ).when(act(OfficerLeft(person="o1", kind="retired"), "2021-06-01"))

    assert told.value(OFFICER, "o1", "2021-05-31") == {"unit": "s1"}
    assert told.at(OFFICER, "o1", "2021-05-31").until == date(2021, 6, 1)
    assert told.at(OFFICER, "o1", "2021-06-01").value is None
    assert told.value(SUSPENSION, "o1", "2021-06-01") is None
    assert told.value(LEAVE, "o1", "2021-06-01") is None


def test_an_earlier_unit_does_not_come_back_when_an_officer_leaves() -> None:
    told = story(appointed(), appointed("2021-01-01", unit="s2"))
    told.when(act(OfficerLeft(person="o1", kind="left"), "2021-06-01"))

    assert told.value(OFFICER, "o1", "2021-06-01") is None


def test_one_who_left_may_be_appointed_again() -> None:
    told = story(appointed(), act(OfficerLeft(person="o1", kind="left"), "2021-06-01"))
    told.when(appointed("2022-01-01"))

    assert told.value(OFFICER, "o1", "2021-12-31") is None
    assert told.value(OFFICER, "o1", "2022-01-01") == {"unit": "s1"}


def test_only_an_officer_leaves() -> None:
    left = act(OfficerLeft(person="o1", kind="died"), "2021-06-01")

    story().refused(left, RecordForbids, "attested", field="person")
