"""Questions about one person: who it is, the record, the history, the pay.

Owns `find`, `record`, `history` and `pay`. Invariant: an entry that no longer stands is
shown, and shown as such.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from api.cli.frame import (
    Effective,
    FirstMonth,
    Json,
    Lang,
    LastMonth,
    PersonArg,
    Recorded,
)
from api.cli.impacts import draw_reviews
from api.cli.out import Asked, Columns, Gb18030, Out, PrivateToo, ToFile, answered, ask_or_save
from api.rendering import (
    Column,
    coded,
    content,
    instant,
    money,
    named_among,
    period,
    pick,
    table,
    word,
)
from api.words import NONE, NOT_RECORDED

STYLES = {"superseded": "strike", "annulled": "strike red"}


def find(
    context: typer.Context,
    *,
    number: Annotated[str | None, typer.Option("--number", help="辅警编号 / number")] = None,
    name: Annotated[bool, typer.Option("--name", help="按姓名,另行输入 / by name")] = False,
    id_number: Annotated[
        bool, typer.Option("--id-number", help="按身份证号,另行输入 / by ID number")
    ] = False,
    effective: Effective = None,
    recorded: Recorded = None,
    out: Out = None,
    columns: Columns = None,
    private: PrivateToo = False,
    gb18030: Gb18030 = False,
    json: Json = False,
) -> None:
    """按编号、姓名或身份证号查人员标识 / A person's id by number, name or ID number."""
    from api import answers

    if (number is not None) + name + id_number != 1:
        raise typer.BadParameter(
            "给出 --number、--name、--id-number 之一 / give exactly one of them"
        )
    when = answers.When(effective, recorded)
    # private values are asked for, so that no shell history keeps them
    named = typer.prompt("姓名 / name", err=True) if name else None
    cited = typer.prompt("身份证号 / ID number", err=True, hide_input=True) if id_number else None
    ask_or_save(
        context,
        "found",
        lambda bureau: answers.lookup(bureau, when, number=number, name=named, id_number=cited),
        _draw_found,
        ToFile(out, columns, private, gb18030),
        as_json=json,
    )


