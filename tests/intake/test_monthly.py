"""A roster of the next month against the ledger that the first one opened."""

import os
import pty
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from shutil import rmtree

import pytest

from api.intake import Importer, Ways, undo
from api.settings import Bureau, Settings
from domain.acts.exit import AuxiliaryResigned
from domain.acts.grades import GRADE
from domain.acts.packs import PackPublished
from domain.acts.people import UNIT
from domain.bitemporal import AsOf
from domain.events import Proposal
from domain.law import load_packs
from domain.ledger.requests import Request
from tests.api.desk import run

HEADINGS = (
    "姓名,辅警编号,性别,出生年月日,身份证号码,所在单位,人员类别,入职时间,现层级,合同期限至,用工形式"
)
FIRST, SECOND = date(2023, 8, 1), date(2023, 9, 1)
ID_1, ID_2, ID_OTHER = "32050019900101001X", "320500199101010025", "320500199001010036"
OLD = {
    "F1": ["甲", "F1", "男", "1990-01-01", ID_1, "城西派出所", "勤务", "2015-03-01", "二级辅员",
           "2030-12-31", "劳动合同"],
    "F2": ["乙", "F2", "女", "1991-01-01", ID_2, "城西派出所", "勤务", "2015-03-01", "二级辅员",
           "2030-12-31", "劳动合同"],
    "F3": ["丙", "F3", "男", "1992-01-01", "", "城东派出所", "勤务", "2015-03-01", "一级辅员",
           "2030-12-31", "劳动合同"],
    "F4": ["丁", "F4", "男", "1993-01-01", "", "城东派出所", "文职", "2015-03-01", "一级辅员",
           "2030-12-31", "劳动合同"],
}  # fmt: skip
UNIT_AT, GRADE_AT, CONTRACT_AT = 5, 8, 9


def law(bureau):
    packs = load_packs()
    published = [
        Proposal(PackPublished.of(packs[code]), date(2015, 1, 1)) for code in ("000000", "320500")
    ]
    bureau.ledger.enter(Request(published))


def sheet(folder, rows, name="roster.csv"):
    path = folder / name
    path.write_text("\n".join([HEADINGS, *(",".join(row) for row in rows)]), "utf-8")
    return path


def changed(number, *changes):
    row = list(OLD[number])
    for at, value in changes:
        row[at] = value
    return row


@pytest.fixture
def opened(bureau, tmp_path):
    """The first roster is in."""
    law(bureau)
    importer = Importer(bureau.ledger, bureau.records)
    report = importer.enter(importer.plan([sheet(tmp_path, OLD.values())], "roster-city", FIRST))
    assert list(report.rejected) == []
    list(bureau.runner.catch_up())
    return bureau


def planned(bureau, folder, *rows, dated=SECOND, ways=Ways()):  # noqa: B008 - it never changes
    path = sheet(folder, rows, "next.csv")
    return Importer(bureau.ledger, bureau.records).plan([path], "roster-city", dated, ways)


def lists(plan):
    return {
        standing: [line.number for line in plan.lines if line.standing == standing]
        for standing in sorted({line.standing for line in plan.lines})
    }


def acts(plan):
    return [
        (type(made.event).__name__, made.effective) for draft in plan.drafts for made in draft.made
        if draft.sheet >= 0
    ]  # fmt: skip


def test_a_roster_is_parted_into_five_lists(opened, tmp_path):
    new = ["戊", "F5", *OLD["F4"][2:]]

    plan = planned(
        opened, tmp_path,
        changed("F1"), changed("F2", (UNIT_AT, "指挥中心")), changed("F3", (0, "别名")), new,
    )  # fmt: skip

    assert lists(plan) == {
        "new": ["F5"], "changed": ["F2"], "unchanged": ["F1"], "gone": ["F4"], "conflict": ["F3"],
    }  # fmt: skip
    (count,) = plan.counts()
    assert (count.rows, count.acts, count.unchanged, count.rejected) == (4, 2, 1, 1)
    assert [f.reason.rule for f in plan.rejected] == ["name-differs"]


def test_who_is_missing_is_listed_and_nothing_is_entered_of_them(opened, tmp_path):
    plan = planned(opened, tmp_path, changed("F3"))
    head = opened.ledger.log.head()

    report = Importer(opened.ledger, opened.records).enter(plan)

    assert lists(plan) == {"gone": ["F4"], "unchanged": ["F3"]}  # of the roster's units alone
    assert report.events.total() == 0
    assert opened.ledger.log.head() == head


def test_a_rejected_row_keeps_its_person_from_the_list_of_the_gone(opened, tmp_path):
    plan = planned(opened, tmp_path, changed("F3"), changed("F4", (CONTRACT_AT, "2019.2.30")))

    assert "gone" not in lists(plan)


