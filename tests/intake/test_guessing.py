"""What a file's headings and cells are taken for, and that what was taken can be imported."""

import csv
from datetime import date

import pytest
import xlsxwriter

from api import answers
from api.intake import Importer, load_mapping, parse_mapping, propose, to_toml
from domain.refusals import BadInput, MissingField
from tests.api.desk import run
from tests.intake.paths import ROSTERS

OWN = [
    ["某县公安局警务辅助人员名册(截至2023年6月30日)"],
    ["序号", "警号", "名字", "公民身份证号码", "工作单位", "辅警类别", "录用日期", "合同终止日期", "用工方式", "爱好"],
    ["1", "A1", "甲某", "320500199101010025", "城关派出所", "勤务", "2015.3.1", "2025年12月31日", "劳动合同", "下棋"],
    ["2", "A2", "乙某", "", "巡特警大队", "文职", "二〇一六年三月一日", "2025-12-31", "劳务派遣", ""],
]  # fmt: skip
CHICAGO = {
    "unit-history": ["person", "unit", "unit_start_date", "unit_end_date"],
    "salary": ["person", "year", "rank", "pay_grade", "salary", "employee_status", "org_hire_date",
               "start_date", "spp_date"],
    "awards": ["person", "award_type", "award_request_date", "award_start_date", "award_end_date",
               "ceremony_date", "current_award_status", "rank", "tracking_no"],
    "complaints": ["person", "case", "incident_date", "complaint_date", "closed_date", "on_duty",
                   "officer_injury", "assigned_unit", "rank", "category_tier_1", "finding",
                   "final_finding", "recommended_penalty", "final_penalty"],
}  # fmt: skip


def sheet(folder, rows=OWN, name="own.csv"):
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def proposed(path, division="330203", **kwargs):
    return propose(path, name="own", division=division, **kwargs)


def taken(proposal):
    return {guess.heading: guess.columns for guess in proposal.guesses}


@pytest.mark.parametrize(
    ("file", "known"), [("roster_city.xlsx", "roster-city"), ("roster_county.xls", "roster-county")]
)
def test_a_known_roster_is_taken_for_what_its_mapping_says(file, known):
    proposal = proposed(ROSTERS / file)
    [model] = load_mapping(known).sheet

    assert proposal.like == f"{known}/roster"
    assert taken(proposal) == {heading: model.headings[heading] for heading in taken(proposal)}
    assert (proposal.lacking, proposal.confidence > 0.9) == ([], True)
    assert parse_mapping(to_toml(proposal.mapping)) == proposal.mapping


@pytest.mark.parametrize("name", CHICAGO)
def test_the_headings_of_another_country_are_taken_for_what_their_mapping_says(tmp_path, name):
    model = next(one for one in load_mapping("chicago").sheet if one.name == name)
    cells = ["2016-06-05" if "date" in heading else "7" for heading in CHICAGO[name]]
    path = sheet(tmp_path, [CHICAGO[name], cells])

    proposal = propose(path, name="own")

    assert proposal.like == f"chicago/{name}"
    assert taken(proposal) == {heading: model.headings[heading] for heading in CHICAGO[name]}
    assert parse_mapping(to_toml(proposal.mapping)) == proposal.mapping


def test_headings_never_seen_are_taken_by_usage_likeness_and_content(tmp_path):
    proposal = proposed(sheet(tmp_path))

    found = taken(proposal)
    assert found["警号"] == ["number"]
    assert found["名字"] == ["name"]
    assert found["公民身份证号码"] == ["id-number"]
    assert found["工作单位"] == ["unit"]
    assert found["录用日期"] == ["hire-date"]
    assert found["合同终止日期"] == ["contract-last-day"]
    assert found["用工方式"] == ["form", "agency", "employer"]
    assert found["爱好"] == []
    by_heading = {guess.heading: guess for guess in proposal.guesses}
    assert by_heading["警号"].confidence == 0.9
    assert by_heading["爱好"].confidence == 0
    assert proposal.mapping.sheet[0].unused["爱好"].startswith("not recognised")


def test_an_id_number_is_known_by_its_digits_whatever_stands_above(tmp_path):
    rows = [row[:] for row in OWN]
    rows[1][3] = "号"
    guess = {g.heading: g for g in proposed(sheet(tmp_path, rows)).guesses}["号"]
    assert (guess.columns, guess.confidence) == (["id-number"], 0.5)


