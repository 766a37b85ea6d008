"""The reports that go out as files: which columns each has, and its answer as rows.

Owns the list. Invariant: a row is made of the answer as JSON has it, so that a file says nothing
which the answer does not; a private value is in it only where it was asked for.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from api.columns import Answer, Field, Report, Row, label, listed, of_names, of_pack, says
from api.reports_axes import AXES
from api.reports_records import RECORDS
from api.settings import Bureau
from api.words import NAMES
from domain.acts.grades import GRADE
from domain.acts.people import NUMBER, SERVICE, UNIT
from domain.bitemporal import AsOf
from domain.events import Facet
from projections import roster as _roster


def pair_of(answer: Answer) -> AsOf:
    as_of = answer["as_of"]
    return AsOf(date.fromisoformat(as_of["effective"]), as_of["recorded"])


def _roster_rows(bureau: Bureau, answer: Answer) -> Iterator[Row]:
    pair, lines = pair_of(answer), answer["data"]["lines"]
    subjects = [f"person:{line['person']}" for line in lines]
    names = _roster.tree(bureau.records, pair).names

    def said(facet: Facet, field: str) -> dict[str, Any]:
        values = bureau.records.values(facet, pair, subjects)
        return {subject: (value or {}).get(field) for subject, value in values.items()}

    since = {f.subject: f.effective for f in bureau.records.at([SERVICE], subjects, pair)}
    ladders = said(GRADE, "ladder")
    for subject, line in zip(subjects, lines, strict=True):
        hired = since.get(subject)
        yield {
            **line, "ladder": ladders.get(subject), "unit_name": names.get(line["unit"] or ""),
            "hired_on": hired and hired.isoformat(),
        }  # fmt: skip


def _headcount_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for line in data["counts"]:
        yield {"by": data["by"], "key": line[data["by"]], **line}


def _due_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    for item in answer["data"]["items"]:
        deadline = item["deadline"]
        days = {name: deadline[name] for name in ("due", "provisional")}
        yield {**item, **days, "zh": label(item)}


def _finding_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    for entry in answer["data"]["entries"]:
        for finding in entry["findings"]:
            yield {
                **finding, "position": entry["position"], "type": entry["type"],
                "event": label(entry), "effective": entry["effective"],
                "subjects": " ".join(entry["tags"]),
            }  # fmt: skip


def _pay_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for month in data["months"]:
        yield {"person": data["person"], **month, "month": month["month"][:7]}


def _payroll_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for line in data["lines"]:
        yield {
            **line, "name": data["people"].get(line["person"], {}).get("name"),
            "entries": listed(line["entries"]),
        }  # fmt: skip


def _repriced_rows(bureau: Bureau, answer: Answer) -> Iterator[Row]:
    pair, data = pair_of(answer), answer["data"]
    subjects = sorted({f"person:{line['person']}" for line in data["lines"]})
    held = {facet: bureau.records.values(facet, pair, subjects) for facet in (NUMBER, UNIT)}
    for line in data["lines"]:
        subject = f"person:{line['person']}"
        yield {
            **line, "name": data["people"].get(line["person"], {}).get("name"),
            "number": (held[NUMBER].get(subject) or {}).get("number"),
            "unit": (held[UNIT].get(subject) or {}).get("unit"),
        }  # fmt: skip


def _entry_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    for one in answer["data"]["entries"]:
        paper = one["document"] or {}
        yield {
            **one, "event": label(one), "subjects": " ".join(one["tags"]),
            "paper": paper.get("number") or paper.get("none_because"),
            "by": one["actor"]["subject"],
        }  # fmt: skip


def _searched(data: Row) -> Row:
    """What the entries of a journal were searched for; `until` is told where it is not all."""
    said = {name: data[name] for name in ("types", "after", "late")}
    return {**said, "tags": data["tagged"], "corrections": data["corrections"] or None}


def _of_months(data: Row) -> Row:
    first, last = data["months"][0]["month"], data["months"][-1]["month"]
    return {"of": data["of"], "unit": data["unit"], "first_month": first, "last_month": last}


def _over_what(data: Row) -> Row:
    first, last = data["segments"][0]["start"], data["segments"][-1]["last_day"]
    return {"person": data["person"], "first_day": first, "last_day": last}


def _months_of(data: Row) -> Row:
    months = [one["month"][:7] for one in data["months"]] or [None]
    return {"person": data["person"], "first_month": months[0], "last_month": months[-1]}


def _known_before(data: Row) -> Row:
    """Since which position something changed, and up to which month."""
    return {"from": data["before"]["recorded"], **says("first_month", "last_month")(data)}


def _retro_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for one in data["owed"]:
        for month in one["months"]:
            yield {
                **month, "person": one["person"], "month": month["month"][:7],
                "name": data["people"].get(one["person"], {}).get("name"),
                "entries": " ".join(map(str, month["entries"])),
            }  # fmt: skip


def _placed_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for one in data["roster"]:
        yield {
            "person": one["person"], "name": data["people"].get(one["person"], {}).get("name"),
            "facet": label(one), "entries": " ".join(map(str, one["entries"])),
            **{side: [fact["value"] for fact in one[side]] or None for side in ("before", "after")},
        }  # fmt: skip


def _units_rows(_: Bureau, answer: Answer) -> Iterable[Row]:
    rows: Iterable[Row] = answer["data"]["units"]
    return rows


# who answered


def _chain_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for known, one in (("now", data["now"]), ("then", data["then"]["answer"])):
        day = one["as_of"]["effective"]
        position = data["then"]["recorded"] if known == "then" else answer["as_of"]["recorded"]
        for seat in _seats(one, data["people"]):
            yield {"known": known, "position": position, "start": day, "last_day": day, **seat}


def _chain_unit_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data, day = answer["data"], answer["as_of"]["effective"]
    heads = {unit["unit"]: unit["heads"] for unit in data["units"]}
    for person in data["persons"]:
        one = {**person, "service": "in", "lines": [*heads[person["unit"]], *person["lines"]]}
        name = data["people"].get(person["person"], {}).get("name")
        for seat in _seats(one, data["people"]):
            yield {"day": day, "auxiliary": name, **seat}


def _chain_over_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for segment in data["segments"]:
        for seat in _seats(segment["answer"], data["people"]):
            yield {"start": segment["start"], "last_day": segment["last_day"], **seat}


def _officer_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for one in data["answered"]:
        holder = one["holder"]
        yield {
            **holder, "person": one["person"], "start": one["start"], "last_day": one["last_day"],
            "name": data["people"].get(one["person"], {}).get("name"),
            "entries": listed(holder["entries"]),
        }  # fmt: skip


def _seats(one: Answer, people: Answer) -> Iterator[dict[str, Any]]:
    """A row a holder, and one for a seat that nobody holds; the seats above an empty one too."""
    base = {"person": one["person"], "service": one["service"], "using_unit": one["unit"]}
    if not one["lines"]:
        yield base
    for line in one["lines"]:
        for above, seat in ((False, line), *((True, seat) for seat in line["beside"])):
            told = {
                **base, "capacity": seat["capacity"], "unit": seat["unit"], "seat": seat["seat"],
                "above": above, "status": seat["status"], "cause": seat["cause"],
                "vacant_since": seat["since"], "entries": listed(seat["entries"]),
            }  # fmt: skip
            for holder in seat["holders"] or [None]:
                yield told if holder is None else {**told, **_holder(holder, people)}
    for holder in one["outgoing"]:
        yield {**base, "capacity": holder["capacity"], "unit": holder["unit"],
               "seat": holder["seat"], "status": "outgoing", **_holder(holder, people)}  # fmt: skip


def _holder(holder: Row, people: Answer) -> dict[str, Any]:
    return {
        "officer": holder["officer"], "name": people.get(holder["officer"], {}).get("name"),
        "acting": holder["acting"], "state": holder["state"], "holds_since": holder["since"],
        "holds_to": holder["last_day"], "entries": listed(holder["entries"]),
    }  # fmt: skip


# by month


def _series_rows(_: Bureau, answer: Answer) -> Iterator[Row]:
    data = answer["data"]
    for month in data["months"]:
        told = {
            "of": data["of"],
            "unit": data["unit"],
            "month": month["month"],
            "day": month["day"],
        }
        yield {**told, "key": "total", "count": month["count"]}
        for one in month["counts"]:
            key, count = one["key"], one["count"]
            if key is None:
                yield {**told, "key": "not-recorded", "count": count}
            else:
                yield {**told, "grade" if data["of"] == "pyramid" else "key": key, "count": count}


_DAYS = (Field("start", ("自", "from")), Field("last_day", ("至", "to")))
_SEAT = (
    Field("capacity", ("责任", "tier")), Field("unit", ("席位所在单位", "unit of the seat")),
    Field("seat", ("席位", "seat")), Field("above", ("上级席位", "seat above")),
    Field("status", ("席位状态", "state of the seat")),
    Field("officer", NAMES["officer"]), Field("name", NAMES["name"], private=True),
    Field("acting", ("代理", "acting")), Field("state", ("当日状态", "state that day")),
    Field("holds_since", ("任职自", "holds since")), Field("holds_to", ("任职至", "holds to")),
    Field("vacant_since", ("空缺自", "vacant since")), Field("cause", ("空缺原因", "cause")),
    Field("entries", ("依据登记", "entries")),
)  # fmt: skip
_ANSWER = (
    Field("person", NAMES["person"]), Field("service", ("在职", "in service")),
    Field("using_unit", ("用人单位", "using unit")),
)  # fmt: skip

_ENTRIES = (
    Field("position", ("登记", "entry")), Field("recorded_at", ("登记时间", "recorded")),
    Field("effective", ("生效日", "effective")), Field("last_day", ("末日", "last day")),
    Field("lag_days", ("迟录天数", "days late")), Field("type", ("事项代码", "type")),
    Field("event", ("事项", "event")), Field("subjects", ("对象", "about")),
    Field("mood", ("性质", "mood")), Field("paper", ("文件", "document")),
    Field("reason", ("理由", "reason")), Field("by", ("经办", "entered by")),
    Field("event_id", ("登记号", "entry id")),
)  # fmt: skip
ENTRY_ROW = {*(field.name for field in _ENTRIES), "zh", "en", "tags", "document", "actor"}
"""What a row of the journal is made of."""

REPORTS: dict[str, Report] = {
    "roster": Report(
        ("在职辅警花名册", "Roster of auxiliaries"),
        (
            *of_names("person", "number"),
            Field("name", NAMES["name"], private=True),
            Field("id_number", NAMES["id_number"], private=True),
            *of_names("category", "grade", "ladder", "post", "unit"),
            Field("unit_name", ("单位名称", "unit's name")),
            *of_names("host", "hired_on"),
            Field("since", NAMES["unit_since"]),
        ),
        _roster_rows,
        says("unit", "below", "grade", "post", "category"),
    ),
    "headcount": Report(
        ("在职人数", "Headcount"),
        (
            Field("by", ("分组", "grouped by")), Field("key", ("组别", "group")),
            Field("name", ("名称", "name")), Field("count", ("人数", "count")),
        ),
        _headcount_rows,
        says("by", "unit", "below"),
    ),
    "due": Report(
        ("法定期限", "Promises with a term"),
        (
            Field("due", ("最后一日", "last day")), Field("provisional", ("暂定", "provisional")),
            Field("state", NAMES["state"], codes="due"), Field("late", ("逾期天数", "days late")),
            Field("workdays", ("按工作日", "in working days")), Field("zh", ("事项", "what")),
            Field("subject", ("对象", "about")), Field("unit", NAMES["unit"]),
            Field("started_on", ("起算", "from")), Field("met_on", ("办结", "met on")),
            Field("rule", ("规则", "rule")), Field("article", ("依据", "article")),
        ),
        _due_rows,
    ),
    "findings": Report(
        ("问题清单", "Findings"),
        (
            Field("position", ("登记", "entry")), Field("effective", ("生效日", "effective")),
            Field("type", ("事项代码", "type")), Field("event", ("事项", "event")),
            Field("subjects", ("对象", "about")), Field("zh", ("问题", "finding")),
            Field("en", ("问题(英文)", "finding (en)")), Field("rule", ("规则", "rule")),
            Field("article", ("依据", "article")), Field("strength", ("强度", "strength")),
            Field("status", ("效力", "status")),
        ),
        _finding_rows,
        says("person", "unit"),
    ),
    "pay": Report(
        ("薪酬", "Pay"),
        (
            *of_names("person"), Field("month", ("月份", "month")),
            Field("amount", ("应发(元)", "pay in yuan"), fen=True),
            Field("unpriced", ("无法计发的天数", "days without a pay level")),
        ),
        _pay_rows,
        _months_of,
    ),
    "payroll": Report(
        ("工资册", "Payroll"),
        (
            *of_names("person", "number"), Field("name", NAMES["name"], private=True),
            *of_names("unit"), Field("month", ("月份", "month")), *of_names("grade"),
            Field("days", ("在职天数", "days in service")),
            Field("unpriced", ("无法计发的天数", "days without a pay level")),
            Field("amount", ("应发(元)", "pay in yuan"), fen=True),
            Field("entries", ("依据登记", "entries")),
        ),
        _payroll_rows,
        says("unit", "first_month", "last_month"),
    ),
    "journal": Report(("登记流水", "Journal"), _ENTRIES, _entry_rows, _searched),
    "history": Report(
        ("人员履历", "History"),
        (*_ENTRIES, Field("standing", ("状态", "standing")),
         Field("standing_by", ("由登记", "by entry"))),
        _entry_rows,
        says("person"),
    ),
    "retro": Report(
        ("追溯差额", "Retro"),
        (
            *of_names("person"), Field("name", NAMES["name"], private=True),
            Field("month", ("月份", "month")),
            Field("before", ("原计(元)", "before, yuan"), fen=True),
            Field("after", ("现计(元)", "after, yuan"), fen=True),
            Field("owed", ("应补(元)", "owed, yuan"), fen=True),
            Field("unpriced_after", ("未能计薪天数", "days not priced")),
            Field("entries", ("依据登记", "entries")),
        ),
        _retro_rows,
        _known_before,
    ),
    "retro-roster": Report(
        ("追溯的花名册变化", "Retro, the roster"),
        (
            *of_names("person"), Field("name", NAMES["name"], private=True),
            Field("facet", ("事项", "facet")), Field("before", ("前", "before")),
            Field("after", ("后", "after")), Field("entries", ("依据登记", "entries")),
        ),
        _placed_rows,
        _known_before,
    ),
    "repriced": Report(
        ("薪酬标准调整差额", "Differences of a pay scale"),
        (
            *of_names("person", "number"),
            Field("name", NAMES["name"], private=True),
            *of_names("unit", "grade"),
            Field("since", ("自", "since")), Field("last_day", ("至", "to")),
            Field("before", ("原月薪(元)", "a month before, yuan"), fen=True),
            Field("after", ("新月薪(元)", "a month after, yuan"), fen=True),
            Field("difference", ("月差额(元)", "difference a month, yuan"), fen=True),
            Field("owed", ("累计差额(元)", "in all, yuan"), fen=True),
        ),
        _repriced_rows,
        lambda data: {**of_pack(data), "last_month": data["last_month"]},
    ),
    **AXES,
    **RECORDS,
    "units": Report(("单位树", "Units"), of_names("unit", "name", "state", "parent"), _units_rows),
    "chain": Report(
        ("某日谁负责", "Who answered on a day"),
        (Field("known", ("认定", "known")), Field("position", ("认知位置", "recorded position")),
         *_DAYS, *_ANSWER, *_SEAT),
        _chain_rows,
        lambda data: {"person": data["person"], "then": data["then"]["recorded"]},
    ),
    "chain-unit": Report(
        ("某日全员由谁负责", "Who answered for everybody"),
        (
            Field("day", ("日期", "day")), *of_names("person"),
            Field("auxiliary", ("辅警姓名", "auxiliary's name"), private=True),
            Field("using_unit", ("用人单位", "using unit")), *_SEAT,
        ),
        _chain_unit_rows,
        lambda data: {"unit": data["unit"], "below": True},
    ),
    "chain-over": Report(
        ("期间谁负责", "Who answered over a period"), (*_DAYS, *_ANSWER, *_SEAT), _chain_over_rows,
        _over_what,
    ),
    "chain-officer": Report(
        ("民警为谁负责", "Whom an officer answered for"),
        (
            Field("officer", NAMES["officer"]), Field("person", NAMES["person"]),
            Field("name", NAMES["name"], private=True), Field("capacity", ("责任", "tier")),
            Field("unit", NAMES["unit"]), Field("seat", ("席位", "seat")), *_DAYS,
            Field("acting", ("代理", "acting")), Field("state", ("当日状态", "state that day")),
            Field("entries", ("依据登记", "entries")),
        ),
        _officer_rows,
        says("officer", "first_day", "last_day"),
    ),
    "series": Report(
        ("逐月统计", "Month by month"),
        (
            Field("of", ("统计", "of")), Field("unit", NAMES["unit"]),
            Field("month", ("月份", "month")), Field("day", ("月末", "month's end")),
            Field("key", ("项", "what")), Field("grade", NAMES["grade"]),
            Field("count", ("数", "count")),
        ),
        _series_rows,
        _of_months,
    ),
}  # fmt: skip
