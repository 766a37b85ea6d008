"""Over HTTP: what a request undermines is refused or acknowledged, previewed, reviewed and due."""

from typing import Any

import pytest

from domain.acts.packs import PackPublished
from domain.events import Proposal
from domain.law import Pack
from domain.ledger import Request
from tests.api.conftest import DAY, Office, hired, person, transferred, unit
from tests.ledger.test_impact import PACK

LEFT = "2019-05-01"


def graded(id_: str, on: str, type_: str = "GradeRated", **fields: str) -> dict[str, Any]:
    return {"type": type_, "effective": on, "person": id_, **fields}


def resigned(id_: str, on: str = LEFT) -> dict[str, Any]:
    return {"type": "AuxiliaryResigned", "effective": on, "person": id_}


@pytest.fixture(scope="module")
def station(office: Office) -> Office:
    """The office with a station, `east`, whose law has a term for reviews."""
    pack = PackPublished.of(Pack.parse(PACK))
    office.bureau.ledger.enter(Request([Proposal(pack, DAY)]))
    office.entered(
        unit("province", division="990000"), unit("east", parent="province"),
        person("o1"), {"type": "OfficerAppointed", "effective": "2015-01-01", "person": "o1",
                       "unit": "east"},
    )  # fmt: skip
    return office


def career(office: Office, id_: str) -> int:
    """A person who was promoted in 2020; the position of the promotion."""
    return office.entered(
        person(id_), hired(id_, "2016-03-01", at="east"), graded(id_, "2016-07-01", grade="g1"),
        {"type": "SupervisingOfficerAssigned", "effective": "2016-07-01", "person": id_,
         "officer": "o1"},
        graded(id_, "2020-07-01", "AuxiliaryPromoted", grade="g2", kind="natural"),
    )  # fmt: skip


def previewed(office: Office, *events: dict[str, Any], **body: Any) -> dict[str, Any]:
    answer = office.http.post("/v1/preview", json={"events": events, **body})
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def test_a_refusal_and_a_preview_list_the_same_and_store_nothing(station: Office) -> None:
    promoted = career(station, "same")
    head = station.head()

    refused = station.post(resigned("same"))
    data = previewed(station, resigned("same"))

    assert (refused.status_code, refused.json()["code"]) == (409, "impact-refused")
    [impact] = refused.json()["impacts"]
    assert (impact["position"], impact["type"]) == (promoted, "AuxiliaryPromoted")
    assert impact["refusal"]["code"] == "not-in-service"
    assert (data["impacts"], data["accepted"]) == ([impact], False)
    assert station.head() == head


def test_a_preview_names_the_days_that_change_and_who_answers_no_longer(station: Office) -> None:
    career(station, "flips")

    data = previewed(station, resigned("flips"))

    assert changing(data, "grade") == [("person:flips", LEFT, "2020-06-30")]
    assert flipping(data) == [("removed", "o1", "supervisor", LEFT, None)]


def changing(data: dict[str, Any], facet: str) -> list[tuple[str, str, str | None]]:
    """(subject, first day, last day) of what a preview says changes."""
    found = [c for c in data["changes"] if c["facet"] == facet]
    return [(c["subject"], c["first_day"], c["last_day"]) for c in found]


def flipping(data: dict[str, Any]) -> list[tuple[str, str, str, str, str | None]]:
    """(change, officer, capacity, first day, last day) of the answers that a preview says flip."""
    names = ("change", "officer", "capacity", "start", "last_day")
    flips: list[Any] = [tuple(flip[name] for name in names) for flip in data["responsibility"]]
    return sorted(flips, key=lambda flip: flip[1:4])


@pytest.fixture(scope="module")
def west(station: Office) -> Office:
    """The station has a head, `o2`, and so has another one, `west`: `o3`."""
    station.entered(
        unit("west", parent="province"), person("o2"), person("o3"),
        {"type": "OfficerAppointed", "effective": "2015-01-01", "person": "o2", "unit": "east"},
        {"type": "OfficerAppointed", "effective": "2015-01-01", "person": "o3", "unit": "west"},
        {"type": "UnitHeadAppointed", "effective": "2015-01-01", "unit": "east", "officer": "o2"},
        {"type": "UnitHeadAppointed", "effective": "2015-01-01", "unit": "west", "officer": "o3"},
    )  # fmt: skip
    return station


