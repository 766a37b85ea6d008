"""Answers as a workbook, a table as CSV, rows as JSON lines.

Owns how one is written. Invariant: the file is there whole or not at all, and no cell is read as a
formula.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import orjson

Cell = str | int | Decimal
"""Text, a number, or an amount."""


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Sheet(NamedTuple):
    """A table; `top` is a line above its headings."""

    title: str
    headings: Sequence[str]
    rows: Iterable[Sequence[Cell]]
    top: str = ""


def write(out: Path, sheets: Iterable[Sheet]) -> None:
    """Raises OSError where the place cannot be written to."""
    import xlsxwriter  # noqa: PLC0415 - loads when a workbook is wanted

    unfinished = out.with_name(f".{out.name}.unfinished")
    options = {"strings_to_formulas": False, "strings_to_urls": False, "constant_memory": True}
    with unfinished.open("wb") as file, xlsxwriter.Workbook(file, options) as book:
        bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True})
        amount = book.add_format({"num_format": "#,##0.00"})
        for title, headings, rows, top in sheets:
            sheet = book.add_worksheet(title)
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
    unfinished.replace(out)


def write_csv(out: Path, sheet: Sheet, encoding: str = "utf-8-sig") -> None:
    """One table; UTF-8 has a byte-order mark, which spreadsheets ask for. Raises OSError."""
    unfinished = out.with_name(f".{out.name}.unfinished")
    with unfinished.open("w", encoding=encoding, newline="") as file:
        rows = csv.writer(file)
        if sheet.top:
            rows.writerow([_inert(sheet.top)])
        rows.writerow(sheet.headings)
        rows.writerows([_inert(cell) for cell in row] for row in sheet.rows)
    unfinished.replace(out)


def write_lines(out: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line. Raises OSError."""
    unfinished = out.with_name(f".{out.name}.unfinished")
    with unfinished.open("wb") as file:
        file.writelines(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
    unfinished.replace(out)


def _inert(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
