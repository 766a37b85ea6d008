"""Discipline 处理: sanctions imposed and lifted.

Owns the sanctions facet and the term of a sanction. Invariant: a sanction is in force from its
effective day until its term ends or it is lifted, and on record for ever.
"""

from datetime import date
from typing import Annotated

from domain.acts import units
from domain.acts.people import in_service, require_in_service, require_person, using_unit
from domain.case import Case
from domain.events import Code, Event, Facet, PersonId, Private, Text, Writes
from domain.law import Member, Rules
from domain.rules import Breach, Rule, ceiling, closed_list, steps_in_order
from domain.workdays import add_months, begun_months

SANCTIONS = Facet(
    "sanctions", of="person", zh="处理", en="sanction", many=True, stays=True, ref="kind"
)

Conduct = Annotated[Text | None, Private("political")]
"""Free text about a person's conduct; the political department keeps it."""


def sanctioned(case: Case, person: str, effect: str, rules: Rules) -> bool:
    """Whether a sanction in force on the act's day has this effect (`blocks_promotion` …)."""
    kinds = rules.members("sanction-kinds") or {}
    live = (kinds.get(fact.value["kind"]) for fact in case.every(SANCTIONS, person))
    return any(kind is not None and effect in kind.effects for kind in live)


class SanctionImposed(Event):
    """An auxiliary is sanctioned for breach of discipline (作出处理).

    The day of the conduct is the envelope's `occurred`: one who has left since may still be
    sanctioned. The term is the pack's for the kind; `until` in the envelope states another, and
    only a merger with a sanction in force makes it longer (政务处分法 15).
    """

    zh = "作出处理"
    en = "Sanction imposed"
    day = "处理决定生效之日,处理期自该日起算"
    writes = (
        Writes(
            SANCTIONS, key="person",
            value=("kind", "decision_number", "decided_by", "notified_on", "heard_on"),
        ),
    )  # fmt: skip

    person: PersonId
    kind: Code
    decision_number: Code | None = None
    decided_by: Code | None = None
    notified_on: date | None = None
    heard_on: date | None = None
    conduct: Conduct = None

    def decide(self, case: Case) -> None:
        rules = _rules_for_one_who_served(case, self.person)
        kinds = rules.members("sanction-kinds")
        listed = rules.find("sanction-kind-list")
        case.breach(closed_list(listed, kinds, self.kind, field="kind"))
        taken = {"notified": self.notified_on, "heard": self.heard_on, "decided": case.effective}
        steps = {step: day for step, day in taken.items() if day is not None}
        case.breach(steps_in_order(rules.find("sanction-procedure"), steps))
        if kinds and self.kind in kinds:
            self._set_term(case, kinds[self.kind], listed)
        if case.until is not None:
            months = begun_months(case.effective, case.until)
            case.breach(ceiling(rules.find("sanction-total"), months, field="until"))

    def _set_term(self, case: Case, kind: Member, listed: Rule | None) -> None:
        if not kind.months:
            return
        until = add_months(case.effective, kind.months)
        if case.until is None:
            case.until = until
        shorter, longer = case.until < until, case.until > until
        merged = longer and case.every(SANCTIONS, self.person)
        if listed is not None and (shorter or (longer and not merged)):
            zh, en = f"处理期为{kind.months}个月", f"the term is {kind.months} months"
            case.breach(Breach(listed, "until", zh, en))


class SanctionLifted(Event):
    """A sanction ends before its term (提前解除处理). An expired one ends by itself."""

    zh = "提前解除处理"
    en = "Sanction lifted"
    day = "解除决定生效之日"
    ends = (SANCTIONS,)

    person: PersonId
    decision_number: Code | None = None
    reason: Conduct = None

    def decide(self, case: Case) -> None:
        require_person(case, self.person)
        case.end(SANCTIONS, self.person)


def _rules_for_one_who_served(case: Case, person: str) -> Rules:
    """The law of the using unit on the act's day or, after leaving, on the day of the conduct.

    Raises UnknownSubject, NotInService.
    """
    day = None
    if case.occurred is not None and in_service(case, person) is None:
        require_person(case, person)
        day = case.occurred if in_service(case, person, case.occurred) else None
    if day is None:
        require_in_service(case, person)
    unit = using_unit(case, person, day)
    return units.rules(case, unit) if unit else case.rules("none")
