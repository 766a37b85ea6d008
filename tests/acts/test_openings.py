from typing import Any

import pytest

from domain.acts.contracts import CONTRACT, ContractExpired, ContractRenewed
from domain.acts.exit import AuxiliaryResigned
from domain.acts.grades import GRADE
from domain.acts.movement import AuxiliaryTransferred
from domain.acts.openings import ContractOpened, RecordOpened
from domain.acts.people import (
    CATEGORY,
    NUMBER,
    NUMBER_HOLDER,
    SERVICE,
    UNIT,
    AuxiliaryNumberAssigned,
    PersonRegistered,
)
from domain.acts.posts import POST
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitEstablished
from domain.refusals import (
    AlreadyRecorded,
    BadInput,
    ImpossibleDate,
    MissingField,
    NotInService,
    RecordForbids,
    Taken,
    UnknownSubject,
)
from tests.given import Story, act

SHEET = "2021-12-31"


def story() -> Story:
    return Story().given(
        act(UnitEstablished(unit="s1", name="所", division="330200"), "2000-01-01"),
        act(UnitEstablished(unit="s2", name="二所", division="330200"), "2000-01-01"),
        act(UnitEstablished(unit="ag", name="派遣", kind="agency"), "2000-01-01"),
        *(act(PersonRegistered(person=p), "2000-01-01") for p in ("p1", "p2")),
    )


def opened(**fields: Any) -> Any:
    return act(RecordOpened(**{"person": "p1", **fields}), SHEET)


def contract(**fields: Any) -> Any:
    return act(ContractOpened(person="p1", employer="s1", **fields), SHEET)


FULL = {
    "hired_on": "2015-03-01", "form": "direct", "category": "field", "unit": "s1",
    "grade": "member-2", "ladder": "suzhou", "post": "patrol", "number": "F001",
}  # fmt: skip


def test_an_opening_says_what_held_on_the_day_of_the_sheet_and_breaks_no_rule():
    s = story().when(opened(**FULL), "attested")
    assert s.value(CATEGORY, "p1", SHEET) == {"category": "field"}
    assert s.value(UNIT, "p1", SHEET) == {"unit": "s1"}
    assert s.value(GRADE, "p1", SHEET) == {"grade": "member-2", "ladder": "suzhou"}
    assert s.value(POST, "p1", SHEET) == {"post": "patrol"}
    assert s.value(NUMBER, "p1", SHEET) == {"number": "F001"}
    assert s.every(NUMBER_HOLDER, "F001", SHEET) == [{"person": "p1"}]
    assert s.findings == []


def test_only_days_that_the_sheet_gives_reach_back_before_it():
    s = story().when(opened(**FULL, unit_since="2018-06-01"), "attested")
    assert s.value(SERVICE, "p1", "2015-03-01") == {
        "state": "in",
        "form": "direct",
        "opened": True,
    }
    assert s.value(SERVICE, "p1", "2015-02-28") is None
    assert s.value(UNIT, "p1", "2018-06-01") == {"unit": "s1"}
    assert s.at(UNIT, "p1", "2018-05-31") is None
    assert s.at(GRADE, "p1", "2021-12-30") is None


def test_what_the_sheet_does_not_say_stays_not_recorded():
    s = story().when(opened(), "attested")
    assert s.value(SERVICE, "p1", SHEET) == {"state": "in", "opened": True}
    for facet in (CATEGORY, UNIT, GRADE, POST, NUMBER, CONTRACT):
        assert s.at(facet, "p1", SHEET) is None


def test_an_opening_is_never_ordered():
    s = story()
    s.refused(opened(**FULL), RecordForbids, field="mood")
    s.given(opened(**FULL))
    s.refused(contract(), RecordForbids, field="mood")


def test_a_record_is_opened_once_for_a_registered_person():
    s = story()
    s.refused(opened(person="p9"), UnknownSubject, "attested", field="person")
    s.given(opened(**FULL))
    s.refused(opened(**FULL), AlreadyRecorded, "attested", field="person")


def test_the_days_of_an_opening_lie_between_the_hire_and_the_sheet():
    s = story()
    s.refused(opened(hired_on="2022-01-01"), ImpossibleDate, "attested", field="hired_on")
    early = opened(hired_on="2015-03-01", grade="member-2", grade_since="2015-02-28")
    s.refused(early, ImpossibleDate, "attested", field="grade_since")
    s.when(opened(hired_on=SHEET, unit="s1", unit_since=SHEET), "attested")


