"""Officers 民警: persons in the role of a police officer, and whether they are at their post.

Owns the facets of an officer's office, suspension and leave. Invariant: nobody is an officer and an
auxiliary in service on the same day.
"""

from typing import Literal

from domain.acts.people import in_service, require_person
from domain.acts.units import require_unit
from domain.bitemporal import Fact
from domain.case import Case
from domain.events import Code, Event, Facet, PersonId, UnitId, Writes
from domain.refusals import AlreadyRecorded, RecordForbids

OFFICER = Facet("officer", of="person", zh="民警任职", en="officer's unit", stays=True, ref="unit")
SUSPENSION = Facet("officer-suspension", of="person", zh="停职", en="suspension")
LEAVE = Facet("officer-leave", of="person", zh="民警离岗", en="officer's leave")


def require_officer(
    case: Case, person: str, unit: str | None = None, field: str = "officer"
) -> Fact:
    """The fact of an officer's role on the act's day, in that unit where one is given.

    Raises UnknownSubject, and RecordForbids where the person is no officer or is another unit's.
    """
    require_person(case, person, field)
    fact = case.at(OFFICER, person)
    if fact is None or fact.value is None:
        raise RecordForbids(
            f"not an officer on {case.effective}", zh=f"{case.effective} 不是民警", field=field
        )
    if unit is not None and fact.value["unit"] != unit:
        raise RecordForbids(
            f"not an officer of unit {unit} on {case.effective}",
            zh=f"{case.effective} 不是单位 {unit} 的民警", field=field,
        )  # fmt: skip
    return fact


def refuse_suspended(case: Case, person: str, field: str = "officer") -> None:
    """A suspended officer is given no charge by order; that it happened may be attested."""
    if case.mood == "ordered" and case.value(SUSPENSION, person) is not None:
        case.forbid("该民警停职期间", "this officer is suspended", field)


class OfficerAppointed(Event):
    """A person is an officer of a unit from this day on, as a recruit or from elsewhere (民警任职).

    A later appointment to another unit, or under another title, takes the place of this one.
    """

    zh = "民警任职"
    en = "Officer appointed"
    day = "到任之日"
    writes = (Writes(OFFICER, key="person", value=("unit", "title", "police_number")),)

    person: PersonId
    unit: UnitId
    title: Code | None = None
    police_number: Code | None = None

    def decide(self, case: Case) -> None:
        require_person(case, self.person)
        require_unit(case, self.unit)
        if in_service(case, self.person):
            case.forbid("在职辅警不能同时是民警",
                        "an auxiliary in service is not an officer", "person")  # fmt: skip
        stands = case.value(OFFICER, self.person)
        if stands == self.model_dump(exclude={"person"}, exclude_none=True):
            raise AlreadyRecorded("the officer is recorded so already", zh="已有相同的任职登记",
                                  field="person")  # fmt: skip


class OfficerSuspended(Event):
    """An officer is suspended from duty (停止执行职务), until a day or until reinstated."""

    zh = "民警停职"
    en = "Officer suspended"
    day = "停止执行职务之日"
    writes = (Writes(SUSPENSION, key="person", fixed={"state": "suspended"}),)

    person: PersonId

    def decide(self, case: Case) -> None:
        require_officer(case, self.person, field="person")


class OfficerReinstated(Event):
    """A suspended officer is back on duty (恢复执行职务)."""

    zh = "民警复职"
    en = "Officer reinstated"
    day = "恢复执行职务之日"
    writes = (Writes(SUSPENSION, key="person", none=True),)
    ends = (SUSPENSION,)

    person: PersonId

    def decide(self, case: Case) -> None:
        case.end(SUSPENSION, self.person)


class OfficerOnLeave(Event):
    """An officer is away from the post: leave, study, secondment elsewhere (离岗)."""

    zh = "民警离岗"
    en = "Officer on leave"
    day = "离岗的第一日"
    writes = (Writes(LEAVE, key="person", fixed={"state": "on-leave"}),)

    person: PersonId

    def decide(self, case: Case) -> None:
        require_officer(case, self.person, field="person")


class OfficerReturned(Event):
    """An officer is back from leave (返岗)."""

    zh = "民警返岗"
    en = "Officer returned"
    day = "返岗之日"
    writes = (Writes(LEAVE, key="person", none=True),)
    ends = (LEAVE,)

    person: PersonId

    def decide(self, case: Case) -> None:
        case.end(LEAVE, self.person)


class OfficerLeft(Event):
    """A person is no longer an officer of this bureau: retired, left or died (退休、调离、死亡)."""

    zh = "民警离任"
    en = "Officer left"
    day = "离任之日:自该日起不再是民警"
    writes = (Writes(OFFICER, key="person", none=True),)
    ends = (OFFICER,)
    leaves = "person"

    person: PersonId
    kind: Literal["retired", "left", "died"]

    def decide(self, case: Case) -> None:
        require_officer(case, self.person, field="person")
        case.end(OFFICER, self.person)
