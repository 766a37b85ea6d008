"""Who answered for whom, in words and tables.

Owns how a seat is said. Invariant: an empty seat, a lapsed pairing and an overlap are said in
words, and no other name stands in their place.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from api.rendering import Column, period, pick, plain, table
from api.words import ERASED, NOT_RECORDED, RESTRICTED, Words
from domain.acts.units import HEAD
from projections.accountability import CAPACITIES, CAUSES
from projections.charges import Capacity

ACTING = ("代理", "acting")
STATES = {
    "on-leave": ("离岗", "on leave"),
    "suspended": ("停职", "suspended"),
}
OUT = {"out": ("当日不在职", "not in service that day"), "not-recorded": NOT_RECORDED}

Rows = list[tuple[str, ...]]


# one day


def draw_day(data: Mapping[str, Any], lang: str) -> Iterator[RenderableType]:
    then, now, people = data["then"]["answer"], data["now"], data["people"]
    day, known = now["as_of"]["effective"], data["then"]["recorded"]
    title = (
        f"{_name(data['person'], people)} 于 {day}:{place_of(now, 'zh')}",
        f"{_name(data['person'], people)} on {day}: {place_of(now, 'en')}",
    )
    columns = [
        Column(("责任", "tier"), least=12),
        Column(("现在认定", "as known now"), least=24),
        Column(("登记", "entries")),
    ]
    rows: Rows = [(_tier(line, lang), *_cells(line, people, lang)) for line in now["lines"]]
    if data["differ"] and was_recorded(then):
        columns.insert(1, Column((f"当时登记(位置 {known})", f"as recorded at {known}")))
        rows = _beside(then, now, rows, people, lang)
    yield table(title, columns, rows, lang)
    yield from _outgoing(now, people, lang)
    alarm = "bold red" if was_recorded(then) else "yellow"
    yield Text(pick(agreement(data), lang), style=alarm if data["differ"] else "")
    yield from _draw_found(data["findings"], lang)


def _beside(
    then: Mapping[str, Any],
    now: Mapping[str, Any],
    rows: Rows,
    people: Mapping[str, Any],
    lang: str,
) -> Rows:
    """The rows with what was recorded then as their second cell, and the seats that are no more."""
    before = {_seat(line): words_of(line, people, lang) for line in then["lines"]}
    absent = pick(OUT.get(then["service"], NOT_RECORDED), lang)
    both = [
        (tier, before.get(_seat(line), absent), *rest)
        for line, (tier, *rest) in zip(now["lines"], rows, strict=True)
    ]
    stands = {_seat(line) for line in now["lines"]}
    gone = [
        line
        for line in then["lines"]
        if _seat(line) not in stands and line["status"] != "not-recorded"
    ]
    return both + [(_tier(line, lang), words_of(line, people, lang), "—", "") for line in gone]


def was_recorded(then: Mapping[str, Any]) -> bool:
    """Whether the ledger knew of the person's service then, or of anybody who answered."""
    return then["service"] != "not-recorded" or any(line["holders"] for line in then["lines"])


def agreement(data: Mapping[str, Any]) -> Words:
    """Whether the day as recorded then and as known now say the same, and what lies between."""
    if not data["differ"]:
        return "当时登记与现在认定一致。", "Then and now agree."
    known, entries = data["then"]["recorded"], " ".join(map(str, data["entries"]))
    if not was_recorded(data["then"]["answer"]):
        return (
            f"▲ 当时(位置 {known})账本尚无此人登记;现在认定由登记 {entries} 补登而来。",
            f"▲ Nothing was recorded then (at {known}); entries {entries} said it since.",
        )
    return f"▲ 事后变更:登记 {entries} 改变了答案。", f"▲ Changed since by entries {entries}."


def _draw_found(found: Iterable[Mapping[str, Any]], lang: str) -> Iterator[Text]:
    for each in found:
        said = each["finding"]["zh" if lang == "zh" else "en"]
        yield Text(f"▲ {said}({each['finding']['article']})", style="yellow")


def place_of(answer: Mapping[str, Any], lang: str) -> str:
    if answer["service"] != "in":
        return pick(OUT[answer["service"]], lang)
    unit = answer["unit"] or pick(NOT_RECORDED, lang)
    words = (f"用人单位 {unit}", f"using unit {unit}")
    lent = ("(借调)", " (seconded)") if answer["seconded"] else ("", "")
    return pick(words, lang) + pick(lent, lang)


