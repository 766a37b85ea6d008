"""Probation 试用期: agreed with a contract, passed or failed.

Owns the probation facet and its conclusion. Invariant: a probation is concluded once. One that is
concluded after its last day is a finding of the law, not an act of its own kind.
"""

from datetime import date
from typing import ClassVar

from domain.acts.dues import Due
from domain.acts.people import SERVICE, require_in_service, rules_for
from domain.bitemporal import Fact
from domain.case import Case
from domain.events import Event, Facet, PersonId, Writes
from domain.refusals import AlreadyRecorded
from domain.rules import clock, eligibility

PROBATION = Facet("probation", of="person", zh="试用期", en="probation")

CONCLUSION = Due(
    after=("ContractRenewed", "ContractSigned"),
    on="person",
    rule="probation-conclusion",
    start="probation_last_day",
)


def last_probation_day(fact: Fact | None) -> date | None:
    """The last day of a probation that is agreed and not concluded; None where there is none."""
    if fact is None or fact.value is None or fact.value["state"] != "agreed":
        return None
    return date.fromisoformat(fact.value["probation_last_day"])


def probation_of(case: Case, person: str) -> Fact | None:
    """The latest since the person last left: one agreed in a contract that has ended since is
    still to be concluded.
    """
    left = [f.effective for f in case.past(SERVICE, person) if f.value["state"] == "left"]
    since = left[-1] if left else date.min
    known = [f for f in case.past(PROBATION, person) if f.effective >= since]
    return known[-1] if known else None


def in_probation(case: Case, person: str) -> bool:
    last = last_probation_day(probation_of(case, person))
    return last is not None and case.effective <= last


def _conclude(case: Case, person: str) -> date | None:
    """The last day of the probation being concluded; None where none was recorded.

    Raises UnknownSubject, NotInService, AlreadyRecorded.
    """
    require_in_service(case, person)
    probation = probation_of(case, person)
    if probation is not None and probation.value["state"] != "agreed":
        raise AlreadyRecorded("the probation is concluded already", zh="试用期已有考核结论",
                              field="person")  # fmt: skip
    return last_probation_day(probation)


class ProbationPassed(Event):
    """A probation ends well: the auxiliary meets the conditions of hire (试用期合格)."""

    zh = "试用期考核合格"
    en = "Probation passed"
    day = "作出考核结论之日"
    writes = (Writes(PROBATION, key="person", fixed={"state": "passed"}),)
    due: ClassVar[Due] = CONCLUSION

    person: PersonId
    trained_on: date | None = None
    assessed_on: date | None = None

    def decide(self, case: Case) -> None:
        last = _conclude(case, self.person)
        law = rules_for(case, self.person)
        shown = {"training": self.trained_on, "assessment": self.assessed_on}
        met = {condition for condition, day in shown.items() if day and day <= case.effective}
        case.breach(eligibility(law.find("probation-assessed"), met, field="assessed_on"))
        if last is not None:
            case.breach(clock(law.find(CONCLUSION.rule), last, case.effective, law.workdays))


class ProbationFailed(Event):
    """The auxiliary is shown not to meet the conditions of hire (试用期不合格).

    It ends nothing by itself: the contract is terminated by an act that may follow in its batch.
    """

    zh = "试用期考核不合格"
    en = "Probation failed"
    day = "作出考核结论之日"
    writes = (Writes(PROBATION, key="person", fixed={"state": "failed"}),)
    due: ClassVar[Due] = CONCLUSION

    person: PersonId
    reason_told_on: date | None = None

    def decide(self, case: Case) -> None:
        last = _conclude(case, self.person)
        if last is None:
            return
        law = rules_for(case, self.person)
        told = self.reason_told_on or case.effective
        in_time = law.find("probation-failure-in-time")
        case.breach(clock(in_time, last, told, law.workdays, field="reason_told_on"))
        case.breach(clock(law.find(CONCLUSION.rule), last, case.effective, law.workdays))
