"""Private data 个人信息: kept for a while, restricted, destroyed.

Owns what may be destroyed and when. Invariant: what is held back by a retention or a legal hold is
not destroyed, and what was destroyed is never entered again under the same person.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from domain.acts.people import require_person
from domain.bitemporal import FOREVER, Fact
from domain.case import Case
from domain.events import Code, Event, Facet, Id, PersonId, Subject, Writes
from domain.record import Record, Strand
from domain.refusals import (
    AlreadyRecorded,
    BadInput,
    DataErased,
    DataRestricted,
    HeldBack,
    ImpossibleDate,
    MissingField,
    UnknownSubject,
)

DESTROYED = Facet("destroyed", of="person", zh="已销毁信息", en="destroyed private data",
                  many=True, stays=True)  # fmt: skip
RESTRICTED = Facet("restricted", of="person", zh="限制处理信息", en="restricted private data",
                   many=True, stays=True)  # fmt: skip
HOLDS = Facet("holds", of="person", zh="留存与保全", en="hold on private data", many=True,
              stays=True)  # fmt: skip
HOLDER = Facet("escrow-holder", of="holder", zh="密钥分管人", en="escrow holder", stays=True,
               ever=True)  # fmt: skip

Class = Literal["complainant", "family", "finance", "health", "identity", "political"]


Classes = Annotated[list[Class], Field(min_length=1, max_length=6)]
HolderId = Annotated[Id, Subject("holder")]
Holders = Annotated[list[HolderId], Field(min_length=2, max_length=9)]


def strands(person: str) -> set[Strand]:
    """What entering private data of a person depends on."""
    return {Strand(facet.name, f"person:{person}") for facet in (DESTROYED, RESTRICTED)}


def require_open(record: Record, person: str, cls: str, field: str) -> None:
    """Raises DataErased, DataRestricted where this class of a person's data takes nothing more."""
    for facet, refusal in ((DESTROYED, DataErased), (RESTRICTED, DataRestricted)):
        if any(
            cls in fact.value["classes"]
            for fact in _standing(record.versions(facet, f"person:{record.forest.kept(person)}"))
            if facet is DESTROYED or fact.ended_by is None
        ):
            raise refusal(field=field)


def _standing(facts: list[Fact]) -> list[Fact]:
    return [fact for fact in facts if fact.known_to == FOREVER and fact.value]


def _done_by_now(case: Case) -> None:
    if case.effective > case.today:
        raise ImpossibleDate("it is done on entering, so not on a later day", field="effective",
                             zh="登记即执行,生效日不得晚于登记之日")  # fmt: skip


def _covered(case: Case, facet: Facet, person: str) -> set[str]:
    facts = case.recorded(facet, person)
    open_ = (f for f in facts if facet is DESTROYED or f.ended_by is None)
    return {cls for fact in open_ if fact.value for cls in fact.value["classes"]}


class RetentionHeld(Event):
    """A person's data are kept until a day, which the envelope's `until` gives (留存期)."""

    zh = "信息留存"
    en = "Private data retained"
    day = "留存期起算之日;止日为届满之次日"
    writes = (
        Writes(HOLDS, key="person", value=("classes", "ground"), fixed={"kind": "retention"}),
    )

    person: PersonId
    classes: Classes
    ground: Code

    def decide(self, case: Case) -> None:
        require_person(case, self.person)
        if case.proposal.until is None:
            raise MissingField("a retention ends on a day", field="until", zh="留存须有止日")


class LegalHoldPlaced(Event):
    """An organ forbids that a person's data be destroyed, until it is lifted (法律保全)."""

    zh = "设置法律保全"
    en = "Legal hold placed"
    day = "保全要求送达之日"
    writes = (
        Writes(HOLDS, key="person", value=("classes", "ground", "organ"), fixed={"kind": "legal"}),
    )

    person: PersonId
    classes: Classes
    ground: Code
    organ: Code | None = None

    def decide(self, case: Case) -> None:
        require_person(case, self.person)


