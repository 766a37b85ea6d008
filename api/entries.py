"""Acts in and entries out, as JSON: generic over the event types that are declared.

Owns the request body of an entry and its typed refusals, and the plain shapes of entries, receipts
and findings. Invariant: no value that was sent is in any refusal, only the place where it stood.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from functools import cache
from typing import Annotated, Any, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.case import Finding
from domain.events import (
    REGISTRY,
    Actor,
    Code,
    Document,
    Event,
    FactAnnulled,
    Mood,
    Proposal,
    Source,
    Text,
)
from domain.ledger import Ledger
from domain.ledger.requests import Receipt, Request
from domain.refusals import (
    BadInput,
    BadJson,
    ImpossibleDate,
    MissingField,
    Refusal,
    TooLarge,
    UnknownFact,
    UnknownField,
    UnknownType,
)

MOST_BYTES = 8 * 1024 * 1024
MOST_ACTS = 10_000
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)

_Model = TypeVar("_Model", bound=BaseModel)

Position = Annotated[int, Field(ge=1, le=2**63 - 1)]


class Envelope(BaseModel):
    """What is said of an act beside its own fields. An own field of the same name comes first."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    effective: date | None = Field(None, description="the day the act takes effect 生效日")
    until: date | None = Field(None, description="the day after its last day (half-open)")
    last_day: date | None = Field(None, description="its last day 至…止, in place of `until`")
    seq: int | None = Field(
        None,
        ge=-1000,
        le=1000,
        description="order within a day; a correction keeps its fact's",
    )
    occurred: date | None = Field(None, description="the day of the incident 发生日")
    expect: int | None = Field(None, ge=0, description="the position you have seen")
    supersedes: UUID | Position | None = Field(None, description="the entry it corrects 更正")
    annuls: UUID | Position | None = Field(None, description="the entry that never was 撤销")
    ends: UUID | Position | None = Field(None, description="the fact it ends 终止")
    event_id: UUID | None = None
    cause: UUID | None = None
    reason: Text | None = None
    source: Source | None = None


class Acknowledgement(BaseModel):
    """An entry that the request is known to undermine 确认后续影响, and why it is entered still."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    position: Position
    reason: Text


class Body(BaseModel):
    """What the acts of one request have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    events: list[Any] = Field(min_length=1)
    document: Document | None = None
    mood: Mood = "ordered"
    attested_by: Code | None = None
    approved_by: Code | None = None
    acknowledge: list[Acknowledgement] = Field(default_factory=list)


def request_of(
    ledger: Ledger,
    body: bytes,
    *,
    actor: Actor | None = None,
    key: str | None = None,
    request_id: str | None = None,
    standing: str | None = None,
    approved_by: str | None = None,
) -> Request:
    """The request that a JSON body makes; `ledger` finds entries that are named by position;
    `approved_by` stands in for the body's own.

    Raises BadJson, TooLarge, UnknownType, UnknownField, MissingField, ImpossibleDate, BadInput and
    UnknownFact, with the `index` of the act and its `field`, steps parted by "/".
    """
    if len(body) > MOST_BYTES:
        raise TooLarge(
            f"a request has at most {MOST_BYTES} bytes", zh=f"请求不得超过 {MOST_BYTES} 字节"
        )
    shared = checked_bytes(Body, body)
    if len(shared.events) + len(shared.acknowledge) > MOST_ACTS:
        raise TooLarge(
            f"a request has at most {MOST_ACTS} acts", zh=f"请求不得超过 {MOST_ACTS} 项",
            field="events",
        )  # fmt: skip
    proposals = [_proposal(ledger, index, act) for index, act in enumerate(shared.events)]
    return Request(
        [*proposals, *_acknowledged(ledger, shared.acknowledge)],
        mood=shared.mood,
        actor=actor or Actor(),
        document=shared.document,
        key=key,
        request_id=request_id,
        attested_by=shared.attested_by,
        standing=standing,
        approved_by=approved_by or shared.approved_by,
    )


def _acknowledged(ledger: Ledger, said: Iterable[Acknowledgement]) -> Iterator[Proposal]:
    for index, one in enumerate(said):
        try:
            yield ledger.acknowledge(one.position, one.reason)
        except Refusal as refusal:
            refusal.field = f"acknowledge/{index}/position"
            raise


def _proposal(ledger: Ledger, index: int, act: Any) -> Proposal:
    try:
        return _one(ledger, act)
    except Refusal as refusal:
        refusal.index = index
        raise


def _one(ledger: Ledger, act: Any) -> Proposal:
    if not isinstance(act, dict):
        raise BadJson("an act is a JSON object", zh="事项应为 JSON 对象")
    if "type" not in act:
        raise MissingField(field="type")
    cls = REGISTRY.get(act["type"]) if isinstance(act["type"], str) else None
    if cls is None:
        raise UnknownType(field="type")
    aside = Envelope.model_fields.keys() - cls.model_fields.keys()
    around = _checked(Envelope, {k: v for k, v in act.items() if k in aside})
    own = {k: v for k, v in act.items() if k not in aside and k != "type"}
    event = _checked(cls, own)
    _check_corrections(cls, around)
    if around.effective is None and around.annuls is None:
        raise MissingField(field="effective")
    return Proposal(
        event,
        around.effective or FIRST_DAY,  # an annulment takes the day of what it annuls
        until=_until(around),
        seq=around.seq,
        occurred=around.occurred,
        supersedes=_entry_id(ledger, around.supersedes, "supersedes"),
        annuls=_entry_id(ledger, around.annuls, "annuls"),
        ends=_entry_id(ledger, around.ends, "ends"),
        event_id=around.event_id,
        source=around.source,
        cause=around.cause,
        reason=around.reason,
        expect=around.expect,
    )


def _check_corrections(cls: type[Event], around: Envelope) -> None:
    if around.supersedes is not None and around.annuls is not None:
        raise BadInput("an act corrects or annuls, not both", field="annuls",
                       zh="更正与撤销不能并用")  # fmt: skip
    if around.annuls is not None and cls is not FactAnnulled:
        raise BadInput("only FactAnnulled annuls", field="annuls", zh="撤销须用 FactAnnulled")
    if around.annuls is None and cls is FactAnnulled:
        raise MissingField(field="annuls")


def _until(around: Envelope) -> date | None:
    until, name = around.until, "until"
    if around.last_day is not None:
        if until is not None:
            raise BadInput("give `until` or `last_day`, not both", field="last_day",
                           zh="until 与 last_day 只填其一")  # fmt: skip
        until, name = around.last_day + timedelta(days=1), "last_day"
    if until is not None and around.effective is not None and until <= around.effective:
        raise BadInput("a period ends after it begins", field=name, zh="止日不得早于生效日")
    return until


def _entry_id(ledger: Ledger, named: UUID | int | None, field: str) -> UUID | None:
    """The event id of an entry named by id or position; for `ends`, of the root of its fact."""
    if not isinstance(named, int):
        return named
    entry = next(ledger.entries(after=named - 1, until=named), None)
    if entry is None:
        raise UnknownFact(field=field)
    return UUID(entry.root if field == "ends" else entry.id)


# checking


def checked_bytes(model: type[_Model], body: bytes) -> _Model:
    """A JSON object as this model. Raises as `request_of`."""
    try:
        said = orjson.loads(body)
        json.loads(body, object_pairs_hook=_once_each, parse_int=len)
    except (orjson.JSONDecodeError, RecursionError):
        raise BadJson from None
    if not isinstance(said, dict):
        raise BadJson("the body is a JSON object", zh="请求正文应为 JSON 对象")
    return _checked(model, said)


def _once_each(pairs: list[tuple[str, Any]]) -> None:
    """Two values of one field leave open which was meant. Raises BadJson."""
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadJson("a field is given twice", field=_place((twice,)), zh="同一字段出现两次")


def _checked(model: type[_Model], said: Mapping[str, Any]) -> _Model:
    """The typed form: strings are no numbers, a date is YYYY-MM-DD within two bounds, and a text
    has no control characters but tabs and line breaks.
    """
    try:
        checked = model.model_validate_json(orjson.dumps(said), strict=True)
    except ValidationError as invalid:
        raise _refusal(invalid) from None
    except orjson.JSONEncodeError:
        raise _too_deep() from None
    for field, value, written in _leaves(checked, said):
        if isinstance(value, str) and _CONTROL.search(value):
            raise BadInput("a text has no control characters", field=field, zh="文本含控制字符")
        if isinstance(value, date) and (
            not FIRST_DAY <= value <= LAST_DAY or value.isoformat() != written
        ):
            raise ImpossibleDate(field=field)
    return checked


def _leaves(value: Any, written: Any, field: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each typed value with its place and what was written there."""
    inner: list[tuple[Any, Any, Any]] = []
    if isinstance(value, BaseModel):
        inner = [
            (n, getattr(value, n), written[n]) for n in type(value).model_fields if n in written
        ]
    elif isinstance(value, list | tuple):
        inner = [(n, v, w) for n, (v, w) in enumerate(zip(value, written, strict=True))]
    else:
        yield field, value, written
    for name, one, said in inner:
        if one is not None:
            yield from _leaves(one, said, f"{field}/{name}".lstrip("/"))


_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SAYS_NO_INPUT = re.compile(
    "string_(pattern_mismatch|too_short|too_long|type)|literal_error|value_error|too_(short|long)"
    "|(greater|less)_than(_equal)?|(int|float|bool|list|dict|uuid|model|tuple)_type"
)
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,63}")


def _refusal(invalid: ValidationError) -> Refusal:
    """The first fault, typed, with its place and never its input."""
    errors = invalid.errors(include_url=False, include_input=False)
    first = errors[0]
    field = _place(first["loc"])
    kind = first["type"]
    if kind == "json_invalid":
        return _too_deep()
    if kind == "missing":
        return MissingField(field=field)
    if kind == "extra_forbidden":
        return UnknownField(field=field)
    if kind.startswith("date"):
        return ImpossibleDate(field=field)
    return BadInput(first["msg"] if _SAYS_NO_INPUT.fullmatch(kind) else "", field=field)


def _too_deep() -> BadJson:
    return BadJson("the body is nested too deeply", zh="请求正文嵌套过深")


def _place(steps: tuple[int | str, ...]) -> str:
    """Steps as sent; the branches of a union are not places, an odd name is not repeated."""
    named = [str(s) if isinstance(s, int) or _NAME.fullmatch(s) else "?" for s in steps]
    return "/".join(s for s in named if s not in ("uuid", "constrained-int", "int"))


# out


def finding_dict(finding: Finding) -> dict[str, Any]:
    return dict(finding._asdict())


def receipt_dict(receipt: Receipt) -> dict[str, Any]:
    """{"entries": [{position, event_id, type, recorded_at}], "position", "findings": [{index}]}."""
    return {
        "entries": [dict(entered._asdict()) for entered in receipt.entries],
        "position": receipt.position,
        "findings": [
            {"index": i, **finding_dict(f)} for i, f in (*receipt.findings, *receipt.undermined)
        ],
    }


def to_bytes(answer: Any) -> bytes:
    """The bytes of any answer; the API and the command line give the same."""
    return orjson.dumps(answer)


# what can be entered

_REF = "#/components/schemas/{model}"


def type_schema(cls: type[Event], ref: str = _REF) -> dict[str, Any]:
    """The JSON Schema of an act of this type, as it stands in `events`; nested ones in `$defs`."""
    own = cls.model_json_schema(ref_template=ref)
    around = Envelope.model_json_schema(ref_template=ref)
    properties: dict[str, Any] = {"type": {"const": cls.__name__}}
    for name, schema in around["properties"].items():
        properties.setdefault(name, schema)
    for name, schema in own.get("properties", {}).items():
        private = cls.private.get(name)
        properties[name] = {**schema, "x-private": private.cls} if private else schema
    annulment = cls is FactAnnulled
    return {
        "title": cls.__name__,
        "description": f"{cls.zh}: {(cls.__doc__ or '').strip()}",
        "type": "object",
        "properties": properties,
        "required": ["type", "annuls" if annulment else "effective", *own.get("required", [])],
        "additionalProperties": False,
        "$defs": {**around.get("$defs", {}), **own.get("$defs", {})},
    }


@cache
def type_dict(cls: type[Event]) -> dict[str, Any]:
    """What an event type declares: labels, day, facets, subjects, private fields, JSON Schema."""
    return {
        "type": cls.__name__,
        "zh": cls.zh,
        "en": cls.en,
        "day": cls.day,
        "chapter": cls.__module__.rpartition(".")[2],
        "description": (cls.__doc__ or "").strip(),
        "writes": sorted({w.facet.name for w in cls.writes}),
        "ends": sorted(f.name for f in cls.ends),
        "leaves": cls.leaves,
        "subjects": dict(cls.subjects),
        "private": {name: mark.cls for name, mark in cls.private.items()},
        "schema": type_schema(cls, "#/$defs/{model}"),
    }
