"""Old workbooks and histories into the ledger.

Owns `import`, its list of batches and their undoing. Invariant: without `--enter` nothing is
entered; a private cell is on no screen, only in the workbook of rejected rows that the clerk asks
for.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import RenderableType
from rich.text import Text
from typer.core import TyperGroup

from api.cli.entering import APPROVED
from api.cli.frame import (
    REFUSED,
    Failure,
    asking,
    bring_up,
    clerk,
    console,
    frame,
    opened,
    progress,
    said,
    tell,
)
from api.cli.importing_drawn import (
    draw_batches,
    draw_dependents,
    draw_events,
    draw_faults,
    draw_files,
    draw_given,
    draw_lists,
)
from api.cli.out import Asked, answered

if TYPE_CHECKING:
    from api.intake import Mapping as FileMapping
    from api.intake import Plan, Report
    from api.intake.account import Account
    from api.settings import Bureau
    from domain.events import Document

FILES = Annotated[list[Path], typer.Argument(metavar="FILE…", help="文件或目录 / files or folders")]
MAPPING = Annotated[
    str | None,
    typer.Option(
        "--mapping", help="对应表的名称、文件,或事项名(模板);模板可省略 / a mapping, or a type"
    ),
]
DOCUMENT = Annotated[str | None, typer.Option("--document", help="所据文号 / the paper's number")]
ATTESTED = Annotated[
    str | None, typer.Option("--attested-by", help="模板:补登,由谁佐证 / of a template: attested")
]


ACCOUNT = Annotated[
    Path | None,
    typer.Option("--report", metavar="HTML", help="可打印的导入报告写到该文件 / a page to print"),
]
PLANNED = Annotated[
    Path | None,
    typer.Option(
        "--planned", metavar="FILE", help="逐行将登记的事项写成 .xlsx 或 .csv / act by act"
    ),
]
REJECTED = Annotated[
    Path | None, typer.Option("--rejected", help="退回的行写到该目录 / folder for rejected rows")
]
BATCH = Annotated[
    str, typer.Argument(metavar="BATCH", help="批次号或其开头 / a batch or how its id begins")
]
SHEET = Annotated[
    str | None, typer.Option("--sheet", metavar="NAME", help="读这张工作表 / the sheet to read")
]
ENTER = Annotated[bool, typer.Option("--enter", help="登记;不给则只核对 / enter; else only check")]


Promotion = Literal["assessment", "selection", "natural"]
Ground = Literal["sanction", "assessment"]


class FilesFirst(TyperGroup):
    """`import FILE…` is what `import` means where no other command of it is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["files", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=FilesFirst, no_args_is_help=True,
    help="导入花名册和历史数据,列出和撤销批次 / Import workbooks; list and undo batches.",
)  # fmt: skip


@app.command("files")
def import_(
    context: typer.Context,
    files: FILES,
    *,
    mapping: MAPPING = None,
    sheet: SHEET = None,
    document: DOCUMENT = None,
    attested_by: ATTESTED = None,
    promoted_by: Annotated[
        Promotion | None,
        typer.Option("--promoted-by", help="花名册中层级升高的方式 / how promoted"),
    ] = None,
    demoted_by: Annotated[
        Ground | None, typer.Option("--demoted-by", help="花名册中层级降低的事由 / why demoted")
    ] = None,
    dated: Annotated[
        datetime | None,
        typer.Option("--dated", formats=["%Y-%m-%d"], help="表的截至日期 / the sheet's date"),
    ] = None,
    enter: ENTER = False,
    approved_by: APPROVED = None,
    rejected: REJECTED = None,
    planned: PLANNED = None,
    account: ACCOUNT = None,
    rows: Annotated[int, typer.Option("--rows", min=0, help="列出几条问题 / faults shown")] = 20,
) -> None:
    """导入花名册和历史数据,先核对后登记 / Import workbooks; checks first, enters on demand."""
    from api.intake import Importer, Ways
    from api.intake.account import Account

    _require(files)
    lang, page = frame(context).lang, console()
    paper = _paper(number=document) if document else None
    with opened(context) as bureau:
        importer = Importer(bureau.ledger, bureau.records)
        known = _mapping(files, mapping, attested_by)
        bring_up(context, bureau)
        with progress(context, "读取、核对", "Reading and checking", None):
            day, ways = dated.date() if dated else None, Ways(promoted_by, demoted_by)
            plan = importer.plan(files, known, day, ways, approved_by, sheet)
        _put_on_record(bureau, plan)
        faults, report = plan.rejected, None
        _write_planned(context, plan, planned)
        if enter:
            if paper is None and _changes(plan):
                paper = _paper_asked_for(context)
            with progress(context, "登记", "Entering", len(plan.drafts)) as done:
                report = importer.enter(plan, lambda n, _: done(n), clerk(), approved_by, paper)
            faults = report.rejected
            bring_up(context, bureau)
            parts = _entered(context, plan, report)
        else:
            parts = _checked(plan, lang)
        more = draw_faults(plan, faults, rows, lang, written=rejected is not None)
        for part in (*parts, *draw_lists(plan.lines, rows, lang), *more):
            page.print(part)
        _write(context, Account(plan, report, clerk(), datetime.now(UTC), paper), rejected, account)
        if not enter:
            _tell_what_next(context, plan, named=paper is not None)


