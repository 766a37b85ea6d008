"""What every command shares: the opened bureau, the two times, the two ways out (table, JSON).

Owns how a command opens, waits, answers and fails. Invariant: answers go to standard output,
everything else to standard error; a failure is one sentence in two languages and an exit code.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from shutil import get_terminal_size
from threading import Timer
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from api.cli.usage import UsageError, misused, wants_help
from domain.refusals import ImpactRefused, Refusal

if TYPE_CHECKING:
    from api.reader import Reader
    from api.settings import Bureau, Settings
    from domain.events import Actor

WIDEST = 100
LONG_SECONDS = 0.6
REFUSED, MISUSED, RED, FAULT = 1, 2, 3, 70
"""Exit codes: refused or impossible; bad use of a command; a verification that is not green; a
fault of the program.
"""


class Lang(StrEnum):
    ZH = "zh"
    EN = "en"


class Frame(NamedTuple):
    """The options that stand before the command; what its reads are for, and for which case."""

    data: Path | None
    lang: Lang
    purpose: str | None = None
    case: str | None = None


class Failure(Exception):
    """Something outside the ledger's judgement stops a command; said in two languages."""

    def __init__(self, zh: str, en: str) -> None:
        self.zh = zh
        self.en = en
        super().__init__(en)


Effective = Annotated[
    str | None,
    typer.Option("--effective", "-e", metavar="DATE", help="生效时点:某日的状态 / as of this day"),
]
Recorded = Annotated[
    str | None,
    typer.Option(
        "--recorded", "-r", metavar="POS|DATE|INSTANT",
        help="认知时点:账本当时所知 / as the ledger stood then",
    ),
]  # fmt: skip
FirstMonth = Annotated[
    str | None, typer.Option("--from", metavar="YYYY-MM", help="自哪个月 / first month")
]
LastMonth = Annotated[
    str | None, typer.Option("--to", metavar="YYYY-MM", help="至哪个月 / last month")
]
Json = Annotated[bool, typer.Option("--json", help="输出与接口相同的 JSON / the API's answer")]
PersonArg = Annotated[str, typer.Argument(metavar="PERSON", help="人员标识 / person's id")]
UnitArg = Annotated[str | None, typer.Argument(metavar="UNIT", help="单位标识 / unit's id")]


def console(*, error: bool = False) -> Console:
    width = min(get_terminal_size((WIDEST, 24)).columns, WIDEST)
    return Console(stderr=error, width=width, highlight=False)


def said(context: typer.Context, zh: str, en: str) -> str:
    """The sentence in the language asked for."""
    return en if frame(context).lang is Lang.EN else zh


def clerk() -> "Actor":
    """Who enters: the login name on this machine."""
    from getpass import getuser

    from domain.events import Actor

    return Actor(subject=getuser())


def tell(context: typer.Context, zh: str, en: str) -> None:
    """A remark beside the answer."""
    console(error=True).print(said(context, zh, en), markup=False)


def tell_whole(text: str) -> None:
    """A key, a code: in one piece however narrow the terminal is, so that it can be copied."""
    console(error=True).print(text, markup=False, soft_wrap=True)


def frame(context: typer.Context) -> Frame:
    found = context.find_object(Frame)
    return found or Frame(None, Lang.ZH)


@contextmanager
def opened(context: typer.Context) -> Iterator["Bureau"]:
    """The bureau's ledger. Raises Failure where it cannot be opened or is lost on the way."""
    from api.settings import Bureau

    with failing(), Bureau(settings(context)) as bureau:
        if bureau.kek_made:
            tell(
                context,
                f"已新建主密钥 {bureau.settings.kek_path}:请印出恢复码分人保管(vault split)。",
                f"A new key-encryption key, {bureau.settings.kek_path}: print its recovery parts "
                "(vault split).",
            )
        yield bureau.read_by(_reader(context, bureau))


def settings(context: typer.Context) -> "Settings":
    """Raises Failure."""
    from api.settings import BadSetting, Settings

    try:
        return Settings.of(frame(context).data)
    except BadSetting as bad:
        raise Failure(f"设置 {bad} 取值不合格式", f"{bad} has a value it cannot have") from bad


