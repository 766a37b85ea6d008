from typing import Any

import pytest

from domain.acts.movement import AuxiliaryTransferred, SecondmentEnded, SecondmentStarted
from domain.acts.people import HOST, UNIT, PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitEstablished
from domain.law import Law, Pack, load_calendars, load_packs
from domain.refusals import (
    AlreadyRecorded,
    LawForbids,
    NotInService,
    RecordForbids,
    UnknownFact,
    UnknownSubject,
)
from tests.given import Story, act

RULE = """
[[rule]]
id = "transfer-approval"
kind = "eligibility"
since = 2020-01-01
article = "3"
source = "a text [read]"
strength = "block"
zh = "调动须经批准"
en = "Transfers are approved"
values = { conditions = ["approved"] }
"""


def story(law: Law | None = None, **hire: Any) -> Story:
    return Story(law).given(
        act(UnitEstablished(unit="s1", name="一所", division="320500"), "2000-01-01"),
        act(UnitEstablished(unit="s2", name="二所", division="320500"), "2000-01-01"),
        act(UnitEstablished(unit="n1", name="甬所", division="330200"), "2000-01-01"),
        act(UnitEstablished(unit="ag", name="派遣", kind="agency"), "2000-01-01"),
        act(PersonRegistered(person="p1"), "2000-01-01"),
        act(PersonRegistered(person="p2"), "2000-01-01"),
        act(AuxiliaryHired(person="p1", unit="s1", category="civilian", **hire), "2021-09-01"),
    )


def transferred(unit: str, on: str = "2022-03-01", **fields: Any) -> Any:
    return act(AuxiliaryTransferred(**{"person": "p1", "unit": unit, **fields}), on)


def seconded(unit: str, on: str = "2022-03-01", **envelope: Any) -> Any:
    return act(SecondmentStarted(person="p1", unit=unit), on, **envelope)


def back(on: str) -> Any:
    return act(SecondmentEnded(person="p1"), on)


def test_a_transfer_changes_the_home_unit_from_its_day_on():
    s = story().when(transferred("s2"))
    assert s.value(UNIT, "p1", "2022-02-28") == {"unit": "s1"}
    assert s.value(UNIT, "p1", "2022-03-01") == {"unit": "s2"}


@pytest.mark.parametrize("mood", ["ordered", "attested"])
def test_a_transfer_needs_service_and_another_unit_of_the_bureau(mood):
    s = story()
    s.refused(transferred("s1"), AlreadyRecorded, mood, field="unit")
    s.refused(transferred("s9"), UnknownSubject, mood, field="unit")
    s.refused(transferred("ag"), RecordForbids, mood, field="unit")
    s.refused(transferred("s2", person="p2"), NotInService, mood, field="person")


def _strict(code: str) -> Law:
    packs = load_packs()
    packs[code] = Pack.parse(packs[code].text.replace("[[list]]", RULE + "\n[[list]]", 1))
    return Law(packs.values(), load_calendars().values())


def test_the_law_of_the_unit_left_is_asked_and_a_reported_rule_only_warns():
    s = story(_strict("320500")).when(transferred("n1"))
    assert s.rules_found() == {"transfer-approval"}
    assert len(s.findings) == 1


def test_the_law_of_the_unit_entered_is_asked():
    s = story(_strict("330200"))
    s.refused(transferred("n1"), LawForbids, field="approved_by", rule="transfer-approval")
    assert s.when(transferred("n1"), "attested").rules_found() == {"transfer-approval"}
    story(s.law).when(transferred("n1", approved_by="政治部"))


def test_a_dispatched_auxiliary_comes_to_a_place_that_does_not_name_dispatch_as_a_finding():
    for comes in (transferred("n1"), seconded("n1")):
        s = story(form="dispatched", agency="ag").when(comes)
        assert s.rules_found() == {"employment-form-list"}


def test_a_secondment_runs_beside_the_home_unit_until_its_term():
    s = story().when(seconded("s2", until="2022-06-01"))
    assert s.value(HOST, "p1", "2022-05-31") == {"unit": "s2"}
    assert s.value(UNIT, "p1", "2022-05-31") == {"unit": "s1"}
    assert s.at(HOST, "p1", "2022-06-01") is None


def test_a_secondment_is_ended_before_the_next():
    s = story().given(seconded("s2"))
    s.refused(seconded("n1", "2022-04-01"), AlreadyRecorded, "attested", field="person")
    s.when(back("2022-05-01"))
    assert s.value(HOST, "p1", "2022-04-30") == {"unit": "s2"}
    ended = s.at(HOST, "p1", "2022-05-01")
    assert ended is not None
    assert ended.value is None
    s.when(seconded("n1", "2022-05-01"))
    assert s.value(HOST, "p1", "2022-05-01") == {"unit": "n1"}


def test_nobody_is_seconded_home_or_back_from_nowhere():
    s = story()
    s.refused(seconded("s1"), RecordForbids, "attested", field="unit")
    s.refused(seconded("ag"), RecordForbids, "attested", field="unit")
    s.refused(back("2022-05-01"), UnknownFact, "attested", field="ends")
    s.given(seconded("s2", until="2022-06-01"))
    s.refused(back("2022-06-01"), UnknownFact, "attested", field="ends")
