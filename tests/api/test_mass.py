"""One order for many persons: previewed person by person, entered whole or not at all."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
import xlsxwriter

from api.settings import Bureau, Settings
from tests.api.conftest import Office, hired, person, unit
from tests.api.desk import ATTESTED, Desk, Said, act

ATTESTING = {"mood": "attested", "attested_by": "政治部"}
TO_SOUTH = {"type": "AuxiliaryTransferred", "effective": "2023-01-09", "unit": "south"}
ORDER = {"number": "甬公人〔2023〕1号", "dated": "2023-01-04"}


@pytest.fixture
def three(office: Office, request: pytest.FixtureRequest) -> list[str]:
    """Three auxiliaries of a station of their own, named after the test."""
    name = request.node.name.removeprefix("test_")[:40].replace("[", "-").replace("]", "")
    people = [f"{name}-{n}" for n in range(3)]
    office.entered(
        unit(name, kind="station", parent="bureau"),
        *map(person, people),
        *(hired(one, at=name) for one in people),
        **ATTESTING,
    )
    return people


def asked(office: Office, to: dict[str, Any], **shared: Any) -> dict[str, Any]:
    body = {"act": TO_SOUTH, "to": to, "document": ORDER, **shared}
    answer = office.http.post("/v1/mass/preview", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["data"])


def sent(office: Office, key: str, to: dict[str, Any], **shared: Any) -> Any:
    body = {"act": TO_SOUTH, "to": to, "document": ORDER, **ATTESTING, **shared}
    return office.http.post("/v1/mass", json=body, headers={"Idempotency-Key": key})


def at_south(office: Office, people: list[str]) -> list[bool]:
    lines = office.get("/v1/roster", unit="south", effective="2023-02-01")["data"]["lines"]
    return [one in {line["person"] for line in lines} for one in people]


def test_a_preview_stores_nothing_and_names_everyone(office: Office, three: list[str]) -> None:
    head = office.head()

    told = asked(office, {"persons": three}, **ATTESTING)

    assert [one["person"] for one in told["persons"]] == three
    assert (told["refused"], told["type"]) == ([], "AuxiliaryTransferred")
    assert office.head() == head


def test_who_is_refused_is_told_person_by_person(office: Office, three: list[str]) -> None:
    office.entered({**TO_SOUTH, "person": three[1], "effective": "2022-12-01"}, **ATTESTING)
    head = office.head()
    listed = [*three, "nobody"]

    told = asked(office, {"persons": listed}, **ATTESTING)
    refused = [(one["person"], one["index"], one["code"]) for one in told["refused"]]
    answer = sent(office, "refused-in-part", {"persons": listed})

    assert refused == [(three[1], 1, "already-recorded"), ("nobody", 3, "unknown-subject")]
    assert (answer.status_code, answer.json()["index"]) == (409, 1)
    assert office.head() == head
    assert at_south(office, three) == [False, True, False]


def test_what_the_law_refuses_is_told_with_its_article(office: Office) -> None:
    office.entered(person("outsider"))
    hire = {k: v for k, v in hired("outsider").items() if k != "person"}

    (refused,) = asked(office, {"persons": ["outsider"]}, act=hire)["refused"]

    assert (refused["person"], refused["code"]) == ("outsider", "law-forbids")
    assert refused["article"]


def test_an_id_number_that_somebody_has_is_refused_before_it_is_entered(
    office: Office, three: list[str]
) -> None:
    number = {"id_number": "110105194912310089"}
    office.entered(person("holder", **number))
    changed = {"type": "PersonDetailsChanged", "effective": "2023-01-09"}
    of_all = {"id_number": "110105194912310046"}

    def codes(people: list[str], said: dict[str, str]) -> list[tuple[str, str]]:
        told = asked(office, {"persons": people}, act=changed | said, **ATTESTING)
        return [(one["person"], one["code"]) for one in told["refused"]]

    assert codes(three, number) == [(one, "taken") for one in three]
    assert codes(three, of_all) == [(one, "taken") for one in three[1:]]
    for n, said in enumerate((number, of_all)):
        answer = sent(office, f"numbered-{n}", {"persons": three}, act=changed | said)
        assert (answer.status_code, answer.json()["code"]) == (409, "taken")


def test_a_roster_is_moved_on_one_order_as_one_batch(office: Office, three: list[str]) -> None:
    station = three[0].rpartition("-")[0]
    told = asked(office, {"unit": station}, **ATTESTING)
    assert [one["person"] for one in told["persons"]] == three
    whom = {"unit": station, "recorded": told["recorded"]}

    answer = sent(office, "roster", whom)
    again = sent(office, "roster", whom)

    assert (answer.status_code, len(answer.json()["entries"])) == (201, 3)
    assert again.json() == answer.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert at_south(office, three) == [True, True, True]
    entries = [office.get(f"/v1/entries/{e['position']}")["data"] for e in answer.json()["entries"]]
    assert {e["batch"] for e in entries} == {answer.json()["entries"][0]["event_id"]}
    assert {e["document"]["number"] for e in entries} == {ORDER["number"]}


@pytest.mark.parametrize(
    ("to", "act_", "field"),
    [
        ({"unit": "south"}, TO_SOUTH, "to/recorded"),
        ({"persons": ["a", "b", "a"]}, TO_SOUTH, "to/persons/2"),
        ({"persons": ["a"], "unit": "south"}, TO_SOUTH, "to/persons"),
        ({"persons": []}, TO_SOUTH, "to"),
        ({"persons": ["a"]}, {**TO_SOUTH, "person": "b"}, "act/person"),
        ({"persons": ["a"]}, {"type": "UnitRenamed"}, "act/type"),
        ({"persons": ["a"]}, {"type": "Nothing"}, "act/type"),
        ({"persons": ["a"]}, {**TO_SOUTH, "rank": "b"}, "rank"),
    ],
)
def test_a_body_that_cannot_be_is_refused_by_its_field(
    office: Office, to: dict[str, Any], act_: dict[str, Any], field: str
) -> None:
    answer = sent(office, "bad", to, act=act_)

    assert (answer.status_code, answer.json()["field"]) == (422, field)


# from the command line


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    folder = Path(tempfile.mkdtemp(prefix="ledger-mass-"))
    folder.chmod(0o755)
    people = [f"P{n}" for n in range(4)]
    story = [
        act("UnitEstablished", "2019-01-01", unit="U00", name="某市公安局", kind="bureau"),
        *(act("UnitEstablished", "2020-01-01", unit=u, name=f"{u}派出所", kind="station", parent="U00")
          for u in ("U01", "U02")),
        *(act("PersonRegistered", "2020-01-01", person=p) for p in people),
        *(act("AuxiliaryHired", "2022-01-04", person=p, unit="U01", category="field")
          for p in people),
        *(act("AuxiliaryNumberAssigned", "2022-01-04", person=p, number=f"F{p}") for p in people),
    ]  # fmt: skip
    try:
        with Bureau(Settings(folder)) as bureau:
            opened = Desk(folder, bureau, 0)
            assert opened.enter(story, **ATTESTED).code == 0
            yield opened
    finally:
        rmtree(folder, ignore_errors=True)


ATTESTED_HERE = ("--attested-by", "政治部", "--document", "甬公人〔2023〕1号")
GRANT = ("mass", "给予奖励", "-e", "2023-05-01", "--set", "种类=commendation", *ATTESTED_HERE)


def test_a_list_of_numbers_is_granted_once(desk: Desk) -> None:
    listed = desk.folder / "list.xlsx"
    with xlsxwriter.Workbook(listed) as book:
        book.add_worksheet().write_column(0, 0, ["辅警编号", "FP0", "FP2"])
    head = desk.head()

    checked = desk.run(*GRANT, "--to", str(listed))
    assert (checked.code, desk.head()) == (0, head)
    assert "将登记 2 人" in checked.out

    assert desk.run(*GRANT, "--to", str(listed), "--enter").code == 0
    again = desk.run(*GRANT, "--to", str(listed), "--enter")
    assert "未重复登记" in again.err
    granted = [e.fields["person"] for e in desk.bureau.ledger.entries(types=["RewardGranted"])]
    assert granted == ["P0", "P2"]


def test_what_the_packs_list_may_be_said_by_its_word(desk: Desk) -> None:
    """As in a template: the word alone would be a kind that no list has."""
    listed = desk.folder / "worded.csv"
    listed.write_text("编号\nFP1\n", "utf-8")
    worded = [*GRANT[:5], "种类=优秀辅警", *ATTESTED_HERE]

    assert desk.run(*worded, "--to", str(listed), "--enter").code == 0

    (entry,) = desk.bureau.ledger.entries(["person:P1"], ["RewardGranted"])
    assert entry.fields["kind"] == "excellent"


def test_a_list_with_a_stranger_is_refused_by_its_row(desk: Desk) -> None:
    listed = desk.folder / "strangers.csv"
    listed.write_text("编号\nFP0\nF9999\n", "utf-8")

    said = desk.run(*GRANT, "--to", str(listed))

    assert said.code == 1
    assert "第 3 行" in said.err


def test_a_unit_is_named_as_the_ledger_names_it(desk: Desk) -> None:
    names = {e.fields["unit"]: e.fields["name"]
             for e in desk.bureau.ledger.entries(types=["UnitEstablished"])}  # fmt: skip

    def move(unit: str, to: str) -> Said:
        return desk.run("mass", "AuxiliaryTransferred", "-e", "2023-06-01", "--unit", unit,
                        "--set", f"单位={to}", "--json", *ATTESTED_HERE)  # fmt: skip

    by_id, by_name = move("U01", "U02"), move(names["U01"], names["U02"])
    assert (by_id.code, by_name.code, by_name.out) == (0, 0, by_id.out)
    for wrong in (move(names["U01"][:-1], "U02"), move("U01", names["U01"] + "某")):
        assert wrong.code == 1
        assert f"{names['U01']}(U01)" in wrong.err


def test_a_unit_is_moved_as_its_preview_showed_it(desk: Desk) -> None:
    move = ("mass", "AuxiliaryTransferred", "-e", "2023-06-01", "--unit", "U01",
            "--set", "单位=U02", *ATTESTED_HERE)  # fmt: skip
    checked = desk.run(*move)
    assert (checked.code, "将登记 4 人" in checked.out) == (0, True)
    assert "to/recorded" in desk.run(*move, "--enter").err
    position = str(desk.head())

    entered = desk.run(*move, "--enter", "--recorded", position)
    again = desk.run(*move, "--enter", "--recorded", position)

    assert (entered.code, again.code) == (0, 0)
    assert "未重复登记" in again.err
    units = {e.fields["unit"] for e in desk.bureau.ledger.entries(types=["AuxiliaryTransferred"])}
    assert units == {"U02"}
    assert len(list(desk.bureau.ledger.entries(types=["AuxiliaryTransferred"]))) == 4


def test_somebody_refused_is_named_and_nobody_is_entered(desk: Desk) -> None:
    listed = desk.folder / "two.csv"
    listed.write_text("人员标识\nP0\nP1\n", "utf-8")
    assert desk.enter([act("AuxiliaryNumberWithdrawn", "2023-01-01", person="P1")], **ATTESTED)
    head = desk.head()
    command = ("mass", "辅警编号停用", "-e", "2023-07-01", "--to", str(listed), *ATTESTED_HERE)

    said = desk.run(*command)

    assert said.code == 1
    assert "其中不予登记 1 人" in said.out
    assert desk.run(*command, "--enter").code == 1
    assert desk.head() == head


def test_a_list_on_several_sheets_is_read_by_name_and_its_headings_may_be_repeated(
    desk: Desk,
) -> None:
    listed = desk.folder / "sheets.xlsx"
    with xlsxwriter.Workbook(listed) as book:
        book.add_worksheet("一组").write_column(0, 0, ["编号", "FP0", "FP1", "编号", "FP2"])
        book.add_worksheet("二组").write_column(0, 0, ["编号", "FP3"])

    refused = desk.run(*GRANT, "--to", str(listed))
    assert (refused.code, "一组、二组" in refused.err) == (1, True)

    checked = desk.run(*GRANT, "--to", str(listed), "--sheet", "一组")
    assert "将登记 3 人" in checked.out
    assert "未读取的工作表:二组" in checked.err
    assert "略过 1 行" in checked.err
