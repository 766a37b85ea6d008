"""Complaints and investigations 投诉举报与核查: received, taken up, looked into, concluded, told.

Owns the cases of persons, and when a case is open to others than inspectors. Invariant: every act
here names its case, and is seen as that case is: by inspectors alone until it is disclosed or
closed. Once closed, a case takes nothing more but word of its result.

Whoever a complaint is about is not to be shown it (信访工作条例 30); who complained is private data
of the class `complainant`, under the key of the person complained of.
"""

from datetime import date
from typing import Annotated, ClassVar, Literal

from domain.acts.dues import Due
from domain.acts.people import require_person
from domain.bitemporal import Fact
from domain.case import Case
from domain.events import CaseId, Code, Event, Facet, PersonId, Private, Text, Writes
from domain.refusals import AlreadyRecorded, BadInput, UnknownFact, UnknownSubject

PARTY = Facet(
    "case-party", of="case", zh="案件当事人", en="person of a case", many=True, stays=True,
    ref="person", case_sealed=True,
)  # fmt: skip
DISCLOSURE = Facet(
    "case-disclosure", of="case", zh="案件公开", en="disclosure of a case", stays=True,
    case_sealed=True,
)  # fmt: skip
COMPLAINTS = Facet(
    "complaints", of="person", zh="投诉举报", en="complaint", many=True, stays=True, ref="case",
    case_sealed=True,
)  # fmt: skip
HANDLING = Facet(
    "complaint-handling", of="person", zh="投诉办理", en="handling of a complaint", stays=True,
    ref="case", case_sealed=True,
)  # fmt: skip
INVESTIGATION = Facet(
    "investigation", of="person", zh="核查", en="investigation", stays=True, ref="case",
    case_sealed=True,
)  # fmt: skip

Complainant = Annotated[Text | None, Private("complainant")]
Conduct = Annotated[Text | None, Private("political")]


class ComplaintReceived(Event):
    """Someone complains of a person or reports a breach (接到投诉举报).

    `petition_on` is the day on which it came in as a petition 信访, whose terms run from then; a
    report to a discipline body has none. Without a `complainant` it is anonymous. The day of the
    conduct is the envelope's `occurred`.
    """

    zh = "接到投诉举报"
    en = "Complaint received"
    day = "收到之日"
    writes = (
        Writes(COMPLAINTS, key="person", value=("case", "channel", "petition_on"), slot="case"),
        Writes(PARTY, key="case", value=("person",), slot="case"),
    )

    case: CaseId
    person: PersonId
    channel: Code | None = None
    petition_on: date | None = None
    complainant: Complainant = None
    contact: Complainant = None
    content: Conduct = None

    def decide(self, case: Case) -> None:
        require_person(case, self.person)
        _require_not_closed(case, self.case)


class ComplaintAccepted(Event):
    """The complainant is told whether the complaint is taken up, or who has it now (受理告知).

    `taken_up_on` is the day on which a petition was taken up, from which the time to decide runs.
    """

    zh = "投诉受理告知"
    en = "Complaint accepted"
    day = "告知之日"
    writes = (
        Writes(HANDLING, key="person", value=("case", "organ", "state"), slot="case"),
    )  # fmt: skip
    due: ClassVar[Due] = Due(
        after=("ComplaintReceived",), on="case", rule="petition-acceptance", start="petition_on"
    )

    case: CaseId
    person: PersonId
    state: Literal["accepted", "rejected", "transferred"] = "accepted"
    organ: Code | None = None
    taken_up_on: date | None = None

    def decide(self, case: Case) -> None:
        _require_not_closed(case, self.case)
        _require_complaint(case, self.person, self.case)


class InvestigationOpened(Event):
    """What a person did is looked into (立案核查), upon a complaint or without one."""

    zh = "立案核查"
    en = "Investigation opened"
    day = "立案之日"
    writes = (
        Writes(
            INVESTIGATION, key="person", value=("case", "organ"), slot="case",
            fixed={"state": "open"},
        ),
        Writes(PARTY, key="case", value=("person",), slot="case"),
    )  # fmt: skip

    case: CaseId
    person: PersonId
    organ: Code | None = None
    grounds: Conduct = None

    def decide(self, case: Case) -> None:
        require_person(case, self.person)
        _require_not_closed(case, self.case)
        if case.at(INVESTIGATION, self.person, slot=self.case) is not None:
            raise AlreadyRecorded("this person is investigated in this case", field="case",
                                  zh="该人员在本案中已立案核查")  # fmt: skip


