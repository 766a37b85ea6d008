import json
import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
import xlsxwriter
from python_calamine import load_workbook

import api.intake
from api.intake import Importer, write_rejected
from domain.acts.contracts import CONTRACT
from domain.acts.people import ID_NUMBER, NAME, NUMBER, PERSON, SERVICE, UNIT
from domain.bitemporal import FOREVER, AsOf
from domain.record import Record
from domain.refusals import BadInput, MissingField
from tests.intake.paths import ROSTERS

EXPECTED = json.loads((ROSTERS / "expected.json").read_text())
COUNTY = Path(api.intake.__file__).parent / "mappings" / "roster-county.toml"
FILES = [("roster_city.xlsx", "roster-city"), ("roster_county.xls", "roster-county")]
WARNED = {"missing-hire-date", "under-18-at-hire"}


def plan_of(bureau, file, mapping, **kwargs):
    return Importer(bureau.ledger).plan([ROSTERS / file], mapping, **kwargs)


def found(plan, file):
    """(row index, rule) as the expectations count and name them."""
    first = EXPECTED[file]["first_data_row"]
    return [
        (
            fault.row - first,
            f"duplicate-of-row-index-{fault.other - first}"
            if fault.reason.rule == "duplicate"
            else fault.reason.rule,
        )
        for fault in (*plan.rejected, *plan.warnings)
    ]


@pytest.mark.parametrize(("file", "mapping"), FILES)
def test_every_planted_defect_is_found_and_nothing_else(bureau, file, mapping):
    plan = plan_of(bureau, file, mapping)
    planted = [(row, rule) for row, rule in EXPECTED[file]["planted"]]
    caught = found(plan, file)
    right = set(caught) & set(planted)
    print(f"precision {len(right)}/{len(caught)}, recall {len(right)}/{len(planted)}")

    assert sorted(caught) == sorted(planted)


@pytest.mark.parametrize(("file", "mapping"), FILES)
def test_a_roster_is_entered_once_and_every_row_is_accounted_for(bureau, file, mapping):
    importer = Importer(bureau.ledger)
    plan = plan_of(bureau, file, mapping)
    rejected = {row for row, rule in found(plan, file) if rule not in WARNED}
    loaded = EXPECTED[file]["rows"] - len(rejected)

    report = importer.enter(plan)

    (count,) = report.files
    assert (count.rows, count.acts, count.rejected) == (
        EXPECTED[file]["rows"], loaded, len(rejected),
    )  # fmt: skip
    assert report.events == Counter(
        PersonRegistered=loaded, RecordOpened=loaded, ContractOpened=loaded, UnitEstablished=8
    )
    assert report.events == plan.events

    again = importer.enter(plan_of(bureau, file, mapping))

    assert again.events.total() == 0
    assert again.position == report.position
    assert again.batch == report.batch
    assert again.files == [count._replace(already=loaded)]


def facts_of(bureau, number):
    """What is recorded, on the sheet's day, of the person who holds this number."""
    record = Record.fold(bureau.ledger.entries())
    as_of = AsOf(date(2021, 8, 1), FOREVER - 1)
    holder = next(
        subject
        for subject in record.subjects(NUMBER)
        if record.at(NUMBER, subject, as_of).value["number"] == number
    )
    return {
        f: record.at(f, holder, as_of) for f in (PERSON, NAME, ID_NUMBER, SERVICE, UNIT, CONTRACT)
    }


def test_what_a_row_says_is_what_is_recorded(bureau):
    Importer(bureau.ledger).enter(plan_of(bureau, *FILES[0]))

    facts = facts_of(bureau, "FJ320500006")
    assert facts[SERVICE].effective == date(2006, 3, 14)
    assert (facts[SERVICE].value["state"], facts[SERVICE].value["form"]) == ("in", "direct")
    assert facts[UNIT].value == {"unit": "320500-cd"}
    assert facts[UNIT].effective == date(2021, 8, 1)
    assert facts[CONTRACT].until == date(2022, 1, 1)  # 2021.12.31 is the last day of the contract
    assert facts[PERSON].value["sex"] == "1"
    reveal = bureau.ledger.vault.reveal
    assert reveal(facts[NAME].value) == {"name": "褚强飞"}
    assert reveal(facts[ID_NUMBER].value) == {"id_number": "320500196808130676"}


def test_a_missing_hire_date_is_not_recorded_before_the_sheet(bureau):
    Importer(bureau.ledger).enter(plan_of(bureau, *FILES[0]))

    assert facts_of(bureau, "FJ320500067")[SERVICE].effective == date(2021, 8, 1)