@pytest.mark.parametrize(
    "rejected",
    [
        [changed("F3", (4, ID_1))],  # the number of one and the ID number of another
        [changed("F3", (1, "F9"), (3, "1992-01-01"))],  # a new number, the same name and birth date
        [changed("F3", (4, ID_1), (2, "女"))],  # rejected for another reason before it is compared
    ],
)
def test_nobody_whom_a_rejected_row_may_mean_is_gone(opened, tmp_path, rejected):
    plan = planned(opened, tmp_path, changed("F4"), changed("F2"), *rejected)

    gone = lists(plan).get("gone", [])
    assert "F3" not in gone
    assert ("F1" in gone) == (rejected[0][4] != ID_1)


def test_a_change_becomes_the_act_it_is_on_the_day_of_the_roster(opened, tmp_path):
    rows = [
        changed("F1", (UNIT_AT, "指挥中心"), (GRADE_AT, "一级辅员")),
        changed("F2"), changed("F3"), changed("F4"),
    ]  # fmt: skip
    plan = planned(opened, tmp_path, *rows)
    assert acts(plan) == [("AuxiliaryTransferred", SECOND), ("AuxiliaryPromoted", SECOND)]
    (line,) = (line for line in plan.lines if line.standing == "changed")
    assert line.zh == "辅警调动 城西派出所 → 指挥中心;层级晋升 二级辅员 → 一级辅员"
    assert "城西派出所 → 指挥中心" in line.en

    report = Importer(opened.ledger, opened.records).enter(plan)
    list(opened.runner.catch_up())

    assert report.events == {"AuxiliaryTransferred": 1, "AuxiliaryPromoted": 1}
    (person,) = [line.person for line in plan.lines if line.standing == "changed"]
    now = AsOf(SECOND, report.position)
    held = {f.facet: f.value for f in opened.records.at([UNIT, GRADE], [f"person:{person}"], now)}
    assert held["unit"] == {"unit": "320500-zhzx"}
    assert held["grade"]["grade"] == "member-1"
    again = planned(opened, tmp_path, *rows)
    assert lists(again) == {"unchanged": ["F1", "F2", "F3", "F4"]}


def test_a_lower_grade_asks_for_its_ground(opened, tmp_path):
    lower = changed("F3", (GRADE_AT, "三级辅员"))

    silent = planned(opened, tmp_path, lower, changed("F4"))
    told = planned(opened, tmp_path, lower, changed("F4"), ways=Ways(demoted_by="assessment"))

    assert [f.reason.rule for f in silent.rejected] == ["demotion-without-ground"]
    assert acts(silent) == []
    assert acts(told) == [("AuxiliaryDemoted", SECOND)]


def test_another_end_of_the_contract_is_pointed_out_and_not_entered(opened, tmp_path):
    plan = planned(opened, tmp_path, changed("F3", (CONTRACT_AT, "2035-12-31")), changed("F4"))

    assert [f.reason.rule for f in plan.warnings if f.row == 2][-1] == "contract-differs"
    assert acts(plan) == []


ID_AT, HIRED_AT, FORM_AT = 4, 7, 10
ID_3 = "320500199201010030"


@pytest.mark.parametrize(
    ("rule", "at", "text", "heading", "told"),
    [
        ("hire-date-differs", HIRED_AT, "2018-07-01", "入职时间", "2015-03-01"),
        ("sex-differs", 2, "女", "性别", "男"),
        ("birth-date-differs", 3, "1992-02-02", "出生年月日", None),
        ("category-differs", 6, "文职", "人员类别", "勤务"),
        ("name-differs", 0, "别名", "姓名", None),
    ],
)
def test_who_somebody_is_and_since_when_he_serves_is_never_unchanged(
    opened, tmp_path, rule, at, text, heading, told
):
    plan = planned(opened, tmp_path, changed("F3", (at, text)), changed("F4"))

    (fault,) = plan.rejected
    assert (fault.reason.rule, fault.heading, fault.cell) == (rule, heading, text)
    assert fault.private == (told is None)
    assert told is None or told in fault.reason.zh
    assert "丙" not in fault.reason.zh
    assert lists(plan) == {"conflict": ["F3"], "unchanged": ["F4"]}


@pytest.mark.parametrize(
    ("rule", "at", "text"),
    [("form-differs", FORM_AT, "劳务派遣"), ("contract-differs", CONTRACT_AT, "2035-12-31")],
)
def test_what_no_act_is_made_of_is_listed_and_counted_by_itself(opened, tmp_path, rule, at, text):
    plan = planned(opened, tmp_path, changed("F3", (at, text)), changed("F4"))

    assert lists(plan) == {"differs": ["F3"], "unchanged": ["F4"]}
    (fault,) = (f for f in plan.warnings if f.reason.rule == rule)
    assert (fault.row, fault.cell) == (2, text)
    (count,) = plan.counts()
    assert (count.rows, count.acts, count.unchanged, count.differing, count.rejected) == (
        2, 0, 1, 1, 0,
    )  # fmt: skip
    (count,) = Importer(opened.ledger, opened.records).enter(plan).files
    assert (count.unchanged, count.differing) == (1, 1)


