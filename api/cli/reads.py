"""Who has read: the reads on record in which a person was; cutting off those whose term is over.

Owns `who-read` and `reads cut`. Invariant: a list that cannot be put again as it was is shown as
one that may have been about the person, never left out; nothing is cut off without an order on
record.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from api.cli.frame import (
    Failure,
    Json,
    Lang,
    PersonArg,
    asking,
    clerk,
    console,
    progress,
    said,
    tell,
)
from api.cli.out import Columns, Gb18030, Out, ToFile, ask_or_save
from api.rendering import Column, coded, instant, pick, table, word

if TYPE_CHECKING:
    from api.settings import Bureau
    from domain.ledger.cutting import Order
    from domain.ledger.roles import Owning

reads = typer.Typer(help="查阅日志 / The log of reads.", no_args_is_help=True)


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
    out: Out = None,
    columns: Columns = None,
    gb18030: Gb18030 = False,
    json: Json = False,
) -> None:
    """谁查阅过此人的档案,含名单 / Who has read this person's record, lists included."""
    from api import feed, looked  # noqa: F401 - what a follower was told is put again too

    ask_or_save(
        context,
        "reads",
        lambda bureau: looked.who_read(bureau, person, first, last),
        _draw,
        ToFile(out, columns, gb18030=gb18030),
        as_json=json,
    )


@reads.command("cut")
def cut(
    context: typer.Context,
    *,
    before: Annotated[
        str | None,
        typer.Option("--before", metavar="DATE", help="早于该日的整个分区 / what is older"),
    ] = None,
    ground: Annotated[
        str | None, typer.Option("--ground", help="依据:留存期届满的规定 / the term's article")
    ] = None,
    document: Annotated[
        str | None, typer.Option("--document", help="批准文号 / the paper's number")
    ] = None,
    approved_by: Annotated[
        str | None, typer.Option("--approved-by", help="批准人 / who approves")
    ] = None,
    enter: Annotated[
        bool, typer.Option("--enter", help="登记并执行;不给则只说明 / do it; else only tell")
    ] = False,
) -> None:
    """销毁留存期届满的查阅日志(整个分区) / Cut off reads whose term is over, by whole partitions.

    不给 --before 则继续执行此前已登记而未完成的销毁 / without it, a cut that broke off goes on.
    """
    from datetime import date

    from api.cutting import require_free
    from api.times import day_of
    from domain.events import Document
    from domain.ledger import cutting
    from domain.ledger.reads import PREFIX
    from domain.ledger.roles import owning

    if (before is None) != (ground is None):
        raise typer.BadParameter("--before 与 --ground 须同时给出 / give both or neither")
    with asking(context) as bureau:
        day = day_of(before, "before")
        rows, order = cutting.awaiting(bureau.ledger, bureau.reads, day)
        if not rows:
            tell(context, "没有待执行的销毁。", "There is nothing left to cut.")
            return
        require_free(bureau, rows, order.before if order else day or date.max)
        if not enter:
            zh = f"将销毁查阅日志前 {rows} 条;执行请加 --enter。"
            tell(context, zh, f"The first {rows} reads would go; to do it, add --enter.")
            return
        # before anything is entered: whoever may not do it orders nothing
        with owning(bureau.settings.owner or bureau.database, PREFIX) as owner:
            if order is None:
                what = cutting.act(bureau.reads, rows, day or date.max, ground or "")
                paper = Document(number=document) if document else None
                order = cutting.order(bureau.ledger, what, clerk(), paper, approved_by)
            with progress(context, "销毁", "Cutting", rows) as done:
                _carry_out(owner, bureau, order, done)
    zh = f"查阅日志前 {order.rows} 条已销毁,依据登记 {order.position};其散列仍在。"
    en = f"The first {order.rows} reads are gone, by entry {order.position}; their hashes stay."
    console().print(said(context, zh, en), markup=False)


def _carry_out(
    owner: "Owning", bureau: "Bureau", order: "Order", done: Callable[[int], None]
) -> None:
    from psycopg.errors import LockNotAvailable

    from domain.ledger.cutting import carry_out

    try:
        carry_out(owner, bureau.reads, order, done)
    except LockNotAvailable as busy:
        raise Failure(
            "数据库正忙,未能完成;再执行一次 reads cut --enter 即继续",
            "the database is busy and it broke off; run reads cut --enter again to go on",
        ) from busy


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
        outcome = [coded("read", read["outcome"], lang)]
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
    if (gone := data["cut"]) is not None:
        rows, day, entry = gone["rows"], gone["before"], gone["entry"]
        zh = f"查阅日志前 {rows} 条({day} 以前)已由登记 {entry} 到期销毁。"
        en = f"The first {rows} reads (before {day}) are gone, by entry {entry}."
        yield Text(pick((zh, en), lang), style="yellow")
