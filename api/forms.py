"""An act as a form: its fields in a clerk's words, and a clerk's words as values.

Owns what a field of an event type takes, as its JSON Schema says it. Invariant: nothing is written
by hand for a type: a field that is declared is on the form, with the choices it declares.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal, NamedTuple

from api.entries import type_schema
from api.rendering import coded
from api.words import NAMES, words_of_ladders, words_of_list
from domain.events import REGISTRY, Event
from domain.refusals import BadInput, UnknownField, UnknownType

FieldKind = Literal["text", "date", "integer", "boolean", "choice", "unit", "person", "structure"]
YES, NO = ("是", "yes", "true", "1"), ("否", "no", "false", "0")


_LISTED = {
    ("rewards", "kind"): "reward-kinds",
    ("sanctions", "kind"): "sanction-kinds",
    ("special-pay", "ground"): "special-pay-grounds",
    ("post", "family"): "job-families",
}
"""(facet, field) → the closed list of the packs that its acts are held against."""


class FormField(NamedTuple):
    """`choices`: the word for each code that may stand there. `many`: several, parted by 、."""

    name: str
    zh: str
    en: str
    kind: FieldKind
    required: bool
    private: bool
    many: bool
    choices: dict[str, str]
    pattern: str | None
    longest: int | None


def event_named(name: str) -> type[Event]:
    """The event type of this name or label. Raises UnknownType, with those that are near."""
    found = REGISTRY.get(name) or next((c for c in REGISTRY.values() if c.zh == name), None)
    if found is None:
        near = get_close_matches(name, [*REGISTRY, *(c.zh for c in REGISTRY.values())], 3)
        zh = "没有这种事项" + (f",是否指 {'、'.join(near)}?" if near else "")
        en = "there is no such event type" + (f"; {', '.join(near)}?" if near else "")
        raise UnknownType(en, zh=zh, field="type")
    return found


@cache
def fields_of(cls: type[Event]) -> tuple[FormField, ...]:
    """The fields of an event type in the order of their declaration, the envelope left out."""
    schema = type_schema(cls)
    required = set(schema["required"])
    kinds = dict(cls.subjects)
    return tuple(
        _field(cls, name, schema["properties"][name], schema["$defs"], required, kinds.get(name))
        for name in cls.model_fields
    )


def _field(
    cls: type[Event], name: str, part: Mapping[str, Any], defs: Mapping[str, Any],
    required: set[str], subject: str | None,
) -> FormField:  # fmt: skip
    inner = branch(part, defs)
    many = inner.get("type") == "array"
    if many:
        inner = branch(inner.get("items", {}), defs)
    zh, en = NAMES.get(name, (name, name))
    codes = [inner["const"]] if "const" in inner else inner.get("enum", [])
    return FormField(
        name, zh, en, _kind(inner, subject, codes), name in required, name in cls.private, many,
        {str(code): coded(name, str(code), "zh") for code in codes},
        inner.get("pattern"), inner.get("maxLength"),
    )  # fmt: skip


def _kind(inner: Mapping[str, Any], subject: str | None, codes: list[Any]) -> FieldKind:
    if codes:
        return "choice"
    if subject in ("person", "unit"):
        return "person" if subject == "person" else "unit"
    match inner.get("type"), inner.get("format"):
        case "string", "date":
            return "date"
        case "integer", _:
            return "integer"
        case "boolean", _:
            return "boolean"
        case "string", _:
            return "text"
    return "structure"


def branch(part: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself, past references and an optional's null."""
    if "$ref" in part:
        return branch(defs[part["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in part:
        return branch(next(p for p in part["anyOf"] if p.get("type") != "null"), defs)
    if "allOf" in part:
        return branch(part["allOf"][0], defs)
    return part


def words_of_packs(cls: type[Event], field: FormField) -> dict[str, str]:
    """Word → code of the packaged list or ladder that a field is held against."""
    facets = [w.facet.name for w in cls.writes]
    if field.kind != "text":
        return {}
    if field.name == "grade" and "grade" in facets:
        return words_of_ladders()
    listed = [_LISTED[facet, field.name] for facet in facets if (facet, field.name) in _LISTED]
    return words_of_list(listed[0]) if listed else {}


def value_of(cls: type[Event], name: str, text: str) -> Any:
    """What a text says for a field, as it stands in JSON; a choice, and what the packs list, by
    its code or its word.

    Raises UnknownField, BadInput.
    """
    field = next((f for f in fields_of(cls) if name in (f.name, f.zh)), None)
    if field is None:
        raise UnknownField(f"{cls.__name__} has no field {name}", field=name)
    packed = words_of_packs(cls, field)
    if field.many:
        return [_one(field, part.strip(), packed) for part in text.replace(",", "、").split("、")]
    return _one(field, text.strip(), packed)


def field_named(cls: type[Event], name: str) -> str:
    """The field's own name, where it was named by its word."""
    return next((f.name for f in fields_of(cls) if f.zh == name), name)


def _one(field: FormField, text: str, packed: Mapping[str, str]) -> Any:
    match field.kind:
        case "choice":
            by_word = {word: code for code, word in field.choices.items()}
            return by_word.get(text, text)
        case "integer" if text.lstrip("-").isdigit():
            return int(text)
        case "boolean" if text.lower() in (*YES, *NO):
            return text.lower() in YES
        case "integer" | "boolean" | "structure":
            raise BadInput(field=field.name)
    return packed.get(text, text)
