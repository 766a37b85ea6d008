"""Leaving the service 离职: resigned, retired, died, left for the police or an institution.

Owns leaving. Invariant: from the effective day of a leaving on, the person is not in service, and
every fact about the person that does not outlast service has ended. The last day in service is the
day before. Leaving by the end of a contract or of a placement stands with the contracts.
"""

from collections.abc import Collection
from datetime import date
from typing import Annotated

from domain.acts.people import SERVICE, require_in_service, rules_for
from domain.acts.probation import in_probation
from domain.case import Case
from domain.events import Code, Event, PersonId, Private, Text, Writes
from domain.law import Member, Rules
from domain.rules import closed_list, floor


def check_ground(
    case: Case, law: Rules, ground: str, kinds: Collection[str], field: str = "ground"
) -> Member | None:
    """The ground as the law of the place has it; breached where none of these kinds has it."""
    grounds = law.members("exit-grounds")
    fitting = grounds and {code: m for code, m in grounds.items() if m.kind in kinds}
    case.breach(closed_list(law.find("exit-ground-list"), fitting, ground, field=field))
    return fitting.get(ground) if fitting else None


def notice_days(case: Case, notice_on: date | None) -> int:
    """Days from the written notice to the first day out of service; none given is 0 days."""
    return (case.effective - notice_on).days if notice_on else 0


def left(kind: str, *value: str, **fixed: str) -> tuple[Writes, ...]:
    """What every leaving writes: out of service in this way, from its day on."""
    state = {"state": "left", "kind": kind, **fixed}
    return (Writes(SERVICE, key="person", value=value, fixed=state),)


class AuxiliaryResigned(Event):
    """An auxiliary ends the contract of his or her own will (辞职)."""

    zh = "辞职"
    en = "Auxiliary resigned"
    day = "离职生效之日:自该日起不再在职"
    writes = left("resigned", "ground")
    leaves = "person"

    person: PersonId
    ground: Code = "resignation"
    notice_on: date | None = None

    def decide(self, case: Case) -> None:
        require_in_service(case, self.person)
        law = rules_for(case, self.person)
        ground = check_ground(case, law, self.ground, ("resigned",))
        if ground is not None and ground.notice_days is None:
            return
        case.breach(
            floor(
                law.find("resignation-notice"),
                notice_days(case, self.notice_on),
                case="probation" if in_probation(case, self.person) else None,
                field="notice_on",
            )
        )


class AuxiliaryRetired(Event):
    """An auxiliary retires (退休)."""

    zh = "退休"
    en = "Auxiliary retired"
    day = "退休生效之日:自该日起不再在职"
    writes = left("retired", ground="retirement")
    leaves = "person"

    person: PersonId

    def decide(self, case: Case) -> None:
        require_in_service(case, self.person)


class AuxiliaryDied(Event):
    """An auxiliary dies while in service, on duty or not (死亡)."""

    zh = "在职死亡"
    en = "Auxiliary died in service"
    day = "死亡之日"
    writes = left("died", "on_duty", ground="death")
    leaves = "person"

    person: PersonId
    on_duty: bool
    cause: Annotated[Text | None, Private("health")] = None

    def decide(self, case: Case) -> None:
        require_in_service(case, self.person)


class LeftForPolice(Event):
    """An auxiliary is recruited into the people's police (招录为人民警察)."""

    zh = "招录为人民警察"
    en = "Left for the police"
    day = "离职生效之日:自该日起不再是辅警"
    writes = left("recruited", ground="recruited-to-police")
    leaves = "person"

    person: PersonId

    def decide(self, case: Case) -> None:
        require_in_service(case, self.person)


class LeftForInstitution(Event):
    """An auxiliary is hired by a public institution (招聘为事业单位工作人员)."""

    zh = "招聘为事业单位工作人员"
    en = "Left for a public institution"
    day = "离职生效之日:自该日起不再是辅警"
    writes = left("recruited", ground="recruited-to-institution")
    leaves = "person"

    person: PersonId
    institution: Code | None = None

    def decide(self, case: Case) -> None:
        require_in_service(case, self.person)
