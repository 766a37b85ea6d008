"""Two as-of pairs of one subject side by side, with the entries that made each difference."""

from datetime import date

import pytest

from domain.acts.exit import AuxiliaryResigned
from domain.acts.people import PersonRegistered
from domain.acts.posts import PostAssigned
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.rewards import RewardGranted, RewardRevoked
from domain.acts.units import UnitEstablished, UnitRenamed
from domain.bitemporal import AsOf
from domain.ledger import Request
from replay.compare import person, subject
from tests.given import act


@pytest.fixture(scope="module")
def told(common_bureau):
    """1-3 set up and hired, 4 post, 5 reward, 6 post corrected, 7 reward revoked, 8 left."""

    def enter(event, on, **envelope):
        receipt = common_bureau.ledger.enter(Request([act(event, on, **envelope)]))
        return receipt.entries[0].event_id

    enter(UnitEstablished(unit="u1", name="所"), "2020-01-01")
    enter(PersonRegistered(person="p1"), "2020-01-01")
    enter(AuxiliaryHired(person="p1", unit="u1", category="field"), "2021-01-01")
    assigned = enter(PostAssigned(person="p1", post="patrol"), "2021-02-01")
    enter(RewardGranted(person="p1", kind="merit"), "2021-03-01")
    enter(PostAssigned(person="p1", post="desk"), "2021-02-01", supersedes=assigned)
    enter(RewardRevoked(person="p1"), "2021-06-01")
    enter(AuxiliaryResigned(person="p1"), "2021-09-01")
    list(common_bureau.runner.catch_up())
    return common_bureau.records


def pair(day, recorded):
    return AsOf(date.fromisoformat(day), recorded)


def named(differences):
    return {d.facet: d.entries for d in differences}


def test_one_pair_twice_differs_in_nothing(told):
    assert person(told, "p1", pair("2021-04-01", 8), pair("2021-04-01", 8)) == []


def test_what_a_correction_changed_names_it_and_what_it_corrected(told):
    [difference] = person(told, "p1", pair("2021-02-15", 5), pair("2021-02-15", 6))
    assert difference.facet == "post"
    assert [f.value["post"] for f in difference.before] == ["patrol"]
    assert [f.value["post"] for f in difference.after] == ["desk"]
    assert difference.entries == [4, 6]


def test_what_changed_from_one_day_to_another_names_the_acts_between(told):
    found = person(told, "p1", pair("2021-04-01", 8), pair("2021-10-01", 8))
    assert named(found) == {
        "category": [3, 8], "post": [6, 8], "rewards": [5, 7], "service": [3, 8], "unit": [3, 8],
    }  # fmt: skip
    assert [d.after for d in found if d.facet == "rewards"] == [[]]


def test_then_and_now_names_what_was_entered_between(told):
    found = person(told, "p1", pair("2021-07-01", 6), pair("2021-07-01", 7))
    assert named(found) == {"rewards": [5, 7]}


def test_what_began_and_ended_between_is_a_difference_too(told):
    [reward] = [
        d
        for d in person(told, "p1", pair("2021-02-15", 8), pair("2021-07-01", 8))
        if d.facet == "rewards"
    ]
    assert (reward.before, reward.before_ended, reward.after) == ([], None, [])
    assert reward.after_ended.value["kind"] == "merit"
    assert reward.entries == [5, 7]


def test_the_order_of_the_pairs_only_swaps_the_answers(told):
    one, other = pair("2021-02-15", 5), pair("2021-10-01", 8)
    there, back = person(told, "p1", one, other), person(told, "p1", other, one)
    assert named(there) == named(back)
    assert [(d.before, d.after) for d in there] == [(d.after, d.before) for d in back]


def test_a_unit_is_compared_as_a_person_is(told, common_bureau):
    renamed = UnitRenamed(unit="u1", name="队")
    common_bureau.ledger.enter(Request([act(renamed, "2022-01-01")]))
    list(common_bureau.runner.catch_up())
    found = subject(told, "unit:u1", pair("2021-01-01", 9), pair("2022-01-01", 9))
    assert named(found) == {"unit-name": [1, 9]}
