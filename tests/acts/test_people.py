"""Registration, details and the auxiliary number, which is never given to a second person."""

from datetime import date

import pytest
from pydantic import ValidationError

from domain.acts.exit import AuxiliaryResigned
from domain.acts.people import (
    EDUCATION,
    NAME,
    NUMBER,
    NUMBER_HOLDER,
    PERSON,
    PHONE,
    AuxiliaryNumberAssigned,
    AuxiliaryNumberWithdrawn,
    PersonDetailsChanged,
    PersonRegistered,
    id_number_fault,
)
from domain.acts.recruitment import AuxiliaryHired, AuxiliaryRehired
from domain.acts.units import UnitEstablished
from domain.refusals import (
    AlreadyRecorded,
    BadInput,
    MissingField,
    NotInService,
    RecordForbids,
    Taken,
    UnknownFact,
    UnknownSubject,
)
from tests.given import Story, act

BOTH = pytest.mark.parametrize("mood", ["ordered", "attested"])


def story() -> Story:
    return Story().given(
        act(UnitEstablished(unit="u1", name="一所"), "2000-01-01"),
        act(PersonRegistered(person="p1", education="31", phone="0512-1"), "2020-01-01"),
        act(PersonRegistered(person="p2"), "2020-01-01"),
        act(AuxiliaryHired(person="p1", unit="u1", category="field"), "2020-01-02"),
    )


def numbered(number: str, on: str, person: str = "p1"):
    return act(AuxiliaryNumberAssigned(person=person, number=number), on)


def withdrawn(on: str, person: str = "p1"):
    return act(AuxiliaryNumberWithdrawn(person=person), on)


@BOTH
def test_a_person_is_registered_once(mood):
    story().refused(
        act(PersonRegistered(person="p1"), "2021-01-01"), AlreadyRecorded, mood, field="person"
    )


@BOTH
@pytest.mark.parametrize(
    "id_", ["11010519491231002X", "11010519491231002x", "13912345678", "8613912345678"]
)
def test_a_persons_id_is_nobodys_number(mood, id_):
    """Else no destruction would reach it: an id lies open in every entry about the person."""
    said = act(PersonRegistered(person=id_), "2022-01-04")
    story().refused(said, BadInput, mood, field="person")
    story().given(act(PersonRegistered(person=f"p-{id_[:8]}"), "2022-01-04"))


@BOTH
def test_a_birth_date_is_that_of_the_id_number(mood):
    number = "11010519491231002X"
    other = act(PersonRegistered(person="p3", id_number=number, birth_date=date(1949, 12, 30)))
    same = act(PersonRegistered(person="p3", id_number=number, birth_date=date(1949, 12, 31)))
    story().refused(other, RecordForbids, mood, field="birth_date")
    assert story().when(same, mood).value(PERSON, "p3") is not None


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("11010519491231002X", None),
        ("440524188001010014", None),
        ("34052419800101001X", None),
        ("513101198201130014", None),
        ("330213200102030018"[:17] + "X", "校验码不符"),
        ("1101051949123100", "不是18位"),
        ("11010519490231002X", "出生日期不存在"),
        ("１１０１０５１９４９１２３１００２X", "不是18位"),
    ],
)
def test_an_id_number_follows_the_standard(number, fault):
    assert id_number_fault(number) == fault
    if fault:
        with pytest.raises(ValidationError, match="GB 11643"):
            PersonRegistered(person="p3", id_number=number)


def test_a_lower_case_check_character_is_the_same_number():
    said = PersonRegistered(person="p3", id_number="11010519491231002x")
    assert said.id_number == "11010519491231002X"


def test_what_a_change_of_details_does_not_say_stays():
    s = story().when(act(PersonDetailsChanged(person="p1", education="21"), "2022-07-01"))
    assert s.value(EDUCATION, "p1", "2022-06-30") == {"education": "31"}
    assert s.value(EDUCATION, "p1", "2022-07-01") == {"education": "21"}
    assert "0512-1" in s.value(PHONE, "p1", "2022-07-01")["phone"]["x"]
    assert s.at(NAME, "p1", "2022-07-01") is None


@BOTH
def test_a_change_of_details_changes_something_of_somebody_known(mood):
    s = story()
    s.refused(act(PersonDetailsChanged(person="p1")), MissingField, mood, field="name")
    s.refused(
        act(PersonDetailsChanged(person="p9", phone="1")), UnknownSubject, mood, field="person"
    )


def test_a_number_is_held_from_its_day_until_the_next_or_its_withdrawal():
    s = story().when(numbered("N1", "2020-02-01")).when(numbered("N2", "2021-02-01"))
    s.when(withdrawn("2022-02-01"))
    held = [s.value(NUMBER, "p1", d) for d in ("2020-02-01", "2021-01-31", "2021-02-01")]
    assert held == [{"number": "N1"}, {"number": "N1"}, {"number": "N2"}]
    assert s.at(NUMBER, "p1", "2022-02-01").value is None
    assert s.at(NUMBER, "p1", "2020-01-31") is None


@BOTH
def test_a_number_is_never_anothers_again(mood):
    s = story().given(
        numbered("N1", "2020-02-01"),
        act(AuxiliaryHired(person="p2", unit="u1", category="field"), "2020-02-01"),
        act(AuxiliaryResigned(person="p1"), "2021-01-01"),
    )
    s.refused(numbered("N1", "2021-06-01", "p2"), Taken, mood, field="number")
    s.refused(numbered("N1", "2020-01-15", "p2"), NotInService, mood, field="person")
    assert s.every(NUMBER_HOLDER, "N1", "2026-01-01") == [{"person": "p1"}]


@BOTH
def test_not_even_before_the_day_on_which_another_is_given_it(mood):
    s = story().given(
        act(AuxiliaryHired(person="p2", unit="u1", category="field"), "2020-02-01"),
        numbered("N1", "2021-02-01"),
    )
    s.refused(numbered("N1", "2020-03-01", "p2"), Taken, mood, field="number")


def test_who_comes_back_may_have_the_own_number_again():
    s = story().given(
        numbered("N1", "2020-02-01"), act(AuxiliaryResigned(person="p1"), "2021-01-01")
    )
    assert s.value(NUMBER, "p1", "2021-01-01") is None
    s.given(act(AuxiliaryRehired(person="p1", unit="u1", category="field"), "2021-05-01"))
    assert s.when(numbered("N1", "2021-05-02")).value(NUMBER, "p1", "2021-05-02") == {
        "number": "N1"
    }


@BOTH
def test_a_number_is_for_who_serves(mood):
    s = story()
    s.refused(numbered("N2", "2021-01-01", "p2"), NotInService, mood, field="person")
    s.refused(numbered("N2", "2021-01-01", "p9"), UnknownSubject, mood, field="person")


@BOTH
def test_only_a_number_that_is_held_is_withdrawn(mood):
    story().refused(withdrawn("2021-01-01"), UnknownFact, mood, field="ends")
