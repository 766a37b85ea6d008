"""The reports of what is no list by itself: one record, one entry; and of registers: who was found,
cases, reads, rights, batches.

Owns their columns and rows. Invariant: a row of a record names the entry that it rests on.
"""

from collections.abc import Iterator

from api.columns import (
    Answer,
    Coded,
    Field,
    Label,
    Report,
    Row,
    label,
    of_names,
    of_pack,
    says,
)
from api.rendering import aside, named_among
from api.reports_axes import FACT, LAPSED, STRAND, strand_of, told_of
from api.settings import Bureau
from api.words import ASIDE, ENVELOPE, NAMES
from domain.events import CASE, REGISTRY


def _facet_rows(data: Answer) -> Iterator[Row]:
    """What holds of each facet, and what is over; a facet of which nothing is recorded has a row
    that says so.
    """
    over = {one["facet"]: [one] for one in data["ended"]}
    lapsed = {(one["facet"], one["slot"]): one for one in data["lapsed"]}
    for facet in data["facets"]:
        begun = facet.get("on_record") or facet["facts"] or over.get(facet["facet"], ())
        for fact in begun or [{}]:
            stands = fact in facet["facts"]
            gone = lapsed.get((facet["facet"], fact["slot"]), {}) if stands else {}
            held = facet["state"] if stands or not fact else "ended"
            yield {
                **strand_of(data, facet), "state": "lapsed" if gone else held, **told_of(fact),
                "entry": fact.get("entry"), "ended_by": fact.get("ended_by"),
                "lapsed_on": gone.get("day"), "cause": gone.get("cause"),
            }  # fmt: skip


def _record_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    yield from _facet_rows(data)
    subject = data["person"]
    for one in data["spells"]:
        yield {
            "subject": subject, "facet": "spells", "what": Label("历次任职", "spells of service"),
            "since": one["since"], "last_day": one["last_day"], "value": one["left"],
            "entry": one["entry"], "ended_by": one["left_by"],
        }  # fmt: skip
    for one in data["reviews"]:
        yield {
            "subject": subject, "facet": "reviews", "what": Label("复核", "reviews"),
            "state": one["state"], "since": one["opened"], "last_day": one["concluded"],
            "value": {k: one[k] for k in ("position", "reason", "outcome", "authority")},
            "entry": one["opened_by"], "ended_by": one["concluded_by"],
        }  # fmt: skip


def _unit_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    yield from _facet_rows(data)
    for below in data["below"]:
        what = Label("直接下级", "directly below")
        yield {"subject": data["unit"], "facet": "below", "what": what, "value": below}


def _entry_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    """Its envelope, its fields, the cells that it was made of, its reviews and findings."""
    data = answer["data"]
    base = {"entry": data["position"]}
    if "type" not in data:
        yield {**base, "part": "sealed"}
        return
    said = {**data, "type": label(data), "standing": Coded("standing", data["standing"])}
    for name in ASIDE.keys() & {name for name, value in data.items() if value}:
        said[name] = Label(*(aside(name, data[name], lang) for lang in ("zh", "en")))
    for name, words in ENVELOPE.items():
        if said.get(name) is not None:
            yield {**base, "part": "envelope", "field": name, "what": Label(*words),
                   "value": said[name]}  # fmt: skip
    for name, value in data["fields"].items():
        if value is not None:
            words = Label(*(named_among(name, data["fields"], lang) for lang in ("zh", "en")))
            yield {**base, "part": "fields", "field": name, "what": words,
                   "value": Coded(name, value)}  # fmt: skip
    read = data["read"]
    for cell in read["cells"] if read else ():
        yield {
            **base, "part": "cell", "what": cell["heading"] or cell["class"], "at": cell["cell"],
            "value": cell["text"], "field": " ".join(cell["into"]), "by": read["entry"],
        }  # fmt: skip
    for one in data["reviews"]:
        value = one["outcome"] or one["state"]
        yield {**base, "part": "review", "what": one["reason"], "by": one["opened_by"],
               "value": Coded("outcome" if one["outcome"] else "strand", value)}  # fmt: skip
    for one in data["findings"]:
        yield {**base, "part": "finding", "field": one["rule"], "at": one["article"],
               "value": label(one)}  # fmt: skip


def _found_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    yield from answer["data"]["persons"]


def _case_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    """The cases, and the acts of cases that would now be refused."""
    for one in answer["data"]["matters"]:
        yield {**one, "complaints": " ".join(one["complaints"])}
    for one in answer["data"]["undermined"]:
        told = [tag.partition(":") for tag in one["tags"]]
        refusal = one["refusal"]
        yield {
            **{kind: id_ for kind, _, id_ in told if kind in (CASE, "person")},
            "entry": one["position"], "event": label(one),
            "refusal": Label(refusal["detail_zh"], refusal["detail"]),
        }  # fmt: skip


def _read_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    """The reads; the first row tells which are gone, where some are."""
    data = answer["data"]
    if (gone := data["cut"]) is not None:
        yield {"position": gone["rows"], "outcome": "cut", "at": gone["before"],
               "entry": gone["entry"]}  # fmt: skip
    for one in data["reads"]:
        actor = one["actor"]
        yield {
            **one, "who": actor["subject"], "role": actor["role"],
            "classes": one.get("classes", ()),
        }  # fmt: skip


def _right_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    for one in answer["data"]["roles"]:
        yield one
    for one in answer["data"]["keys"]:
        yield {**one, "role": "key"}


