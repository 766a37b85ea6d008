"""Questions about the whole bureau: who serves, what is paid, entered, due, what is wrong.

Owns `roster`, `headcount`, `payroll`, `unit`, `journal`, `entry`, `due` and `findings`. Invariant:
a list says how many rows it has, and where it was cut it says how to go on.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from api.cli.frame import (
    Effective,
    FirstMonth,
    Json,
    Lang,
    LastMonth,
    Recorded,
    UnitArg,
    warn_of_backup,
)
from api.cli.impacts import draw_reviews
from api.cli.out import Asked, Columns, Gb18030, Out, PrivateToo, ToFile, answered, ask_or_save
from api.cli.person import draw_entries, draw_facets
from api.rendering import (
    Column,
    aside,
    coded,
    instant,
    money,
    pick,
    plain,
    strength_of,
    table,
    word,
)
from api.words import ENVELOPE, NAMES, NOT_RECORDED

if TYPE_CHECKING:
    from api.settings import Bureau

Below = Annotated[bool, typer.Option("--below/--alone", help="含下级单位 / with units below")]


SCREEN, FILED = 200, 50_000
"""Entries of the journal on a screen, and in one file."""
MOST = 1_000
"""Rows of a roster and of promises shown; more than a screen or a print can use come as JSON."""


class By(StrEnum):
    UNIT = "unit"
    GRADE = "grade"
    POST = "post"
    CATEGORY = "category"


def unit(
    context: typer.Context,
    unit: UnitArg = None,
    *,
    effective: Effective = None,
    recorded: Recorded = None,
    out: Out = None,
    columns: Columns = None,
    private: PrivateToo = False,
    gb18030: Gb18030 = False,
    json: Json = False,
) -> None:
    """单位;不给标识则列出单位树 / A unit, or the tree of units."""
    from api import answers

    when = answers.When(effective, recorded)
    to_file = ToFile(out, columns, private, gb18030)

    def question(bureau: "Bureau") -> Mapping[str, Any]:
        return answers.units(bureau, when) if unit is None else answers.unit(bureau, unit, when)

    report, draw = ("units", draw_tree) if unit is None else ("unit", _draw_unit)
    ask_or_save(context, report, question, draw, to_file, as_json=json)


class State(StrEnum):
    OPEN = "open"
    OVERDUE = "overdue"
    KEPT = "kept"
    LATE = "late"
    LAPSED = "lapsed"


_STYLES = {  # the most urgent first
    "overdue": "bold red", "open": "", "late": "yellow", "kept": "dim", "lapsed": "dim",
}  # fmt: skip
_ROSTER = ("person", "number", "name", "category", "grade", "post", "unit", "host", "since")


def _draw_roster(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    columns = [Column(NAMES[field]) for field in _ROSTER[:-1]]
    columns.append(Column(("到岗", "since"), folds=False))
    shown = data["lines"][:MOST]
    rows = [[_blank(field, line[field], lang) for field in _ROSTER] for line in shown]
    place = data["unit"] or pick(("全局", "bureau"), lang)
    zh, en = f"花名册 {place}:{data['count']} 人", f"Roster of {place}: {data['count']}"
    yield table((zh, en), columns, rows, lang)
    if data["count"] > MOST:
        words = (
            f"只列出前 {MOST} 人:加条件,或用 --out、--json",
            f"first {MOST}: narrow it, or --out, --json",
        )
        yield Text(pick(words, lang), style="yellow")


def _blank(field: str, value: Any, lang: str) -> str:
    return "—" if value is None else coded(field, value, lang)


def _draw_headcount(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    by = data["by"]
    columns = [Column(NAMES[by]), Column(("人数", "count"), right=True)]
    if by == "unit":
        columns.insert(1, Column(NAMES["name"] if lang == "en" else ("名称", "name")))
    rows = []
    for line in data["counts"]:
        key = pick(NOT_RECORDED, lang) if line[by] is None else coded(by, line[by], lang)
        named = [line["name"] or "—"] if by == "unit" else []
        rows.append([key, *named, line["count"]])
    yield table((f"在职 {data['count']} 人", f"In service: {data['count']}"), columns, rows, lang)


_PAID = ("person", "number", "name", "unit", "grade")


def _draw_payroll(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    columns = [
        Column(("月份", "month"), folds=False),
        *(Column(NAMES[field]) for field in _PAID),
        Column(("在职天数", "days"), right=True),
        Column(("未能计薪天数", "days not priced"), right=True),
        Column(("应发(元)", "yuan"), right=True, folds=False),
    ]
    rows = []
    for line in data["lines"][:MOST]:
        named = {**line, "name": data["people"].get(line["person"], {}).get("name")}
        said = [_blank(field, named[field], lang) for field in _PAID]
        days = (line["days"], line["unpriced"] or "")
        rows.append((line["month"], *said, *days, money(line["amount"])))
    place, total = data["unit"] or pick(("全局", "bureau"), lang), money(data["amount"])
    zh = f"工资册 {place}:{data['count']} 人,合计 {total} 元"
    en = f"Payroll of {place}: {data['count']} persons, {total} yuan"
    if days := data["unpriced"]:
        zh, en = f"{zh},另有 {days} 天未能计薪", f"{en}; {days} days could not be priced"
    yield table((zh, en), columns, rows, lang)
    if (count := len(data["lines"])) > MOST:
        zh, en = f"只列出前 {MOST} 行,共 {count} 行", f"the first {MOST} of {count} rows"
        yield Text(pick((f"{zh}:用 --out 或 --json", f"{en}: --out or --json"), lang), "yellow")
    if len(data["units"]) > 1:
        yield _draw_sums(data["units"], lang)


def _draw_sums(units: Iterable[Mapping[str, Any]], lang: str) -> RenderableType:
    columns = [
        Column(NAMES["unit"]),
        Column(("名称", "name")),
        Column(("人数", "persons"), right=True),
        Column(("应发(元)", "yuan"), right=True, folds=False),
    ]
    rows = [
        (one["unit"] or pick(NOT_RECORDED, lang), one["name"] or "—", one["count"],
         money(one["amount"]))
        for one in units
    ]  # fmt: skip
    return table(("按单位合计", "By unit"), columns, rows, lang)


def draw_tree(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    units = {unit["unit"]: unit for unit in data["units"]}
    below: dict[str | None, list[str]] = {}
    for id_, unit in units.items():
        parent = unit["parent"] if unit["parent"] in units else None
        below.setdefault(parent, []).append(id_)
    rows: list[tuple[str, str, str]] = []
    shown: set[str] = set()
    # the roots; last, whatever was acknowledged to stand above itself
    waiting = [(id_, 0) for id_ in reversed([*below.get(None, []), *units])]
    while waiting:
        id_, depth = waiting.pop()
        if id_ not in shown:
            shown.add(id_)
            unit = units[id_]
            rows.append(("  " * depth + id_, unit["name"] or "—", word(unit["state"], lang)))
            waiting += [(child, depth + 1) for child in reversed(below.get(id_, []))]
    columns = [
        Column(NAMES["unit"], folds=False),
        Column(("名称", "name")),
        Column(NAMES["state"], folds=False),
    ]
    yield table((f"单位 {len(rows)} 个", f"Units: {len(rows)}"), columns, rows, lang)


def _draw_unit(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    title = (f"单位 {data['unit']}", f"Unit {data['unit']}")
    yield from draw_facets(title, data, lang)
    if data["below"]:
        words = ("直接下级", "Directly below")
        yield Text(f"{pick(words, lang)}: {' '.join(data['below'])}")


def _draw_journal(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    count = len(data["entries"])
    yield draw_entries((f"登记 {count} 条", f"Entries: {count}"), data["entries"], lang)
    if data["next"] is not None:
        words = (f"未完,续看:--after {data['next']}", f"more: --after {data['next']}")
        yield Text(pick(words, lang), style="yellow")


def _draw_findings(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    columns = [
        Column(("登记", "entry"), right=True, folds=False),
        Column(("生效日", "effective"), folds=False),
        Column(("事项", "event"), least=8),
        Column(("对象", "about")),
        Column(("问题", "finding"), least=24),
        Column(("依据", "article")),
        Column(("强度", "strength"), least=4),
    ]
    rows: list[tuple[Any, ...]] = []
    for entry in data["entries"]:
        head = (
            entry["position"],
            entry["effective"],
            pick((entry["zh"], entry["en"]), lang),
            "\n".join(entry["tags"]),
        )
        for one in entry["findings"]:
            said = one["zh" if lang == "zh" else "en"]
            rows.append((*head, said, one["article"] or "—", strength_of(one, lang)))
        if not entry["legible"]:
            said = pick(("所需内容已销毁,不能再判断", "erased: it can no longer be judged"), lang)
            rows.append((*head, said, "—", "—"))
    yield table((f"问题 {len(rows)} 项", f"Findings: {len(rows)}"), columns, rows, lang)


def draw_due(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    columns = [
        Column(("最后一日", "last day"), folds=False),
        Column(("状态", "state"), folds=False),
        Column(("逾期", "late"), right=True, folds=False),
        Column(("事项", "what"), least=18),
        Column(("对象", "about")),
        Column(("单位", "unit")),
        Column(("起算", "from"), folds=False),
        Column(("依据", "article")),
    ]
    rows = []
    count = len(data["items"])
    urgent = sorted(data["items"], key=lambda item: list(_STYLES).index(item["state"]))
    for item in data["items"] if count <= MOST else urgent[:MOST]:
        days = ("工作日", " workdays") if item["workdays"] else ("日", " days")
        deadline = item["deadline"]
        rows.append(
            (
                deadline["due"] + ("?" if deadline["provisional"] else ""),
                Text(coded("due", item["state"], lang), _STYLES[item["state"]]),
                f"{item['late']}{pick(days, lang)}" if item["late"] else "",
                item["zh" if lang == "zh" else "en"],
                item["subject"],
                item["unit"] or "—",
                f"{item['started_on']}",
                item["article"],
            )
        )
    yield table((f"期限 {count} 项", f"Promises: {count}"), columns, rows, lang)
    if count > MOST:
        words = (
            f"只列出 {MOST} 项,逾期未办的在前:用 --state、--out 或 --json",
            f"{MOST} of them, overdue ones first: use --state, --out or --json",
        )
        yield Text(pick(words, lang), style="yellow")
    if any(item["deadline"]["provisional"] for item in data["items"]):
        words = (
            "? 该年工作日历尚未发布,日期为暂定。",
            "? the year's calendar is not published yet.",
        )
        yield Text(pick(words, lang), style="dim")


def draw_entry(data: Mapping[str, Any], lang: Lang) -> Iterator[RenderableType]:
    title = (f"{data['position']} {data['zh']}", f"{data['position']} {data['en']}")
    rows = [
        (
            pick(words, lang),
            instant(data[name]) if name == "recorded_at" else aside(name, data[name], lang),
        )
        for name, words in ENVELOPE.items()
        if data.get(name) is not None
    ]
    became = coded("standing", data["standing"], lang)
    by = f" →{data['standing_by']}" if data["standing_by"] else ""
    rows.append((pick(("状态", "standing"), lang), became + by))
    columns = [Column(("项", "what"), folds=False), Column(("内容", "said"))]
    yield table(title, columns, rows, lang)
    if data["read"] is not None:
        yield _draw_cells(data["read"], lang)
    yield from draw_reviews(data["reviews"], lang)
    for finding in data["findings"]:
        said = finding["zh" if lang == "zh" else "en"]
        yield Text(f"▲ {said}({finding['article']})", style="yellow")


def _draw_cells(read: Mapping[str, Any], lang: Lang) -> RenderableType:
    columns = [
        Column(("单元格", "cell"), folds=False),
        Column(("列", "column")),
        Column(("原文", "said")),
        Column(("用于", "went into")),
    ]
    rows = [
        (
            cell["cell"] or "—", cell["heading"] or cell["class"],
            plain(cell["text"]) if isinstance(cell["text"], str) else word(cell["text"], lang),
            " ".join(cell["into"]),
        )
        for cell in read["cells"]
    ]  # fmt: skip
    where = " ".join(filter(None, (read["file"], read["sheet"])))
    digest, row, at = read["sha256"][:8], read["row"], read["entry"]
    title = (
        f"原表:{where} 第 {row} 行(SHA-256 {digest}…,登记 {at})",
        f"Read from {where}, row {row} (SHA-256 {digest}…, entry {at})",
    )
    return table(title, columns, rows, lang)


# the commands


@answered(_draw_roster, "roster", private=True, read_back=True)
def roster(
    asked: Asked,
    unit: UnitArg = None,
    *,
    below: Below = True,
    grade: Annotated[str | None, typer.Option("--grade", help="层级 / grade")] = None,
    post: Annotated[str | None, typer.Option("--post", help="岗位 / post")] = None,
    category: Annotated[
        str | None, typer.Option("--category", help="civilian 文职 / field 勤务")
    ] = None,
) -> Mapping[str, Any]:
    """在职辅警花名册 / The auxiliaries in service."""
    from api import answers

    return answers.roster(
        asked.bureau, asked.when, unit, below=below, grade=grade, post=post, category=category,
        id_numbers=asked.private,
    )  # fmt: skip


@answered(_draw_headcount, "headcount")
def headcount(
    asked: Asked,
    unit: UnitArg = None,
    *,
    by: Annotated[By, typer.Option("--by", help="分组 / grouped by")] = By.UNIT,
    below: Below = True,
) -> Mapping[str, Any]:
    """在职人数 / How many serve, by unit, grade, post or category."""
    from api import answers

    return answers.headcounts(asked.bureau, asked.when, by.value, unit, below=below)


@answered(_draw_payroll, "payroll", private=True)
def payroll(
    asked: Asked, unit: UnitArg = None, *, first: FirstMonth = None, last: LastMonth = None
) -> Mapping[str, Any]:
    """工资册:一个单位(含下级)或全局的人逐月应发 / What everybody is due, by month."""
    from api import answers_many

    return answers_many.payroll(asked.bureau, asked.when, unit, first_month=first, last_month=last)


@answered(_draw_journal, "journal")
def journal(
    asked: Asked,
    *,
    types: Annotated[list[str] | None, typer.Option("--type", help="事项名 / event type")] = None,
    person: Annotated[str | None, typer.Option("--person", help="人员标识 / person")] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="单位标识 / unit")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="POS|DATE", help="此后登记的 / recorded after")
    ] = None,
    late: Annotated[int | None, typer.Option("--late", help="迟录不少于几天 / days late")] = None,
    corrections: Annotated[
        bool, typer.Option("--corrections", help="只看更正和撤销 / corrections only")
    ] = False,
    after: Annotated[int, typer.Option("--after", min=0, help="自此位置之后 / go on after")] = 0,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=1, max=FILED,
            help="最多几条;不给则屏幕 200、文件 50000 / rows; else 200, in a file 50,000",
        ),
    ] = None,
) -> Mapping[str, Any]:  # fmt: skip
    """登记流水 / The entries, in order."""
    from api import answers
    from api.reports import ENTRY_ROW

    tags = [f"{kind}:{i}" for kind, i in (("person", person), ("unit", unit)) if i is not None]

    def page(after: int, most: int) -> dict[str, Any]:
        found = answers.journal(
            asked.bureau, asked.when, types=types or (), tags=tags, after=after, since=since,
            late=late, corrections=corrections, limit=most,
        )  # fmt: skip
        if asked.filed:
            entries = found["data"]["entries"]
            found["data"]["entries"] = [{n: one.get(n) for n in ENTRY_ROW} for one in entries]
        return found

    most = limit or (FILED if asked.filed else SCREEN)
    answer = page(after, min(most, answers.MOST_ROWS))
    data = answer["data"]
    while data["next"] is not None and (left := most - len(data["entries"])) > 0:
        further = page(data["next"], min(left, answers.MOST_ROWS))["data"]
        data["entries"] += further["entries"]
        data["next"] = further["next"]
        asked.bureau.progress(min(len(data["entries"]) / most, 1.0))
    return answer


@answered(draw_entry, "entry", private=True)
def entry(
    asked: Asked,
    position: Annotated[
        int, typer.Argument(metavar="POSITION", min=1, help="登记位置 / its position")
    ],
) -> Mapping[str, Any]:
    """一条登记的全部内容、后来的更正和问题 / One entry, what became of it, its findings."""
    from api import answers

    return answers.entry(asked.bureau, position, asked.when)


@answered(draw_due, "due")
def due(
    asked: Asked,
    *,
    states: Annotated[
        list[State] | None, typer.Option("--state", help="只看这些,可多次 / only these")
    ] = None,
) -> Mapping[str, Any]:
    """法定期限:到期、逾期、已办 / Promises with a term: open, overdue, kept."""
    from api import answers

    warn_of_backup(asked.context, asked.bureau)
    return answers.due(asked.bureau, asked.when, [state.value for state in states or ()])


@answered(_draw_findings, "findings")
def findings(
    asked: Asked,
    *,
    person: Annotated[str | None, typer.Option("--person", help="人员标识 / person")] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="单位标识 / unit")] = None,
) -> Mapping[str, Any]:
    """不合规定之处及其条款 / Rules not met, with their articles."""
    from api import answers

    if (person is None) == (unit is None):
        raise typer.BadParameter("给出 --person 或 --unit 之一 / give --person or --unit")
    return answers.findings(asked.bureau, asked.when, person=person, unit=unit)
