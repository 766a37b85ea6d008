"""Units over time: established, renamed, moved, merged, split, dissolved; where they stand."""

import pytest
from pydantic import ValidationError

from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import (
    HEAD_SEATS,
    UNIT_NAME,
    UNIT_PARENT,
    UNIT_STATE,
    HeadSeatsDeclared,
    UnitDissolved,
    UnitEstablished,
    UnitMerged,
    UnitMoved,
    UnitRenamed,
    UnitSplit,
)
from domain.refusals import (
    AlreadyRecorded,
    BadInput,
    LawForbids,
    RecordForbids,
    UnknownSubject,
)
from tests.given import Story, act

BOTH = pytest.mark.parametrize("mood", ["ordered", "attested"])
FIRST = "2010-01-01"


def established(unit: str, on: str = FIRST, **fields):
    return act(UnitEstablished(unit=unit, name=unit, **fields), on)


def moved(unit: str, parent: str, on: str, **envelope):
    return act(UnitMoved(unit=unit, parent=parent), on, **envelope)


def story() -> Story:
    """b above d1 and d2, d1 above s1, from 2010."""
    return Story().given(
        established("b", kind="bureau", division="330200"),
        established("d1", parent="b"),
        established("d2", parent="b"),
        established("s1", parent="d1", kind="station"),
    )


@BOTH
def test_a_unit_is_established_once_under_a_unit_that_stands(mood):
    s = story().given(act(UnitDissolved(unit="d2"), "2020-01-01"))
    s.refused(established("d1", "2022-01-01"), AlreadyRecorded, mood, field="unit")
    s.refused(established("x", parent="y"), UnknownSubject, mood, field="parent")
    s.refused(established("x", "2009-01-01", parent="b"), UnknownSubject, mood, field="parent")
    s.refused(established("x", "2020-01-01", parent="d2"), RecordForbids, mood, field="parent")
    s.refused(established("x", parent="x"), UnknownSubject, mood, field="parent")


@pytest.mark.parametrize("code", ["33020", "330299x", "宁波"])
def test_a_division_is_a_code_of_the_standard(code):
    story().refused(established("x", division=code), BadInput, field="division")


def test_names_and_parents_are_of_their_days():
    s = story()
    s.when(act(UnitRenamed(unit="s1", name="新所", short_name="新"), "2015-03-01"))
    s.when(moved("s1", "d2", "2018-01-01"))
    names = [s.value(UNIT_NAME, "s1", d)["name"] for d in ("2015-02-28", "2015-03-01")]
    above = [s.value(UNIT_PARENT, "s1", d)["parent"] for d in ("2017-12-31", "2018-01-01")]
    assert (names, above) == (["s1", "新所"], ["d1", "d2"])


@BOTH
def test_no_unit_comes_to_stand_above_itself(mood):
    s = story()
    for unit, parent in (("b", "s1"), ("d1", "s1"), ("s1", "s1")):
        s.refused(moved(unit, parent, "2020-01-01"), RecordForbids, mood, field="parent")


@BOTH
def test_nor_on_a_later_day_on_which_another_moves(mood):
    s = story().given(moved("d2", "s1", "2021-01-01"))
    s.refused(moved("s1", "d2", "2020-01-01"), RecordForbids, mood, field="parent")
    assert s.when(moved("s1", "b", "2020-01-01"), mood).value(UNIT_PARENT, "s1", "2020-01-01")


@BOTH
def test_nor_by_a_move_over_which_another_of_the_day_stands(mood):
    s = story().given(moved("s1", "d2", "2020-01-01", seq=2))
    s.refused(moved("s1", "s1", "2020-01-01"), RecordForbids, mood, field="parent")


@BOTH
def test_nor_by_a_correction_of_how_it_was_established(mood):
    s = story()
    below_itself = established("b", parent="s1")._replace(supersedes=s.id_of(1))
    s.refused(below_itself, RecordForbids, mood, field="parent")
    other = established("s1", parent="d2")._replace(supersedes=s.id_of(4))
    assert s.when(other, mood).value(UNIT_PARENT, "s1", FIRST) == {"parent": "d2"}


