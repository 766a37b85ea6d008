"""Who answers: unit heads 主要领导, deputy heads 分管领导, supervising officers 带辅责任民警.

Owns the facets of the three tiers. Invariant: nobody answers who is not a recorded officer of the
unit that uses the auxiliary; a seat that is held is not filled again by order.

Seats and deputies are sets: an attested overlap stays two facts, and an ending ends one of them.
A vacancy is what is left when the last of them has ended.
"""

from pydantic import Field

from domain.acts.officers import LEAVE, OFFICER, refuse_suspended, require_officer
from domain.acts.people import require_in_service, require_person, rules_for, using_unit
from domain.acts.units import HEAD, UNIT_PARENT, Seat, require_unit, seats_of
from domain.bitemporal import Fact
from domain.case import Case
from domain.events import Code, Event, Facet, PersonId, UnitId, Writes
from domain.refusals import AlreadyRecorded, BadInput, MissingField
from domain.rules import eligibility

UNIT_HEAD = Facet(
    "unit-head", of="unit", zh="主要领导", en="unit head", many=True, ever=True, ref="officer"
)
ACTING_HEAD = Facet(
    "acting-head",
    of="unit",
    zh="代理主要领导",
    en="acting head",
    many=True,
    ever=True,
    ref="officer",
)
DEPUTY = Facet(
    "deputy-head", of="unit", zh="分管领导", en="deputy head", many=True, ever=True, ref="officer"
)
ACTING_DEPUTY = Facet(
    "acting-deputy",
    of="unit",
    zh="代理分管领导",
    en="acting deputy",
    many=True,
    ever=True,
    ref="officer",
)
PORTFOLIO = Facet("portfolio", of="unit", zh="分管范围", en="portfolio", ref="officer")
SUPERVISOR = Facet(
    "supervising-officer", of="person", zh="带辅责任民警", en="supervising officer", ref="officer"
)


def _standing(case: Case, facet: Facet, unit: str, slot: str) -> list[Fact]:
    """Who holds the slot on any day of the act's period while an officer of the unit."""
    return [
        fact
        for fact in case.ever(facet, unit)
        if fact.slot == slot
        and fact.effective < min(case.holds_until, fact.until)
        and case.effective < fact.until
        and _of_unit(case, fact, unit)
    ]


def _of_unit(case: Case, fact: Fact, unit: str) -> bool:
    on = fact.effective if fact.effective > case.effective else None
    role = case.value(OFFICER, fact.value["officer"], on)
    return role is not None and role["unit"] == unit


def _take_seat(case: Case, facet: Facet, unit: str, seat: str, officer: str) -> None:
    require_unit(case, unit)
    seats = seats_of(case, unit)
    if seat not in seats:
        raise BadInput(
            f"unit {unit} has no such seat; its seats are: {', '.join(seats)}",
            zh=f"单位 {unit} 没有该席位,现有席位:{'、'.join(seats)}", field="seat",
        )  # fmt: skip
    require_officer(case, officer, unit)
    refuse_suspended(case, officer)
    for held in _standing(case, facet, unit, seat):
        if held.value["officer"] == officer:
            raise AlreadyRecorded(
                "this officer holds the seat already", zh="该民警已任该席位", field="officer"
            )
        if case.mood == "ordered":
            case.forbid(f"{held.effective} 起该席位已有人任职,应先免职",
                        f"the seat is held from {held.effective}: relieve first",
                        "seat")  # fmt: skip


def _become_deputy(case: Case, facet: Facet, unit: str, officer: str) -> None:
    require_unit(case, unit)
    require_officer(case, officer, unit)
    refuse_suspended(case, officer)
    if _standing(case, facet, unit, officer):
        raise AlreadyRecorded(
            "this officer is a deputy of the unit already", zh="该民警已任分管领导",
            field="officer",
        )  # fmt: skip


