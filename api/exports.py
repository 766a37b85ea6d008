"""Answers as files for other offices: .xlsx, .csv or .jsonl, in the bureau's own column order.

Owns how a report is laid out and what a file states of itself. Invariant: every file says its two
times, its position, the ledger's head and where the log of reads has it; one that can be compared
with the entries says of what it is; a private column is in it only where it was asked for.

The first line of a sheet and of a CSV file is a title that says them, the headings stand below it;
a workbook has a sheet of notes besides. The first line of a .jsonl file is {"report", "as_of",
"head", "read", "asked", "private", "count"} (and "next", where it is not all), each further one a
row under the columns' own names, codes as stored.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError

from api.columns import Answer, Coded, Field, Label, Row
from api.rendering import coded, instant, pick, word
from api.reports import REPORTS
from api.settings import Bureau
from api.words import CODES, NAMES, NO, NONE, VALUES, WITHHELD, YES, Words, codes_of_packs
from api.workbook import Cell, Sheet, write, write_csv, write_lines
from domain.ledger import Moment
from domain.refusals import BadInput
from replay.comparable import COMPARED

SUFFIXES = (".xlsx", ".csv", ".jsonl")
BAD_COLUMNS = "columns"
_NOTES = ("说明", "notes")
_ALL = ("全部", "all")
_SPECIAL = re.compile(r"[^\w.-]")
_READ = ("查阅日志位置", "position in the log of reads")


class Layout(BaseModel):
    """Which columns a report has, in which order, and what they are called."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: list[str]
    headings: dict[str, str] = {}


class Made(NamedTuple):
    """A report ready to be written: headings by field, and rows of plain values. `read`: where the
    log of reads has that it was taken out; `opened`: private values are not withheld; `next`: the
    position after which there are more, where it is not all.
    """

    report: str
    fields: list[Field]
    headings: list[str]
    rows: list[Row]
    as_of: Answer
    head: int
    read: int
    opened: bool
    asked: Row
    next: int | None = None

    @property
    def private(self) -> bool:
        return self.opened and any(field.private or field.said for field in self.fields)

    def words_of(self, field: Field, lang: str) -> dict[str, str]:
        """Code → what stands for it in a sheet; a word that two codes share stands for neither."""
        name = field.name
        codes = {row[name] for row in self.rows if isinstance(row.get(name), str)}
        said = {code: coded(field.codes or name, code, lang) for code in sorted(codes)}
        times = Counter(said.values())
        return {code: w if times[w] == 1 else code for code, w in said.items()}


def made(
    bureau: Bureau,
    report: str,
    answer: Answer,
    *,
    read: int,
    lang: str,
    layout: Path | None,
    private: bool,
) -> Made:
    """A report of an answer (as JSON has it). Raises BadInput, field "columns"."""
    fields, headings = _fields(report, lang, _layout(bureau, layout, report), private=private)
    names = [field.name for field in fields]
    rows: list[Row] = [
        {name: row.get(name) for name in names} for row in REPORTS[report].rows(bureau, answer)
    ]
    head, data = bureau.ledger.moment().position, answer["data"]
    more = data.get("next")
    asked = {**REPORTS[report].asked(data), "until": more}
    asked = {name: said for name, said in asked.items() if said is not None and said != []}
    return Made(report, fields, headings, rows, answer["as_of"], head, read, private, asked, more)


def save(
    report: Made,
    out: Path,
    *,
    lang: str,
    encoding: str = "utf-8-sig",
    done: Callable[[float], None] = lambda _: None,
) -> None:
    """Write a report; its suffix says how. `done` is told the share. Raises OSError."""
    if out.suffix == ".jsonl":
        write_lines(out, _lines(report, lang, done))
        return
    title = title_of(report, lang)
    sheet = Sheet(pick(REPORTS[report.report].words, lang), report.headings,
                  _cells(report, lang, done), title)  # fmt: skip
    if out.suffix == ".csv":
        write_csv(out, sheet, encoding)
    else:
        write(out, [sheet, _notes(report, lang)])


