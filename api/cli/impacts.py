"""What a request would undermine, and the reviews of what was, on the terminal.

Owns these tables. Invariant: an entry is named by its position, with the reason and the article.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType

from api.rendering import Column, period, pick, table, word

ENTRY = Column(("登记", "entry"), right=True)
EVENT = Column(("事项", "event"))
ARTICLE = Column(("依据", "article"))
CHANGES = {"added": ("增加", "added"), "removed": ("取消", "removed")}
STATES = {"open": ("待复核", "open"), "concluded": ("已有结论", "concluded")}
OUTCOMES = {
    "confirmed": ("维持", "confirmed"), "amended": ("已更正", "amended"),
    "annulled": ("已撤销", "annulled"),
}  # fmt: skip


def draw_impacts(data: Mapping[str, Any], lang: str) -> Iterator[RenderableType]:
    """What a preview says changes: days, earlier entries, findings, who answers."""
    if data["changes"]:
        yield _changes(data["changes"], lang)
    if data["impacts"]:
        columns = [ENTRY, EVENT, Column(("生效日", "effective"), folds=False),
                   Column(("原因", "because")), ARTICLE]  # fmt: skip
        detail = "detail_zh" if lang == "zh" else "detail"
        impacts: list[Sequence[Any]] = [
            (
                _which(i), pick((i["zh"], i["en"]), lang), i["effective"], i["refusal"][detail],
                i["refusal"].get("article") or "—",
            )
            for i in data["impacts"]
        ]  # fmt: skip
        title = ("此前登记将不成立(须更正或者逐项确认)", "Would be undermined: mend or acknowledge")
        yield table(title, columns, impacts, lang)
    for name, title in (
        ("raised", ("此前登记新出现的问题", "Findings raised of earlier entries")),
        ("cleared", ("此前登记不再有的问题", "Findings cleared of earlier entries")),
    ):
        found: list[Sequence[Any]] = [
            (_which(i), f["zh" if lang == "zh" else "en"], f["article"] or "—")
            for i in data["reconsidered"]
            for f in i[name]
        ]
        if found:
            yield table(title, [ENTRY, Column(("问题", "finding")), ARTICLE], found, lang)
    if data["responsibility"]:
        yield _responsibility(data["responsibility"], lang)


def _changes(changes: Sequence[Mapping[str, Any]], lang: str) -> RenderableType:
    """A row a subject and span, with the facets that say something else on it."""
    from domain.events import FACETS  # noqa: PLC0415 - loaded when needed

    spans: dict[tuple[str, str, str | None], list[str]] = {}
    for change in changes:
        facet = FACETS[change["facet"]]
        span = (change["subject"].partition(":")[2], change["first_day"], change["last_day"])
        spans.setdefault(span, []).append(pick((facet.zh, facet.en), lang))
    columns = [
        Column(("对象", "of")), Column(("期间", "days"), folds=False),
        Column(("内容将变", "says something else")),
    ]  # fmt: skip
    comma = "、" if lang == "zh" else ", "
    rows = [
        (of, period(first, last, lang), comma.join(dict.fromkeys(facets)))
        for (of, first, last), facets in spans.items()
    ]
    return table(("将改变的期间", "Days that change"), columns, rows, lang)


def _which(impact: Mapping[str, Any]) -> str:
    return str(impact["position"]) if "position" in impact else f"+{impact['act'] + 1}"


def _responsibility(flips: Sequence[Mapping[str, Any]], lang: str) -> RenderableType:
    from projections.accountability import CAPACITIES  # noqa: PLC0415 - loaded when needed

    columns = [
        Column(("变化", "change")), Column(("人员", "person")), Column(("责任人", "officer")),
        Column(("责任", "capacity")), Column(("期间", "days"), folds=False),
    ]  # fmt: skip
    rows = [
        (
            pick(CHANGES[f["change"]], lang), f["person"], f["officer"],
            pick(CAPACITIES[f["capacity"]], lang), period(f["start"], f["last_day"], lang),
        )
        for f in flips
    ]  # fmt: skip
    return table(("责任认定的变化", "Who would answer otherwise"), columns, rows, lang)


def draw_reviews(reviews: Sequence[Mapping[str, Any]], lang: str) -> Iterator[RenderableType]:
    """The reviews of a person's acts, or of one act."""
    if not reviews:
        return
    columns = [
        ENTRY, Column(("启动", "opened"), folds=False), Column(("理由", "reason")),
        Column(("状态", "state"), folds=False), Column(("结论", "outcome"), folds=False),
        Column(("复核机关", "authority")),
    ]  # fmt: skip
    rows = [
        (
            str(r["position"]), r["opened"], r["reason"], pick(STATES[r["state"]], lang),
            pick(OUTCOMES[r["outcome"]], lang) if r["outcome"] else "—",
            word(r["authority"], lang) if r["authority"] else "—",
        )
        for r in reviews
    ]  # fmt: skip
    yield table(("复核", "Reviews"), columns, rows, lang)
