"""How far the cells of a sheet reach, told before they are read.

Owns that look. Invariant: only cells with something in them count, for these alone take memory; a
cheap look comes first, and only what it suspects is gone through cell by cell.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from html import unescape
from typing import NamedTuple

MOST_CELLS = 10_000_000
"""From the first cell to the last row and column: some 400 MB while they are read."""
_WIDE, _LONG = 104, 100_000
"""Sheets within column CZ and row 99,999 are within the limit."""

_FAR = re.compile(rb' r="(?:[D-Z][A-Z]\d|[A-Z]{3}\d|[A-Z]{0,3}\d{6})')
_CELL = re.compile(
    rb"<(?:\w+:)?(?:row(?=[\s/>])([^>]*)>|c(?=[\s/>])([^>]*?)(?:/>|>(.*?)</(?:\w+:)?c>))", re.DOTALL
)
_AT = re.compile(rb"\sr=[\"']([A-Z]{0,3})(\d{0,7})[\"']")
_VALUED = re.compile(rb"<(?:\w+:)?(?:v|is)[\s>]")
_OF_TABLE = re.compile(
    rb"<(/?)table:(table|table-row|table-cell|covered-table-cell)(?=[\s/>])([^>]*)>"
)
_REPEATED = re.compile(rb"table:number-(?:rows|columns)-repeated=[\"'](\d{1,9})[\"']")
_NAME = re.compile(rb"table:name=(?:\"([^\"]*)\"|'([^']*)')")
_DIMENSIONS, _OF_DIMENSIONS = 0x0200, 12
_VALUES = {0x0006, 0x00FD, 0x0203, 0x0204, 0x0205, 0x027E, 0x00D6}
_ROWS, _COLUMNS = 65_536, 256  # of an .xls
_SEVERAL = 0x00BD  # a row's numbers, one beside the other


class Reach(NamedTuple):
    """The last row and the last column with something in them, from 1; `row_at`, `column_at`: the
    cells that are there; `sheet`: its name.
    """

    rows: int = 0
    columns: int = 0
    row_at: str = ""
    column_at: str = ""
    sheet: str = ""

    def with_cell(self, row: int, column: int) -> "Reach":
        rows, columns, row_at, column_at, sheet = self
        if row > rows:
            rows, row_at = row, name_of(row, column)
        if column > columns:
            columns, column_at = column, name_of(row, column)
        return Reach(rows, columns, row_at, column_at, sheet)

    @property
    def too_far(self) -> bool:
        return self.rows * self.columns > MOST_CELLS

    @property
    def cells(self) -> str:
        """The stray cells, as a spreadsheet names them."""
        far = [self.row_at] if self.rows >= _LONG else []
        far += [self.column_at] if self.columns > _WIDE else []
        return "、".join(dict.fromkeys(far or [self.row_at, self.column_at]))


def name_of(row: int, column: int) -> str:
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return f"{name}{row}"


def in_xlsx(part: bytes) -> Reach:
    """Of a sheet's part; nothing where it is certainly within the limit."""
    unplaced = part.count(b' r="') <= part.count(b"<c ") + part.count(b"<c>") + part.count(b"<c/")
    if not unplaced and _FAR.search(part) is None:
        return Reach()
    reach, row, column = Reach(), 0, 0
    for match in _CELL.finditer(part):
        of_row, of_cell, inside = match.groups()
        at = _AT.search(of_cell if of_row is None else of_row)
        if of_row is not None:
            row, column = int(at[2]) if at and at[2] else row + 1, 0
            continue
        column = _column(at[1]) if at and at[1] else column + 1
        row = int(at[2]) if at and at[2] else row
        if (row > reach.rows or column > reach.columns) and inside and _VALUED.search(inside):
            reach = reach.with_cell(row, column)
    return reach


def _column(letters: bytes) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + letter - ord("A") + 1
    return column


def in_ods(content: bytes) -> Iterator[Reach]:
    """Of each table of its content."""
    reach, row, rows, column, last = Reach(), 0, 1, 0, 0
    for closing, tag, attributes in _OF_TABLE.findall(content):
        if tag == b"table":
            if closing:
                yield reach
            else:
                reach, row = Reach(sheet=_named(attributes)), 0
        elif tag == b"table-row":
            if not closing:
                column, last = 0, 0
                rows = _repeated(attributes)
            if closing or attributes.endswith(b"/"):
                row += rows
                if last:
                    reach = reach.with_cell(row, last)
        elif not closing:
            column += _repeated(attributes)
            if b"value-type=" in attributes:
                last = column


def _named(attributes: bytes) -> str:
    found = _NAME.search(attributes)
    return unescape((found[1] or found[2]).decode("utf-8", "replace")) if found else ""


def _repeated(attributes: bytes) -> int:
    found = _REPEATED.search(attributes) if b"repeated" in attributes else None
    return max(int(found[1]), 1) if found else 1


def in_xls(sheet: str, records: Callable[[], Iterable[tuple[int, bytes]]]) -> Reach | None:
    """Of a sheet's records [MS-XLS]. Its DIMENSIONS (2.4.90) say first how far they go; None where
    they say what no such sheet can be.
    """
    dimensions = (s for kind, s in records() if kind == _DIMENSIONS and len(s) >= _OF_DIMENSIONS)
    said = next(dimensions, bytes(_OF_DIMENSIONS))
    rows, columns = (int.from_bytes(said[n:m], "little") for n, m in ((4, 8), (10, 12)))
    if rows > _ROWS or columns > _COLUMNS:
        return None
    reach = Reach(sheet=sheet)
    if rows * columns <= MOST_CELLS:
        return reach
    for kind, said in records():
        row, column = (int.from_bytes(said[n : n + 2], "little") + 1 for n in (0, 2))
        if kind == _SEVERAL:
            column = int.from_bytes(said[-2:], "little") + 1
        if kind == _SEVERAL or kind in _VALUES:
            reach = reach.with_cell(row, column)
    return reach
