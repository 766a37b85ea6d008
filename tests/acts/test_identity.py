"""Two ids of one human being: merged, and split again."""

from datetime import date

import pytest

from domain.acts.exit import AuxiliaryResigned
from domain.acts.identity import SAME_AS, PersonsMerged
from domain.acts.officers import OfficerAppointed
from domain.acts.people import (
    NUMBER_HOLDER,
    PERSON,
    SERVICE,
    UNIT,
    AuxiliaryNumberAssigned,
    PersonRegistered,
)
from domain.acts.recruitment import AuxiliaryHired, AuxiliaryRehired
from domain.acts.responsibility import (
    SUPERVISOR,
    UNIT_HEAD,
    SupervisingOfficerAssigned,
    UnitHeadAppointed,
)
from domain.acts.rewards import REWARDS, RewardGranted, RewardRevoked
from domain.acts.units import UnitEstablished
from domain.bitemporal import FOREVER, AsOf
from domain.forest import Forest
from domain.refusals import AlreadyRecorded, BadInput, RecordForbids, UnknownSubject
from tests.given import Story, act, given

START = "2020-01-01"


def story(*more) -> Story:
    """Persons a, b, c, an officer o (also entered as p), and two units."""
    return given(
        act(UnitEstablished(unit="s1", name="一所"), START),
        act(UnitEstablished(unit="s2", name="二所"), START),
        *(act(PersonRegistered(person=p), START) for p in "abcop"),
        act(AuxiliaryHired(person="a", unit="s1", category="field"), START),
        act(OfficerAppointed(person="o", unit="s1"), START),
        *more,
    )


def merged(one, into, on="2024-05-01", **envelope):
    return act(PersonsMerged(merged=one, kept=into), on, **envelope)


def rewarded(person, on="2021-01-01"):
    return act(RewardGranted(person=person, kind="merit"), on)


def known(told, facet, key, day, position):
    return told.record.at(facet, f"{facet.of}:{key}", AsOf(date.fromisoformat(day), position))


def test_facts_of_the_merged_read_as_of_the_kept_on_every_day_from_the_merge_on():
    told = story(rewarded("b"))
    before = told.record.head
    told.when(merged("b", "a"))

    assert len(told.every(REWARDS, "a", "2021-06-01")) == 1
    assert told.every(REWARDS, "b", "2021-06-01") == []
    day = AsOf(date(2021, 6, 1), before)
    assert told.record.every(REWARDS, "person:a", day) == []
    assert len(told.record.every(REWARDS, "person:b", day)) == 1


def test_the_id_that_went_says_where():
    told = story().when(merged("b", "a"))

    assert told.value(SAME_AS, "b", "2024-05-01") == {"kept": "a"}
    assert told.at(PERSON, "b", "2024-05-01") is None


def test_what_names_the_merged_as_officer_names_the_kept():
    told = story(
        act(OfficerAppointed(person="p", unit="s2"), START),
        act(UnitHeadAppointed(unit="s2", officer="p"), "2021-01-01"),
        act(SupervisingOfficerAssigned(person="a", officer="o"), "2021-01-01"),
    ).when(merged("o", "p"))

    [head] = told.record.every(UNIT_HEAD, "unit:s2", AsOf(date(2022, 1, 1), FOREVER - 1))
    assert head.ref == "p"
    paired = told.at(SUPERVISOR, "a", "2022-01-01")
    assert paired is not None
    assert (paired.ref, paired.value["officer"]) == ("p", "p")


def test_what_is_entered_about_the_old_id_is_filed_and_decided_under_the_kept():
    told = story(merged("b", "a")).when(rewarded("b"), "attested")

    assert len(told.every(REWARDS, "a", "2021-06-01")) == 1
    told.refused(
        act(AuxiliaryHired(person="b", unit="s2", category="field"), "2022-01-01"),
        AlreadyRecorded, "attested",
    )  # fmt: skip


def test_the_kept_may_be_given_the_number_that_the_merged_held():
    told = story(
        act(AuxiliaryHired(person="b", unit="s2", category="field"), "2021-01-01"),
        act(AuxiliaryNumberAssigned(person="b", number="n1"), "2021-01-01"),
        merged("b", "a"),
    ).when(act(AuxiliaryNumberAssigned(person="a", number="n1"), "2022-01-01"), "attested")

    holders = told.every(NUMBER_HOLDER, "n1", "2022-01-01")
    assert {held["person"] for held in holders} == {"a"}


def test_an_ending_about_either_id_ends_what_the_other_holds():
    told = story(rewarded("b"), merged("b", "a")).when(
        act(RewardRevoked(person="a"), "2022-01-01"), "attested"
    )

    assert len(told.every(REWARDS, "a", "2021-06-01")) == 1
    assert told.every(REWARDS, "a", "2022-01-01") == []


def test_a_departure_under_one_id_ends_the_open_facts_of_the_other():
    told = story(
        act(AuxiliaryHired(person="b", unit="s2", category="field"), "2020-01-01"),
        act(AuxiliaryResigned(person="b"), "2022-01-01"),
    )
    assert told.value(UNIT, "a", "2023-01-01") == {"unit": "s1"}
    told.when(merged("b", "a"))

    assert told.at(UNIT, "a", "2023-01-01") is None
    assert told.value(SERVICE, "a", "2023-01-01")["state"] == "left"
    told.when(act(AuxiliaryRehired(person="b", unit="s2", category="field"), "2023-01-01"))
    assert told.value(UNIT, "a", "2023-01-01") == {"unit": "s2"}


@pytest.mark.parametrize("order", [("cb", "ba"), ("ba", "cb")])
def test_merges_form_a_forest_in_whatever_order_they_are_entered(order):
    told = story(rewarded("b"), rewarded("c"), *(merged(one, into) for one, into in order))

    assert len(told.every(REWARDS, "a", "2021-06-01")) == 2
    assert told.record.forest.family("c") == ("a", "b", "c")


def test_a_forest_that_is_told_circles_still_leads_every_id_to_one():
    forest = Forest([("a", "b"), ("b", "c"), ("c", "a"), ("a", "d")])

    assert {forest.kept(one) for one in "abcd"} == {"d"}
    assert forest.family("a") == ("d", "a", "b", "c")
    assert forest.kept("e") == "e"
    assert forest.family("e") == ("e",)


def test_what_the_record_refuses_of_a_merge():
    told = story(merged("b", "a"))

    for mood in ("ordered", "attested"):
        told.refused(merged("a", "a"), BadInput, mood, field="merged")
        told.refused(merged("c", "x"), UnknownSubject, mood, field="kept")
        told.refused(merged("x", "c"), UnknownSubject, mood, field="merged")
        told.refused(merged("b", "a"), AlreadyRecorded, mood, field="merged")
        told.refused(merged("b", "c"), RecordForbids, mood, field="merged")
        told.refused(merged("a", "b"), RecordForbids, mood, field="kept")
        told.refused(merged("c", "a", until="2025-01-01"), BadInput, mood, field="until")


def test_employment_under_both_ids_at_once_is_a_finding_and_no_refusal():
    told = story(act(AuxiliaryHired(person="b", unit="s2", category="field"), "2021-03-01"))
    told.when(merged("b", "a"))
    [finding] = told.findings
    assert (finding.rule, finding.field) == ("employed-twice", "merged")
    assert "2021-03-01" in finding.zh

    assert story().when(merged("o", "a")).rules_found() == {"employed-twice"}
    assert story().when(merged("b", "a")).findings == []
