"""Units that a sheet names once for several rows: over them, or in the first of them."""

import csv
import json
import re
import tempfile
from pathlib import Path
from shutil import rmtree

import pytest
import xlsxwriter
from python_calamine import load_workbook

from api.intake import load_mapping, parse_mapping, propose, to_toml
from api.intake.blocks import headed_by
from domain.refusals import BadInput
from tests.api.desk import run

DAY = ("--dated", "2023-06-30")
HEADINGS = ["工号", "姓名", "性别", "公民身份号码", "用人单位", "人员类别", "层级",
            "参加辅警工作时间", "合同到期日", "用工形式"]  # fmt: skip
AT = HEADINGS.index("用人单位")
IDS = {"A1": "320500199101010025", "A2": "320500199101010041", "A3": "320500199101010068",
       "A4": "320500199101010084"}  # fmt: skip


def person(number, unit=""):
    return [number, f"甲{number}", "女", IDS[number], unit, "勤务", "二级辅员", "2015-03-01",
            "2030-12-31", "劳动合同"]  # fmt: skip


def grouped(*rows):
    """Rows without the column of units; a text alone heads a group."""
    lines = [
        HEADINGS,
        *(person(row) if isinstance(row, str) and row in IDS else row for row in rows),
    ]
    return [[*row[:AT], *row[AT + 1 :]] if len(row) == len(HEADINGS) else row for row in lines]


def text(folder, rows, name="own.csv"):
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([row] if isinstance(row, str) else row for row in rows)
    return path


def merged(folder, rows, name="own.xlsx"):
    """A workbook in which a text alone is merged across the columns."""
    path = folder / name
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            if isinstance(row, str):
                sheet.merge_range(number, 0, number, len(HEADINGS) - 2, row)
            else:
                sheet.write_row(number, 0, row)
    return path


def mapping(folder, path, fill=None, **changed):
    """The guessed mapping of a file, saved; `fill`: that of the column of units."""
    proposal = propose(path, name="own", division="330203", **changed)
    said = to_toml(proposal.mapping)
    if fill is not None:
        said = re.sub(r"^unit = \{.*\}$", 'unit = { heading = ["用人单位"], kind = "unit", '
                      f'blank = "reject"{fill} }}', said, flags=re.MULTILINE)  # fmt: skip
    saved = folder / "own.toml"
    saved.write_text(said, "utf-8")
    return saved


GROUPS = grouped("城东派出所(2人)", "A1", "A2", "二、城西派出所", "A3", "A4")
FIRST_ONLY = [HEADINGS, person("A1", "城东派出所"), person("A2"), person("A3", "城西派出所"),
              person("A4")]  # fmt: skip


