"""Where a row of a roster and the ledger say otherwise of one person.

Owns the comparison field by field. Invariant: each thing that both can say is compared; what the
row says otherwise is a conflict, an act, or listed as not entered, and never unchanged.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

import orjson

from api.columns import Label
from api.intake.checking import Fault, Reason
from api.intake.plan import Plan
from api.intake.rows import Draft
from api.rendering import coded
from domain.acts.contracts import CONTRACT
from domain.acts.openings import ContractOpened, RecordOpened
from domain.acts.people import (
    CATEGORY,
    ID_NUMBER,
    NAME,
    NUMBER,
    PERSON,
    SERVICE,
    PersonDetailsChanged,
    PersonRegistered,
)
from domain.events import Event

Events = Mapping[type[Event], Event]
Held = Mapping[str, Mapping[str, Any]]
"""What the ledger says of a person, by facet."""


class Compared(NamedTuple):
    """A field of a row and where the ledger says the same; `settles`: both cannot be right."""

    event: type[Event]
    field: str
    facet: str
    name: str
    zh: str
    settles: bool
    known_as: str = ""
    unsaid: tuple[str, ...] = ()

    def said(self, events: Events) -> Any:
        value = getattr(events.get(self.event), self.field, None)
        return None if value in self.unsaid else value

    def known(self, held: Held) -> Any:
        value = held.get(self.facet, {}).get(self.known_as or self.field)
        if self.field == "birth_date" and isinstance(value, str):
            return date.fromisoformat(value)
        return None if value in self.unsaid else value

    @property
    def private(self) -> bool:
        return self.field in self.event.private


COMPARED = (
    Compared(PersonRegistered, "name", NAME.name, "name", "姓名", True),
    Compared(PersonRegistered, "id_number", ID_NUMBER.name, "id-number", "身份证号", True),
    Compared(PersonRegistered, "birth_date", PERSON.name, "birth-date", "出生日期", True),
    Compared(PersonRegistered, "sex", PERSON.name, "sex", "性别", True, unsaid=("0", "9")),
    Compared(RecordOpened, "number", NUMBER.name, "number", "编号", True),
    Compared(RecordOpened, "category", CATEGORY.name, "category", "类别", True),
    Compared(RecordOpened, "hired_on", SERVICE.name, "hire-date", "入职时间", True),
    Compared(RecordOpened, "form", SERVICE.name, "form", "用工形式", False),
    Compared(ContractOpened, "last_day", CONTRACT.name, "contract", "合同期限", False),
)
_ENTERED = ("name", "id_number")
"""What is an act where the ledger has none of it."""


class Difference(NamedTuple):
    """What a row says otherwise than the ledger; `known` None: the ledger has nothing of it."""

    compared: Compared
    said: Any
    known: Any

    @property
    def told(self) -> Label:
        """With the values, where they are public."""
        one = self.compared
        if one.private:
            return Label(one.zh, one.name)
        zh, en = (
            f"{_word(one.field, self.known, lang)} → {_word(one.field, self.said, lang)}"
            for lang in ("zh", "en")
        )
        return Label(f"{one.zh} {zh}", f"{one.name} {en}")

    @property
    def reason(self) -> Reason:
        one = self.compared
        rejects = one.settles and self.known is not None
        zh, en = f"{one.zh}与账本不同", f"the {one.name} is another in the ledger"
        if self.known is None:
            zh, en = f"账本未记载{one.zh}", f"the ledger has no {one.name}"
        elif not one.private:
            zh += f"(账本:{_word(one.field, self.known, 'zh')})"
            en += f" ({_word(one.field, self.known, 'en')})"
        if rejects:
            mend = ("核对后逐项登记或更正", "check it, and enter or correct it by itself")
        else:
            mend = ("花名册不足以登记此项,请另行登记或更正", "enter or correct this by itself")
        return Reason(f"{one.name}-differs", zh, en, *mend, rejects=rejects)


def differences(events: Events, held: Held) -> Iterator[Difference]:
    for one in COMPARED:
        said, known = one.said(events), one.known(held)
        if said is not None and said != known and not isinstance(known, Mapping):
            yield Difference(one, said, known)


def details(person: str, found: list[Difference]) -> PersonDetailsChanged | None:
    """The act by which the ledger comes to know of a person what it had nothing of."""
    said = {d.compared.field: d.said for d in found if entered(d)}
    return PersonDetailsChanged(person=person, **said) if said else None


def entered(difference: Difference) -> bool:
    return difference.known is None and difference.compared.field in _ENTERED


def fault_of(plan: Plan, draft: Draft, difference: Difference) -> Fault:
    """At the cell of the row that says otherwise."""
    into = f"{difference.compared.event.__name__}.{difference.compared.field}"
    columns = plan.originals[draft.sheet].columns
    column = next((one for one in columns if into in one.into), None)
    texts = orjson.loads(draft.said.packed) if draft.said else {}
    file, reason = plan.files[draft.sheet], difference.reason
    if column is None:
        return Fault(file, draft.row, None, "", False, reason)
    cell = next((text[column.column] for text in texts.values() if column.column in text), "")
    private = difference.compared.private or column.column not in texts.get("cells", {})
    return Fault(file, draft.row, column.heading, cell, private, reason)


def _word(field: str, value: Any, lang: str) -> str:
    if value is None:
        return "—"
    return str(value) if isinstance(value, date) else coded(field, value, lang)
