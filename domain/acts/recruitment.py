"""Coming into the service 招聘录用: recruitment completed, its list filed, auxiliaries hired.

Owns the recruitment facets and the start of a spell of service. Invariant: a person is in at most
one spell on a day, and a new spell inherits nothing from an earlier one.

Age and education are not judged here: a relaxation in the published plan lifts both rules, and no
act yet says what a plan relaxes. Old rosters are checked for age when they are imported.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from domain.acts.dues import Due
from domain.acts.officers import OFFICER
from domain.acts.people import (
    CATEGORY,
    SERVICE,
    UNIT,
    Category,
    in_service,
    require_person,
)
from domain.acts.units import UNIT_STATE, require_unit, rules
from domain.case import Case, Unread
from domain.events import Code, Event, Facet, Id, PersonId, Subject, UnitId, Writes
from domain.law import Rules
from domain.record import Strand
from domain.refusals import AlreadyRecorded, BadInput, MissingField, UnknownSubject
from domain.rules import clock, closed_list, eligibility

RECRUITMENT = Facet(
    "recruitment", of="plan", zh="统一招聘", en="unified recruitment", stays=True, ever=True,
    ref="unit",
)  # fmt: skip
HIRE_LIST = Facet("hire-list", of="plan", zh="招聘人员名单备案", en="filed hire list", stays=True)
RECRUITED = Facet(
    "recruited", of="person", zh="招聘结果", en="recruited", many=True, stays=True, ref="plan"
)

PlanId = Annotated[Id, Subject("plan")]
Persons = Annotated[list[PersonId], Field(min_length=1, max_length=500)]
Form = Literal["direct", "dispatched"]
"""用工形式: 劳动合同 with the bureau, or 劳务派遣 through an agency."""

_FORM_IN_LAW: dict[Form, str] = {"direct": "labour-contract", "dispatched": "dispatch"}


def is_agency(case: Case, unit: str) -> bool:
    """Whether the unit is a dispatch agency (劳务派遣单位)."""
    state = case.value(UNIT_STATE, unit)
    return state is not None and state.get("kind") == "agency"


def require_using_unit(case: Case, unit: str, field: str = "unit") -> None:
    """A unit of the bureau that stands on the act's day: never an agency.

    Raises UnknownSubject, RecordForbids.
    """
    require_unit(case, unit, field)
    if is_agency(case, unit):
        case.forbid("派遣单位不是用人单位", "an agency is no using unit", field)


def require_free(case: Case, person: str) -> None:
    """Neither an auxiliary nor an officer that day. Raises AlreadyRecorded, RecordForbids."""
    if in_service(case, person):
        raise AlreadyRecorded(
            f"in service already on {case.effective}", zh=f"{case.effective} 已在职", field="person"
        )
    if case.value(OFFICER, person) is not None:
        case.forbid("该人员是民警", "this person is an officer", "person")


def check_form(case: Case, form: Form | None, agency: str | None) -> None:
    """The dispatched have an agency, nobody else has one. Raises MissingField, BadInput."""
    if form != "dispatched":
        if agency is not None:
            raise BadInput("only the dispatched have an agency", field="agency",
                           zh="仅劳务派遣人员填派遣单位")  # fmt: skip
        return
    if agency is None:
        raise MissingField("a dispatched auxiliary has an agency", field="agency",
                           zh="劳务派遣人员须填派遣单位")  # fmt: skip
    require_unit(case, agency, "agency")
    if not is_agency(case, agency):
        case.forbid(f"{agency} 不是派遣单位", f"{agency} is not an agency", "agency")


def check_form_in_law(case: Case, law: Rules, form: Form) -> None:
    """用工形式 against the closed list of a place."""
    forms, rule = law.members("employment-forms"), law.find("employment-form-list")
    case.breach(closed_list(rule, forms, _FORM_IN_LAW[form], field="form"))


def _require_each(case: Case, persons: list[str]) -> None:
    if len(set(persons)) != len(persons):
        raise BadInput("a person is named twice", field="persons", zh="名单中有人重复")
    unread: set[Strand] = set()
    for person in persons:
        try:
            require_person(case, person, "persons")
        except Unread as missing:
            unread |= missing.strands
    if unread:
        raise Unread(unread)  # one reading for the whole list


class RecruitmentCompleted(Event):
    """A unified recruitment is over, with these persons to be hired (完成招聘工作).

    No source says which day that is (last day of the public notice, approval of the list, signing),
    so it is entered as an act of its own.
    """

    zh = "完成招聘工作"
    en = "Recruitment completed"
    day = "完成招聘工作之日"
    writes = (
        Writes(RECRUITMENT, key="plan", value=("unit", "persons")),
        Writes(RECRUITED, key="persons", value=("plan",)),
    )

    plan: PlanId
    unit: UnitId
    persons: Persons

    def decide(self, case: Case) -> None:
        require_using_unit(case, self.unit)
        if case.ever(RECRUITMENT, self.plan):
            raise AlreadyRecorded(
                f"recruitment {self.plan} is completed already", zh=f"招聘 {self.plan} 已登记完成",
                field="plan",
            )  # fmt: skip
        _require_each(case, self.persons)


class HireListFiled(Event):
    """The list of those recruited is filed with the city bureau (招聘人员名单报备).

    Filing again replaces the list; the term is kept by the first filing.
    """

    zh = "招聘人员名单报备"
    en = "Hire list filed"
    day = "名单报市公安局备案之日"
    writes = (Writes(HIRE_LIST, key="plan", value=("filed_to", "receipt_number", "persons")),)
    due: ClassVar[Due] = Due(after=("RecruitmentCompleted",), on="plan", rule="hire-list-filing")

    plan: PlanId
    filed_to: UnitId
    persons: Persons
    receipt_number: Code | None = None

    def decide(self, case: Case) -> None:
        require_using_unit(case, self.filed_to, "filed_to")
        completed = case.at(RECRUITMENT, self.plan)
        if completed is None:
            raise UnknownSubject(
                f"no recruitment {self.plan} was completed by {case.effective}",
                zh=f"至 {case.effective} 没有完成的招聘 {self.plan}", field="plan",
            )  # fmt: skip
        _require_each(case, self.persons)
        now = rules(case, completed.value["unit"])
        same = {"same-persons"} if set(self.persons) == set(completed.value["persons"]) else set()
        case.breach(eligibility(now.find("hire-list-persons"), same, field="persons"))
        if case.value(HIRE_LIST, self.plan) is None:
            # the term is that of the law on the day the recruitment was completed
            then = case.law.at(now.code, completed.effective)
            filing = then.find(self.due.rule)
            case.breach(clock(filing, completed.effective, case.effective, then.workdays))


class AuxiliaryHired(Event):
    """A person who never served begins to serve as an auxiliary (录用上岗)."""

    zh = "辅警录用"
    en = "Auxiliary hired"
    day = "首个工作日"
    writes = (
        Writes(SERVICE, key="person", value=("form", "agency"), fixed={"state": "in"}),
        Writes(CATEGORY, key="person", value=("category",)),
        Writes(UNIT, key="person", value=("unit",)),
    )

    person: PersonId
    unit: UnitId
    category: Category
    form: Form = "direct"
    agency: UnitId | None = None
    plan: PlanId | None = None

    def decide(self, case: Case) -> None:
        self._check_record(case)
        if case.past(SERVICE, self.person):
            case.forbid("曾经在职的,应登记为重新录用", "an earlier spell is on record: rehire",
                        "person")  # fmt: skip
        self._check_law(case)

    def _check_record(self, case: Case) -> None:
        require_person(case, self.person)
        require_using_unit(case, self.unit)
        check_form(case, self.form, self.agency)
        require_free(case, self.person)

    def _check_law(self, case: Case) -> None:
        law = rules(case, self.unit)
        check_form_in_law(case, law, self.form)
        met = {"unified-recruitment"} if self._recruited(case) else set()
        case.breach(eligibility(law.find("unified-recruitment"), met, field="plan"))
        bar = law.find("hire-disqualification")
        if bar is not None and self._left_for_breach(case, law):
            unproven = {"no-contract-ended-for-breach"}
            clear = set(bar.values["conditions"]) - unproven
            case.breach(eligibility(bar, clear, field="person"))

    def _recruited(self, case: Case) -> bool:
        """Whether a completed recruitment (the plan named, if any) has this person; each serves
        one spell, so those from before the last hire do not count.
        """
        spells = case.past(SERVICE, self.person)
        hires = [fact.effective for fact in spells if fact.value["state"] == "in"]
        return any(
            self.plan in (None, fact.ref) and (not hires or fact.effective > hires[-1])
            for fact in case.every(RECRUITED, self.person)
        )

    def _left_for_breach(self, case: Case, law: Rules) -> bool:
        """因违反辅警管理规定被解除过劳动合同, by what the pack says of the ground."""
        grounds = law.members("exit-grounds") or {}
        left = (grounds.get(fact.value.get("ground")) for fact in case.past(SERVICE, self.person))
        return any(ground is not None and "bars_rehire" in ground.effects for ground in left)


class AuxiliaryRehired(AuxiliaryHired):
    """A person who served before begins a new spell, which inherits nothing (重新录用)."""

    zh = "辅警重新录用"
    en = "Auxiliary rehired"
    day = "重新录用后的首个工作日"

    def decide(self, case: Case) -> None:
        self._check_record(case)
        spells = case.past(SERVICE, self.person)
        if not spells:
            case.forbid("没有既往在职记录,应登记为录用", "no earlier spell is on record: hire",
                        "person")  # fmt: skip
        if spells[-1].value.get("kind") == "died":
            case.forbid("该人员已死亡", "this person has died", "person")
        self._check_law(case)
