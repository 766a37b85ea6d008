"""Workbooks and text files as rows under headings.

Owns finding the heading row among titles, merged cells and footers. Invariant: every row below the
headings is given with the number that the clerk's own program shows, its cells as they were.
"""

import codecs
import csv
import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
    load_workbook,
)

from api.intake.values import EPOCH, EPOCH_1904, Cell, folded, heading_of
from domain.refusals import BadInput, TooLarge

MOST_BYTES = 512 << 20
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".et", ".ods")
TEXTS = (".csv", ".csv.gz")
_TITLE_ROWS = 20
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_BEGINNINGS = (bytes.fromhex("0908100000060500"), bytes.fromhex("0908080000050500"))  # BIFF 8, 5
_FILEPASS, _DATEMODE = bytes.fromhex("2f00"), bytes.fromhex("2200")
_FIRST_RECORDS = 60
_MANIFEST, _WORKBOOK = "META-INF/manifest.xml", "xl/workbook.xml"
_STYLES = "xl/styles.xml"
_ZEROS = re.compile(rb'formatCode="(&quot;[^"&]+&quot;)?(0{2,})"')
_WIDEST = 16  # digits: no number has as many
_FROM_1904 = re.compile(rb"\bdate1904=[\"'](1|true|on)[\"']")
_FOOTERS = (
    "合计", "总计", "小计", "共计", "填表人", "制表人", "审核人", "负责人", "填报", "注:", "说明:",
    "示例",
)  # fmt: skip


class Row(NamedTuple):
    """`number` counts from 1 as spreadsheets do; a text file's headings are row 1."""

    number: int
    cells: Sequence[Cell]


GIVEN_BACK = ("原行号", "规则", "原因", "如何改正", "Reason", "How to mend")
"""The headings of what stands beside a rejected row; they are read by nobody but the clerk."""
REMARKS = frozenset(map(heading_of, GIVEN_BACK))


class Table(NamedTuple):
    """`headings` by column (blank where there is none), `title` what stands above them; serial
    numbers of days count from `epoch`. `padded`: a number shorter than this may be shown with what
    is not in its cell, as 1 is shown by the format 000000.
    """

    file: str
    sha256: str
    sheet: str
    title: str
    headings: list[str]
    rows: Iterator[Row]
    epoch: date = EPOCH
    padded: int = 0

    @property
    def given_back(self) -> bool:
        """Whether these are rejected rows, given back to be mended: no whole roster."""
        return {*self.headings} >= REMARKS


def read(path: Path, wanted: Collection[str], tab: str | None = None, *, least: int = 2) -> Table:
    """The table in this file whose headings are among `wanted`; its footer is left out.

    `tab` names a sheet; without it the visible sheet with the most wanted headings is read.
    `least`: how many of the wanted headings make a heading row.
    Raises BadInput, TooLarge: unknown kind of file, protected, damaged, no heading row, no such
    sheet. Every refusal has `field` "file" and names the file.
    """
    if not path.is_file():
        raise _refused(path, "there is no such file", "文件不存在")
    if path.stat().st_size > MOST_BYTES:
        raise TooLarge(f"{path.name} is larger than {MOST_BYTES >> 20} MiB", field="file")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    name = path.name.lower()
    if name.endswith(TEXTS):
        sheets: Iterable[tuple[str, Iterator[Row]]] = [("", _text_rows(path, content))]
    elif name.endswith(WORKBOOKS):
        sheets = _sheets(path, content, tab)
    else:
        raise _refused(path, "not a workbook or a CSV file", "不是工作簿或 CSV 文件")
    best = max((_Headed.find(sheet, rows, wanted) for sheet, rows in sheets), default=None,
               key=lambda headed: headed.hits)  # fmt: skip
    if best is None or best.hits < min(least, len(wanted)):
        raise _refused(path, "no row holds the headings of the mapping", "找不到对应表所列的表头行")
    epoch = EPOCH_1904 if _counts_from_1904(content) else EPOCH
    padded = _padding(content)
    return Table(path.name, digest, best.sheet, best.title, best.headings, best.rows, epoch, padded)


class _Headed(NamedTuple):
    """A sheet and its likeliest heading row."""

    hits: int
    sheet: str
    title: str
    headings: list[str]
    rows: Iterator[Row]

    @classmethod
    def find(cls, sheet: str, rows: Iterator[Row], wanted: Collection[str]) -> "_Headed":
        top: list[Row] = []
        for row in rows:
            top.append(row)
            if len(top) == _TITLE_ROWS:
                break
        hits, at = 0, 0
        headings: list[str] = []
        for index, row in enumerate(top):
            above = top[index - 1].cells if index else ()
            named = [_heading(cell, above, column, wanted) for column, cell in enumerate(row.cells)]
            found = sum(heading in wanted for heading in named)
            if found and found >= hits:  # of headings merged over two rows the lower row counts
                hits, at, headings = found, index, named
        if not hits:
            return cls(0, sheet, "", [], iter(()))
        title = " ".join(dict.fromkeys(folded(c) for row in top[:at] for c in row.cells if c))
        headings = _told_apart(headings, top[at - 1].cells if at else (), wanted)
        return cls(hits, sheet, title, headings, _body([*top[at + 1 :]], rows))


def _heading(cell: Cell, above: Sequence[Cell], column: int, wanted: Collection[str]) -> str:
    """A heading, with the group above it where only the two together are wanted."""
    alone = heading_of(cell)
    if column < len(above):
        grouped = f"{heading_of(above[column])}/{alone}"
        if grouped in wanted:
            return grouped
    return alone


