"""What a cell may or may not mean, where a roster has it: refused with its reason, or read."""

import zipfile
from datetime import date
from pathlib import Path

import pytest
import xlsxwriter

import api.intake
from api.intake import Importer
from api.intake.mapping import load_mapping
from api.intake.reading import read
from domain.acts.openings import ContractOpened, RecordOpened
from domain.acts.people import PersonRegistered
from domain.refusals import MissingField
from tests.intake.paths import ROSTERS
from tests.intake.test_reading import open_document

COUNTY = Path(api.intake.__file__).parent / "mappings" / "roster-county.toml"
HEADINGS = [
    "姓名",
    "工号",
    "公民身份号码",
    "出生日期",
    "用人单位",
    "参加辅警工作时间",
    "合同到期日",
    "用工形式",
    "层级",
]


def row(**said):
    usual = dict.fromkeys(HEADINGS, "") | {
        "姓名": "甲某", "工号": "F1", "用人单位": "指挥中心", "参加辅警工作时间": "2018-07-01",
        "合同到期日": "2026-06-30", "用工形式": "劳动合同",
    }  # fmt: skip
    return [*(usual | said).values()]


def planned(bureau, folder, *rows, mapping="roster-county"):
    path = folder / "one.xlsx"
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        for n, cells in enumerate([["花名册(截至2024年3月31日)"], HEADINGS, *rows]):
            page.write_row(n, 0, cells)
    return Importer(bureau.ledger).plan([path], mapping)


def rejected(plan):
    return [(f.row, f.heading, f.reason.rule) for f in plan.rejected]


def warned(plan, rule):
    return [(f.row, f.heading) for f in plan.warnings if f.reason.rule == rule]


def test_a_long_number_of_a_person_kept_as_a_number_is_refused_and_how_to_mend_it(bureau, tmp_path):
    plan = planned(bureau, tmp_path, row(工号=320500202400100001), row(工号="320500202400100002"))

    [fault] = plan.rejected
    assert (fault.row, fault.heading, fault.reason.rule) == (3, "工号", "digits-lost")
    assert fault.cell.startswith("3205002024")
    assert "文本" in fault.reason.mend_zh
    assert plan.events["RecordOpened"] == 1


def test_a_day_that_may_be_two_is_refused_and_no_other_is_entered(bureau, tmp_path):
    cells = [20183, "19903", 2018.1, "2018.1", "190301"]
    rows = [row(工号=f"F{n}", 参加辅警工作时间=cell) for n, cell in enumerate(cells)]

    plan = planned(bureau, tmp_path, *rows)

    assert [(line, rule) for line, _, rule in rejected(plan)] == [
        (3, "ambiguous-serial"), (4, "ambiguous-serial"), (5, "ambiguous-date"),
        (6, "ambiguous-date"), (7, "ambiguous-short-day"),
    ]  # fmt: skip
    assert plan.events["RecordOpened"] == 0
    assert all("有歧义" in fault.reason.zh and fault.reason.mend_zh for fault in plan.rejected)


def test_a_month_under_a_short_year_is_pointed_out_as_both(bureau, tmp_path):
    plan = planned(bureau, tmp_path, row(参加辅警工作时间="18年3月"))

    assert rejected(plan) == []
    for rule in ("month-only", "two-digit-year"):
        assert warned(plan, rule) == [(3, "参加辅警工作时间")]


def opened(plan, cls):
    return [m.event for draft in plan.drafts for m in draft.made if isinstance(m.event, cls)]


def born(plan):
    return [event.birth_date for event in opened(plan, PersonRegistered)]


def test_a_month_of_birth_agrees_with_the_id_number_which_gives_the_day(bureau, tmp_path):
    said = {"公民身份号码": "32050319900215003X", "出生日期": "1990.02"}
    plan = planned(bureau, tmp_path, row(**said))

    assert rejected(plan) == []
    assert born(plan) == [date(1990, 2, 15)]
    assert warned(plan, "birth-day-from-id") == [(3, "出生日期")]


def test_a_month_of_birth_that_is_not_the_id_numbers_contradicts_it(bureau, tmp_path):
    said = {"公民身份号码": "32050319900215003X", "出生日期": "1990.03"}
    assert rejected(planned(bureau, tmp_path, row(**said))) == [
        (3, "出生日期", "birth-contradicts-id")
    ]


def test_a_month_of_birth_alone_is_not_made_a_day(bureau, tmp_path):
    plan = planned(bureau, tmp_path, row(出生日期="1990年2月"))

    assert (rejected(plan), born(plan)) == ([], [None])
    assert warned(plan, "birth-month-alone") == [(3, "出生日期")]


def test_a_number_shorter_than_its_column_may_have_lost_zeros(bureau, tmp_path):
    plan = planned(
        bureau, tmp_path, row(工号=12), row(工号="000013"), row(工号=100014), row(工号="15")
    )

    assert rejected(plan) == []
    assert warned(plan, "shorter-number") == [(3, "工号")]