def vocabulary() -> dict[str, Any]:
    """Under which words reports that can be compared go out: their own, their columns' (and whose
    codes these hold), those of codes by the field, of codes wherever they stand, of fields, and of
    what is no code.
    """
    found = {
        name: {
            "words": REPORTS[name].words,
            "columns": {field.name: field.words for field in REPORTS[name].fields},
            "codes": {f.name: f.codes for f in REPORTS[name].fields if f.codes is not None},
        }
        for name in sorted(COMPARED)
    }
    codes: dict[str, dict[str, Words]] = {"": dict(sorted(VALUES.items()))}
    for (field, code), words in sorted({**codes_of_packs(), **CODES}.items()):
        codes.setdefault(field, {})[code] = words
    said = {"none": NONE, "yes": YES, "no": NO, "withheld": WITHHELD}
    return {"reports": found, "codes": codes, "names": dict(sorted(NAMES.items())), "said": said}


def title_of(report: Made, lang: str) -> str:
    """What stands above the headings: report, two times, position, head, the read on record."""
    zh, en = REPORTS[report.report].words
    effective, recorded = report.as_of["effective"], report.as_of["recorded"]
    at = instant(report.as_of.get("recorded_at"))
    zh = f"{zh}(截至{effective}) 登记位置 {recorded}({at}) 账本末位 {report.head}"
    zh += f" 查阅日志 {report.read}"
    en = f"{en} (as of {effective}), recorded position {recorded} ({at}), head {report.head}"
    en += f", read {report.read}"
    if report.asked:
        scope = _scope(report.asked)
        zh, en = f"{zh} 范围 {scope or _ALL[0]}", f"{en}, scope {scope or _ALL[1]}"
    return pick((zh, en), lang)


def _scope(asked: Row) -> str:
    """What a report is of, as `name=value` pairs without a space; nothing where it is of all."""
    return " ".join(
        f"{name}={_SPECIAL.sub(lambda found: quote(found[0]), _scoped(value))}"
        for name, value in asked.items()
        if (name, value) != ("below", True)
    )


