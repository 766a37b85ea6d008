"""People 人员: one human being, one opaque id for life, and what every other chapter asks of them.

Owns registration, the auxiliary number, and the facets of service and place (in service, category,
home unit, host unit). Invariant: an auxiliary number is never given to a second person.
"""

import re
from datetime import date
from operator import mul
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from domain.acts.units import rules
from domain.bitemporal import Fact
from domain.case import Case
from domain.events import (
    Code,
    Event,
    Facet,
    Id,
    PersonId,
    Private,
    Subject,
    Text,
    Writes,
)
from domain.law import Rules
from domain.refusals import (
    AlreadyRecorded,
    BadInput,
    MissingField,
    NotInService,
    Taken,
    UnknownSubject,
)

PERSON = Facet("person", of="person", zh="人员", en="person", stays=True, ever=True)
NAME = Facet("name", of="person", zh="姓名", en="name", stays=True)
ID_NUMBER = Facet("id-number", of="person", zh="身份证号", en="ID number", stays=True)
EDUCATION = Facet("education", of="person", zh="学历", en="education", stays=True)
PHONE = Facet("phone", of="person", zh="电话", en="phone", stays=True)
SERVICE = Facet("service", of="person", zh="在职状态", en="service", stays=True, ref="state")
CATEGORY = Facet("category", of="person", zh="辅警类别", en="category", ref="category")
UNIT = Facet("unit", of="person", zh="所属单位", en="home unit", ref="unit")
HOST = Facet("host", of="person", zh="借调单位", en="host unit", ref="unit")
NUMBER = Facet("number", of="person", zh="辅警编号", en="auxiliary number", ref="number")
NUMBER_HOLDER = Facet(
    "number-holder", of="number", zh="编号持有人", en="holder of a number", many=True, stays=True,
    ever=True, ref="person",
)  # fmt: skip

Sex = Literal["0", "1", "2", "9"]
"""GB/T 2261.1: 0 unknown, 1 male, 2 female, 9 not stated."""

Category = Literal["civilian", "field"]
"""文职辅警, 勤务辅警."""
NumberId = Annotated[Id, Subject("number")]

_MOBILE = re.compile(r"(86)?1[3-9][0-9]{9}")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def id_number_fault(number: str) -> str | None:
    """What is wrong with a citizen number under GB 11643-1999, or None.

    Length, digits, the birth date and the ISO 7064 MOD 11-2 check character; the division code is
    not judged (a late registration may carry one newer than the birth year).
    """
    if len(number) != 18 or not (number[:17].isascii() and number[:17].isdigit()):
        return "不是18位"
    try:
        date.fromisoformat(f"{number[6:10]}-{number[10:12]}-{number[12:14]}")
    except ValueError:
        return "出生日期不存在"
    total = sum(map(mul, map(int, number[:17]), _WEIGHTS))
    return None if "10X98765432"[total % 11] == number[17] else "校验码不符"


def require_opaque(id_: str) -> None:
    """Raises BadInput for an id that is an ID or a mobile number: it lies open in every address,
    list and entry about the person, and no destruction reaches it.
    """
    if id_number_fault(id_.upper()) is None or _MOBILE.fullmatch(id_):
        raise BadInput("a person's id is nobody's ID or telephone number", field="person",
                       zh="人员标识不得用身份证号或电话号码")  # fmt: skip


def _id_number(number: str) -> str:
    number = number.upper()
    if (fault := id_number_fault(number)) is not None:
        raise ValueError(f"GB 11643: {fault}")
    return number


Name = Annotated[str, Private("identity"), Field(min_length=1, max_length=100)]
Phone = Annotated[str, Private("identity"), Field(min_length=1, max_length=40)]
IdNumber = Annotated[str, AfterValidator(_id_number), Private("identity", unique="id-number")]


def require_person(case: Case, person: str, field: str = "person") -> Fact:
    """Raises UnknownSubject where nobody is registered under this id."""
    known = case.ever(PERSON, person)
    if not known:
        raise UnknownSubject(f"no person {person}", zh=f"没有人员 {person}", field=field)
    return known[-1]


def in_service(case: Case, person: str, on: date | None = None) -> Fact | None:
    """The service fact where the person serves as an auxiliary on that day."""
    fact = case.at(SERVICE, person, on)
    return fact if fact and fact.value and fact.value["state"] == "in" else None