def _require(files: Sequence[Path]) -> None:
    """Before a ledger is opened, or made, for them. Raises Failure."""
    for file in files:
        if not file.exists():
            raise Failure(f"没有文件 {file}", f"there is no file {file}")


def _paper(**said: str) -> "Document":
    """Raises BadInput, field by field."""
    from api.entries import checked_bytes, to_bytes
    from domain.events import Document

    return checked_bytes(Document, to_bytes(said))


def _changes(plan: "Plan") -> bool:
    return any(line.standing == "changed" for line in plan.lines)


def _paper_asked_for(context: typer.Context) -> "Document | None":
    """The paper that all the changes rest on, or why there is none, where somebody is there to be
    asked.
    """
    if not sys.stdin.isatty():
        return None

    def asked(zh: str, en: str) -> str:
        answer: str = typer.prompt(said(context, zh, en), "", show_default=False, err=True)
        return answer.strip()

    if number := asked("变更所据文号(没有则直接回车)", "The paper of the changes (none: Enter)"):
        return _paper(number=number)
    reason = asked("为何没有文件(不说明则直接回车)", "Why there is none (not stated: Enter)")
    return _paper(none_because=reason) if reason else None


def _tell_what_next(context: typer.Context, plan: "Plan", *, named: bool) -> None:
    """How to enter what was only checked; `named`: its paper is."""
    tell(context, "以上未登记;登记请加 --enter。", "Nothing was entered; add --enter.")
    if not named and _changes(plan):
        tell(context, "有变更而未指明文件:据文件办理的,请加 --document 文号。",
             "There are changes and no paper: add --document where one orders them.")  # fmt: skip


def _put_on_record(bureau: "Bureau", plan: "Plan") -> None:
    from api.shapes import compared

    compared(bureau, "import", {line.person for line in plan.lines if line.person} | plan.met)


def _write(
    context: typer.Context, account: "Account", rejected: Path | None, page: Path | None
) -> None:
    """The workbook of rejected rows and the page to print, where they were asked for."""
    from api.intake import write_rejected
    from api.intake.account import write_account

    if rejected is not None:
        try:
            written = write_rejected(account.plan, account.rejected, rejected)
        except OSError as fault:
            raise Failure(f"不能写入 {rejected}", f"cannot write to {rejected}") from fault
        for path in written:
            tell(context, f"退回的行:{path}", f"Rejected rows: {path}")
    if page is not None:
        try:
            write_account(account, page, frame(context).lang)
        except OSError as fault:
            raise Failure(f"不能写入 {page}", f"cannot write to {page}") from fault
        tell(context, f"导入报告:{page}", f"Report: {page}")


def _write_planned(context: typer.Context, plan: "Plan", out: Path | None) -> None:
    """Every act that would be entered, row by row, where that was asked for."""
    from api.intake.planned import SUFFIXES, write_planned

    if out is None:
        return
    if out.suffix not in SUFFIXES:
        raise Failure("--planned 写 .xlsx 或 .csv", "--planned is .xlsx or .csv")
    try:
        write_planned(plan, out, frame(context).lang)
    except OSError as fault:
        raise Failure(f"不能写入 {out}", f"cannot write to {out}") from fault
    tell(context, f"将登记的事项:{out}", f"What would be entered: {out}")


def _checked(plan: "Plan", lang: str) -> list[RenderableType]:
    title = ("将登记(未登记)", "Would be entered (nothing is)")
    drawn = [draw_files(plan.counts(), lang), draw_events(title, plan.events, lang)]
    return [*drawn, *draw_given(plan.given, lang, entered=False)]