def test_the_law_of_a_unit_is_that_of_where_it_stands_on_the_day():
    s = story().given(
        established("q", division="320500"),
        moved("s1", "q", "2022-01-01"),
        act(PersonRegistered(person="p1"), FIRST),
    )
    hired = AuxiliaryHired(person="p1", unit="s1", category="field")
    s.refused(act(hired, "2021-12-31"), LawForbids, rule="unified-recruitment", field="plan")
    assert s.when(act(hired, "2022-01-01")).rules_found() == set()


def test_a_merged_a_split_and_a_dissolved_unit_are_no_more():
    s = story()
    s.when(act(UnitMerged(unit="s1", into="d1"), "2016-01-01"))
    s.given(established("e1"), established("e2"))
    s.when(act(UnitSplit(unit="d2", into=["e1", "e2"], ceases="d2"), "2016-01-01"))
    s.when(act(UnitSplit(unit="e1", into=["e2"]), "2016-01-01"))
    s.when(act(UnitDissolved(unit="e2"), "2017-01-01"))
    ends = {u: s.value(UNIT_STATE, u, "2017-01-01")["state"] for u in ("s1", "d2", "e1", "e2")}
    assert ends == {"s1": "merged", "d2": "split", "e1": "active", "e2": "dissolved"}
    assert s.value(UNIT_STATE, "s1", "2015-12-31")["state"] == "active"
    assert s.value(UNIT_STATE, "s1", "2016-01-01")["into"] == "d1"


@BOTH
@pytest.mark.parametrize(
    ("event", "field"),
    [
        (UnitRenamed(unit="gone", name="x"), "unit"),
        (UnitMoved(unit="gone", parent="b"), "unit"),
        (UnitMoved(unit="d1", parent="gone"), "parent"),
        (UnitMerged(unit="gone", into="b"), "unit"),
        (UnitMerged(unit="d1", into="gone"), "into"),
        (UnitMerged(unit="d1", into="d1"), "into"),
        (UnitSplit(unit="gone", into=["d1"]), "unit"),
        (UnitSplit(unit="d1", into=["gone"]), "into"),
        (UnitSplit(unit="d1", into=["d2", "d1"], ceases="d1"), "into"),
        (UnitDissolved(unit="gone"), "unit"),
        (HeadSeatsDeclared(unit="gone", head_seats=["所长"]), "unit"),
    ],
)
def test_nothing_is_done_with_a_unit_that_is_no_more(event, field, mood):
    s = story().given(established("gone"), act(UnitDissolved(unit="gone"), "2020-01-01"))
    s.refused(act(event, "2020-01-01"), RecordForbids, mood, field=field)


@BOTH
@pytest.mark.parametrize(
    "event",
    [
        UnitRenamed(unit="z", name="x"),
        UnitMoved(unit="z", parent="b"),
        UnitMerged(unit="z", into="b"),
        UnitSplit(unit="z", into=["d1"]),
        UnitDissolved(unit="z"),
        HeadSeatsDeclared(unit="z", head_seats=["所长"]),
    ],
)
def test_nor_with_one_that_never_was(event, mood):
    story().refused(act(event, "2020-01-01"), UnknownSubject, mood, field="unit")


@BOTH
def test_only_the_unit_that_is_split_ceases(mood):
    odd = UnitSplit(unit="d1", into=["d2"], ceases="d2")
    story().refused(act(odd, "2020-01-01"), BadInput, mood, field="ceases")


def test_head_seats_are_of_their_days():
    s = story().when(act(HeadSeatsDeclared(unit="s1", head_seats=["所长", "教导员"]), "2019-01-01"))
    assert s.at(HEAD_SEATS, "s1", "2018-12-31") is None
    assert s.value(HEAD_SEATS, "s1", "2019-01-01") == {"head_seats": ["所长", "教导员"]}


@BOTH
def test_a_seat_is_named_once_and_a_unit_has_at_least_one(mood):
    twice = ["所长", "所长"]
    s = story()
    s.refused(
        act(HeadSeatsDeclared(unit="s1", head_seats=twice)), BadInput, mood, field="head_seats"
    )
    s.refused(established("x", head_seats=twice), BadInput, mood, field="head_seats")
    s.refused(established("x", head_seats=[]), BadInput, mood, field="head_seats")
    with pytest.raises(ValidationError):
        HeadSeatsDeclared(unit="s1", head_seats=[])
