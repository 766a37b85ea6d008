import gzip
import zipfile
from datetime import date

import pytest
import xlsxwriter

from api.intake.reading import read
from api.intake.values import EPOCH, EPOCH_1904, Day, day_of
from domain.refusals import BadInput
from tests.intake.paths import ROSTERS

WANTED = ["姓名", "工号", "单位"]


def rows_of(path, wanted=WANTED, **kwargs):
    table = read(path, wanted, **kwargs)
    return table.headings, [(row.number, [*row.cells]) for row in table.rows]


def workbook(path, *rows, merged=()):
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("名册")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
        for cells in merged:
            sheet.merge_range(*cells)
        book.add_worksheet("说明").write(0, 0, "本表由各单位填报")
    return path


def test_titles_and_footers_are_left_out_and_rows_keep_their_numbers(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx", ["某局花名册(截至2021年8月1日)"], [], ["姓 名", "工号", "单位"],
        ["甲", "F1", "一所"], [], ["乙", "F2", "二所"], ["小计", 2], ["丙", "F3", "二所"],
        ["", "填表人:"],
    )  # fmt: skip

    headings, rows = rows_of(path)

    assert headings == WANTED
    assert [(number, cells[0]) for number, cells in rows] == [(4, "甲"), (6, "乙"), (8, "丙")]
    assert read(path, WANTED).title == "某局花名册(截至2021年8月1日)"


def test_headings_over_two_rows_are_told_apart_by_their_group(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx", ["姓名", "编号", "", "单位"], ["", "身份证", "辅警", ""],
        ["甲", "1", "2", "一所"],
        merged=[(0, 1, 0, 2, "编号"), (0, 0, 1, 0, "姓名"), (0, 3, 1, 3, "单位")],
    )  # fmt: skip

    headings, rows = rows_of(path, ["姓名", "编号/身份证", "编号/辅警", "单位"])

    assert headings == ["姓名", "编号/身份证", "编号/辅警", "单位"]
    assert rows == [(3, ["甲", "1", "2", "一所"])]


