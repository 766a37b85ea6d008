"""Injury 工伤: reported, recognition applied for, recognised or not, disability graded.

Owns the injuries of a person and what was decided on each; the facts of one injury share its id as
their slot. Invariant: nothing is decided on an injury that this person's record does not hold.
Sources: 工伤保险条例 14-17, 20-26.
"""

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from domain.acts import units
from domain.acts.dues import Due
from domain.acts.people import require_in_service, require_person, using_unit
from domain.bitemporal import Fact
from domain.case import Case
from domain.events import Code, Event, Facet, Id, PersonId, Private, Subject, Text, Writes
from domain.law import Rules
from domain.refusals import AlreadyRecorded, UnknownFact
from domain.rules import clock, closed_list, steps_in_order

INJURIES = Facet(
    "injuries", of="person", zh="伤情", en="injury", many=True, stays=True, ever=True,
    ref="injury",
)  # fmt: skip
RECOGNITION = Facet(
    "injury-recognition", of="person", zh="工伤认定", en="injury recognition", stays=True,
    ref="injury",
)  # fmt: skip
DISABILITY = Facet(
    "disability", of="person", zh="伤残等级", en="disability grade", stays=True, ref="injury"
)

InjuryId = Annotated[Id, Subject("injury")]
Health = Annotated[Text | None, Private("health")]


class InjuryReported(Event):
    """An auxiliary was hurt at work or has an occupational disease (伤情报告).

    A disease may be diagnosed after the auxiliary has left. `place` and `cause` are health data.
    """

    zh = "伤情报告"
    en = "Injury reported"
    day = "事故伤害发生之日,职业病为诊断之日"
    writes = (Writes(INJURIES, key="person", value=("injury", "kind"), slot="injury"),)

    person: PersonId
    injury: InjuryId
    kind: Literal["accident", "disease"] = "accident"
    place: Health = None
    cause: Health = None

    def decide(self, case: Case) -> None:
        if self.kind == "accident":
            require_in_service(case, self.person)
        require_person(case, self.person)
        if any(fact.slot == self.injury for fact in case.ever(INJURIES, self.person)):
            raise AlreadyRecorded("this injury is recorded already", zh="该伤情已登记",
                                  field="injury")  # fmt: skip


class InjuryRecognitionApplied(Event):
    """Recognition as a work injury is applied for (申请工伤认定): pending until it is decided.

    The employer has one term, the worker, kin or union a longer one (工伤保险条例 17).
    """

    zh = "申请工伤认定"
    en = "Injury recognition applied for"
    day = "提出申请之日"
    writes = (
        Writes(
            RECOGNITION, key="person", value=("injury", "by"), slot="injury",
            fixed={"outcome": "pending"},
        ),
    )  # fmt: skip
    due: ClassVar[Due] = Due(after=("InjuryReported",), on="injury", rule="injury-report")

    person: PersonId
    injury: InjuryId
    by: Literal["employer", "worker", "kin", "union"] = "employer"

    def decide(self, case: Case) -> None:
        injury = _require_injury(case, self.person, self.injury)
        rules = _rules_of_the_day(case, self.person, injury)
        rule = "injury-report" if self.by == "employer" else "injury-report-by-worker"
        case.breach(clock(rules.find(rule), injury.effective, case.effective, rules.workdays))


class InjuryRecognised(Event):
    """It is decided whether an injury is a work injury (工伤认定): it is, it is deemed one, or not.

    A later decision on the same injury replaces the earlier one. `accepted_on` is the day on which
    the application was accepted (受理), from which the deciding organ's term runs.
    """

    zh = "工伤认定"
    en = "Injury recognised"
    day = "认定决定作出之日"
    writes = (
        Writes(
            RECOGNITION, key="person", value=("injury", "outcome", "decision_number"),
            slot="injury",
        ),
    )  # fmt: skip

    person: PersonId
    injury: InjuryId
    outcome: Literal["recognised", "deemed", "refused"]
    decision_number: Code | None = None
    accepted_on: date | None = None

    def decide(self, case: Case) -> None:
        injury = _require_injury(case, self.person, self.injury)
        if self.accepted_on is not None:
            rules = _rules_of_the_day(case, self.person, injury)
            rule = rules.find("injury-recognition")
            done = case.effective
            late = clock(rule, self.accepted_on, done, rules.workdays, field="accepted_on")
            case.breach(late)


class DisabilityGraded(Event):
    """The lasting harm of a work injury is graded (劳动能力鉴定).

    Disability grade 伤残等级: 1 is the worst. Care level 生活自理障碍等级: 0 is none, 3 the worst.

    A later grading of the same injury replaces the earlier one. `applied_on` is the day on which
    the committee received the application, from which its term runs.
    """

    zh = "劳动能力鉴定"
    en = "Disability graded"
    day = "鉴定结论作出之日"
    writes = (
        Writes(
            DISABILITY, key="person", value=("disability_grade", "care_level", "injury"),
            slot="injury",
        ),
    )  # fmt: skip

    person: PersonId
    injury: InjuryId
    disability_grade: Annotated[int, Field(ge=1)]
    care_level: Annotated[int, Field(ge=0, le=3)] = 0
    decision_number: Code | None = None
    applied_on: date | None = None

    def decide(self, case: Case) -> None:
        injury = _require_injury(case, self.person, self.injury)
        rules = _rules_of_the_day(case, self.person, injury)
        listed, grades = rules.find("disability-grade-list"), rules.members("disability-grades")
        grade = str(self.disability_grade)
        case.breach(closed_list(listed, grades, grade, field="disability_grade"))
        taken = {"reported": injury.effective, "graded": case.effective}
        decided = case.at(RECOGNITION, self.person, slot=self.injury)
        if decided is not None and decided.value["outcome"] in {"recognised", "deemed"}:
            taken["recognised"] = decided.effective
        case.breach(steps_in_order(rules.find("injury-steps"), taken, field="injury"))
        if self.applied_on is not None:
            rule = rules.find("injury-appraisal")
            done = case.effective
            case.breach(clock(rule, self.applied_on, done, rules.workdays, field="applied_on"))


def _require_injury(case: Case, person: str, injury: str) -> Fact:
    """Raises UnknownSubject, UnknownFact."""
    require_person(case, person)
    for fact in case.past(INJURIES, person):
        if fact.slot == injury:
            return fact
    raise UnknownFact(
        f"no injury {injury} on this record", zh=f"该人员没有伤情 {injury} 的登记", field="injury"
    )


def _rules_of_the_day(case: Case, person: str, injury: Fact) -> Rules:
    """The law of the unit that used the person when it happened (工伤保险条例 43)."""
    unit = using_unit(case, person, injury.effective)
    return units.rules(case, unit) if unit else case.rules("none")
