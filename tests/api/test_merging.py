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


# along the recorded axis


@pytest.fixture(scope="module")
def joined(office):
    """`m1` is hired to the north in 2024 and moves south in 2025; it goes into `m2`, which has a
    post, and the two are split again. The positions: before, of the merge, of the split.
    """
    office.entered(person("m1"), person("m2"), hired("m1", on="2024-01-01"), mood="attested")
    office.entered(
        hired("m2", on="2023-01-01"),
        {"type": "AuxiliaryResigned", "effective": "2023-06-01", "person": "m2"}, mood="attested",
    )  # fmt: skip
    before = office.entered(transferred("m1", on="2025-01-01"), mood="attested")
    merged = office.entered(merge("m1", "m2"), mood="attested")
    split = office.entered({"type": "FactAnnulled", "annuls": merged}, mood="attested")
    return before, merged, split


def compared(office, one, first, second):
    asked = {"from_effective": first[0], "from_recorded": first[1]}
    asked |= {"effective": second[0], "recorded": second[1]}
    data = office.get("/v1/compare", person=one, **asked)["data"]
    return data, {
        d["facet"]: (*([f["value"] for f in d[side]] for side in ("before", "after")), d["entries"])
        for d in data["differences"]
    }


def test_two_days_are_compared_of_the_id_that_is_kept(office, joined):
    before, merged, split = joined
    moved = ([{"unit": "north"}], [{"unit": "south"}], [before - 3, before])
    for position in joined:
        _, found = compared(office, "m1", ("2024-06-01", position), ("2025-02-01", position))
        assert found == {"unit": moved}
    data, old = compared(office, "m1", ("2024-06-01", merged), ("2025-02-01", merged))
    assert data["same_as"] == "m2"
    assert old == compared(office, "m2", ("2024-06-01", merged), ("2025-02-01", merged))[1]
    assert compared(office, "m2", ("2024-06-01", split), ("2025-02-01", split))[1] == {}


def test_a_merge_between_two_beliefs_is_named_where_it_made_the_difference(office, joined):
    before, merged, split = joined
    _, found = compared(office, "m1", ("2024-06-01", before), ("2024-06-01", merged))
    assert [(facet, entries[-1]) for facet, (*_, entries) in found.items()] == [("person", merged)]
    _, found = compared(office, "m1", ("2023-03-01", before), ("2023-03-01", merged))
    assert found["unit"] == ([], [{"unit": "north"}], [before - 2, before - 1, merged])
    assert compared(office, "m1", ("2023-03-01", before), ("2023-03-01", split))[1] == {}


def test_what_was_said_of_a_day_goes_on_under_the_kept_id(office, joined):
    before, merged, split = joined
    asked = {"facet": "unit", "effective": "2024-06-01", "recorded": split}
    data = office.get("/v1/beliefs", subject="person:m1", **asked)["data"]
    (strand,) = data["beliefs"]
    assert [
        (s["from"], s["to"], [f["value"]["unit"] for f in s["facts"]],
         s["opened_by"] and s["opened_by"]["type"])
        for s in strand["stretches"]
    ] == [
        (0, before - 3, [], None), (before - 3, merged, ["north"], "AuxiliaryHired"),
        (merged, split, ["north"], "PersonsMerged"), (split, None, ["north"], "FactAnnulled"),
    ]  # fmt: skip
    asked["recorded"] = merged
    old, new = (office.get("/v1/beliefs", subject=f"person:{m}", **asked)["data"] for m in M)
    assert old["same_as"] == "m2"
    facts = [one["beliefs"][0]["stretches"][-1]["facts"] for one in (old, new)]
    assert facts[0] == facts[1] != []


def test_the_rectangles_of_an_id_that_went_are_those_of_the_kept_one(office, joined):
    _, merged, _ = joined
    old, new = (
        office.get("/v1/rectangles", subject=f"person:{m}", recorded=merged)["data"] for m in M
    )
    assert old["same_as"] == "m2"

    def standing(data):
        return [
            (strand["facet"], one["start"], one["end"], one["value"], one["entry"])
            for strand in data["facets"] if strand["facet"] != "same-as"
            for one in strand["rectangles"] if one["known_to"] is None
        ]  # fmt: skip

    assert standing(old) == standing(new) != []
    [same] = [strand for strand in old["facets"] if strand["facet"] == "same-as"]
    assert [one["opened_by"]["position"] for one in same["rectangles"]] == [merged]


M = ("m1", "m2")