def test_everything_imported_is_attested_and_says_where_it_stood(bureau):
    plan = plan_of(bureau, *FILES[1])
    Importer(bureau.ledger).enter(plan)

    entry = next(bureau.ledger.entries(types=["RecordOpened"]))
    assert entry.mood == "attested"
    assert entry.envelope["source"] == {
        "system": "roster-330200", "key": f"roster:{entry.fields['number']}",
        "version": "2021-08-01",
    }  # fmt: skip
    assert entry.envelope["request_id"] == str(plan.batch)
    assert entry.envelope["document"]["sha256"] == plan.digests[0]


def test_no_name_or_id_number_is_shown_but_to_the_clerk(bureau, capsys):
    plan = plan_of(bureau, *FILES[0])
    report = Importer(bureau.ledger).enter(plan)
    cells = {cell for fault in report.rejected if fault.private for cell in [fault.cell.strip()]}
    assert any(len(cell) == 18 for cell in cells)

    shown = repr([*report.rejected]) + "".join(str(f.reason) for f in plan.rejected)
    shown += "".join(capsys.readouterr())
    assert "imported" in shown
    stored = b"".join(entry.data for entry in bureau.ledger.entries()).decode()

    assert not [cell for cell in cells if cell and (cell in shown or cell in stored)]


def test_rejected_rows_come_back_as_they_were_with_the_reason(bureau, tmp_path):
    plan = plan_of(bureau, *FILES[0])

    (path,) = write_rejected(plan, plan.rejected, tmp_path)

    rows = load_workbook(path).get_sheet_by_index(0).to_python()
    assert path.name == "rejected-roster_city.xlsx"
    assert rows[0][0] == "roster_city.xlsx 退回的行(截至2021-08-01)"
    assert rows[1][:3] == ["序号", "辅警编号", "姓名"]
    assert len(rows) == 2 + 24
    impossible = next(row for row in rows if row[1] == "FJ320500023")
    assert impossible[8] == "2019.2.30"
    assert impossible[14:18] == [
        26, "impossible-date", "入职时间不是存在的日期", "改为存在的日期,如 2021-08-03",
    ]  # fmt: skip
    repeated = next(row for row in rows if row[15] == "duplicate")
    assert repeated[16] == "与前面一行完全重复(第148行)"


def test_rejected_rows_are_mended_where_they_came_back_and_imported_again(bureau, tmp_path):
    importer = Importer(bureau.ledger, bureau.records)
    plan = importer.plan([ROSTERS / "roster_city.xlsx"], "roster-city")
    report = importer.enter(plan)
    list(bureau.runner.catch_up())
    (path,) = write_rejected(plan, report.rejected, tmp_path)
    book = load_workbook(path)
    title, headings, *rows = book.get_sheet_by_index(0).to_python()
    (at,) = (n for n, row in enumerate(rows) if row[headings.index("辅警编号")] == "FJ320500023")
    rows[at][headings.index("入职时间")] = "2019-03-30"
    again = tmp_path / "rejected-mended.xlsx"
    with xlsxwriter.Workbook(again) as mended:
        for name, lines in (("退回", [title, headings, *rows]),
                            *((s, book.get_sheet_by_name(s).to_python()) for s in book.sheet_names[1:])):  # fmt: skip
            sheet = mended.add_worksheet(name)
            for n, line in enumerate(lines):
                sheet.write_row(n, 0, map(str, line))

    second = importer.plan([again], "roster-city")
    entered = importer.enter(second)

    assert second.dates == plan.dates
    (count,) = second.counts()
    # three rows repeated others, which the ledger has
    assert (count.acts, count.already, count.rejected) == (4, 3, 20)
    assert entered.events == {"PersonRegistered": 1, "RecordOpened": 1, "ContractOpened": 1}
    # the others of these units stand in no row of it, and are not gone
    assert {line.standing for line in second.lines} == {"new"}
    (once_more,) = write_rejected(second, entered.rejected, tmp_path / "more")
    assert load_workbook(once_more).get_sheet_by_index(0).to_python()[1] == headings


def test_a_person_whom_the_ledger_has_is_not_opened_again(bureau):
    importer = Importer(bureau.ledger)
    importer.enter(plan_of(bureau, *FILES[0]))

    later = plan_of(bureau, *FILES[0], dated=date(2022, 8, 1))
    report = importer.enter(later)

    assert Counter(f.reason.rule for f in later.rejected)["known-person"] == 159
    assert report.events.total() == 0


def test_units_entered_before_are_found_by_name(bureau):
    importer = Importer(bureau.ledger)
    importer.enter(plan_of(bureau, *FILES[0]))

    assert importer.plan([ROSTERS / FILES[1][0]], "roster-county").counts()[0].acts == 39


