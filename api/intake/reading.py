"""Workbooks and text files as rows under headings.

Owns finding the heading row among titles and merged cells. Invariant: every row of data is given
with the number that the clerk's own program shows, its cells as they were.
"""

import codecs
import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from functools import partial
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

from api.intake.blocks import Blocks, Row
from api.intake.body import Body, two_headings
from api.intake.columns import Fill
from api.intake.extent import Reach
from api.intake.parts import MOST_BYTES, Parts
from api.intake.texts import rows_of
from api.intake.values import EPOCH, EPOCH_1904, Cell, folded, heading_of
from domain.refusals import BadInput, TooLarge

__all__ = ["GIVEN_BACK", "MOST_BYTES", "REMARKS", "TEXTS", "WORKBOOKS", "Row", "Table", "read"]

WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".et", ".ods")
TEXTS = (".csv", ".csv.gz", ".tsv")
"""What is looked for in a folder; a text (.txt) is read where it is named itself."""
_TXT = ".txt"
_TITLE_ROWS = 60
"""How far down the headings are looked for."""
_NUMBERED = 20
_NUL, _NUL_CHARACTER, _LOOKED_AT = b"\0", "\0", 4_096
_NOTHING: Mapping[str, str] = {}
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_BEGINNINGS = (bytes.fromhex("0908100000060500"), bytes.fromhex("0908080000050500"))  # BIFF 8, 5
_FILEPASS, _DATEMODE = bytes.fromhex("2f00"), bytes.fromhex("2200")
_FIRST_RECORDS = 60
_MANIFEST, _WORKBOOK = "META-INF/manifest.xml", "xl/workbook.xml"
_FROM_1904 = re.compile(rb"\bdate1904=[\"'](1|true|on)[\"']")


GIVEN_BACK = ("原行号", "规则", "原因", "如何改正", "Reason", "How to mend")
"""The headings of what stands beside a rejected row; they are read by nobody but the clerk."""
REMARKS = frozenset(map(heading_of, GIVEN_BACK))


class Table(NamedTuple):
    """`headings` by column (blank where there is none), `title` what stands above them; serial
    numbers of days count from `epoch`. `padded`: a number shorter than this may be shown with what
    is not in its cell, as 1 is shown by the format 000000. `unread`: the other visible sheets with
    anything in them. `passed`: the rows that are no data, complete when `rows` are read; `blocks`:
    what is given once for several rows, and how often.
    """

    file: str
    sha256: str
    sheet: str
    title: str
    headings: list[str]
    rows: Iterator[Row]
    blocks: Blocks
    epoch: date = EPOCH
    padded: int = 0
    unread: Sequence[str] = ()
    passed: Sequence[int] = ()

    @property
    def given_back(self) -> bool:
        """Whether these are rejected rows, given back to be mended: no whole roster."""
        return _are_given_back(self.headings)

    def left_out(self) -> Iterator[tuple[str, str]]:
        """What of the file was not read, in Chinese and English; after `rows` are read."""
        if self.unread:
            names = "、".join(self.unread)
            zh = f"{self.file}:未读取的工作表:{names}(要读其中一张,加 --sheet 名称)"
            yield zh, f"{self.file}: sheets not read: {names} (to read one: --sheet NAME)"
        if count := len(self.passed):
            numbers = "、".join(map(str, self.passed[:_NUMBERED]))
            more = "…" if count > _NUMBERED else ""
            zh = f"略过 {count} 行(重复的表头、分组标题、示例、合计、签章):第 {numbers}{more} 行"
            en = f"{count} rows passed over (repeated headings, groups, example, sums, signatures)"
            yield f"{self.file}:{zh}", f"{self.file}: {en}: {numbers}{more}"
        for at, count in sorted(self.blocks.filled.items()):
            heading, grouped = self.headings[at], self.blocks.fills[at] == "group"
            numbers = "、".join(str(row) for row, _ in self.blocks.heads[:_NUMBERED])
            more = "…" if len(self.blocks.heads) > _NUMBERED else ""
            zh = f"取自分组行(第 {numbers}{more} 行)" if grouped else "取自上方单元格"
            en = f"the rows over their groups ({numbers}{more})" if grouped else "the cells above"
            yield (f"{self.file}:“{heading}”有 {count} 行{zh}",
                   f"{self.file}: {heading}: {count} rows have it from {en}")  # fmt: skip


class _Sought(NamedTuple):
    """What is looked for: see `read`."""

    headings: Collection[str]
    least: int
    example: Mapping[str, str]
    fills: Sequence[tuple[Sequence[str], Fill]]


def _are_given_back(headings: Collection[str]) -> bool:
    return {*headings} >= REMARKS


