"""A mapping as the TOML text that is read back as the same mapping.

Owns the writing. Invariant: `parse_mapping(to_toml(mapping)) == mapping`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import orjson

from api.intake.mapping import Mapping as FileMapping

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WIDE = 100
_DEL = "\x7f"


def to_toml(mapping: FileMapping, remarks: Sequence[str] = ()) -> str:
    """The text of a mapping, under remarks (one a line)."""
    data = mapping.model_dump(mode="python", exclude_defaults=True)
    lines = [f"# {line}" for remark in remarks for line in remark.splitlines()]
    return "\n".join([*lines, *_table(data, "")]) + "\n"


def _table(data: Mapping[str, Any], path: str) -> Iterator[str]:
    """The plain values of a table first, then the tables in it."""
    inner = {k: v for k, v in data.items() if _is_table(v) or _is_tables(v)}
    for name, value in data.items():
        if name not in inner:
            yield f"{_key(name)} = {_value(value)}"
    for name, value in inner.items():
        below = f"{path}.{_key(name)}" if path else _key(name)
        if _is_tables(value):
            for one in value:
                yield from ("", f"[[{below}]]", *_table(one, below))
        else:
            yield from ("", f"[{below}]", *(f"{_key(k)} = {_value(v)}" for k, v in value.items()))


def _is_table(value: Any) -> bool:
    """A dictionary that does not go into a line."""
    return isinstance(value, Mapping) and (
        any(isinstance(v, Mapping) for v in value.values()) or len(_value(value)) > _WIDE
    )


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, int) else _text(str(value))


def _text(text: str) -> str:
    return orjson.dumps(text).decode().replace(_DEL, "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)
