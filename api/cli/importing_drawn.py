"""What an import would do, did and found, on the terminal.

Owns these tables. Invariant: a private cell is on none of them.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from api.cli.frame import Lang
from api.rendering import Column, coded, instant, pick, table

if TYPE_CHECKING:
    from api.intake import Dependent, Fault, FileCount, Given, Line, Plan, Reason, Told


def draw_batches(answer: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    from api.reports_records import state_of

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
            coded("batch", state_of(batch), lang),
        )
        for batch in answer["batches"]
    ]
    yield table(("导入批次", "Import batches"), columns, rows, lang)


def draw_dependents(
    dependents: Sequence["Dependent"], lang: str, most: int = 100
) -> RenderableType:
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


def draw_files(files: Sequence["FileCount"], lang: str) -> RenderableType:
    columns = [
        Column(("文件", "file")),
        Column(("工作表", "sheet")),
        Column(("行", "rows"), right=True),
        Column(("登记", "acts"), right=True),
        Column(("其中已有", "known"), right=True),
        Column(("无变化", "unchanged"), right=True),
        Column(("有差异", "differing"), right=True),
        Column(("退回", "rejected"), right=True),
    ]
    return table(("文件", "Files"), columns, files, lang)


def draw_events(title: tuple[str, str], events: Counter[str], lang: str) -> RenderableType:
    from domain.events import REGISTRY

    columns = [Column(("事项", "event")), Column(("条数", "entries"), right=True)]
    rows = [
        (pick((REGISTRY[type_].zh, REGISTRY[type_].en), lang), f"{count:,}")
        for type_, count in events.most_common()
    ]
    total = events.total()
    title = (f"{title[0]} {total:,} 条", f"{title[1]}: {total:,}")
    return table(title, columns, rows, lang)


def draw_given(
    given: Mapping[str, "Given"], lang: str, *, entered: bool
) -> Iterator[RenderableType]:
    """The numbers that persons are given, by file."""
    zh, en = ("编号", "Numbers given") if entered else ("将编号(未编)", "Numbers to be given")
    for file, (count, first, last) in given.items():
        words = (f"{zh} {count:,} 个:{first} 至 {last}", f"{en}: {count:,}, {first} to {last}")
        yield Text(f"{file}:" + pick(words, lang))


def draw_lists(lines: "Told[Line]", most: int, lang: str) -> Iterator[RenderableType]:
    """A roster against the ledger: its lists, each with its first lines."""
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
        "differs": ("有差异(未登记)", "Differing (nothing is entered)"),
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


def draw_faults(
    plan: "Plan", rejected: "Told[Fault]", most: int, lang: str, *, written: bool
) -> Iterator[RenderableType]:
    """What of the files was not read, how many rows each rule concerns, then the first faults one
    by one; `written`: all of them go to a workbook.
    """
    yield from (Text(pick(words, lang), style="yellow") for words in plan.left_out)
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
    if most:
        yield _one_by_one(islice(found, most), lang)
    if count > most:
        rest = count - most
        words = (
            f"另有 {rest} 条:加 --rejected 目录 写成工作簿,或加 --rows 多列",
            f"{rest} more: --rejected FOLDER writes them to a workbook, --rows shows more",
        )
        if written:
            words = (f"另有 {rest} 条,见写出的工作簿", f"{rest} more, in the workbook written")
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
