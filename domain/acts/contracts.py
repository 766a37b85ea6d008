"""Labour contracts 劳动合同: signed, amended, renewed, terminated 解除, expired 终止, and the
dispatched returned 退回.

Owns the contract facet. Invariant: a person has at most one contract on a day; its `until` is the
day after its last day.

The end of a contract is the end of the service: 解除 and 终止 leave it, and the acts that do so end
all that service carries. A contract whose last day passes ends nothing by itself: it is renewed, or
it is entered as expired. Who goes on under another employer signs a new contract, and stays.
"""

from datetime import date, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from domain.acts.dues import Due
from domain.acts.exit import check_ground, left, notice_days
from domain.acts.people import (
    in_service,
    require_in_service,
    require_person,
    rules_for,
    using_unit,
)
from domain.acts.probation import PROBATION, last_probation_day, probation_of
from domain.acts.recruitment import is_agency
from domain.acts.units import require_unit, rules
from domain.bitemporal import OPEN, Fact
from domain.case import Case
from domain.events import Code, Event, Facet, PersonId, UnitId, Writes
from domain.law import Rules
from domain.refusals import AlreadyRecorded, BadInput, ImpossibleDate, MissingField
from domain.rules import ceiling, clock, closed_list, eligibility, exclusivity, floor
from domain.workdays import begun_months, whole_months

CONTRACT = Facet("contract", of="person", zh="劳动合同", en="contract", ref="employer")

Term = Literal["fixed", "open-ended", "task"]
"""劳动合同法 12: 固定期限, 无固定期限, 以完成一定工作任务为期限."""

Clause = Literal[
    "rights-and-duties", "term", "responsibilities", "working-conditions", "pay", "welfare",
    "insurance", "ending", "breach",
]  # fmt: skip
Changed = Literal["term", "post", "place", "pay", "duties", "conditions", "other"]

_DAY = timedelta(days=1)


def check_term(case: Case, term: Term, last_day: date | None) -> None:
    """A fixed term, and no other, has a last day; the act's `until` becomes the day after it.

    Raises MissingField, BadInput, ImpossibleDate.
    """
    if term == "fixed" and last_day is None:
        raise MissingField("a fixed term has a last day", field="last_day",
                           zh="固定期限合同须填终止日期")  # fmt: skip
    if term != "fixed" and last_day is not None:
        raise BadInput("only a fixed term has a last day", field="last_day",
                       zh="仅固定期限合同有终止日期")  # fmt: skip
    set_last_day(case, case.effective, last_day)


def set_last_day(case: Case, first: date, last_day: date | None) -> None:
    """Raises ImpossibleDate, and BadInput where the envelope has another end."""
    if last_day is not None and last_day < first:
        raise ImpossibleDate("the last day is before the first", field="last_day",
                             zh="终止日期早于起始日期")  # fmt: skip
    until = last_day and last_day + _DAY
    if case.until not in (None, until):
        raise BadInput("the end is given by `last_day`", field="until",
                       zh="止日由终止日期确定")  # fmt: skip
    case.until = until


def _law_of(case: Case, person: str, employer: str) -> Rules:
    """The law of the using unit; of the employer where the person has none yet."""
    return rules_for(case, person) if using_unit(case, person) else rules(case, employer)