class InvestigationConcluded(Event):
    """What was found of a person in a case, investigated or only complained of (核查结论)."""

    zh = "核查结论"
    en = "Investigation concluded"
    day = "作出结论之日"
    writes = (
        Writes(
            INVESTIGATION, key="person", value=("case", "outcome", "organ"), slot="case",
            fixed={"state": "concluded"},
        ),
    )  # fmt: skip
    due: ClassVar[Due] = Due(
        after=("ComplaintAccepted",), on="case", rule="petition-decision", start="taken_up_on"
    )

    case: CaseId
    person: PersonId
    outcome: Literal["upheld", "partly-upheld", "unfounded"]
    organ: Code | None = None
    findings: Conduct = None

    def decide(self, case: Case) -> None:
        _require_not_closed(case, self.case)
        held = case.at(INVESTIGATION, self.person, slot=self.case)
        if held is None:
            _require_complaint(case, self.person, self.case)
        elif held.value["state"] == "concluded":
            raise AlreadyRecorded("concluded already; correct the conclusion", field="case",
                                  zh="已有结论,应更正原结论")  # fmt: skip


class ComplaintResultTold(Event):
    """The complainant is told what came of it (结果告知), as whoever took it up must."""

    zh = "结果告知"
    en = "Complaint result told"
    day = "告知之日"
    writes = (
        Writes(
            HANDLING, key="person", value=("case", "means"), slot="case", fixed={"state": "told"}
        ),
    )

    case: CaseId
    person: PersonId
    means: Code | None = None

    def decide(self, case: Case) -> None:
        _require_conclusion(case, self.person, self.case)


class ComplaintResultNotTold(Event):
    """Nobody can be told what came of it (无法告知)."""

    zh = "无法告知结果"
    en = "Complaint result not told"
    day = "确认无法告知之日"
    writes = (
        Writes(
            HANDLING, key="person", value=("case", "because"), slot="case",
            fixed={"state": "not-told"},
        ),
    )  # fmt: skip

    case: CaseId
    person: PersonId
    because: Literal["anonymous", "unreachable"]

    def decide(self, case: Case) -> None:
        _require_conclusion(case, self.person, self.case)


class CaseDisclosed(Event):
    """The case is made known to whom it is about (案件公开): from this day on its acts are seen as
    others are, those entered before and after.
    """

    zh = "案件公开"
    en = "Case disclosed"
    day = "向当事人公开之日:自该日起不再保密"
    writes = (Writes(DISCLOSURE, key="case", slot="case", fixed={"state": "disclosed"}),)

    case: CaseId

    def decide(self, case: Case) -> None:
        _require_case(case, self.case)
        _require_lasting(case)
        _require_not_closed(case, self.case)
        if case.at(DISCLOSURE, self.case, slot=self.case) is not None:
            raise AlreadyRecorded("this case is disclosed", zh="本案已公开", field="case")


class CaseClosed(Event):
    """A case is at its end (结案), and seen as other acts are from this day on."""

    zh = "结案"
    en = "Case closed"
    day = "结案之日:自该日起不再保密"
    writes = (
        Writes(DISCLOSURE, key="case", value=("result",), slot="case", fixed={"state": "closed"}),
    )

    case: CaseId
    result: Literal["concluded", "withdrawn", "transferred"]

    def decide(self, case: Case) -> None:
        parties = _require_case(case, self.case)
        _require_lasting(case)
        _require_not_closed(case, self.case)
        for party in parties if self.result == "concluded" else ():
            if _conclusion(case, party.value["person"], self.case) is None:
                case.forbid("尚有当事人未作结论", "somebody of this case has no conclusion yet",
                            "result")  # fmt: skip


def no_such_case(name: str, on: date) -> UnknownSubject:
    return UnknownSubject(f"no case {name} on {on}", zh=f"{on} 没有案件 {name}", field="case")


def _require_case(case: Case, name: str) -> list[Fact]:
    """Whom a case is about by the act's day. Raises UnknownSubject."""
    parties = case.past(PARTY, name)
    if not parties:
        raise no_such_case(name, case.effective)
    return parties


def _require_not_closed(case: Case, name: str) -> None:
    if any(fact.value["state"] == "closed" for fact in case.past(DISCLOSURE, name)):
        case.forbid("本案已结案", "this case is closed", "case")


def _require_lasting(case: Case) -> None:
    if case.until is not None:
        raise BadInput("what was made known is not sealed again on a day; it is annulled",
                       field="until", zh="公开没有止日,误登的应撤销")  # fmt: skip


def _require_complaint(case: Case, person: str, name: str) -> None:
    """Raises UnknownSubject, UnknownFact."""
    require_person(case, person)
    if not any(fact.slot == name for fact in case.past(COMPLAINTS, person)):
        raise UnknownFact("nothing of this case is recorded of this person", field="case",
                          zh="该人员没有本案的登记")  # fmt: skip


def _conclusion(case: Case, person: str, name: str) -> Fact | None:
    held = case.at(INVESTIGATION, person, slot=name)
    return held if held is not None and held.value["state"] == "concluded" else None


def _require_conclusion(case: Case, person: str, name: str) -> None:
    """Raises UnknownSubject, UnknownFact; RecordForbids where nothing is concluded yet."""
    _require_complaint(case, person, name)
    if _conclusion(case, person, name) is None:
        case.forbid("尚未作出结论", "nothing is concluded yet", "case")
