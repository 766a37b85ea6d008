"""Rewards 奖励: granted and revoked.

Owns the rewards facet. Invariant: a reward stands from the day it is granted until it is revoked,
whoever it was granted to: leaving does not take it away, and the dead may be given one.
"""

from typing import Annotated

from pydantic import Field

from domain.acts.people import require_person, rules_for
from domain.case import Case
from domain.events import Code, Event, Facet, PersonId, Private, Text, Writes
from domain.rules import closed_list, exclusivity

REWARDS = Facet("rewards", of="person", zh="奖励", en="reward", many=True, stays=True, ref="kind")


class RewardGranted(Event):
    """A person is given a reward or a title (给予奖励).

    The day of the deed is the envelope's `occurred`. `incident` is the number of the case or
    operation, by which one deed is known; `title_year` the year a yearly title is for.
    """

    zh = "给予奖励"
    en = "Reward granted"
    day = "奖励决定作出之日"
    writes = (
        Writes(
            REWARDS, key="person",
            value=("kind", "level", "conferred_by", "decision_number", "title_year", "incident"),
        ),
    )  # fmt: skip

    person: PersonId
    kind: Code
    level: Code | None = None
    conferred_by: Code | None = None
    decision_number: Code | None = None
    title_year: Annotated[int, Field(ge=1949, le=2200)] | None = None
    incident: Code | None = None
    deed: Annotated[Text | None, Private("political")] = None

    def decide(self, case: Case) -> None:
        require_person(case, self.person)
        rules = rules_for(case, self.person)
        listed = rules.find("reward-kind-list")
        case.breach(closed_list(listed, rules.members("reward-kinds"), self.kind, field="kind"))
        if self.incident is not None:
            standing = case.every(REWARDS, self.person)
            same = sum(fact.value.get("incident") == self.incident for fact in standing)
            case.breach(exclusivity(rules.find("reward-one-deed"), same, field="incident"))


class RewardRevoked(Event):
    """A reward is taken back (撤销奖励). It stays on record as one that ended."""

    zh = "撤销奖励"
    en = "Reward revoked"
    day = "撤销决定作出之日"
    ends = (REWARDS,)

    person: PersonId
    decision_number: Code | None = None
    reason: Annotated[Text | None, Private("political")] = None

    def decide(self, case: Case) -> None:
        require_person(case, self.person)
        case.end(REWARDS, self.person)
