"""Questions along both axes over HTTP."""

from typing import Any

import pytest

from api.answers import to_bytes
from api.answers_axes import beliefs, compare, explain, rectangles, retro, timeline
from api.times import When
from tests.api.conftest import Office, hired, person, transferred, unit


def test_a_corrected_day_tells_who_changed_what_was_said_of_it(office: Office) -> None:
    office.entered(person("x-said"), hired("x-said"), mood="attested")
    moved = office.entered(transferred("x-said", "2022-05-01"))
    mended = office.entered(
        {**transferred("x-said", "2022-06-01"), "supersedes": moved, "reason": "日期误"}
    )

    answer = office.get("/v1/beliefs", subject="person:x-said", facet="unit",
                        effective="2022-05-15")  # fmt: skip

    (strand,) = answer["data"]["beliefs"]
    told = [(s["from"], [f["value"]["unit"] for f in s["facts"]]) for s in strand["stretches"]]
    assert told == [(0, []), (moved - 1, ["north"]), (moved, ["south"]), (mended, ["north"])]
    last = strand["stretches"][-1]["opened_by"]
    assert (last["reason"], last["actor"]["subject"]) == ("日期误", "api")
    assert answer["as_of"]["effective"] == answer["data"]["day"] == "2022-05-15"


def test_a_timeline_says_what_held_when_as_known_at_one_position(office: Office) -> None:
    at = office.entered(
        person("x-line"), person("x-gone"), hired("x-line"), person("x-leads"),
        {"type": "OfficerAppointed", "effective": "2020-01-01", "person": "x-leads",
         "unit": "north"},
        {"type": "SupervisingOfficerAssigned", "effective": "2022-03-01", "person": "x-line",
         "officer": "x-leads"},
        mood="attested",
    )  # fmt: skip
    moved = office.entered(transferred("x-line", "2022-05-01"))
    relieved = office.entered(
        {"type": "SupervisingOfficerRelieved", "effective": "2022-05-01", "person": "x-line",
         "officer": "x-leads"},
    )  # fmt: skip
    left = office.entered(
        {"type": "AuxiliaryResigned", "effective": "2022-08-01", "person": "x-line"},
        {"type": "PersonsMerged", "effective": "2022-08-01", "kept": "x-line", "merged": "x-gone"},
        mood="attested",
    )  # fmt: skip

    def told(of: str = "x-line", **asked: Any) -> dict[str, list[tuple[Any, ...]]]:
        facets = office.get("/v1/timeline", subject=f"person:{of}", **asked)["data"]["facets"]
        return {
            strand["facet"]: [
                (one["start"], one["last_day"], one["state"], one["entry"])
                for one in strand["stretches"]
            ]
            for strand in facets
        }

    known, now = told(recorded=at), told()
    assert known["unit"] == [("2022-03-01", None, "held", at - 3)]
    assert now["unit"] == [
        ("2022-03-01", "2022-04-30", "held", at - 3),
        ("2022-05-01", "2022-07-31", "held", moved),
        ("2022-08-01", None, "ended", left - 1),
    ]
    assert now["supervising-officer"] == [
        ("2022-03-01", "2022-04-30", "held", at),
        ("2022-05-01", "2022-07-31", "none", relieved),
        ("2022-08-01", None, "ended", left - 1),
    ]
    assert told("x-gone") == now
    data = office.get("/v1/timeline", subject="person:x-line", facet="unit")["data"]
    (strand,) = data["facets"]
    assert [one["by"]["type"] for one in strand["stretches"]] == [
        "AuxiliaryHired", "AuxiliaryTransferred", "AuxiliaryResigned",
    ]  # fmt: skip


def test_rectangles_name_what_opened_and_closed_them(office: Office) -> None:
    at = office.entered(person("x-both"), hired("x-both"), mood="attested")
    moved = office.entered(transferred("x-both", "2022-05-01"))

    data = office.get("/v1/rectangles", subject="person:x-both", facet="unit")["data"]

    (strand,) = data["facets"]
    assert [
        (r["value"]["unit"], r["start"], r["last_day"], r["known_from"], r["known_to"])
        for r in strand["rectangles"]
    ] == [
        ("north", "2022-03-01", None, at, moved),
        ("north", "2022-03-01", "2022-04-30", moved, None),
        ("south", "2022-05-01", None, moved, None),
    ]
    closing = strand["rectangles"][0]["closed_by"]
    assert (closing["position"], closing["type"]) == (moved, "AuxiliaryTransferred")


