from datetime import date
from typing import Any

import pytest

from domain.acts.contracts import ContractTerminated
from domain.acts.exit import AuxiliaryDied, AuxiliaryResigned
from domain.acts.officers import OfficerAppointed
from domain.acts.openings import RecordOpened
from domain.acts.people import CATEGORY, SERVICE, UNIT, PersonRegistered
from domain.acts.recruitment import (
    HIRE_LIST,
    RECRUITED,
    RECRUITMENT,
    AuxiliaryHired,
    AuxiliaryRehired,
    HireListFiled,
    RecruitmentCompleted,
)
from domain.acts.units import UnitEstablished
from domain.case import Case, Unread
from domain.law import Law, Pack, load_calendars, load_packs
from domain.record import Strand
from domain.refusals import (
    AlreadyRecorded,
    BadInput,
    LawForbids,
    MissingField,
    RecordForbids,
    UnknownSubject,
)
from tests.given import Story, act

ARTICLE = "实施意见 三(二)7"


def story(division: str = "330200", law: Law | None = None) -> Story:
    return Story(law).given(
        act(
            UnitEstablished(unit="bureau", name="局", kind="bureau", division=division),
            "2000-01-01",
        ),
        act(UnitEstablished(unit="s1", name="所", parent="bureau"), "2000-01-01"),
        act(UnitEstablished(unit="agency", name="派遣公司", kind="agency"), "2000-01-01"),
        *(act(PersonRegistered(person=p), "2000-01-01") for p in ("p1", "p2", "p3")),
    )


def completed(*persons: str, on: str = "2021-09-28", plan: str = "r1") -> Any:
    return act(RecruitmentCompleted(plan=plan, unit="bureau", persons=list(persons)), on)


def filed(*persons: str, on: str = "2021-10-11", plan: str = "r1") -> Any:
    return act(HireListFiled(plan=plan, filed_to="bureau", persons=list(persons)), on)


def hired(on: str = "2021-10-08", person: str = "p1", **fields: Any) -> Any:
    return act(AuxiliaryHired(person=person, unit="s1", category="field", **fields), on)


def rehired(on: str, **fields: Any) -> Any:
    return act(AuxiliaryRehired(person="p1", unit="s1", category="field", **fields), on)


def resigned(on: str) -> Any:
    return act(AuxiliaryResigned(person="p1"), on)


def test_a_completed_recruitment_names_its_persons():
    s = story().when(completed("p1", "p2"))
    assert s.value(RECRUITMENT, "r1") == {"unit": "bureau", "persons": ["p1", "p2"]}
    assert s.every(RECRUITED, "p2") == [{"plan": "r1"}]
    assert s.every(RECRUITED, "p3") == []


def test_a_recruitment_is_completed_once():
    story().given(completed("p1")).refused(
        completed("p2"), AlreadyRecorded, "attested", field="plan"
    )


def test_a_recruitment_names_registered_persons_once_each():
    story().refused(completed("p1", "p9"), UnknownSubject, field="persons")
    story().refused(completed("p1", "p1"), BadInput, field="persons")
    by_agency = act(RecruitmentCompleted(plan="r1", unit="agency", persons=["p1"]), "2021-09-28")
    story().refused(by_agency, RecordForbids, field="unit")


def test_the_persons_of_a_list_are_read_all_at_once():
    s = story()
    units = {Strand("unit-state", "unit:bureau"), Strand("recruitment", "plan:r1")}
    proposal = completed("p1", "p2", "p3")
    with pytest.raises(Unread) as unread:
        proposal.event.decide(Case(proposal, "ordered", s.record, units, s.law, date(2026, 1, 1)))
    assert unread.value.strands == {Strand("person", f"person:p{n}") for n in (1, 2, 3)}


def test_a_hire_list_is_filed_for_a_completed_recruitment():
    s = story().given(completed("p1"))
    s.refused(filed("p1", "p9"), UnknownSubject, field="persons")
    to_agency = act(HireListFiled(plan="r1", filed_to="agency", persons=["p1"]), "2021-10-11")
    s.refused(to_agency, RecordForbids, field="filed_to")
    s.when(filed("p1"))
    assert s.value(HIRE_LIST, "r1") == {"filed_to": "bureau", "persons": ["p1"]}
    assert s.rules_found() == set()
    story().refused(filed("p1"), UnknownSubject, "attested", field="plan")
    story().given(completed("p1")).refused(
        filed("p1", on="2021-09-27"), UnknownSubject, field="plan"
    )


def test_a_hire_list_filed_after_five_working_days_is_a_finding_and_no_refusal():
    assert story().given(completed("p1")).when(filed("p1", on="2021-10-12")).rules_found() == {
        "hire-list-filing"
    }


def test_a_recruitment_completed_before_the_rule_was_in_force_has_no_filing_term():
    s = story().given(completed("p1", on="2021-07-20")).when(filed("p1", on="2021-12-01"))
    assert s.rules_found() == set()


def test_filing_again_is_not_filing_late():
    s = story().given(completed("p1"), filed("p1")).when(filed("p1", on="2021-11-30"))
    assert s.rules_found() == set()


def test_a_list_of_other_persons_is_found_and_is_refused_where_a_pack_blocks_it():
    packs = load_packs()
    rule = packs["330200"].text
    at = rule.index('id = "hire-list-persons"')
    strict = rule[:at] + rule[at:].replace('strength = "warn"', 'strength = "block"', 1)
    packs["330200"] = Pack.parse(strict)
    s = story(law=Law(packs.values(), load_calendars().values())).given(completed("p1", "p2"))
    s.refused(filed("p1"), LawForbids, field="persons", rule="hire-list-persons")
    assert s.when(filed("p1"), "attested").rules_found() == {"hire-list-persons"}
    found = story().given(completed("p1", "p2")).when(filed("p1")).rules_found()
    assert found == {"hire-list-persons"}