def _seat(line: Mapping[str, Any]) -> tuple[Any, ...]:
    return line["capacity"], line["unit"], line["seat"]


def _tier(line: Mapping[str, Any], lang: str) -> str:
    label = CAPACITIES[line["capacity"]]
    return pick((label.zh, label.en), lang) + _named_seat(line)


def _short(line: Mapping[str, Any], lang: str) -> str:
    """The tier where there is little room, without the responsibility it bears."""
    label = CAPACITIES[line["capacity"]]
    return pick((label.zh.partition("(")[0], label.en), lang) + _named_seat(line)


def _named_seat(line: Mapping[str, Any]) -> str:
    return f" {line['seat']}" if line["seat"] not in ("", HEAD) else ""


def _cells(line: Mapping[str, Any], people: Mapping[str, Any], lang: str) -> tuple[str, str]:
    entries = [e for holder in line["holders"] for e in holder["entries"]]
    return words_of(line, people, lang), " ".join(map(str, sorted({*entries, *line["entries"]})))


def words_of(line: Mapping[str, Any], people: Mapping[str, Any], lang: str) -> str:
    """What a seat says: who, since when, in what state; or that it is empty, since when and why."""
    said = [_holder(holder, people, lang) for holder in line["holders"]]
    if line["overlap"]:
        said.append(pick(("⚠ 同一席位重叠任职", "⚠ the seat is held twice over"), lang))
    if line["status"] in ("vacant", "acting") and line["since"]:
        cause = CAUSES[line["cause"]] if line["cause"] else None
        why = f"({cause.zh})" if cause else ""
        because = f" ({cause.en})" if cause else ""
        empty = (f"空缺,自 {line['since']}{why}", f"vacant since {line['since']}{because}")
        said.append(pick(empty, lang))
    if line["status"] == "not-recorded":
        said.append(pick(NOT_RECORDED, lang))
    for above in line["beside"]:
        words, seat = words_of(above, people, lang), _named_seat(above)
        zh, en = f"上级单位 {above['unit']}{seat}:{words}", f"above, {above['unit']}{seat}: {words}"
        said.append(pick((zh, en), lang))
    return "\n".join(said)


def _holder(holder: Mapping[str, Any], people: Mapping[str, Any], lang: str) -> str:
    parts = [_name(holder["officer"], people)]
    if holder["acting"]:
        parts.append(pick(ACTING, lang))
    parts.append(period(holder["since"], holder["last_day"], lang))
    away = STATES.get(holder["state"], ("", ""))
    return " ".join(parts) + pick((f"(当日{away[0]})", f" ({away[1]} that day)"), lang) * any(away)


def _name(person: str, people: Mapping[str, Any]) -> str:
    name = people.get(person, {}).get("name")
    if isinstance(name, Mapping):
        name = (ERASED if "erased" in name else RESTRICTED)[0]
    return plain(f"{name}({person})") if name else person


def _outgoing(answer: Mapping[str, Any], people: Mapping[str, Any], lang: str) -> Iterator[Text]:
    for holder in answer["outgoing"]:
        words = ("自当日起不再负责", "no longer answers from that day")
        said = f"{_tier(holder, lang)} {_holder(holder, people, lang)}"
        yield Text(f"{pick(words, lang)}: {said}", style="yellow")


# everybody of a unit

MOST = 1_000
"""Persons shown; more than a screen can use come as a file or as JSON."""