def test_an_id_number_that_the_ledger_had_not_becomes_an_act(opened, tmp_path):
    rows = [changed("F3", (ID_AT, ID_3), (FORM_AT, "劳务派遣")), changed("F4")]
    plan = planned(opened, tmp_path, *rows)

    assert acts(plan) == [("PersonDetailsChanged", SECOND)]
    (line,) = (line for line in plan.lines if line.standing == "changed")
    assert line.zh == "人员信息变更 身份证号;未登记:用工形式 直接聘用 → 劳务派遣"
    Importer(opened.ledger, opened.records).enter(plan)
    list(opened.runner.catch_up())
    again = planned(opened, tmp_path, *rows)
    assert lists(again) == {"differs": ["F3"], "unchanged": ["F4"]}


def test_a_hire_date_that_the_opening_did_not_give_is_listed(bureau, tmp_path):
    law(bureau)
    importer = Importer(bureau.ledger, bureau.records)
    without = changed("F3", (HIRED_AT, ""))
    importer.enter(importer.plan([sheet(tmp_path, [without])], "roster-city", FIRST))
    list(bureau.runner.catch_up())

    plan = planned(bureau, tmp_path, changed("F3"))

    assert lists(plan) == {"differs": ["F3"]}


def test_an_older_roster_makes_no_act_of_whom_the_ledger_has_later(opened, tmp_path):
    before = date(2023, 7, 1)
    new = ["戊", "F5", *OLD["F4"][2:]]
    plan = planned(opened, tmp_path, changed("F1"), changed("F3", (UNIT_AT, "指挥中心")), new,
                   dated=before)  # fmt: skip

    assert [f.reason.rule for f in plan.rejected] == ["older-than-entered"] * 2
    assert str(FIRST) in next(iter(plan.rejected)).reason.zh
    assert lists(plan)["conflict"] == ["F1", "F3"]
    assert lists(plan)["new"] == ["F5"]
    assert [name for name, _ in acts(plan)] == [
        "PersonRegistered", "RecordOpened", "ContractOpened",
    ]  # fmt: skip


def test_a_roster_between_two_that_are_entered_agrees_or_is_in_conflict(opened, tmp_path):
    importer = Importer(opened.ledger, opened.records)
    rows = [changed("F3", (UNIT_AT, "指挥中心")), changed("F4")]
    importer.enter(planned(opened, tmp_path, *rows, dated=date(2023, 10, 1)))
    list(opened.runner.catch_up())

    same = planned(opened, tmp_path, changed("F3"), changed("F4"))
    other = planned(opened, tmp_path, changed("F3", (UNIT_AT, "特巡警大队")), changed("F4"))

    assert lists(same) == {"unchanged": ["F3", "F4"]}
    assert lists(other) == {"unchanged": ["F4"], "conflict": ["F3"]}


def test_a_number_of_one_who_left_is_nobody_elses(opened, tmp_path):
    whose = next(
        e.fields["person"] for e in opened.ledger.entries(types=["RecordOpened"])
        if e.fields["number"] == "F1"
    )  # fmt: skip
    left = Proposal(AuxiliaryResigned(person=whose, notice_on=date(2023, 7, 1)), date(2023, 8, 15))
    opened.ledger.enter(Request([left], mood="attested", attested_by="原花名册"))
    list(opened.runner.catch_up())
    new = ["戊", "F1", "男", "1990-01-01", ID_OTHER, *OLD["F1"][5:]]

    plan = planned(opened, tmp_path, new)
    same = planned(opened, tmp_path, changed("F1"))

    assert [f.reason.rule for f in plan.rejected] == ["number-of-another"]
    assert [f.reason.rule for f in same.rejected] == ["not-in-service"]


@pytest.mark.parametrize(
    ("rule", "number", "name", "born", "id_number"),
    [
        ("identifiers-disagree", "F3", "甲", "1990-01-01", ID_1),
        ("id-number-differs", "F1", "甲", "1990-01-01", ID_OTHER),
        ("maybe-known-person", "F9", "丙", "1992-01-01", ""),
        (None, "F9", "甲", "1990-01-01", ID_OTHER),
    ],
)
def test_nobody_is_merged_and_nobody_doubled_on_a_guess(
    opened, tmp_path, rule, number, name, born, id_number
):
    row = [name, number, "男", born, id_number, *OLD["F1"][5:]]

    plan = planned(opened, tmp_path, row)

    if rule is None:  # of one name and birth date, but with an ID number of his own
        assert lists(plan)["new"] == ["F9"]
        assert [f.reason.rule for f in plan.warnings] == ["namesake"]
    else:
        assert [f.reason.rule for f in plan.rejected] == [rule]
        assert lists(plan)["conflict"] == [number]
        assert acts(plan) == []