def test_a_merged_cell_counts_for_each_of_its_rows(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx", WANTED, ["甲", "F1"], ["乙", "F2"], merged=[(1, 2, 2, 2, "一所")]
    )

    assert [cells[2] for _, cells in rows_of(path)[1]] == ["一所", "一所"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("packed", [False, True])
def test_text_files_of_both_encodings_are_read(tmp_path, encoding, packed):
    content = "姓名,工号,单位\n𠮷甲,F1,一所\n".encode(encoding)
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    path.write_bytes(gzip.compress(content) if packed else content)

    assert rows_of(path) == (WANTED, [(2, ["𠮷甲", "F1", "一所"])])


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.tsv"])
@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-be", "utf-8", "gb18030"], ids=["le", "be", "utf-8", "gb18030"]
)
def test_text_parted_by_tabs_is_read_as_a_spreadsheet_saves_it(tmp_path, name, encoding):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    lines = ["某局名册,截至2021年8月1日", "姓名\t工号\t单位", '甲\tF1\t"一,所"', '"乙\n丙"\tF2\t']
    path = tmp_path / name
    path.write_bytes((mark + "\r\n".join(lines)).encode(encoding))

    assert rows_of(path) == (WANTED, [(3, ["甲", "F1", "一,所"]), (4, ["乙\n丙", "F2", ""])])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.docx", b"x", "not a workbook"),
        ("a.xlsx", b"PK damaged", "cannot be read"),
        ("a.xls", b"", "cannot be read"),
        ("a.csv", b"\xff\xff\xff", "neither UTF-8, nor GB18030"),
        ("a.txt", "姓名,工号,单位\n甲,F1,一所".encode("utf-16-le"), "nor UTF-16 with its mark"),
        ("a.txt", "姓名\t工号".encode("utf-16") + b"x", "nor UTF-16 with its mark"),
        ("a.csv.gz", gzip.compress(b"x", mtime=0)[:-4], "damaged"),
        ("a.csv", "甲,乙\n1,2\n".encode(), "no row holds the headings"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_name(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(BadInput, match=said) as caught:
        rows_of(path)

    assert caught.value.field == "file"
    assert name in caught.value.detail_zh


def test_text_parted_by_semicolons_is_read_too(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        '某局名册,截至2021年8月1日;;\n姓名;工号;单位\n甲;F1;"一;所"\n乙;F2;二,所\n', "utf-8"
    )
    assert rows_of(path) == (WANTED, [(3, ["甲", "F1", "一;所"]), (4, ["乙", "F2", "二,所"])])

    path.write_text("姓名,工号,单位\n甲,F1,一;所;队;科\n乙,F2,二;所;室\n", "utf-8")
    assert rows_of(path) == (
        WANTED,
        [(2, ["甲", "F1", "一;所;队;科"]), (3, ["乙", "F2", "二;所;室"])],
    )


PROTECTED = ROSTERS.parent / "protected"


@pytest.mark.parametrize("name", sorted(p.name for p in PROTECTED.iterdir() if p.suffix != ".md"))
def test_a_protected_workbook_is_refused_with_what_to_do(name):
    with pytest.raises(BadInput, match="protected by a password; save it without one") as caught:
        read(PROTECTED / name, WANTED)
    assert caught.value.field == "file"


def test_a_sheet_is_chosen_by_name_or_by_its_headings(tmp_path):
    path = workbook(tmp_path / "a.xlsx", WANTED, ["甲", "F1", "一所"])

    assert read(path, WANTED).sheet == read(path, WANTED, "名册").sheet == "名册"
    with pytest.raises(BadInput, match="there is no sheet 别的"):
        read(path, WANTED, "别的")


def open_document(path, rows, manifest="<x/>"):
    """A spreadsheet as LibreOffice packs it, with what a reader needs and no more."""
    namespaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    cells = [
        "".join(
            f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>'
            if not str(cell).startswith("<")
            else cell
            for cell in row
        )
        for row in rows
    ]
    body = "".join(f"<table:table-row>{row}</table:table-row>" for row in cells)
    with zipfile.ZipFile(path, "w") as parts:
        parts.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        parts.writestr("META-INF/manifest.xml", manifest)
        parts.writestr(
            "content.xml",
            f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {namespaces}>'
            f'<office:body><office:spreadsheet><table:table table:name="名册">{body}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return path


def test_an_open_document_is_read_like_any_workbook(tmp_path):
    path = open_document(
        tmp_path / "a.ods", [["某局花名册"], WANTED, ["甲", "F1", "一所"], ["合计", "1"]]
    )

    assert rows_of(path) == (WANTED, [(3, ["甲", "F1", "一所"])])
    assert read(path, WANTED).title == "某局花名册"


def test_a_sheet_of_the_national_office_program_is_read(tmp_path):
    path = tmp_path / "a.et"
    path.write_bytes((ROSTERS / "roster_county.xls").read_bytes())

    headings, rows = rows_of(path, ["姓名", "工号", "用人单位"])

    assert headings[:2] == ["姓名", "工号"]
    assert len(rows) == 63


@pytest.mark.parametrize("from_1904", [False, True])
def test_a_workbook_says_from_which_day_its_serial_numbers_count(tmp_path, from_1904):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path, {"date_1904": from_1904}) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["姓名", "入职时间", "同一天"])
        page.write_string(1, 0, "甲")
        page.write_datetime(1, 1, date(2021, 8, 3), book.add_format({"num_format": "yyyy-mm-dd"}))
        page.write_number(1, 2, 42949 if from_1904 else 44411)

    table = read(path, ["姓名", "入职时间", "同一天"])

    _, typed, serial = next(table.rows).cells
    assert day_of(typed, epoch=table.epoch) == day_of(serial, epoch=table.epoch)
    assert day_of(serial, epoch=table.epoch) == Day(date(2021, 8, 3))


@pytest.mark.parametrize("name", ["a.xls", "a.et"])
def test_an_older_workbook_says_so_too(tmp_path, name):
    content = bytearray((ROSTERS / "roster_county.xls").read_bytes())
    at = content.find(bytes.fromhex("22000200"))  # DATEMODE
    assert read(ROSTERS / "roster_county.xls", WANTED, least=1).epoch == EPOCH
    content[at + 4] = 1
    (tmp_path / name).write_bytes(content)

    assert read(tmp_path / name, WANTED, least=1).epoch == EPOCH_1904


def test_the_sheet_with_the_headings_is_read_wherever_it_stands(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("封面").write(0, 0, "某局")
        hidden = book.add_worksheet("旧表")
        hidden.write_row(0, 0, WANTED)
        hidden.hide()
        book.add_worksheet("半张").write_row(0, 0, WANTED[:2])
        page = book.add_worksheet("名册")
        page.write_row(3, 0, WANTED)
        page.write_row(4, 0, ["甲", "F1", "一所"])

    assert read(path, WANTED).sheet == "名册"
    assert rows_of(path) == (WANTED, [(5, ["甲", "F1", "一所"])])


def numbers(path, wanted=WANTED, **kwargs):
    return [row.number for row in read(path, wanted, **kwargs).rows]


@pytest.mark.parametrize("wanted", [WANTED, ["工号"]])
def test_headings_repeated_for_print_lose_no_row(tmp_path, wanted):
    path = workbook(
        tmp_path / "a.xlsx", ["某局花名册"], WANTED, ["甲", "F1", "一所"], ["乙", "F2", "一所"],
        WANTED, ["丙", "F3", "二所"], ["", "工号", "单位"], ["丁", "F4", "二所"],
    )  # fmt: skip

    assert numbers(path, wanted, least=1) == [3, 4, 6, 8]


def test_headings_over_two_rows_may_be_repeated_too(tmp_path):
    heads = [["姓名", "编号", "编号", "单位"], ["姓名", "身份证", "辅警", "单位"]]
    path = workbook(
        tmp_path / "a.xlsx", *heads, ["甲", "1", "2", "一所"], *heads, ["乙", "3", "4", "一所"]
    )

    headings, rows = rows_of(path, ["姓名", "编号/身份证", "编号/辅警", "单位"])

    assert headings == ["姓名", "编号/身份证", "编号/辅警", "单位"]
    assert [number for number, _ in rows] == [3, 6]


@pytest.mark.parametrize(
    ("first", "second"), [(WANTED, ["工号", "姓名", "单位"]), (WANTED[:2], WANTED)]
)
def test_other_headings_further_down_are_refused_naming_both_rows(tmp_path, first, second):
    path = workbook(tmp_path / "a.xlsx", first, ["甲", "F1"], second, ["F2", "乙", "一所"])

    with pytest.raises(BadInput, match="名册: rows 1 and 3 both look like headings"):
        numbers(path)


def test_headings_are_found_below_many_notes_or_it_is_said_how_far_was_read(tmp_path):
    notes = [[f"填表说明第{n}条"] for n in range(60)]
    path = workbook(tmp_path / "a.xlsx", *notes[:59], WANTED, ["甲", "F1", "一所"])
    assert numbers(path) == [61]

    with pytest.raises(BadInput, match=r"rows 1 to 60 were read") as caught:
        read(workbook(tmp_path / "b.xlsx", *notes, WANTED), WANTED)
    assert "前 60 行" in caught.value.detail_zh


@pytest.mark.parametrize(
    "row",
    [
        ["示例派出所", "F1", "甲"], ["合计组", "F1", "甲"], ["负责人", "F1", "甲"],
        ["负责人助理", "F1", ""], ["说明:借调", "F1", "甲"], ["合计", "F1", "甲"],
        ["负责人", "甲", ""], ["示例", "F1", "甲"], ["注册科", "", ""], ["审核科:一组", "F1", ""],
        ["F9", "", ""], ["制表:某", "F1", "审批:某"], ["合计", "320500196808130676", ""],
    ],
)  # fmt: skip
def test_a_row_that_may_be_data_is_data(tmp_path, row):
    path = workbook(tmp_path / "a.xlsx", ["单位", "工号", "姓名"], row)

    assert numbers(path) == [2]


@pytest.mark.parametrize(
    "row",
    [
        ["合计", 3], ["合 计", "3", ""], ["", "合计", "3人"], ["小计:12人"], ["总人数:3"],
        ["备注:本表一式两份"], ["制表:某某", "", "审批:某"], ["制表人:", "某某", "2024年3月31日"],
        ["分管领导(签字):"], ["以下空白"], ["第1页 共1页"], ["注1:说明"],
        ["单位(盖章):某所"], ["日期:2024年3月31日"], ["填报日期:2024-3-31"], ["审核:某"],
        ["填表人:某某", "审核人:某某", "电话:1"], ["填表人"],
    ],
)  # fmt: skip
def test_a_certain_footer_is_passed_over(tmp_path, row):
    path = workbook(tmp_path / "a.xlsx", WANTED, ["甲", "F1", "一所"], row)

    assert numbers(path) == [2]


@pytest.mark.parametrize(
    ("text", "last", "passed"),
    [
        ("城西派出所(共2人)", 5, [2]), ("城西派出所", 5, [2]), ("城西派出所", 4, []), ("无", 5, []),
        ("20180301", 5, []),
    ],
)  # fmt: skip
def test_a_text_merged_across_all_columns_is_the_heading_of_a_group(tmp_path, text, last, passed):
    wanted = ["工号", "姓名", "性别", "单位", "层级", "备注"]
    path = workbook(
        tmp_path / "a.xlsx", wanted, [], ["F1", "甲", "男", "一所", "二级辅员", ""],
        merged=[(1, 0, 1, last, text)],
    )  # fmt: skip

    table = read(path, wanted)

    assert [row.number for row in table.rows] == [*({2, 3} - {*passed})]
    assert [*table.passed] == passed


def book_of(path, **sheets):
    with xlsxwriter.Workbook(path) as book:
        for name, rows in sheets.items():
            page = book.add_worksheet(name)
            for number, row in enumerate(rows):
                page.write_row(number, 0, row)
    return path


def test_several_sheets_that_fit_are_refused_until_one_is_named(tmp_path):
    path = book_of(
        tmp_path / "a.xlsx", 城西所=[WANTED, ["甲", "F1", "一所"]],
        城东所=[["花名册"], WANTED, ["乙", "F2", "二所"]], 空表=[], 底表=[WANTED, ["合计", 1]],
    )  # fmt: skip

    with pytest.raises(BadInput, match=r"several sheets \(城西所、城东所\); name one with --sheet"):
        read(path, WANTED)

    one = read(path, WANTED, "城东所")
    assert [row.number for row in one.rows] == [3]
    assert one.unread == ["城西所", "底表"]


def test_sheets_that_are_not_read_and_rows_passed_over_are_told(tmp_path):
    path = book_of(
        tmp_path / "a.xlsx", 封面=[["某局"]], 空=[], 名册=[WANTED, ["甲", "F1", "一所"], WANTED, ["合计", 1]],
        底表=[WANTED],
    )  # fmt: skip

    table = read(path, WANTED)

    assert [row.number for row in table.rows] == [2]
    assert [zh for zh, _ in table.left_out()] == [
        "a.xlsx:未读取的工作表:封面、底表(要读其中一张,加 --sheet 名称)",
        "a.xlsx:略过 2 行(重复的表头、分组标题、示例、合计、签章):第 3、4 行",
    ]


def text(path, *lines):
    path.write_text("\n".join(["姓名,工号,单位", *lines, ""]))
    return path


@pytest.mark.parametrize(
    "lines",
    [
        ["甲,F1,一所", '乙,F2,"二所', "丙,F3,二所", "丁,F4,二所"],
        ["甲,F1,一所", '乙,F2,"二所', "丙,F3,二所", '丁,F4,二所"'],
        ["甲,F1,一所", '乙,F2,"二所', '丙,F3,"'],
        ["甲,F1,一所", '乙,"F2,二所', '丙,"F3,二所'],
        ["甲,F1,一所", '乙,F2,"二所', *(f"丙,F{n},二所" for n in range(20_000))],
    ],
)
def test_a_quotation_mark_that_is_not_closed_is_refused_naming_its_line(tmp_path, lines):
    with pytest.raises(BadInput, match=r"a.csv: .*line 3") as caught:
        numbers(text(tmp_path / "a.csv", *lines))
    assert "第 3 行" in caught.value.detail_zh
    assert "二所" not in caught.value.detail_zh


def test_a_cell_of_several_lines_is_read_as_one(tmp_path):
    path = text(tmp_path / "a.csv", '甲,F1,"一所\n二楼,左\n"', '乙,F2,"所谓""一所"""')

    assert rows_of(path)[1] == [
        (2, ["甲", "F1", "一所\n二楼,左\n"]), (3, ["乙", "F2", '所谓"一所"']),
    ]  # fmt: skip


def test_a_cell_in_error_keeps_what_it_shows(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("封面 & 目录").write(0, 0, "某局")
        page = book.add_worksheet("名册<1>")
        page.write_row(1, 0, WANTED)
        page.write_row(2, 0, ["甲", "F1", "一所"])
        page.write_formula(2, 27, "=1/0", None, "#DIV/0!")
        page.write_string(3, 0, "乙")
        page.write_formula(3, 1, "=VLOOKUP(A4,B:B,1)", None, "#N/A")
        page.write_formula(3, 2, '=A4&"所"', None, "乙所")

    _, rows = rows_of(path)

    assert rows[0][1][27] == "#DIV/0!"
    assert rows[1] == (4, ["乙", "#N/A", "乙所", *[""] * 25])


def test_merged_cells_of_an_open_document_count_for_each_of_their_rows(tmp_path):
    merged = (
        '<table:table-cell table:number-rows-spanned="3" office:value-type="string">'
        "<text:p>一所</text:p></table:table-cell>"
    )
    covered = '<table:covered-table-cell table:number-columns-repeated="1"/>'
    blank = '<table:table-cell table:number-columns-repeated="2"/>'
    path = open_document(
        tmp_path / "a.ods",
        [
            ["某局"], [blank], WANTED, ["甲", "F1", merged], ["乙", "F2", covered],
            ["丙", "F3", covered], ["丁", "F4", "二所"],
        ],
    )  # fmt: skip

    assert [(n, cells[2]) for n, cells in rows_of(path)[1]] == [
        (4, "一所"), (5, "一所"), (6, "一所"), (7, "二所"),
    ]  # fmt: skip


def test_a_cell_in_error_of_an_older_workbook_keeps_what_it_shows(tmp_path):
    """The first cell of the first row of data, a text, is made an error."""
    content = bytearray((ROSTERS / "roster_county.xls").read_bytes())
    before = [*read(ROSTERS / "roster_county.xls", ["姓名", "工号", "用人单位"]).rows]
    row = before[0].number - 1
    at = content.find(bytes.fromhex("fd000a00") + row.to_bytes(2, "little") + bytes(2))
    content[at : at + 2] = bytes.fromhex("0502")
    content[at + 10 : at + 12] = bytes.fromhex("2a01")
    (tmp_path / "a.xls").write_bytes(content)

    after = [*read(tmp_path / "a.xls", ["姓名", "工号", "用人单位"]).rows]

    assert at > 0
    assert [*after[0].cells] == ["#N/A", *before[0].cells[1:]]
    assert after[1:] == before[1:]
