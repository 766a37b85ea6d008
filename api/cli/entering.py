"""Entering acts, and what can be entered.

Owns `enter` and `types`. Invariant: a file entered twice is stored once, whether a key is given or
not, and a dry run stores nothing.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from api.cli.frame import REFUSED, Failure, Json, Lang, asking, clerk, opened, show, tell
from api.cli.impacts import draw_impacts
from api.rendering import Column, footing, instant, pick, strength_of, table

FILE = Annotated[str, typer.Argument(metavar="FILE|-", help="JSON 文件,- 为标准输入 / JSON file")]
KEY = Annotated[
    str | None,
    typer.Option("--key", help="幂等键;不给则由内容得出 / idempotency key; else from the content"),
]
APPROVED = Annotated[
    str | None,
    typer.Option("--approved-by", help="封账期间更改的批准人 / who lets a closed period change"),
]
DRY = Annotated[bool, typer.Option("--dry-run", help="只判断,不登记 / decide and store nothing")]
NAME = Annotated[str | None, typer.Argument(metavar="TYPE", help="事项名 / event type")]


def enter(
    context: typer.Context,
    file: FILE,
    key: KEY = None,
    approved_by: APPROVED = None,
    dry_run: DRY = False,
    json: Json = False,
) -> None:
    """登记事项:全部登记或全部不登记 / Enter acts, all or nothing."""
    body = _read(file)
    from api import answers, previews
    from api.entries import request_of
    from api.shapes import noting_whom

    if dry_run:
        with asking(context) as bureau:
            proposed = request_of(bureau.ledger, body, actor=clerk(), approved_by=approved_by)
            previewed = previews.preview(bureau, proposed)
            show(context, previewed, _draw_preview, as_json=json)
        if not previewed["data"]["accepted"]:
            raise typer.Exit(REFUSED)
        return
    with opened(context) as bureau:
        key = key or f"content:{bureau.ledger.vault.request_hash(body).hex()}"
        proposed = request_of(bureau.ledger, body, key=key, actor=clerk(), approved_by=approved_by)
        with noting_whom(bureau):
            receipt = bureau.ledger.enter(proposed)
        if receipt.replayed:
            tell(context, "此前已登记,未重复登记。", "Entered before; nothing was added.")
        show(context, answers.receipt(bureau, receipt), _draw_receipt, as_json=json)


def types(context: typer.Context, name: NAME = None, json: Json = False) -> None:
    """可登记的事项及其字段和示例 / What can be entered, with fields and an example."""
    from api import answers
    from api.entries import type_dict
    from api.forms import event_named

    if name is None:
        show(context, answers.types(), _draw_types, as_json=json)
        return
    shown = type_dict(event_named(name))
    show(context, {**shown, "example": example(shown)}, _draw_type, as_json=json)


def _read(file: str) -> bytes:
    """The body, but no more of it than tells that it is too large."""
    from api.entries import MOST_BYTES

    if file == "-":
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    try:
        with Path(file).open("rb") as opened_file:
            return opened_file.read(MOST_BYTES + 1)
    except OSError as fault:
        why = type(fault).__name__
        raise Failure(f"读不到文件({why})", f"the file cannot be read ({why})") from fault


def _label(type_: str, lang: str) -> str:
    from domain.events import REGISTRY

    return pick((REGISTRY[type_].zh, REGISTRY[type_].en), lang)


def _draw_preview(answer: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    columns = [Column(("项", "act"), right=True), Column(("事项", "event"))]
    rows = [(n, _label(type_, lang)) for n, type_ in enumerate(answer["data"]["types"], 1)]
    accepted, refused = ("将登记(未登记)", "Would be entered"), ("将被拒绝", "Would be refused")
    title = accepted if answer["data"]["accepted"] else refused
    yield table(title, columns, rows, lang)
    yield from _draw_findings(answer["data"]["findings"], lang)
    yield from draw_impacts(answer["data"], lang)
    yield footing(answer["as_of"], lang)


def _draw_receipt(answer: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    columns = [
        Column(("位置", "position"), right=True),
        Column(("事项", "event")),
        Column(("登记时间", "recorded"), folds=False),
        Column(("登记号", "entry id"), folds=False),
    ]
    rows = [
        (e["position"], _label(e["type"], lang), instant(e["recorded_at"]), e["event_id"])
        for e in answer["entries"]
    ]
    yield table(("已登记", "Entered"), columns, rows, lang)
    yield from _draw_findings(answer["findings"], lang)


def _draw_findings(findings: list[dict[str, Any]], lang: Lang) -> Iterator[RenderableType]:
    if not findings:
        return
    columns = [
        Column(("项", "act"), right=True),
        Column(("问题", "finding")),
        Column(("依据", "article")),
        Column(("强度", "strength"), least=4),
    ]
    rows = [(f["index"] + 1, f[lang.value], f["article"], strength_of(f, lang)) for f in findings]
    yield table(("发现的问题(不妨碍登记)", "Findings (they refuse nothing)"), columns, rows, lang)


def _draw_types(answer: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    columns = [
        Column(("章", "chapter"), folds=False),
        Column(("名称", "type"), folds=False),
        Column(("事项", "event")),
        Column(("写入", "writes")),
    ]
    rows = [
        (t["chapter"], t["type"], pick((t["zh"], t["en"]), lang), " ".join(t["writes"]))
        for t in sorted(answer["types"], key=lambda t: (t["chapter"], t["type"]))
    ]
    yield table(("可登记的事项", "What can be entered"), columns, rows, lang)
    zh = "某一事项的字段和示例:personnel-ledger types 名称"
    yield Text(pick((zh, "One type, its fields and an example: personnel-ledger types TYPE"), lang))


def _draw_type(answer: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    import json

    from api.entries import Envelope

    schema = answer["schema"]
    columns = [
        Column(("字段", "field"), folds=False),
        Column(("必填", "required")),
        Column(("取值", "value")),
        Column(("保密", "private")),
    ]
    required = set(schema["required"])
    own = [n for n in schema["properties"] if n in required or n not in Envelope.model_fields]
    rows = [
        (
            name,
            "●" if name in required else "",
            _kind(schema["properties"][name], schema["$defs"]),
            answer["private"].get(name, ""),
        )
        for name in own
        if name != "type"
    ]
    zh = f"{answer['zh']} {answer['type']};生效日:{answer['day']}"
    yield table((zh, f"{answer['en']} {answer['type']}"), columns, rows, lang)
    aside = " ".join(name for name in Envelope.model_fields if name not in own)
    yield Text(f"{pick(('任何事项可另填', 'Any act may also say'), lang)}: {aside}", style="dim")
    yield Text(pick(("示例", "Example"), lang), style="bold")
    yield Text(json.dumps(answer["example"], ensure_ascii=False, indent=2))


# what a field holds, from its JSON Schema


def _kind(part: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    from api.forms import branch

    inner = branch(part, defs)
    if "enum" in inner:
        return " | ".join(map(str, inner["enum"]))
    if "const" in inner:
        return str(inner["const"])
    if inner.get("type") == "array":
        return f"[{_kind(inner.get('items', {}), defs)}]"
    if inner.get("type") == "object":
        return "{" + ", ".join(inner.get("properties", {})) + "}"
    bounds = [
        f"{sign}{inner[bound]}"
        for bound, sign in (("minimum", "≥"), ("maximum", "≤"), ("maxLength", "≤"))
        if bound in inner
    ]
    return " ".join([str(inner.get("format") or inner.get("type", "any")), *bounds])


def example(shown: Mapping[str, Any]) -> dict[str, Any]:
    """A request body with one act of this type: its required fields, each a value of its kind."""
    schema = shown["schema"]
    act: dict[str, Any] = {"type": shown["type"]}
    for name in schema["required"]:
        if name != "type":
            act[name] = _sample(name, schema["properties"][name], schema["$defs"])
    return {"events": [act], "document": {"number": "某公人〔2026〕1号", "dated": "2026-01-05"}}


_SAMPLES = {"person": "P0001", "officer": "P9001", "unit": "U01", "annuls": 1}
_FORMATS = {"date": "2026-01-05", "uuid": "00000000-0000-7000-8000-000000000001"}


def _sample(name: str, part: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:
    if name in _SAMPLES:
        return _SAMPLES[name]
    from api.forms import branch

    inner = branch(part, defs)
    if "enum" in inner or "const" in inner:
        return inner.get("const") or inner["enum"][0]
    kind = inner.get("type")
    if kind == "array":
        count = max(1, inner.get("minItems", 1))
        return [_sample(f"{name}s", inner.get("items", {}), defs) for _ in range(count)]
    if kind == "object":
        needed = inner.get("required", [])
        return {field: _sample(field, inner["properties"][field], defs) for field in needed}
    if kind in ("integer", "number"):
        return inner.get("minimum", inner.get("exclusiveMinimum", 0) + 1)
    if kind == "boolean":
        return True
    if inner.get("format") in _FORMATS:
        return _FORMATS[inner["format"]]
    pattern = inner.get("pattern", "")
    if pattern.startswith("^[0-9a-f]{"):
        return "0" * int(pattern.partition("{")[2].partition("}")[0])
    if pattern.startswith("^[A-Z]{"):
        return "A"
    return f"{name.upper()}-1" if pattern else "示例"
