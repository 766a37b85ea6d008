"""Questions about everybody of a unit: each line is what the question about that person tells."""

import csv
from datetime import date
from typing import Any

import orjson
import pytest

from domain.acts.packs import PackPublished
from domain.events import Proposal
from domain.law import load_packs
from domain.ledger.requests import Request
from tests.api.conftest import Office, hired, person, transferred, unit

MONTHS = {"first_month": "2022-01", "last_month": "2022-12"}
PINNED = {"effective": "2022-06-15"}


def act(type_: str, on: str, **fields: Any) -> dict[str, Any]:
    return {"type": type_, "effective": on, **fields}


def rated(id_: str, grade: str = "member-3", on: str = "2022-03-01") -> dict[str, Any]:
    return act("GradeRated", on, person=id_, grade=grade, ladder="suzhou")


@pytest.fixture(scope="module")
def told(office: Office) -> dict[str, int]:
    """Two stations of one bureau under the pay scale of Suzhou, and what became of their people:
    one moves in the middle of a month, one is seconded, one leaves and comes back, one is entered
    under two ids, one has no grade, one is promoted by an entry that is annulled later.
    """
    office.bureau.ledger.enter(
        Request([Proposal(PackPublished.of(load_packs()["320500"]), date(2015, 1, 1))])
    )
    officers = ("o-a", "o-b", "o-deputy", "o-lead")
    office.entered(
        unit("su", kind="bureau", division="320500"),
        unit("su-a", kind="station", parent="su", head_seats=["所长"]),
        unit("su-b", kind="station", parent="su", head_seats=["所长"]),
        *(person(one, name=f"民警{one}") for one in officers),
        *(act("OfficerAppointed", "2015-01-01", person=one, unit=at)
          for one, at in zip(officers, ("su-a", "su-b", "su-a", "su-a"), strict=True)),
        act("UnitHeadAppointed", "2015-01-01", unit="su-a", officer="o-a", seat="所长"),
        act("UnitHeadAppointed", "2015-01-01", unit="su-b", officer="o-b", seat="所长"),
        act("DeputyHeadAppointed", "2015-01-01", unit="su-a", officer="o-deputy"),
        mood="attested",
    )  # fmt: skip
    people = ("moves", "lent", "back", "kept", "other", "ungraded", "stays")
    office.entered(
        *(person(one, name=f"辅警{one}") for one in people),
        *(hired(one, at="su-a") for one in people),
        *(rated(one) for one in people if one != "ungraded"),
        *(act("SupervisingOfficerAssigned", "2022-03-01", person=one, officer="o-lead")
          for one in ("moves", "lent", "stays")),
        act("AuxiliaryNumberAssigned", "2022-03-01", person="stays", number="SU-1"),
        mood="attested",
    )  # fmt: skip
    known = office.entered(transferred("moves", "2022-06-11", "su-b"), mood="attested")
    office.entered(
        act("SecondmentStarted", "2022-05-01", until="2022-09-01", person="lent", unit="su-b"),
        act("AuxiliaryResigned", "2022-04-16", person="back"),
        mood="attested",
    )
    office.entered(
        {**hired("back", "2022-08-01", "su-b"), "type": "AuxiliaryRehired"},
        rated("back", on="2022-08-01"),
        act("UnitHeadRelieved", "2022-06-01", unit="su-b", officer="o-b", seat="所长"),
        act("PersonsMerged", "2022-03-01", kept="kept", merged="other"),
        mood="attested",
    )
    promoted = office.entered(
        act("AuxiliaryPromoted", "2022-06-01", person="stays", grade="member-2", ladder="suzhou",
            kind="natural"),
        mood="attested",
    )  # fmt: skip
    office.entered({"type": "FactAnnulled", "annuls": promoted})
    return {"known": known, "promoted": promoted, "head": office.head()}


def payroll(office: Office, **asked: Any) -> dict[str, Any]:
    return office.get("/v1/payroll", **asked)["data"]


def chains(office: Office, **asked: Any) -> dict[str, Any]:
    return office.get("/v1/accountability", **asked)["data"]


@pytest.mark.parametrize("at", ["known", "promoted", "head"])
def test_each_line_of_a_payroll_is_what_the_person_is_due(office: Office, told, at: str) -> None:
    pair = {**PINNED, "recorded": told[at]}
    lines = payroll(office, **MONTHS, **pair)["lines"]
    served = {line["person"] for line in lines}

    assert served >= {"moves", "lent", "back", "kept", "ungraded", "stays"}
    for one in sorted(served):
        own = office.get(f"/v1/auxiliaries/{one}/pay", **MONTHS, **pair)["data"]["months"]
        mine = [line for line in lines if line["person"] == one]
        assert [(m["month"][:7], m["amount"], m["unpriced"]) for m in own] == [
            (line["month"], line["amount"], line["unpriced"]) for line in mine
        ]
        for month, line in zip(own, mine, strict=True):
            rests = {entry for part in month["segments"] for entry in part["entries"]}
            assert line["entries"] == sorted(rests)
            assert line["days"] == sum(part["days"] for part in month["segments"])


