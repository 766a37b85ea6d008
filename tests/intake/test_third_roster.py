"""A roster in a layout that nobody has seen is imported by editing a mapping, and nothing else."""

from datetime import date
from pathlib import Path

import pytest
import xlsxwriter

import api.intake
from api import answers
from api.intake import Importer
from domain.acts.contracts import CONTRACT
from domain.bitemporal import AsOf

COUNTY = Path(api.intake.__file__).parent / "mappings" / "roster-county.toml"
EDITS = [
    ('name = "roster-county"', 'name = "roster-third"'),
    ('heading = "工号"', 'heading = ["证号", "辅警证号"]'),
    ('heading = "公民身份号码"', 'heading = "基本情况/身份证"'),
    ('heading = "出生日期"', 'heading = "基本情况/出生"'),
    ('heading = "性别"', 'heading = "基本情况/性别"'),
    ('heading = "用人单位"', 'heading = "部门"'),
    ('heading = "参加辅警工作时间"', 'heading = "入警"'),
    ('heading = "合同到期日", kind = "last-day"', 'heading = "合同/止", kind = "day-after"'),
    ('heading = "人员类别"', 'heading = "类别"'),
    ('sex = { "男" = "1", "女" = "2" }', 'sex = { "男性" = "1", "女性" = "2" }'),
    ('"备注" =', '"序" = "the line"\n"合同/起" = "not asked"\n"备注" ='),
]
TOP = [
    "序",
    "部门",
    "姓 名",
    "证号",
    "基本情况",
    "",
    "",
    "类别",
    "层级",
    "入警",
    "合同",
    "",
    "用工形式",
]
BELOW = ["", "", "", "", "性别", "出生", "身份证", "", "", "", "起", "止", ""]
PEOPLE = [
    ["１", "城西派出所", "甲　某", "F００１", "男性", "1991.1.1", "", "勤务", "二级辅司",
     "2015.3.1", "2021-1-1", "2024.1.1", "劳动合同"],
    [2, "", "乙某", "F002", "女性", "", "330200199308060025", "文职", "三级辅督",
     "二〇一六年三月一日", "", date(2024, 1, 1), "劳务派遣"],
    [3, "指挥中心", "丙某", "F003", "男性", "1990年12月", "", "文职", "", "19/3/1", "", 45292, "劳动合同"],
]  # fmt: skip


@pytest.fixture
def sheet(tmp_path):
    path = tmp_path / "第三局.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("封面").write(0, 0, "某区公安分局")
        page = book.add_worksheet("人员明细")
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        page.merge_range(0, 0, 0, 12, "某区公安分局辅警名册(截止2022年12月31日)")
        page.write_row(2, 0, TOP)
        page.write_row(3, 0, BELOW)
        page.merge_range(2, 4, 2, 6, "基本情况")
        page.merge_range(2, 10, 2, 11, "合同")
        for column in (0, 1, 2, 3, 7, 8, 9, 12):
            page.merge_range(2, column, 3, column, TOP[column])
        for n, row in enumerate(PEOPLE, 4):
            for m, cell in enumerate(row):
                page.write(n, m, cell, *([day] if isinstance(cell, date) else []))
        page.merge_range(4, 1, 5, 1, "城西派出所")
        page.write_row(7, 0, ["合计", "", 3])
        page.write_row(8, 0, ["填表人:某某", "", "", "审核:某某"])
    return path


@pytest.fixture
def mapping(tmp_path):
    text = COUNTY.read_text("utf-8")
    for before, after in EDITS:
        assert before in text
        text = text.replace(before, after, 1)
    path = tmp_path / "third.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_third_layout_needs_only_a_mapping(bureau, sheet, mapping):
    importer = Importer(bureau.ledger, bureau.records)

    report = importer.enter(importer.plan([sheet], mapping))

    assert list(report.rejected) == []
    assert (report.files[0].rows, report.files[0].acts) == (3, 3)
    list(bureau.runner.catch_up())
    day = date(2022, 12, 31)
    lines = answers.roster(bureau, answers.When(day))["data"]["lines"]
    said = {
        one["number"]: (one["name"], one["category"], one["grade"], one["unit"]) for one in lines
    }
    assert said == {
        "F001": ("甲某", "field", "二级辅司", "330200-cx"),
        "F002": ("乙某", "civilian", "三级辅督", "330200-cx"),
        "F003": ("丙某", "civilian", None, "330200-zhzx"),
    }
    pair = AsOf(day, bureau.ledger.log.head())
    contracts = [bureau.records.at([CONTRACT], [f"person:{one['person']}"], pair) for one in lines]
    assert {fact.until for facts in contracts for fact in facts} == {date(2024, 1, 1)}
    hired = {
        e.fields["number"]: e.fields["hired_on"]
        for e in bureau.ledger.entries(types=["RecordOpened"])
    }
    assert hired == {"F001": "2015-03-01", "F002": "2016-03-01", "F003": "2019-03-01"}


def test_the_same_layout_next_month_needs_nothing(bureau, sheet, mapping):
    importer = Importer(bureau.ledger, bureau.records)
    importer.enter(importer.plan([sheet], mapping))
    list(bureau.runner.catch_up())

    plan = importer.plan([sheet], mapping, date(2023, 1, 31))

    assert [line.standing for line in plan.lines] == ["unchanged"] * 3
    assert plan.events.total() == 0
