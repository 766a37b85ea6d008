"""Findings of a unit: of all below it on the day asked about; a long question tells its share."""

from functools import partial

from api.answers import due, findings
from tests.api.conftest import Office, hired, person, unit


def test_findings_follow_what_stands(office: Office) -> None:
    at = office.entered(person("p-found"), hired("p-found"), mood="attested")
    path = "/v1/findings"

    found = office.get(path, person="p-found")["data"]["entries"]
    by_unit = office.get(path, unit="bureau")["data"]["entries"]
    office.entered({"type": "FactAnnulled", "annuls": at})

    assert [(e["position"], e["findings"][0]["rule"]) for e in found] == [
        (at, "unified-recruitment")
    ]
    assert at in [e["position"] for e in by_unit]
    assert office.get(path, person="p-found")["data"]["entries"] == []
    assert office.get(path, person="p-found", recorded=at)["data"]["entries"] == found


def test_a_finding_is_that_of_when_the_act_was_entered(office: Office) -> None:
    office.entered(person("p-then"))
    hire = office.post(hired("p-then"), mood="attested").json()
    office.entered(
        {"type": "RecruitmentCompleted", "effective": "2022-02-01", "plan": "late", "unit": "north",
         "persons": ["p-then"]}, mood="attested",
    )  # fmt: skip
    mended = office.post(
        {**hired("p-then", "2022-03-02"), "supersedes": hire["position"]}, mood="attested"
    ).json()

    was, now = (office.get(f"/v1/entries/{e['position']}")["data"] for e in (hire, mended))

    assert [{"index": 0, **f} for f in was["findings"]] == hire["findings"] != []
    assert now["findings"] == mended["findings"] == []


def test_the_findings_of_a_unit_are_those_of_all_below_it_on_that_day(office: Office) -> None:
    office.entered(
        unit("f-old", parent="bureau"), unit("f-new", parent="bureau"),
        unit("f-station", kind="station", parent="f-old"), person("p-gone"), person("p-stays"),
        mood="attested",
    )  # fmt: skip
    gone = office.entered(hired("p-gone", at="f-station"), mood="attested")
    stays = office.entered(hired("p-stays", at="f-station"), mood="attested")
    office.entered(
        {"type": "AuxiliaryResigned", "effective": "2022-04-01", "person": "p-gone"},
        {"type": "UnitMoved", "effective": "2022-05-01", "unit": "f-station", "parent": "f-new"},
        mood="attested",
    )  # fmt: skip

    def found(unit: str, day: str) -> set[int]:
        data = office.get("/v1/findings", unit=unit, effective=day)["data"]
        return {e["position"] for e in data["entries"]} & {gone, stays}

    assert found("f-station", "2022-04-15") == {gone, stays}
    assert (found("f-old", "2022-04-15"), found("f-new", "2022-04-15")) == ({gone, stays}, set())
    assert (found("f-old", "2022-05-15"), found("f-new", "2022-05-15")) == (set(), {gone, stays})


def test_a_long_question_tells_how_far_it_has_come(office: Office) -> None:
    office.entered(person("p-told"), hired("p-told"), mood="attested")
    for question in (due, partial(findings, unit="bureau"), partial(findings, person="p-told")):
        told: list[float] = []
        answer = question(office.bureau.telling(told.append))

        assert told == sorted(told)
        assert 0 <= told[0] <= told[-1] <= 1
        assert answer["data"] == question(office.bureau)["data"]


def test_a_correction_is_decided_again_at_its_root_s_place_in_the_day(office: Office) -> None:
    office.entered(person("p-place"))
    hire = office.post(hired("p-place"), mood="attested").json()
    office.entered(
        {"type": "RecruitmentCompleted", "effective": "2022-03-01", "plan": "same-day",
         "unit": "north", "persons": ["p-place"]}, mood="attested",
    )  # fmt: skip
    corrected = {**hired("p-place"), "category": "civilian", "supersedes": hire["position"]}
    mended = office.post(corrected, mood="attested").json()

    again = office.get(f"/v1/entries/{mended['position']}")["data"]["findings"]
    listed = office.get("/v1/findings", person="p-place")["data"]["entries"]

    assert [f["rule"] for f in mended["findings"]] == ["unified-recruitment"]
    assert [{"index": 0, **f} for f in again] == mended["findings"]
    assert [(e["position"], e["findings"]) for e in listed] == [(mended["position"], again)]
