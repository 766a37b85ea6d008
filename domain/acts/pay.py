"""Pay 薪酬: special pay, and what a grade, the additions and a scale come to.

Owns special pay and the one function that prices a day. Invariant: nobody is assigned a scale: the
pay level follows from the grade and the scale in force at the using unit's place, from the same
day (层级与薪酬待遇挂钩), so a change of either is a change of pay without an act of its own.

Amounts are whole fen a month. They are not private: pay must be computable from the log alone.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from domain.acts.people import require_in_service, require_person, rules_for
from domain.case import Case
from domain.events import Code, Event, Facet, PersonId, Writes
from domain.law import Rules
from domain.rules import Status, closed_list

SPECIAL_PAY = Facet("special-pay", of="person", zh="特殊工资", en="special pay", many=True)


class PayLevel(NamedTuple):
    """What one day is paid at. `base` is None where no grade is recorded or no scale prices it.

    `scale`, `version`, `status`: the scale that priced the grade and its standing in the pack.
    """

    grade: str | None
    ladder: str | None
    scale: str | None
    version: str | None
    status: Status | None
    base: int | None
    special: int

    @property
    def amount(self) -> int | None:
        """Fen a month, None where it cannot be told."""
        return None if self.base is None else self.base + self.special


def monthly_pay(
    grade: Mapping[str, Any] | None, special: Iterable[Mapping[str, Any]], rules: Rules
) -> PayLevel:
    """The pay level that a grade's content and special pays give under the law of one day."""
    extra = sum(each["amount"] for each in special)
    if grade is None:
        return PayLevel(None, None, None, None, None, None, extra)
    code = grade["grade"]
    ladder = grade.get("ladder")
    if ladder is None:
        local = rules.ladder()
        ladder = local.id if local else None
    scale = rules.scale(ladder) if ladder else None
    if scale is None:
        return PayLevel(code, ladder, None, None, None, None, extra)
    base = scale.amounts.get(code)
    return PayLevel(code, ladder, scale.id, scale.version, scale.status, base, extra)


class SpecialPayApproved(Event):
    """A scarce talent is paid an addition to the grade's pay (特殊工资核定), fen a month."""

    zh = "特殊工资核定"
    en = "Special pay approved"
    day = "特殊工资起算之日"
    writes = (Writes(SPECIAL_PAY, key="person", value=("amount", "ground", "approved_by")),)

    person: PersonId
    amount: Annotated[int, Field(gt=0)]
    ground: Code
    approved_by: Code | None = None

    def decide(self, case: Case) -> None:
        require_in_service(case, self.person)
        rules = rules_for(case, self.person)
        grounds = rules.members("special-pay-grounds")
        rule = rules.find("special-pay-ground-list")
        case.breach(closed_list(rule, grounds, self.ground, field="ground"))


class SpecialPayEnded(Event):
    """A special pay ends before the day it was approved until (特殊工资停发)."""

    zh = "特殊工资停发"
    en = "Special pay ended"
    day = "停发之日"
    ends = (SPECIAL_PAY,)

    person: PersonId

    def decide(self, case: Case) -> None:
        require_person(case, self.person)
        case.end(SPECIAL_PAY, self.person)