def test_a_month_stands_on_the_payroll_of_one_unit(office: Office, told) -> None:
    whole = payroll(office, **MONTHS, **PINNED)
    of_su = payroll(office, unit="su", **MONTHS, **PINNED)
    parts = [payroll(office, unit=one, **MONTHS, **PINNED) for one in ("su-a", "su-b")]

    assert sorted((*parts[0]["lines"], *parts[1]["lines"]), key=_by_person) == of_su["lines"]
    assert of_su["amount"] == sum(part["amount"] for part in parts) == whole["amount"] > 0
    assert {one["unit"]: one["amount"] for one in of_su["units"]} == {
        "su-a": parts[0]["amount"], "su-b": parts[1]["amount"],
    }  # fmt: skip
    june = {line["person"]: line for line in of_su["lines"] if line["month"] == "2022-06"}
    assert (june["moves"]["unit"], june["moves"]["days"]) == ("su-b", 30)
    assert june["lent"]["unit"] == "su-a"  # he is lent out, and paid at home
    assert "back" not in june
    assert [line["month"] for line in of_su["lines"] if line["person"] == "back"] == [
        "2022-03", "2022-04", "2022-08", "2022-09", "2022-10", "2022-11", "2022-12",
    ]  # fmt: skip


def _by_person(line: dict[str, Any]) -> tuple[str, str]:
    return line["person"], line["month"]


def test_a_payroll_says_what_cannot_be_priced_and_who_has_one_id(office: Office, told) -> None:
    data = payroll(office, unit="su-a", **PINNED)

    assert (data["first_month"], data["last_month"]) == ("2022-06", "2022-06")
    lines = {line["person"]: line for line in data["lines"]}
    assert (lines["ungraded"]["amount"], lines["ungraded"]["unpriced"]) == (0, 30)
    assert data["unpriced"] == 30
    assert "other" not in lines
    assert lines["stays"]["number"] == "SU-1"
    assert data["people"]["stays"]["name"] == "辅警stays"
    assert data["count"] == len(lines) == 4  # lent, kept, ungraded, stays


def test_a_payroll_is_of_its_pair(office: Office, told) -> None:
    def of_stays(recorded: int) -> int:
        data = payroll(office, unit="su-a", recorded=recorded, **PINNED)
        return next(line["amount"] for line in data["lines"] if line["person"] == "stays")

    assert of_stays(told["promoted"]) > of_stays(told["known"]) == of_stays(told["head"])


@pytest.mark.parametrize("day", ["2022-04-20", "2022-05-01", "2022-06-11", "2022-08-01"])
@pytest.mark.parametrize("at", ["known", "head"])
def test_everybody_of_a_unit_is_told_what_each_is_told_alone(
    office: Office, told, day: str, at: str
) -> None:
    pair = {"effective": day, "recorded": told[at]}
    data = chains(office, **pair)
    heads = {one["unit"]: one["heads"] for one in data["units"]}

    assert data["count"] == len(data["persons"]) > 0
    for one in data["persons"]:
        alone = office.get(f"/v1/auxiliaries/{one['person']}/accountability", **pair)["data"]
        now = alone["now"]
        assert [*heads[one["unit"]], *one["lines"]] == now["lines"]
        assert one["outgoing"] == now["outgoing"]
        assert (one["unit"], one["seconded"]) == (now["unit"], now["seconded"])
        assert (one["entries"], one["findings"]) == (now["entries"], alone["findings"])
    serving = {line["person"] for line in office.get("/v1/roster", **pair)["data"]["lines"]}
    assert {one["person"] for one in data["persons"]} == serving


def test_a_person_lent_answers_where_he_serves(office: Office, told) -> None:
    own, host = (chains(office, unit=one, **PINNED) for one in ("su-a", "su-b"))

    assert [one["person"] for one in own["persons"]] == ["kept", "stays", "ungraded"]
    assert [(one["person"], one["seconded"]) for one in host["persons"]] == [
        ("lent", True), ("moves", False),
    ]  # fmt: skip
    (unit_,) = host["units"]
    assert (unit_["unit"], unit_["persons"]) == ("su-b", 2)
    assert [line["status"] for line in unit_["heads"]] == ["vacant"]
    assert host["lacking"] == 2
    assert own["lacking"] == 0  # whoever never had a supervising officer is not recorded
    both = chains(office, unit="su", **PINNED)
    assert both["persons"] == [*own["persons"], *host["persons"]]


@pytest.mark.parametrize("path", ["/v1/payroll", "/v1/accountability"])
def test_a_unit_nobody_knows_is_refused(office: Office, told, path: str) -> None:
    answer = office.http.get(path, params={"unit": "nowhere"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-subject")


def test_a_month_that_is_none_is_refused(office: Office, told) -> None:
    for wrong, field in (({"first_month": "2022-13"}, "first_month"),
                         ({"first_month": "2022-03", "last_month": "2022-02"}, "last_month")):  # fmt: skip
        answer = office.http.get("/v1/payroll", params=wrong)
        assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_both_are_asked_in_a_terminal_and_go_to_a_file(desk, tmp_path) -> None:
    day = ("-e", "2022-06-30")
    paid, answered = desk.run("payroll", "U00", *day), desk.run("chains", "U00", *day)
    assert (paid.code, answered.code) == (0, 0), (paid.err, answered.err)
    assert "工资册 U00:1 人" in paid.out
    assert "张三" in paid.out
    assert "U00:辅警 1 人,其中 0 人有责任空缺" in answered.out
    assert all(name in answered.out for name in ("王所长", "李副所长", "赵警官"))

    for command, rows in (("payroll", 1), ("chains", 3)):
        asked = (command, "U01", *day)
        data = orjson.loads(desk.run(*asked, "--json").out)["data"]
        assert data["count"] == 1
        out = tmp_path / f"{command}.csv"
        assert desk.run(*asked, "--out", str(out)).code == 0
        with out.open(encoding="utf-8-sig", newline="") as file:
            title, headings, *lines = csv.reader(file)
        assert "截至2022-06-30" in title[0]
        assert len(lines) == rows
        assert all(len(line) == len(headings) for line in lines)
        assert "张三" not in out.read_text("utf-8-sig")
        assert desk.run(*asked, "--private", "--out", str(out)).code == 0
        assert "张三" in out.read_text("utf-8-sig")
