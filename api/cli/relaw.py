"""Deciding the history again under another pack, from the command line.

Owns `replay relaw`. Invariant: it stores nothing; the same ledger and the same file give the same
answer.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from api.cli.frame import Failure, Json, Lang, tell
from api.cli.out import Columns, Gb18030, Out, ToFile, ask_or_save
from api.rendering import Column, coded, pick, table

if TYPE_CHECKING:
    from datetime import date

    from api.settings import Bureau
    from domain.law import Pack

SHOWN = 5
"""Acts of a difference on the screen; a file and JSON have them all."""
PACK = Annotated[Path, typer.Option("--pack", metavar="FILE", help="另一规则包 / the other pack")]
SINCE = Annotated[
    str | None,
    typer.Option("--since", metavar="DATE", help="只看该日起生效的事项 / acts effective since"),
]
UNIT = Annotated[
    str | None,
    typer.Option("--unit", metavar="UNIT", help="只看该单位及下级的人员 / its people, of any time"),
]


def relaw(
    context: typer.Context,
    pack: PACK,
    since: SINCE = None,
    unit: UNIT = None,
    out: Out = None,
    columns: Columns = None,
    gb18030: Gb18030 = False,
    json: Json = False,
) -> None:
    """换一规则包重判全部登记,列出差异 / Decide the history again under another pack."""
    from api.times import day_of

    other = read_file(pack)
    first = day_of(since, "since")
    rates: list[float] = []

    def question(bureau: "Bureau") -> Mapping[str, Any]:
        started = monotonic()
        answer = _decided_again(bureau, other, first, unit)
        rates.append(answer["data"]["decided"] / max(monotonic() - started, 1e-9))
        return answer

    to_file = ToFile(out, columns, gb18030=gb18030)
    ask_or_save(context, "relaw", question, _draw, to_file, as_json=json)
    (rate,) = rates
    tell(context, f"每秒重判 {rate:,.0f} 项。", f"{rate:,.0f} acts decided again a second.")


def _decided_again(
    bureau: "Bureau", other: "Pack", first: "date | None", unit: str | None
) -> Mapping[str, Any]:
    import os

    from api.reader import Question
    from api.settings import Bureau
    from api.shapes import opened, plain
    from api.times import NOW, as_of
    from replay import relaw as replaying

    pair, stated = as_of(bureau, NOW)
    days = {"since": first} if first else {}
    if unit is None:
        scope = replaying.everyone(bureau.ledger, **days)
    else:
        scope = replaying.of_unit(bureau.records, unit, pair, **days)
    whole = len(scope.people) or 1
    found = replaying.relaw(
        bureau.ledger, other, scope, pair.recorded, lambda n: bureau.progress(n / whole),
        partial(Bureau, bureau.settings), os.cpu_count() or 1,
    )  # fmt: skip
    data = {
        "pack": {"code": other.code, "version": other.version, "digest": other.digest},
        "since": first, "unit": unit, **plain(found),
    }  # fmt: skip
    asked = Question("relaw", {"pack": other.digest, "since": str(first or ""), "unit": unit})
    return opened(bureau.asked(asked), stated, data)


def read_file(file: Path) -> "Pack":
    """The pack in a file. Raises Failure, BadInput."""
    from domain.acts.packs import read_pack
    from domain.refusals import BadInput

    try:
        return read_pack(file.read_text("utf-8-sig"), "pack")
    except OSError as fault:
        why = type(fault).__name__
        raise Failure(f"读不到文件({why})", f"the file cannot be read ({why})") from fault
    except UnicodeDecodeError as fault:
        raise BadInput(
            f"byte {fault.start} is not UTF-8", field="pack", zh=f"第 {fault.start} 字节不是 UTF-8"
        ) from fault


def _draw(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    from api.reports_records import difference
    from domain.events import REGISTRY

    columns = [
        Column(("差异", "difference"), folds=False),
        Column(("规则", "rule")),
        Column(("依据", "article")),
        Column(("项数", "acts"), right=True),
    ]
    rows = [
        (coded("difference", difference(c), lang), c["rule"], c["article"], c["total"])
        for c in data["changes"]
    ]
    code = f"{data['pack']['code']} {data['pack']['version']}"
    title = (f"按规则包 {code} 重判", f"Decided again under pack {code}")
    if rows:
        yield table(title, columns, rows, lang)
    else:
        yield Text(f"{pick(title, lang)}:{pick(('无差异', 'no difference'), lang)}", style="bold")
    columns = [
        Column(("位置", "position"), right=True),
        Column(("事项", "event")),
        Column(("生效日", "effective"), folds=False),
        Column(("人员", "person")),
        Column(("理由", "reason")),
    ]
    for change in data["changes"]:
        named = [
            (
                e["position"], pick((REGISTRY[e["type"]].zh, REGISTRY[e["type"]].en), lang),
                e["effective"], e["person"] or "—", e[lang.value],
            )
            for e in change["acts"][:SHOWN]
        ]  # fmt: skip
        words = coded("difference", difference(change), lang)
        which = f"{change['rule']}:{words}"
        title = (which, which)
        if change["total"] > SHOWN:
            zh, en = (
                f"最先 {SHOWN} 项,全部用 --out 或 --json",
                f"the first {SHOWN}: --out or --json",
            )
            title = (f"{which}({zh})", f"{which} ({en})")
        yield table(title, columns, named, lang)
    decided, undecidable = data["decided"], len(data["undecidable"])
    zh = f"重判 {decided} 项;另有 {undecidable} 项因内容已销毁无法判断。"
    en = f"{decided} acts decided again; {undecidable} more are undecidable: values were erased."
    yield Text(pick((zh, en), lang))
