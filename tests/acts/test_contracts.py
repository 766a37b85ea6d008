from datetime import date
from typing import Any, get_args

import pytest

from domain.acts.contracts import (
    CONTRACT,
    Clause,
    ContractAmended,
    ContractExpired,
    ContractRenewed,
    ContractSigned,
    ContractTerminated,
    DispatchedReturned,
)
from domain.acts.exit import AuxiliaryResigned
from domain.acts.people import SERVICE, UNIT, PersonRegistered
from domain.acts.probation import PROBATION, ProbationFailed
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitEstablished
from domain.bitemporal import OPEN
from domain.refusals import (
    AlreadyRecorded,
    BadInput,
    ImpossibleDate,
    LawForbids,
    MissingField,
    NotInService,
    RecordForbids,
    UnknownFact,
    UnknownSubject,
)
from tests.given import Story, act

ALL_CLAUSES = list(get_args(Clause))
HIRED = "2021-09-01"


def story(division: str = "320500", **hire: Any) -> Story:
    """A place under the national law alone, unless it is told otherwise."""
    return Story().given(
        act(UnitEstablished(unit="s1", name="所", division=division), "2000-01-01"),
        act(UnitEstablished(unit="s2", name="二局", division=division), "2000-01-01"),
        act(UnitEstablished(unit="ag", name="派遣公司", kind="agency"), "2000-01-01"),
        act(PersonRegistered(person="p1"), "2000-01-01"),
        act(AuxiliaryHired(person="p1", unit="s1", category="field", **hire), HIRED),
    )


def signed(on: str = HIRED, cls: type[ContractSigned] = ContractSigned, **fields: Any) -> Any:
    terms = {"person": "p1", "number": "c1", "employer": "s1", "last_day": "2024-08-31", **fields}
    return act(cls(**terms), on)


def renewed(on: str, last_day: str | None, **fields: Any) -> Any:
    return signed(on, ContractRenewed, last_day=last_day, **fields)


def terminated(ground: str, on: str = "2022-05-01", **fields: Any) -> Any:
    return act(ContractTerminated(person="p1", ground=ground, **fields), on)


def test_a_signed_contract_holds_through_its_last_day():
    s = story().when(signed(probation_last_day="2021-10-31"))
    fact = s.at(CONTRACT, "p1", "2024-08-31")
    assert fact is not None
    assert fact.value == {"number": "c1", "employer": "s1", "term": "fixed"}
    assert fact.until == date(2024, 9, 1)
    assert s.at(CONTRACT, "p1", "2024-09-01") is None
    assert s.value(PROBATION, "p1", HIRED)["probation_last_day"] == "2021-10-31"
    assert s.rules_found() == set()


def test_a_contract_without_a_fixed_term_is_open():
    fact = story().when(signed(term="open-ended", last_day=None)).at(CONTRACT, "p1")
    assert fact is not None
    assert fact.until == OPEN
    assert story().when(signed()).at(PROBATION, "p1") is None


@pytest.mark.parametrize("mood", ["ordered", "attested"])
def test_the_days_of_a_contract_fit_its_term(mood):
    s = story()
    s.refused(signed(last_day=None), MissingField, mood, field="last_day")
    s.refused(signed(term="task"), BadInput, mood, field="last_day")
    s.refused(signed(last_day="2021-08-31"), ImpossibleDate, mood, field="last_day")
    outside = signed(probation_last_day="2024-09-01")
    s.refused(outside, ImpossibleDate, mood, field="probation_last_day")
    s.when(signed(last_day=HIRED), mood)
    s = story()
    other_end = signed()._replace(until=date(2023, 1, 1))
    s.refused(other_end, BadInput, mood, field="until")
    s.when(signed()._replace(until=date(2024, 9, 1)), mood)


@pytest.mark.parametrize("mood", ["ordered", "attested"])
def test_a_contract_is_between_a_known_person_and_a_known_employer_once_at_a_time(mood):
    s = story()
    s.refused(signed(person="p9"), UnknownSubject, mood, field="person")
    s.refused(signed(employer="s9"), UnknownSubject, mood, field="employer")
    s.given(signed())
    s.refused(signed("2022-01-01"), AlreadyRecorded, mood, field="employer")


def test_a_contract_with_another_employer_ends_the_running_one():
    s = story().given(signed()).when(signed("2022-01-01", employer="s2", last_day="2022-12-31"))
    assert s.value(CONTRACT, "p1", "2021-12-31")["employer"] == "s1"
    assert s.value(CONTRACT, "p1", "2022-12-31")["employer"] == "s2"
    assert s.at(CONTRACT, "p1", "2023-01-01") is None


