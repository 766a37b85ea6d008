"""Of which days a right limited to a unit is told, over a socket: of no day after somebody left."""

from datetime import timedelta

from api.access import ROUTES
from tests.api.conftest import hired, person, transferred, unit
from tests.api.test_access import Desk, desk

__all__ = ["desk"]

# what tells of days beyond its own, and a period that does
BEYOND = {
    "/v1/auxiliaries/{}/history": "",
    "/v1/auxiliaries/{}/reads": "",
    "/v1/timeline?subject=person:{}": "",
    "/v1/rectangles?subject=person:{}": "",
    "/v1/findings?person={}": "",
    "/v1/auxiliaries/{}/pay": "first_month=2022-12&last_month=2023-01",
    "/v1/auxiliaries/{}/accountability": "first_day=2022-12-01&last_day=2023-01-01",
    "/v1/officers/{}/responsibilities": "first_day=2022-12-01&last_day=2023-01-01",
}
DAYS = {
    "/v1/auxiliaries/{}",
    "/v1/beliefs?subject=person:{}",
    "/v1/explain?subject=person:{}&facet=unit",
}


def test_every_route_that_a_unit_reaches_says_of_which_days_it_tells() -> None:
    told = {
        route.removeprefix("GET "): rule.days
        for route, rule in ROUTES.items()
        if rule.rows in ("person", "either", "subject")
    }
    paths = {path.partition("?")[0].format("{person}"): path for path in (*BEYOND, *DAYS)}
    assert paths.keys() == told.keys()
    assert {route for route, days in told.items() if days == "day"} == {
        route for route, path in paths.items() if path in DAYS
    }
    assert {route for route, days in told.items() if days in ("period", "months")} == {
        route for route, path in paths.items() if BEYOND.get(path)
    }


def with_(path: str, who: str, *said: str) -> str:
    path = path.format(who)
    return "&".join([path, *said]) if "?" in path else f"{path}?{'&'.join(said)}"


def test_who_has_left_a_unit_is_told_to_it_of_no_later_day(desk: Desk) -> None:
    day, moved = "effective=2022-12-31", "p-gone"
    known = desk.post(
        "first", person(moved, name="丙"), hired(moved, at="north-1")
    ).json()["position"]  # fmt: skip
    assert desk.post("first", transferred(moved, "2023-01-01")).status_code == 201
    late = {"type": "PersonDetailsChanged", "effective": "2023-08-01", "person": moved,
            "phone": "13900001111"}  # fmt: skip
    assert desk.post("first", late).status_code == 201
    desk.grant("inspector-south", "inspector", unit="south", classes=["identity"])

    for path, beyond in BEYOND.items():
        for said in ([], [day], ["effective=2199-01-01"]):
            url = with_(path, moved, *said, *([beyond] if beyond else []))
            answer = desk.ask("GET", url, "inspector-north")
            assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed"), url
            assert "13900001111" not in answer.text
        url = with_(path, moved, *([beyond] if beyond else []))
        assert desk.ask("GET", url, "inspector-south").status_code == 200, url
        within = beyond.replace("last_month=2023-01", "last_month=2022-12")
        within = within.replace("last_day=2023-01-01", "last_day=2022-12-31")
        if within:
            url = with_(path, moved, day, within)
            assert desk.ask("GET", url, "inspector-north").status_code == 200, url
        elif "reads" not in path:  # as it was known before the transfer was
            url = with_(path, moved, day, f"recorded={known}")
            assert desk.ask("GET", url, "inspector-north").status_code == 200, url
    for path in DAYS:
        assert desk.ask("GET", with_(path, moved, day), "inspector-north").status_code == 200
        assert desk.ask("GET", with_(path, moved), "inspector-north").status_code == 403
    of_unit = "/v1/findings?unit=north"
    assert desk.ask("GET", f"{of_unit}&{day}", "inspector-north").status_code == 403
    assert desk.ask("GET", of_unit, "inspector-north").status_code == 200


def test_who_comes_later_or_comes_back_is_told_from_then_on(desk: Desk) -> None:
    ahead = f"{desk.bureau.ledger.today() + timedelta(days=30):%Y-%m-%d}"
    acts = [
        person("p-back"), hired("p-back", at="north"), transferred("p-back", "2023-01-01"),
        transferred("p-back", "2024-01-01", to="north"),
        person("p-soon"), hired("p-soon", on=ahead, at="north"),
        person("p-leaving"), hired("p-leaving", at="north"), transferred("p-leaving", ahead),
    ]  # fmt: skip
    said = {"mood": "attested", "attested_by": "the chief"}
    assert desk.post("first", *acts, **said).status_code == 201

    def status(who: str, day: str) -> int:
        url = f"/v1/auxiliaries/{who}/history?effective={day}"
        return desk.ask("GET", url, "inspector-north").status_code

    assert [status("p-back", day) for day in ("2022-12-31", "2023-06-01", "2024-01-01")] == [
        403, 403, 200,
    ]  # fmt: skip
    assert status("p-soon", ahead) == 200
    assert status("p-leaving", "") == 403


def test_a_unit_that_comes_under_another_takes_its_later_days_along(desk: Desk) -> None:
    acts = [
        unit("branch", kind="station", parent="north"),
        {"type": "UnitMoved", "effective": "2023-01-01", "unit": "branch", "parent": "south"},
        person("p-branch"), hired("p-branch", at="branch"),
    ]  # fmt: skip
    said = {"mood": "attested", "attested_by": "the chief"}
    answer = desk.post("first", *acts, **said)
    assert answer.status_code == 201, answer.text

    day = "effective=2022-12-31"
    for url, expected in {
        f"/v1/auxiliaries/p-branch?{day}": 200,
        f"/v1/auxiliaries/p-branch/history?{day}": 403,
        f"/v1/auxiliaries/p-branch/pay?{day}": 200,
        f"/v1/auxiliaries/p-branch/pay?{day}&last_month=2023-01": 403,
        f"/v1/payroll?unit=north&{day}": 200,
        f"/v1/payroll?unit=north&{day}&last_month=2023-01": 403,
        f"/v1/payroll?unit=north-1&{day}&last_month=2023-01": 200,
        f"/v1/timeline?subject=unit:branch&{day}": 403,
        f"/v1/timeline?subject=unit:north-1&{day}": 200,
    }.items():
        assert desk.ask("GET", url, "clerk-north").status_code == expected, url
