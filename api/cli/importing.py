"""Old workbooks and histories into the ledger.

Owns `import`, its list of batches and their undoing. Invariant: without `--enter` nothing is
entered; a private cell is on no screen, only in the workbook of rejected rows that the clerk asks
for.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice, repeat
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
    Json,
    Lang,
    asking,
    bring_up,
    clerk,
    console,
    frame,
    opened,
    progress,
    said,
    show,
    tell,
)
from api.rendering import Column, instant, pick, table

if TYPE_CHECKING:
    from api.intake import Dependent, Fault, FileCount, Line, Plan, Reason, Report, Told
    from api.intake import Mapping as FileMapping
    from api.intake.account import Account
    from api.settings import Bureau

FILES = Annotated[
    list[Path], typer.Argument(metavar="FILE…", exists=True, help="文件或目录 / files or folders")
]
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
BATCH = Annotated[
    str, typer.Argument(metavar="BATCH", help="批次号或其开头 / a batch or how its id begins")
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


COMPARED = "导入核对 / compared with a sheet"
"""What private fields are read for by an import, where nothing else is stated."""

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
    rejected: Annotated[
        Path | None,
        typer.Option("--rejected", help="退回的行写到该目录 / folder for rejected rows"),
    ] = None,
    planned: PLANNED = None,
    account: ACCOUNT = None,
    rows: Annotated[int, typer.Option("--rows", min=0, help="列出几条问题 / faults shown")] = 20,
) -> None:
    """导入花名册和历史数据,先核对后登记 / Import workbooks; checks first, enters on demand."""
    from api.entries import checked_bytes, to_bytes
    from api.intake import Importer, Ways
    from api.intake.account import Account
    from domain.events import Document

    lang, page = frame(context).lang, console()
    paper = checked_bytes(Document, to_bytes({"number": document})) if document else None
    with opened(context) as bureau:
        importer = Importer(bureau.ledger, bureau.records)
        known = _mapping(files, mapping, attested_by)
        bring_up(context, bureau)
        with progress(context, "读取、核对", "Reading and checking", None):
            ways = Ways(promoted_by, demoted_by)
            plan = importer.plan(files, known, dated.date() if dated else None, ways, approved_by)
        _put_on_record(bureau, {line.person for line in plan.lines if line.person})
        faults, report = plan.rejected, None
        _write_planned(context, plan, planned)
        if enter:
            with progress(context, "登记", "Entering", len(plan.drafts)) as done:
                report = importer.enter(plan, lambda n, _: done(n), clerk(), approved_by, paper)
            faults = report.rejected
            bring_up(context, bureau)
            parts = _entered(context, report)
        else:
            title = ("将登记(未登记)", "Would be entered (nothing is)")
            parts = [_files(plan.counts(), lang), _events(title, plan.events, lang)]
        for part in (*parts, *_lists(plan.lines, rows, lang), *_faults(plan, faults, rows, lang)):
            page.print(part)
        _write(context, Account(plan, report, clerk(), datetime.now(UTC), paper), rejected, account)
        if not enter:
            tell(context, "以上未登记;登记请加 --enter。", "Nothing was entered; add --enter.")


def _put_on_record(bureau: "Bureau", persons: set[str]) -> None:
    """That a sheet was held against what the ledger says of these persons: what agrees and what
    does not tells of private values too.
    """
    from api.reader import Question

    if persons:
        reader = bureau.reader._replace(purpose=bureau.reader.purpose or COMPARED)
        asked = bureau.read_by(reader).asked(Question("import"))
        asked.read({"recorded": bureau.ledger.moment().position}, persons, ("identity",))


def _write(
    context: typer.Context, account: "Account", rejected: Path | None, page: Path | None
) -> None:
    """The workbook of rejected rows and the page to print, where they were asked for."""
    from api.intake import write_rejected
    from api.intake.account import write_account

    if rejected is not None:
        for path in write_rejected(account.plan, account.rejected, rejected):
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


def _entered(context: typer.Context, report: "Report") -> list[RenderableType]:
    lang = frame(context).lang
    zh = f"此前已登记 {report.already} 项;位置 {report.position};用时 {report.seconds:.1f} 秒"
    en = f"{report.already} were entered before; position {report.position}; {report.seconds:.1f} s"
    return [
        Text(said(context, f"批次 {report.batch}", f"Batch {report.batch}")),
        _files(report.files, lang),
        _events(("已登记", "Entered"), report.events, lang),
        Text(said(context, zh, en)),
    ]


def _mapping(files: Sequence[Path], named: str | None, attested_by: str | None) -> "FileMapping":
    """The mapping that is named, or that of the type which is named or whose template this is."""
    from api.intake import load_mapping, mapping_of, names, template_type
    from domain.events import REGISTRY
    from domain.refusals import MissingField

    if named is None:
        cls = next((found for file in files if (found := template_type(file))), None)
        if cls is None:
            raise MissingField("not a template; name a mapping", field="mapping",
                               zh="不是模板,请以 --mapping 指明对应表")  # fmt: skip
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
def list_(context: typer.Context, json: Json = False) -> None:
    """已导入的批次:文件、条数、是否已撤销 / The batches: files, counts, whether undone."""
    from api.intake import all_batches

    with opened(context) as bureau:
        answer = {"batches": [dict(batch._asdict()) for batch in all_batches(bureau.ledger)]}
        show(context, answer, _draw_batches, as_json=json)


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
        page.print(_events(title, planned.events, lang))
        if planned.already:
            zh = f"此前已撤销 {planned.already} 条"
            tell(context, zh, f"{planned.already} were annulled before")
        if planned.dependents:
            page.print(_dependents(planned.dependents, lang))
            tell(
                context,
                "以后的登记以该批次为据,不能撤销;请先撤销这些登记。",
                "Later acts rest on this batch; annul them first.",
            )
            raise typer.Exit(REFUSED)
        if not enter:
            tell(context, "以上未撤销;撤销请加 --enter。", "Nothing was annulled; add --enter.")


def _draw_batches(answer: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    columns = [
        Column(("批次", "batch"), folds=False),
        Column(("登记时间", "begun"), folds=False),
        Column(("对应表", "mapping")),
        Column(("文件", "files")),
        Column(("SHA-256", "SHA-256"), folds=False),
        Column(("条数", "entries"), right=True),
        Column(("退回", "rejected"), right=True),
        Column(("状态", "state")),
    ]
    rows = [
        (
            batch["id"][:13],
            instant(batch["begun"])[:16],
            batch["mapping"],
            " ".join(batch["files"]),
            " ".join(digest[:8] for digest in batch["digests"]),
            "—" if batch["entries"] is None else f"{batch['entries']:,}",
            "—" if batch["rejected"] is None else f"{batch['rejected']:,}",
            pick(_state(batch), lang),
        )
        for batch in answer["batches"]
    ]
    yield table(("导入批次", "Import batches"), columns, rows, lang)


def _state(batch: Mapping[str, Any]) -> tuple[str, str]:
    if batch["undone"]:
        return ("已撤销", "undone")
    return ("已登记", "entered") if batch["finished"] else ("未完成", "broken off")


def _dependents(dependents: Sequence["Dependent"], lang: str, most: int = 100) -> RenderableType:
    from domain.events import REGISTRY

    whys = {
        "corrects": ("更正该批次的登记", "corrects it"),
        "ends": ("终止该批次的登记", "ends it"),
        "decided": ("以该批次的登记为据", "was decided on it"),
    }
    columns = [
        Column(("位置", "position"), right=True),
        Column(("事项", "event")),
        Column(("对象", "of")),
        Column(("关系", "how")),
    ]
    rows = [
        (
            one.position,
            pick((REGISTRY[one.type].zh, REGISTRY[one.type].en), lang),
            " ".join(one.subjects),
            pick(whys[one.why], lang),
        )
        for one in dependents[:most]
    ]
    count = len(dependents)
    title = (f"以该批次为据的登记 {count:,} 项", f"Acts that rest on the batch: {count:,}")
    if count > most:
        title = (f"{title[0]}(列出前 {most} 项)", f"{title[1]} (the first {most})")
    return table(title, columns, rows, lang)


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


def _lists(lines: "Told[Line]", most: int, lang: str) -> Iterator[RenderableType]:
    """A roster against the ledger: five lists, each with its first lines."""
    from api.intake import STANDINGS

    counts = Counter[str]()
    first = defaultdict[str, list["Line"]](list)
    for line in lines:
        counts[line.standing] += 1
        if counts[line.standing] <= most:
            first[line.standing].append(line)
    if counts["new"] == counts.total():
        return
    words = {
        "new": ("新增", "New"),
        "changed": ("变更", "Changed"),
        "unchanged": ("无变化", "Unchanged"),
        "gone": ("不在花名册中(不登记)", "Gone from the roster (nothing is entered)"),
        "conflict": ("冲突(退回)", "In conflict (rejected)"),
    }
    columns = [
        Column(("行", "row"), right=True),
        Column(("编号", "number"), folds=False),
        Column(("人员", "person"), least=12),
        Column(("内容", "what"), least=20),
    ]
    for standing in STANDINGS:
        shown = [] if standing == "unchanged" else first[standing]
        rows = [
            (one.row or "—", one.number or "—", one.person or "—", pick((one.zh, one.en), lang))
            for one in shown
        ]
        zh, en = words[standing]
        count = counts[standing]
        title = (f"{zh} {count:,} 人", f"{en}: {count:,}")
        yield table(title, columns, rows, lang) if rows else Text(pick(title, lang), "bold")
        if shown and count > most:
            rest = count - most
            yield Text(pick((f"另有 {rest} 人", f"{rest} more"), lang), "dim")


def _faults(
    plan: "Plan", rejected: "Told[Fault]", most: int, lang: str
) -> Iterator[RenderableType]:
    """How many rows each rule concerns, then the first faults one by one."""
    count = len(rejected) + len(plan.warnings)
    if not count:
        return
    columns = [
        Column(("问题", "fault"), least=20),
        Column(("处理", "treated"), folds=False),
        Column(("条数", "count"), right=True),
        Column(("如何改正", "how to mend"), least=20),
    ]
    wordings: dict[str, Counter[Reason]] = {}
    for fault in chain(rejected, plan.warnings):
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
    found = chain(zip(rejected, repeat(True)), zip(plan.warnings, repeat(False)))
    yield _one_by_one(islice(found, most), lang)
    if count > most:
        words = (f"另有 {count - most} 条,见 --rejected", f"{count - most} more")
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
            Text(_why(fault, lang), "red" if rejects else "yellow"),
        )
        for fault, rejects in found
    ]
    return table(("逐行", "Row by row"), columns, rows, lang)


def _why(fault: "Fault", lang: str) -> str:
    other = (f"(第 {fault.other} 行)", f" (row {fault.other})") if fault.other else ("", "")
    return pick((fault.reason.zh + other[0], fault.reason.en + other[1]), lang)
