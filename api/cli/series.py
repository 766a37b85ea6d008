"""Series by month on the command line: a table with bars, a line a key, or a file.

Owns `series`. Invariant: a bar and a line are drawn from zero, and a month in which the unit was
not recorded has none.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from api.cli.frame import FirstMonth, Lang, LastMonth
from api.cli.out import Asked, answered
from api.rendering import Column, coded, pick, table
from api.words import CODES, NOT_RECORDED, Words

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
    return coded("key" if ("key", key) in CODES else "grade", key, lang)


@answered(_draw, "series")
def series(
    asked: Asked,
    of: Annotated[Of, typer.Argument(metavar="OF", help="headcount pyramid vacancies gaps")],
    *,
    first: FirstMonth = None,
    last: LastMonth = None,
    unit: Annotated[str | None, typer.Option("--unit", help="单位标识 / unit")] = None,
) -> Mapping[str, Any]:
    """逐月统计(各月末日):人数、层级、空缺、责任空档 / Month by month, on its last day."""
    from api import answers_series

    return answers_series.series(asked.bureau, of.value, first, last, asked.when, unit)
