"""Workbooks that would take more memory than there is are refused before they take it."""

import zipfile

import pytest
import xlsxwriter

from api.intake import parts
from api.intake.reading import read
from domain.refusals import BadInput, TooLarge
from tests.intake.paths import ROSTERS
from tests.intake.test_reading import WANTED, open_document, rows_of

ROWS = [WANTED, ["甲", "F1", "一所"]]


def workbook(path, *far, rows=ROWS, blank=(), others=()):
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("名册")
        shaded = book.add_format({"bg_color": "yellow"})
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
        for cell in far:
            sheet.write(cell, "x")
        for cell in blank:
            sheet.write_blank(cell, None, shaded)
        for cell in others:
            book.add_worksheet("说明").write(cell, "x")
    return path


@pytest.mark.parametrize(
    ("far", "named"),
    [(["XFD1048576"], "XFD1048576"), (["A1048576", "XFD3"], "A1048576、XFD3"),
     (["ZZ100000"], "ZZ100000"), (["DZ200000"], "DZ200000")],
)  # fmt: skip
def test_a_stray_cell_far_out_is_named(tmp_path, far, named):
    with pytest.raises(BadInput) as caught:
        rows_of(workbook(tmp_path / "a.xlsx", *far))

    assert f"单元格 {named} 中有内容" in caught.value.detail_zh
    assert "名册" in caught.value.detail_zh


def test_a_shade_far_out_and_a_cell_not_so_far_are_no_matter(tmp_path):
    path = workbook(tmp_path / "a.xlsx", "DA9", blank=["XFD1048576"])

    assert [(n, cells[:3]) for n, cells in rows_of(path)[1]] == [(2, ROWS[1]), (9, [""] * 3)]


def test_a_stray_cell_of_another_sheet_is_named_with_it(tmp_path):
    with pytest.raises(BadInput) as caught:
        rows_of(workbook(tmp_path / "a.xlsx", others=["XFD1048576"]))

    assert "“说明”的单元格 XFD1048576" in caught.value.detail_zh


def test_cells_that_do_not_say_where_they_are_are_counted(tmp_path):
    path = workbook(tmp_path / "a.xlsx")
    _rewrite(path, "xl/worksheets/sheet1.xml", lambda said: said.replace(
        b"</sheetData>", b"<row/>" * 120_000 + b"<row>" + b"<c/>" * 120 + b"<c><v>1</v></c></row>"
        b"</sheetData>",
    ))  # fmt: skip

    with pytest.raises(BadInput) as caught:
        rows_of(path)

    assert "DQ120003" in caught.value.detail_zh


def _rewrite(path, part, change):
    with zipfile.ZipFile(path) as whole:
        said = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as whole:
        for name, content in said.items():
            whole.writestr(name, change(content) if name == part else content)


def repeated(kind, times, value="x"):
    inside = f' office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
    cell = f"<table:table-cell{inside if value else '/>'}"
    return cell.replace("-cell", f"-cell table:number-{kind}-repeated='{times}'", 1)


@pytest.mark.parametrize("value", ["x", ""])
def test_repeated_cells_of_an_open_document_are_counted(tmp_path, value):
    path = open_document(tmp_path / "a.ods", [*ROWS, [repeated("columns", 16_384, value)]])
    tall = '<table:table-row table:number-rows-repeated="1048000">'
    _rewrite(path, "content.xml", lambda said: tall.encode().join(
        said.rsplit(b"<table:table-row>", 1)
    ))  # fmt: skip

    if value:
        with pytest.raises(BadInput) as caught:
            rows_of(path)
        assert "XFD1048002" in caught.value.detail_zh
    else:
        assert [n for n, _ in rows_of(path)[1]] == [2]


def older(path, change):
    content = bytearray((ROSTERS / "roster_county.xls").read_bytes())
    change(content, content.find(bytes.fromhex("00020e00")) + 4)
    path.write_bytes(content)
    return path


def test_an_older_workbook_that_says_it_is_larger_than_any_is_refused(tmp_path):
    def change(content, at):
        content[at + 4 : at + 8] = b"\xff" * 4

    with pytest.raises(BadInput) as caught:
        rows_of(older(tmp_path / "a.xls", change))

    assert "工作簿无法读取" in caught.value.detail_zh


def test_a_stray_cell_of_an_older_workbook_is_named(tmp_path):
    def change(content, at):
        content[at + 4 : at + 8] = (65_536).to_bytes(4, "little")
        content[at + 10 : at + 12] = (256).to_bytes(2, "little")
        cell = content.find(bytes.fromhex("fd000a00"), at)
        content[cell + 4 : cell + 8] = b"\xff\xff\xff\x00"

    with pytest.raises(BadInput) as caught:
        rows_of(older(tmp_path / "a.xls", change), ["姓名", "工号"])

    assert "IV65536" in caught.value.detail_zh


def test_a_large_declared_extent_without_a_value_is_no_matter(tmp_path):
    def change(content, at):
        content[at + 4 : at + 8] = (65_536).to_bytes(4, "little")
        content[at + 10 : at + 12] = (256).to_bytes(2, "little")

    wanted = ["姓名", "工号", "用人单位"]
    assert rows_of(older(tmp_path / "a.xls", change), wanted) == rows_of(
        ROSTERS / "roster_county.xls", wanted
    )


@pytest.mark.parametrize("honest", [True, False])
def test_what_unpacks_to_more_than_may_be_held_is_refused(tmp_path, monkeypatch, honest):
    monkeypatch.setattr(parts, "MOST_BYTES", 1 << 20)
    path = workbook(tmp_path / "a.xlsx")
    _rewrite(path, "xl/sharedStrings.xml", lambda said: said + b" " * (2 << 20))
    content = path.read_bytes()
    if not honest:
        real = _size_of(path, "xl/sharedStrings.xml").to_bytes(4, "little")
        content = content.replace(real, (999).to_bytes(4, "little"))
        path.write_bytes(content)
        assert _size_of(path, "xl/sharedStrings.xml") == 999

    with pytest.raises(TooLarge) as caught:
        read(path, WANTED)

    assert "解压后超过" in caught.value.detail_zh


def _size_of(path, part):
    with zipfile.ZipFile(path) as whole:
        return whole.getinfo(part).file_size
