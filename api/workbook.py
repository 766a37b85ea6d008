"""Answers as a workbook, a table as CSV, rows as JSON lines.

Owns how one is written. Invariant: the file is there whole or not at all, nothing of it is left
beside it where the writing fails, and no cell is read as a formula.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from shutil import copyfileobj
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from xlsxwriter import Workbook

Cell = str | int | Decimal
"""Text, a number, or an amount."""


FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula; in a text file ' stands before it."""
_IN_MEMORY = 8 << 20
_TITLE = 31
"""As many characters has the name of a sheet at most."""


class Sheet(NamedTuple):
    """A table; `top` is a line above its headings."""

    title: str
    headings: Sequence[str]
    rows: Iterable[Sequence[Cell]]
    top: str = ""


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A path beside `out` to write to, which takes its place in the end. Raises OSError."""
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        yield unfinished
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def workbook(out: Path, **options: Any) -> Iterator[Workbook]:
    """A workbook whose texts are texts. Raises OSError where the place cannot be written to."""
    import xlsxwriter  # noqa: PLC0415 - loads when a workbook is wanted

    safe = {"strings_to_formulas": False, "strings_to_urls": False}
    # packed apart from `out`: the packing leaves a file that it cannot end to the interpreter
    with (
        whole(out) as unfinished,
        unfinished.open("wb") as file,
        SpooledTemporaryFile(_IN_MEMORY) as packed,
    ):
        try:
            with xlsxwriter.Workbook(packed, safe | options) as book:
                yield book
        except xlsxwriter.exceptions.FileCreateError as fault:
            raise OSError(str(fault)) from fault
        packed.seek(0)
        copyfileobj(packed, file)


def write(out: Path, sheets: Iterable[Sheet]) -> None:
    """Raises OSError where the place cannot be written to."""
    with workbook(out, constant_memory=True) as book:
        bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True})
        amount = book.add_format({"num_format": "#,##0.00"})
        for title, headings, rows, top in sheets:
            sheet = book.add_worksheet(title[:_TITLE])
            sheet.set_column(0, len(headings) - 1, 18, wrapped)
            if top:
                sheet.write_string(0, 0, top, bold)
            below = 1 if top else 0
            for m, words in enumerate(headings):
                sheet.write_string(below, m, words, bold)
            for n, row in enumerate(rows, below + 1):
                for m, cell in enumerate(row):
                    if isinstance(cell, Decimal):
                        sheet.write_number(n, m, cell, amount)
                    elif isinstance(cell, int):
                        sheet.write_number(n, m, cell)
                    else:
                        sheet.write_string(n, m, cell, wrapped)


def write_csv(out: Path, sheet: Sheet, encoding: str = "utf-8-sig") -> None:
    """One table; UTF-8 has a byte-order mark, which spreadsheets ask for. Raises OSError."""
    with whole(out) as unfinished, unfinished.open("w", encoding=encoding, newline="") as file:
        rows = csv.writer(file)
        if sheet.top:
            rows.writerow([inert(sheet.top)])
        rows.writerow(sheet.headings)
        rows.writerows([inert(cell) for cell in row] for row in sheet.rows)


def write_lines(out: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line. Raises OSError."""
    with whole(out) as unfinished, unfinished.open("wb") as file:
        file.writelines(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


def inert(cell: Cell) -> Cell:
    """A cell of a text file that no spreadsheet takes for a formula; `plain` undoes it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def plain(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell
