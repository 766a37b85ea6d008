"""Who answered for whom: on a day, over a period, for a list, by officer, for everybody of a unit.

Owns `chain`, `chains` and the workbook of answers. Invariant: a row of a list that cannot be
answered says why and stops no other row.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.frame import Effective, Json, Lang, UnitArg, asking, console, progress, said, tell
from api.cli.importing import SHEET
from api.cli.out import (
    Asked,
    Columns,
    Gb18030,
    Out,
    PrivateToo,
    ToFile,
    answered,
    ask_or_save,
)
from api.rendering import pick

if TYPE_CHECKING:
    from rich.console import RenderableType

    from api.settings import Bureau

DAY = Annotated[str | None, typer.Argument(metavar="DATE", help="哪一天;不给为今天 / the day")]
WHOM = Annotated[str | None, typer.Argument(metavar="PERSON", help="人员标识 / person's id")]
NOW = Annotated[
    str | None,
    typer.Option(
        "--now", "--recorded", "-r", metavar="POS|DATE", help="现在认定的认知时点 / as known at"
    ),
]
THEN = Annotated[
    str | None,
    typer.Option("--then", metavar="POS|DATE", help="当时登记的认知时点,默认当日终了 / then"),
]


def chain(
    context: typer.Context,
    person: WHOM = None,
    day: DAY = None,
    *,
    to: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="至哪一天止 / a period's last day")
    ] = None,
    then: THEN = None,
    now: NOW = None,
    effective: Effective = None,
    officer: Annotated[
        str | None,
        typer.Option("--officer", help="该民警为谁负责 / whom this officer answered for"),
    ] = None,
    listed: Annotated[
        Path | None,
        typer.Option("--list", help="工作簿:人员或编号、日期 / a workbook"),
    ] = None,
    sheet: SHEET = None,
    out: Out = None,
    columns: Columns = None,
    private: PrivateToo = False,
    gb18030: Gb18030 = False,
    json: Json = False,
) -> None:
    """某日谁负责:主要领导、分管领导、带辅民警 / Who answered for a person on a day."""
    from api import answers
    from api.cli import chain_drawn

    if officer is not None and day is None:
        person, day = None, person
    if sum(x is not None for x in (person, officer, listed)) != 1:
        raise typer.BadParameter("给出 PERSON、--officer、--list 之一 / give exactly one of them")
    to_file = ToFile(out, columns, private, gb18030)
    if listed is not None:
        if any(to_file[1:]) or (out and out.suffix != ".xlsx"):
            raise typer.BadParameter("--list 的答案只写成 .xlsx / answers to a list are an .xlsx")
        out = out or listed.with_name(f"{listed.stem}-chain.xlsx")
        answer_list(context, listed, out, then, now, sheet)
        return
    when = answers.When(day or effective, now)

    def question(bureau: "Bureau") -> Mapping[str, Any]:
        if officer is not None:
            return answers.responsibilities(bureau, officer, when, day if to else None, to)
        if to is not None:
            return answers.accountability_over(bureau, person or "", day, to, when)
        return answers.accountability(bureau, person or "", when, then)

    report, draw = "chain", chain_drawn.draw_day
    if officer is not None:
        report, draw = "chain-officer", chain_drawn.draw_officer
    elif to is not None:
        report, draw = "chain-over", chain_drawn.draw_period
    ask_or_save(context, report, question, draw, to_file, as_json=json)


def _draw_many(data: Mapping[str, Any], lang: Lang) -> "Iterator[RenderableType]":
    from api.cli.chain_drawn import draw_many

    yield from draw_many(data, lang)


@answered(_draw_many, "chain-unit", private=True)
def chains(asked: Asked, unit: UnitArg = None) -> Mapping[str, Any]:
    """某日一个单位(含下级)或全局每个人由谁负责 / Who answered for everybody of a unit."""
    from api import answers_many

    return answers_many.accountability_of_many(asked.bureau, asked.when, unit)


# a list

_PERSON = ("人员", "人员标识", "person")
_NUMBER = ("编号", "辅警编号", "number")
_DATE = ("日期", "事发日期", "发生日", "date")


def answer_list(
    context: typer.Context, listed: Path, out: Path, then: str | None, now: str | None,
    sheet: str | None,
) -> None:  # fmt: skip
    """Answer each row of a workbook and write the answers beside the questions.

    A row that cannot be answered says why; the others are answered. Raises BadInput where the
    workbook cannot be read.
    """
    from api.exports import watermark
    from api.intake.reading import read
    from api.workbook import Sheet, write
    from domain.refusals import MissingField

    asked = read(listed, {*_PERSON, *_NUMBER, *_DATE}, sheet)
    at = {
        kind: next((n for n, h in enumerate(asked.headings) if h in headings), None)
        for kind, headings in (("person", _PERSON), ("number", _NUMBER), ("date", _DATE))
    }
    if at["date"] is None or (at["person"] is None and at["number"] is None):
        raise MissingField(
            "the workbook needs a column 人员 or 编号 and a column 日期", field="file",
            zh="工作簿须有“人员”或“编号”列和“日期”列",
        )  # fmt: skip
    questions = [_question(row.cells, at) for row in asked.rows]
    for zh, en in asked.left_out():
        tell(context, zh, en)
    lang = "zh" if said(context, "zh", "en") == "zh" else "en"
    looks: list[int] = []
    with asking(context) as bureau:
        now = now or str(bureau.ledger.moment().position)
        with progress(context, "逐项查明责任", "Answering", len(questions)) as done:
            rows = []
            for n, question in enumerate(questions, 1):
                rows.append(_listed(bureau.noting(looks), question, then, now, lang))
                done(n)
        known, head = bureau.ledger.moment(now), bureau.ledger.moment().position
    answered = Sheet("责任", [pick(words, lang) for words in _HEADINGS], rows)
    write(out, [answered, watermark(looks, known, head, lang)])
    unanswered = sum(1 for row in rows if row[-1])
    console().print(
        said(
            context,
            f"已答 {len(rows) - unanswered} 项,不能回答 {unanswered} 项,写入 {out}",
            f"{len(rows) - unanswered} answered, {unanswered} not; written to {out}",
        ),
        markup=False, soft_wrap=True,
    )  # fmt: skip
    if unanswered:
        tell(context, "不能回答的原因见“说明”列。", "The last column says why.")


def _question(cells: Sequence[Any], at: Mapping[str, int | None]) -> tuple[str, str, Any]:
    """Person, number (one of them empty) and the cell of the date."""
    from api.intake.values import folded, identifier_of

    def cell(kind: str) -> Any:
        n = at[kind]
        return cells[n] if n is not None and n < len(cells) else None

    return folded(cell("person")), identifier_of(cell("number")), cell("date")


def _listed(
    bureau: "Bureau", question: tuple[str, str, Any], then: str | None, now: str, lang: str
) -> list[str]:
    """One row of the answer: as asked, unit, three tiers, whether then and now agree, why not."""
    from api import answers
    from api.cli.chain_drawn import place_of, was_recorded, words_of
    from api.intake.values import text_of
    from api.reader import PurposeMissing
    from domain.ledger.reads import ReadNotRecorded
    from domain.refusals import Refusal

    head = [question[0] or question[1], text_of(question[2])]
    try:
        person, day = _asked(bureau, question)
        answer = _plain(answers.accountability(bureau, person, answers.When(day, now), then))
    except (PurposeMissing, ReadNotRecorded):
        raise  # it is no fault of the row
    except Refusal as refusal:
        return [*head, *[""] * 6, refusal.detail if lang == "en" else refusal.detail_zh]
    data, stands = answer["data"], answer["data"]["now"]
    tiers: dict[str, list[str]] = {"head": [], "deputy": [], "supervisor": []}
    for line in stands["lines"]:
        tiers[line["capacity"]].append(words_of(line, data["people"], lang))
    place = place_of(stands, lang)
    seats = ["\n".join(words) or place for words in tiers.values()]
    agree = ("一致", "agree")
    if data["differ"]:
        known_then = was_recorded(data["then"]["answer"])
        agree = ("有事后变更", "changed since") if known_then else ("当时未登记", "said since")
    entries = " ".join(map(str, data["entries"]))
    return [head[0], str(day), place, *seats, pick(agree, lang), entries, ""]


def _asked(bureau: "Bureau", question: tuple[str, str, Any]) -> tuple[str, date]:
    """The person and the day of a row. Raises ImpossibleDate, UnknownSubject."""
    from api import answers
    from api.intake.values import UnreadableError, day_of
    from domain.refusals import ImpossibleDate, UnknownSubject

    person, number, cell = question
    try:
        read = day_of(cell)
    except UnreadableError:
        read = None
    if read is None or not read.exact:
        raise ImpossibleDate(field="date")
    if person:
        return person, read.day
    held = answers.lookup(bureau, number=number)["data"]["persons"]
    if len(held) != 1:
        raise UnknownSubject(field="number")
    return held[0]["person"], read.day


def _plain(answer: Mapping[str, Any]) -> Any:
    import orjson

    from api.entries import to_bytes

    return orjson.loads(to_bytes(answer))


_HEADINGS = (
    ("人员", "person"),
    ("日期", "date"),
    ("用人单位", "using unit"),
    ("主要领导", "unit head"),
    ("分管领导", "deputy head"),
    ("带辅责任民警", "supervising officer"),
    ("当时与现在", "then and now"),
    ("其间登记", "entries between"),
    ("说明", "why not"),
)
