"""Moving 调动: transferred to another unit, seconded to a host and back.

Owns changes of the home unit and the secondment. Invariant: home and host are two facets; while a
secondment runs the host is the using unit, and its end brings the home unit back.
"""

from domain.acts.people import HOST, UNIT, require_in_service
from domain.acts.recruitment import check_form_in_law, require_using_unit
from domain.acts.units import rules
from domain.case import Case
from domain.events import Code, Event, PersonId, UnitId, Writes
from domain.refusals import AlreadyRecorded
from domain.rules import eligibility


class AuxiliaryTransferred(Event):
    """An auxiliary comes to another unit for good (调动). The law of both ends is asked."""

    zh = "辅警调动"
    en = "Auxiliary transferred"
    day = "到新单位报到之日"
    writes = (Writes(UNIT, key="person", value=("unit",)),)

    person: PersonId
    unit: UnitId
    approved_by: Code | None = None

    def decide(self, case: Case) -> None:
        service = require_in_service(case, self.person)
        require_using_unit(case, self.unit)
        home = case.value(UNIT, self.person)
        if home is not None and home["unit"] == self.unit:
            raise AlreadyRecorded(
                f"the home unit is {self.unit} already", zh=f"已属单位 {self.unit}", field="unit"
            )
        there = rules(case, self.unit)
        ends = {there.code: there}
        if home is not None:
            here = rules(case, home["unit"])
            ends.setdefault(here.code, here)
        approved = {"approved"} if self.approved_by else set()
        for law in ends.values():
            rule = law.find("transfer-approval")
            case.breach(eligibility(rule, approved, field="approved_by"))
        if form := service.value.get("form"):
            check_form_in_law(case, there, form)


class SecondmentStarted(Event):
    """An auxiliary is lent to a host unit, for a time or until it is ended; home is kept (借调)."""

    zh = "借调开始"
    en = "Secondment started"
    day = "到借调单位报到之日"
    writes = (Writes(HOST, key="person", value=("unit",)),)

    person: PersonId
    unit: UnitId

    def decide(self, case: Case) -> None:
        service = require_in_service(case, self.person)
        require_using_unit(case, self.unit)
        if case.value(HOST, self.person) is not None:
            raise AlreadyRecorded("seconded already; end that first", zh="已在借调中,应先结束",
                                  field="person")  # fmt: skip
        home = case.value(UNIT, self.person)
        if home is not None and home["unit"] == self.unit:
            case.forbid("不能借调到所属单位", "nobody is seconded to the home unit", "unit")
        if form := service.value.get("form"):
            check_form_in_law(case, rules(case, self.unit), form)


class SecondmentEnded(Event):
    """A secondment ends and the auxiliary is back at the home unit (借调结束)."""

    zh = "借调结束"
    en = "Secondment ended"
    day = "回所属单位之日:自该日起不再由借调单位使用"
    writes = (Writes(HOST, key="person", none=True),)
    ends = (HOST,)

    person: PersonId

    def decide(self, case: Case) -> None:
        case.end(HOST, self.person)
