"""Files of reports read by hand: .jsonl, .csv, .xlsx; their rows, and what they say of themselves.

Owns the reading of what `--out` writes; it travels inside the checker of an evidence bundle and
needs Python alone. Invariant: a cell is the text that stands in the file; what a file does not say
of itself is not guessed.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from replay.offline import loaded

MOST_UNPACKED = 1 << 28
"""Bytes of a part of a workbook, above which it is not read."""
TITLES = (
    re.compile(
        r"(?P<report>.+?)\(截至(?P<effective>[0-9-]{10})\) 登记位置 (?P<recorded>[0-9]+)"
        r"\((?P<at>[^)]*)\) 账本末位 [0-9]+ 查阅日志 [0-9]+(?: 范围 (?P<asked>.+))?"
    ),
    re.compile(
        r"(?P<report>.+?) \(as of (?P<effective>[0-9-]{10})\), recorded position "
        r"(?P<recorded>[0-9]+) \((?P<at>[^)]*)\), head [0-9]+, read [0-9]+"
        r"(?:, scope (?P<asked>.+))?"
    ),
)  # fmt: skip
"""What stands above the headings, in Chinese and in English."""
_LETTERS = re.compile(r"[A-Z]+")
_FORMULA = re.compile(r"^'(?=[=+\-@\t\r])")


class Paper(NamedTuple):
    """A report as its file has it. `report`: its name or its words; `language`: 0 Chinese, 1
    English, None where columns and values go by their own names; `asked`: what it is of; `rows`:
    where each stands, and its cells.
    """

    report: str
    language: int | None
    as_of: dict[str, Any]
    asked: dict[str, Any]
    headings: list[str]
    rows: list[tuple[int, list[Any]]]


def paper_of(path: Path) -> Paper:
    """Read a file. Raises ValueError for what is no report, and whatever a parser raises."""
    raw = path.read_bytes()
    if raw[:4] == b"PK\x03\x04":
        return _of_sheet([*_workbook(path)])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("gb18030")
    if text.startswith("{"):
        return _of_lines([line for line in text.split("\n") if line])
    rows = csv.reader(io.StringIO(text, newline=""))
    return _of_sheet([(n, [_FORMULA.sub("", c, 1) for c in row]) for n, row in enumerate(rows, 1)])


def is_answer(path: Path) -> bool:
    """Whether a file is one answer as JSON, and no report."""
    raw = path.read_bytes()
    if not raw.lstrip().startswith(b"{"):
        return False
    try:
        return "report" not in loaded(raw)
    except ValueError:
        return False


def _of_lines(lines: list[str]) -> Paper:
    said = loaded(lines[0])
    rows = [(n, loaded(line)) for n, line in enumerate(lines[1:], 2)]
    names = list(rows[0][1]) if rows else []
    if any(list(row) != names for _, row in rows) or len(rows) != said["count"]:
        raise ValueError("the rows are not those of one report")
    of = [(n, [*row.values()]) for n, row in rows]
    return Paper(said["report"], None, said["as_of"], said["asked"], names, of)


def _of_sheet(rows: list[tuple[int, list[str]]]) -> Paper:
    (_, [title, *_]), (_, headings), *below = rows
    for language, form in enumerate(TITLES):
        if found := form.fullmatch(title.strip()):
            stated = {"effective": found["effective"], "recorded": int(found["recorded"])}
            pairs = (pair.split("=", 1) for pair in (found["asked"] or "").split() if "=" in pair)
            asked = {name: _said(unquote(value)) for name, value in pairs}
            while headings and not headings[-1]:
                headings.pop()
            held = [(n, [*row, *[""] * len(headings)][: len(headings)]) for n, row in below]
            filled = [(n, row) for n, row in held if any(row)]
            at = {"recorded_at": found["at"]}
            return Paper(found["report"], language, stated | at, asked, headings, filled)
    raise ValueError("no title of a report")


def _said(value: str) -> str | bool:
    return False if value == "false" else value


def _workbook(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of the first sheet of a workbook."""
    with zipfile.ZipFile(path) as held:
        part = _parts(held)
        texts = [_text(one) for one in part("xl/sharedStrings.xml") if _tag(one) == "si"]
        sheets = next(one for one in part("xl/workbook.xml") if _tag(one) == "sheets")
        named = next(v for name, v in sheets[0].attrib.items() if name.endswith("}id"))
        links = part("xl/_rels/workbook.xml.rels")
        target = next(one.get("Target", "") for one in links if one.get("Id") == named)
        where = target.removeprefix("/").removeprefix("xl/")
        table = next(one for one in part(f"xl/{where}") if _tag(one) == "sheetData")
    for n, row in enumerate(table, 1):
        cells: list[str] = []
        for cell in row:
            at = _column(cell.get("r", ""), len(cells))
            cells += [""] * (at - len(cells))
            cells.append(_cell_text(cell, texts))
        yield int(row.get("r", n)), cells


def _parts(held: zipfile.ZipFile) -> Any:
    def part(name: str) -> Any:
        if name not in held.namelist():
            return ()
        with held.open(name) as file:
            raw = file.read(MOST_UNPACKED + 1)
        if len(raw) > MOST_UNPACKED or b"<!DOCTYPE" in raw:
            raise ValueError("no workbook that is read here")
        return ET.fromstring(raw)  # noqa: S314 - no entities without a DOCTYPE

    return part


def _tag(one: ET.Element) -> str:
    return one.tag.rpartition("}")[2]


def _text(one: ET.Element) -> str:
    """The text of a string: of its own and of its runs, not how it is pronounced."""
    of = [one, *(run for run in one if _tag(run) == "r")]
    return "".join(t.text or "" for run in of for t in run if _tag(t) == "t")


def _cell_text(cell: ET.Element, texts: list[str]) -> str:
    inside = {_tag(one): one for one in cell}
    if "is" in inside:
        return _text(inside["is"])
    value = (inside["v"].text or "") if "v" in inside else ""
    return texts[int(value)] if cell.get("t") == "s" else value


def _column(reference: str, otherwise: int) -> int:
    found = _LETTERS.match(reference)
    if found is None:
        return otherwise
    column = 0
    for letter in found[0]:
        column = column * 26 + ord(letter) - 64
    if column > 1 << 14:
        raise ValueError("no column")
    return column - 1
