"""Rejected rows, given back to the clerk: the row as it was, and why; remarks on others likewise.

Owns the files of rejected rows. Invariant: each has its sheet's own headings and date, so that it
can be mended and imported again; they hold private cells and are for the clerk alone.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

from api.intake.checking import Fault
from api.intake.plan import Plan
from api.intake.reading import GIVEN_BACK, REMARKS, Row, read
from api.intake.shelf import Told
from api.intake.values import Cell, text_of
from api.workbook import inert, whole, workbook

MOST_WORKBOOK_ROWS = 100_000
_REJECTED, _REMARKED = "退回", "提示(不退回)"


def write_rejected(plan: Plan, rejected: Told[Fault], folder: Path) -> list[Path]:
    """One file for each source with rejected rows, `rejected-…`, with a second sheet of the rows
    that are remarked upon and not rejected; .csv (two of them) for over 100,000 rows. Raises
    OSError.
    """
    told = {_REJECTED: rejected, _REMARKED: plan.warnings}
    rows = {name: one.rows() for name, one in told.items()}
    written = []
    folder.mkdir(parents=True, exist_ok=True)
    for path in plan.paths:
        found = {name: one for name, one in told.items() if rows[name][path.name]}
        if not found:
            continue
        if max(rows[name][path.name] for name in found) > MOST_WORKBOOK_ROWS:
            names = {_REJECTED: "rejected", _REMARKED: "remarks"}
            written += [
                _write_text(folder / f"{names[name]}-{path.name}.csv", _rows(plan, path, one))
                for name, one in found.items()
            ]
        else:
            out = folder / f"rejected-{path.name.removesuffix('.xlsx')}.xlsx"
            _write_workbook(out, {n: _rows(plan, path, one) for n, one in found.items()})
            written.append(out)
    return written


def _rows(plan: Plan, path: Path, told: Told[Fault]) -> Iterator[list[Cell]]:
    """A title with the date where the sheet was given one, the headings, then each row with what is
    said of it.
    """
    sheet = next(s for s in plan.mapping.sheet if s.matches(path.name))
    number = plan.files.index(path.name)
    table = read(path, sheet.headings, plan.sheets[number] or None, example=sheet.example,
                 fills=sheet.fills)  # fmt: skip
    dated = plan.dates[number]
    if dated not in (None, sheet.dated or plan.mapping.dated):
        yield [f"{path.name} 退回的行(截至{dated})"]
    own = [n for n, heading in enumerate(table.headings) if heading not in REMARKS]
    yield [*(table.headings[n] for n in own), *GIVEN_BACK]
    found = told.of(path.name)
    nothing: tuple[int, list[Fault]] = (0, [])
    number, faults = next(found, nothing)
    for row in table.rows:
        while number and number < row.number:
            number, faults = next(found, nothing)
        if row.number == number:
            cells = (row.cells[n] if n < len(row.cells) else "" for n in own)
            yield [*cells, *_said(row, faults)]


def _said(row: Row, faults: list[Fault]) -> list[Cell]:
    reasons = [fault.reason for fault in faults]
    others = [f"(第{fault.other}行)" if fault.other else "" for fault in faults]
    return [
        row.number,
        "\n".join(reason.rule for reason in reasons),
        "\n".join(reason.zh + other for reason, other in zip(reasons, others, strict=True)),
        "\n".join(reason.mend_zh for reason in reasons),
        "\n".join(reason.en for reason in reasons),
        "\n".join(reason.mend_en for reason in reasons),
    ]


def _write_text(path: Path, rows: Iterable[list[Cell]]) -> Path:
    with whole(path) as unfinished, unfinished.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([inert(text_of(cell)) for cell in row] for row in rows)
    return path


def _write_workbook(path: Path, sheets: Mapping[str, Iterable[list[Cell]]]) -> None:
    with workbook(path, constant_memory=True) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                for column, cell in enumerate(row):
                    if isinstance(cell, date | datetime):
                        sheet.write_datetime(number, column, cell, day)
                    else:
                        sheet.write(number, column, cell)
