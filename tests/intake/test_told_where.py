"""What is wrong with a sheet or a mapping is told where it stands."""

import csv
from datetime import date
from pathlib import Path

import pytest

import api.intake
from api.intake import Importer, load_mapping
from api.publishing import publish_law
from domain.refusals import BadInput
from tests.intake.paths import ROSTERS

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


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("system =", "systme =", "没有 systme 这一项,而缺少 system"),
        ('blank = "reject"', 'blnak = "reject"', "没有 blnak 这一项"),
        ('kind = "station"', 'kind = "statoin"', "应为 'bureau'、'department'、'station'、'agency'"),
        ('"男" = "1"', '"男" = 1', "应为文字"),
        ("{hire-date}", "{hire-dat}", "hire-dat"),
        ('event = "ContractOpened"', 'event = "ContractOpnd"', "ContractOpnd"),
        ('values = "grade"', 'values = "grades"', "词表不存在"),
    ],
)  # fmt: skip
def test_a_fault_of_a_mapping_names_its_line(tmp_path, before, after, said):
    own = tmp_path / "own.toml"
    own.write_text(COUNTY.replace(before, after, 1), "utf-8")
    line = COUNTY[: COUNTY.index(before)].count("\n") + 1

    with pytest.raises(BadInput) as caught:
        load_mapping(own)

    assert said in caught.value.detail_zh
    assert f"第 {line} 行" in caught.value.detail_zh
    assert f"(line {line})" in caught.value.detail


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_mapping_is_read_as_editors_save_it(tmp_path, encoding):
    own = tmp_path / "own.toml"
    own.write_bytes(COUNTY.replace("\n", "\r\n").encode(encoding))

    assert load_mapping(own) == load_mapping("roster-county")


def test_what_is_no_text_is_no_mapping(tmp_path):
    own = tmp_path / "own.toml"
    own.write_bytes(b"\xff\xfe\x00\xff")

    with pytest.raises(BadInput, match="UTF-8 or GB18030"):
        load_mapping(own)


def test_a_grade_that_its_ladder_has_not_is_refused(bureau, tmp_path):
    """An opening is judged by no rule: a slip of the mapping would go in unseen."""
    city = (MAPPINGS / "roster-city.toml").read_text("utf-8")
    own = tmp_path / "own.toml"
    own.write_text(city.replace('"member-3"', '"member-9"'), "utf-8")
    publish_law(bureau.ledger, ["320500"])

    with pytest.raises(BadInput, match="the ladder suzhou has no grade member-9") as caught:
        Importer(bureau.ledger).plan([ROSTERS / "roster_city.xlsx"], own)

    assert caught.value.field == "mapping"
    assert len(Importer(bureau.ledger).plan([ROSTERS / "roster_city.xlsx"], "roster-city").drafts)


def test_a_date_given_against_that_of_the_title_is_told(bureau, tmp_path):
    """So that last month's file is not taken for this month's."""
    sheet = tmp_path / "roster.csv"
    with sheet.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["花名册(截至2023年6月30日)"], HEADINGS, ROW])
    importer = Importer(bureau.ledger)

    given = importer.plan([sheet], "roster-county", date(2023, 7, 31))

    assert given.dates == [date(2023, 7, 31)]
    assert [zh for zh, _ in given.left_out] == [
        "roster.csv:标题写明截至 2023-06-30,而按指定的 2023-07-31 核对和登记"
    ]
    assert importer.plan([sheet], "roster-county", date(2023, 6, 30)).left_out == []


def test_persons_side_by_side_are_told_by_their_columns_and_what_to_do(bureau, tmp_path):
    sheet = tmp_path / "beside.csv"
    with sheet.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[*HEADINGS, *HEADINGS], [*ROW, *row(工号="F2")]])

    with pytest.raises(BadInput, match=r"L \(工号\) could both be number") as caught:
        Importer(bureau.ledger, bureau.records).plan([sheet], "roster-county")

    assert "A 列“工号”与 L 列“工号”都可作 number;人员左右并排的" in caught.value.detail_zh
