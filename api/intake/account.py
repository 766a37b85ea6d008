"""The report of an import, as a page to print and file with the order it rests on.

Owns the page. Invariant: it names every file by its SHA-256 and every row that was not entered with
the reason, and holds no private cell.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from api.intake.checking import Fault, Reason
from api.intake.importer import Report
from api.intake.plan import Plan
from api.intake.shelf import Told
from api.rendering import instant, pick
from api.workbook import whole
from domain.events import REGISTRY, Actor, Document

Words = tuple[str, str]

_PAGE = """<!DOCTYPE html>
<html lang="{lang}"><head><meta charset="utf-8"><title>{title}</title><style>
@page {{ size: A4; margin: 18mm 15mm; }}
body {{ font: 12px/1.5 "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", sans-serif; }}
h1 {{ font-size: 18px; text-align: center; }}
h2 {{ font-size: 14px; margin: 1.2em 0 .3em; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ border: 1px solid #888; padding: 2px 6px; text-align: left; vertical-align: top; }}
td {{ overflow-wrap: anywhere; }}
tr {{ break-inside: avoid; }}
thead {{ display: table-header-group; }}
.signed td {{ height: 3em; width: 25%; }}
</style></head><body>
<h1>{title}</h1>
{body}
</body></html>
"""


_TITLE = ("导入报告", "Report of an import")
_UNENTERED = ("导入核对单(未登记)", "Check of an import (nothing is entered)")
_FILES: tuple[Words, ...] = (
    ("文件", "file"), ("工作表", "sheet"), ("行", "rows"), ("登记", "acts"), ("其中已有", "known"),
    ("无变化", "unchanged"), ("有差异", "differing"), ("退回", "rejected"), ("SHA-256", "SHA-256"),
)  # fmt: skip
_RULES: tuple[Words, ...] = (
    ("问题", "fault"), ("处理", "treated"), ("条数", "count"), ("如何改正", "how to mend"),
)  # fmt: skip
_ROWS: tuple[Words, ...] = (
    ("文件", "file"), ("行", "row"), ("列", "column"), ("原文", "cell"), ("原因", "why"),
)  # fmt: skip
MOST_ROWS = 2_000
"""Rows of a list on the page; the workbook of rejected rows has them all."""


class Account(NamedTuple):
    """What is reported: a plan, and what entering it did (None: it was only checked)."""

    plan: Plan
    report: Report | None
    actor: Actor
    at: datetime
    document: Document | None = None

    @property
    def rejected(self) -> Told[Fault]:
        return self.plan.rejected if self.report is None else self.report.rejected


def write_account(account: Account, out: Path, lang: str) -> None:
    """The page, there whole or not at all. Raises OSError."""
    title = pick(_TITLE if account.report is not None else _UNENTERED, lang)
    body = "\n".join(_body(account, lang))
    with whole(out) as unfinished:
        unfinished.write_text(_PAGE.format(lang=lang, title=escape(title), body=body), "utf-8")


def _body(account: Account, lang: str) -> Iterator[str]:
    plan, report = account.plan, account.report
    mapping = plan.mapping
    paper = account.document.number if account.document else None
    head: list[tuple[Words, Any]] = [
        (("批次", "batch"), plan.batch),
        (("对应表", "mapping"), f"{mapping.zh if lang == 'zh' else mapping.en} {mapping.version}"),
        (("所据文号", "document"), paper or "—"),
        (("截至日期", "date of the sheets"), " ".join(sorted({str(d) for d in plan.dates if d}))),
        (("经办", "by"), f"{account.actor.subject} ({account.actor.role})"),
        (("时间", "at"), instant(account.at.isoformat())),
    ]
    if report is not None:
        head.append((("账本位置", "position"), report.position))
    yield _table((), [(pick(words, lang), value) for words, value in head])
    yield _heading(("文件", "Files"), lang)
    files = plan.counts() if report is None else report.files
    told = [(*one, digest) for one, digest in zip(files, plan.digests, strict=True)]
    yield _table(_picked(_FILES, lang), told)
    events = plan.events if report is None else report.events
    yield _heading(("登记事项", "Acts"), lang, events.total())
    labels = {type_: pick((REGISTRY[type_].zh, REGISTRY[type_].en), lang) for type_ in events}
    yield _table((), [(labels[type_], f"{count:,}") for type_, count in events.most_common()])
    yield _heading(("问题", "Faults"), lang)
    yield _table(_picked(_RULES, lang), _by_rule(chain(account.rejected, plan.warnings), lang))
    yield _heading(("退回的行", "Rejected rows"), lang, len(account.rejected))
    yield from _by_row(account.rejected, lang)
    if plan.warnings:
        yield _heading(
            ("提示的行(不退回)", "Rows remarked upon, not rejected"), lang, len(plan.warnings)
        )
        yield from _by_row(plan.warnings, lang)
    signed = [pick(words, lang) for words in (("经办人", "entered by"), ("审核人", "checked by"))]
    yield f'<h2></h2><div class="signed">{_table((), [(signed[0], "", signed[1], "")])}</div>'


def _picked(words: Iterable[Words], lang: str) -> list[str]:
    return [pick(one, lang) for one in words]


def _by_rule(faults: Iterable[Fault], lang: str) -> Iterator[tuple[str, str, str, str]]:
    counted: Counter[Reason] = Counter(fault.reason for fault in faults)
    for reason, count in counted.most_common():
        treated = ("退回", "rejected") if reason.rejects else ("提示", "warned")
        yield (pick((reason.zh, reason.en), lang), pick(treated, lang), f"{count:,}",
               pick((reason.mend_zh, reason.mend_en), lang))  # fmt: skip


def _by_row(faults: Told[Fault], lang: str) -> Iterator[str]:
    yield _table(_picked(_ROWS, lang), (_row(one, lang) for one in islice(faults, MOST_ROWS)))
    if len(faults) > MOST_ROWS:
        words = (f"只列前 {MOST_ROWS} 条", f"the first {MOST_ROWS}; see the workbook")
        yield f"<p>{escape(pick(words, lang))}</p>"


def _row(fault: Fault, lang: str) -> tuple[Any, ...]:
    cell = pick(("(保密)", "(private)"), lang) if fault.private else fault.cell
    why = pick((fault.reason.zh, fault.reason.en), lang)
    other = pick((f"(第{fault.other}行)", f" (row {fault.other})"), lang) if fault.other else ""
    return (fault.file, fault.row or "—", fault.heading or "—", cell or "—", why + other)


def _heading(words: Words, lang: str, count: int | None = None) -> str:
    return f"<h2>{escape(pick(words, lang))}{'' if count is None else f' {count:,}'}</h2>"


def _table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    top = "".join(f"<th>{escape(one)}</th>" for one in headings)
    lines = (
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