def read(
    path: Path, wanted: Collection[str], tab: str | None = None, *, least: int = 2,
    example: Mapping[str, str] = _NOTHING, fills: Sequence[tuple[Sequence[str], Fill]] = (),
    aside: Collection[str] = (),
) -> Table:  # fmt: skip
    """The table in this file whose headings are among `wanted`; its footer is left out.

    `tab` names a sheet; without it the visible sheet with the most wanted headings is read, and
    several that have as many are refused.
    `least`: how many of the wanted headings make a heading row. `example`: heading → text of a row
    that is passed over. `fills`: columns, by any of their headings, whose empty cells are filled;
    rejected rows that are given back have been filled already. `aside`: sheets that are not told
    as unread.
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
    if name.endswith((*TEXTS, _TXT)):
        sheets: Iterable[_Sheet] = [_Sheet("", True, _text_rows(path, content))]
    elif name.endswith(WORKBOOKS):
        sheets = _sheets(path, content, tab)
    else:
        raise _refused(path, "not a workbook or a CSV file", "不是工作簿或 CSV、文本文件")
    least = min(least, len(wanted))
    best, unread = _likeliest(path, sheets, _Sought(wanted, least, example, fills))
    unread = [name for name in unread if name not in aside]
    if best is None or best.hits < least:
        raise _refused(
            path, f"no row holds the headings of the mapping (rows 1 to {_TITLE_ROWS} were read)",
            f"前 {_TITLE_ROWS} 行中找不到对应表所列的表头行",
        )  # fmt: skip
    epoch = EPOCH_1904 if _counts_from_1904(content) else EPOCH
    padded = Parts(content).padding()
    return Table(path.name, digest, best.sheet, best.title, best.headings, best.rows, best.blocks,
                 epoch, padded, unread, best.passed)  # fmt: skip


def _likeliest(
    path: Path, sheets: "Iterable[_Sheet]", sought: _Sought
) -> "tuple[_Headed | None, list[str]]":
    """The sheet that is read, and the visible ones with anything in them that are not.

    Raises BadInput where several are equally likely: which one is meant only the clerk can say.
    """
    best: _Headed | None = None
    alike: list[str] = []
    others: list[str] = []
    for name, wished, rows in sheets:
        if not wished:
            if any(any(map(folded, row.cells)) for row in rows):
                others.append(name)
            continue
        headed = _Headed.find(path.name, name, rows, sought)
        if headed.empty:
            continue
        others.append(name)
        if best is not None and headed.hits == best.hits >= sought.least and headed.has_rows:
            if best.has_rows:
                if not (_are_given_back(best.headings) and _are_given_back(headed.headings)):
                    alike.append(name)  # of sheets of rejected rows and of remarks the first counts
                continue
            best = None
        if best is None or headed.hits > best.hits:
            best, alike = headed, [name]
    if len(alike) > 1:
        names = "、".join(alike)
        raise _refused(
            path, f"the headings are on several sheets ({names}); name one with --sheet",
            f"多张工作表都有所需表头({names}),请以 --sheet 指明一张",
        )  # fmt: skip
    return best, [name for name in others if best is None or name != best.sheet]


class _Sheet(NamedTuple):
    """`wished`: it may be the one that is read."""

    name: str
    wished: bool
    rows: Iterator[Row]


class _Headed(NamedTuple):
    """A sheet and its likeliest heading row; `passed`: the rows below that are no data, as they are
    met.
    """

    hits: int
    sheet: str
    title: str
    headings: list[str]
    rows: Iterator[Row]
    blocks: Blocks
    passed: list[int]
    empty: bool
    has_rows: bool

    @classmethod
    def find(cls, file: str, sheet: str, rows: Iterator[Row], sought: _Sought) -> "_Headed":
        """Raises BadInput where an earlier row has headings too and rows of its own."""
        where = f"{file} {sheet}".rstrip()
        wanted, least = sought.headings, sought.least
        top = [*islice(rows, _TITLE_ROWS)]
        hits, at = 0, 0
        headings: list[str] = []
        found: list[int] = []
        for index, row in enumerate(top):
            above = top[index - 1].cells if index else ()
            named = [_heading(cell, above, column, wanted) for column, cell in enumerate(row.cells)]
            found.append(sum(heading in wanted for heading in named))
            lower = index == at + 1 and [*row.cells] != [*top[at].cells]
            if found[-1] > hits or (hits and found[-1] == hits and lower):
                hits, at, headings = found[-1], index, named  # of two rows of headings the lower
        if not hits:
            empty = not any(any(map(folded, row.cells)) for row in chain(top, rows))
            return cls(0, sheet, "", [], iter(()), _blocks([], (), ()), [], empty, has_rows=False)
        for index in range(at):
            told = found[index] >= least and any(
                not found[n] and len({*map(folded, top[n].cells)} - {""}) >= least
                for n in range(index + 1, at)
            )
            if told:
                raise two_headings(where, top[index].number, top[at].number)
        titles = dict.fromkeys(folded(c) for row in top[:at] for c in row.cells if c)
        headings = _told_apart(headings, top[at - 1].cells if at else (), wanted)
        heads = [top[n] for n in (at - 1, at) if n == at or (n >= 0 and found[n])]
        blocks = _blocks(headings, () if _are_given_back(headings) else sought.fills, titles)
        body = Body(where, heads, headings, wanted, sought.example, blocks)
        below = body.rows(chain(top[at + 1 :], rows))
        first = [*islice(below, 1)]
        headings = [*headings, *blocks.added]
        return cls(hits, sheet, " ".join(titles), headings, chain(first, below), blocks,
                   body.passed, empty=False, has_rows=bool(first))  # fmt: skip


def _blocks(
    headings: Sequence[str], fills: Iterable[tuple[Sequence[str], Fill]], titles: Collection[str]
) -> Blocks:
    """Of the columns that are filled the place of each; what a heading of rows gives need not be
    there.
    """
    places: dict[int, Fill] = {}
    added: list[str] = []
    for named, fill in fills:
        at = next((n for n, heading in enumerate(headings) if heading in named), None)
        if at is None and fill == "group":
            at = len(headings) + len(added)
            added.append(named[0])
        if at is not None:
            places[at] = fill
    return Blocks(places, len(headings), added, titles)


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


def _text_rows(path: Path, content: bytes) -> Iterator[Row]:
    if path.name.lower().endswith(".gz"):
        try:
            with gzip.open(io.BytesIO(content)) as packed:
                content = packed.read(MOST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as fault:
            raise _refused(path, "the compressed file is damaged", "压缩文件已损坏") from fault
        if len(content) > MOST_BYTES:
            raise _unpacks_to_too_much(path)
    return rows_of(_decoded(path, content), partial(_refused, path))


def _decoded(path: Path, content: bytes) -> str:
    """Text in UTF-8, GB18030, or UTF-16 where its first two bytes say so. Raises BadInput."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig"] if _NUL in content[:_LOOKED_AT] else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        with suppress(UnicodeDecodeError):
            if _NUL_CHARACTER not in (text := content.decode(encoding))[:_LOOKED_AT]:
                return text
    raise _refused(
        path, "neither UTF-8, nor GB18030, nor UTF-16 with its mark; save it as UTF-8 or as .xlsx",
        "编码既非 UTF-8、GB18030,也非带标记的 UTF-16,请另存为 UTF-8 文本或 .xlsx",
    )  # fmt: skip


