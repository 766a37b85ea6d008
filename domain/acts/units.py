"""Units 单位: established, renamed, moved, merged, split, dissolved, and their head seats.

Owns the unit tree over time. Invariant: on no day does a unit stand above itself.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from domain.case import Case
from domain.events import Code, Event, Facet, Text, UnitId, Writes
from domain.law import LawInvalid, Rules, chain
from domain.refusals import AlreadyRecorded, BadInput, RecordForbids, UnknownSubject

UNIT_STATE = Facet("unit-state", of="unit", zh="单位状态", en="unit state", stays=True, ever=True)
UNIT_NAME = Facet("unit-name", of="unit", zh="单位名称", en="unit name", stays=True)
UNIT_PARENT = Facet(
    "unit-parent", of="unit", zh="上级单位", en="parent unit", stays=True, ever=True,
    ref="parent",
)  # fmt: skip
UNIT_PLACE = Facet("unit-place", of="unit", zh="行政区划", en="division", stays=True)
HEAD_SEATS = Facet("head-seats", of="unit", zh="主要领导席位", en="head seats", stays=True)

Kind = Literal["bureau", "department", "station", "agency"]
Seat = Annotated[Code, Field(max_length=40)]
HEAD = "主要领导"


def require_unit(case: Case, unit: str, field: str = "unit") -> None:
    """Raises UnknownSubject, or RecordForbids where the unit is dissolved on the act's day."""
    fact = case.at(UNIT_STATE, unit)
    if fact is None:
        raise UnknownSubject(
            f"no unit {unit} on {case.effective}", zh=f"{case.effective} 没有单位 {unit}",
            field=field,
        )  # fmt: skip
    if fact.value["state"] != "active":
        raise RecordForbids(
            f"unit {unit} is {fact.value['state']} on {case.effective}",
            zh=f"单位 {unit} 于 {case.effective} 已撤并", field=field,
        )  # fmt: skip


def rules(case: Case, unit: str, on: date | None = None) -> Rules:
    """The law where a unit stands: its own division, or that above it; by default on the act's
    day.
    """
    above: str | None = unit
    seen: set[str] = set()
    while above is not None and above not in seen:
        seen.add(above)
        place = case.value(UNIT_PLACE, above, on)
        if place is not None:
            return case.rules(place["division"], on)
        parent = case.value(UNIT_PARENT, above, on)
        above = parent["parent"] if parent else None
    return case.rules("none", on)


def seats_of(case: Case, unit: str) -> list[str]:
    """The head seats (所长, 教导员 …) a unit declares; one, unnamed, where it declares none."""
    declared = case.value(HEAD_SEATS, unit)
    return list(declared["head_seats"]) if declared else [HEAD]


def _check_seats(seats: list[str]) -> None:
    """A unit has a head seat, and no two of one name. Raises BadInput."""
    if not seats:
        raise BadInput("a unit has at least one head seat", field="head_seats", zh="至少一个席位")
    if len(set(seats)) != len(seats):
        raise BadInput("a seat is named twice", field="head_seats", zh="席位重复")


def _require_no_cycle(case: Case, unit: str, parent: str) -> None:
    """On every day on which the act says where the unit stands, be it one on which a unit of the
    way up moves or a later move of its own ends; beneath itself on none, whatever stands over it.
    """
    if parent == unit:
        case.forbid("单位不能是自己的上级", "a unit is not its own parent", "parent")
    days = {case.effective, *_turns(case, unit)}
    checked: set[date] = set()
    while days - checked:
        day = min(days - checked)
        checked.add(day)
        stands = case.at(UNIT_PARENT, unit, on=day)
        elsewhere = stands is not None and not case.stands_over(stands)
        above: str | None = None if elsewhere else parent
        passed: set[str] = set()  # units above may go round by what was attested
        while above is not None and above not in passed:
            passed.add(above)
            if above == unit:
                raise RecordForbids(
                    f"on {day} unit {unit} would stand above itself",
                    zh=f"{day} 起单位 {unit} 将成为自己的上级", field="parent",
                )  # fmt: skip
            days |= _turns(case, above)
            fact = case.at(UNIT_PARENT, above, on=day)
            above = fact.value["parent"] if fact and fact.value else None


def _turns(case: Case, unit: str) -> set[date]:
    """The days of the act's period on which a unit comes under another, or no longer is."""
    days = {day for f in case.ever(UNIT_PARENT, unit) for day in (f.effective, f.until)}
    return {day for day in days if case.effective < day < case.holds_until}


