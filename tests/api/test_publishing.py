"""Before a pack is published it is listed whose pay it changes, and that is what it then changes."""

import json
import tempfile
from datetime import date
from pathlib import Path
from shutil import rmtree

import httpx
import pytest
from python_calamine import load_workbook

from api import answers_axes
from api.app import create_app
from api.cli.relaw import read_file
from api.publishing import pay_of, publish, publish_law
from api.settings import Bureau, Settings
from api.times import When
from domain.acts.exit import AuxiliaryResigned
from domain.acts.grades import AuxiliaryPromoted, GradeRated
from domain.acts.packs import PackPublished, read_pack
from domain.acts.pay import SpecialPayApproved
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitEstablished
from domain.events import Actor, Proposal
from domain.law import load_packs
from domain.ledger import Request
from domain.refusals import BadInput, ImpossibleDate
from tests.api.conftest import STATED, serving
from tests.api.desk import run

START, RAISED, TODAY = date(2023, 1, 1), date(2024, 3, 16), date(2024, 6, 10)
GRADES = {"a": "member-3", "b": "member-3", "c": "supervisor-1", "d": None}
NOW = When(TODAY)


def raised(since=RAISED):
    """The packaged pack of the place, its newest scale replaced by one of 100 yuan more."""
    old = load_packs()["320500"]
    scale = next(one for one in old.scales if one.until is None)
    head, _, rest = old.text.partition('version = "illustrative-2"')
    rest = rest.replace("since = 2016-01-01", f"since = 2016-01-01\nuntil = {since}", 1)
    amounts = "\n".join(f"{grade} = {fen + 100_00}" for grade, fen in scale.amounts.items())
    return read_pack(
        f'{head}version = "illustrative-2"{rest}\n[[scale]]\nid = "{scale.id}"\nversion = "new"\n'
        f'ladder = "{scale.ladder}"\nsince = {since}\nsource = "made for a test"\n'
        f"[scale.amounts]\n{amounts}\n"
    )


def staffed(bureau):
    publish_law(bureau.ledger, ["320500"])
    events = [UnitEstablished(unit="u", name="城东派出所", kind="station", division="320500")]
    for person, grade in GRADES.items():
        events += [
            PersonRegistered(person=person, name=f"人员{person}"),
            AuxiliaryHired(person=person, unit="u", category="field"),
        ]
        if grade:
            events.append(GradeRated(person=person, grade=grade, ladder="suzhou"))
    request = Request(
        [Proposal(event, START) for event in events], mood="attested", attested_by="x"
    )
    bureau.ledger.enter(request)
    up = AuxiliaryPromoted(person="b", grade="member-2", ladder="suzhou", kind="assessment")
    bureau.ledger.enter(Request([Proposal(up, date(2024, 5, 1))], mood="attested", attested_by="x"))
    list(bureau.runner.catch_up())


@pytest.fixture
def office(bureau):
    staffed(bureau)
    return bureau


def test_who_gets_how_much_more_from_when_is_listed_before(office):
    head = office.ledger.log.head()

    data = pay_of(office, raised(), NOW)["data"]

    said = [(x["person"], x["grade"], x["since"], x["before"], x["after"]) for x in data["lines"]]
    assert said == [
        ("a", "member-3", RAISED, 2_900_00, 3_000_00),
        ("b", "member-3", RAISED, 2_900_00, 3_000_00),
        ("b", "member-2", date(2024, 5, 1), 3_150_00, 3_250_00),
        ("c", "supervisor-1", RAISED, 5_300_00, 5_400_00),
    ]
    assert (data["persons"], data["a_month"], data["reckoned"]) == (3, 300_00, 4)
    assert data["people"]["a"] == {"name": "人员a"}
    assert office.ledger.log.head() == head


@pytest.mark.parametrize("since", [RAISED, date(2024, 5, 1), date(2022, 7, 1)])
def test_what_is_listed_is_what_publishing_then_makes_of_everybodys_pay(office, since):
    pack = raised(since)
    listed = pay_of(office, pack, NOW)["data"]
    before = office.ledger.log.head()

    position = publish(office.ledger, pack, TODAY, None, Actor())

    assert position == before + 1
    assert publish(office.ledger, pack, TODAY, None, Actor()) is None
    list(office.runner.catch_up())
    made = answers_axes.retro(
        office, before, NOW, first_month=f"{since:%Y-%m}", last_month="2024-06", everyone=True
    )["data"]
    assert made["to_pay"] == listed["to_pay"] > 0
    owed = {one["person"]: one["owed"] for one in made["owed"]}
    told = dict.fromkeys(owed, 0)
    for line in listed["lines"]:
        told[line["person"]] += line["owed"]
    assert told == owed
    assert pay_of(office, pack, NOW)["data"]["lines"] == []


def test_days_before_the_first_asked_about_owe_nothing(office):
    data = pay_of(office, raised(), NOW, first_day="2024-04-16", last_month="2024-05")["data"]

    assert {line["since"] for line in data["lines"]} == {date(2024, 4, 16), date(2024, 5, 1)}
    # half of April and the whole of May
    assert {one["person"]: one["owed"] for one in data["lines"] if one["person"] != "b"} == {
        "a": 150_00, "c": 150_00,
    }  # fmt: skip
    assert data["to_pay"] == 3 * 150_00