def _sheets(path: Path, content: bytes, tab: str | None) -> Iterator[_Sheet]:
    """One sheet after the other, so that only the likeliest stays in memory."""
    parts = Parts(content)
    if parts.swollen() is not None:
        raise _unpacks_to_too_much(path)
    if _is_protected(content):
        raise _protected(path)
    for one in parts.reaches():
        if one is None:
            raise _refused(path, "the workbook cannot be read", "工作簿无法读取")
        _check_reach(path, one)
    try:
        book = load_workbook(io.BytesIO(content))
    except PasswordError as fault:
        raise _protected(path) from fault
    except (CalamineError, OSError, ValueError) as fault:
        raise _refused(path, "the workbook cannot be read", "工作簿无法读取") from fault
    tabs = [sheet for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    if tab and tab not in {sheet.name for sheet in tabs}:
        raise _refused(path, f"there is no sheet {tab}", f"没有工作表“{tab}”")
    for name, visible in ((one.name, one.visible == SheetVisibleEnum.Visible) for one in tabs):
        if visible or name == tab:
            yield _Sheet(name, tab in (None, name), _sheet_rows(path, book, parts, name))


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


def _check_reach(path: Path, reach: Reach) -> None:
    """Raises BadInput for a cell so far out that all between could not be held."""
    if reach.too_far:
        raise _refused(
            path,
            f"sheet {reach.sheet} has something in {reach.cells}, far from the table; clear it"
            f" (up to there are {reach.rows:,} rows by {reach.columns:,} columns)",
            f"工作表“{reach.sheet}”的单元格 {reach.cells} 中有内容,远在表格之外"
            f"(到此共 {reach.rows:,} 行 {reach.columns:,} 列),请清除后再导入",
        )


def _sheet_rows(path: Path, book: CalamineWorkbook, parts: Parts, name: str) -> Iterator[Row]:
    reach, errors = parts.look(name)
    _check_reach(path, reach._replace(sheet=name))
    sheet: CalamineSheet = book.get_sheet_by_name(name)
    cells = sheet.to_python(skip_empty_area=False)
    for row, column, shown in errors:
        if row < len(cells) and column < len(cells[row]) and cells[row][column] == "":
            cells[row][column] = shown
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or parts.merged(name):
        for over in cells[top : bottom + 1]:
            over[left : right + 1] = [cells[top][left]] * len(over[left : right + 1])
    cells.reverse()
    return (Row(number, cells.pop()) for number in range(1, len(cells) + 1))


def _unpacks_to_too_much(path: Path) -> TooLarge:
    most = MOST_BYTES >> 20
    return TooLarge(f"{path.name} unpacks to more than {most} MiB", field="file",
                    zh=f"{path.name}:解压后超过 {most} MiB")  # fmt: skip


def _protected(path: Path) -> BadInput:
    return _refused(
        path, "the workbook is protected by a password; save it without one and try again",
        "工作簿设有打开密码,请另存为无密码的文件后再导入",
    )  # fmt: skip


def _refused(path: Path, en: str, zh: str) -> BadInput:
    return BadInput(f"{path.name}: {en}", zh=f"{path.name}:{zh}", field="file")
