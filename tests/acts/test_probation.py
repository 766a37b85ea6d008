from datetime import date
from typing import Any

import pytest

from domain.acts.contracts import ContractRenewed, ContractSigned, ContractTerminated
from domain.acts.exit import AuxiliaryResigned
from domain.acts.people import SERVICE, PersonRegistered
from domain.acts.probation import PROBATION, ProbationFailed, ProbationPassed
from domain.acts.recruitment import AuxiliaryHired, AuxiliaryRehired
from domain.acts.units import UnitEstablished
from domain.refusals import AlreadyRecorded, LawForbids, NotInService, UnknownSubject
from tests.given import Story, act

LATE = {"probation-conclusion"}


def story(division: str = "330200", **contract: Any) -> Story:
    """Hired on 2021-09-01, in probation up to 2021-10-31."""
    terms = {"last_day": "2024-08-31", "probation_last_day": "2021-10-31", **contract}
    signed = ContractSigned(person="p1", number="c1", employer="s1", **terms)
    return Story().given(
        act(UnitEstablished(unit="s1", name="所", division=division), "2000-01-01"),
        act(PersonRegistered(person="p1"), "2000-01-01"),
        act(PersonRegistered(person="p2"), "2000-01-01"),
        act(AuxiliaryHired(person="p1", unit="s1", category="field"), "2021-09-01"),
        act(signed, "2021-09-01"),
    )


def passed(on: str, person: str = "p1", **shown: Any) -> Any:
    return act(ProbationPassed(person=person, **shown), on)


def failed(on: str, **fields: Any) -> Any:
    return act(ProbationFailed(person="p1", **fields), on)


SHOWN = {"trained_on": "2021-10-15", "assessed_on": "2021-10-20"}


def test_a_probation_is_agreed_with_the_contract_and_passed():
    s = story().when(passed("2021-10-25", **SHOWN))
    assert s.value(PROBATION, "p1", "2021-10-24") == {
        "probation_last_day": "2021-10-31", "employer": "s1", "state": "agreed",
    }  # fmt: skip
    assert s.value(PROBATION, "p1", "2021-10-25") == {"state": "passed"}
    assert s.rules_found() == set()


def test_a_probation_passed_without_training_or_assessment_is_a_finding():
    assert story().when(passed("2021-10-25")).rules_found() == {"probation-assessed"}
    assert story().when(passed("2021-10-20", **SHOWN)).rules_found() == set()
    later = {"trained_on": "2021-10-15", "assessed_on": "2021-10-26"}
    assert story().when(passed("2021-10-25", **later)).rules_found() == {"probation-assessed"}


def test_a_probation_passed_after_its_last_day_is_a_finding_and_no_refusal():
    assert story().when(passed("2021-10-31", **SHOWN)).rules_found() == set()
    assert story().when(passed("2021-11-01", **SHOWN)).rules_found() == LATE


def test_a_failed_probation_leaves_the_auxiliary_in_service():
    s = story().when(failed("2021-10-25"))
    assert s.value(PROBATION, "p1", "2021-10-25") == {"state": "failed"}
    assert s.value(SERVICE, "p1", "2021-10-25")["state"] == "in"


def test_a_probation_cannot_be_failed_after_its_last_day():
    s = story()
    s.refused(
        failed("2021-11-01"), LawForbids, rule="probation-failure-in-time", article="劳动合同法 39(1)",
        field="reason_told_on",
    )  # fmt: skip
    assert s.when(failed("2021-11-01"), "attested").rules_found() == {
        "probation-failure-in-time", "probation-conclusion",
    }  # fmt: skip


def test_the_reason_is_told_within_the_probation_too():
    told = failed("2021-10-30", reason_told_on="2021-11-02")
    story().refused(told, LawForbids, rule="probation-failure-in-time")


def test_without_rules_a_late_failure_passes():
    assert story("none").when(failed("2021-12-01")).rules_found() == set()


@pytest.mark.parametrize("mood", ["ordered", "attested"])
def test_a_probation_is_concluded_once(mood):
    s = story().given(passed("2021-10-25"))
    s.refused(failed("2021-10-26"), AlreadyRecorded, mood, field="person")
    s.refused(passed("2021-10-26"), AlreadyRecorded, mood, field="person")


@pytest.mark.parametrize("mood", ["ordered", "attested"])
def test_who_does_not_serve_has_no_probation_to_conclude(mood):
    story().refused(passed("2021-10-25", "p2"), NotInService, mood, field="person")
    story().refused(passed("2021-10-25", "p9"), UnknownSubject, mood, field="person")


def test_a_probation_that_was_not_recorded_can_be_concluded():
    s = story(probation_last_day=None).when(failed("2022-03-01"))
    assert s.rules_found() == set()


def test_a_probation_outlives_the_contract_that_agreed_it():
    s = story(last_day="2022-08-31").given(
        act(
            ContractRenewed(person="p1", number="c2", employer="s1", last_day=date(2024, 8, 31)),
            "2022-09-01",
        )
    )
    s.refused(failed("2022-09-05"), LawForbids, rule="probation-failure-in-time")
    unfit = act(ContractTerminated(person="p1", ground="probation-unfit"), "2022-09-05")
    s.refused(unfit, LawForbids, rule="probation-failure-in-time", field="ground")
    assert s.when(passed("2022-09-05", **SHOWN)).rules_found() == LATE
    s.refused(passed("2022-09-06"), AlreadyRecorded, field="person")


def test_a_new_spell_has_no_probation_of_the_last():
    s = story().given(
        act(AuxiliaryResigned(person="p1"), "2021-12-01"),
        act(AuxiliaryRehired(person="p1", unit="s1", category="field"), "2022-03-01"),
    )
    assert s.when(passed("2022-04-01", **SHOWN)).rules_found() == set()
