"""What a right limited to a unit is told of who leaves it, over a socket: what is entered of days
after that changes nothing in any answer about one person or unit.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from api.access import ROUTES
from api.settings import Bureau
from domain.acts.packs import PackPublished
from domain.events import FACETS, Proposal
from domain.law import load_packs
from domain.ledger.requests import Request
from tests.api.conftest import DAY, hired, person, transferred, unit
from tests.api.test_access import Desk, opened

ATTESTED = {"mood": "attested", "attested_by": "the chief"}
PERSONAL = [
    facet.name for facet in FACETS.values() if facet.of == "person" if not facet.case_sealed
]
OF_UNITS = [facet.name for facet in FACETS.values() if facet.of == "unit"]

# every route that a unit reaches by naming whom it is about, as it is asked; {} is who or which
PERSONS = {
    "/v1/auxiliaries/{person}": ["/v1/auxiliaries/{}?"],
    "/v1/auxiliaries/{person}/history": ["/v1/auxiliaries/{}/history?"],
    "/v1/auxiliaries/{person}/pay": ["/v1/auxiliaries/{}/pay?"],
    "/v1/auxiliaries/{person}/accountability": ["/v1/auxiliaries/{}/accountability?"],
    "/v1/officers/{person}/responsibilities": ["/v1/officers/{}/responsibilities?"],
    "/v1/auxiliaries/{person}/reads": [],  # of reads, and those are of today
    "/v1/findings": ["/v1/findings?person={}&"],
    "/v1/timeline": ["/v1/timeline?subject=person:{}&"],
    "/v1/beliefs": ["/v1/beliefs?subject=person:{}&"],
    "/v1/rectangles": ["/v1/rectangles?subject=person:{}&"],
    "/v1/explain": [f"/v1/explain?subject=person:{{}}&facet={name}&" for name in PERSONAL],
}
UNITS = {
    "/v1/units/{unit}": ["/v1/units/{}?"],
    "/v1/roster": ["/v1/roster?unit={}&"],
    "/v1/headcounts": ["/v1/headcounts?unit={}&"],
    "/v1/payroll": ["/v1/payroll?unit={}&"],
    "/v1/accountability": ["/v1/accountability?unit={}&"],
    "/v1/findings": [],  # of whoever is on the roster, up to today: refused where one has left
    "/v1/timeline": ["/v1/timeline?subject=unit:{}&"],
    "/v1/beliefs": ["/v1/beliefs?subject=unit:{}&"],
    "/v1/rectangles": ["/v1/rectangles?subject=unit:{}&"],
    "/v1/explain": [f"/v1/explain?subject=unit:{{}}&facet={name}&" for name in OF_UNITS],
}


@pytest.fixture(scope="module")
def desk(common_bureau: Bureau, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    packs = load_packs()
    published = [Proposal(PackPublished.of(packs[code]), DAY) for code in ("000000", "330200")]
    common_bureau.ledger.enter(Request(published))
    with opened(common_bureau, tmp_path_factory.mktemp("provider")) as desk:
        desk.grant("first", "clerk", classes=["identity"], attest=True)
        entered(
            desk,
            unit("bureau", kind="bureau", division="330200"),
            unit("north", kind="station", parent="bureau"),
            unit("north-1", kind="station", parent="north"),
            unit("south", kind="station", parent="bureau"),
        )
        for where in ("north", "north-1"):
            desk.grant(f"inspector-{where}", "inspector", unit=where, classes=["identity"])
        yield desk


def entered(desk: Desk, *acts: dict[str, Any]) -> int:
    answer = desk.post("first", *acts, **ATTESTED)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["position"])


def act(type_: str, effective: date, **fields: Any) -> dict[str, Any]:
    return {"type": type_, "effective": f"{effective}", **fields}


def told(value: Any) -> Any:
    """An answer but for the positions it was asked at."""
    if isinstance(value, dict):
        return {name: told(inner) for name, inner in value.items() if name != "recorded"}
    return [told(inner) for inner in value] if isinstance(value, list) else value


def asked(desk: Desk, url: str, who: str) -> dict[str, Any]:
    answer = desk.ask("GET", url, who)
    assert answer.status_code == 200, f"{url} {answer.text}"
    return answer.json()


def ends_of(desk: Desk, position: int) -> str:
    return str(next(desk.bureau.ledger.entries(after=position - 1)).id)


def in_service(desk: Desk, who: str, at: str, hired_on: date) -> dict[str, int]:
    """Somebody with something of everything, and the positions of what a later act will end."""
    chief = f"{who}-o"
    day = hired_on + timedelta(days=3)
    entered(
        desk, person(who, name="丙"), person(chief, name="丁"),
        act("OfficerAppointed", hired_on, person=chief, unit=at),
        hired(who, on=f"{hired_on}", at=at),
        act("UnitHeadAppointed", hired_on, unit=at, officer=chief),
        act("SupervisingOfficerAssigned", day, person=who, officer=chief),
        act("GradeRated", day, person=who, grade="assistant-2"),
        act("PostAssigned", day, person=who, post="patrol"),
        act("PersonDetailsChanged", day, person=who, phone="13900001110"),
    )  # fmt: skip
    return {
        "contract": entered(
            desk, act("ContractSigned", day, person=who, number=f"{who}-1", employer="bureau",
                      term="fixed", last_day=f"{day + timedelta(days=3000)}"),
        ),
        "reward": entered(desk, act("RewardGranted", day, person=who, kind="excellent")),
        "sanction": entered(
            desk, act("SanctionImposed", day, person=who, kind="warning", until="2036-01-01"),
        ),
    }  # fmt: skip


def dealt_with(desk: Desk, who: str, left: date, to: str, mine: dict[str, int]) -> None:
    """The person leaves, and everything that was is changed, ended or gone on with elsewhere."""
    chief, new = f"{who}-o", f"{who}-n"
    entered(desk, transferred(who, f"{left}", to=to))
    entered(
        desk, person(new, name="戊"), act("OfficerAppointed", left, person=new, unit=to),
        act("SupervisingOfficerAssigned", left, person=who, officer=new),
    )  # fmt: skip
    later = left + timedelta(days=9)
    for one in (
        act("GradeConverted", later, person=who, grade="assistant-1", ladder="l"),
        act("PostAssigned", later, person=who, post="traffic"),
        act("PersonDetailsChanged", later, person=who, phone="13900001111"),
        act("RewardRevoked", later, person=who, ends=ends_of(desk, mine["reward"])),
        act("SanctionLifted", later, person=who, ends=ends_of(desk, mine["sanction"])),
        act("ContractRenewed", later, person=who, number=f"{who}-2", employer="bureau",
            term="open-ended", ends=ends_of(desk, mine["contract"])),
        act("SanctionImposed", later, person=who, kind="warning"),
        act("RewardGranted", left, person=who, kind="excellent"),
        act("SecondmentStarted", later, person=who, unit="bureau" if to == "south" else "south"),
        act("OfficerLeft", later, person=chief, kind="retired"),
        act("AuxiliaryResigned", later + timedelta(days=9), person=who, ground="resignation"),
    ):  # fmt: skip
        entered(desk, one)


def walked(desk: Desk, routes: dict[str, list[str]], of: str, who: str, *at: str) -> dict[str, Any]:
    asked_for = "&".join(at)
    return {
        url: asked(desk, url.format(of) + asked_for, who)
        for urls in routes.values()
        for url in urls
    }


def test_the_walk_goes_over_every_route_that_a_unit_reaches() -> None:
    reached = {
        rows: {route.partition(" ")[2] for route, rule in ROUTES.items() if rule.rows == rows}
        for rows in ("person", "unit", "either", "subject")
    }
    both = reached["either"] | reached["subject"]
    assert reached["person"] | both == PERSONS.keys()
    assert reached["unit"] | both == UNITS.keys()


@pytest.mark.parametrize(
    ("whose", "at", "to"),
    [("north", "north", "south"), ("north-1", "north-1", "north"), ("north", "north-1", "bureau")],
)
def test_what_is_entered_of_later_days_changes_nothing_for_the_unit_that_was_left(
    desk: Desk, whose: str, at: str, to: str
) -> None:
    who, account = f"p-{whose}-{at}", f"inspector-{whose}"
    left = date(2023, 1, 1)
    mine = in_service(desk, who, at, date(2022, 3, 1))
    known = max(mine.values())
    dealt_with(desk, who, left, to, mine)

    day, last = "effective=2022-12-15", "2022-12-31"
    before = walked(desk, PERSONS, who, account, day, f"recorded={known}")
    after = walked(desk, PERSONS, who, account, day)

    for url, answer in after.items():
        assert told(answer["data"]) == told(before[url]["data"]), url
        assert answer["as_of"]["last_day"] == last
        assert "last_day" not in before[url]["as_of"]
    assert any(before[url]["data"]["entries"] for url in PERSONS["/v1/findings"])
    for url in before:
        assert desk.ask("GET", url.format(who) + "effective=2023-01-01", account).status_code == 403
    whole = asked(desk, f"/v1/auxiliaries/{who}?{day}", "first")
    assert whole["data"] != before["/v1/auxiliaries/{}?"]["data"]


def test_a_move_below_keeps_the_person_and_one_above_may_ask_on(desk: Desk) -> None:
    who = "p-below"
    mine = in_service(desk, who, "north", date(2022, 3, 1))
    dealt_with(desk, who, date(2023, 1, 1), "north-1", mine)

    gone, month = (
        "2023-01-18",
        "2023-01-31",
    )  # of days on which somebody belongs nowhere no pay tells
    for day, ends in (("2022-12-15", {gone}), ("2023-01-02", {gone, month})):
        answers = walked(desk, PERSONS, who, "inspector-north", f"effective={day}")
        assert {answer["as_of"].get("last_day") for answer in answers.values()} == ends
    below = f"/v1/auxiliaries/{who}/history"
    assert desk.ask("GET", f"{below}?effective=2022-12-15", "inspector-north-1").status_code == 403
    answer = asked(desk, f"{below}?effective=2023-01-02", "inspector-north-1")
    assert "2023-01-10" in {entry["effective"] for entry in answer["data"]["entries"]}


def test_a_unit_works_on_with_its_own_until_the_day_of_a_transfer_that_is_entered(
    desk: Desk,
) -> None:
    today = desk.bureau.ledger.today()
    who, left = "p-leaving", today + timedelta(days=10)
    mine = in_service(desk, who, "north", date(2022, 3, 1))
    known = max(mine.values())
    dealt_with(desk, who, left, "south", mine)

    before = walked(desk, PERSONS, who, "inspector-north", f"recorded={known}")
    after = walked(desk, PERSONS, who, "inspector-north")

    pay = "/v1/auxiliaries/{}/pay?"
    for url, answer in after.items():
        assert answer["as_of"]["last_day"] == f"{left - timedelta(days=1)}"
        if url != pay:
            assert told(answer["data"]) == told(before[url]["data"]), url
    paid = [answer[pay]["data"]["months"] for answer in (before, after)]
    assert paid[0][:-2] == paid[1][:-2]
    ends = [part["end"] for month in paid[1] for part in month["segments"]]
    assert max(ends) <= f"{left}"
    reads = asked(desk, f"/v1/auxiliaries/{who}/reads", "inspector-north")
    assert reads["data"]["count"] > 0
    assert desk.ask("GET", f"/v1/auxiliaries/{who}/reads", "inspector-north-1").status_code == 403


def test_a_period_beyond_the_last_day_is_refused_and_the_refusal_names_that_day(
    desk: Desk,
) -> None:
    who = "p-period"
    in_service(desk, who, "north", date(2022, 3, 1))
    entered(desk, transferred(who, "2023-01-20"))
    day = "effective=2022-12-15"
    for url, beyond in {
        f"/v1/auxiliaries/{who}/pay?{day}&last_month=2023-02": True,
        f"/v1/auxiliaries/{who}/pay?{day}&last_month=2023-01": False,
        f"/v1/auxiliaries/{who}/accountability?{day}&first_day=2023-01-01&last_day=2023-01-20": True,
        f"/v1/auxiliaries/{who}/accountability?{day}&first_day=2023-01-01&last_day=2023-01-19": False,
    }.items():
        answer = desk.ask("GET", url, "inspector-north")
        assert answer.status_code == (403 if beyond else 200), url
        assert not beyond or "2023-01-19" in answer.json()["detail_zh"]
        assert not beyond or "2023-01-19" in answer.json()["detail"]
    url = f"/v1/auxiliaries/{who}/pay?{day}&first_month=2023-01&last_month=2023-01"
    [month] = asked(desk, url, "inspector-north")["data"]["months"]
    assert [part["end"] for part in month["segments"]][-1] == "2023-01-20"


def test_an_entry_that_became_one_of_a_later_day_is_told_to_have_been_superseded(
    desk: Desk,
) -> None:
    who = "p-mistaken"
    mine = in_service(desk, who, "north", date(2022, 3, 1))
    entered(desk, transferred(who, "2023-01-01"))
    moved = entered(
        desk, act("RewardGranted", date(2023, 5, 5), person=who, kind="excellent",
                  supersedes=mine["reward"], reason="wrong day"),
    )  # fmt: skip
    day = "effective=2022-12-15"
    history = asked(desk, f"/v1/auxiliaries/{who}/history?{day}", "inspector-north")["data"]
    told = {entry["position"]: entry for entry in history["entries"]}
    assert moved not in told
    assert (told[mine["reward"]]["standing"], told[mine["reward"]]["standing_by"]) == (
        "superseded", moved,
    )  # fmt: skip
    for route in ("timeline", "explain", "rectangles"):
        url = f"/v1/{route}?subject=person:{who}&facet=rewards&{day}"
        text = desk.ask("GET", url, "inspector-north").text
        assert "2023-05" not in text, route
    url = f"/v1/rectangles?subject=person:{who}&facet=rewards&{day}"
    [strand] = asked(desk, url, "inspector-north")["data"]["facets"]
    assert [one["closed_by"] for one in strand["rectangles"]] == [{"position": moved}]


def test_what_is_entered_of_a_unit_after_it_went_elsewhere_changes_nothing_either(
    desk: Desk,
) -> None:
    entered(
        desk, unit("branch", kind="station", parent="north"),
        unit("yard", kind="department", parent="branch"),
    )  # fmt: skip
    in_service(desk, "p-branch", "branch", date(2022, 3, 1))
    known = in_service(desk, "p-yard", "yard", date(2022, 3, 1))["sanction"]
    moved = date(2023, 1, 1)
    entered(desk, act("UnitMoved", moved, unit="branch", parent="south"))
    for one in (
        act("UnitRenamed", moved, unit="branch", name="新所"),
        act("UnitHeadRelieved", moved, unit="branch", officer="p-branch-o"),
        act("UnitDissolved", date(2023, 2, 1), unit="yard"),
        act("OfficerLeft", date(2023, 3, 1), person="p-yard-o", kind="retired"),
    ):
        entered(desk, one)
    day = "effective=2022-12-15"
    for one in ("branch", "yard"):
        before = walked(desk, UNITS, one, "inspector-north", day, f"recorded={known}")
        after = walked(desk, UNITS, one, "inspector-north", day)
        for url, answer in after.items():
            assert told(answer["data"]) == told(before[url]["data"]), url
    answer = desk.ask("GET", f"/v1/payroll?unit=branch&{day}&last_month=2023-01", "inspector-north")
    assert (answer.status_code, "2022-12-31" in answer.json()["detail"]) == (403, True)


def test_who_comes_later_or_comes_back_is_told_from_then_on(desk: Desk) -> None:
    today = desk.bureau.ledger.today()
    ahead = f"{today + timedelta(days=30)}"
    entered(
        desk,
        person("p-back"), hired("p-back", at="north"), transferred("p-back", "2023-01-01"),
        transferred("p-back", "2024-01-01", to="north"),
        person("p-soon"), hired("p-soon", on=ahead, at="north"),
    )  # fmt: skip

    url = "/v1/auxiliaries/{}/history?effective={}"
    for who, day, status in (
        ("p-back", "2023-06-01", 403), ("p-back", "2024-01-01", 200), ("p-back", "", 200),
        ("p-soon", ahead, 200), ("p-soon", "", 403),
    ):  # fmt: skip
        answer = desk.ask("GET", url.format(who, day), "inspector-north")
        assert answer.status_code == status, (who, day)
        assert "last_day" not in answer.json().get("as_of", {})


def test_the_findings_of_a_unit_are_those_of_whom_it_still_has(desk: Desk) -> None:
    url = "/v1/findings?unit=north"
    refused = desk.ask("GET", f"{url}&effective=2022-12-15", "inspector-north")
    assert (refused.status_code, refused.json()["code"]) == (403, "not-allowed")
    assert desk.ask("GET", url, "inspector-north").status_code == 200


def test_two_rights_that_end_on_different_days_never_add_up(desk: Desk) -> None:
    desk.grant("both", "inspector", unit="north")
    desk.grant("both", "inspector", unit="north-1", classes=["identity"])
    who = "p-two"
    entered(
        desk, person(who, name="己"), hired(who, at="north-1"),
        transferred(who, "2023-01-01", to="north"), transferred(who, "2024-01-01"),
        act("PersonDetailsChanged", date(2023, 2, 2), person=who, phone="13900002222"),
    )  # fmt: skip
    day = "effective=2022-12-15"
    history = asked(desk, f"/v1/auxiliaries/{who}/history?{day}", "both")
    assert history["as_of"]["last_day"] == "2023-12-31"
    assert not [said for said in ("己", "13900002222") if said in str(history)]
    facets = asked(desk, f"/v1/auxiliaries/{who}?{day}", "both")["data"]["facets"]
    [name] = [facet for facet in facets if facet["facet"] == "name"]
    assert name["facts"][0]["value"]["name"] == "己"


def test_who_corrects_what_was_of_its_days_learns_of_a_later_act_only_that_it_stands_in_the_way(
    desk: Desk,
) -> None:
    desk.grant("clerk-north", "clerk", unit="north", classes=["identity"])
    who = "p-preview"
    mine = in_service(desk, who, "north", date(2022, 3, 1))
    entered(desk, transferred(who, "2023-01-01"))
    later = entered(desk, act("PostAssigned", date(2023, 3, 3), person=who, post="traffic"))
    ended = entered(
        desk, act("RewardRevoked", date(2023, 4, 4), person=who, ends=ends_of(desk, mine["reward"])),
    )  # fmt: skip
    post = next(
        entry.position for entry in desk.bureau.ledger.entries([f"person:{who}"], ["PostAssigned"])
    )
    acts = [
        act("PostAssigned", date(2022, 6, 6), person=who, post="traffic"),
        {"type": "FactAnnulled", "annuls": mine["reward"], "reason": "twice"},
        {"type": "FactAnnulled", "annuls": post, "reason": "twice"},
    ]
    in_the_way = set()
    for one in acts:
        told = desk.ask("POST", "/v1/preview", "clerk-north", json={"events": [one]})
        assert told.status_code == 200, told.text
        assert told.json()["as_of"]["last_day"] == "2022-12-31"
        impacts = told.json()["data"]["impacts"]
        sent = desk.post("clerk-north", one)
        assert sent.status_code == (409 if impacts else 201), sent.text
        assert not [d for d in ("2023-03", "2023-04") if d in told.text or d in sent.text]
        assert not impacts or sent.json()["impacts"] == impacts
        assert all(impact.keys() <= {"position", "by"} for impact in impacts)
        in_the_way |= {impact["position"] for impact in impacts}
    assert in_the_way == {later, ended}


def test_a_unit_corrects_and_annuls_what_was_of_its_days_and_nothing_of_later_ones(
    desk: Desk,
) -> None:
    who = "p-corrected"
    mine = in_service(desk, who, "north", date(2022, 3, 1))
    entered(desk, transferred(who, "2023-01-01"))
    theirs = entered(desk, act("RewardGranted", date(2023, 5, 5), person=who, kind="excellent"))
    revoked = entered(
        desk, act("RewardRevoked", date(2022, 10, 1), person=who, ends=ends_of(desk, mine["reward"])),
    )  # fmt: skip

    def sent(*acts: dict[str, Any]) -> list[int]:
        return [desk.post("clerk-north", one).status_code for one in acts]

    reward = {"type": "RewardGranted", "person": who, "kind": "excellent", "reason": "wrong"}
    assert sent(
        {**reward, "effective": "2022-05-05", "supersedes": theirs},
        {**reward, "effective": "2023-02-02", "supersedes": mine["reward"]},
        {"type": "FactAnnulled", "annuls": theirs, "reason": "wrong"},
        {**reward, "effective": "2022-05-05", "supersedes": mine["sanction"]},
    ) == [403, 403, 403, 409]
    assert sent(
        {"type": "FactAnnulled", "annuls": revoked, "reason": "wrong"},
        {**reward, "effective": "2022-05-05", "supersedes": mine["reward"]},
        {"type": "FactAnnulled", "annuls": mine["sanction"], "reason": "wrong"},
    ) == [201, 201, 201]
    undone = desk.bureau.ledger.log.head()
    assert sent({"type": "FactAnnulled", "annuls": undone, "reason": "not wrong"}) == [201]
