"""The retro report on the command line: a table, or a file for the pay office.

Owns `retro`. Invariant: what the law could have changed besides is said, never left out silently.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from api.cli.axes import draw_facts
from api.cli.frame import Effective, Json, Lang
from api.cli.out import Columns, Gb18030, Out, PrivateToo, ToFile, ask_or_save
from api.rendering import Column, money, pick, plain, table, word

_MOST = 200
"""Rows of a table shown; more go to a workbook or come as JSON."""

_ROSTER = (
    ("人员", "person"), ("姓名", "name"), ("事项", "facet"), ("前", "before"), ("后", "after"),
    ("依据登记", "entries"), ("事由", "because"),
)  # fmt: skip


def retro(
    context: typer.Context,
    *,
    before: Annotated[
        str, typer.Option("--from", metavar="POS|DATE", help="原先所知 / what was known then")
    ],
    recorded: Annotated[
        str | None, typer.Option("--to", metavar="POS|DATE", help="后来所知 / what is known later")
    ] = None,
    first: Annotated[
        str | None, typer.Option("--first-month", metavar="YYYY-MM", help="自哪个月 / first month")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--last-month", metavar="YYYY-MM", help="至哪个月 / last month")
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="含仅因规则变动者 / whom only the law touched, too")
    ] = False,
    placed: Annotated[
        bool,
        typer.Option("--roster", help="--out 写花名册变化 / of the roster, with --out"),
    ] = False,
    out: Out = None,
    columns: Columns = None,
    private: PrivateToo = False,
    gb18030: Gb18030 = False,
    effective: Effective = None,
    json: Json = False,
) -> None:
    """追溯差额:应补应扣谁、自何月、因哪条登记 / Who is owed what, since when, because of what."""
    from api import answers_axes, times

    when = times.When(effective, recorded)
    ask_or_save(
        context,
        "retro-roster" if placed else "retro",
        lambda bureau: answers_axes.retro(
            bureau, before, when, first_month=first, last_month=last, everyone=everyone
        ),
        _draw,
        ToFile(out, columns, private, gb18030),
        as_json=json,
    )


def _draw(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    since = data["before"]["recorded"]
    pay, recover = money(data["to_pay"]), money(-data["to_recover"])
    title = (
        f"自位置 {since} 以来:应补 {pay} 元,应扣回 {recover} 元,{len(data['owed'])} 人",
        f"Since position {since}: to pay {pay}, to recover {recover} yuan, {len(data['owed'])}",
    )
    columns = [
        Column(("人员", "person")),
        Column(("姓名", "name")),
        Column(("自月", "since"), folds=False),
        Column(("月数", "months"), right=True),
        Column(("应补(元)", "owed"), right=True, folds=False),
        Column(("依据登记", "entries")),
        Column(("事由", "because"), least=16),
    ]
    rows = [
        (
            one["person"], _name(data, one["person"], lang), one["since"][:7],
            len(one["months"]), money(one["owed"]), *_because(data, one["entries"], lang),
        )
        for one in data["owed"]
    ]  # fmt: skip
    yield table(title, columns, rows[:_MOST], lang)
    placed = list(_placed_rows(data, lang))
    if placed:
        day = data["day"]
        title = (f"{day} 的花名册有 {len(placed)} 处不同", f"Roster of {day}: {len(placed)}")
        yield table(title, [Column(words) for words in _ROSTER], placed[:_MOST], lang)
    if max(len(rows), len(placed)) > _MOST:
        words = (
            f"每表只列前 {_MOST} 行:用 --out(花名册变化另加 --roster)",
            f"first {_MOST} rows of each: use --out (and --roster for who stands elsewhere)",
        )
        yield Text(pick(words, lang), style="yellow")
    if data["law"] and not data["everyone"]:
        listed = " ".join(map(str, data["law"]))
        words = (
            f"▲ 其间规则或单位隶属有变(登记 {listed}):仅因此变动者未计,用 --everyone",
            f"▲ law or unit tree changed ({listed}): whom only that touched: --everyone",
        )
        yield Text(pick(words, lang), style="yellow")


def _name(data: Mapping[str, Any], person: str, lang: str) -> str:
    return word(data["people"].get(person, {}).get("name"), lang)


def _because(data: Mapping[str, Any], positions: Sequence[int], lang: str) -> tuple[str, str]:
    """The positions, and what was entered there and why."""
    cited = {one["position"]: one for one in data["entries"]}
    said = dict.fromkeys(
        pick((one["zh"], one["en"]), lang) + (f"({one['reason']})" if one["reason"] else "")
        for one in (cited[p] for p in positions)
    )
    return " ".join(map(str, positions)) or "—", plain("\n".join(said)) or "—"


def _placed_rows(data: Mapping[str, Any], lang: str) -> Iterator[tuple[str, ...]]:
    for one in data["roster"]:
        yield (
            one["person"], _name(data, one["person"], lang), pick((one["zh"], one["en"]), lang),
            draw_facts(one["before"], lang), draw_facts(one["after"], lang),
            *_because(data, one["entries"], lang),
        )  # fmt: skip