def _relieve(case: Case, facet: Facet, unit: str, slot: str, officer: str) -> None:
    """End the officer's own fact: the latest of the slot, or one beneath it that `ends` names."""
    latest = case.at(facet, unit, slot=slot)
    beneath = latest is not None and latest.value["officer"] != officer
    ended = case.end(facet._replace(many=beneath), unit, slot)
    if ended.slot != slot or ended.value["officer"] != officer:
        _not_held(case)


def _not_held(case: Case) -> None:
    case.forbid("该民警当日并未任此职", "this officer does not hold it that day", "officer")


class UnitHeadAppointed(Event):
    """An officer takes a head seat of a unit: 第一责任人,负主要领导责任 (主要领导任职)."""

    zh = "主要领导任职"
    en = "Unit head appointed"
    day = "任职决定所定的任职之日"
    writes = (Writes(UNIT_HEAD, key="unit", value=("officer",), slot="seat"),)

    unit: UnitId
    officer: PersonId
    seat: Seat = HEAD

    def decide(self, case: Case) -> None:
        _take_seat(case, UNIT_HEAD, self.unit, self.seat, self.officer)


class UnitHeadRelieved(Event):
    """An officer gives up a head seat (主要领导免职)."""

    zh = "主要领导免职"
    en = "Unit head relieved"
    day = "免职之日:自该日起不再任职"
    ends = (UNIT_HEAD,)

    unit: UnitId
    officer: PersonId
    seat: Seat = HEAD

    def decide(self, case: Case) -> None:
        _relieve(case, UNIT_HEAD, self.unit, self.seat, self.officer)


class ActingHeadAppointed(Event):
    """An officer acts in a head seat, which may be empty or held (代理主要领导、主持工作)."""

    zh = "代理主要领导"
    en = "Acting head appointed"
    day = "开始代理之日"
    writes = (Writes(ACTING_HEAD, key="unit", value=("officer",), slot="seat"),)

    unit: UnitId
    officer: PersonId
    seat: Seat = HEAD

    def decide(self, case: Case) -> None:
        _take_seat(case, ACTING_HEAD, self.unit, self.seat, self.officer)


class ActingHeadRelieved(Event):
    """An officer no longer acts in a head seat (结束代理主要领导)."""

    zh = "结束代理主要领导"
    en = "Acting head relieved"
    day = "结束代理之日:自该日起不再代理"
    ends = (ACTING_HEAD,)

    unit: UnitId
    officer: PersonId
    seat: Seat = HEAD

    def decide(self, case: Case) -> None:
        _relieve(case, ACTING_HEAD, self.unit, self.seat, self.officer)


class DeputyHeadAppointed(Event):
    """An officer becomes a deputy head of a unit: 负重要领导责任 (分管领导任职).

    Without a portfolio a deputy answers for the whole unit.
    """

    zh = "分管领导任职"
    en = "Deputy head appointed"
    day = "任职决定所定的任职之日"
    writes = (Writes(DEPUTY, key="unit", value=("officer",), slot="officer"),)

    unit: UnitId
    officer: PersonId

    def decide(self, case: Case) -> None:
        _become_deputy(case, DEPUTY, self.unit, self.officer)


class DeputyHeadRelieved(Event):
    """An officer is no longer a deputy head of a unit, and the portfolio ends (分管领导免职)."""

    zh = "分管领导免职"
    en = "Deputy head relieved"
    day = "免职之日:自该日起不再任职"
    writes = (Writes(PORTFOLIO, key="unit", slot="officer", none=True),)
    ends = (DEPUTY,)

    unit: UnitId
    officer: PersonId

    def decide(self, case: Case) -> None:
        _relieve(case, DEPUTY, self.unit, self.officer, self.officer)


class ActingDeputyHeadAppointed(Event):
    """An officer acts as a deputy head of a unit (代理分管领导)."""

    zh = "代理分管领导"
    en = "Acting deputy head appointed"
    day = "开始代理之日"
    writes = (Writes(ACTING_DEPUTY, key="unit", value=("officer",), slot="officer"),)

    unit: UnitId
    officer: PersonId

    def decide(self, case: Case) -> None:
        _become_deputy(case, ACTING_DEPUTY, self.unit, self.officer)