def test_who_is_paid_otherwise_than_most_is_priced_alone(office):
    """An addition, a day out of service and a month of rounding, beside who has none of them."""
    extra = SpecialPayApproved(person="a", amount=333_33, ground="scarce")
    left = AuxiliaryResigned(person="c")
    for act, day in ((extra, date(2024, 3, 20)), (left, date(2024, 5, 20))):
        office.ledger.enter(Request([Proposal(act, day)], mood="attested", attested_by="x"))
    list(office.runner.catch_up())

    data = pay_of(office, raised(), NOW)["data"]

    told = [(x["person"], x["since"], x["until"], x["before"], x["after"]) for x in data["lines"]]
    assert told[:2] == [
        ("a", RAISED, date(2024, 3, 20), 2_900_00, 3_000_00),
        ("a", date(2024, 3, 20), date(2024, 7, 1), 3_233_33, 3_333_33),
    ]
    assert told[-1] == ("c", RAISED, date(2024, 5, 20), 5_300_00, 5_400_00)
    before = office.ledger.log.head()
    publish(office.ledger, raised(), TODAY, None, Actor())
    list(office.runner.catch_up())
    made = answers_axes.retro(
        office, before, NOW, first_month="2024-03", last_month="2024-06", everyone=True
    )["data"]
    owed = dict.fromkeys(("a", "b", "c"), 0)
    for line in data["lines"]:
        owed[line["person"]] += line["owed"]
    assert owed == {one["person"]: one["owed"] for one in made["owed"]}


def test_a_scale_of_a_day_to_come_owes_nothing_before_it(office):
    later = date(2025, 1, 1)

    data = pay_of(office, raised(later), NOW)["data"]

    assert {line["since"] for line in data["lines"]} == {later}
    assert (data["last_month"], data["to_pay"], data["a_month"]) == ("2025-01", 300_00, 300_00)


def test_no_scale_pays_less_than_nothing():
    text = raised().text.replace("trainee = 270000", "trainee = -5")
    assert "-5" in text
    with pytest.raises(BadInput, match="less than nothing"):
        read_pack(text)


def test_a_pack_that_an_editor_marked_with_its_encoding_is_read(tmp_path):
    marked = tmp_path / "new.toml"
    marked.write_text(raised().text, "utf-8-sig")
    assert read_file(marked).digest == raised().digest


def test_a_last_month_that_is_none_is_named(office):
    with pytest.raises(ImpossibleDate) as refused:
        pay_of(office, raised(), NOW, last_month="2026-13")
    assert refused.value.field == "last_month"


def test_a_pack_that_prices_as_the_published_one_changes_nothing(office):
    old = load_packs()["320500"]
    same = read_pack(old.text + "\n# the same\n")

    data = pay_of(office, same, NOW)["data"]

    assert (data["since"], data["lines"]) == (None, [])


def test_a_clerk_lists_exports_and_publishes(tmp_path):
    folder = Path(tempfile.mkdtemp(prefix="ledger-publish-"))
    folder.chmod(0o755)
    file, out = tmp_path / "new.toml", tmp_path / "差额.xlsx"
    file.write_text(raised().text, "utf-8")
    asked = ("publish", str(file), "--effective", TODAY.isoformat())
    try:
        with Bureau(Settings(folder)) as bureau:
            staffed(bureau)
            head = bureau.ledger.log.head()
            shown = run(folder, *asked)
            assert (shown.code, "3 人薪酬有变" in shown.out) == (0, True), shown
            lines = json.loads(run(folder, *asked, "--json").out)["data"]["lines"]
            assert len(lines) == 4
            assert run(folder, *asked, "--out", str(out)).code == 0
            rows = load_workbook(out).get_sheet_by_index(0).to_python()
            assert rows[1] == ["人员", "编号", "单位", "层级", "自", "至", "原月薪(元)", "新月薪(元)",
                               "月差额(元)", "累计差额(元)"]  # fmt: skip
            assert [row[8] for row in rows[2:]] == [100.0] * 4
            assert (
                f"pack=320500 version=1 digest={raised().digest} last_month=2024-06" in rows[0][0]
            )
            assert bureau.ledger.log.head() == head

            assert run(folder, *asked, "--enter").code == 0
            (entry,) = bureau.ledger.entries(after=head)
            assert entry.type == PackPublished.__name__
            again = run(folder, *asked, "--enter")
            assert (again.code, bureau.ledger.log.head()) == (0, head + 1)
            assert "薪酬有变" not in run(folder, *asked).out
    finally:
        rmtree(folder, ignore_errors=True)


def test_the_list_is_asked_over_the_api_too(office):
    with (
        serving(create_app(office)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, headers=STATED) as http,
    ):
        day = {"effective": TODAY.isoformat()}
        found = http.post("/v1/preview/pay", json={"text": raised().text}, params=day)
        assert found.status_code == 200, found.text
        assert len(found.json()["data"]["lines"]) == 4
        refused = http.post("/v1/preview/pay", json={"text": "code = 1"})
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/bad-input")
