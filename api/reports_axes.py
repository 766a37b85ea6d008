"""The reports along both axes: what was said of a day, both times at once, what an answer rests
on, what two moments differ in.

Owns their columns and rows. Invariant: whatever an entry made names that entry.
"""

from collections.abc import Iterator
from typing import Any

from api.columns import Answer, Field, Report, Row, label, listed, says
from api.settings import Bureau
from api.words import NAMES


def _timeline_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for strand in data["facets"]:
        for one in strand["stretches"]:
            yield {
                **strand_of(data, strand), "since": one["start"], "last_day": one["last_day"],
                "state": one["state"], "value": one["value"], "cause": one["cause"],
                **_by(one["by"]),
            }  # fmt: skip


def _belief_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for strand in data["beliefs"]:
        for stretch in strand["stretches"]:
            for fact in stretch["facts"] or [{}]:
                yield {
                    **strand_of(data, strand), "day": data["day"], "known_from": stretch["from"],
                    **told_of(fact), **_by(stretch["opened_by"]),
                }  # fmt: skip


def _rectangle_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for strand in data["facets"]:
        for one in strand["rectangles"]:
            yield {
                **strand_of(data, strand), **_by(one["opened_by"]), "value": one["value"],
                "since": one["start"], "last_day": one["last_day"],
                "known_from": one["known_from"], "known_to": one["known_to"],
                "closed_by": label(one["closed_by"]) if "zh" in (one["closed_by"] or {}) else None,
            }  # fmt: skip


def _explained_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    """A row an entry, with what it says of the answer where it gave the content."""
    data = answer["data"]
    lapsed = {one["root"]: one for one in data["lapsed"]}
    for one in data["entries"]:
        gave = [fact for fact in data["facts"] if fact["entry"] == one["position"]]
        for fact in gave or [{}]:
            gone = lapsed.get(fact.get("root"), {})
            yield {
                **strand_of(data, data), "part": one["part"], "effective": one["effective"],
                **told_of(fact), **_by(one), "lapsed_on": gone.get("day"),
                "cause": gone.get("cause"),
            }  # fmt: skip


def _compare_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for one in data["differences"]:
        yield {
            **strand_of(data, one), "how": "changed", "entries": listed(one["entries"]),
            **{side: [told_of(fact) for fact in one[side]] or one[f"{side}_state"]
               for side in ("before", "after")},
        }  # fmt: skip
    for how, moved in data.get("roster", {}).items():
        for line in moved:
            yield {**line, "how": how, "entries": listed(line["entries"])}


def _compared(data: Row) -> Row:
    kind = next(iter(data))
    before = data["before"]
    return {
        "subject": f"{kind}:{data[kind]}", "before": before["effective"],
        "before_recorded": before["recorded"],
    }  # fmt: skip


def strand_of(data: Answer, strand: Row) -> dict[str, Any]:
    subject = data.get("subject") or data.get("person") or data.get("unit")
    return {"subject": subject, "facet": strand["facet"], "what": label(strand),
            "slot": strand.get("slot")}  # fmt: skip


def told_of(fact: Row) -> dict[str, Any]:
    told = {name: fact.get(name) for name in ("value", "since", "last_day")}
    return told if fact.get("slot") is None else {**told, "slot": fact["slot"]}


def _by(entry: Row | None) -> dict[str, Any]:
    """The entry that made it so."""
    if entry is None:
        return {}
    return {
        "entry": entry["position"], "recorded_at": entry.get("recorded_at"),
        "event": label(entry) if "zh" in entry else None,
        "by": (entry.get("actor") or {}).get("subject"), "reason": entry.get("reason"),
    }  # fmt: skip


STRAND = (
    Field("subject", ("对象", "about")), Field("facet", ("事项代码", "facet")),
    Field("what", ("事项", "what")), Field("slot", ("席位", "slot")),
)  # fmt: skip
FACT = (
    Field("value", ("内容", "value"), said=True), Field("since", ("自", "since")),
    Field("last_day", ("末日", "last day")),
)  # fmt: skip
LAPSED = (
    Field("lapsed_on", ("失效日", "lapsed on")), Field("cause", ("失效原因", "cause")),
)  # fmt: skip
_MADE_BY = (
    Field("entry", ("登记", "entry")), Field("recorded_at", ("登记时间", "recorded")),
    Field("event", ("登记事项", "event")), Field("by", ("经办", "entered by")),
    Field("reason", ("理由", "reason")),
)  # fmt: skip


AXES: dict[str, Report] = {
    "timeline": Report(
        ("时间线", "Timeline"), (*STRAND, Field("state", NAMES["state"]), *FACT, *_MADE_BY),
        _timeline_rows,
        says("subject", "facet"),
    ),
    "beliefs": Report(
        ("对某日的说法", "What was said of a day"),
        (*STRAND, Field("day", ("关于", "of the day")), Field("known_from", ("自位置", "from")),
         *FACT, *_MADE_BY),
        _belief_rows,
        says("subject", "facet"),
    ),
    "rectangles": Report(
        ("两个时间轴", "Both times"),
        (*STRAND, *FACT, Field("known_from", ("自位置", "known from")),
         Field("known_to", ("至位置", "known to")), *_MADE_BY,
         Field("closed_by", ("由何登记改变", "closed by"))),
        _rectangle_rows,
        says("subject", "facet"),
    ),
    "explain": Report(
        ("答案依据的登记", "What an answer rests on"),
        (*STRAND, Field("part", ("作用", "part")), Field("effective", ("生效日", "effective")),
         *FACT, *_MADE_BY, *LAPSED),
        _explained_rows,
        says("subject", "facet"),
    ),
    "compare": Report(
        ("两个时点的不同", "What two moments differ in"),
        (
            Field("how", ("如何", "how")), *STRAND,
            Field("before", ("前", "before"), said=True),
            Field("after", ("后", "after"), said=True),
            Field("person", NAMES["person"]), Field("name", NAMES["name"], private=True),
            Field("grade", NAMES["grade"]), Field("unit", NAMES["unit"]),
            Field("host", NAMES["host"]), Field("entries", ("依据登记", "entries")),
        ),
        _compare_rows,
        _compared,
    ),
}  # fmt: skip