def _told_apart(headings: list[str], above: Sequence[Cell], wanted: Collection[str]) -> list[str]:
    """Of headings alike and not wanted each has the group above it, where that tells them apart."""
    groups = [*map(heading_of, above), *[""] * (len(headings) - len(above))]
    named = [
        f"{group}/{heading}"
        if group and heading not in wanted and headings.count(heading) > 1 else heading
        for heading, group in zip(headings, groups, strict=False)
    ]  # fmt: skip
    return [
        name if named.count(name) == 1 else heading
        for heading, name in zip(headings, named, strict=True)
    ]


def _body(first: Iterable[Row], rest: Iterator[Row]) -> Iterator[Row]:
    """The rows of data: without blank ones, sums and signatures."""
    for row in chain(first, rest):
        text = next((text for cell in row.cells if (text := folded(cell))), "")
        if text and not text.startswith(_FOOTERS):
            yield row


def _text_rows(path: Path, content: bytes) -> Iterator[Row]:
    if path.name.lower().endswith(".gz"):
        try:
            with gzip.open(io.BytesIO(content)) as packed:
                content = packed.read(MOST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as fault:
            raise _refused(path, "the compressed file is damaged", "压缩文件已损坏") from fault
        if len(content) > MOST_BYTES:
            raise TooLarge(f"{path.name} unpacks to more than {MOST_BYTES >> 20} MiB", field="file")
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError:
        try:
            text = content.decode("gb18030")
        except UnicodeDecodeError as fault:
            raise _refused(path, "neither UTF-8 nor GB18030", "既非 UTF-8 也非 GB18030") from fault
    rows = csv.reader(io.StringIO(text, newline=""))
    return (Row(number, cells) for number, cells in enumerate(rows, 1))


def _sheets(path: Path, content: bytes, tab: str | None) -> Iterator[tuple[str, Iterator[Row]]]:
    """One sheet after the other, so that only the likeliest stays in memory."""
    if _is_protected(content):
        raise _protected(path)
    try:
        book = load_workbook(io.BytesIO(content))
    except PasswordError as fault:
        raise _protected(path) from fault
    except (CalamineError, OSError, ValueError) as fault:
        raise _refused(path, "the workbook cannot be read", "工作簿无法读取") from fault
    names = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.typ == SheetTypeEnum.WorkSheet
        and (sheet.name == tab if tab else sheet.visible == SheetVisibleEnum.Visible)
    ]
    if tab and not names:
        raise _refused(path, f"there is no sheet {tab}", f"没有工作表“{tab}”")
    for name in names:
        yield name, _sheet_rows(book, name)


def _is_protected(content: bytes) -> bool:
    """An encrypted package (.xlsx), a FILEPASS record (.xls, .et) or an encrypted part (.ods)."""
    if content.startswith(_OLE):
        return _ENCRYPTED in content or _has_filepass(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            return b"encryption-data" in parts.read(_MANIFEST)
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, zlib.error):
        return False


def _has_filepass(content: bytes) -> bool:
    """[MS-XLS] 2.4.117: the record stands among the first of the workbook."""
    return any(kind == _FILEPASS for kind, _ in islice(_records(content), _FIRST_RECORDS))


def _records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The records of an older workbook from its beginning, as (kind, content)."""
    starts = [at for bof in _BEGINNINGS if (at := content.find(bof)) >= 0]
    at = min(starts, default=len(content))
    while at + 4 <= len(content):
        end = at + 4 + int.from_bytes(content[at + 2 : at + 4], "little")
        yield content[at : at + 2], content[at + 4 : end]
        at = end


def _counts_from_1904(content: bytes) -> bool:
    """Of a workbook made on an old Mac (.xlsx; .xls and .et: [MS-XLS] 2.4.77)."""
    if content.startswith(_OLE):
        records = islice(_records(content), _FIRST_RECORDS)
        return any(kind == _DATEMODE and said[:1] == b"\1" for kind, said in records)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            return _FROM_1904.search(parts.read(_WORKBOOK)) is not None
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, zlib.error):
        return False


def _padding(content: bytes) -> int:
    """The widest number format of zeros in an .xlsx; one with letters before it is wider than all.
    Which cells have it the reader of the cells does not tell.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            formats = _ZEROS.findall(parts.read(_STYLES))
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, zlib.error):
        return 0
    return max((_WIDEST if letters else len(zeros) for letters, zeros in formats), default=0)


def _sheet_rows(book: CalamineWorkbook, name: str) -> Iterator[Row]:
    sheet: CalamineSheet = book.get_sheet_by_name(name)
    cells = sheet.to_python(skip_empty_area=False)
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or []:
        for row in cells[top : bottom + 1]:
            row[left : right + 1] = [cells[top][left]] * len(row[left : right + 1])
    cells.reverse()
    return (Row(number, cells.pop()) for number in range(1, len(cells) + 1))


def _protected(path: Path) -> BadInput:
    return _refused(
        path, "the workbook is protected by a password; save it without one and try again",
        "工作簿设有打开密码,请另存为无密码的文件后再导入",
    )  # fmt: skip


def _refused(path: Path, en: str, zh: str) -> BadInput:
    return BadInput(f"{path.name}: {en}", zh=f"{path.name}:{zh}", field="file")