def test_the_first_work_of_a_person_is_no_hire(tmp_path):
    rows = [[*row, "1993-07-01"] for row in OWN[1:]]
    rows[0][-1] = "参加工作时间"
    rows[0][6] = "入警时间"
    assert taken(proposed(sheet(tmp_path, rows)))["入警时间"] == ["hire-date"]
    assert taken(proposed(sheet(tmp_path, rows)))["参加工作时间"] == []
    rows[0][6] = "不是日期"
    assert ["hire-date"] not in taken(proposed(sheet(tmp_path, rows))).values()


def test_of_two_headings_for_one_column_neither_is_certain(tmp_path):
    rows = [[*row, "2015-03-01"] for row in OWN[1:]]
    rows[0][-1] = "入警时间"
    path = sheet(tmp_path, rows)

    found = {g.heading: g for g in proposed(path).guesses}
    assert (found["录用日期"].columns, found["入警时间"].columns) == (["hire-date"], [])
    assert found["录用日期"].confidence < 0.5
    assert "入警时间" in found["录用日期"].zh
    settled = {g.heading: g for g in proposed(path, decided={"入警时间": ""}).guesses}
    assert settled["录用日期"].confidence == 0.9


def test_persons_side_by_side_are_told_by_their_columns(tmp_path):
    guesses = proposed(sheet(tmp_path, [[*row, *row] for row in OWN[1:]])).guesses

    [number] = [g for g in guesses if g.columns == ["number"]]
    assert "B、L 列同名:人员左右并排的" in number.zh


def test_units_and_words_far_below_are_seen_too(tmp_path):
    many = [[str(n), f"B{n}", "丙某", "", *OWN[2][4:]] for n in range(300)]
    last = [*OWN[2]]
    last[4], last[5] = "城北派出所", "后勤"
    proposal = proposed(sheet(tmp_path, [*OWN, *many, last]))

    assert "城北派出所" in {unit.name for unit in proposal.mapping.unit}
    assert {g.heading: g.unread for g in proposal.guesses}["辅警类别"] == ["后勤"]


def test_grouped_headings_are_told_and_set_with_their_group(bureau, tmp_path):
    above = ["", *OWN[1][1:7], "劳动合同", "劳动合同", "用工方式", "服装合同", "服装合同"]
    below = [*OWN[1][:7], "起", "止", "用工方式", "起", "止"]
    rows = [[*row[:7], "2021-1-1", "2025-12-31", row[8], "2020-1-1", ""] for row in OWN[2:]]
    path = sheet(tmp_path, [OWN[0], above, below, *rows])

    assert {"劳动合同/止", "服装合同/止", "劳动合同/起", "服装合同/起"} <= taken(
        proposed(path)
    ).keys()
    with pytest.raises(BadInput, match="there is 劳动合同/止") as caught:
        proposed(path, decided={"止": "contract-last-day"})
    assert caught.value.field == "set"
    saved = tmp_path / "own.toml"
    saved.write_text(
        to_toml(proposed(path, decided={"劳动合同/止": "contract-last-day"}).mapping), "utf-8"
    )
    plan = Importer(bureau.ledger).plan([path], saved)
    assert list(plan.rejected) == []
    assert plan.events["ContractOpened"] == 2


def test_a_heading_that_two_columns_have_cannot_be_set(tmp_path):
    rows = [[*row, ""] for row in OWN]
    rows[1][-1] = "爱好"
    with pytest.raises(BadInput, match="several columns are headed 爱好"):
        proposed(sheet(tmp_path, rows), decided={"爱好": "grade"})


def test_cells_that_do_not_read_lower_the_confidence_and_no_private_one_is_told(tmp_path):
    rows = [row[:] for row in OWN]
    rows[3][6] = "很早"
    rows[3][3] = "320500199101010026"
    guesses = {g.heading: g for g in proposed(sheet(tmp_path, rows)).guesses}
    assert guesses["录用日期"].confidence == 0.45
    assert guesses["录用日期"].unread == ["很早"]
    assert guesses["公民身份证号码"].readable == 0.5
    assert guesses["公民身份证号码"].unread == []