def test_a_sheet_without_a_date_asks_for_it(bureau, tmp_path):
    undated = tmp_path / "undated.toml"
    text = COUNTY.read_text()
    undated.write_text(text.replace("dated = 2021-08-01", ""))

    with pytest.raises(MissingField) as caught:
        plan_of(bureau, FILES[1][0], undated)
    assert caught.value.field == "dated"


def test_a_column_that_the_mapping_leaves_open_is_refused(bureau, tmp_path):
    narrow = tmp_path / "narrow.toml"
    text = COUNTY.read_text()
    narrow.write_text(re.sub('(?m)^"备注".*$', "", text))

    with pytest.raises(BadInput, match="column 备注 is neither mapped nor set aside"):
        plan_of(bureau, FILES[1][0], narrow)


def test_a_row_is_judged_by_the_date_of_the_sheet(bureau, tmp_path):
    headings = "姓名,工号,性别,出生日期,公民身份号码,用人单位,人员类别,层级,参加辅警工作时间,合同到期日,用工形式"
    row = "甲,F{},男,,,指挥中心,文职,实习辅警,{},{},劳动合同"
    sheet = tmp_path / "late.csv"
    sheet.write_text("\n".join([
        headings, row.format(1, "2021-08-02", "2023-12-31"), row.format(2, "2020.2", "2021-07-31"),
    ]))  # fmt: skip

    plan = Importer(bureau.ledger).plan([sheet], "roster-county")

    assert [(f.row, f.reason.rule) for f in plan.rejected] == [(2, "hire-after-sheet")]
    assert {f.reason.rule for f in plan.warnings} == {
        "contract-lapsed", "month-only", "missing-birth-date", "missing-id-number",
    }  # fmt: skip
    assert plan.events["RecordOpened"] == 1
    assert plan.events["ContractOpened"] == 0


@pytest.mark.parametrize(
    ("number", "rules"),
    [
        ("500101199603020010", {"division-newer-than-birth"}),  # 万县区, since 1997
        ("500101199703020018", set()),
        ("500101197503020014", {"division-newer-than-birth"}),
        ("110101197503020011", set()),  # 东城区 is older than the numbers
        ("320599198001010017", set()),  # no such division is known: nothing is said of it
        ("500101199603020014", {"id-checksum"}),
    ],
)
def test_a_division_newer_than_the_birth_year_is_a_warning_and_a_wrong_digit_an_error(
    bureau, tmp_path, number, rules
):
    sheet = tmp_path / "one.csv"
    sheet.write_text(f"姓名,工号,公民身份号码,用人单位\n甲,F1,{number},指挥中心\n")

    plan = Importer(bureau.ledger).plan([sheet], "roster-county")

    said = {f.reason.rule: f for f in (*plan.rejected, *plan.warnings)}
    assert {rule for rule in said if not rule.startswith("missing-")} == rules
    assert plan.events["RecordOpened"] == ("id-checksum" not in rules)
    assert all(said[rule].private for rule in rules)


def test_a_year_of_two_digits_is_pointed_out(bureau, tmp_path):
    sheet = tmp_path / "one.csv"
    sheet.write_text("姓名,工号,用人单位,参加辅警工作时间\n甲,F1,指挥中心,19/3/1\n")

    plan = Importer(bureau.ledger).plan([sheet], "roster-county")

    assert [f.cell for f in plan.warnings if f.reason.rule == "two-digit-year"] == ["19/3/1"]
    assert list(plan.rejected) == []


def test_what_stands_under_no_heading_is_pointed_out(bureau, tmp_path):
    sheet = tmp_path / "wide.csv"
    sheet.write_text("姓名,工号,用人单位,\n甲,F1,指挥中心,附注\n乙,F2,指挥中心,\n")

    plan = Importer(bureau.ledger).plan([sheet], "roster-county")

    pointed = [f for f in plan.warnings if f.reason.rule == "unnamed-column"]
    assert [f.row for f in pointed] == [2]
    assert "没有表头的列(D)中有内容" in pointed[0].reason.zh


def test_an_id_number_kept_as_a_number_has_lost_digits_and_is_rejected(bureau, tmp_path):
    sheet = tmp_path / "numbers.xlsx"
    with xlsxwriter.Workbook(sheet) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["姓名", "工号", "公民身份号码", "用人单位"])
        page.write_row(1, 0, ["甲", "F1", 320500196808130676, "指挥中心"])

    plan = Importer(bureau.ledger).plan([sheet], "roster-county")

    assert [f.reason.rule for f in plan.rejected] == ["id-malformed"]


