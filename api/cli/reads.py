"""Who has read: the reads on record in which a person was.

Owns `who-read`. Invariant: a list that cannot be put again as it was is shown as one that may have
been about the person, never left out.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from api.cli.frame import Json, Lang, PersonArg, ask
from api.rendering import Column, instant, pick, table, word


def who_read(
    context: typer.Context,
    person: PersonArg,
    *,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="自哪日 / from this day")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="至哪日 / to this day")
    ] = None,
    json: Json = False,
) -> None:
    """谁查阅过此人的档案,含名单 / Who has read this person's record, lists included."""
    from api import feed, looked  # noqa: F401 - what a follower was told is put again too

    ask(
        context,
        lambda bureau: looked.who_read(bureau, person, first, last),
        _draw,
        as_json=json,
    )


_OUTCOMES = {"allowed": ("已答复", "answered"), "denied": ("拒绝", "denied")}


def _draw(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    columns = [
        Column(("位置", "pos."), right=True, folds=False),
        Column(("时间", "when"), folds=False),
        Column(("何人", "who")),
        Column(("所问", "asked")),
        Column(("私密字段", "private")),
        Column(("用途", "purpose"), least=8),
        Column(("案件", "case")),
        Column(("结果", "outcome"), least=6),
    ]
    rows = []
    for read in data["reads"]:
        actor = read["actor"]
        among = f"{read['count']} 人之一", f"one of {read['count']}"
        outcome = [pick(_OUTCOMES[read["outcome"]], lang)]
        if read["list"]:
            outcome.append(pick(among, lang))
        if not read["sure"]:
            outcome.append(pick(("不能确定", "not certain"), lang))
        rows.append(
            (
                read["position"], instant(read["at"]),
                f"{actor['subject']} ({word(actor['role'], lang)})",
                read.get("question", "—"), " ".join(read.get("classes", ())) or "—",
                read.get("purpose", "—"), read.get("case", "—"), "\n".join(outcome),
            )
        )  # fmt: skip
    zh, en = f"查阅 {data['person']} 的记录 {data['count']} 条", f"Reads of {data['person']}"
    yield table((zh, f"{en}: {data['count']}"), columns, rows, lang)