class ContractSigned(Event):
    """A labour contract is signed, with a probation or without (劳动合同订立).

    The employer is the bureau or, of the dispatched, the agency. A running contract with another
    employer ends with it.
    """

    zh = "劳动合同订立"
    en = "Contract signed"
    day = "合同期限的首日"
    writes = (
        Writes(CONTRACT, key="person", value=("number", "employer", "term")),
        Writes(PROBATION, key="person", value=("probation_last_day", "employer"),
               fixed={"state": "agreed"}),
    )  # fmt: skip
    ends = (CONTRACT,)
    due: ClassVar[Due] = Due(
        after=("AuxiliaryHired", "AuxiliaryRehired"),
        on="person",
        rule="contract-written",
        met="signed_on",
    )

    person: PersonId
    number: Code
    employer: UnitId
    term: Term = "fixed"
    last_day: date | None = None
    probation_last_day: date | None = None
    signed_on: date | None = None
    clauses: list[Clause] | None = None

    def decide(self, case: Case) -> None:
        self._check_record(case)
        running = case.value(CONTRACT, self.person)
        if running is not None and running["employer"] == self.employer:
            raise AlreadyRecorded(
                "a contract with this employer is in force; renew, amend or end it",
                zh="与该用人单位的劳动合同尚在期内,应续订、变更或者解除", field="employer",
            )  # fmt: skip
        law = _law_of(case, self.person, self.employer)
        if all(f.value["employer"] != self.employer for f in case.past(CONTRACT, self.person)):
            agreed = {"probation"} if self.probation_last_day else set()
            rule = law.find("probation-agreed")
            case.breach(eligibility(rule, agreed, field="probation_last_day"))
        self._settle(case, law)

    def _check_record(self, case: Case) -> None:
        require_person(case, self.person)
        require_unit(case, self.employer, "employer")
        check_term(case, self.term, self.last_day)
        last = self.probation_last_day
        if last is not None and not case.effective <= last <= (self.last_day or last):
            raise ImpossibleDate(
                "the probation lies outside the contract", field="probation_last_day",
                zh="试用期不在合同期限之内",
            )  # fmt: skip

    def _settle(self, case: Case, law: Rules) -> None:
        """The law of every contract; then the running one ends."""
        case.breach(eligibility(law.find("contract-clauses"), self.clauses or (), field="clauses"))
        months = whole_months(case.effective, case.until) if case.until else None
        if months is not None and is_agency(case, self.employer):
            case.breach(floor(law.find("dispatch-term"), months, field="last_day"))
        if self.probation_last_day is not None:
            case.breach(
                ceiling(
                    law.find("probation-length"),
                    begun_months(case.effective, self.probation_last_day + _DAY),
                    measure=months,
                    case=self.term,
                    field="probation_last_day",
                )
            )
            agreed = [
                fact
                for fact in case.past(PROBATION, self.person)
                if fact.value["state"] == "agreed" and fact.value["employer"] == self.employer
            ]
            once = law.find("probation-once")
            case.breach(exclusivity(once, len(agreed), field="probation_last_day"))
        if case.value(CONTRACT, self.person) is not None:
            case.end(CONTRACT, self.person)


class ContractRenewed(ContractSigned):
    """A contract is followed by the next with the same employer (劳动合同续订).

    A renewal that begins within the running contract ends that one.
    """

    zh = "劳动合同续订"
    en = "Contract renewed"
    day = "续订合同期限的首日"
    writes = (
        Writes(CONTRACT, key="person", value=("number", "employer", "term", "nth")),
        ContractSigned.writes[1],
    )

    nth: int | None = Field(default=None, ge=2, le=99)
    """第几次签订, where the paper says so."""

    def decide(self, case: Case) -> None:
        self._check_record(case)
        past = case.past(CONTRACT, self.person)
        if past and past[-1].value["employer"] != self.employer:
            case.forbid("上一份合同的用人单位不同,应登记为订立",
                        "the contract before is another employer's: sign", "employer")  # fmt: skip
        law = _law_of(case, self.person, self.employer)
        if self.term == "fixed":
            nth = 1 + _fixed_in_a_row(past, case.effective)
            case.breach(ceiling(law.find("fixed-terms"), nth, field="term"))
            service = in_service(case, self.person)
            served = whole_months(service.effective, case.effective) if service else 0
            case.breach(ceiling(law.find("open-ended-after-service"), served, field="term"))
        self._settle(case, law)


def _fixed_in_a_row(past: list[Fact], day: date) -> int:
    """Fixed terms that follow each other without a gap up to `day`; amendments are no terms."""
    found = 0
    for fact in reversed(past):
        if fact.value.get("term") != "fixed" or fact.until < day:
            break
        found += "amended" not in fact.value
        day = fact.effective
    return found


