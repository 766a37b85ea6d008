"""Series by month on the command line: a table with bars, a line a key, or a file.

Owns `series`. Invariant: a bar and a line are drawn from zero, and a month in which the unit was
not recorded has none.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from api.cli.frame import (
    Effective,
    Failure,
    FirstMonth,
    Json,
    Lang,
    LastMonth,
    Recorded,
    ask,
    tell,
)
from api.rendering import Column, coded, pick, table
from api.words import NOT_RECORDED, Words

_MOST = 36
"""Months shown one a row."""
_WIDTH = 48
_LEVELS = "▁▂▃▄▅▆▇█"


class Of(StrEnum):
    HEADCOUNT = "headcount"
    PYRAMID = "pyramid"
    VACANCIES = "vacancies"
    GAPS = "gaps"


_TITLES: dict[str, Words] = {
    "headcount": ("在职人数", "In service"),
    "pyramid": ("在职人数(按层级)", "In service, by grade"),
    "vacancies": ("空缺席位", "Vacant seats"),
    "gaps": ("无人负责的辅警", "Auxiliaries with nobody answering"),
}
_KEYS: dict[str, Words] = {
    "head": ("主要领导", "unit head"),
    "deputy": ("分管领导", "deputy head"),
    "supervisor": ("带辅责任民警", "supervising officer"),
    "acting-head": ("仅有代理主要领导", "acting head alone"),
    "acting-deputy": ("仅有代理分管领导", "acting deputy alone"),
    "seats": ("有记载的席位", "seats recorded"),
    "persons": ("涉及人数", "persons"),
}


def series(
    context: typer.Context,
    of: Annotated[Of, typer.Argument(metavar="OF", help="headcount pyramid vacancies gaps")],
    *,
    first: FirstMonth = None,
    last: LastMonth = None,
    unit: Annotated[str | None, typer.Option("--unit", help="单位标识 / unit")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="写成 .xlsx 或 .csv / as a file")
    ] = None,
    effective: Effective = None,
    recorded: Recorded = None,
    json: Json = False,
) -> None:
    """逐月统计(各月末日):人数、层级、空缺、责任空档 / Month by month, on its last day."""
    from api import answers, answers_series

    if out is not None and (json or out.suffix not in (".xlsx", ".csv")):
        raise typer.BadParameter(
            "--out 写 .xlsx 或 .csv,不与 --json 同用 / --out is .xlsx or .csv, not --json"
        )

    def draw(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
        if out is not None:
            _write(out, data, lang)
        yield from _draw(data, lang)

    when = answers.When(effective, recorded)
    ask(
        context,
        lambda bureau: answers_series.series(bureau, of.value, first, last, when, unit),
        draw,
        as_json=json,
    )
    if out is not None:
        tell(context, f"已写入 {out}", f"written to {out}")


def _draw(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    months = data["months"]
    counts = [month["count"] for month in months]
    top = max((n for n in counts if n is not None), default=0)
    zh, en = _TITLES[data["of"]]
    if data["unit"]:
        zh, en = f"{zh} {data['unit']}", f"{en}, {data['unit']}"
    columns = [
        Column(("月末", "month's end"), folds=False),
        Column(("数", "count"), right=True, folds=False),
        Column(("", ""), folds=False),
    ]
    rows = [(m["day"], _number(m["count"], lang), bar(m["count"], top)) for m in months[-_MOST:]]
    yield table((zh, en), columns, rows, lang)
    if len(months) > _MOST:
        words = (
            f"只列出最后 {_MOST} 个月:用 --to、--out 或 --json",
            f"the last {_MOST} months: use --to, --out or --json",
        )
        yield Text(pick(words, lang), style="yellow")
    if lines := _by_key(months):
        yield _draw_lines(lines, months, lang)


def _draw_lines(
    lines: Mapping[str | None, Sequence[int | None]], months: Sequence[Any], lang: Lang
) -> RenderableType:
    columns = [
        Column(("项", "what")),
        *(Column(w, right=True, folds=False) for w in (
            (months[0]["month"],) * 2, (months[-1]["month"],) * 2, ("最多", "most"))),
        Column(("走势", "course"), folds=False),
    ]  # fmt: skip
    rows = []
    for key, counts in lines.items():
        known = [n for n in counts if n is not None]
        ends = (_number(counts[0], lang), _number(counts[-1], lang))
        rows.append((_key(key, lang), *ends, max(known, default="—"), sparkline(counts)))
    return table(("各项走势", "Each of them"), columns, rows, lang)


def _by_key(months: Sequence[Any]) -> dict[str | None, list[int | None]]:
    lines: dict[str | None, list[int | None]] = {}
    for month in months:
        for one in month["counts"]:
            lines.setdefault(one["key"], []).append(one["count"])
    return lines


def bar(count: int | None, top: int) -> str:
    """A bar of at most 48 signs, to the eighth of one."""
    if not count:
        return ""
    whole, eighths = divmod(round(count * _WIDTH * 8 / top), 8)
    return "█" * whole + (" ▏▎▍▌▋▊▉"[eighths] if eighths else "" if whole else "▏")


def sparkline(counts: Sequence[int | None]) -> str:
    """A line of at most 48 signs; of several months that share a sign, the last is drawn."""
    signs = min(len(counts), _WIDTH)
    shown = [counts[(n + 1) * len(counts) // signs - 1] for n in range(signs)]
    top = max((count for count in shown if count is not None), default=0) or 1
    return "".join(" " if n is None else _LEVELS[round(n * 7 / top)] for n in shown)


def _number(count: int | None, lang: str) -> str:
    return pick(NOT_RECORDED, lang) if count is None else f"{count:,}"


def _key(key: str | None, lang: str) -> str:
    if key is None:
        return pick(NOT_RECORDED, lang)
    return pick(_KEYS[key], lang) if key in _KEYS else coded("grade", key, lang)


def _write(out: Path, data: Mapping[str, Any], lang: str) -> None:
    from api.workbook import Sheet, write, write_csv

    first = data["months"][0]["counts"]
    headings = [pick(words, lang) for words in (("月末", "month's end"), _TITLES[data["of"]])]
    headings += [_key(one["key"], lang) for one in first]
    rows = [
        [
            month["day"],
            *(_cell(n) for n in (month["count"], *(c["count"] for c in month["counts"]))),
        ]
        for month in data["months"]
    ]
    sheet = Sheet(pick(_TITLES[data["of"]], lang), headings, rows)
    try:
        if out.suffix == ".csv":
            write_csv(out, sheet)
        else:
            write(out, [sheet])
    except OSError as fault:
        raise Failure(f"不能写入 {out}", f"cannot write to {out}") from fault


def _cell(count: int | None) -> str | int:
    return "" if count is None else count