class LegalHoldLifted(Event):
    """A legal hold ends; a retention ends by itself (解除法律保全)."""

    zh = "解除法律保全"
    en = "Legal hold lifted"
    day = "解除通知送达之日"
    ends = (HOLDS,)

    person: PersonId
    ground: Code

    def decide(self, case: Case) -> None:
        require_person(case, self.person)
        if case.end(HOLDS, self.person).value["kind"] != "legal":
            case.forbid("留存期不能解除,只能届满", "a retention is not lifted: it runs out", "ends")


class EscrowHolderNamed(Event):
    """Someone holds a part of every key that is restricted from now on (指定密钥分管人)."""

    zh = "指定密钥分管人"
    en = "Escrow holder named"
    day = "指定之日"
    final = True
    writes = (Writes(HOLDER, key="holder", value=("public_key",)),)

    holder: HolderId
    public_key: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class PrivateDataRestricted(Event):
    """Classes of a person's data are stored and nothing else, until lifted (限制处理).

    PIPL Art. 47: where data may not be destroyed yet, all processing but storage ends. Two of the
    holders together open them again.
    """

    zh = "限制处理个人信息"
    en = "Private data restricted"
    day = "限制之日,不晚于登记之日"
    final = True
    writes = (Writes(RESTRICTED, key="person", value=("classes", "ground", "holders")),)

    person: PersonId
    classes: Classes
    ground: Code
    holders: Holders

    def decide(self, case: Case) -> None:
        require_person(case, self.person)
        _done_by_now(case)
        if case.proposal.until is not None:
            raise ImpossibleDate("a restriction ends by being lifted", field="until",
                                 zh="限制须经解除而终止,不设止日")  # fmt: skip
        if len(set(self.holders)) < len(self.holders):
            raise BadInput("a holder is named once", field="holders", zh="分管人不得重复")
        for holder in self.holders:
            if not case.ever(HOLDER, holder):
                raise UnknownSubject(f"no escrow holder {holder}", field="holders",
                                     zh=f"没有密钥分管人 {holder}")  # fmt: skip
        closed = _covered(case, RESTRICTED, self.person) | _covered(case, DESTROYED, self.person)
        if closed.intersection(self.classes):
            raise AlreadyRecorded(
                "a class of these is restricted or destroyed already", field="classes",
                zh="所列类别中已有被限制或销毁的",
            )  # fmt: skip


class PrivateDataRestrictionLifted(Event):
    """A restriction ends. The keys come back when two holders give their codes (解除限制处理)."""

    zh = "解除限制处理"
    en = "Restriction of private data lifted"
    day = "解除之日,不晚于登记之日"
    final = True
    ends = (RESTRICTED,)

    person: PersonId
    ground: Code

    def decide(self, case: Case) -> None:
        require_person(case, self.person)
        _done_by_now(case)
        case.end(RESTRICTED, self.person)


class PrivateDataDestroyed(Event):
    """The keys of classes of a person's data are destroyed: nobody ever reads them (销毁).

    PIPL Art. 47. `ground` is the article, `approval` the number of the destruction's approval. It
    reaches every id that the person has on entering; ordered again, also those merged since.
    """

    zh = "销毁个人信息"
    en = "Private data destroyed"
    day = "批准销毁之日,不晚于登记之日"
    final = True
    writes = (Writes(DESTROYED, key="person", value=("classes", "ground", "approval")),)

    person: PersonId
    classes: Classes
    ground: Code
    approval: Code

    def decide(self, case: Case) -> None:
        require_person(case, self.person)
        _done_by_now(case)
        if case.proposal.until is not None:
            raise ImpossibleDate("what is destroyed stays so", field="until", zh="销毁没有止日")
        for hold in case.recorded(HOLDS, self.person):
            if hold.until > case.today and not set(self.classes).isdisjoint(hold.value["classes"]):
                raise _held_back(hold, case.today)


def _held_back(hold: Fact, today: date) -> HeldBack:
    legal = hold.value["kind"] == "legal"
    return HeldBack(
        "a legal hold stands" if legal else f"a retention stands on {today}",
        zh="该信息处于法律保全中" if legal else f"{today} 尚在留存期内",
        field="classes", article=hold.value["ground"], position=hold.root,
    )  # fmt: skip