class UnitEstablished(Event):
    """A unit is set up (单位设立)."""

    zh = "单位设立"
    en = "Unit established"
    day = "单位设立之日"
    writes = (
        Writes(UNIT_STATE, key="unit", value=("kind",), fixed={"state": "active"}),
        Writes(UNIT_NAME, key="unit", value=("name", "short_name")),
        Writes(UNIT_PARENT, key="unit", value=("parent",)),
        Writes(UNIT_PLACE, key="unit", value=("division",)),
        Writes(HEAD_SEATS, key="unit", value=("head_seats",)),
    )

    unit: UnitId
    name: Code
    short_name: Code | None = None
    kind: Kind = "department"
    parent: UnitId | None = None
    division: Code | None = None
    head_seats: list[Seat] | None = None

    def decide(self, case: Case) -> None:
        states = case.ever(UNIT_STATE, self.unit)
        recorded = any(fact.value["state"] == "active" for fact in states)
        if recorded and case.proposal.supersedes is None:
            raise AlreadyRecorded(
                f"unit {self.unit} is recorded already", zh=f"单位 {self.unit} 已登记", field="unit"
            )
        if self.division is not None:
            try:
                chain(self.division)
            except LawInvalid as invalid:
                raise BadInput(str(invalid), field="division", zh="行政区划代码有误") from invalid
        if self.parent is not None:
            require_unit(case, self.parent, "parent")
            _require_no_cycle(case, self.unit, self.parent)
        if self.head_seats is not None:
            _check_seats(self.head_seats)


class UnitRenamed(Event):
    """A unit takes another name (单位更名)."""

    zh = "单位更名"
    en = "Unit renamed"
    day = "新名称启用之日"
    writes = (Writes(UNIT_NAME, key="unit", value=("name", "short_name")),)

    unit: UnitId
    name: Code
    short_name: Code | None = None

    def decide(self, case: Case) -> None:
        require_unit(case, self.unit)


class UnitMoved(Event):
    """A unit comes under another parent (单位改隶)."""

    zh = "单位改隶"
    en = "Unit moved"
    day = "改隶生效之日"
    writes = (Writes(UNIT_PARENT, key="unit", value=("parent",)),)

    unit: UnitId
    parent: UnitId

    def decide(self, case: Case) -> None:
        require_unit(case, self.unit)
        require_unit(case, self.parent, "parent")
        _require_no_cycle(case, self.unit, self.parent)


class UnitMerged(Event):
    """A unit is merged into another and ceases (单位合并). Its people move by acts of their own."""

    zh = "单位合并"
    en = "Unit merged"
    day = "合并生效之日"
    writes = (Writes(UNIT_STATE, key="unit", value=("into",), fixed={"state": "merged"}),)

    unit: UnitId
    into: UnitId

    def decide(self, case: Case) -> None:
        require_unit(case, self.unit)
        require_unit(case, self.into, "into")
        if self.unit == self.into:
            case.forbid("单位不能并入自己", "a unit is not merged into itself", "into")


class UnitSplit(Event):
    """A unit gives rise to others (单位拆分); with `ceases` it is no more."""

    zh = "单位拆分"
    en = "Unit split"
    day = "拆分生效之日"
    writes = (Writes(UNIT_STATE, key="ceases", value=("into",), fixed={"state": "split"}),)

    unit: UnitId
    into: list[UnitId] = Field(min_length=1)
    ceases: UnitId | None = None

    def decide(self, case: Case) -> None:
        require_unit(case, self.unit)
        for other in self.into:
            require_unit(case, other, "into")
        if self.ceases not in (None, self.unit):
            raise BadInput("only the unit that is split can cease", field="ceases",
                           zh="只有被拆分的单位可以撤销")  # fmt: skip
        if self.ceases in self.into:
            case.forbid("撤销的单位不能是拆分后的单位", "a unit that ceases is no part of itself",
                        "into")  # fmt: skip


class UnitDissolved(Event):
    """A unit ceases (单位撤销)."""

    zh = "单位撤销"
    en = "Unit dissolved"
    day = "撤销生效之日"
    writes = (Writes(UNIT_STATE, key="unit", fixed={"state": "dissolved"}),)

    unit: UnitId
    reason: Text | None = None

    def decide(self, case: Case) -> None:
        require_unit(case, self.unit)


class HeadSeatsDeclared(Event):
    """A unit's head seats are laid down (主要领导席位设定): 所长, 教导员 …, one or more."""

    zh = "主要领导席位设定"
    en = "Head seats declared"
    day = "席位设定生效之日"
    writes = (Writes(HEAD_SEATS, key="unit", value=("head_seats",)),)

    unit: UnitId
    head_seats: list[Seat] = Field(min_length=1)

    def decide(self, case: Case) -> None:
        require_unit(case, self.unit)
        _check_seats(self.head_seats)
