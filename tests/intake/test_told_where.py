"""What is wrong with a sheet or a mapping is told where it stands."""

import csv
from datetime import date
from pathlib import Path

import pytest

import api.intake
from api.intake import Importer, load_mapping
from domain.refusals import BadInput

MAPPINGS = Path(api.intake.__file__).parent / "mappings"
COUNTY = (MAPPINGS / "roster-county.toml").read_text("utf-8")
HEADINGS = ["工号", "姓名", "性别", "公民身份号码", "出生日期", "用人单位", "人员类别", "层级",
            "参加辅警工作时间", "合同到期日", "用工形式"]  # fmt: skip
ROW = ["F1", "甲某", "男", "", "1991-01-01", "城西派出所", "勤务", "二级辅司", "2015-03-01",
       "2024-01-01", "劳动合同"]  # fmt: skip


def row(**other):
    return [other.get(heading, cell) for heading, cell in zip(HEADINGS, ROW, strict=True)]


def checked(bureau, folder, rows, mapping=COUNTY):
    """The plan for a roster with these rows under this mapping."""
    sheet, own = folder / "roster.csv", folder / "own.toml"
    with sheet.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADINGS, *rows])
    own.write_text(mapping, "utf-8")
    return Importer(bureau.ledger, bureau.records).plan([sheet], load_mapping(own))


def told(faults):
    return [(f.row, f.heading, f.cell, f.reason.rule) for f in faults]


def test_a_value_that_an_act_does_not_take_is_told_at_its_cell(bureau, tmp_path):
    plan = checked(bureau, tmp_path, [row(), row(工号="辅警-2", 姓名="乙某")])

    assert told(plan.rejected) == [(3, "工号", "辅警-2", "bad-value")]
    (fault,) = plan.rejected
    assert "编号" in fault.reason.zh
    assert "字母、数字" in fault.reason.zh


def test_an_end_before_its_beginning_is_told_at_its_cell(bureau, tmp_path):
    spells = tmp_path / "unit_history.csv"
    spells.write_text(
        "person,unit,unit_start_date,unit_end_date\np1,1,2012-07-01,2011-01-01\n", "utf-8"
    )

    plan = Importer(bureau.ledger, bureau.records).plan([spells], "chicago")

    at = (2, "unit_end_date", "2011-01-01", "ends-before-it-begins")
    assert told(plan.rejected) == [at]


def test_a_mapping_may_name_the_day_of_an_act(bureau, tmp_path):
    """Else a text would stand where a day is looked for."""
    fixed = COUNTY.replace('effective = "{sheet-date}"', 'effective = "2021-07-01"')

    plan = checked(bureau, tmp_path, [row()], fixed)

    assert {made.effective for draft in plan.drafts for made in draft.made} == {date(2021, 7, 1)}
    assert Importer(bureau.ledger, bureau.records).enter(plan).events["RecordOpened"] == 1
