"""Answers as files for other offices: .xlsx, .csv or .jsonl, in the bureau's own column order.

Owns which columns a report has and what a file states of itself. Invariant: every file says its two
times, its position, the ledger's head and where the log of reads has it; a private column is in it
only where it was asked for.

The first line of a sheet and of a CSV file is a title that says them, the headings stand below it;
a workbook has a sheet of notes besides. The first line of a .jsonl file is {"report", "as_of",
"head", "read", "private", "count"}, each further one a row under the columns' own names, codes as
stored.
"""

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from api.rendering import coded, instant, pick, word
from api.settings import Bureau
from api.words import NAMES, Words
from api.workbook import Cell, Sheet, write, write_csv, write_lines
from domain.acts.grades import GRADE
from domain.acts.people import NUMBER, SERVICE, UNIT
from domain.bitemporal import AsOf
from domain.events import Facet
from domain.refusals import BadInput
from projections import roster as _roster

SUFFIXES = (".xlsx", ".csv", ".jsonl")
BAD_COLUMNS = "columns"
_NOTES = ("说明", "notes")
_READ = ("查阅日志位置", "position in the log of reads")

Row = Mapping[str, Any]
Answer = Mapping[str, Any]


class Field(NamedTuple):
    """A column of a report. `private`: left out unless asked for; `fen`: an amount of money."""

    name: str
    words: Words
    private: bool = False
    fen: bool = False


class Report(NamedTuple):
    """A question's answer as rows; `rows` takes the bureau and the answer as JSON has it."""

    words: Words
    fields: tuple[Field, ...]
    rows: Callable[[Bureau, Answer], Iterable[Row]]


