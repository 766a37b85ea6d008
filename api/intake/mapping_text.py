"""The text of a mapping, and where in it something is wrong.

Owns both. Invariant: a fault names the line of what is at fault, or of the table that it is in.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from domain.refusals import BadInput

_TABLE = re.compile(r"\s*\[(\[)?\s*([^\[\]]+?)\s*\]")
_PART = r"""(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)"""
_KEY = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")
_PARTS = re.compile(_PART)
_KINDS_ZH = {
    "too_short": "不能为空", "string_too_short": "不能为空", "string_too_long": "文字过长",
    "bool": "应为 true 或 false", "int": "应为整数", "date": "应为日期,如 2021-08-01",
    "list": "应为列表,写在 [ ] 中", "dict": "应为表,写在 { } 中或另起 [ ] 段",
    "model": "应为表,写在 { } 中或另起 [ ] 段",
}  # fmt: skip
"""By the type of a fault, or by how it begins."""
_WORD = re.compile(r"[^\s,:;()]+")

Place = tuple[str | int, ...]


class MappingError(ValueError):
    """What is wrong with a whole table of a mapping, in English and Chinese."""

    def __init__(self, en: str, zh: str) -> None:
        self.zh = zh
        super().__init__(en)


def text_in(path: Path) -> str:
    """The text of a file in UTF-8 or, as older editors save it, GB18030. Raises BadInput."""
    content = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding).replace("\r\n", "\n")
        except UnicodeDecodeError:
            continue
    raise BadInput(f"{path.name} is no text in UTF-8 or GB18030", field="mapping",
                   zh=f"{path.name} 不是 UTF-8 或 GB18030 编码的文本")  # fmt: skip


def fault_in(text: str, error: ValidationError) -> BadInput:
    """What is wrong with a mapping, the likeliest cause first: a key that is none."""
    faults = error.errors()
    first = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
    at = ".".join(map(str, first["loc"])) or "mapping"
    line = _line_of(text, first)
    where = (f"第 {line} 行 ", f" (line {line})") if line else ("", "")
    said = first["msg"].removeprefix("Value error, ")
    return BadInput(f"{at}{where[1]}: {said}", field=f"mapping.{at}",
                    zh=f"对应表{where[0]} {at} 处有误:{_zh(first, faults)}")  # fmt: skip


def _zh(fault: ErrorDetails, faults: list[ErrorDetails]) -> str:
    match fault["type"]:
        case "extra_forbidden":
            missing = [one["loc"] for one in faults if one["type"] == "missing"]
            beside = [loc[-1] for loc in missing if loc[:-1] == fault["loc"][:-1]]
            lacking = f",而缺少 {'、'.join(map(str, beside))}" if beside else ""
            return f"没有 {fault['loc'][-1]} 这一项{lacking}"
        case "missing":
            return "缺少此项"
        case "literal_error":
            return f"应为 {fault['ctx']['expected'].replace(' or ', '、').replace(', ', '、')} 之一"
        case "string_type":
            return "应为文字,写在引号中"
        case "value_error":
            error = fault["ctx"]["error"]
            return error.zh if isinstance(error, MappingError) else str(error)
        case "string_pattern_mismatch":
            return f"写法不合要求(应合 {fault['ctx']['pattern']})"
        case "greater_than_equal" | "less_than_equal":
            return f"应在 {'、'.join(str(limit) for limit in fault['ctx'].values())} 以内"
    of_kind = fault["type"].partition("_")[0]
    return _KINDS_ZH.get(fault["type"], _KINDS_ZH.get(of_kind, "")) or str(fault["msg"])


def _line_of(text: str, fault: ErrorDetails) -> int | None:
    lines = text.split("\n")
    if fault["type"] == "value_error":  # such a fault is of a whole table: its last word is closer
        for word in reversed(_WORD.findall(fault["msg"])):
            own = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")
            if len(found := [n for n, line in enumerate(lines, 1) if own.search(line)]) == 1:
                return found[0]
    known, at = dict(_places(lines)), fault["loc"]
    return next((known[at[:end]] for end in range(len(at), 0, -1) if at[:end] in known), None)


def _places(lines: list[str]) -> Iterator[tuple[Place, int]]:
    """Each table and key of a TOML text that begins a line, with the line."""
    tables: Counter[Place] = Counter()
    now: Place = ()
    for number, line in enumerate(lines, 1):
        if (table := _TABLE.match(line)) is not None:
            now = ()
            parts = [part.strip("\"'") for part in _PARTS.findall(table[2])]
            for last, part in enumerate(parts, 1 - len(parts)):
                now = (*now, part)
                if last == 0 and table[1]:
                    tables[now] += 1
                if now in tables:
                    now = (*now, tables[now] - 1)
            yield now, number
        elif (key := _KEY.match(line)) is not None:
            yield (*now, *(part.strip("\"'") for part in _PARTS.findall(key[1]))), number
