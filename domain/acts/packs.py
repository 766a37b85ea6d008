"""Law as published (规则包 工作日历): which rules and which calendar were known when.

Owns the entries that publish packs and calendar years. Invariant: the text is in the log whole, so
the law of any position can be read back from the log alone.
"""

import hashlib
from datetime import date
from typing import Annotated

from pydantic import Field, StringConstraints

from domain.case import Case
from domain.events import FACETS, Code, Event, Facet, Id, Subject, Text, Writes
from domain.law import LawInvalid, Pack, kinds_by_id, parse_calendar
from domain.refusals import BadInput

PACK = Facet("pack", of="pack", zh="规则包", en="rule pack", stays=True)
CALENDAR = Facet("calendar", of="calendar", zh="工作日历", en="working-day calendar", stays=True)

PackText = Annotated[
    str, StringConstraints(strip_whitespace=False, min_length=1, max_length=60_000)
]
"""The file as it lies, to the byte: the digest is over it."""


def read_pack(text: str, field: str = "text") -> Pack:
    """The pack that a text says. Raises BadInput naming the place at fault."""
    try:
        pack = Pack.parse(text)
    except LawInvalid as invalid:
        raise BadInput(str(invalid), field=field, zh=f"规则包格式有误:{invalid}") from invalid
    for place, scale in enumerate(pack.scales):
        if min(scale.amounts.values(), default=0) < 0:
            raise BadInput(
                f"pack {pack.code}: scale.{place}.amounts: an amount is less than nothing",
                field=field, zh=f"规则包 {pack.code} 第 {place + 1} 个薪酬标准有负数金额",
            )  # fmt: skip
    for place, rule in enumerate(pack.rules):
        asked_as = kinds_by_id().get(rule.id, rule.kind)
        if rule.kind != asked_as:
            raise BadInput(
                f"pack {pack.code}: rule.{place}.kind: {rule.id} is asked as {asked_as}",
                field=field, zh=f"规则包 {pack.code} 第 {place + 1} 条:{rule.id} 应为 {asked_as}",
            )  # fmt: skip
        closed = rule.values["facets"] if rule.kind == "closed_period" else "all"
        if closed != "all" and (unknown := sorted(set(closed) - FACETS.keys())):
            raise BadInput(
                f"pack {pack.code}: rule.{place}.values.facets: no facet {', '.join(unknown)}",
                field=field, zh=f"规则包 {pack.code} 第 {place + 1} 条:没有 {'、'.join(unknown)}",
            )  # fmt: skip
    return pack


class PackPublished(Event):
    """A jurisdiction's rules are published to the ledger, whole (规则包发布)."""

    zh = "规则包发布"
    en = "Pack published"
    day = "规则包自该日起供登记使用;各条规则的施行日在规则包内"
    writes = (Writes(PACK, key="code", value=("digest", "version")),)

    code: Annotated[Id, Subject("pack")]
    version: Code
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    text: PackText

    @classmethod
    def of(cls, pack: Pack) -> "PackPublished":
        return cls(code=pack.code, version=pack.version, digest=pack.digest, text=pack.text)

    def decide(self, case: Case) -> None:
        if hashlib.sha256(self.text.encode()).hexdigest() != self.digest:
            raise BadInput("the digest is not that of the text", field="digest",
                           zh="摘要与正文不符")  # fmt: skip
        pack = read_pack(self.text)
        if pack.code != self.code:
            raise BadInput("the text is of another pack", field="code", zh="代码与正文不符")
        stands = case.value(PACK, self.code)
        if stands is not None and stands["digest"] == self.digest:
            case.forbid("该规则包已发布", "this very pack is published already", "digest")


class CalendarPublished(Event):
    """A year's working days are published or amended (工作日历发布)."""

    zh = "工作日历发布"
    en = "Working-day calendar published"
    day = "日历供登记使用之日"
    writes = (Writes(CALENDAR, key="calendar", value=("year", "published_on")),)

    calendar: Annotated[Id, Subject("calendar")]
    year: int = Field(ge=1990, le=2100)
    published_on: date | None = None
    text: PackText
    note: Text | None = None

    def decide(self, case: Case) -> None:  # noqa: ARG002 - any year may be amended
        try:
            year = parse_calendar(self.text)
        except LawInvalid as invalid:
            raise BadInput(str(invalid), field="text", zh="日历格式有误") from invalid
        if year.year != self.year or self.calendar != str(self.year):
            raise BadInput("the text is of another year", field="year", zh="年份与正文不符")
