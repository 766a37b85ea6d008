"""Text files with values parted by commas, tabs or semicolons, as rows.

Owns the telling of a quotation mark that was never closed. Invariant: a line of the file is part of
one row, and a cell of several lines holds none that looks like a row; else the file is refused.
"""

import csv
import io
from collections.abc import Callable, Iterator

from api.intake.blocks import Row
from api.workbook import plain
from domain.refusals import BadInput

_COMMA, _TAB, _SEMICOLON = ",", "\t", ";"
_LOOKED_AT, _TOP = 100_000, 60
"""How many characters and lines tell by what values are parted."""


def rows_of(text: str, refused: Callable[[str, str], BadInput]) -> Iterator[Row]:
    """Raises what `refused` makes of a sentence, naming the line."""
    parted_by = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=parted_by)
    number, line, width = 0, 1, 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as fault:
            raise refused(
                f"from line {line} on the quotation marks do not pair (a cell is not closed, "
                "or is longer than 131,072 characters)",
                f"自第 {line} 行起引号不成对(单元格未以引号结束,或超过 131072 个字符)",
            ) from fault
        if cells is None:
            return
        if reader.line_num > line and any(_holds_rows(cell, width, parted_by) for cell in cells):
            raise refused(
                f"a cell that begins in line {line} holds whole rows: a quotation mark is not "
                "closed",
                f"第 {line} 行起的一个单元格包含整行内容:有引号未结束",
            )
        number, line, width = number + 1, reader.line_num + 1, max(width, len(cells))
        yield Row(number, [*map(plain, cells)])


def _separator(text: str) -> str:
    """A tab, where a line at the top has more of them than any has commas: in headings stands
    neither. A semicolon, where more lines have it than either: it stands in cells too (a;b).
    """
    top = text[:_LOOKED_AT].splitlines()[:_TOP]
    most = {one: max((line.count(one) for line in top), default=0) for one in (_COMMA, _TAB)}
    lines = {one: sum(one in line for line in top) for one in (_COMMA, _TAB, _SEMICOLON)}
    if lines[_SEMICOLON] > max(lines[_COMMA], lines[_TAB]):
        return _SEMICOLON
    return _TAB if most[_TAB] > most[_COMMA] else _COMMA


def _holds_rows(cell: str, width: int, parted_by: str) -> bool:
    """Whether one of the further lines of a cell has as many values as a row."""
    return width > 1 and any(line.count(parted_by) >= width - 1 for line in cell.splitlines()[1:])
