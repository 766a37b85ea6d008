"""Files of reports read by hand: .jsonl, .csv, .xlsx; their rows, and what they say of themselves.

Owns the reading of what `--out` writes; it travels inside the checker of an evidence bundle and
needs Python alone. Invariant: a cell is the text that stands in the file; what a file does not say
of itself is not guessed.
"""

import csv
import io
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
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
        r"\((?P<at>[^)]*)\) 账本末位 (?P<head>[0-9]+) 查阅日志 (?P<read>[0-9]+)"
        r"(?: 范围 (?P<asked>.+))?"
    ),
    re.compile(
        r"(?P<report>.+?) \(as of (?P<effective>[0-9-]{10})\), recorded position "
        r"(?P<recorded>[0-9]+) \((?P<at>[^)]*)\), head (?P<head>[0-9]+), read (?P<read>[0-9]+)"
        r"(?:, scope (?P<asked>.+))?"
    ),
)  # fmt: skip
"""What stands above the headings, in Chinese and in English."""
_LETTERS = re.compile(r"[A-Z]+")
_FORMULA = re.compile(r"^'(?=[=+\-@\t\r])")


Odd = tuple[str, str]
Rows = list[tuple[int, list[str]]]
_NOTES = {
    "report": ("报表", "report"), "effective": ("生效时点", "effective"),
    "recorded": ("认知位置", "recorded position"), "at": ("该位置登记时间", "recorded at"),
    "head": ("导出时账本末位", "head when exported"),
    "read": ("查阅日志位置", "position in the log of reads"), "asked": ("范围", "scope"),
    "rows": ("行数", "rows"), "until": ("未完,续自登记", "not all: goes on after entry"),
}  # fmt: skip
"""What the notes of a workbook say once more, by the name it has in the title."""
_NOTED = (("折叠版本", "fold"), ("含保密列", "private columns"), ("空白单元格", "a blank cell"))
_OVER = {"drawing", "legacyDrawing", "picture", "mergeCells", "conditionalFormatting", "oleObjects",
         "controls"}  # fmt: skip
_PLAIN = {"0", "1", "2", "3", "4", "49"}
"""Formats by which a cell shows what it holds."""
_OF_LINES = {"report", "as_of", "head", "read", "asked", "private", "count", "next"}


class Paper(NamedTuple):
    """A report as its file has it. `report`: its name or its words; `language`: 0 Chinese, 1
    English, None where columns and values go by their own names; `asked`: what it is of; `rows`:
    where each stands, and its cells; `read`: which read it says to be; `odd`: what it shows beside
    or instead of them.
    """

    report: str
    language: int | None
    as_of: dict[str, Any]
    asked: dict[str, Any]
    headings: list[str]
    rows: list[tuple[int, list[Any]]]
    read: int
    odd: list[Odd]