def test_what_flips_is_told_to_its_true_last_day_however_far_ahead(west: Office) -> None:
    west.entered(person("ahead"), hired("ahead", "2016-03-01", at="east"))
    move = transferred("ahead", "2197-01-01", to="west")
    paired = {"type": "SupervisingOfficerAssigned", "effective": "2196-11-01", "person": "ahead",
              "officer": "o1"}  # fmt: skip
    moved = [("removed", "o2", "head", "2197-01-01", None),
             ("added", "o3", "head", "2197-01-01", None)]  # fmt: skip

    assert flipping(previewed(west, move)) == moved
    assert flipping(previewed(west, paired, move)) == [
        ("added", "o1", "supervisor", "2196-11-01", "2196-12-31"),
        *moved,
    ]


def test_a_move_put_off_flips_and_changes_the_days_between_alone(west: Office) -> None:
    west.entered(person("put-off"), hired("put-off", "2016-03-01", at="east"))
    at = west.entered(transferred("put-off", "2197-01-01", to="west"))

    data = previewed(west, {**transferred("put-off", "2197-03-01", to="west"), "supersedes": at})

    assert changing(data, "unit") == [("person:put-off", "2197-01-01", "2197-02-28")]
    assert flipping(data) == [
        ("added", "o2", "head", "2197-01-01", "2197-02-28"),
        ("removed", "o3", "head", "2197-01-01", "2197-02-28"),
    ]


def test_each_act_of_a_preview_says_the_days_on_which_it_is_the_answer(west: Office) -> None:
    west.entered(person("each"), hired("each", "2016-03-01", at="east"))

    data = previewed(
        west, graded("each", "2018-01-01", grade="g1"), graded("each", "2017-01-01", grade="g2")
    )

    grades = [c for c in data["changes"] if c["facet"] == "grade"]
    assert [(c["by"], c["first_day"], c["last_day"]) for c in grades] == [
        (0, "2018-01-01", None), (1, "2017-01-01", "2017-12-31"),
    ]  # fmt: skip


def test_an_act_that_changes_nobodys_answer_flips_nothing(station: Office) -> None:
    career(station, "still")

    data = previewed(station, graded("still", "2021-01-01", "RewardGranted", kind="merit"))

    assert (data["accepted"], data["impacts"], data["responsibility"]) == (True, [], [])


def test_what_is_acknowledged_is_entered_once_reviewed_due_and_concluded(station: Office) -> None:
    promoted = career(station, "known")
    body = {"acknowledge": [{"position": promoted, "reason": "法院判决"}]}

    entered = station.post(resigned("known"), key="known", **body)
    again = station.post(resigned("known"), key="known", **body)

    assert [e["type"] for e in entered.json()["entries"]] == ["AuxiliaryResigned", "ReviewOpened"]
    assert again.json() == entered.json()
    settled = {"Min-Position": str(entered.json()["position"])}
    [open_] = station.http.get("/v1/auxiliaries/known", headers=settled).json()["data"]["reviews"]
    assert (open_["position"], open_["reason"], open_["state"]) == (promoted, "法院判决", "open")
    assert due(station, "known") == [("open", None)]
    assert due(station, "known", effective="2199-01-01") == [("overdue", None)]

    concluded = station.entered({
        "type": "ReviewConcluded", "effective": open_["opened"], "review": open_["review"],
        "outcome": "confirmed", "authority": "政治部",
    })  # fmt: skip
    shown = station.http.get(f"/v1/entries/{promoted}", headers={"Min-Position": str(concluded)})
    [review] = shown.json()["data"]["reviews"]
    assert (review["outcome"], review["authority"]) == ("confirmed", "政治部")
    assert due(station, "known") == [("kept", concluded)]


def due(office: Office, id_: str, **when: str) -> list[tuple[str, int | None]]:
    """(state, entry that met it) of the reviews of a person's acts."""
    data = office.get(f"/v1/auxiliaries/{id_}")["data"]
    reviews = {f"review:{review['review']}" for review in data["reviews"]}
    items = office.get("/v1/due", **when)["data"]["items"]
    found = [item for item in items if item["subject"] in reviews]
    assert all((i["rule"], i["unit"]) == ("review-term", "east") for i in found)
    return [(item["state"], item["met_entry"]) for item in found]