def test_rectangles_of_heads_and_of_rewards_name_each_fact(office: Office) -> None:
    office.entered(
        unit("x-led", kind="station", parent="bureau"), person("x-boss"),
        {"type": "OfficerAppointed", "effective": "2020-01-01", "person": "x-boss",
         "unit": "x-led"},
        mood="attested",
    )  # fmt: skip
    head = {"unit": "x-led", "officer": "x-boss", "seat": "主要领导"}
    at = office.entered(
        {"type": "UnitHeadAppointed", "effective": "2021-01-01", **head}, mood="attested"
    )
    gone = office.entered({"type": "UnitHeadRelieved", "effective": "2022-01-01", **head})
    office.entered(person("x-won"), hired("x-won"), mood="attested")
    won = office.entered(
        {"type": "RewardGranted", "effective": "2022-05-01", "person": "x-won", "kind": "merit"},
        {"type": "RewardGranted", "effective": "2022-06-01", "person": "x-won", "kind": "merit"},
        mood="attested",
    )

    def told(subject: str, facet: str) -> list[tuple[Any, ...]]:
        facets = office.get("/v1/rectangles", subject=subject)["data"]["facets"]
        one = office.get("/v1/rectangles", subject=subject, facet=facet)["data"]["facets"]
        assert one == [strand for strand in facets if strand["facet"] == facet]
        return [
            (strand["slot"], r["start"], r["last_day"], r["opened_by"]["position"],
             r["closed_by"] and r["closed_by"]["position"])
            for strand in one for r in strand["rectangles"]
        ]  # fmt: skip

    assert told("unit:x-led", "unit-head") == [
        ("主要领导", "2021-01-01", None, at, gone), ("主要领导", "2021-01-01", "2021-12-31", gone, None),
    ]  # fmt: skip
    assert told("person:x-won", "rewards") == [
        (None, "2022-05-01", None, won - 1, None), (None, "2022-06-01", None, won, None),
    ]  # fmt: skip


def test_an_answer_is_explained_by_the_entries_it_rests_on(office: Office) -> None:
    at = office.entered(person("x-why"), hired("x-why"), mood="attested")
    moved = office.entered(transferred("x-why", "2022-05-01"))
    gone = office.entered({"type": "FactAnnulled", "annuls": moved})

    data = office.get("/v1/explain", subject="person:x-why", facet="unit",
                      effective="2022-05-15")["data"]  # fmt: skip

    assert [f["value"]["unit"] for f in data["facts"]] == ["north"]
    assert [(e["position"], e["part"]) for e in data["entries"]] == [
        (at, "content"), (gone, "bearing"),
    ]  # fmt: skip


def test_a_lapsed_pairing_is_told_with_its_cause_and_entries(office: Office) -> None:
    at = office.entered(
        person("x-ward"), hired("x-ward"), person("x-guide"),
        {"type": "OfficerAppointed", "effective": "2020-01-01", "person": "x-guide",
         "unit": "north"},
        {"type": "SupervisingOfficerAssigned", "effective": "2022-04-01", "person": "x-ward",
         "officer": "x-guide"},
        mood="attested",
    )  # fmt: skip
    moved = office.entered(transferred("x-ward", "2022-06-01"), mood="attested")
    asked = {"subject": "person:x-ward", "facet": "supervising-officer"}

    before = office.get("/v1/explain", effective="2022-05-31", **asked)["data"]
    after = office.get("/v1/explain", effective="2022-06-01", **asked)["data"]
    (line,) = office.get("/v1/timeline", **asked)["data"]["facets"]

    assert (before["lapsed"], [e["position"] for e in before["entries"]]) == ([], [at])
    assert after["lapsed"] == [
        {"slot": None, "root": at, "day": "2022-06-01", "cause": "auxiliary-left-unit",
         "entries": [moved]},
    ]  # fmt: skip
    assert [(e["position"], e["part"]) for e in after["entries"]] == [
        (at - 3, "bearing"), (at, "content"), (moved, "lapse"),
    ]  # fmt: skip
    assert [
        (s["start"], s["last_day"], s["state"], s["cause"], s["entry"], s["by"]["type"])
        for s in line["stretches"]
    ] == [
        ("2022-04-01", "2022-05-31", "held", None, at, "SupervisingOfficerAssigned"),
        ("2022-06-01", None, "lapsed", "auxiliary-left-unit", moved, "AuxiliaryTransferred"),
    ]  # fmt: skip


