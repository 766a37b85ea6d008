"""Publishing a pack from a file: first whose pay it changes, then one entry.

Owns `publish`. Invariant: without `--enter` nothing is entered, and what is listed is what entering
makes of everybody's pay.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from api.cli.frame import Json, Lang, bring_up, clerk, opened, tell
from api.cli.out import Columns, Gb18030, Out, PrivateToo, ToFile, ask_or_save
from api.cli.relaw import read_file
from api.rendering import Column, coded, money, pick, table, word

if TYPE_CHECKING:
    from api.settings import Bureau

_MOST = 100
"""Persons of a table shown; all of them come as a file."""


def publish(
    context: typer.Context,
    pack: Annotated[Path, typer.Argument(metavar="FILE", help="规则包文件 / the pack (TOML)")],
    *,
    effective: Annotated[
        str | None, typer.Option("--effective", "-e", metavar="DATE", help="发布日 / its day")
    ] = None,
    document: Annotated[
        str | None, typer.Option("--document", help="文号 / the paper's number")
    ] = None,
    first: Annotated[
        str | None, typer.Option("--first-day", metavar="DATE", help="只算自该日起 / reckon from")
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--last-month", metavar="YYYY-MM", help="算至哪个月 / reckon to"),
    ] = None,
    enter: Annotated[
        bool, typer.Option("--enter", help="发布;不给则只列差额 / publish; else only list")
    ] = False,
    out: Out = None,
    columns: Columns = None,
    private: PrivateToo = False,
    gb18030: Gb18030 = False,
    json: Json = False,
) -> None:
    """发布规则包(薪酬标准、层级等):先列每人差额,再登记 / Publish a pack; lists its pay first."""
    from api import publishing, times

    read = read_file(pack)
    if enter and out is None and not json:
        _enter(context, pack, effective, document)
        return
    if enter:
        raise typer.BadParameter("--enter 不与 --out、--json 同用 / --enter goes alone")

    def question(bureau: "Bureau") -> Mapping[str, Any]:
        when = times.When(effective)
        return publishing.pay_of(bureau, read, when, first_day=first, last_month=last)

    to_file = ToFile(out, columns, private, gb18030)
    ask_or_save(context, "repriced", question, _draw, to_file, as_json=json)
    tell(context, "未发布;发布请加 --enter。", "Nothing was published; add --enter.")
    tell(
        context,
        f"对以往登记的影响:replay relaw --pack {pack}",
        f"What it makes of earlier acts: replay relaw --pack {pack}",
    )


def _enter(context: typer.Context, file: Path, effective: str | None, document: str | None) -> None:
    from api.publishing import publish as entered
    from api.times import day_of
    from domain.events import Document

    pack = read_file(file)
    paper = Document(number=document) if document else None
    with opened(context) as bureau:
        day = day_of(effective, "effective") or bureau.ledger.today()
        position = entered(bureau.ledger, pack, day, paper, clerk())
        bring_up(context, bureau)
    if position is None:
        tell(
            context,
            "该规则包已发布,未作改动。",
            "This very pack is published; nothing was changed.",
        )
    else:
        tell(context, f"已发布 {pack.code} {pack.version},登记 {position}。",
             f"Published {pack.code} {pack.version} as entry {position}.")  # fmt: skip


def _draw(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    code = f"{data['pack']['code']} {data['pack']['version']}"
    if data["since"] is None:
        words = (f"规则包 {code} 不改变薪酬", f"Pack {code} changes nobody's pay")
        yield Text(pick(words, lang), style="bold")
        return
    yield _sums(data, lang)
    yield _people(data, lang)
    if len(data["lines"]) > _MOST:
        rest = len(data["lines"])
        words = (f"共 {rest:,} 行,只列前 {_MOST} 行:用 --out", f"{rest:,} rows: use --out")
        yield Text(pick(words, lang), style="yellow")


def _sums(data: Mapping[str, Any], lang: Lang) -> RenderableType:
    """How many persons each difference concerns, by grade."""
    found: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for line in data["lines"]:
        found[line["since"], line["grade"], line["before"], line["after"]].append(line["owed"])
    columns = [
        Column(("自", "since"), folds=False),
        Column(("层级", "grade")),
        Column(("原月薪(元)", "before"), right=True),
        Column(("新月薪(元)", "after"), right=True),
        Column(("人数", "persons"), right=True),
        Column(("累计(元)", "in all"), right=True),
    ]
    rows = [
        (since, coded("grade", grade, lang), _yuan(before, lang), _yuan(after, lang),
         f"{len(owed):,}", money(sum(owed)))
        for (since, grade, before, after), owed in sorted(found.items(), key=lambda one: one[0][0])
    ]  # fmt: skip
    pay, recover, month = (money(data[k]) for k in ("to_pay", "to_recover", "a_month"))
    last, persons = data["last_month"], data["persons"]
    title = (
        f"{persons:,} 人薪酬有变;至 {last} 止应补 {pay} 元、应扣 {recover} 元,以后每月 {month} 元",
        f"{persons:,} persons; to {last} {pay} to pay, {recover} to recover, then {month} a month",
    )
    return table(title, columns, rows[:_MOST], lang)


def _people(data: Mapping[str, Any], lang: Lang) -> RenderableType:
    columns = [
        Column(("人员", "person")),
        Column(("姓名", "name")),
        Column(("层级", "grade")),
        Column(("自", "since"), folds=False),
        Column(("月差额(元)", "a month"), right=True),
        Column(("累计(元)", "in all"), right=True),
    ]
    rows = [
        (one["person"], word(data["people"].get(one["person"], {}).get("name"), lang),
         coded("grade", one["grade"], lang), one["since"], _yuan(one["difference"], lang),
         money(one["owed"]))
        for one in data["lines"][:_MOST]
    ]  # fmt: skip
    return table(("每人差额", "Person by person"), columns, rows, lang)


def _yuan(fen: int | None, lang: Lang) -> str:
    return pick(("无法计发", "cannot be told"), lang) if fen is None else money(fen)