def test_a_hire_begins_service_category_and_unit():
    s = story().given(completed("p1")).when(hired(plan="r1"))
    assert s.value(SERVICE, "p1") == {"state": "in", "form": "direct"}
    assert s.value(CATEGORY, "p1") == {"category": "field"}
    assert s.value(UNIT, "p1") == {"unit": "s1"}
    assert s.value(SERVICE, "p1", "2021-10-07") is None
    assert s.rules_found() == set()


def test_the_dispatched_are_hired_with_their_agency_which_is_never_the_using_unit():
    s = story("none")
    s.refused(hired(form="dispatched"), MissingField, field="agency")
    s.refused(hired(form="dispatched", agency="s1"), RecordForbids, field="agency")
    s.refused(hired(form="dispatched", agency="s9"), UnknownSubject, field="agency")
    s.refused(hired(agency="agency"), BadInput, field="agency")
    at_agency = act(AuxiliaryHired(person="p1", unit="agency", category="civilian"), "2021-10-08")
    s.refused(at_agency, RecordForbids, "attested", field="unit")
    s.when(hired(form="dispatched", agency="agency"))
    assert s.value(SERVICE, "p1") == {"state": "in", "form": "dispatched", "agency": "agency"}


def test_dispatch_is_a_finding_where_the_list_of_forms_does_not_name_it():
    s = story().given(completed("p1")).when(hired(form="dispatched", agency="agency"))
    assert s.rules_found() == {"employment-form-list"}


@pytest.mark.parametrize("mood", ["ordered", "attested"])
def test_nobody_is_hired_unknown_or_twice(mood):
    s = story("none").given(hired())
    s.refused(hired(person="p9"), UnknownSubject, mood, field="person")
    s.refused(hired(on="2022-01-04"), AlreadyRecorded, mood, field="person")
    unknown = act(AuxiliaryHired(person="p2", unit="s9", category="civilian"), "2021-10-08")
    s.refused(unknown, UnknownSubject, mood, field="unit")


@pytest.mark.parametrize("mood", ["ordered", "attested"])
def test_an_officer_is_not_hired(mood):
    s = story("none").given(act(OfficerAppointed(person="p1", unit="s1"), "2021-01-01"))
    s.refused(hired(), RecordForbids, mood, field="person")
    s.refused(
        act(RecordOpened(person="p1"), "2021-10-08"), RecordForbids, "attested", field="person"
    )
    s.when(hired("2020-12-31"), mood)


def test_in_ningbo_nobody_is_hired_outside_a_unified_recruitment():
    s = story().given(completed("p2"))
    s.refused(hired(), LawForbids, field="plan", rule="unified-recruitment", article=ARTICLE)
    s.given(completed("p1", plan="r2"))
    s.refused(hired(plan="r1"), LawForbids, field="plan", rule="unified-recruitment")
    assert s.when(hired(plan="r2")).rules_found() == set()


def test_an_irregular_hire_that_happened_is_a_finding():
    assert story().when(hired(), "attested").rules_found() == {"unified-recruitment"}


def test_a_recruitment_completed_after_the_hire_does_not_cover_it():
    story().given(completed("p1", on="2021-10-09")).refused(hired(), LawForbids)


@pytest.mark.parametrize("division", ["none", "320500"])
def test_elsewhere_and_earlier_a_hire_needs_no_unified_recruitment(division):
    assert story(division).when(hired()).rules_found() == set()
    assert story().when(hired(on="2021-07-31")).rules_found() == set()


def test_a_rehire_begins_a_spell_that_inherits_nothing():
    s = story("none").given(hired(), resigned("2022-05-01"))
    s.refused(hired(on="2022-09-01"), RecordForbids, "attested", field="person")
    s.when(rehired("2022-09-01", form="dispatched", agency="agency"))
    assert s.value(SERVICE, "p1", "2022-08-31")["state"] == "left"
    assert s.value(UNIT, "p1", "2022-08-31") is None
    assert s.value(SERVICE, "p1", "2022-09-01") == {
        "state": "in", "form": "dispatched", "agency": "agency",
    }  # fmt: skip


@pytest.mark.parametrize("mood", ["ordered", "attested"])
def test_a_rehire_needs_an_earlier_spell_that_has_ended_alive(mood):
    s = story("none")
    s.refused(rehired("2022-09-01"), RecordForbids, mood, field="person")
    s.given(hired())
    s.refused(rehired("2022-09-01"), AlreadyRecorded, mood, field="person")
    s.given(act(AuxiliaryDied(person="p1", on_duty=False), "2022-05-01"))
    s.refused(rehired("2022-09-01"), RecordForbids, mood, field="person")


def test_a_recruitment_serves_one_spell():
    same_day = completed("p1", on="2021-10-08")
    s = story().given(same_day, hired(), resigned("2022-05-01"))
    s.refused(rehired("2022-09-01"), LawForbids, rule="unified-recruitment")
    s.given(completed("p1", on="2022-04-20", plan="r2")).when(rehired("2022-09-01"))


def test_who_left_for_breach_is_not_rehired_where_the_ground_bars_it():
    s = story()
    left = act(ContractTerminated(person="p1", ground="banned-act"), "2022-05-01")
    s.given(completed("p1"), hired(), left, completed("p1", on="2022-08-20", plan="r2"))
    again = rehired("2022-09-01", plan="r2")
    s.refused(again, LawForbids, field="person", rule="hire-disqualification")
    assert s.when(again, "attested").rules_found() == {"hire-disqualification"}
    other = story().given(completed("p1"), hired(), resigned("2022-05-01"))
    other.given(completed("p1", on="2022-08-20", plan="r2")).when(again)