@pytest.mark.parametrize(
    ("term", "last_day", "longest", "too_long"),
    [
        ("fixed", "2021-11-29", None, "2021-09-01"),
        ("fixed", "2021-11-30", "2021-09-30", "2021-10-01"),
        ("fixed", "2022-08-30", "2021-09-30", "2021-10-01"),
        ("fixed", "2022-08-31", "2021-10-31", "2021-11-01"),
        ("fixed", "2024-08-30", "2021-10-31", "2021-11-01"),
        ("fixed", "2024-08-31", "2022-02-28", "2022-03-01"),
        ("open-ended", None, "2022-02-28", "2022-03-01"),
        ("task", None, None, "2021-09-01"),
    ],
)
def test_probation_is_no_longer_than_the_term_allows(term, last_day, longest, too_long):
    s = story()
    contract = {"term": term, "last_day": last_day}
    s.refused(
        signed(probation_last_day=too_long, **contract), LawForbids, field="probation_last_day",
        rule="probation-length", article="劳动合同法 19",
    )  # fmt: skip
    s.when(signed(probation_last_day=longest, **contract))


def test_a_probation_that_was_too_long_is_a_finding():
    s = story().when(signed(probation_last_day="2022-08-31"), "attested")
    assert s.rules_found() == {"probation-length"}


def test_a_second_probation_with_the_same_employer_is_refused():
    s = story().given(signed(probation_last_day="2021-10-31"))
    again = renewed("2024-09-01", "2027-08-31", probation_last_day="2024-10-31")
    s.refused(again, LawForbids, field="probation_last_day", rule="probation-once")
    other = signed(
        "2024-09-01", employer="s2", last_day="2027-08-31", probation_last_day="2024-10-31"
    )
    s.when(other)
    assert s.rules_found() == set()


def test_a_dispatch_contract_of_less_than_two_years_is_refused():
    s = story(form="dispatched", agency="ag")
    short = signed(employer="ag", last_day="2023-08-30")
    s.refused(short, LawForbids, field="last_day", rule="dispatch-term", article="劳动合同法 58")
    s.when(signed(employer="ag", last_day="2023-08-31"))
    assert story().when(signed(last_day="2023-08-30")).rules_found() == set()


def ningbo() -> Story:
    s = story("none")
    place = act(UnitEstablished(unit="n1", name="甬所", division="330200"), "2000-01-01")
    return s.given(
        place,
        act(PersonRegistered(person="p2"), "2000-01-01"),
        act(AuxiliaryHired(person="p2", unit="n1", category="field"), HIRED),
    )


def test_in_ningbo_a_contract_holds_all_its_contents_and_a_probation():
    s = ningbo()
    bare = {"person": "p2", "employer": "n1"}
    s.refused(signed(**bare), LawForbids, field="clauses", rule="contract-clauses")
    some = signed(clauses=ALL_CLAUSES[:-1], **bare)
    s.refused(some, LawForbids, field="clauses", rule="contract-clauses")
    whole = signed(clauses=ALL_CLAUSES, **bare)
    assert s.when(whole).rules_found() == {"probation-agreed"}


def test_only_the_first_contract_with_an_employer_is_asked_for_a_probation():
    after_a_gap = signed("2026-01-01", person="p2", employer="n1", last_day="2027-12-31",
                         clauses=ALL_CLAUSES)  # fmt: skip
    s = ningbo().given(signed(person="p2", employer="n1"))
    assert s.when(after_a_gap).rules_found() == set()


def test_a_contract_signed_before_the_first_working_day_is_under_the_law_of_the_employer():
    early = signed("2021-08-25", person="p2", employer="n1")
    ningbo().refused(early, LawForbids, rule="contract-clauses")


def test_without_rules_any_probation_and_term_pass():
    s = story("none", form="dispatched", agency="ag")
    s.when(signed(employer="ag", last_day="2021-12-31", probation_last_day="2021-12-31"))
    assert s.rules_found() == set()


