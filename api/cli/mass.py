"""One act for many persons, from the command line.

Owns `mass`. Invariant: without `--enter` nothing is entered, and with it everybody or nobody.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType

from api.cli.entering import APPROVED
from api.cli.frame import REFUSED, Json, Lang, asking, bring_up, clerk, show, tell
from api.rendering import Column, footing, instant, pick, table, word

if TYPE_CHECKING:
    from api.settings import Bureau

TYPE = Annotated[str, typer.Argument(metavar="TYPE", help="事项名 / event type")]
DAY = Annotated[str, typer.Option("--effective", "-e", metavar="DATE", help="生效日 / its day")]
SET = Annotated[
    list[str], typer.Option("--set", metavar="FIELD=VALUE", help="事项的字段 / a field of the act")
]
TO = Annotated[
    Path | None,
    typer.Option("--to", help="人员名单(工作簿或 CSV)/ a list of persons"),
]
SHEET = Annotated[
    str | None,
    typer.Option("--sheet", metavar="NAME", help="名单在这张工作表 / the list's sheet"),
]
DOCUMENT = Annotated[str | None, typer.Option("--document", help="文号 / the order's number")]


def mass(
    context: typer.Context,
    type_: TYPE,
    *,
    effective: DAY,
    to: TO = None,
    sheet: SHEET = None,
    unit: Annotated[
        str | None, typer.Option("--unit", help="该单位(标识或名称)在职人员 / its auxiliaries")
    ] = None,
    alone: Annotated[bool, typer.Option("--alone", help="不含下级 / not the units below")] = False,
    grade: Annotated[str | None, typer.Option("--grade", help="层级 / of this grade")] = None,
    post: Annotated[str | None, typer.Option("--post", help="岗位 / in this post")] = None,
    category: Annotated[str | None, typer.Option("--category", help="类别 / category")] = None,
    recorded: Annotated[
        int | None, typer.Option("--recorded", "-r", help="花名册的位置 / the roster's position")
    ] = None,
    values: SET = [],  # noqa: B006 - never changed
    document: DOCUMENT = None,
    dated: Annotated[str | None, typer.Option("--dated", help="成文日期 / its date")] = None,
    attested_by: Annotated[
        str | None, typer.Option("--attested-by", help="补登,由谁佐证 / attested, by whom")
    ] = None,
    approved_by: APPROVED = None,
    enter: Annotated[
        bool, typer.Option("--enter", help="登记;不给则只核对 / enter; else only check")
    ] = False,
    json: Json = False,
) -> None:
    """一份文件多人:名单或花名册,一张表,一批 / One act for many persons, one batch."""
    from api.entries import to_bytes
    from api.intake.units_named import unit_named

    roster = {"grade": grade, "post": post, "category": category}
    with asking(context) as bureau:
        if unit is not None:
            roster["unit"] = unit_named(bureau.ledger, unit, "unit")
        whom: dict[str, Any] = {name: value for name, value in roster.items() if value is not None}
        if to is not None:
            whom["persons"] = _listed(context, bureau, to, sheet)
        if alone:
            whom["below"] = False
        if recorded is not None:
            whom["recorded"] = recorded
        body: dict[str, Any] = {"act": _act(bureau, type_, effective, values), "to": whom}
        if document is not None:
            body["document"] = {"number": document} | ({"dated": dated} if dated else {})
        if attested_by is not None:
            body |= {"mood": "attested", "attested_by": attested_by}
        if approved_by is not None:
            body["approved_by"] = approved_by
        _run(context, bureau, to_bytes(body), enter=enter, as_json=json)


def _run(
    context: typer.Context, bureau: "Bureau", body: bytes, *, enter: bool, as_json: bool
) -> None:
    from api import answers
    from api import mass as acts

    if enter:
        key = f"content:{bureau.ledger.vault.request_hash(body).hex()}"
        proposed = acts.request(bureau, body, actor=clerk(), key=key)
        receipt = bureau.ledger.enter(proposed)
        if receipt.replayed:
            tell(context, "此前已登记,未重复登记。", "Entered before; nothing was added.")
        bring_up(context, bureau)
        show(context, answers.receipt(bureau, receipt), _draw_entered, as_json=as_json)
        return
    answer = acts.preview(bureau, body, lambda asked: asked._replace(actor=clerk()))
    show(context, answer, _draw_preview, as_json=as_json)
    if answer["data"]["refused"]:
        tell(context, "有人不予登记,全部不能登记。", "Somebody is refused, so nobody is entered.")
        raise typer.Exit(REFUSED)
    position = answer["data"]["recorded"]
    more = f" --recorded {position}" if position else ""
    tell(
        context, f"以上未登记;登记请加 --enter{more}。", f"Nothing was entered; add --enter{more}."
    )


def _listed(context: typer.Context, bureau: "Bureau", path: Path, sheet: str | None) -> list[str]:
    from api.intake.matching import Matcher, persons_listed
    from api.shapes import compared
    from domain.bitemporal import AsOf

    now = AsOf(bureau.ledger.today(), bureau.ledger.moment().position)
    matcher = Matcher(bureau.ledger, bureau.records, now)
    try:
        persons, left_out = persons_listed(path, matcher, sheet)
    finally:
        compared(bureau, "mass-list", matcher.met)
    for zh, en in left_out:
        tell(context, zh, en)
    return persons


def _act(bureau: "Bureau", type_: str, effective: str, values: list[str]) -> dict[str, Any]:
    """The act as JSON: fields by their own names or their words, units by their names too. Raises
    UnknownType, BadInput.
    """
    from api.entries import Envelope
    from api.forms import event_named, field_named, fields_of, value_of
    from api.intake.units_named import unit_named
    from domain.refusals import BadInput

    cls = event_named(type_)
    act: dict[str, Any] = {"type": cls.__name__, "effective": effective}
    units = {field.name for field in fields_of(cls) if field.kind == "unit"}
    for said in values:
        name, sign, text = said.partition("=")
        if not sign:
            raise BadInput("write --set field=value", field="set", zh="应写作 --set 字段=值")
        if name in Envelope.model_fields and name not in cls.model_fields:
            act[name] = text
        else:
            own, value = field_named(cls, name), value_of(cls, name, text)
            if own in units and isinstance(value, str):
                value = unit_named(bureau.ledger, value, own)
            act[own] = value
    return act


def _draw_preview(answer: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    data = answer["data"]
    refused = {one["index"]: one for one in data["refused"]}
    columns = [
        Column(("项", "act"), right=True),
        Column(("人员", "person")),
        Column(("姓名", "name")),
        Column(("结果", "outcome"), least=20),
        Column(("依据", "article")),
    ]
    found: dict[int, list[dict[str, Any]]] = {}
    for finding in data["findings"]:
        found.setdefault(finding["index"], []).append(finding)
    zh = "detail_zh" if lang == "zh" else "detail"
    rows = []
    for n, one in enumerate(data["persons"]):
        if (refusal := refused.get(n)) is not None:
            said, article = f"✗ {refusal[zh]}", refusal.get("article", "—")
        else:
            noted = found.get(n, [])
            said = "; ".join(f[lang.value] for f in noted) or pick(("可登记", "passes"), lang)
            article = "; ".join(f["article"] for f in noted) or "—"
        rows.append((n + 1, one["person"], word(one["name"], lang), said, article))
    count, bad = len(rows), len(refused)
    title = (
        f"将登记 {count} 人,其中不予登记 {bad} 人(未登记)",
        f"{count} persons, {bad} refused (nothing is entered)",
    )
    yield table(title, columns, rows, lang)
    yield footing(answer["as_of"], lang)


def _draw_entered(answer: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    entries = answer["entries"]
    columns = [
        Column(("条数", "entries"), right=True),
        Column(("位置", "positions"), folds=False),
        Column(("登记时间", "recorded"), folds=False),
        Column(("批次(首条登记号)", "batch (first entry id)"), folds=False),
    ]
    first, last = entries[0], entries[-1]
    span = f"{first['position']}–{last['position']}"
    row = (len(entries), span, instant(first["recorded_at"]), first["event_id"])
    yield table(("已登记一批", "Entered as one batch"), columns, [row], lang)
