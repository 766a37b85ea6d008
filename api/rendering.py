"""Answers as dense tables: 100 columns, Chinese first, never a blank.

Owns how a value, a period and an answer's two times are written. Invariant: none, not recorded and
erased are three different words, and no value can carry terminal control codes or markup.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from api.words import (
    ASIDE,
    CLOSED,
    CODES,
    ERASED,
    NAMES,
    NO,
    NONE,
    NOT_RECORDED,
    RESTRICTED,
    VALUES,
    WITHHELD,
    YES,
    Words,
    codes_of_packs,
)

_SHANGHAI = ZoneInfo("Asia/Shanghai")
_CONTROL = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if chr(code) != "\n"}


class Column(NamedTuple):
    """A column: its heading, and how its cells behave when the line is full."""

    words: Words
    right: bool = False
    folds: bool = True
    least: int | None = None
    most: int | None = None


def pick(words: Words, lang: str) -> str:
    return words[1] if lang == "en" else words[0]


def plain(text: str) -> str:
    """Text without control codes: a stored value cannot drive the reader's terminal."""
    return text.translate(_CONTROL)


def word(value: Any, lang: str) -> str:
    """One value as a reader sees it; structures become `name=value` lists."""
    if value is None:
        return pick(NONE, lang)
    if isinstance(value, bool):
        return pick(YES if value else NO, lang)
    if isinstance(value, Mapping):
        if value.get("erased") is True:
            return pick(ERASED, lang)
        if value.get("restricted") is True:
            return pick(RESTRICTED, lang)
        if value.get("withheld") is True:
            return pick(WITHHELD, lang)
        held = {k: v for k, v in value.items() if v is not None}
        return " ".join(f"{named(k, lang)}={coded(k, v, lang)}" for k, v in held.items())
    if isinstance(value, list | tuple):
        return listed((word(v, lang) for v in value), lang) or "—"
    text = str(value)
    return pick(VALUES[text], lang) if text in VALUES else plain(text)


def aside(name: str, value: Any, lang: str) -> str:
    """What is said of an entry beside its fields; its document and its source part by part."""
    parts = ASIDE.get(name)
    if parts is None or not isinstance(value, Mapping):
        return word(value, lang)
    held = {part: value[part] for part in parts if value.get(part) is not None}
    return " ".join(f"{pick(parts[k], lang)}={word(v, lang)}" for k, v in held.items())


def listed(words: Iterable[str], lang: str) -> str:
    return ("、" if lang == "zh" else ", ").join(words)


def coded(field: str, value: Any, lang: str) -> str:
    """A value whose code means something in its field: a grade, a sanction's kind."""
    if isinstance(value, list | tuple) and value:
        return listed((coded(field, one, lang) for one in value), lang)
    if isinstance(value, str):
        words = CODES.get((field, value)) or codes_of_packs().get((field, value))
        if words is not None:
            return pick(words, lang)
    return word(value, lang)


def strength_of(finding: Mapping[str, Any], lang: str) -> str:
    """How strong the rule is, and its standing where it is not in force."""
    strength = word(finding["strength"], lang)
    if finding["status"] == "in-force":
        return strength
    return f"{strength}\n({word(finding['status'], lang)})"


def content(value: Any, lang: str) -> str:
    """What a fact says: a lone field needs no name."""
    if isinstance(value, Mapping) and len(value) == 1 and not CLOSED & value.keys():
        field, alone = next(iter(value.items()))
        return coded(field, alone, lang)
    return word(value, lang)


def named(field: str, lang: str) -> str:
    return pick(NAMES[field], lang) if field in NAMES else field


def named_among(field: str, fields: Container[str], lang: str) -> str:
    """A field's name beside the others of its act: what has no person has a name of its own."""
    if field == "name" and "person" not in fields:
        return pick(("名称", "name"), lang)
    return named(field, lang)


def money(fen: int | None) -> str:
    """Fen as yuan with two decimals, exactly."""
    if fen is None:
        return "—"
    sign = "-" if fen < 0 else ""
    yuan, rest = divmod(abs(fen), 100)
    return f"{sign}{yuan:,}.{rest:02d}"


def instant(text: str | None) -> str:
    """A recorded instant in Shanghai time, to the second."""
    if not text:
        return "—"
    return datetime.fromisoformat(text).astimezone(_SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def table(
    title: Words, columns: Sequence[Column], rows: Iterable[Sequence[Any]], lang: str
) -> Group:
    """A dense table under its title; nothing in a title or a cell is read as markup."""
    return Group(Text(plain(pick(title, lang)), style="bold"), _grid(columns, rows, lang))


def _grid(columns: Sequence[Column], rows: Iterable[Sequence[Any]], lang: str) -> Table:
    drawn = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
        pad_edge=False,
        expand=False,
        header_style="bold",
    )
    for column in columns:
        drawn.add_column(
            Text(pick(column.words, lang)),
            justify="right" if column.right else "left",
            overflow="fold",
            no_wrap=not column.folds,
            min_width=column.least,
            max_width=column.most,
        )
    for row in rows:
        drawn.add_row(*map(_cell, row))
    return drawn


def _cell(said: Any) -> Text:
    if isinstance(said, Text):
        return Text(plain(said.plain), said.style)
    return Text(plain(str(said)))


def heading(as_of: Mapping[str, Any], now: tuple[str, int], lang: str) -> Iterator[Text]:
    """The amber line of an answer whose effective day is not today or whose position is not the
    head; `now` is both.
    """
    effective, recorded = as_of["effective"], as_of["recorded"]
    seen = []
    if effective != now[0]:
        seen.append((f"{effective} 的状态", f"the state on {effective}"))
    if recorded < now[1]:
        at = instant(as_of.get("recorded_at"))
        seen.append((f"位置 {recorded}({at})的历史认知", f"what position {recorded} ({at}) knew"))
    if seen:
        zh = "▲ 正在查看 " + "、".join(one[0] for one in seen)
        en = "▲ you are looking at " + " and ".join(one[1] for one in seen)
        yield Text(pick((zh, en), lang), style="bold yellow")


def identity(data: Mapping[str, Any], lang: str) -> Iterator[Text]:
    """Where the id asked about went by a merge, and which ids went into the one that was kept."""
    if kept := data.get("same_as"):
        zh, en = f"该人员标识已归并到 {kept}", f"This id was merged into {kept}"
        yield Text(pick((zh, en), lang), style="bold")
    if aliases := data.get("aliases"):
        named = ", ".join(aliases)
        zh, en = f"归并而来的人员标识:{named}", f"Ids merged into one: {named}"
        yield Text(pick((zh, en), lang), style="dim")


def footing(as_of: Mapping[str, Any], lang: str) -> Text:
    """The two times of an answer, the position and the fold it was made by."""
    effective, recorded = as_of["effective"], as_of["recorded"]
    at = instant(as_of.get("recorded_at"))
    fold = as_of["fold"]
    inside = ("(一批之内)", " inside a batch") if as_of.get("inside_batch") else ("", "")
    zh = f"生效 {effective} · 认知 位置 {recorded}{inside[0]}({at}) · 折叠版本 {fold}"
    en = f"effective {effective} · recorded position {recorded}{inside[1]} ({at}) · fold {fold}"
    return Text(pick((zh, en), lang), style="dim")


def period(start: date | str | None, end: str | None, lang: str) -> str:
    """自 … 至 … 止: the last day is shown, never the day after."""
    if start is None:
        return pick(NOT_RECORDED, lang)
    if end is None:
        return pick((f"自 {start}", f"since {start}"), lang)
    return pick((f"{start} 至 {end} 止", f"{start} to {end}"), lang)