def test_a_renewal_follows_on_or_cuts_the_running_contract_short():
    s = story().given(signed()).when(renewed("2024-09-01", "2027-08-31", number="c2", nth=2))
    assert s.value(CONTRACT, "p1", "2024-08-31")["number"] == "c1"
    assert s.value(CONTRACT, "p1", "2024-09-01") == {
        "number": "c2", "employer": "s1", "term": "fixed", "nth": 2,
    }  # fmt: skip
    early = story().given(signed()).when(renewed("2023-09-01", "2023-12-31", number="c2"))
    assert early.value(CONTRACT, "p1", "2023-12-31")["number"] == "c2"
    assert early.at(CONTRACT, "p1", "2024-01-01") is None


def test_a_renewal_is_with_the_employer_of_the_contract_before():
    s = story().given(signed())
    s.refused(renewed("2024-09-01", "2027-08-31", employer="s2"), RecordForbids, "attested",
              field="employer")  # fmt: skip
    story().when(renewed("2024-09-01", "2027-08-31"))


def test_a_third_fixed_term_in_a_row_is_a_finding():
    s = story().given(signed(last_day="2022-08-31"))
    amended = ContractAmended(
        person="p1", number="c1", employer="s1", last_day="2022-12-31", changed=["term"]
    )
    s.given(act(amended, "2022-06-01"))
    second, third = renewed("2023-01-01", "2023-12-31"), renewed("2024-01-01", "2024-12-31")
    assert s.when(second).rules_found() == set()
    assert s.when(third).rules_found() == {"fixed-terms"}


def test_fixed_terms_with_a_gap_or_an_open_ended_third_are_none():
    two = story().given(signed(last_day="2022-08-31"), renewed("2022-09-01", "2023-08-31"))
    assert two.when(renewed("2023-09-02", "2024-08-31")).rules_found() == set()
    two = story().given(signed(last_day="2022-08-31"), renewed("2022-09-01", "2023-08-31"))
    assert two.when(renewed("2023-09-01", None, term="open-ended")).rules_found() == set()


def test_a_fixed_term_after_ten_years_of_service_is_a_finding():
    s = story().given(signed(last_day="2031-08-31"))
    assert s.when(renewed("2031-09-01", "2033-08-31")).rules_found() == {"open-ended-after-service"}


def test_an_amended_contract_reads_as_amended_and_not_as_before():
    s = story().given(signed())
    shorter = {"person": "p1", "number": "c1", "last_day": "2022-12-31", "changed": ["term"]}
    s.when(act(ContractAmended(employer="s1", **shorter), "2022-06-01"))
    assert s.value(CONTRACT, "p1", "2022-06-01")["amended"] is True
    assert s.at(CONTRACT, "p1", "2023-01-01") is None
    other = act(ContractAmended(employer="s2", **shorter), "2022-07-01")
    s.refused(other, RecordForbids, "attested", field="employer")
    late = act(
        ContractAmended(employer="s1", **{**shorter, "last_day": "2024-12-31"}), "2023-01-01"
    )
    s.refused(late, UnknownFact, "attested", field="ends")


def test_a_terminated_contract_ends_the_service_and_all_it_carries():
    s = story().given(signed()).when(terminated("serious-breach", union_told_on="2022-04-20"))
    assert s.value(SERVICE, "p1", "2022-05-01") == {
        "state": "left", "kind": "terminated", "ground": "serious-breach",
    }  # fmt: skip
    assert s.value(CONTRACT, "p1", "2022-04-30") is not None
    assert s.at(CONTRACT, "p1", "2022-05-01") is None
    assert s.at(UNIT, "p1", "2022-05-01") is None
    assert s.rules_found() == set()
    s.refused(terminated("serious-breach", "2022-05-02"), NotInService, "attested", field="person")


@pytest.mark.parametrize("ground", ["resignation", "term-over", "dislike"])
def test_a_contract_is_terminated_on_a_ground_of_termination(ground):
    s = story()
    s.refused(terminated(ground), LawForbids, field="ground", rule="exit-ground-list")
    assert s.when(terminated(ground), "attested").rules_found() == {"exit-ground-list"}


def test_ningbo_has_grounds_of_its_own_beside_those_of_the_nation():
    s = ningbo().given(signed(person="p2", employer="n1"))
    own = ContractTerminated(person="p2", ground="banned-act", union_told_on="2022-04-20")
    assert s.when(act(own, "2022-05-01")).rules_found() == set()
    story().refused(terminated("banned-act"), LawForbids, rule="exit-ground-list")


def test_terminating_by_agreement_asks_neither_notice_nor_the_union():
    assert story().when(terminated("agreed")).rules_found() == set()