def _batch_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    for batch in answer["data"]["batches"]:
        for file, digest in zip(batch["files"], batch["digests"], strict=True):
            yield {**batch, "batch": batch["id"], "file": file, "digest": digest,
                   "state": state_of(batch)}  # fmt: skip


def state_of(batch: Row) -> str:
    if batch["undone"]:
        return "undone"
    return "entered" if batch["finished"] else "broken-off"


def _relaw_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    """A row a difference with how many acts, one for each of them; the undecidable last."""
    data = answer["data"]
    for one in data["changes"]:
        of = {"difference": difference(one), "rule": one["rule"], "article": one["article"]}
        yield {**of, "acts": one["total"]}
        for act in one["acts"]:
            cls = REGISTRY[act["type"]]
            yield {
                **of, **act, "entry": act["position"], "event": Label(cls.zh, cls.en),
                "reason": label(act),
            }  # fmt: skip
    for position in data["undecidable"]:
        yield {"difference": "undecidable", "entry": position}


def difference(change: Row) -> str:
    return f"{change['outcome']}-{'arises' if change['arises'] else 'ceases'}"


_ENTRY = Field("entry", ("登记", "entry"))
_FACETS = (
    *STRAND, Field("state", NAMES["state"], codes="strand"), *FACT, _ENTRY,
    Field("ended_by", ("由登记终止", "ended by")), *LAPSED,
)  # fmt: skip

RECORDS: dict[str, Report] = {
    "record": Report(("人员档案", "Record"), _FACETS, _record_rows, says("person")),
    "unit": Report(("单位", "Unit"), _FACETS, _unit_rows, says("unit")),
    "entry": Report(
        ("一条登记", "One entry"),
        (
            _ENTRY, Field("part", ("部分", "part"), codes="entry-part"),
            Field("field", ("项代码", "field")), Field("what", ("项", "what")),
            Field("at", ("单元格或条款", "cell or article")),
            Field("value", ("内容", "value"), said=True), Field("by", ("见登记", "see entry")),
        ),
        _entry_rows,
        says("position"),
    ),
    "found": Report(
        ("所查人员", "Persons found"),
        (*of_names("person", "number"), Field("name", NAMES["name"], private=True),
         *of_names("unit")),
        _found_rows,
    ),
    "cases": Report(
        ("案件", "Cases"),
        (
            *of_names("case", "person"), Field("state", NAMES["state"], codes="case-state"),
            Field("since", NAMES["since"]), Field("complaints", ("收到", "received")),
            Field("investigated", ("立案", "opened")), Field("outcome", ("结论", "outcome")),
            Field("concluded", ("结论日", "concluded")),
            Field("handling", ("告知", "told"), codes="state"),
            Field("handled", ("告知日", "told on")), _ENTRY, Field("event", ("事项", "event")),
            Field("refusal", ("据此后登记已不成立", "would now be refused")),
        ),
        _case_rows,
    ),
    "reads": Report(
        ("查阅记录", "Who has read"),
        (
            Field("position", ("查阅日志位置", "position")), Field("at", ("时间", "when")),
            Field("who", ("何人", "who")), Field("role", NAMES["role"]),
            Field("via", ("途径", "via")), Field("question", ("所问", "asked")),
            Field("effective", ("生效时点", "effective")),
            Field("recorded", ("认知位置", "recorded position")),
            Field("classes", ("私密字段", "private fields")), Field("purpose", ("用途", "purpose")),
            Field("case", NAMES["case"]), Field("outcome", ("结果", "outcome"), codes="read"),
            Field("list", ("在名单中", "in a list")), Field("count", ("人数", "persons")),
            Field("sure", ("确定", "certain")), Field("entry", ("销毁依据登记", "cut by entry")),
        ),
        _read_rows,
        says("person", "first_day", "last_day"),
    ),
    "rights": Report(
        ("权限和密钥", "Rights and keys"),
        (
            Field("position", ("登记", "entry")), Field("issuer", ("签发者", "issuer")),
            Field("subject", ("主体", "subject")), Field("role", NAMES["role"]),
            Field("unit", NAMES["unit"]), Field("person", NAMES["person"]),
            Field("classes", ("私密字段", "private fields")),
            Field("attest", ("补登", "attest")), Field("key", ("密钥", "key")),
            Field("last_day", ("最后一日", "last day")),
        ),
        _right_rows,
    ),
    "relaw": Report(
        ("按另一规则包重判", "Decided again under another pack"),
        (
            Field("difference", ("差异", "difference")), Field("rule", ("规则", "rule")),
            Field("article", ("依据", "article")), Field("acts", ("项数", "acts")), _ENTRY,
            Field("event", ("事项", "event")), Field("effective", ("生效日", "effective")),
            Field("person", NAMES["person"]), Field("reason", ("理由", "reason")),
        ),
        _relaw_rows,
        lambda data: {**of_pack(data), **says("since", "unit")(data)},
    ),
    "batches": Report(
        ("导入批次", "Import batches"),
        (
            Field("batch", ("批次", "batch")), Field("begun", ("登记时间", "begun")),
            Field("mapping", ("对应表", "mapping")), Field("file", ("文件", "file")),
            Field("digest", ("SHA-256", "SHA-256")), Field("entries", ("条数", "entries")),
            Field("rejected", ("退回", "rejected")), Field("state", NAMES["state"], codes="batch"),
            Field("finished", ("完成时间", "finished")), Field("undone", ("撤销时间", "undone")),
            Field("position", ("开始的登记", "begins at entry")),
        ),
        _batch_rows,
    ),
}  # fmt: skip