def test_a_guessed_mapping_imports_the_roster(bureau, tmp_path):
    path, saved = sheet(tmp_path), tmp_path / "own.toml"
    saved.write_text(to_toml(proposed(path).mapping, ["a remark"]), "utf-8")

    importer = Importer(bureau.ledger)
    report = importer.enter(importer.plan([path], saved))

    assert list(report.rejected) == []
    list(bureau.runner.catch_up())
    data = answers.roster(bureau, answers.When(date(2023, 6, 30)))["data"]
    lines = [(one["number"], one["name"], one["category"]) for one in data["lines"]]
    assert sorted(lines) == [("A1", "甲某", "field"), ("A2", "乙某", "civilian")]
    units = {
        one["unit"]: one
        for one in answers.units(bureau, answers.When(date(2023, 6, 30)))["data"]["units"]
    }
    assert units["330203"]["name"] == "某县公安局"
    assert {one["name"] for one in units.values() if one["parent"] == "330203"} == {
        "城关派出所",
        "巡特警大队",
    }


def test_the_date_of_another_sheet_is_not_taken_over(tmp_path):
    undated = sheet(tmp_path, OWN[1:])
    for path in (undated, ROSTERS / "roster_county.xls"):
        mapping = proposed(path).mapping
        assert (mapping.dated, mapping.sheet[0].dated) == (None, None)


def test_units_that_the_ledger_has_are_not_proposed_again(tmp_path):
    known = {"330203": "330203", "城关派出所": "cg"}
    units = proposed(sheet(tmp_path), known_units=known).mapping.unit
    assert [(u.name, u.parent, u.division) for u in units if u.kind != "agency"] == [
        ("巡特警大队", None, "330203")
    ]


def test_sheets_that_were_not_looked_at_are_told_with_how_to_choose_them(tmp_path):
    path = tmp_path / "two.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for name, rows in (("在职", OWN), ("离职", [["名字"], ["丙某"]])):
            page = book.add_worksheet(name)
            for number, row in enumerate(rows):
                page.write_row(number, 0, row)

    assert proposed(path).left_out == [
        ("two.xlsx:未读取的工作表:离职(要读其中一张,加 --sheet 名称)",
         "two.xlsx: sheets not read: 离职 (to read one: --sheet NAME)"),
    ]  # fmt: skip


def test_the_clerk_has_the_last_word(tmp_path):
    proposal = proposed(sheet(tmp_path), decided={"爱好": "grade", "警号": "", "序号": "number"})

    assert taken(proposal)["爱好"] == ["grade"]
    assert taken(proposal)["警号"] == []
    assert taken(proposal)["序号"] == ["number"]
    for decided, field in (({"没有": "grade"}, "set"), ({"爱好": "hobby"}, "set")):
        with pytest.raises(BadInput) as caught:
            proposed(sheet(tmp_path), decided=decided)
        assert caught.value.field == field


def test_a_column_without_which_nothing_can_be_entered_is_said_to_be_lacking(tmp_path):
    rows = [[cell for n, cell in enumerate(row) if n not in (1, 3)] for row in OWN]
    proposal = proposed(sheet(tmp_path, rows))
    assert proposal.lacking == ["number"]
    assert proposal.confidence == 0


def test_what_cannot_be_guessed_is_refused(tmp_path):
    with pytest.raises(MissingField) as caught:
        proposed(sheet(tmp_path), division=None)
    assert caught.value.field == "division"
    with pytest.raises(BadInput, match="no row holds the headings"):
        proposed(sheet(tmp_path, [["甲", "乙"], ["1", "2"]]))


def test_a_guess_is_shown_and_accepted_with_save(bureau, settings, tmp_path):
    folder = tmp_path / "ledger"
    path, saved = sheet(tmp_path), tmp_path / "own.toml"

    shown = run(folder, "import", "guess", str(path), "--division", "330203")
    assert shown.code == 0
    assert "警号" in shown.out
    assert "90%" in shown.out
    assert "甲某" not in shown.out
    assert not saved.exists()

    accepted = run(
        folder,
        "import",
        "guess",
        str(path),
        "--division",
        "330203",
        "--set",
        "爱好=",
        "--save",
        str(saved),
    )
    assert accepted.code == 0
    assert parse_mapping(saved.read_text("utf-8")).name == "roster-own"
    checked = run(folder, "import", str(path), "--mapping", str(saved))
    assert checked.code == 0
    assert "Traceback" not in checked.err