def paper_of(path: Path) -> Paper:
    """Read a file. Raises ValueError for what is no report, and whatever a parser raises."""
    raw = path.read_bytes()
    if raw[:4] == b"PK\x03\x04":
        return _of_workbook(path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("gb18030")
    if text.startswith("{"):
        return _of_lines([line for line in text.split("\n") if line])
    rows = csv.reader(io.StringIO(text, newline=""))
    plain = [(n, [_FORMULA.sub("", c, 1) for c in row]) for n, row in enumerate(rows, 1)]
    return _of_sheet(plain, None, [])


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
    odd = [(f"首行另有“{n}”", f"its first line has “{n}” too") for n in sorted({*said} - _OF_LINES)]
    odd += _small(said["head"], said["as_of"]["recorded"])
    if said.get("next") != said["asked"].get("until"):
        odd.append(
            ("首行的“next”与其范围不符", "its first line says “next” otherwise than its scope")
        )
    return Paper(said["report"], None, said["as_of"], said["asked"], names, of, said["read"], odd)


def _small(head: int, recorded: int) -> list[Odd]:
    if head >= recorded:
        return []
    return [("所称账本末位小于登记位置", "the head that it names is below its recorded position")]


def _of_sheet(rows: Rows, notes: Rows | None, odd: list[Odd]) -> Paper:
    (first, [title, *beside]), (_, headings), *below = rows
    for language, form in enumerate(TITLES):
        if found := form.fullmatch(title.strip()):
            stated = {"effective": found["effective"], "recorded": int(found["recorded"])}
            scope = (found["asked"] or "").split()
            pairs = (pair.split("=", 1) for pair in scope if "=" in pair)
            asked = {name: _said(unquote(value)) for name, value in pairs}
            if (every := ("全部", "all")[language]) in scope:
                asked["below"] = True
            if any("=" not in one for one in scope) and scope != [every]:
                odd.append(("标题另有文字", "there are other words in its title"))
            while headings and not headings[-1]:
                headings.pop()
            blank = [m for m, heading in enumerate(headings) if not heading]
            odd += _beyond([(first, ["", *beside])], 0, ())
            odd += _beyond(below, len(headings), blank)
            held = [(n, [*row, *[""] * len(headings)][: len(headings)]) for n, row in below]
            filled = [(n, row) for n, row in held if any(row)]
            odd += _small(int(found["head"]), int(found["recorded"]))
            if notes is not None:
                told = {**found.groupdict(), "rows": str(len(filled)), "until": asked.get("until")}
                odd += _noted(notes, told, language)
            at = {"recorded_at": found["at"]}
            return Paper(
                found["report"], language, stated | at, asked, headings, filled,
                int(found["read"]), odd,
            )  # fmt: skip
    raise ValueError("no title of a report")


def _beyond(rows: Rows, width: int, blank: Collection[int]) -> Iterator[Odd]:
    """Cells with text that stand under no heading."""
    for n, row in rows:
        for m, cell in enumerate(row):
            if cell and (m >= width or m in blank):
                where = _name(m, n)
                yield f"单元格 {where} 不在任何列名之下", f"its cell {where} is under no heading"


def _noted(notes: Rows, title: Mapping[str, Any], language: int) -> Iterator[Odd]:
    """What the notes say otherwise than the title and the table, or beside them."""
    said = {words[language]: title[name] for name, words in _NOTES.items()}
    free = {words[language] for words in _NOTED}
    for _, row in notes[1:]:
        what, first, *rest = *row, "", ""
        if (what not in free and said.get(what) != first) or any(rest):
            yield f"说明页的“{what}”与标题或表不符", f"its notes say otherwise of “{what}”"


def _said(value: str) -> str | bool:
    return {"false": False, "true": True}.get(value, value)


def _of_workbook(path: Path) -> Paper:
    """The first sheet of a workbook, and its notes."""
    odd: list[Odd] = []
    with zipfile.ZipFile(path) as held:
        if len({*held.namelist()}) < len(held.namelist()):
            raise ValueError("a part is there twice")
        part = _parts(held)
        texts = [_text(one) for one in part("xl/sharedStrings.xml") if _tag(one) == "si"]
        formats = _formats(part("xl/styles.xml"))
        sheets = [*next(one for one in part("xl/workbook.xml") if _tag(one) == "sheets")]
        links = part("xl/_rels/workbook.xml.rels")
        if len(sheets) > 2:
            odd.append(("另有工作表", "it has more sheets than the report and its notes"))
        tables: list[Rows] = []
        for n, sheet in enumerate(sheets[:2], 1):
            named = next(v for name, v in sheet.attrib.items() if name.endswith("}id"))
            target = next(one.get("Target", "") for one in links if one.get("Id") == named)
            where = target.removeprefix("/").removeprefix("xl/")
            table = [*part(f"xl/{where}")]
            if sheet.get("state", "visible") != "visible" or _conceals(table):
                zh, en = f"第 {n} 张表有隐藏的行、列或整表", f"of its sheet {n} something is hidden"
                odd.append((zh, en))
            if any(_tag(one) in _OVER for one in table):
                zh, en = (
                    "另有图形、合并单元格或条件格式",
                    "has drawings, merged cells or conditions",
                )
                odd.append((f"第 {n} 张表{zh}", f"its sheet {n} {en}"))
            data = next(one for one in table if _tag(one) == "sheetData")
            tables.append([*_rows(data, texts, formats, n, odd)])
    return _of_sheet(tables[0], tables[1] if len(tables) > 1 else None, odd)


def _conceals(table: list[Any]) -> bool:
    inside = {_tag(one): one for one in table}
    columns, rows = ([*inside[name]] if name in inside else [] for name in ("cols", "sheetData"))
    whole = "sheetFormatPr" in inside and inside["sheetFormatPr"].get("zeroHeight", "0") != "0"
    return whole or any(_hidden(c, "width") for c in columns) or any(_hidden(r, "ht") for r in rows)


def _hidden(one: ET.Element, size: str) -> bool:
    return one.get("hidden", "0") not in ("0", "false") or float(one.get(size, "9")) < 1


def _formats(styles: Iterable[ET.Element]) -> list[bool]:
    """Whether a cell of each style shows what it holds."""
    inside = {_tag(one): one for one in styles}
    own = {one.get("numFmtId"): one.get("formatCode") for one in inside.get("numFmts", ())}
    ids = [one.get("numFmtId", "0") for one in inside.get("cellXfs", ())]
    return [own.get(i) == "#,##0.00" or (i in _PLAIN and i not in own) for i in ids]


def _rows(
    table: ET.Element, texts: list[str], formats: list[bool], sheet: int, odd: list[Odd]
) -> Iterator[tuple[int, list[str]]]:
    last = 0
    for row in table:
        n, cells = int(row.get("r", last + 1)), list[str]()
        for cell in row:
            at = _column(cell.get("r", ""), len(cells))
            if at < len(cells) or n <= last:
                raise ValueError("a cell is there twice")
            cells += [""] * (at - len(cells))
            cells.append(_cell_text(cell, texts))
            if any(_tag(one) == "f" for one in cell):
                where = _name(at, n)
                odd.append((f"第 {sheet} 张表单元格 {where} 是公式",
                            f"the cell {where} of its sheet {sheet} is a formula"))  # fmt: skip
            elif cells[-1] and not [*formats, True][int(cell.get("s", "0"))]:
                where = _name(at, n)
                zh = f"第 {sheet} 张表单元格 {where} 的格式显示他值"
                odd.append((zh, f"the format of the cell {where} of its sheet {sheet} hides it"))
        last = n
        yield n, cells


def _name(column: int, row: int) -> str:
    letters, rest = "", column + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(65 + letter) + letters
    return f"{letters}{row}"


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