def _folder():
    """Where the server of a ledger may lie, which is another user's."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-blocks-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def reader():
    """A ledger into which nothing is entered."""
    folder = _folder()
    yield folder
    rmtree(folder, ignore_errors=True)


@pytest.fixture
def ledger():
    folder = _folder()
    yield folder
    rmtree(folder, ignore_errors=True)


EAST, WEST = "330203-01", "330203-02"
HELD = {"A1": EAST, "A2": EAST, "A3": WEST, "A4": WEST}


def told(folder, *command):
    return json.loads(run(folder, *command, "--json").out)["data"]


def units(folder):
    """Number → unit, as the roster has them."""
    lines = told(folder, "roster", "330203", "-e", "2023-08-01")["lines"]
    return {line["number"]: line["unit"] for line in lines}


def rejected(out):
    """The rows that are listed as rejected, with what is said of them."""
    return {
        int(n)
        for n in re.findall(r"^(?:own|b)\.csv +(\d+) +\S+ ", out.partition("逐行")[2], re.MULTILINE)
    }


@pytest.mark.parametrize(
    ("write", "rows", "cells_of"),
    [
        (merged, GROUPS, ["A2", "A2", "A5", "A5"]),
        (text, GROUPS, ["A2", "A2", "A5", "A5"]),
        (text, FIRST_ONLY, ["E2", "E2", "E4", "E4"]),
    ],
    ids=["merged", "alone", "first only"],
)
def test_units_given_once_are_guessed_entered_and_shown_with_their_cell(
    tmp_path, ledger, write, rows, cells_of
):
    folder, saved = ledger, tmp_path / "own.toml"
    path = write(tmp_path, rows)

    shown = run(folder, "import", "guess", str(path), "--division", "330203", "--save", str(saved))
    assert shown.code == 0
    assert re.search("用人单位 +unit +60%", shown.out)
    assert "(fill" in shown.out

    entered = run(folder, "import", str(path), "--mapping", str(saved), *DAY, "--enter")
    assert entered.code == 0, entered
    assert "“用人单位”有 " in entered.out
    assert units(folder) == HELD

    opened = told(folder, "journal", "--type", "RecordOpened")["entries"]
    cells = [
        cell
        for one in opened
        for cell in told(folder, "entry", str(one["position"]))["read"]["cells"]
        if cell["heading"] == "用人单位"
    ]
    assert sorted(c["cell"] for c in cells) == cells_of
    assert sorted(headed_by(c["text"]) for c in cells) == ["城东派出所"] * 2 + ["城西派出所"] * 2


def test_the_month_after_is_compared_by_the_units_given_once(tmp_path, ledger):
    folder = ledger
    path = text(tmp_path, GROUPS)
    saved = mapping(tmp_path, path)
    run(folder, "import", str(path), "--mapping", str(saved), *DAY, "--enter")
    after = text(
        tmp_path, grouped("城东派出所(3人)", "A1", "A2", "A3", "城西派出所(1人)", "A4"), "b.csv"
    )

    said = run(folder, "import", str(after), "--mapping", str(saved), "--dated", "2023-07-31")

    assert re.search("变更.*1", said.out), said.out
    assert re.search("无变化.*3", said.out), said.out


def test_without_the_option_they_are_refused_as_before_and_told_how_to_say_it(tmp_path, reader):
    folder = reader
    path = text(tmp_path, FIRST_ONLY)
    saved = mapping(tmp_path, path, "")
    said = run(folder, "import", str(path), "--mapping", str(saved), *DAY)
    assert "用人单位为空" in said.out
    assert 'fill = "above"' in said.out

    without = run(folder, "import", str(text(tmp_path, GROUPS)), "--mapping", str(saved), *DAY)
    assert without.code != 0
    assert "缺少列“用人单位”" in without.err
    assert 'fill = "group"' in without.err


def test_a_text_over_a_group_that_is_no_known_unit_is_told_by_its_row(tmp_path, reader):
    folder = reader
    saved = mapping(tmp_path, text(tmp_path, GROUPS))
    path = text(tmp_path, grouped("城东派出所", "A1", "借调人员", "A2", "A3"))

    said = run(folder, "import", str(path), "--mapping", str(saved), *DAY)

    assert re.search("own.csv +4 +用人单位 +借调人员 +独占一行的文字不是已知的用人单位", said.out)
    assert rejected(said.out) == {4, 5, 6}
    assert "(第 4 行)" in said.out


@pytest.mark.parametrize("ending", [["小计", "2人"], ["城东派出所小计", "2"], ["合计:2人"]])
def test_a_sum_ends_a_block_and_is_no_unit(tmp_path, reader, ending):
    folder = reader
    saved = mapping(tmp_path, text(tmp_path, GROUPS))
    path = text(tmp_path, grouped("城东派出所", "A1", ending, "A2", "城西派出所", "A3"))

    said = run(folder, "import", str(path), "--mapping", str(saved), *DAY)

    assert rejected(said.out) == {5}
    assert "用人单位为空" in said.out


@pytest.mark.parametrize(
    ("again", "faulty"),
    [("某局辅警花名册", set()), ("城东派出所", {8}), ("单位:某分局 2023年6月30日", set()),
     ("单位:城西派出所", set())],
)  # fmt: skip
def test_a_title_on_every_page_heads_no_rows(tmp_path, reader, again, faulty):
    titles = ["某局辅警花名册", "城东派出所", "单位:某分局 2023年6月30日"]
    saved = mapping(tmp_path, text(tmp_path, GROUPS))
    path = text(tmp_path, [*titles, *grouped("城西派出所", "A1", again, "A2")])

    said = run(reader, "import", str(path), "--mapping", str(saved), *DAY)

    assert rejected(said.out) == faulty


@pytest.mark.parametrize(
    ("between", "faulty"),
    [([HEADINGS], set()), ([[]], {4}), (["第 2 页"], set()), (["城西派出所"], {3, 4}),
     ([["", "", "", "", "合计", "12"]], {4})],
    ids=["headings again", "an empty row", "a page", "a text alone", "a sum"],
)  # fmt: skip
def test_what_a_first_row_says_holds_to_the_end_of_its_block(tmp_path, reader, between, faulty):
    folder = reader
    saved = mapping(tmp_path, text(tmp_path, FIRST_ONLY))
    rows = [HEADINGS, person("A1", "城东派出所"), *between, person("A2")]

    said = run(folder, "import", str(text(tmp_path, rows)), "--mapping", str(saved), *DAY)

    assert rejected(said.out) == faulty


def test_an_example_and_the_cell_over_it_give_nothing(tmp_path, reader):
    folder = reader
    saved = mapping(tmp_path, text(tmp_path, FIRST_ONLY))
    example = ["示例", *person("A3", "城西派出所")[1:]]
    path = text(tmp_path, [HEADINGS, example, person("A1"), person("A2", "城东派出所"),
                           person("A4", "同上")])  # fmt: skip

    said = run(folder, "import", str(path), "--mapping", str(saved), *DAY)

    assert rejected(said.out) == {2, 3}


@pytest.mark.parametrize("rows", [GROUPS, FIRST_ONLY], ids=["group", "above"])
def test_a_rejected_row_has_its_unit_and_takes_no_other_when_it_comes_back(tmp_path, ledger, rows):
    folder, out = ledger, tmp_path / "out"
    given = [[cell if cell != IDS["A2"] else "320500199101010042" for cell in row]
             if not isinstance(row, str) else row for row in rows]  # fmt: skip
    given = [[cell if cell != IDS["A4"] else "320500199101010085" for cell in row]
             if not isinstance(row, str) else row for row in given]  # fmt: skip
    path = text(tmp_path, given)
    saved = mapping(tmp_path, path)
    run(folder, "import", str(path), "--mapping", str(saved), *DAY, "--enter", "--rejected",
        str(out))  # fmt: skip
    back = out / "rejected-own.csv.xlsx"
    title, headings, *lines = load_workbook(back).get_sheet_by_name("退回").to_python()

    at = headings.index("用人单位")
    assert [headed_by(line[at]) for line in lines] == ["城东派出所", "城西派出所"]

    mended = tmp_path / "mended.xlsx"
    with xlsxwriter.Workbook(mended) as book:
        sheet = book.add_worksheet()
        for n, row in enumerate([title, headings, *lines]):
            right = {"320500199101010042": IDS["A2"], "320500199101010085": IDS["A4"]}
            cells = [right.get(cell, cell) for cell in row]
            if IDS["A4"] in cells:
                cells[at] = ""  # what a clerk takes out is not taken from above
            sheet.write_row(n, 0, cells)
    said = run(folder, "import", str(mended), "--mapping", str(saved), "--enter")
    assert said.code == 0, said
    assert "用人单位为空" in said.out
    assert units(folder) == {k: v for k, v in HELD.items() if k != "A4"}


@pytest.mark.parametrize(
    "rows",
    [
        grouped("文职辅警名册", "A1", "A2", "勤务辅警名册", "A3"),
        grouped("A1", "城东派出所", "A2", "城西派出所", "A3"),
        [HEADINGS, person("A1", "城东派出所"), person("A2"), person("A3", "城东派出所"),
         person("A4")],
        [HEADINGS, person("A1"), person("A2", "城东派出所"), person("A3"), person("A4")],
    ],
    ids=["no units", "a row over all", "a unit twice", "first row blank"],
)  # fmt: skip
def test_what_is_not_plain_is_not_guessed(tmp_path, rows):
    try:
        proposal = propose(text(tmp_path, rows), name="own", division="330203")
    except BadInput:
        return
    assert proposal.mapping.sheet[0].columns["unit"].fill is None


def test_units_that_the_ledger_has_are_surer(tmp_path):
    known = {"城东派出所": "330203-7", "城西派出所": "330203-8"}
    proposal = propose(text(tmp_path, GROUPS), name="own", division="330203", known_units=known)

    assert {g.heading: g.confidence for g in proposal.guesses}["用人单位"] == pytest.approx(0.9)
    assert {unit.name for unit in proposal.mapping.unit}.isdisjoint(known)
    assert parse_mapping(to_toml(proposal.mapping)) == proposal.mapping


@pytest.mark.parametrize(
    ("said", "named"),
    [("城东派出所(12人)", "城东派出所"), ("一、城东派出所", "城东派出所"), ("(二)特巡警大队:", "特巡警大队"),
     ("单位:城东派出所 共12人", "城东派出所"), ("三中队", "三中队"), ("城东派出所(12)", "城东派出所"), ("城东派出所", "城东派出所")],
)  # fmt: skip
def test_what_a_heading_of_rows_names(said, named):
    assert headed_by(said) == named


def test_packaged_mappings_fill_nothing():
    columns = [
        c
        for n in ("roster-city", "roster-county")
        for c in load_mapping(n).sheet[0].columns.values()
    ]
    assert {column.fill for column in columns} == {None}