def test_terminating_alone_without_telling_the_union_or_in_time_is_a_finding():
    checked = {"protection_checked": True, "union_told_on": "2022-03-30"}
    s = story().when(terminated("serious-breach"))
    assert s.rules_found() == {"union-told"}
    s = story().when(terminated("incompetent", notice_on="2022-04-02", **checked))
    assert s.rules_found() == {"dismissal-notice"}
    s = story().when(terminated("incompetent", notice_on="2022-04-01", **checked))
    assert s.rules_found() == set()
    s = story().when(terminated("incompetent", paid_in_lieu=True, **checked))
    assert s.rules_found() == set()


def test_nobody_is_dismissed_for_incompetence_unless_no_protected_state_was_found():
    given_notice = terminated("incompetent", notice_on="2022-03-01", union_told_on="2022-02-20")
    s = story()
    s.refused(given_notice, LawForbids, field="protection_checked", rule="dismissal-protected",
              article="劳动合同法 42")  # fmt: skip
    assert s.when(given_notice, "attested").rules_found() == {"dismissal-protected"}


def test_an_unfit_probationer_is_dismissed_within_the_probation():
    told = {"union_told_on": "2021-10-20"}
    s = story().given(signed(probation_last_day="2021-10-31"))
    late = terminated("probation-unfit", "2021-11-02", **told)
    s.refused(late, LawForbids, field="ground", rule="probation-failure-in-time")
    assert s.when(terminated("probation-unfit", "2021-11-01", **told)).rules_found() == set()


def test_a_probation_failed_in_time_lets_the_termination_follow():
    s = story().given(signed(probation_last_day="2021-10-31"))
    s.given(act(ProbationFailed(person="p1"), "2021-10-31"))
    s.when(terminated("probation-unfit", "2021-11-05", union_told_on="2021-10-30"))
    assert s.rules_found() == set()


def test_a_contract_expires_on_the_day_after_its_last_day():
    expired = ContractExpired(person="p1")
    s = story().given(signed())
    s.refused(act(expired, "2024-08-31"), RecordForbids, "attested", field="person")
    s.when(act(expired, "2024-09-01"))
    assert s.value(SERVICE, "p1", "2024-09-01")["kind"] == "expired"
    assert s.value(UNIT, "p1", "2024-08-31") == {"unit": "s1"}
    s.refused(act(expired, "2024-09-02"), NotInService, "attested", field="person")


def test_a_renewal_prevents_expiry():
    s = story().given(signed(), renewed("2024-09-01", "2027-08-31"))
    expired = act(ContractExpired(person="p1"), "2024-09-01")
    s.refused(expired, RecordForbids, "attested", field="person")


def test_a_task_ends_when_it_is_done_and_an_open_ended_contract_never():
    expired = act(ContractExpired(person="p1"), "2023-01-01")
    story().given(signed(term="task", last_day=None)).when(expired)
    open_ended = story().given(signed(term="open-ended", last_day=None))
    open_ended.refused(expired, RecordForbids, "attested", field="person")


def test_a_contract_does_not_expire_on_a_ground_of_termination():
    wrong = act(ContractExpired(person="p1", ground="serious-breach"), "2024-09-01")
    story().given(signed()).refused(wrong, LawForbids, field="ground", rule="exit-ground-list")


def returned(ground: str = "incompetent", on: str = "2022-05-01") -> Any:
    return act(DispatchedReturned(person="p1", ground=ground), on)


def test_returning_the_dispatched_ends_the_placement():
    s = story(form="dispatched", agency="ag").given(signed(employer="ag")).when(returned())
    assert s.value(SERVICE, "p1", "2022-05-01") == {
        "state": "left", "kind": "returned", "ground": "incompetent",
    }  # fmt: skip
    assert s.at(UNIT, "p1", "2022-05-01") is None
    assert s.rules_found() == set()


def test_only_the_dispatched_who_serve_are_returned():
    story().refused(returned(), RecordForbids, "attested", field="person")
    gone = story(form="dispatched", agency="ag").given(
        act(AuxiliaryResigned(person="p1"), "2022-01-01")
    )
    gone.refused(returned(), NotInService, "attested", field="person")


@pytest.mark.parametrize("mood", ["ordered", "attested"])
def test_a_return_on_a_ground_that_article_65_does_not_name_is_a_finding(mood):
    s = story(form="dispatched", agency="ag").when(returned("changed-circumstances"), mood)
    assert [(f.rule, f.article, f.field) for f in s.findings] == [
        ("return-ground-list", "劳动合同法 65", "ground")
    ]
