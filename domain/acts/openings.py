"""Openings 建账: what an old roster says held on its date, taken over as it stands.

Owns the opening of records. Invariant: an opening decides nothing and is judged by no rule; a day
from which something held stands in it only where the sheet gives that day.
"""

from datetime import date
from typing import Literal

from domain.acts.contracts import CONTRACT, Term, set_last_day
from domain.acts.grades import GRADE
from domain.acts.people import (
    CATEGORY,
    NUMBER,
    NUMBER_HOLDER,
    SERVICE,
    UNIT,
    Category,
    NumberId,
    require_in_service,
    require_number_free,
    require_person,
)
from domain.acts.posts import POST
from domain.acts.recruitment import Form, check_form, require_free, require_using_unit
from domain.acts.units import require_unit
from domain.case import Case
from domain.events import Code, Event, Id, PersonId, UnitId, Writes
from domain.refusals import AlreadyRecorded, ImpossibleDate


def _require_attested(case: Case) -> None:
    if case.mood == "ordered":
        case.forbid("建账只能补登,不能作为决定", "an opening is attested, never ordered", "mood")


class RecordOpened(Event):
    """What a roster says held on its date of an auxiliary in service on it (建账).

    All but the person may be missing: what the sheet does not say stays not recorded. Without its
    `…_since` a value is recorded from the sheet's date; `hired_on` is when the spell began, and
    `opened` marks it as one of which much may stand unrecorded. The contract has an opening of its
    own, as it has an end of its own.
    """

    zh = "建账"
    en = "Record opened"
    day = "原花名册的截止日期"
    writes = (
        Writes(
            SERVICE,
            key="person",
            value=("state", "form", "agency"),
            since="hired_on",
            fixed={"opened": True},
        ),
        Writes(CATEGORY, key="person", value=("category",)),
        Writes(UNIT, key="person", value=("unit",), since="unit_since"),
        Writes(GRADE, key="person", value=("grade", "ladder"), since="grade_since"),
        Writes(POST, key="person", value=("post",), since="post_since"),
        Writes(NUMBER, key="person", value=("number",), since="number_since"),
        Writes(NUMBER_HOLDER, key="number", value=("person",), since="number_since"),
    )

    person: PersonId
    state: Literal["in"] = "in"
    hired_on: date | None = None
    form: Form | None = None
    agency: UnitId | None = None
    category: Category | None = None
    unit: UnitId | None = None
    unit_since: date | None = None
    grade: Code | None = None
    ladder: Id | None = None
    grade_since: date | None = None
    post: Code | None = None
    post_since: date | None = None
    number: NumberId | None = None
    number_since: date | None = None

    def decide(self, case: Case) -> None:
        _require_attested(case)
        require_person(case, self.person)
        require_free(case, self.person)
        self._check_days(case)
        check_form(case, self.form, self.agency)
        if self.unit is not None:
            require_using_unit(case, self.unit)
        if self.number is not None:
            require_number_free(case, self.number, self.person)

    def _check_days(self, case: Case) -> None:
        spells = case.past(SERVICE, self.person)
        left = spells[-1].effective if spells else None
        for name in ("hired_on", "unit_since", "grade_since", "post_since", "number_since"):
            day = getattr(self, name)
            if day is None:
                continue
            if day > case.effective:
                raise ImpossibleDate("later than the sheet itself", field=name,
                                     zh="晚于花名册的截止日期")  # fmt: skip
            if self.hired_on is not None and day < self.hired_on:
                raise ImpossibleDate("earlier than the hire", field=name, zh="早于录用日期")
            if left is not None and day < left:
                case.forbid(f"早于 {left} 的离职", f"earlier than the leaving on {left}", name)


class ContractOpened(Event):
    """What a roster says of the contract in force on its date (劳动合同建账)."""

    zh = "劳动合同建账"
    en = "Contract opened"
    day = RecordOpened.day
    writes = (
        Writes(CONTRACT, key="person", value=("employer", "number", "term", "nth"),
               since="first_day"),
    )  # fmt: skip

    person: PersonId
    employer: UnitId
    number: Code | None = None
    term: Term | None = None
    nth: int | None = None
    first_day: date | None = None
    last_day: date | None = None

    def decide(self, case: Case) -> None:
        _require_attested(case)
        require_in_service(case, self.person)
        require_unit(case, self.employer, "employer")
        if self.first_day is not None and self.first_day > case.effective:
            raise ImpossibleDate("later than the sheet itself", field="first_day",
                                 zh="晚于花名册的截止日期")  # fmt: skip
        set_last_day(case, self.first_day or case.effective, self.last_day)
        if case.value(CONTRACT, self.person) is not None:
            raise AlreadyRecorded("a contract is recorded already", zh="已有劳动合同记载",
                                  field="person")  # fmt: skip
