"""Questions along the axes: what held when, what was said of a day, both at once, and by what.

Owns `timeline`, `beliefs`, `rectangles`, `explain` and `compare`. Invariant: a picture is drawn
only where it fits the line; what it shows stands in the table beside it too.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.cells import set_cell_size
from rich.console import RenderableType
from rich.text import Text

from api.cli.frame import WIDEST, Lang
from api.cli.out import Asked, answered
from api.rendering import Column, coded, content, instant, period, pick, plain, table
from api.words import CLOSED, ENDED, NAMES, NONE, NOT_RECORDED, Words

SubjectArg = Annotated[
    str, typer.Argument(metavar="SUBJECT", help="人员标识,或 unit:单位标识 / person's id, unit:…")
]
FacetOption = Annotated[
    str | None, typer.Option("--facet", metavar="FACET", help="只看这一事项 / only this facet")
]

_ENTRY = (
    Column(("登记时间", "recorded"), folds=False),
    Column(("事项", "event"), least=8),
    Column(("经办", "by")),
    Column(("理由", "reason")),
)


def _strand(one: Mapping[str, Any], lang: str) -> str:
    name = pick((one["zh"], one["en"]), lang)
    return f"{name}({one['slot']})" if one.get("slot") else name


def _value(value: Any, lang: str) -> str:
    if value is None:
        return pick(NONE, lang)
    if isinstance(value, Mapping):
        value = {k: v for k, v in value.items() if k != "person"} or value
    return content(value, lang)


def draw_facts(facts: Sequence[Mapping[str, Any]], lang: str) -> str:
    if not facts:
        return pick(NOT_RECORDED, lang)
    return "\n".join(
        f"{_value(f['value'], lang)} {period(f['since'], f['last_day'], lang)}" for f in facts
    )


def _entry(cited: Mapping[str, Any] | None, lang: str) -> tuple[str, str, str, str]:
    """When, what, by whom and why, for the columns of `_ENTRY`."""
    if cited is None:
        return ("—", "—", "—", "—")
    actor = cited["actor"] or {}
    return (
        instant(cited["recorded_at"])[:16],
        pick((cited["zh"], cited["en"]), lang),
        plain(str(actor.get("subject") or "—")),
        plain(str(cited["reason"] or "—")),
    )


def _draw_timeline(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    columns = [
        Column(("事项", "facet"), least=8),
        Column(("期间", "days"), folds=False),
        Column(("内容", "value"), least=16),
        Column(("登记", "entry"), right=True, folds=False),
        *_ENTRY[:2],
    ]
    rows: list[tuple[Any, ...]] = []
    for strand in data["facets"]:
        name = _strand(strand, lang)
        for one in strand["stretches"]:
            said = pick(ENDED, lang) if one["state"] == "ended" else _value(one["value"], lang)
            if one["state"] == "lapsed":
                said = pick(("已失效:", "lapsed: "), lang) + coded("cause", one["cause"], lang)
            days = period(one["start"], one["last_day"], lang)
            rows.append((name, days, said, one["entry"] or "—", *_entry(one["by"], lang)[:2]))
            name = ""
    subject = data["subject"]
    yield table((f"{subject} 的时间线", f"Timeline of {subject}"), columns, rows, lang)


def _draw_beliefs(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    columns = [
        Column(("自位置", "from pos."), right=True, folds=False),
        Column(("说法", "said"), least=16),
        *_ENTRY,
    ]
    for strand in data["beliefs"]:
        name, day = _strand(strand, lang), data["day"]
        title = (f"{name}:关于 {day} 的说法", f"{name}: what was said of {day}")
        rows = [
            (one["from"], draw_facts(one["facts"], lang), *_entry(one["opened_by"], lang))
            for one in strand["stretches"]
        ]
        yield table(title, columns, rows, lang)


def _draw_rectangles(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    columns = [
        Column(("内容", "value"), least=12),
        Column(("期间", "days"), folds=False),
        Column(("自位置", "from"), right=True, folds=False),
        Column(("由登记", "opened by"), least=8),
        Column(("至位置", "to"), right=True, folds=False),
        Column(("由登记", "closed by"), least=8),
    ]
    for strand in data["facets"]:
        parts = strand["rectangles"]
        rows = [
            (
                _value(one["value"], lang),
                period(one["start"], one["last_day"], lang),
                one["known_from"],
                _entry(one["opened_by"], lang)[1],
                one["known_to"] or "",
                _entry(one["closed_by"], lang)[1],
            )
            for one in parts
        ]
        name = _strand(strand, lang)
        yield table((name, name), columns, rows, lang)
        if not strand["many"] and len({one["known_from"] for one in parts}) > 1:
            yield from picture(parts, lang)


_EDGE, _NARROWEST, _BROADEST = 9, 11, 22


def picture(parts: Sequence[Mapping[str, Any]], lang: str) -> Iterator[Text]:
    """Days across (not to scale), positions down; nothing where it would not fit the line.

    A rectangle shows its value at its upper left corner, ─ to the right and ┊ below it; · is not
    recorded.
    """
    days = sorted({day for one in parts for day in (one["start"], one["end"]) if day})
    last = parts and any(one["end"] is None for one in parts)
    starts = days if last else days[:-1]
    positions = sorted({p for one in parts for p in (one["known_from"], one["known_to"]) if p})
    width = min(_BROADEST, (WIDEST - _EDGE) // max(len(starts), 1))
    if width < _NARROWEST:
        return
    yield Text(" " * _EDGE + "".join(day.ljust(width) for day in starts), style="dim")
    for position in positions:
        line = f"{position:>{_EDGE - 1}} "
        for day in starts:
            line += set_cell_size(_cell(parts, day, position, width, lang), width)
        yield Text(line)
    yield Text("")


def _cell(
    parts: Sequence[Mapping[str, Any]], day: str, position: int, width: int, lang: str
) -> str:
    for one in parts:
        if not one["start"] <= day < (one["end"] or "~"):
            continue
        if one["known_from"] <= position and (one["known_to"] or position + 1) > position:
            if day != one["start"]:
                return "─" * width
            if position != one["known_from"]:
                return "┊"
            said = " ".join(_leading(one["value"], lang).split())
            return "│" + set_cell_size(said, width - 2).rstrip()
    return "·"


def _leading(value: Any, lang: str) -> str:
    """What a value says first: its leading field that is not empty."""
    if isinstance(value, Mapping) and not CLOSED & value.keys():
        for field, said in value.items():
            if said is not None and field != "person":
                return coded(field, said, lang)
    return _value(value, lang)


def _draw_explained(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    zh = f"{data['zh']}:{draw_facts(data['facts'], 'zh')}{_over(data['lapsed'], 'zh')}"
    en = f"{data['en']}: {draw_facts(data['facts'], 'en')}{_over(data['lapsed'], 'en')}"
    columns = [
        Column(("登记", "entry"), right=True, folds=False),
        Column(("作用", "part")),
        Column(("生效日", "effective"), folds=False),
        *_ENTRY,
    ]
    rows = [
        (one["position"], coded("part", one["part"], lang), one["effective"], *_entry(one, lang))
        for one in data["entries"]
    ]
    yield table((zh, en), columns, rows, lang)


def _over(lapsed: Sequence[Mapping[str, Any]], lang: str) -> str:
    said = []
    for one in lapsed:
        day, cause = one["day"], coded("cause", one["cause"], lang)
        seat = f"{one['slot']} " if one["slot"] else ""
        words = (f"({seat}自 {day} 失效:{cause})", f" ({seat}lapsed {day}: {cause})")
        said.append(pick(words, lang))
    return "".join(said)


def draw_compare(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    before = data["before"]
    zh = f"与 生效 {before['effective']}、认知位置 {before['recorded']} 相比"
    en = f"Compared with effective {before['effective']}, recorded {before['recorded']}"
    columns = [
        Column(("事项", "facet")),
        Column(("前", "before")),
        Column(("后", "after")),
        Column(("造成差异的登记", "made by entries")),
    ]
    rows = [
        (
            _strand(one, lang),
            _draw_side(one, "before", lang),
            _draw_side(one, "after", lang),
            _positions(one),
        )
        for one in data["differences"]
    ]
    yield table((zh, en), columns, rows, lang)
    moves = data.get("roster", {"came": [], "went": []})
    if not rows and not moves["came"] and not moves["went"]:
        yield Text(pick(("没有不同。", "No difference."), lang))
    for name, words in (("came", ("增加", "Came")), ("went", ("减少", "Went"))):
        if moves[name]:
            yield _draw_moved(words, moves[name], lang)


def _draw_side(difference: Mapping[str, Any], side: str, lang: str) -> str:
    ended = difference[f"{side}_ended"]
    if ended is None:
        return draw_facts(difference[side], lang)
    return pick(("已终止:", "ended: "), lang) + draw_facts([ended], lang)


def _draw_moved(words: Words, moved: Sequence[Mapping[str, Any]], lang: str) -> RenderableType:
    fields = ("person", "name", "grade", "unit", "host")
    columns = [*(Column(NAMES[field]) for field in fields), Column(("登记", "entries"))]
    rows = [
        (*(_blank(field, one[field], lang) for field in fields), _positions(one)) for one in moved
    ]
    title = (f"{words[0]} {len(moved)} 人", f"{words[1]}: {len(moved)}")
    return table(title, columns, rows, lang)


def _blank(field: str, value: Any, lang: str) -> str:
    return "—" if value is None else coded(field, value, lang)


def _positions(one: Mapping[str, Any]) -> str:
    return " ".join(map(str, one["entries"])) or "—"


# the commands


@answered(_draw_timeline, "timeline", private=True)
def timeline(asked: Asked, subject: SubjectArg, *, facet: FacetOption = None) -> Mapping[str, Any]:
    """各事项自何日至何日为何、由哪条登记 / What held from when to when, and by which entry."""
    from api import answers_axes

    return answers_axes.timeline(asked.bureau, subject, asked.when, facet)


@answered(_draw_beliefs, "beliefs", private=True)
def beliefs(asked: Asked, subject: SubjectArg, *, facet: FacetOption = None) -> Mapping[str, Any]:
    """对某日的说法何时改变、由哪条登记改变 / What we said of a day, and when that changed."""
    from api import answers_axes

    return answers_axes.beliefs(asked.bureau, subject, asked.when, facet)


@answered(_draw_rectangles, "rectangles", private=True)
def rectangles(
    asked: Asked, subject: SubjectArg, *, facet: FacetOption = None
) -> Mapping[str, Any]:
    """两个时间轴上的全貌:横为日期,纵为登记位置 / Both times: days across, positions down."""
    from api import answers_axes

    return answers_axes.rectangles(asked.bureau, subject, asked.when, facet)


@answered(_draw_explained, "explain", private=True)
def explain(
    asked: Asked,
    subject: SubjectArg,
    facet: Annotated[str, typer.Argument(metavar="FACET", help="事项,如 grade / facet")],
) -> Mapping[str, Any]:
    """答案依据哪些登记:缺一则答案不同 / The entries an answer rests on."""
    from api import answers_axes

    return answers_axes.explain(asked.bureau, subject, facet, asked.when)


@answered(draw_compare, "compare", private=True)
def compare(
    asked: Asked,
    subject: SubjectArg,
    *,
    before_effective: Annotated[
        str | None,
        typer.Option(
            "--before-effective", metavar="DATE", help="前者的生效时点 / the first pair's day"
        ),
    ] = None,
    before_recorded: Annotated[
        str | None,
        typer.Option("--before-recorded", metavar="POS|DATE", help="前者的认知时点 / its position"),
    ] = None,
) -> Mapping[str, Any]:
    """两个时点之间有何不同,由哪些登记造成 / What two moments differ in, and why."""
    from api import answers_axes, times

    after = asked.when
    before = times.When(before_effective or after.effective, before_recorded or after.recorded)
    return answers_axes.compare(asked.bureau, subject, before, after)