def test_a_difference_tells_none_ended_and_not_recorded_apart(office: Office) -> None:
    office.entered(
        person("x-over"), hired("x-over"), person("x-over-o"),
        {"type": "OfficerAppointed", "effective": "2020-01-01", "person": "x-over-o",
         "unit": "north"},
        {"type": "SupervisingOfficerAssigned", "effective": "2022-03-01", "person": "x-over",
         "officer": "x-over-o"},
        {"type": "PostAssigned", "effective": "2022-04-01", "person": "x-over", "post": "patrol"},
        {"type": "RewardGranted", "effective": "2022-04-01", "person": "x-over", "kind": "merit"},
        {"type": "SupervisingOfficerRelieved", "effective": "2022-05-01", "person": "x-over",
         "officer": "x-over-o"},
        {"type": "RewardRevoked", "effective": "2022-05-01", "person": "x-over"},
        mood="attested",
    )  # fmt: skip
    left = office.entered(
        {"type": "AuxiliaryResigned", "effective": "2022-06-01", "person": "x-over"},
        mood="attested",
    )

    data = office.get("/v1/compare", person="x-over", from_effective="2022-03-15",
                      effective="2022-06-15")["data"]  # fmt: skip

    told = {d["facet"]: d for d in data["differences"]}
    states = {name: (d["before_state"], d["after_state"]) for name, d in told.items()}
    assert states == {
        "category": ("held", "ended"), "post": ("not-recorded", "ended"), "unit": ("held", "ended"),
        "rewards": ("not-recorded", "ended"), "service": ("held", "held"),
        "supervising-officer": ("held", "ended"),
    }  # fmt: skip
    gone = told["unit"]["after_ended"]
    assert (gone["value"]["unit"], gone["last_day"], gone["ended_by"]) == (
        "north", "2022-05-31", left,
    )  # fmt: skip
    assert told["unit"]["after"] == []


def test_a_unit_is_compared_with_who_came_and_who_went(office: Office) -> None:
    office.entered(
        unit("x-from", kind="station", parent="south"), unit("x-to", kind="station"),
        person("x-goes", name="冯八"), hired("x-goes", at="x-from"),
        person("x-chief"),
        {"type": "OfficerAppointed", "effective": "2020-01-01", "person": "x-chief",
         "unit": "x-to"},
        mood="attested",
    )  # fmt: skip
    headed = office.entered(
        {"type": "UnitHeadAppointed", "effective": "2022-05-01", "unit": "x-to",
         "officer": "x-chief"}, mood="attested",
    )  # fmt: skip
    moved = office.entered(transferred("x-goes", "2022-05-01", to="x-to"))
    pairs = {"from_effective": "2022-04-01", "effective": "2022-06-15"}

    gained = office.get("/v1/compare", unit="x-to", **pairs)["data"]
    lost = office.get("/v1/compare", unit="x-from", **pairs)["data"]["roster"]

    assert [(d["facet"], d["entries"]) for d in gained["differences"]] == [
        ("unit-head", [headed])
    ]  # fmt: skip
    (came,) = gained["roster"]["came"]
    assert (came["person"], came["name"], moved in came["entries"]) == ("x-goes", "冯八", True)
    assert [one["person"] for one in lost["went"]] == ["x-goes"]
    assert (gained["roster"]["went"], lost["came"]) == ([], [])


def test_a_unit_that_moves_brings_its_people_with_it(office: Office) -> None:
    office.entered(
        unit("x-moves", kind="station", parent="bureau"), unit("x-above", kind="bureau"),
        person("x-along"), hired("x-along", at="x-moves"), mood="attested",
    )  # fmt: skip
    at = office.entered(
        {"type": "UnitMoved", "effective": "2022-05-01", "unit": "x-moves", "parent": "x-above"},
        mood="attested",
    )  # fmt: skip

    data = office.get("/v1/compare", unit="x-above", from_effective="2022-04-01",
                      effective="2022-06-15")["data"]  # fmt: skip

    (came,) = data["roster"]["came"]
    assert (came["person"], at in came["entries"]) == ("x-along", True)