@pytest.mark.parametrize(
    ("acknowledged", "code", "field"),
    [
        ({"position": 1 << 40, "reason": "r"}, "unknown-fact", "acknowledge/0/position"),
        ({"position": 1, "reason": "r"}, "not-undermined", "acknowledge"),
        ({"position": 1}, "missing-field", "acknowledge/0/reason"),
    ],
)
def test_an_acknowledgement_of_what_is_not_undermined_is_refused(
    station: Office, acknowledged: dict[str, Any], code: str, field: str
) -> None:
    name = f"needless-{code}"
    station.entered(person(name), hired(name, "2016-03-01", at="east"))
    head = station.head()

    answer = station.post(
        transferred(name, "2022-01-01", to="province"), acknowledge=[acknowledged]
    )

    assert answer.status_code == 422
    assert (answer.json()["code"], answer.json()["field"]) == (code, field)
    assert station.head() == head


def test_what_is_attested_answers_with_a_finding_now_and_when_repeated(station: Office) -> None:
    promoted = career(station, "attested")
    body = {"mood": "attested", "attested_by": "政治部"}

    first = station.post(resigned("attested"), key="attested", **body)
    again = station.post(resigned("attested"), key="attested", **body)

    [finding] = [f for f in first.json()["findings"] if f["rule"] == "not-in-service"]
    assert f"第{promoted}号" in finding["zh"]
    assert again.content == first.content


def told(office: Office, act: int, **asked: Any) -> list[str]:
    """What the findings of a person or unit say of an act."""
    entries = office.get("/v1/findings", **asked)["data"]["entries"]
    return [f["en"] for e in entries if e["position"] == act for f in e["findings"]]


def test_what_an_attested_act_undermined_is_told_of_both_while_they_stand(station: Office) -> None:
    promoted = career(station, "outlived")
    answer = station.post(resigned("outlived"), mood="attested", attested_by="政治部").json()
    left = answer["position"]
    said = f"by entry {left}: entry {promoted} would be refused: "

    [by_person] = told(station, promoted, person="outlived")
    by_unit = told(station, promoted, unit="province", effective="2018-01-01")
    of_act = station.get(f"/v1/entries/{promoted}")["data"]["findings"]
    of_cause = station.get(f"/v1/entries/{left}")["data"]["findings"]

    assert by_person.startswith(said)
    assert by_unit == [f["en"] for f in of_act] == [by_person]
    assert [{"index": 0, **f} for f in of_cause] == answer["findings"] != []
    assert told(station, promoted, person="outlived", recorded=left - 1) == []

    station.entered({"type": "FactAnnulled", "annuls": promoted}, mood="attested")
    assert told(station, promoted, person="outlived") == []
    after = station.get(f"/v1/entries/{left}")["data"]["findings"]
    assert after == [f for f in of_cause if f"entry {promoted}" not in f["en"]] != of_cause
    assert told(station, promoted, person="outlived", recorded=left) == [by_person]


def test_what_was_undermined_by_an_act_since_annulled_is_told_no_more(station: Office) -> None:
    promoted = career(station, "withdrawn")
    left = station.entered(resigned("withdrawn"), mood="attested")
    assert len(told(station, promoted, person="withdrawn")) == 1

    station.entered({"type": "FactAnnulled", "annuls": left}, mood="attested")

    assert told(station, promoted, person="withdrawn") == []
    assert station.get(f"/v1/entries/{promoted}")["data"]["findings"] == []


def test_an_act_undermined_by_what_is_attested_of_a_unit_is_told_of_its_person(
    station: Office,
) -> None:
    station.entered(
        unit("closed", parent="province"),
        person("moved"), hired("moved", "2016-03-01", at="east"),
    )  # fmt: skip
    moved = station.entered(transferred("moved", "2020-01-01", to="closed"))
    closed = station.entered(
        {"type": "UnitDissolved", "effective": "2019-01-01", "unit": "closed"}, mood="attested"
    )

    [said] = told(station, moved, person="moved")

    assert said.startswith(f"by entry {closed}: entry {moved} would be refused: ")
    assert said in [f["en"] for f in station.get(f"/v1/entries/{moved}")["data"]["findings"]]


def test_an_act_that_was_acknowledged_is_under_review_and_no_finding(station: Office) -> None:
    promoted = career(station, "reviewed")
    station.entered(
        resigned("reviewed"), mood="attested", acknowledge=[{"position": promoted, "reason": "r"}]
    )

    assert told(station, promoted, person="reviewed") == []
