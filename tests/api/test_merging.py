"""An id that went into another keeps answering, and every answer says where it went."""

import pytest

from tests.api.conftest import hired, person, transferred

ID_X, ID_Y = "11010519491231002X", "440524188001010014"


def merge(one, into):
    return {"type": "PersonsMerged", "effective": "2024-05-01", "merged": one, "kept": into}


@pytest.fixture(scope="module")
def pair(office):
    """`new` was hired, `old` moved from unit to unit; they are one. Position before, and after."""
    office.entered(
        person("new", id_number=ID_X), person("old", id_number=ID_Y),
        hired("old", on="2020-03-01"), mood="attested",
    )  # fmt: skip
    before = office.entered(transferred("old", on="2021-03-01"), mood="attested")
    return before, office.entered(merge("old", "new"), mood="attested")


def facet(answer, name):
    [found] = [f for f in answer["data"]["facets"] if f["facet"] == name]
    return found["facts"]


def test_the_record_of_either_id_is_that_of_the_kept_one(office, pair):
    old, new = (
        office.get(f"/v1/auxiliaries/{one}", effective="2022-01-01") for one in ("old", "new")
    )
    assert old["data"]["person"] == "old"
    assert old["data"]["same_as"] == "new"
    assert "same_as" not in new["data"]
    assert old["data"]["aliases"] == new["data"]["aliases"] == ["old"]
    assert facet(old, "unit") == facet(new, "unit")
    assert facet(new, "unit")[0]["value"] == {"unit": "south"}
    assert old["data"]["spells"] == new["data"]["spells"] != []


def test_as_known_before_the_merge_they_are_two(office, pair):
    before, _ = pair
    pinned = {"effective": "2022-01-01", "recorded": before}
    old, new = (office.get(f"/v1/auxiliaries/{one}", **pinned) for one in ("old", "new"))
    assert "same_as" not in old["data"]
    assert "aliases" not in new["data"]
    assert facet(old, "unit") != []
    assert facet(new, "unit") == []


def test_the_history_of_either_id_is_that_of_both(office, pair):
    old, new = (office.get(f"/v1/auxiliaries/{one}/history")["data"] for one in ("old", "new"))
    assert old["entries"] == new["entries"]
    assert [e["type"] for e in new["entries"]] == [
        "PersonRegistered", "PersonRegistered", "AuxiliaryHired", "AuxiliaryTransferred",
        "PersonsMerged",
    ]  # fmt: skip
    assert old["same_as"] == "new"


@pytest.mark.parametrize("question", ["pay", "accountability"])
def test_what_is_asked_of_the_old_id_is_answered_of_the_kept(office, pair, question):
    asked = {"effective": "2022-01-01", "recorded": pair[1]}
    old, new = (
        office.get(f"/v1/auxiliaries/{one}/{question}", **asked)["data"] for one in ("old", "new")
    )
    assert old.pop("same_as") == "new"
    assert (old.pop("person"), new.pop("person")) == ("old", "new")
    people = old.pop("people", {}), new.pop("people", {})
    assert people[0].get("old") == people[1].get("new")
    assert old == new


def test_an_explanation_names_the_merge_it_rests_on(office, pair):
    asked = {"facet": "unit", "effective": "2022-01-01"}
    for one in ("old", "new"):
        found = office.get("/v1/explain", subject=f"person:{one}", **asked)["data"]
        assert [(e["type"], e["part"]) for e in found["entries"]] == [
            ("AuxiliaryTransferred", "content"),
            ("PersonsMerged", "bearing"),
        ]


@pytest.mark.parametrize("number", [ID_X, ID_Y])
def test_the_kept_person_is_found_by_either_number(office, pair, number):
    found = office.http.post("/v1/lookup", json={"id_number": number}).json()
    assert [card["person"] for card in found["data"]["persons"]] == ["new"]


def test_the_roster_has_one_line_for_both(office, pair):
    for position, expected in zip(pair, ("old", "new"), strict=True):
        lines = office.get("/v1/roster", effective="2022-01-01", recorded=position)["data"]["lines"]
        assert [x["person"] for x in lines if x["person"] in ("old", "new")] == [expected]