class Layout(BaseModel):
    """Which columns a report has, in which order, and what they are called."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: list[str]
    headings: dict[str, str] = {}


class Made(NamedTuple):
    """A report ready to be written: headings by field, and rows of plain values. `read`: where the
    log of reads has that it was taken out.
    """

    report: str
    fields: list[Field]
    headings: list[str]
    rows: list[Row]
    as_of: Answer
    head: int
    read: int

    @property
    def private(self) -> bool:
        return any(field.private for field in self.fields)

    def words_of(self, field: str, lang: str) -> dict[str, str]:
        """Code → what stands for it in a sheet; a word that two codes share stands for neither."""
        codes = {row[field] for row in self.rows if isinstance(row.get(field), str)}
        said = {code: coded(field, code, lang) for code in sorted(codes)}
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
    rows = list(REPORTS[report].rows(bureau, answer))
    head = bureau.ledger.moment().position
    return Made(report, fields, headings, rows, answer["as_of"], head, read)


def save(report: Made, out: Path, *, lang: str, encoding: str = "utf-8-sig") -> None:
    """Write a report; its suffix says how. Raises OSError."""
    if out.suffix == ".jsonl":
        write_lines(out, _lines(report))
        return
    title = title_of(report, lang)
    sheet = Sheet(pick(REPORTS[report.report].words, lang), report.headings, _cells(report, lang),
                  title)  # fmt: skip
    if out.suffix == ".csv":
        write_csv(out, sheet, encoding)
    else:
        write(out, [sheet, _notes(report, lang)])


def title_of(report: Made, lang: str) -> str:
    """What stands above the headings: report, two times, position, head, the read on record."""
    zh, en = REPORTS[report.report].words
    effective, recorded = report.as_of["effective"], report.as_of["recorded"]
    at = instant(report.as_of.get("recorded_at"))
    zh = f"{zh}(截至{effective}) 登记位置 {recorded}({at}) 账本末位 {report.head}"
    zh += f" 查阅日志 {report.read}"
    en = f"{en} (as of {effective}), recorded position {recorded} ({at}), head {report.head}"
    en += f", read {report.read}"
    return pick((zh, en), lang)


def watermark(rows: Iterable[int], lang: str) -> Sheet:
    """The sheet that says where the log of reads has what a workbook was made of."""
    rows = sorted(rows)
    where = f"{rows[0]}–{rows[-1]}" if rows else "—"
    return Sheet(pick(_NOTES, lang), [pick(_READ, lang)], [[where]])


def _notes(report: Made, lang: str) -> Sheet:
    as_of = report.as_of
    said: list[tuple[Words, Cell]] = [
        (("报表", "report"), pick(REPORTS[report.report].words, lang)),
        (("生效时点", "effective"), as_of["effective"]),
        (("认知位置", "recorded position"), as_of["recorded"]),
        (("该位置登记时间", "recorded at"), instant(as_of.get("recorded_at"))),
        (("导出时账本末位", "head when exported"), report.head),
        (_READ, report.read),
        (("折叠版本", "fold"), as_of["fold"]),
        (("行数", "rows"), len(report.rows)),
        (("含保密列", "private columns"), word(report.private, lang)),
        (("空白单元格", "a blank cell"), pick(("未登记或无", "not recorded, or none"), lang)),
    ]
    headings = [pick(words, lang) for words in (("项", "what"), ("内容", "said"))]
    return Sheet(pick(_NOTES, lang), headings, [(pick(w, lang), value) for w, value in said])


def _lines(report: Made) -> Iterator[Row]:
    yield {
        "report": report.report, "as_of": report.as_of, "head": report.head,
        "read": report.read, "private": report.private, "count": len(report.rows),
    }  # fmt: skip
    for row in report.rows:
        yield {field.name: row.get(field.name) for field in report.fields}


def _cells(report: Made, lang: str) -> Iterator[list[Cell]]:
    words = {field.name: report.words_of(field.name, lang) for field in report.fields}
    for row in report.rows:
        yield [
            _cell(field, row.get(field.name), words[field.name], lang) for field in report.fields
        ]


def _cell(field: Field, value: Any, words: Mapping[str, str], lang: str) -> Cell:
    if value is None:
        return ""
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


def _of(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, NAMES[name]) for name in names)


def pair_of(answer: Answer) -> AsOf:
    as_of = answer["as_of"]
    return AsOf(date.fromisoformat(as_of["effective"]), as_of["recorded"])


def _roster_rows(bureau: Bureau, answer: Answer) -> Iterator[Row]:
    pair, lines = pair_of(answer), answer["data"]["lines"]
    subjects = [f"person:{line['person']}" for line in lines]
    names = _roster.tree(bureau.records, pair).names

    def said(facet: Facet, field: str) -> dict[str, Any]:
        values = bureau.records.values(facet, pair, subjects)
        return {subject: (value or {}).get(field) for subject, value in values.items()}

    since = {f.subject: f.effective for f in bureau.records.at([SERVICE], subjects, pair)}
    ladders = said(GRADE, "ladder")
    for subject, line in zip(subjects, lines, strict=True):
        hired = since.get(subject)
        yield {
            **line, "ladder": ladders.get(subject), "unit_name": names.get(line["unit"] or ""),
            "hired_on": hired and hired.isoformat(),
        }  # fmt: skip


def _headcount_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for line in data["counts"]:
        yield {"by": data["by"], "key": line[data["by"]], **line}


def _due_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    for item in answer["data"]["items"]:
        deadline = item["deadline"]
        yield {**item, "due": deadline["due"], "provisional": deadline["provisional"]}


def _finding_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    for entry in answer["data"]["entries"]:
        for finding in entry["findings"]:
            yield {
                **finding, "position": entry["position"], "type": entry["type"],
                "event": entry["zh"], "effective": entry["effective"],
                "subjects": " ".join(entry["tags"]),
            }  # fmt: skip


def _pay_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for month in data["months"]:
        yield {"person": data["person"], **month, "month": month["month"][:7]}


def _repriced_rows(bureau: Bureau, answer: Answer) -> Iterator[Row]:
    pair, data = pair_of(answer), answer["data"]
    subjects = sorted({f"person:{line['person']}" for line in data["lines"]})
    held = {facet: bureau.records.values(facet, pair, subjects) for facet in (NUMBER, UNIT)}
    for line in data["lines"]:
        subject = f"person:{line['person']}"
        yield {
            **line, "name": data["people"].get(line["person"], {}).get("name"),
            "number": (held[NUMBER].get(subject) or {}).get("number"),
            "unit": (held[UNIT].get(subject) or {}).get("unit"),
        }  # fmt: skip


def _entry_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    for one in answer["data"]["entries"]:
        paper = one["document"] or {}
        yield {
            **one, "event": one["zh"], "subjects": " ".join(one["tags"]),
            "paper": paper.get("number") or paper.get("none_because"),
            "by": one["actor"]["subject"],
        }  # fmt: skip


def _retro_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for one in data["owed"]:
        for month in one["months"]:
            yield {
                **month, "person": one["person"], "month": month["month"][:7],
                "name": data["people"].get(one["person"], {}).get("name"),
                "entries": " ".join(map(str, month["entries"])),
            }  # fmt: skip


def _placed_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for one in data["roster"]:
        yield {
            "person": one["person"], "name": data["people"].get(one["person"], {}).get("name"),
            "facet": one["zh"], "entries": " ".join(map(str, one["entries"])),
            **{side: [fact["value"] for fact in one[side]] or None for side in ("before", "after")},
        }  # fmt: skip


_ENTRIES = (
    Field("position", ("登记", "entry")), Field("recorded_at", ("登记时间", "recorded")),
    Field("effective", ("生效日", "effective")), Field("last_day", ("末日", "last day")),
    Field("lag_days", ("迟录天数", "days late")), Field("type", ("事项代码", "type")),
    Field("event", ("事项", "event")), Field("subjects", ("对象", "about")),
    Field("mood", ("性质", "mood")), Field("paper", ("文件", "document")),
    Field("reason", ("理由", "reason")), Field("by", ("经办", "entered by")),
    Field("event_id", ("登记号", "entry id")),
)  # fmt: skip

REPORTS: dict[str, Report] = {
    "roster": Report(
        ("在职辅警花名册", "Roster of auxiliaries"),
        (
            *_of("person", "number"),
            Field("name", NAMES["name"], private=True),
            Field("id_number", NAMES["id_number"], private=True),
            *_of("category", "grade", "ladder", "post", "unit"),
            Field("unit_name", ("单位名称", "unit's name")),
            *_of("host", "hired_on"),
            Field("since", NAMES["unit_since"]),
        ),
        _roster_rows,
    ),
    "headcount": Report(
        ("在职人数", "Headcount"),
        (
            Field("by", ("分组", "grouped by")), Field("key", ("组别", "group")),
            Field("name", ("名称", "name")), Field("count", ("人数", "count")),
        ),
        _headcount_rows,
    ),
    "due": Report(
        ("法定期限", "Promises with a term"),
        (
            Field("due", ("最后一日", "last day")), Field("provisional", ("暂定", "provisional")),
            Field("state", NAMES["state"]), Field("late", ("逾期天数", "days late")),
            Field("workdays", ("按工作日", "in working days")), Field("zh", ("事项", "what")),
            Field("subject", ("对象", "about")), Field("unit", NAMES["unit"]),
            Field("started_on", ("起算", "from")), Field("met_on", ("办结", "met on")),
            Field("rule", ("规则", "rule")), Field("article", ("依据", "article")),
        ),
        _due_rows,
    ),
    "findings": Report(
        ("问题清单", "Findings"),
        (
            Field("position", ("登记", "entry")), Field("effective", ("生效日", "effective")),
            Field("type", ("事项代码", "type")), Field("event", ("事项", "event")),
            Field("subjects", ("对象", "about")), Field("zh", ("问题", "finding")),
            Field("en", ("问题(英文)", "finding (en)")), Field("rule", ("规则", "rule")),
            Field("article", ("依据", "article")), Field("strength", ("强度", "strength")),
            Field("status", ("效力", "status")),
        ),
        _finding_rows,
    ),
    "pay": Report(
        ("薪酬", "Pay"),
        (
            *_of("person"), Field("month", ("月份", "month")),
            Field("amount", ("应发(元)", "pay in yuan"), fen=True),
            Field("unpriced", ("无法计发的天数", "days without a pay level")),
        ),
        _pay_rows,
    ),
    "journal": Report(("登记流水", "Journal"), _ENTRIES, _entry_rows),
    "history": Report(
        ("人员履历", "History"),
        (*_ENTRIES, Field("standing", ("状态", "standing")),
         Field("standing_by", ("由登记", "by entry"))),
        _entry_rows,
    ),
    "retro": Report(
        ("追溯差额", "Retro"),
        (
            *_of("person"), Field("name", NAMES["name"], private=True),
            Field("month", ("月份", "month")),
            Field("before", ("原计(元)", "before, yuan"), fen=True),
            Field("after", ("现计(元)", "after, yuan"), fen=True),
            Field("owed", ("应补(元)", "owed, yuan"), fen=True),
            Field("unpriced_after", ("未能计薪天数", "days not priced")),
            Field("entries", ("依据登记", "entries")),
        ),
        _retro_rows,
    ),
    "retro-roster": Report(
        ("追溯的花名册变化", "Retro, the roster"),
        (
            *_of("person"), Field("name", NAMES["name"], private=True),
            Field("facet", ("事项", "facet")), Field("before", ("前", "before")),
            Field("after", ("后", "after")), Field("entries", ("依据登记", "entries")),
        ),
        _placed_rows,
    ),
    "repriced": Report(
        ("薪酬标准调整差额", "Differences of a pay scale"),
        (
            *_of("person", "number"),
            Field("name", NAMES["name"], private=True),
            *_of("unit", "grade"),
            Field("since", ("自", "since")), Field("last_day", ("至", "to")),
            Field("before", ("原月薪(元)", "a month before, yuan"), fen=True),
            Field("after", ("新月薪(元)", "a month after, yuan"), fen=True),
            Field("difference", ("月差额(元)", "difference a month, yuan"), fen=True),
            Field("owed", ("累计差额(元)", "in all, yuan"), fen=True),
        ),
        _repriced_rows,
    ),
}  # fmt: skip