class ContractAmended(Event):
    """The running contract is amended (劳动合同变更): it reads as stated here from that day on."""

    zh = "劳动合同变更"
    en = "Contract amended"
    day = "变更生效之日"
    writes = (
        Writes(CONTRACT, key="person", value=("number", "employer", "term"),
               fixed={"amended": True}),
    )  # fmt: skip
    ends = (CONTRACT,)

    person: PersonId
    number: Code
    employer: UnitId
    term: Term = "fixed"
    last_day: date | None = None
    changed: Annotated[list[Changed], Field(min_length=1)]

    def decide(self, case: Case) -> None:
        check_term(case, self.term, self.last_day)
        running = case.end(CONTRACT, self.person)
        if running.value["employer"] != self.employer:
            case.forbid("变更不改变用人单位", "an amendment keeps the employer", "employer")


class ContractTerminated(Event):
    """A contract is ended before its time, and with it the service (解除劳动合同).

    By the employer or by agreement; an auxiliary's own resignation is an act of its own.
    """

    zh = "解除劳动合同"
    en = "Contract terminated"
    day = "解除生效之日:自该日起不再在职"
    writes = left("terminated", "ground")
    leaves = "person"

    person: PersonId
    ground: Code
    notice_on: date | None = None
    paid_in_lieu: bool = False
    union_told_on: date | None = None
    protection_checked: bool = False
    """已逐项查明不属于劳动合同法第四十二条情形."""

    def decide(self, case: Case) -> None:
        require_in_service(case, self.person)
        law = rules_for(case, self.person)
        ground = check_ground(case, law, self.ground, ("terminated", "agreed"))
        if ground is None or ground.kind == "agreed":
            return
        union = {"union-told"} if self.union_told_on else set()
        case.breach(eligibility(law.find("union-told"), union, field="union_told_on"))
        if ground.notice_days and not self.paid_in_lieu:
            notice = notice_days(case, self.notice_on)
            rule = law.find("dismissal-notice")
            case.breach(floor(rule, notice, least=ground.notice_days, field="notice_on"))
        protected = law.find("dismissal-protected")
        if protected is not None and "barred_in_protected_states" in ground.effects:
            clear = protected.values["conditions"] if self.protection_checked else ()
            case.breach(eligibility(protected, clear, field="protection_checked"))
        last = last_probation_day(probation_of(case, self.person))
        if self.ground == "probation-unfit" and last is not None:
            in_time = law.find("probation-failure-in-time")
            last_served = case.effective - _DAY
            case.breach(clock(in_time, last, last_served, law.workdays, field="ground"))


class ContractExpired(Event):
    """A contract's term is over and it was not renewed; the service ends with it (终止劳动合同)."""

    zh = "终止劳动合同"
    en = "Contract expired"
    day = "合同终止日的次日:自该日起不再在职"
    writes = left("expired", "ground")
    leaves = "person"

    person: PersonId
    ground: Code = "term-over"

    def decide(self, case: Case) -> None:
        require_in_service(case, self.person)
        running = case.at(CONTRACT, self.person)
        if running is not None and self.ground == "term-over":
            no_known_end = running.until == OPEN and running.value.get("term") in (None, "task")
            if not no_known_end:
                case.forbid(f"{case.effective} 合同尚在期内",
                            f"a contract runs on {case.effective}", "person")  # fmt: skip
        check_ground(case, rules_for(case, self.person), self.ground, ("expired",))


class DispatchedReturned(Event):
    """A dispatched auxiliary is returned to the agency (退回劳务派遣单位).

    The placement with the bureau ends, and with it the service; what becomes of the contract with
    the agency is no longer the bureau's record.
    """

    zh = "退回派遣单位"
    en = "Dispatched auxiliary returned"
    day = "退回生效之日:自该日起不再在职"
    writes = left("returned", "ground")
    leaves = "person"

    person: PersonId
    ground: Code

    def decide(self, case: Case) -> None:
        service = require_in_service(case, self.person)
        if service.value.get("form") == "direct":
            case.forbid("该辅警不是劳务派遣人员", "this auxiliary is not dispatched", "person")
        law = rules_for(case, self.person)
        rule, grounds = law.find("return-ground-list"), law.members("return-grounds")
        case.breach(closed_list(rule, grounds, self.ground, field="ground"))