def _draw_found(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    columns = [Column((h, e)) for h, e in _CARD]
    rows = [[word(card[field], lang) for _, field in _CARD] for card in data["persons"]]
    yield table(("人员", "Persons"), columns, rows, lang)


_CARD = (("人员", "person"), ("编号", "number"), ("姓名", "name"), ("单位", "unit"))


def _draw_record(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    person = data["person"]
    yield from draw_facets((f"人员 {person}", f"Person {person}"), data, lang)
    if data["spells"]:
        columns = [
            Column(("在职期间", "in service"), folds=False),
            Column(("登记", "entry"), right=True),
            Column(("离职", "left")),
            Column(("登记", "entry"), right=True),
        ]
        rows = [
            (
                period(s["since"], s["last_day"], lang),
                s["entry"],
                content(s["left"], lang) if s["left"] else "—",
                s["left_by"] or "—",
            )
            for s in data["spells"]
        ]
        yield table(("历次任职", "Spells of service"), columns, rows, lang)
    yield from draw_reviews(data["reviews"], lang)


def draw_facets(
    title: tuple[str, str], data: Mapping[str, Any], lang: str
) -> Iterator[RenderableType]:
    """What holds of each facet, and what held; the facets nothing is recorded of, below."""
    columns = [
        Column(("事项", "facet"), least=10),
        Column(("内容", "value")),
        Column(("期间", "period"), folds=False),
        Column(("登记", "entry"), right=True),
    ]
    rows: list[tuple[Any, ...]] = []
    silent = []
    lapsed = {(one["facet"], one["slot"]): one for one in data["lapsed"]}
    ended = {one["facet"]: [one] for one in data["ended"]}
    for facet in data["facets"]:
        name = pick((facet["zh"], facet["en"]), lang)
        begun = facet.get("on_record") or ended.get(facet["facet"], ())
        past = [f for f in begun if f not in facet["facts"]]
        if not facet["facts"] and not past:
            silent.append(name)
        for fact in facet["facts"]:
            said = _said(fact, lang) + _lapsed(lapsed.get((facet["facet"], fact["slot"])), lang)
            rows.append((_slotted(name, fact), said, *_when(fact, lang)))
        for fact in past:
            words = (f"{_said(fact, lang)}(已不生效)", f"{_said(fact, lang)} (no longer in force)")
            rows.append((_slotted(name, fact), Text(pick(words, lang), "dim"), *_when(fact, lang)))
    yield table(title, columns, rows, lang)
    if silent:
        zh, en = f"未登记:{'、'.join(silent)}", f"Not recorded: {', '.join(silent)}"
        yield Text(pick((zh, en), lang), style="dim")


def _lapsed(lapsed: Mapping[str, Any] | None, lang: str) -> str:
    if lapsed is None:
        return ""
    from projections.accountability import CAUSES

    day, cause = lapsed["day"], CAUSES[lapsed["cause"]]
    return pick((f"(自 {day} 失效:{cause.zh})", f" (lapsed {day}: {cause.en})"), lang)


def _slotted(name: str, fact: Mapping[str, Any]) -> str:
    return f"{name}({fact['slot']})" if fact["slot"] else name


def _said(fact: Mapping[str, Any], lang: str) -> str:
    value = fact["value"]
    if value is None:
        return pick(NONE, lang)
    return content({k: v for k, v in value.items() if k != "person"} or value, lang)


def _when(fact: Mapping[str, Any], lang: str) -> tuple[str, str]:
    entries = str(fact["entry"])
    if fact["ended_by"]:
        entries += f"→{fact['ended_by']}"
    return period(fact["since"], fact["last_day"], lang), entries


def draw_history(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    title = (f"人员 {data['person']} 的登记", f"Entries about person {data['person']}")
    yield draw_entries(title, data["entries"], lang)


def draw_entries(
    title: tuple[str, str], entries: Sequence[Mapping[str, Any]], lang: str
) -> RenderableType:
    """Entries as rows: when recorded, from when, how late, what, on which paper, what became."""
    judged = bool(entries) and "standing_by" in entries[0]
    columns = [
        Column(("位置", "pos."), right=True, folds=False),
        Column(("登记日", "recorded"), folds=False),
        Column(("生效日", "effective"), folds=False),
        Column(("迟录", "late"), right=True, folds=False),
        Column(("事项", "event"), least=8, most=14),
        Column(("内容", "content"), least=20),
        Column(("文号", "document"), most=17 if judged and lang == "zh" else 13),
        Column(("状态", "standing"), most=10) if judged else Column(("对象", "about")),
    ]
    rows = []
    for entry in entries:
        state = entry["standing"] if judged else ""
        became = _became(entry, lang) if judged else "\n".join(entry["tags"])
        document = entry.get("document") or {}
        cells = (
            entry["position"],
            instant(entry["recorded_at"])[:10],
            entry["effective"],
            entry["lag_days"],
            pick((entry["zh"], entry["en"]), lang),
            _content(entry, lang),
            document.get("number") or document.get("none_because") or "—",
            became,
        )
        rows.append([Text(str(cell), STYLES.get(state, "")) for cell in cells])
    return table(title, columns, rows, lang)


def _became(entry: Mapping[str, Any], lang: str) -> str:
    words = [coded("standing", entry["standing"], lang)]
    if entry["standing_by"]:
        words.append(f"→{entry['standing_by']}")
    if entry.get("future"):
        words.append(pick(("未生效", "future"), lang))
    if entry["mood"] == "attested":
        words.append(word("attested", lang))
    return "\n".join(words)


def _content(entry: Mapping[str, Any], lang: str) -> str:
    """The entry's own fields, but for what is said elsewhere or too long, and its reason."""
    said = " ".join(
        f"{named_among(field, entry['fields'], lang)}={coded(field, value, lang)}"
        for field, value in entry["fields"].items()
        if field not in ("person", "text", "digest") and value is not None
    )
    if entry["reason"]:
        said += "\n" + pick((f"理由:{entry['reason']}", f"because: {entry['reason']}"), lang)
    return said.strip()


def draw_pay(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    columns = [
        Column(("月份", "month"), folds=False),
        Column(("层级", "grade")),
        Column(("金额(元)", "yuan"), right=True),
        Column(("未能计薪天数", "days not priced"), right=True),
        Column(("依据登记", "entries")),
    ]
    rows = []
    for month in data["months"]:
        parts = month["segments"]
        grades = dict.fromkeys(part["level"]["grade"] for part in parts)
        names = [coded("grade", g, lang) if g else pick(NOT_RECORDED, lang) for g in grades]
        entries = sorted({entry for part in parts for entry in part["entries"]})
        rows.append(
            (
                month["month"][:7],
                " → ".join(names),
                money(month["amount"]) if month["amount"] or not month["unpriced"] else "—",
                month["unpriced"] or "",
                " ".join(map(str, entries)),
            )
        )
    total = money(sum(month["amount"] for month in data["months"]))
    zh, en = f"{data['person']} 的薪酬,合计 {total} 元", f"Pay of {data['person']}: {total} yuan"
    if days := sum(month["unpriced"] for month in data["months"]):
        zh, en = f"{zh},另有 {days} 天未能计薪", f"{en}; {days} days could not be priced"
    yield table((zh, en), columns, rows, lang)
    if "differences" in data:
        yield _draw_owed(data, lang)


def _draw_owed(data: Mapping[str, Any], lang: str) -> RenderableType:
    columns = [
        Column(("月份", "month"), folds=False),
        Column(("原计", "before"), right=True),
        Column(("现计", "after"), right=True),
        Column(("应补", "owed"), right=True),
        Column(("造成差异的登记", "made by entries")),
    ]
    rows = [
        (
            each["month"][:7],
            money(each["before"]),
            money(each["after"]),
            money(each["owed"]),
            " ".join(map(str, each["entries"])) or "—",
        )
        for each in data["differences"]
    ]
    owed = money(data["owed"])
    zh = f"与位置 {data['before']} 所知相比,应补 {owed} 元"
    return table((zh, f"Owed since position {data['before']}: {owed} yuan"), columns, rows, lang)


# the commands


@answered(_draw_record, "record", private=True)
def record(asked: Asked, person: PersonArg) -> Mapping[str, Any]:
    """一个人的全部档案事项 / Everything that holds for a person."""
    from api import answers

    return answers.record(asked.bureau, person, asked.when)


@answered(draw_history, "history")
def history(asked: Asked, person: PersonArg) -> Mapping[str, Any]:
    """一个人的全部登记,含更正和撤销 / Every entry about a person, corrected ones too."""
    from api import answers

    return answers.history(asked.bureau, person, asked.when)


@answered(draw_pay, "pay")
def pay(
    asked: Asked,
    person: PersonArg,
    *,
    first: FirstMonth = None,
    last: LastMonth = None,
    before: Annotated[
        str | None,
        typer.Option(
            "--compare-recorded", metavar="POS|DATE", help="与当时所知相比应补多少 / owed since"
        ),
    ] = None,
) -> Mapping[str, Any]:
    """薪酬:逐月,以及因更正应补发的 / Pay by month, and what a late change makes owed."""
    from api import answers

    return answers.pay(
        asked.bureau, person, asked.when, first_month=first, last_month=last, before=before
    )