def draw_many(data: Mapping[str, Any], lang: str) -> Iterator[RenderableType]:
    """Who headed each using unit; then who else answered for each person."""
    people = data["people"]
    headings = [
        Column(("用人单位", "using unit")),
        Column(("人数", "persons"), right=True),
        Column(_words_of_tier("head"), least=24),
    ]
    rows: Rows = []
    for unit in data["units"]:
        named = plain(f"{unit['name'] or ''} {unit['unit'] or pick(NOT_RECORDED, lang)}".strip())
        held = (_named_seat(line) + " " + words_of(line, people, lang) for line in unit["heads"])
        rows.append((named, str(unit["persons"]), "\n".join(one.strip() for one in held)))
    place = data["unit"] or pick(("全局", "the bureau"), lang)
    title = (f"{place} 的用人单位", f"Using units of {place}")
    yield table(title, headings, rows, lang)
    columns = [
        Column(("用人单位", "using unit")),
        Column(("辅警", "auxiliary"), least=10),
        Column(_words_of_tier("deputy"), least=14),
        Column(_words_of_tier("supervisor"), least=14),
    ]
    rows = [
        (one["unit"] or "—", _name(one["person"], people),
         *(words_of(line, people, lang) for line in one["lines"]))
        for one in data["persons"][:MOST]
    ]  # fmt: skip
    zh = f"{place}:辅警 {data['count']} 人,其中 {data['lacking']} 人有责任空缺"
    en = f"{place}: auxiliaries {data['count']}, with an empty seat {data['lacking']}"
    yield table((zh, en), columns, rows, lang)
    if data["count"] > MOST:
        words = (f"只列出前 {MOST} 人:用 --out 或 --json", f"first {MOST}: use --out or --json")
        yield Text(pick(words, lang), style="yellow")


def _words_of_tier(capacity: Capacity) -> Words:
    label = CAPACITIES[capacity]
    return label.zh, label.en


# a period, an officer


def draw_period(data: Mapping[str, Any], lang: str) -> Iterator[RenderableType]:
    people = data["people"]
    columns = [
        Column(("期间", "period"), least=10),
        Column(("用人单位", "unit")),
        Column(("责任", "tier"), least=10),
        Column(("由谁负责", "who answered"), least=24),
    ]
    rows: list[tuple[str, ...]] = []
    for segment in data["segments"]:
        answer = segment["answer"]
        days = period(segment["start"], segment["last_day"], lang)
        if not answer["lines"]:
            rows.append((days, "—", "—", place_of(answer, lang)))
        for n, line in enumerate(answer["lines"]):
            head = (days, answer["unit"] or "—") if n == 0 else ("", "")
            rows.append((*head, _short(line, lang), words_of(line, people, lang)))
    person = _name(data["person"], people)
    yield table((f"谁对 {person} 负责", f"Who answered for {person}"), columns, rows, lang)
    yield from _draw_gaps(data, lang)


def _draw_gaps(data: Mapping[str, Any], lang: str) -> Iterator[RenderableType]:
    columns = [
        Column(("责任", "tier"), least=10),
        Column(("单位", "unit")),
        Column(("空缺期间", "vacant"), least=10),
        Column(("天数", "days"), right=True),
        Column(("原因", "cause")),
        Column(("登记", "entries")),
        Column(("依据", "article")),
    ]
    rows = []
    for gap in data["gaps"]:
        cause = CAUSES[gap["cause"]] if gap["cause"] else None
        rows.append(
            (
                _short(gap, lang),
                gap["unit"] or "—",
                period(gap["start"], gap["last_day"], lang),
                gap["days"],
                pick((cause.zh, cause.en), lang) if cause else "—",
                " ".join(map(str, gap["entries"])),
                gap["finding"]["article"] if gap["finding"] else "—",
            )
        )
    days = data["vacant_days"]
    yield table((f"责任空缺合计 {days} 天", f"Vacant days in all: {days}"), columns, rows, lang)


def draw_officer(data: Mapping[str, Any], lang: str) -> Iterator[RenderableType]:
    people = data["people"]
    columns = [
        Column(("人员", "person")),
        Column(("责任", "tier"), least=12),
        Column(("单位", "unit")),
        Column(("期间", "period"), least=10),
        Column(("登记", "entries")),
    ]
    rows = [
        (
            _name(each["person"], people),
            _tier(each["holder"], lang) + _how(each["holder"], lang),
            each["holder"]["unit"] or "—",
            period(each["start"], each["last_day"], lang),
            " ".join(map(str, each["holder"]["entries"])),
        )
        for each in data["answered"]
    ]
    officer = _name(data["officer"], people)
    zh = f"民警 {officer} 为谁负责:{len(rows)} 项"
    yield table((zh, f"Whom {officer} answered for: {len(rows)}"), columns, rows, lang)


def _how(holder: Mapping[str, Any], lang: str) -> str:
    """Acting, on leave, suspended: in brackets."""
    how = [pick(ACTING, lang)] if holder["acting"] else []
    if holder["state"] in STATES:
        how.append(pick(STATES[holder["state"]], lang))
    return f"({'、'.join(how)})" if how else ""
