"""Old workbooks and histories into the ledger.

Owns `import`. Invariant: without `--enter` nothing is entered; a private cell is on no screen, only
in the workbook of rejected rows that the clerk asks for.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from api.cli_frame import bring_up, clerk, console, frame, opened, progress, said, tell
from api.rendering import Column, pick, table

if TYPE_CHECKING:
    from api.intake import Fault, FileCount, Plan, Reason

FILES = Annotated[
    list[Path], typer.Argument(metavar="FILE…", exists=True, help="文件或目录 / files or folders")
]
MAPPING = Annotated[
    str, typer.Option("--mapping", help="对应表:名称或文件 / a mapping's name or file")
]


def import_(
    context: typer.Context,
    files: FILES,
    *,
    mapping: MAPPING,
    dated: Annotated[
        datetime | None,
        typer.Option("--dated", formats=["%Y-%m-%d"], help="表的截至日期 / the sheet's date"),
    ] = None,
    enter: Annotated[
        bool, typer.Option("--enter", help="登记;不给则只核对 / enter; else only check")
    ] = False,
    approved_by: Annotated[
        str | None,
        typer.Option("--approved-by", help="封账期间更改的批准人 / approver of closed periods"),
    ] = None,
    rejected: Annotated[
        Path | None,
        typer.Option("--rejected", help="退回的行写到该目录 / folder for rejected rows"),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=0, help="列出几条问题 / faults shown")] = 20,
) -> None:
    """导入花名册和历史数据,先核对后登记 / Import workbooks; checks first, enters on demand."""
    from api.intake import Importer, write_rejected

    lang = frame(context).lang
    page = console()
    with opened(context) as bureau:
        importer = Importer(bureau.ledger)
        with progress(context, "读取、核对", "Reading and checking", None):
            named = Path(mapping) if Path(mapping).suffix == ".toml" else mapping
            plan = importer.plan(files, named, dated.date() if dated else None)
        faults = plan.rejected
        if enter:
            with progress(context, "登记", "Entering", len(plan.drafts)) as done:
                report = importer.enter(plan, lambda n, _: done(n), clerk(), approved_by)
            faults = report.rejected
            bring_up(context, bureau)
            parts = [
                _files(report.files, lang),
                _events(("已登记", "Entered"), report.events, lang),
                Text(_told(context, report.already, report.position, report.seconds)),
            ]
        else:
            parts = [
                _files(plan.counts(), lang),
                _events(("将登记(未登记)", "Would be entered (nothing is)"), plan.events, lang),
            ]
        for part in (*parts, *_faults(plan, faults, rows, lang)):
            page.print(part)
        if rejected is not None:
            for path in write_rejected(plan, faults, rejected):
                tell(context, f"退回的行:{path}", f"Rejected rows: {path}")
        if not enter:
            tell(context, "以上未登记;登记请加 --enter。", "Nothing was entered; add --enter.")


def _told(context: typer.Context, already: int, position: int, seconds: float) -> str:
    return said(
        context,
        f"此前已登记 {already} 项;位置 {position};用时 {seconds:.1f} 秒",
        f"{already} were entered before; position {position}; {seconds:.1f} s",
    )


def _files(files: Sequence["FileCount"], lang: str) -> RenderableType:
    columns = [
        Column(("文件", "file")),
        Column(("工作表", "sheet")),
        Column(("行", "rows"), right=True),
        Column(("登记", "acts"), right=True),
        Column(("其中已有", "known"), right=True),
        Column(("无变化", "unchanged"), right=True),
        Column(("退回", "rejected"), right=True),
    ]
    return table(("文件", "Files"), columns, files, lang)


def _events(title: tuple[str, str], events: Counter[str], lang: str) -> RenderableType:
    from domain.events import REGISTRY

    columns = [Column(("事项", "event")), Column(("条数", "entries"), right=True)]
    rows = [
        (pick((REGISTRY[type_].zh, REGISTRY[type_].en), lang), f"{count:,}")
        for type_, count in events.most_common()
    ]
    total = events.total()
    title = (f"{title[0]} {total:,} 条", f"{title[1]}: {total:,}")
    return table(title, columns, rows, lang)


def _faults(
    plan: "Plan", rejected: Sequence["Fault"], most: int, lang: str
) -> Iterator[RenderableType]:
    """How many rows each rule concerns, then the first faults one by one."""
    found = [*((fault, True) for fault in rejected), *((fault, False) for fault in plan.warnings)]
    if not found:
        return
    columns = [
        Column(("问题", "fault"), least=20),
        Column(("处理", "treated"), folds=False),
        Column(("条数", "count"), right=True),
        Column(("如何改正", "how to mend"), least=20),
    ]
    wordings: dict[str, Counter[Reason]] = {}
    for fault, _ in found:
        wordings.setdefault(fault.reason.rule, Counter())[fault.reason] += 1
    rows = []
    for reasons in sorted(wordings.values(), key=Counter.total, reverse=True):
        reason = reasons.most_common(1)[0][0]
        others = pick((" 等", " etc."), lang) if len(reasons) > 1 else ""
        treated = ("退回", "rejected") if reason.rejects else ("提示", "warned")
        mend = pick((reason.mend_zh, reason.mend_en), lang)
        said = pick((reason.zh, reason.en), lang) + others
        rows.append((said, pick(treated, lang), reasons.total(), mend))
    yield table(("行的问题", "Faults of rows"), columns, rows, lang)
    yield _one_by_one(found[:most], lang)
    if len(found) > most:
        words = (f"另有 {len(found) - most} 条,见 --rejected", f"{len(found) - most} more")
        yield Text(pick(words, lang), style="dim")


def _one_by_one(found: Iterable[tuple["Fault", bool]], lang: str) -> RenderableType:
    columns = [
        Column(("文件", "file")),
        Column(("行", "row"), right=True),
        Column(("列", "column")),
        Column(("原文", "cell")),
        Column(("问题", "fault"), least=20),
    ]
    rows = [
        (
            fault.file,
            fault.row or "—",
            fault.heading or "—",
            pick(("(保密)", "(private)"), lang) if fault.private else fault.cell,
            Text(pick((fault.reason.zh, fault.reason.en), lang), "red" if rejects else "yellow"),
        )
        for fault, rejects in found
    ]
    return table(("逐行", "Row by row"), columns, rows, lang)
