"""Making a ledger, serving it, and proving that its records are what its entries give.

Owns `init`, `demo`, `serve`, `replay` and `bench`. Invariant: `init` adds only what is not yet
published, so running it again changes nothing.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from pathlib import Path
from typing import Annotated

import typer

from api.cli.frame import (
    RED,
    Failure,
    asking,
    clerk,
    console,
    failing,
    frame,
    opened,
    progress,
    said,
    settings,
    tell,
    warn_of_backup,
)
from api.cli.roles import equipped, print_roles
from api.cli.vault import print_parts

LOOPBACK = "127.0.0.1"
LAW = ("PackPublished", "CalendarPublished")

replay = typer.Typer(help="重放与核验 / Rebuild and verify the records.", no_args_is_help=True)


def init(
    context: typer.Context,
    pack: Annotated[
        list[str] | None,
        typer.Option("--pack", help="规则包代码,可多次;不给则全部 / pack code; default all"),
    ] = None,
    sql: Annotated[
        bool,
        typer.Option("--sql", help="只印出数据库角色的 SQL / only print the SQL of the roles"),
    ] = False,
) -> None:
    """建立账本,发布规则包和工作日历 / Make the ledger; publish the law."""
    from api.publishing import NotPackaged, publish_law

    if sql:
        print_roles(context)
        return
    with equipped(context) as bureau:
        if bureau is None:
            return
        if bureau.kek_made or not bureau.ledger.log.head():
            print_parts(context, bureau.kek)  # first: what comes after may fail
        try:
            published = publish_law(bureau.ledger, pack, clerk())
        except NotPackaged as unknown:
            raise Failure(
                f"没有规则包 {'、'.join(unknown.codes)};现有 {'、'.join(unknown.packaged)}",
                f"no pack {', '.join(unknown.codes)}; there are {', '.join(unknown.packaged)}",
            ) from unknown
        head = bureau.ledger.moment().position
        if published:
            listed = "、".join(published)
            tell(context, f"已发布 {listed}。", f"Published {', '.join(published)}.")
        else:
            tell(context, "均已发布,未作改动。", "All is published; nothing was changed.")
        where = bureau.settings.data if bureau.embedded else "PERSONNEL_LEDGER_DATABASE"
        console().print(
            said(context, f"账本 {where},位置 {head}。", f"Ledger {where}, position {head}."),
            markup=False, soft_wrap=True,
        )  # fmt: skip


def demo(
    context: typer.Context,
    people: Annotated[
        int,
        typer.Option("--people", min=100, max=42_000, help="虚构多少名辅警 / how many auxiliaries"),
    ] = 42_000,
) -> None:
    """演示:虚构一个公安局并逐项查询 / Invent a bureau and ask it what its users ask."""
    from api import demo as invented
    from api.settings import MOST_DAYS, Bureau

    chosen = frame(context)
    context.obj = chosen._replace(data=chosen.data or Path("var/demo"))
    told = settings(context)._replace(backup_days=MOST_DAYS)  # what is invented needs no backup
    with failing(), Bureau(told) as bureau:
        real = (e for e in bureau.ledger.entries() if e.type not in LAW)
        first = next(real, None)
        if first is not None and first.envelope["actor"]["issuer"] != "demo":
            raise Failure(
                "该账本已有真实登记,演示须用另一目录(--data)",
                "this ledger has entries of its own; give the demonstration another --data",
            )
        reader = bureau.reader.stating(bureau.reader.purpose or "演示", bureau.reader.case)
        size = invented.Size.of(people)
        if not invented.run(bureau.read_by(reader), console(), chosen.lang, size):
            raise typer.Exit(RED)


def serve(
    context: typer.Context,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="端口 / port")] = 8000,
    host: Annotated[
        str, typer.Option("--host", help="监听地址;须先设身份提供方 / needs an identity provider")
    ] = LOOPBACK,
) -> None:
    """启动接口服务 / Serve the API; by default to this machine."""
    from api import app
    from api.stamping import StampingUnfit
    from api.tokens import AccessUnfit
    from api.witnessing import WitnessUnfit

    with asking(context) as bureau:
        if bureau.settings.guarded:
            tell(
                context,
                f"监听 http://{host}:{port};每个请求均须出示令牌或密钥。",
                f"Listening on http://{host}:{port}; every request needs a token or a key.",
            )
        else:
            tell(
                context,
                f"只监听本机 http://{host}:{port};未设身份提供方,本机用户可做一切。",
                f"Listening on http://{host}:{port} only; without an identity provider whoever "
                "uses this machine may do everything.",
            )
        if bureau.embedded:
            tell(
                context,
                "内置数据库为单用户使用,数据库角色不起作用。",
                "The embedded server is for a single user: database roles are not enforced.",
            )
        warn_of_backup(context, bureau)
        try:
            app.serve(bureau, host, port)
        except app.NotLoopbackError as beyond:
            raise Failure("未设身份提供方,只能监听本机", str(beyond)) from beyond
        except AccessUnfit as unfit:
            raise Failure(f"身份提供方的设置不全或有误:{unfit}", str(unfit)) from unfit
        except WitnessUnfit as unfit:
            raise Failure(f"见证人的地址或公钥有误:{unfit}", str(unfit)) from unfit
        except StampingUnfit as unfit:
            raise Failure(f"时间戳机构的地址或证书有误:{unfit}", str(unfit)) from unfit


@replay.command()
def rebuild(context: typer.Context) -> None:
    """由账本重建查询表,查询不中断 / Rebuild the records from the log."""
    from replay.rebuild import rebuild as run

    with opened(context) as bureau:
        with progress(context, "重建", "Rebuilding", 1.0) as done:
            rebuilt = run(bureau.runner, bureau.database, done)
        zh = f"已由 {rebuilt.entries} 条登记重建 {rebuilt.facts} 行。"
        en = f"Rebuilt {rebuilt.facts} rows from {rebuilt.entries} entries."
        console().print(said(context, zh, en))


@replay.command()
def verify(context: typer.Context) -> None:
    """重放全部登记,与查询表逐行比对 / Refold the log and compare every row."""
    from replay.verify import sentences
    from replay.verify import verify as run

    with asking(context) as bureau:
        with progress(context, "核验", "Verifying", 1.0) as done:
            verdict = run(bureau.runner, bureau.database, done)
        for zh, en in sentences(verdict):
            console().print(said(context, zh, en), markup=False)
        if bureau.embedded:
            tell(
                context,
                "内置数据库为单用户使用,数据库角色不起作用。",
                "The embedded server is for a single user: database roles are not enforced.",
            )
        if not verdict.green:
            raise typer.Exit(RED)


def bench(context: typer.Context) -> None:
    """如何测量性能 / How to measure."""
    tell(context, "测量:在项目目录运行 make bench", "To measure, run: make bench")