def test_an_opening_after_an_earlier_spell_does_not_reach_into_it():
    hired = act(AuxiliaryHired(person="p1", unit="s1", category="field"), "2010-01-01")
    s = story().given(hired, act(AuxiliaryResigned(person="p1"), "2014-01-01"))
    s.refused(opened(hired_on="2013-01-01"), RecordForbids, "attested", field="hired_on")
    into = opened(unit="s1", unit_since="2013-01-01")
    s.refused(into, RecordForbids, "attested", field="unit_since")
    s.when(opened(hired_on="2014-01-01"), "attested")
    assert s.value(SERVICE, "p1", "2013-12-31")["state"] == "in"
    assert s.value(SERVICE, "p1", "2014-01-01") == {"state": "in", "opened": True}


def test_an_opening_names_units_that_stand():
    s = story()
    s.refused(opened(unit="s9"), UnknownSubject, "attested", field="unit")
    s.refused(opened(unit="ag"), RecordForbids, "attested", field="unit")
    s.refused(opened(form="dispatched"), MissingField, "attested", field="agency")
    s.refused(opened(agency="ag"), BadInput, "attested", field="agency")


def test_a_number_that_was_anothers_is_not_opened_again():
    s = story().given(opened(**FULL))
    s.refused(opened(person="p2", number="F001"), Taken, "attested", field="number")
    s.given(opened(person="p2", number="F002"))
    later = act(AuxiliaryNumberAssigned(person="p2", number="F001"), "2022-01-01")
    s.refused(later, Taken, field="number")


def test_later_acts_go_on_from_what_was_opened():
    s = story().given(opened(**FULL))
    s.when(act(AuxiliaryTransferred(person="p1", unit="s2"), "2022-03-01"))
    assert s.value(UNIT, "p1", "2022-03-01") == {"unit": "s2"}
    s.when(act(AuxiliaryResigned(person="p1", notice_on="2022-03-01"), "2022-05-01"))
    assert s.at(UNIT, "p1", "2022-05-01") is None


def test_an_opened_contract_runs_to_its_last_day_and_is_renewed_or_expires():
    dated = contract(number="c1", term="fixed", nth=2, first_day="2019-03-01",
                     last_day="2022-02-28")  # fmt: skip
    s = story().given(opened(**FULL)).when(dated, "attested")
    assert s.value(CONTRACT, "p1", "2019-03-01") == {
        "employer": "s1", "number": "c1", "term": "fixed", "nth": 2,
    }  # fmt: skip
    assert s.at(CONTRACT, "p1", "2022-03-01") is None
    expired = ContractExpired(person="p1")
    s.refused(act(expired, "2022-02-28"), RecordForbids, "attested", field="person")
    s.when(act(expired, "2022-03-01"))


def test_an_opened_contract_without_a_known_end_can_be_renewed_or_expire():
    s = story().given(opened(**FULL), contract())
    assert s.at(CONTRACT, "p1", "2021-12-30") is None
    following = ContractRenewed(person="p1", number="c2", employer="s1", last_day="2025-06-30")
    s.given(act(following, "2022-07-01"))
    assert s.at(CONTRACT, "p1", "2025-07-01") is None
    other = story().given(opened(**FULL), contract())
    other.when(act(ContractExpired(person="p1"), "2022-07-01"))


@pytest.mark.parametrize(
    ("days", "field"),
    [
        ({"first_day": "2022-01-01"}, "first_day"),
        ({"first_day": "2019-03-01", "last_day": "2019-02-28"}, "last_day"),
        ({"last_day": "2021-12-30"}, "last_day"),
    ],
)
def test_the_days_of_an_opened_contract_are_possible(days, field):
    s = story().given(opened(**FULL))
    s.refused(contract(**days), ImpossibleDate, "attested", field=field)


def test_a_contract_is_opened_once_for_who_serves():
    s = story()
    s.refused(contract(), NotInService, "attested", field="person")
    s.given(opened(**FULL))
    elsewhere = act(ContractOpened(person="p1", employer="s9"), SHEET)
    s.refused(elsewhere, UnknownSubject, "attested", field="employer")
    s.given(contract(first_day=SHEET))
    s.refused(contract(), AlreadyRecorded, "attested", field="person")