def test_a_retro_report_names_the_roster_s_differences_and_their_entries(office: Office) -> None:
    known = office.entered(person("x-retro", name="卫十"), hired("x-retro"), mood="attested")
    moved = office.entered(transferred("x-retro", "2022-05-01"))
    asked = {"from_recorded": known, "recorded": moved, "effective": "2022-06-15"}

    data = office.get("/v1/retro", **asked)["data"]

    (one,) = data["roster"]
    assert (one["person"], one["facet"], one["entries"]) == ("x-retro", "unit", [moved])
    assert [one[side][0]["value"]["unit"] for side in ("before", "after")] == ["north", "south"]
    assert [e["type"] for e in data["entries"]] == ["AuxiliaryTransferred"]
    assert data["people"] == {"x-retro": {"name": "卫十"}}
    assert (data["reckoned"], data["owed"], data["to_pay"]) == (1, [], 0)


def test_the_same_pair_gives_the_same_bytes_whatever_is_entered_later(office: Office) -> None:
    at = office.entered(person("x-bytes", name="褚九"), hired("x-bytes"), mood="attested")
    pinned = When("2022-06-15", str(at))

    def answers() -> list[bytes]:
        about = "person:x-bytes"
        return [
            to_bytes(answer)
            for answer in (
                timeline(office.bureau, about, pinned),
                beliefs(office.bureau, about, pinned),
                rectangles(office.bureau, about, pinned),
                explain(office.bureau, about, "unit", pinned),
                compare(office.bureau, "unit:bureau", When("2022-01-01", str(at)), pinned),
                retro(office.bureau, at - 1, pinned),
            )
        ]

    before = answers()
    office.entered(transferred("x-bytes", "2022-04-01"))
    office.entered({"type": "FactAnnulled", "annuls": at}, mood="attested")

    assert answers() == before


def test_the_server_and_the_command_line_give_the_same_bytes(office: Office) -> None:
    at = office.entered(person("x-same"), hired("x-same"), mood="attested")
    pinned = {"effective": "2022-06-15", "recorded": str(at)}

    answer = office.http.get("/v1/beliefs", params={"subject": "person:x-same", **pinned})

    assert answer.content == to_bytes(beliefs(office.bureau, "x-same", When(**pinned)))
    again = office.http.get(answer.headers["content-location"])
    assert again.content == answer.content


@pytest.mark.parametrize(
    ("path", "status", "code", "field"),
    [
        ("/v1/beliefs", 422, "missing-field", "subject"),
        ("/v1/beliefs?subject=nobody", 422, "bad-input", "subject"),
        ("/v1/beliefs?subject=person:nobody", 404, "unknown-subject", "subject"),
        ("/v1/beliefs?subject=thing:one", 404, "unknown-subject", "subject"),
        ("/v1/timeline?subject=person:nobody", 404, "unknown-subject", "subject"),
        ("/v1/timeline?subject=unit:north&facet=grade", 422, "bad-input", "facet"),
        ("/v1/rectangles?subject=person:nobody", 404, "unknown-subject", "subject"),
        ("/v1/rectangles?subject=unit:north&facet=grade", 422, "bad-input", "facet"),
        ("/v1/explain?subject=person:nobody&facet=grade", 404, "unknown-subject", "subject"),
        ("/v1/explain?subject=unit:north&facet=nothing", 422, "bad-input", "facet"),
        ("/v1/explain?subject=unit:north&facet=unit-name&recorded=0", 404, "unknown-subject",
         "subject"),
        ("/v1/retro", 422, "missing-field", "from_recorded"),
        ("/v1/retro?from_recorded=9&recorded=3", 422, "beyond-head", "from_recorded"),
        ("/v1/retro?from_recorded=1&everyone=true", 422, "missing-field", "first_month"),
        ("/v1/retro?from_recorded=1&last_month=2022", 422, "impossible-date", "last_month"),
        ("/v1/compare", 422, "missing-field", "person"),
        ("/v1/compare?unit=nowhere", 404, "unknown-subject", "unit"),
        ("/v1/compare?unit=north&person=x", 422, "bad-input", "unit"),
    ],
)  # fmt: skip
def test_an_impossible_question_is_refused(
    office: Office, path: str, status: int, code: str, field: str
) -> None:
    answer = office.http.get(path)

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem.get("field")) == (status, code, field)