@pytest.mark.parametrize(("kind", "cell", "until"), [
    ("last-day", "2023-12-31", date(2024, 1, 1)), ("last-day", "2023.12", date(2024, 1, 1)),
    ("day-after", "2024-01-01", date(2024, 1, 1)), ("day-after", "2024-01", date(2024, 1, 1)),
])  # fmt: skip
def test_a_mapping_says_whether_an_end_is_the_last_day_or_the_day_after(
    bureau, tmp_path, kind, cell, until
):
    mapping = tmp_path / "own.toml"
    mapping.write_text(COUNTY.read_text().replace('kind = "last-day"', f'kind = "{kind}"'))
    sheet = tmp_path / "one.csv"
    sheet.write_text(f"姓名,工号,用人单位,合同到期日,用工形式\n甲,F1,指挥中心,{cell},劳动合同\n")

    Importer(bureau.ledger).enter(Importer(bureau.ledger).plan([sheet], mapping))

    assert facts_of(bureau, "F1")[CONTRACT].until == until


def test_a_workbook_is_imported_sheet_by_sheet(bureau, tmp_path):
    rows = load_workbook(ROSTERS / "roster_city.xlsx").get_sheet_by_index(0).to_python()
    at = next(n for n, row in enumerate(rows) if "姓名" in row)
    path = tmp_path / "two.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for name, row in (("一组", rows[at + 1]), ("二组", rows[at + 2])):
            page = book.add_worksheet(name)
            for number, cells in enumerate([*rows[: at + 1], row, ["示例", *row[1:]]]):
                page.write_row(number, 0, [str(c) if isinstance(c, date) else c for c in cells])
    importer = Importer(bureau.ledger)
    with pytest.raises(BadInput, match="一组、二组"):
        importer.plan([path], "roster-city", date(2021, 8, 1))

    plans = [
        importer.plan([path], "roster-city", date(2021, 8, 1), tab=t) for t in ("一组", "二组")
    ]
    reports = [importer.enter(plan) for plan in plans]

    assert [report.events["PersonRegistered"] for report in reports] == [1, 1]
    assert plans[0].batch != plans[1].batch
    assert plans[1].left_out[0][0] == ("two.xlsx:未读取的工作表:一组(要读其中一张,加 --sheet 名称)")
    (rejected,) = write_rejected(plans[1], plans[1].rejected, tmp_path / "out")
    given = load_workbook(rejected).get_sheet_by_index(0).to_python()
    assert given[-1][1] == rows[at + 2][1]


def test_a_row_with_a_cell_in_error_is_rejected_as_such_and_given_back_with_it(bureau, tmp_path):
    rows = load_workbook(ROSTERS / "roster_city.xlsx").get_sheet_by_index(0).to_python()
    at = next(n for n, row in enumerate(rows) if "姓名" in row)
    grade, number = rows[at].index("现层级"), rows[at].index("辅警编号")
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        for n, cells in enumerate(rows[: at + 4]):
            page.write_row(n, 0, [str(c) if isinstance(c, date) else c for c in cells])
        page.write_formula(at + 1, grade, "=NA()", None, "#N/A")
        for n in (2, 3):
            page.write_formula(at + n, number, "=NA()", None, "#REF!")

    plan = Importer(bureau.ledger).plan([path], "roster-city", date(2021, 8, 1))

    assert [(f.row - at, f.heading, f.cell, f.reason.rule) for f in plan.rejected] == [
        (2, "现层级", "#N/A", "cell-in-error"), (3, "辅警编号", "#REF!", "cell-in-error"),
        (4, "辅警编号", "#REF!", "cell-in-error"),
    ]  # fmt: skip
    (rejected,) = write_rejected(plan, plan.rejected, tmp_path / "out")
    given = load_workbook(rejected).get_sheet_by_index(0).to_python()
    assert "#N/A" in given[-3]


@pytest.mark.parametrize("lock", ["~$roster_city.xlsx", ".~lock.roster_city.xlsx#"])
def test_the_lock_of_an_open_workbook_is_passed_over_with_a_word(bureau, tmp_path, lock):
    (tmp_path / lock).write_bytes(b"somebody")
    (tmp_path / "a.xlsx").write_bytes((ROSTERS / "roster_city.xlsx").read_bytes())
    importer = Importer(bureau.ledger)

    plan = importer.plan([tmp_path], "roster-city")

    assert plan.files == ["a.xlsx"]
    assert lock in plan.left_out[-1][0]
    with pytest.raises(BadInput, match="name the file itself"):
        importer.plan([tmp_path / lock], "roster-city")