def _scoped(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def watermark(rows: Iterable[int], moment: Moment, head: int, lang: str) -> Sheet:
    """The sheet that says what a workbook of answers to a list was made of: as known when, and
    where the log of reads has it; the days are those of its rows.
    """
    rows = sorted(rows)
    said: list[tuple[Words, Cell]] = [
        (("认知位置", "recorded position"), moment.position),
        (("该位置登记时间", "recorded at"),
         instant(moment.recorded_at.isoformat()) if moment.recorded_at else "—"),
        (("导出时账本末位", "head when exported"), head),
        (_READ, f"{rows[0]}–{rows[-1]}" if rows else "—"),
    ]  # fmt: skip
    return _sheet_of_notes(said, lang)


def _notes(report: Made, lang: str) -> Sheet:
    as_of = report.as_of
    said: list[tuple[Words, Cell]] = [
        (("报表", "report"), pick(REPORTS[report.report].words, lang)),
        (("生效时点", "effective"), as_of["effective"]),
        (("认知位置", "recorded position"), as_of["recorded"]),
        (("该位置登记时间", "recorded at"), instant(as_of.get("recorded_at"))),
        (("导出时账本末位", "head when exported"), report.head),
        (_READ, report.read),
        *([(("范围", "scope"), _scope(report.asked) or pick(_ALL, lang))] if report.asked else []),
        (("折叠版本", "fold"), as_of["fold"]),
        (("行数", "rows"), len(report.rows)),
        (("含保密列", "private columns"), word(report.private, lang)),
        (("空白单元格", "a blank cell"), pick(("未登记或无", "not recorded, or none"), lang)),
    ]
    if report.next is not None:
        said.append((("未完,续自登记", "not all: goes on after entry"), report.next))
    return _sheet_of_notes(said, lang)


def _sheet_of_notes(said: Iterable[tuple[Words, Cell]], lang: str) -> Sheet:
    headings = [pick(words, lang) for words in (("项", "what"), ("内容", "said"))]
    return Sheet(pick(_NOTES, lang), headings, [(pick(w, lang), value) for w, value in said])


def _lines(report: Made, lang: str, done: Callable[[float], None]) -> Iterator[Row]:
    yield {
        "report": report.report, "as_of": report.as_of, "head": report.head, "read": report.read,
        "asked": report.asked, "private": report.private, "count": len(report.rows),
        **({} if report.next is None else {"next": report.next}),
    }  # fmt: skip
    for row in _told(report.rows, done):
        yield {field.name: _said(row.get(field.name), lang) for field in report.fields}


def _told(rows: list[Row], done: Callable[[float], None]) -> Iterator[Row]:
    for n, row in enumerate(rows):
        if not n % 500:
            done(n / len(rows))
        yield row


def _cells(report: Made, lang: str, done: Callable[[float], None]) -> Iterator[list[Cell]]:
    words = {field.name: report.words_of(field, lang) for field in report.fields}
    for row in _told(report.rows, done):
        yield [
            _cell(field, row.get(field.name), words[field.name], lang) for field in report.fields
        ]


def _said(value: Any, lang: str) -> Any:
    if isinstance(value, Label):
        return pick(value, lang)
    return value.value if isinstance(value, Coded) else value


def _cell(field: Field, value: Any, words: Mapping[str, str], lang: str) -> Cell:
    if value is None:
        return ""
    if isinstance(value, Label):
        return pick(value, lang)
    if isinstance(value, Coded):
        return coded(value.field, value.value, lang)
    if field.fen:
        return Decimal(value).scaleb(-2)
    if isinstance(value, str):
        return words.get(value, value)
    return value if type(value) is int else word(value, lang)


def _layout(bureau: Bureau, path: Path | None, report: str) -> Layout | None:
    """The layout of this report in the file given, else in the ledger folder's columns.toml."""
    own = bureau.settings.data / "columns.toml"
    path = path or (own if own.is_file() else None)
    if path is None:
        return None
    try:
        layouts = {
            name: Layout.model_validate(said)
            for name, said in tomllib.loads(path.read_text("utf-8")).items()
        }
    except OSError as fault:
        raise BadInput(f"{path.name} cannot be read", field=BAD_COLUMNS,
                       zh=f"{path.name} 不能读取") from fault  # fmt: skip
    except (ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise BadInput(f"{path.name} is no list of columns: [report] columns = [...]",
                       field=BAD_COLUMNS, zh=f"{path.name} 不是合格的列表") from fault  # fmt: skip
    if unknown := sorted(layouts.keys() - REPORTS.keys()):
        raise BadInput(
            f"there is no report {unknown[0]}; there are {', '.join(REPORTS)}", field=BAD_COLUMNS,
            zh=f"没有报表 {unknown[0]};现有 {'、'.join(REPORTS)}",
        )  # fmt: skip
    return layouts.get(report)


def _fields(
    report: str, lang: str, layout: Layout | None, *, private: bool
) -> tuple[list[Field], list[str]]:
    """The columns and their headings. Raises BadInput."""
    known = {field.name: field for field in REPORTS[report].fields}
    names = [n for n, f in known.items() if private or not f.private]
    if layout is not None:
        if unknown := [n for n in (*layout.columns, *layout.headings) if n not in known]:
            raise BadInput(
                f"{report} has no column {unknown[0]}; it has {', '.join(known)}",
                field=BAD_COLUMNS, zh=f"{report} 没有列 {unknown[0]};现有 {'、'.join(known)}",
            )  # fmt: skip
        # a layout may name private columns; without the flag they are left out all the same
        names = [n for n in layout.columns if private or not known[n].private]
    own = layout.headings if layout is not None else {}
    headings = [own.get(name, pick(known[name].words, lang)) for name in names]
    if len({*headings}) < len(headings) or not names:
        raise BadInput("a report needs columns, each under a heading of its own",
                       field=BAD_COLUMNS, zh="报表须有列,列名不得重复")  # fmt: skip
    return [known[name] for name in names], headings