class ActingDeputyHeadRelieved(Event):
    """An officer no longer acts as a deputy head, and the portfolio ends (结束代理分管领导)."""

    zh = "结束代理分管领导"
    en = "Acting deputy head relieved"
    day = "结束代理之日:自该日起不再代理"
    writes = DeputyHeadRelieved.writes
    ends = (ACTING_DEPUTY,)

    unit: UnitId
    officer: PersonId

    def decide(self, case: Case) -> None:
        _relieve(case, ACTING_DEPUTY, self.unit, self.officer, self.officer)


class DeputyPortfolioAssigned(Event):
    """What a deputy head answers for: sub-units, posts or persons (分管分工).

    It replaces the portfolio before it. The unit itself among `units` means the whole unit.
    """

    zh = "分管分工"
    en = "Deputy's portfolio assigned"
    day = "分工生效之日"
    writes = (
        Writes(
            PORTFOLIO, key="unit", value=("officer", "units", "posts", "persons"), slot="officer"
        ),
    )

    unit: UnitId
    officer: PersonId
    units: list[UnitId] | None = Field(default=None, min_length=1)
    posts: list[Code] | None = Field(default=None, min_length=1)
    persons: list[PersonId] | None = Field(default=None, min_length=1)

    def decide(self, case: Case) -> None:
        require_unit(case, self.unit)
        held = (case.at(facet, self.unit, slot=self.officer) for facet in (DEPUTY, ACTING_DEPUTY))
        if not any(held):
            case.forbid("该民警当日不是该单位分管领导", "not a deputy of the unit that day",
                        "officer")  # fmt: skip
        if not (self.units or self.posts or self.persons):
            raise MissingField("a portfolio names units, posts or persons", field="units",
                               zh="分管范围须列明单位、岗位或人员")  # fmt: skip
        for unit in self.units or ():
            require_unit(case, unit, "units")
            if not _stands_under(case, unit, self.unit):
                case.forbid(f"{unit} 不是该单位或其下级", f"{unit} is not of the unit", "units")
        for person in self.persons or ():
            require_person(case, person, "persons")


def _stands_under(case: Case, unit: str, above: str) -> bool:
    seen: set[str] = set()
    while unit != above:
        parent = case.value(UNIT_PARENT, unit)
        if parent is None or unit in seen:
            return False
        seen.add(unit)
        unit = parent["parent"]
    return True


class SupervisingOfficerAssigned(Event):
    """An officer of the using unit leads an auxiliary: 带辅责任民警,负直接责任 (带辅民警确定).

    It takes the place of the pairing before it, and renews one that has lapsed.
    """

    zh = "带辅民警确定"
    en = "Supervising officer assigned"
    day = "开始带辅之日"
    writes = (Writes(SUPERVISOR, key="person", value=("officer",)),)

    person: PersonId
    officer: PersonId

    def decide(self, case: Case) -> None:
        require_in_service(case, self.person)
        require_officer(case, self.officer, using_unit(case, self.person))
        refuse_suspended(case, self.officer)
        present = [] if case.value(LEAVE, self.officer) else ["present"]
        rule = rules_for(case, self.person).find("supervising-officer-present")
        case.breach(eligibility(rule, present, field="officer"))


class SupervisingOfficerRelieved(Event):
    """An officer no longer leads an auxiliary, and nobody else does (带辅责任解除)."""

    zh = "带辅责任解除"
    en = "Supervising officer relieved"
    day = "解除带辅责任之日:自该日起不再负责"
    writes = (Writes(SUPERVISOR, key="person", none=True),)
    ends = (SUPERVISOR,)

    person: PersonId
    officer: PersonId

    def decide(self, case: Case) -> None:
        if case.end(SUPERVISOR, self.person).value["officer"] != self.officer:
            _not_held(case)