def _entered(context: typer.Context, plan: "Plan", report: "Report") -> list[RenderableType]:
    lang = frame(context).lang
    zh = f"位置 {report.position};用时 {report.seconds:.1f} 秒"
    en = f"position {report.position}; {report.seconds:.1f} s"
    if report.already:
        zh = f"{report.already} 项此前已登记,未重复登记;{zh}"
        en = f"{report.already} were entered before, and not again; {en}"
    return [
        Text(said(context, f"批次 {report.batch}", f"Batch {report.batch}")),
        draw_files(report.files, lang),
        draw_events(("已登记", "Entered"), report.events, lang),
        Text(said(context, zh, en)),
        *draw_given(plan.given, lang, entered=True),
    ]


def _mapping(files: Sequence[Path], named: str | None, attested_by: str | None) -> "FileMapping":
    """The mapping that is named, or that of the type which is named or whose template this is."""
    from api.intake import load_mapping, mapping_of, names, template_type
    from domain.events import REGISTRY
    from domain.refusals import MissingField

    if named is None:
        cls = next((found for file in files if (found := template_type(file))), None)
        if cls is None:
            raise MissingField(
                "not a template; name a mapping with --mapping, or make one: import guess",
                field="mapping", zh="不是模板,请以 --mapping 指明对应表;还没有的:import guess",
            )  # fmt: skip
        return mapping_of(cls, attested_by)
    if named.endswith(".toml") or named in names():
        return load_mapping(Path(named) if named.endswith(".toml") else named)
    labels = {cls.zh: cls for cls in REGISTRY.values()} | REGISTRY
    return mapping_of(labels[named], attested_by) if named in labels else load_mapping(named)


def template(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="TYPE", help="事项名 / event type")],
    out: Annotated[Path | None, typer.Option("--out", help="写到该文件 / the file")] = None,
) -> None:
    """某一事项的填报模板(xlsx),填好后用 import 导入 / A workbook to fill in and import."""
    from api.forms import event_named
    from api.intake import write_template
    from api.times import NOW, as_of
    from projections.roster import tree

    cls = event_named(name)
    out = out or Path(f"{cls.__name__}.xlsx")
    with asking(context) as bureau:
        names = tree(bureau.records, as_of(bureau, NOW)[0]).names.values()
        try:
            write_template(cls.__name__, out, sorted(set(names)))
        except OSError as fault:
            why = type(fault).__name__
            raise Failure(f"写不了文件({why})", f"the file cannot be written ({why})") from fault
    tell(context, f"模板:{out};填好后:import {out}", f"Template: {out}; then: import {out}")


@app.command("list")
@answered(draw_batches, "batches", timed=False)
def list_(asked: Asked) -> Mapping[str, Any]:
    """已导入的批次:文件、条数、是否已撤销 / The batches: files, counts, whether undone."""
    from api.intake import all_batches
    from api.reader import Question
    from api.shapes import opened as answer
    from api.times import NOW, as_of

    bureau = asked.bureau
    _, stated = as_of(bureau, NOW)
    batches = [dict(batch._asdict()) for batch in all_batches(bureau.ledger)]
    return answer(bureau.asked(Question("batches")), stated, {"batches": batches})


@app.command("undo")
def undo_(
    context: typer.Context, batch: BATCH, *, approved_by: APPROVED = None, enter: ENTER = False
) -> None:
    """整批撤销:后来的登记以其为据的不撤销,逐项列明 / Undo a batch, unless later acts rest on it."""
    from api.intake import plan_undo, undo

    lang = frame(context).lang
    page = console()
    with opened(context) as bureau:
        if enter:
            with progress(context, "撤销", "Undoing", None) as done:
                planned = undo(
                    bureau.ledger, batch, clerk(), lambda n, _: done(n), approved_by=approved_by
                )
            bring_up(context, bureau)
        else:
            planned = plan_undo(bureau.ledger, batch)
        title = ("已撤销", "Annulled") if enter else ("将撤销(未撤销)", "Would be annulled")
        page.print(draw_events(title, planned.events, lang))
        if planned.already:
            zh = f"此前已撤销 {planned.already} 条"
            tell(context, zh, f"{planned.already} were annulled before")
        if planned.dependents:
            page.print(draw_dependents(planned.dependents, lang))
            tell(
                context,
                "以后的登记以该批次为据,不能撤销;请先撤销这些登记。",
                "Later acts rest on this batch; annul them first.",
            )
            raise typer.Exit(REFUSED)
        if not enter:
            tell(context, "以上未撤销;撤销请加 --enter。", "Nothing was annulled; add --enter.")