@contextmanager
def failing() -> Iterator[None]:
    """What goes wrong with the databases meanwhile is said as a Failure."""
    import logging

    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    import psycopg
    from psycopg_pool import PoolTimeout

    from domain.ledger.appends import Malformed
    from domain.ledger.keyfile import KeyUnfit
    from domain.ledger.roles import NotOwner
    from domain.ledger.server import ServerFailed
    from domain.ledger.wrapping import VaultUnfit
    from projections.runner import Lagging

    # a stopped command, too, closes what it opened
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    except (VaultUnfit, KeyUnfit, Malformed) as unfit:
        raise Failure(f"账本与密钥库或数据库不相配:{unfit}", str(unfit)) from unfit
    except ServerFailed as failed:
        raise Failure(f"内置数据库不能启动:{failed}", str(failed)) from failed
    except (psycopg.OperationalError, PoolTimeout) as lost:
        raise Failure(
            f"数据库不可用({type(lost).__name__})",
            f"the database is out of reach ({type(lost).__name__})",
        ) from lost
    except psycopg.errors.InsufficientPrivilege as denied:
        why = denied.diag.message_primary or "permission denied"
        raise Failure(
            f"数据库角色无此权限({why});升级后请以可建角色的账号运行 init",
            f"this database role may not do that ({why}); after an upgrade, run init as a role"
            " that may create roles",
        ) from denied
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as gone:
        what = gone.diag.message_primary or "a table is gone"
        raise Failure(
            f"账本的表或列缺失或已被改动:{what}", f"not the ledger's tables: {what}"
        ) from gone
    except NotOwner as other:
        raise Failure(
            f"须以可充当角色 {other.role} 的数据库账号执行:设 PERSONNEL_LEDGER_OWNER 为其连接串",
            f"{other}: set PERSONNEL_LEDGER_OWNER to how it connects",
        ) from other
    except Lagging as lagging:
        raise Failure("查询表尚未跟上账本,请稍后再试", f"{lagging}; try again") from lagging


def _reader(context: typer.Context, bureau: "Bureau") -> "Reader":
    """Whoever runs the command. Raises BadInput."""
    from api.reader import Reader

    told = frame(context)
    command = context.command_path.partition(" ")[2]
    return Reader(bureau.reads, clerk(), f"cli {command}").stating(told.purpose, told.case)


@contextmanager
def asking(context: typer.Context) -> Iterator["Bureau"]:
    """The bureau with its records brought up to the log's head."""
    with opened(context) as bureau:
        bring_up(context, bureau)
        yield bureau


def warn_of_backup(context: typer.Context, bureau: "Bureau") -> None:
    """A remark where the vault's newest backup is older than it may be."""
    made_at, late = bureau.vault_backup()
    if not late:
        return
    days = bureau.settings.backup_days
    zh = (
        "密钥库从未备份"
        if made_at is None
        else f"密钥库上次备份于 {made_at:%Y-%m-%d},已超过 {days} 天"
    )
    en = (
        "the vault was never backed up"
        if made_at is None
        else f"the vault's last backup, of {made_at:%Y-%m-%d}, is older than {days} days"
    )
    tell(context, f"注意:{zh}(vault backup)。", f"Note: {en} (vault backup).")


def bring_up(context: typer.Context, bureau: "Bureau") -> None:
    """Take in what the records lack; where that is most of a long log, rebuild them instead."""
    from projections.filling import ALONE_BELOW
    from replay.rebuild import rebuild

    start, head = bureau.runner.position(), bureau.ledger.moment().position
    behind = head - start
    if behind > max(ALONE_BELOW, start):
        with progress(context, "重建查询表", "Rebuilding the records", 1.0) as done:
            rebuild(bureau.runner, bureau.database, done)
    elif behind > 0:
        with progress(context, "更新查询表", "Taking in entries", behind) as done:
            for position in bureau.runner.catch_up():
                done(position - start)


@contextmanager
def progress(
    context: typer.Context, zh: str, en: str, total: float | None
) -> Iterator[Callable[[float], None]]:
    """A bar on standard error with rate and time left; it is told how much is done.

    A total of 1 is a share and has no rate; None is work of unknown length.
    """
    screen = console(error=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(bar_width=30),
        TaskProgressColumn(), TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
        console=screen, transient=True, disable=not screen.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task(said(context, zh, en), total=total, rate="")

        def done(amount: float) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f}/s" if speed and total != 1 else ""
            bar.update(task, completed=amount, rate=rate)

        yield done


@contextmanager
def patience(
    context: typer.Context, zh: str = "查询中", en: str = "Asking"
) -> Iterator[Callable[[float], None]]:
    """A bar on standard error, with the time taken, for what may take a while: it moves until it is
    told the share that is done, then shows that and the time left.
    """
    screen = console(error=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(bar_width=30),
        TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        console=screen, transient=True, disable=not screen.is_terminal,
    )  # fmt: skip
    task = bar.add_task(said(context, zh, en), total=None)
    late = Timer(LONG_SECONDS, bar.start)
    late.start()
    try:
        yield lambda share: bar.update(task, total=1.0, completed=share)
    finally:
        late.cancel()
        late.join()
        bar.stop()