@pytest.mark.parametrize("kind", ["last-day", "day-after"])
def test_a_contract_without_end_is_opened_without_a_last_day(bureau, tmp_path, kind):
    mapping = tmp_path / "own.toml"
    mapping.write_text(COUNTY.read_text().replace('kind = "last-day"', f'kind = "{kind}"'))
    cells = ["无固定期限", "长 期", "2026-06-30"]
    rows = [row(工号=f"F{n}", 合同到期日=cell) for n, cell in enumerate(cells)]

    plan = planned(bureau, tmp_path, *rows, mapping=mapping)

    assert rejected(plan) == []
    ends = [event.last_day for event in opened(plan, ContractOpened)]
    assert ends == [None, None, date(2026, 6, 30 if kind == "last-day" else 29)]


def test_a_mapping_says_what_a_word_or_a_blank_end_means(bureau, tmp_path):
    mapping = tmp_path / "own.toml"
    mapping.write_text(
        COUNTY.read_text()
        .replace('kind = "last-day"', 'kind = "last-day", known = { "" = "open", "见合同" = "" }')
        .replace(
            '"参加辅警工作时间", kind = "date"',
            '"参加辅警工作时间", kind = "date", known = { "不详" = "" }',
        )
    )
    rows = [row(合同到期日=""), row(工号="F2", 合同到期日="见合同", 参加辅警工作时间="不详")]

    plan = planned(bureau, tmp_path, *rows, mapping=mapping)

    assert rejected(plan) == []
    assert [event.last_day for event in opened(plan, ContractOpened)] == [None]
    assert [event.hired_on for event in opened(plan, RecordOpened)] == [date(2018, 7, 1), None]


def test_spaces_within_a_listed_word_do_not_count(bureau, tmp_path):
    plan = planned(bureau, tmp_path, row(层级="二级　辅员", 用工形式="劳动 合同"))

    assert rejected(plan) == []
    assert [event.grade for event in opened(plan, RecordOpened)] == ["二级辅员"]


@pytest.mark.parametrize(
    "title", ["截至 2024 年 3 月 31 日", "截至20240331", "截止日期:2024-03-31", "截至2024.3.31"]
)
def test_a_title_gives_the_date_in_every_usual_style(bureau, tmp_path, title):
    path = tmp_path / "one.csv"
    path.write_text(f"花名册({title})\n姓名,工号,用人单位\n甲,F1,指挥中心\n", "utf-8")

    assert Importer(bureau.ledger).plan([path], "roster-county").dates == [date(2024, 3, 31)]


@pytest.mark.parametrize(
    ("title", "offered"), [("2024年3月31日制", "2024-03-31"), ("", "2021-08-01")]
)
def test_another_date_of_a_title_is_offered_and_not_taken(bureau, tmp_path, title, offered):
    path = tmp_path / "one.csv"
    path.write_text(f"花名册({title})\n姓名,工号,用人单位\n甲,F1,指挥中心\n", "utf-8")
    undated = load_mapping("roster-county").model_copy(update={"dated": None})

    with pytest.raises(MissingField) as refused:
        Importer(bureau.ledger).plan([path], undated)

    assert f"--dated {offered}" in str(refused.value)


@pytest.mark.parametrize(
    ("shown", "faulty"),
    [("000000", [3, 4]), ('"FJ"0000', [3, 4, 5]), ("0.00", []), ("#,##0", []), (None, [])],
)
def test_a_number_that_a_format_shows_otherwise_is_refused(bureau, tmp_path, shown, faulty):
    path = tmp_path / "one.xlsx"
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        style = book.add_format({"num_format": shown}) if shown else None
        page.write_row(0, 0, ["花名册(截至2024年3月31日)"])
        page.write_row(1, 0, HEADINGS)
        for n, number in enumerate([1, 22, 100014, "000015"], 2):
            page.write_row(n, 0, row(工号=number))
            page.write(n, 1, number, style)

    plan = Importer(bureau.ledger).plan([path], "roster-county")

    assert rejected(plan) == [(line, "工号", "zeros-lost") for line in faulty]
    assert plan.events["RecordOpened"] == 4 - len(faulty)


OF_AN_OPEN_DOCUMENT = (
    '<number:number-style xmlns:number="urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0">{}'
    '<number:number number:decimal-places="0" number:min-integer-digits="{}"/></number:number-style>'
)


@pytest.mark.parametrize(
    ("letters", "digits", "width"),
    [("", 6, 6), ("", 1, 0), ("<number:text>FJ</number:text>", 4, 16)],
)
def test_formats_of_zeros_are_seen_in_an_open_document(tmp_path, letters, digits, width):
    path = open_document(tmp_path / "a.ods", [["姓名", "工号"], ["甲", "1"]])
    with zipfile.ZipFile(path, "a") as parts:
        parts.writestr("styles.xml", OF_AN_OPEN_DOCUMENT.format(letters, digits))

    assert read(path, ["姓名", "工号"]).padded == width


def test_formats_of_zeros_are_seen_in_an_older_workbook(tmp_path):
    content = (ROSTERS / "roster_county.xls").read_bytes()
    for shown, width in (("0000000", 7), ('"FJ"000', 16), ("General", 0)):
        path = tmp_path / "a.xls"
        path.write_bytes(content.replace(b"\x07\x00\x00General", b"\x07\x00\x00" + shown.encode()))

        assert read(path, ["姓名", "工号", "用人单位"]).padded == width