def test_undoing_a_month_brings_back_the_one_before(opened, tmp_path):
    rows = [changed("F3", (UNIT_AT, "指挥中心")), changed("F4")]
    importer = Importer(opened.ledger, opened.records)
    report = importer.enter(planned(opened, tmp_path, *rows))
    list(opened.runner.catch_up())

    undo(opened.ledger, str(report.batch))
    list(opened.runner.catch_up())

    again = planned(opened, tmp_path, *rows)
    assert lists(again) == {"changed": ["F3"], "unchanged": ["F4"]}
    assert importer.enter(again).events == {"AuxiliaryTransferred": 1}


def test_a_clerk_sees_the_five_lists_and_gives_the_document_once():
    folder = Path(tempfile.mkdtemp(prefix="ledger-monthly-"))
    folder.chmod(0o755)
    try:
        with Bureau(Settings(folder)) as bureau:
            law(bureau)
            command = ("--mapping", "roster-city", "--dated")
            first = sheet(folder, OLD.values())
            assert run(folder, "import", str(first), *command, "2023-08-01", "--enter").code == 0
            rows = [changed("F1", (UNIT_AT, "指挥中心")), changed("F2")]
            following = str(sheet(folder, rows, "next.csv"))

            said = run(folder, "import", following, *command, "2023-09-01")
            assert said.code == 0
            for words in ("新增 0 人", "变更 1 人", "无变化 1 人", "冲突(退回) 0 人"):
                assert words in said.out
            assert "甲" not in said.out
            assert "城西派出所 → 指挥中心" in said.out  # as the clerk calls them, not by their ids
            assert "在城西派出所,不在花名册中" not in said.out
            assert "--document" in said.err
            silent = run(folder, "import", following, *command, "2023-09-01", "--rows", "0")
            assert "逐行" not in silent.out
            none = run(folder, "import", str(folder / "nosuch.xlsx"), *command, "2023-09-01")
            assert (none.code, "没有文件" in none.err, "there is no file" in none.err) == (
                1,
                True,
                True,
            )

            number = "甬公人〔2023〕9号"
            entered = run(
                folder, "import", following, *command, "2023-09-01", "--enter", "--document", number
            )
            assert entered.code == 0
            (moved,) = bureau.ledger.entries(types=["AuxiliaryTransferred"])
            assert moved.envelope["document"] == {"number": number}
    finally:
        rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize(
    ("typed", "document"),
    [
        ("甬公人〔2023〕9号\n", {"number": "甬公人〔2023〕9号"}),
        ("\n口头通知\n", {"none_because": "口头通知"}),
        ("\n\n", {"none_because": "补登:市公安局辅警花名册"}),  # what the mapping says
    ],
)
def test_a_clerk_at_a_terminal_is_asked_for_the_document_of_the_changes_once(typed, document):
    folder = Path(tempfile.mkdtemp(prefix="ledger-monthly-"))
    folder.chmod(0o755)
    try:
        with Bureau(Settings(folder)) as bureau:
            law(bureau)
            command = ("--mapping", "roster-city", "--enter", "--dated")
            first = sheet(folder, OLD.values())
            opening, asked = at_a_terminal(folder, "", "import", str(first), *command, "2023-08-01")
            assert (opening, "文号" in asked) == (0, False)  # a first roster changes nothing
            rows = [changed("F1", (UNIT_AT, "指挥中心")), changed("F2", (UNIT_AT, "指挥中心"))]
            following = str(sheet(folder, rows, "next.csv"))
            code, asked = at_a_terminal(folder, typed, "import", following, *command, "2023-09-01")
            assert (code, asked.count("变更所据文号")) == (0, 1), asked
            moved = list(bureau.ledger.entries(types=["AuxiliaryTransferred"]))
            papers = [one.envelope["document"] for one in moved]
            assert [{k: v for k, v in p.items() if k != "sha256"} for p in papers] == [document] * 2
    finally:
        rmtree(folder, ignore_errors=True)


def at_a_terminal(folder: Path, typed: str, *arguments: str) -> tuple[int, str]:
    """The command with a terminal to type on; its exit code, and all that stood there."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "api.cli.main", "--data", str(folder), *arguments]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PERSONNEL_LEDGER")}
    os.write(ours, typed.encode())
    done = subprocess.run(command, stdin=theirs, capture_output=True, check=False, env=clean)
    os.close(theirs)
    os.close(ours)
    return done.returncode, (done.stdout + done.stderr).decode()