Draw = Callable[[Mapping[str, Any], Lang], Iterator[RenderableType]]


def ask(
    context: typer.Context,
    question: Callable[["Bureau"], Mapping[str, Any]],
    draw: Draw,
    *,
    as_json: bool,
) -> None:
    """Put a question and show its answer.

    An amber line where a time is set back, the tables of its data, its two times and position.
    """
    from api.rendering import footing, heading, identity

    with asking(context) as bureau:
        now = (bureau.ledger.today().isoformat(), bureau.ledger.moment().position)

        def page(answer: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
            yield from heading(answer["as_of"], now, lang)
            yield from identity(answer["data"], lang)
            yield from draw(answer["data"], lang)
            yield footing(answer["as_of"], lang)

        with patience(context) as done:
            answer = question(bureau.telling(done))
        show(context, answer, page, as_json=as_json)


def show(
    context: typer.Context,
    answer: Mapping[str, Any],
    draw: Draw,
    *,
    as_json: bool,
) -> None:
    """The answer as tables, or as the very bytes the API would send."""
    import orjson

    from api.entries import to_bytes

    body = to_bytes(answer)
    if as_json:
        sys.stdout.buffer.write(body)
        if sys.stdout.isatty():
            sys.stdout.buffer.write(b"\n")
        return
    page = console()
    for part in draw(orjson.loads(body), frame(context).lang):
        page.print(part)


def refused(refusal: Refusal) -> Iterator[str]:
    """A refusal in words: what, where and by which article; Chinese first."""
    where = [] if refusal.field is None else [f"字段 {refusal.field}"]
    there = [] if refusal.field is None else [f"field {refusal.field}"]
    if refusal.index is not None:
        where.append(f"第 {refusal.index + 1} 项")
        there.append(f"act {refusal.index + 1}")
    if refusal.article is not None:
        where.append(f"依据 {refusal.article}")
        there.append(f"under {refusal.article}")
    if refusal.position is not None:
        where.append(f"见登记 {refusal.position}")
        there.append(f"see entry {refusal.position}")
    yield f"✗ {refusal.detail_zh}" + (f"({';'.join(where)})" if where else "")
    yield f"  {refusal.detail} [{'; '.join([refusal.code, *there])}]"
    for impact in refusal.impacts if isinstance(refusal, ImpactRefused) else ():
        yield from undermined(impact)


def undermined(impact: Mapping[str, Any]) -> Iterator[str]:
    """An entry that would be undermined, in words: which, why and by which article."""
    refusal = impact["refusal"]
    zh, en = f"登记 {impact.get('position')}", f"entry {impact.get('position')}"
    if "act" in impact:
        zh, en = f"第 {impact['act'] + 1} 项", f"act {impact['act'] + 1}"
    article = refusal.get("article")
    day = impact["effective"]
    why = f"({article})" if article else ""
    yield f"  · {zh} {impact['zh']}({day}):{refusal['detail_zh']}{why}"
    under = f" [{refusal['code']}; under {article}]" if article else f" [{refusal['code']}]"
    yield f"    {en} {impact['en']} ({day}): {refusal['detail']}{under}"


def run(app: Callable[[], Any]) -> None:
    """Run the command line, which answers its exit code if it has one, and leave with that; nothing
    escapes as a traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a GBK terminal lacks some signs
    try:
        code = app()
    except Exception as fault:  # noqa: BLE001 - the last stop: what it is decides what is said
        lines, code = _last_words(fault)
        for line in lines:
            console(error=True).print(line, markup=False, soft_wrap=True)
    sys.exit(code if isinstance(code, int) else 0)


def _last_words(fault: Exception) -> tuple[list[str], int]:
    """What is said of a fault, and the exit code. The text of a fault of the program may hold
    private values: only its kind and place are told.
    """
    if isinstance(fault, Refusal):
        return list(refused(fault)), REFUSED
    if isinstance(fault, Failure):
        return [f"✗ {fault.zh}", f"  {fault.en}"], REFUSED
    if isinstance(fault, UsageError):
        return [fault.format_message()] if wants_help(fault) else misused(fault), MISUSED
    if isinstance(fault, typer.Abort):
        return ["✗ 已中止", "  aborted"], REFUSED
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_globals['__name__']}:{trace.tb_lineno}" if trace else "?"
    kind = type(fault).__name__
    return [f"✗ 程序故障 {kind}({place})", f"  a fault of the program: {kind} at {place}"], FAULT