def require_in_service(case: Case, person: str, field: str = "person") -> Fact:
    """Raises UnknownSubject, NotInService."""
    require_person(case, person, field)
    if (fact := in_service(case, person)) is None:
        raise NotInService(
            f"not in service on {case.effective}", zh=f"{case.effective} 不在职", field=field
        )
    return fact


def using_unit(case: Case, person: str, on: date | None = None) -> str | None:
    """用人单位: the host during a secondment, else the home unit."""
    place = case.value(HOST, person, on) or case.value(UNIT, person, on)
    return place["unit"] if place else None


def rules_for(case: Case, person: str) -> Rules:
    """The law of the person's using unit on the act's day; none where no unit is recorded."""
    unit = using_unit(case, person)
    return rules(case, unit) if unit else case.rules("none")


def require_number_free(case: Case, number: str, person: str) -> None:
    """Raises Taken where the number is or ever was another person's."""
    if any(held.value["person"] != person for held in case.ever(NUMBER_HOLDER, number)):
        raise Taken(
            f"number {number} has been another person's",
            zh=f"编号 {number} 已为他人使用过",
            field="number",
        )


_DETAILS = (
    Writes(NAME, key="person", value=("name",)),
    Writes(ID_NUMBER, key="person", value=("id_number",)),
    Writes(EDUCATION, key="person", value=("education",)),
    Writes(PHONE, key="person", value=("phone",)),
)


class PersonRegistered(Event):
    """A human being is given an id for life (人员登记)."""

    zh = "人员登记"
    en = "Person registered"
    day = "登记之日;姓名等内容自该日起有记载"
    writes = (
        Writes(PERSON, key="person", value=("person", "sex", "birth_date", "ethnic_group")),
        *_DETAILS,
    )

    person: PersonId
    name: Name | None = None
    sex: Sex = "9"
    birth_date: Annotated[date | None, Private("identity")] = None
    id_number: IdNumber | None = None
    ethnic_group: Code | None = None
    education: Code | None = None
    phone: Phone | None = None

    def decide(self, case: Case) -> None:
        if case.proposal.supersedes is None:
            require_opaque(case.said.person)
        if case.stated(PERSON, case.said.person):
            raise AlreadyRecorded("this person is registered already", zh="该人员已登记",
                                  field="person")  # fmt: skip
        if self.id_number and self.birth_date:
            written = self.id_number[6:14]
            if written != self.birth_date.strftime("%Y%m%d"):
                case.forbid("出生日期与身份证号不符", "birth date and ID number disagree",
                            "birth_date")  # fmt: skip


class PersonDetailsChanged(Event):
    """Some of a person's details are other from a day on; the others stay (人员信息变更).

    What was wrong from the first is corrected in the registration instead.
    """

    zh = "人员信息变更"
    en = "Person's details changed"
    day = "变更之日"
    writes = _DETAILS

    person: PersonId
    name: Name | None = None
    id_number: IdNumber | None = None
    education: Code | None = None
    phone: Phone | None = None

    def decide(self, case: Case) -> None:
        require_person(case, self.person)
        if all(value is None for value in (self.name, self.id_number, self.education, self.phone)):
            raise MissingField("nothing is changed", zh="没有变更任何内容", field="name")


class AuxiliaryNumberAssigned(Event):
    """An auxiliary is given a number (辅警编号启用). A number is never re-used."""

    zh = "辅警编号启用"
    en = "Auxiliary number assigned"
    day = "编号启用之日"
    writes = (
        Writes(NUMBER, key="person", value=("number",)),
        Writes(NUMBER_HOLDER, key="number", value=("person",)),
    )

    person: PersonId
    number: NumberId

    def decide(self, case: Case) -> None:
        require_in_service(case, self.person)
        require_number_free(case, self.number, self.person)


class AuxiliaryNumberWithdrawn(Event):
    """A number is taken out of use (辅警编号停用)."""

    zh = "辅警编号停用"
    en = "Auxiliary number withdrawn"
    day = "编号停用之日"
    writes = (Writes(NUMBER, key="person", none=True),)
    ends = (NUMBER,)

    person: PersonId
    reason: Text | None = None

    def decide(self, case: Case) -> None:
        case.end(NUMBER, self.person)
