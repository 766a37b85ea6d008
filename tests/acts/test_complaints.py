from datetime import date
from typing import Any

import pytest

from domain.acts.complaints import (
    COMPLAINTS,
    DISCLOSURE,
    HANDLING,
    INVESTIGATION,
    PARTY,
    CaseClosed,
    CaseDisclosed,
    ComplaintAccepted,
    ComplaintReceived,
    ComplaintResultNotTold,
    ComplaintResultTold,
    InvestigationConcluded,
    InvestigationOpened,
)
from domain.acts.dues import declared
from domain.acts.people import PersonRegistered
from domain.case import Case
from domain.events import CASE, REGISTRY, CaseId, Event, Facet, PersonId, Writes
from domain.refusals import (
    AlreadyRecorded,
    BadInput,
    RecordForbids,
    UnknownFact,
    UnknownSubject,
)
from tests.given import Story, act, packaged_law

C1: dict[str, Any] = {"case": "c1", "person": "p1"}


def registered() -> Story:
    return Story().given(
        act(PersonRegistered(person="p1"), "2020-01-01"),
        act(PersonRegistered(person="p2"), "2020-01-01"),
    )


def complained() -> Story:
    received = ComplaintReceived(**C1, channel="hotline", complainant="某某", content="态度粗暴")
    return registered().when(act(received, "2023-03-01"))


def investigated() -> Story:
    return complained().when(act(InvestigationOpened(**C1, organ="督察大队"), "2023-03-05"))


def concluded() -> Story:
    found = InvestigationConcluded(**C1, outcome="partly-upheld", findings="部分属实")
    return investigated().when(act(found, "2023-04-01"))


def test_a_case_goes_from_complaint_to_closure() -> None:
    story = concluded()
    assert story.every(COMPLAINTS, "p1", "2023-03-01") == [{"case": "c1", "channel": "hotline"}]
    assert story.value(INVESTIGATION, "p1", "2023-03-05", "c1")["state"] == "open"
    assert story.value(INVESTIGATION, "p1", "2023-04-01", "c1")["outcome"] == "partly-upheld"
    story.when(act(ComplaintResultTold(**C1, means="书面"), "2023-04-03"))
    assert story.value(HANDLING, "p1", "2023-04-03", "c1")["state"] == "told"
    story.when(act(CaseClosed(case="c1", result="concluded"), "2023-04-10"))
    assert story.value(DISCLOSURE, "c1", "2023-04-09", "c1") is None
    assert story.value(DISCLOSURE, "c1", "2023-04-10", "c1")["state"] == "closed"
    assert story.every(PARTY, "c1", "2023-04-10") == [{"person": "p1"}, {"person": "p1"}]


def test_what_was_complained_of_and_by_whom_is_private_to_the_classes_of_both() -> None:
    assert {f: m.cls for f, m in ComplaintReceived.private.items()} == {
        "complainant": "complainant", "contact": "complainant", "content": "political",
    }  # fmt: skip
    assert all(mark.of == "person" for mark in ComplaintReceived.private.values())


def test_a_case_is_about_registered_persons() -> None:
    for event in (
        ComplaintReceived(case="c1", person="p9"),
        InvestigationOpened(case="c1", person="p9"),
        ComplaintAccepted(case="c1", person="p9"),
        InvestigationConcluded(case="c1", person="p9", outcome="unfounded"),
        ComplaintResultTold(case="c1", person="p9"),
    ):
        registered().refused(act(event), UnknownSubject, "attested", field="person")


def test_nothing_follows_on_a_complaint_that_is_not_recorded_of_that_person() -> None:
    for event in (
        ComplaintAccepted(case="c1", person="p2"),
        InvestigationConcluded(case="c1", person="p2", outcome="upheld"),
        ComplaintResultTold(case="c1", person="p2"),
        ComplaintResultNotTold(case="c1", person="p2", because="anonymous"),
    ):
        concluded().refused(act(event, "2023-05-01"), UnknownFact, "attested", field="case")


def test_an_investigation_is_opened_once_and_concluded_once_for_a_person_of_a_case() -> None:
    again = act(InvestigationOpened(**C1), "2023-03-06")
    investigated().refused(again, AlreadyRecorded, "attested", field="case")
    another = act(InvestigationConcluded(**C1, outcome="unfounded"), "2023-05-01")
    concluded().refused(another, AlreadyRecorded, "attested", field="case")
    other = act(InvestigationOpened(case="c1", person="p2"), "2023-03-06")
    story = investigated().when(other)
    assert story.value(INVESTIGATION, "p2", "2023-03-06", "c1")["state"] == "open"
    assert story.when(act(InvestigationOpened(case="c2", person="p1"), "2023-03-06"))


def test_a_complaint_may_be_concluded_without_an_investigation() -> None:
    answer = act(InvestigationConcluded(**C1, outcome="unfounded"), "2023-03-09")
    story = complained().when(answer)
    assert story.value(INVESTIGATION, "p1", "2023-03-09", "c1")["outcome"] == "unfounded"
    # but an investigation of the organ's own accord answers no complaint
    story = registered().when(act(InvestigationOpened(**C1), "2023-03-05"))
    story.when(act(InvestigationConcluded(**C1, outcome="upheld"), "2023-03-06"))
    told = act(ComplaintResultTold(**C1), "2023-03-07")
    story.refused(told, UnknownFact, "attested", field="case")


def test_a_result_is_told_once_there_is_one() -> None:
    for event in (ComplaintResultTold(**C1), ComplaintResultNotTold(**C1, because="anonymous")):
        early = act(event, "2023-03-20")
        investigated().refused(early, RecordForbids, "attested", field="case")
    story = concluded().when(act(ComplaintResultNotTold(**C1, because="anonymous"), "2023-04-02"))
    assert story.value(HANDLING, "p1", "2023-04-02", "c1")["because"] == "anonymous"


def test_a_case_that_nobody_opened_is_neither_disclosed_nor_closed() -> None:
    for event in (CaseDisclosed(case="c9"), CaseClosed(case="c9", result="withdrawn")):
        complained().refused(act(event, "2023-05-01"), UnknownSubject, "attested", field="case")
        early = type(event)(**{**event.model_dump(), "case": "c1"})
        complained().refused(act(early, "2023-02-01"), UnknownSubject, "attested", field="case")


def test_a_case_is_disclosed_once_and_for_good() -> None:
    story = investigated().when(act(CaseDisclosed(case="c1"), "2023-03-20"))
    again = act(CaseDisclosed(case="c1"), "2023-03-21")
    story.refused(again, AlreadyRecorded, "attested", field="case")
    for event in (CaseDisclosed(case="c1"), CaseClosed(case="c1", result="withdrawn")):
        until = act(event, "2023-03-20", until="2023-06-01")
        investigated().refused(until, BadInput, "attested", field="until")


def test_a_case_is_closed_as_concluded_when_everybody_in_it_is() -> None:
    story = concluded().when(act(InvestigationOpened(case="c1", person="p2"), "2023-04-02"))
    closed = act(CaseClosed(case="c1", result="concluded"), "2023-04-10")
    story.refused(closed, RecordForbids, "attested", field="result")
    story.when(act(CaseClosed(case="c1", result="transferred"), "2023-04-10"))


def test_a_closed_case_takes_nothing_more_but_word_of_its_result() -> None:
    story = concluded().when(act(CaseClosed(case="c1", result="concluded"), "2023-04-10"))
    for event in (
        ComplaintReceived(**C1),
        ComplaintAccepted(**C1),
        InvestigationOpened(case="c1", person="p2"),
        InvestigationConcluded(**C1, outcome="upheld"),
        CaseDisclosed(case="c1"),
        CaseClosed(case="c1", result="withdrawn"),
    ):
        story.refused(act(event, "2023-05-01"), RecordForbids, "attested", field="case")
    assert story.when(act(ComplaintResultTold(**C1), "2023-05-01"))


def test_only_petitions_have_terms() -> None:
    promises = {due.rule: (due.after, keepers) for due, keepers in declared().items()}
    assert promises["petition-acceptance"] == (("ComplaintReceived",), ("ComplaintAccepted",))
    assert promises["petition-decision"] == (("ComplaintAccepted",), ("InvestigationConcluded",))
    assert {due.start for due in declared() if due.rule.startswith("petition")} == {
        "petition_on",
        "taken_up_on",
    }


# what the declaration promises of every act that names a case


def test_whatever_names_a_case_and_nothing_else_is_case_sealed() -> None:
    for name, cls in REGISTRY.items():
        kinds = {kind for _, kind in cls.subjects}
        assert cls.case_sealed == (CASE in kinds), name
        assert all(w.facet.case_sealed == cls.case_sealed for w in cls.writes), name
    assert ComplaintReceived(**C1).tags() == ["case:c1", "person:p1"]


PLAIN = Facet("test-plain", of="person", zh="平", en="plain")
KEPT = Facet("test-kept", of="person", zh="密", en="kept", stays=True, case_sealed=True)


@pytest.mark.parametrize(
    ("fields", "declared"),
    [
        ({"case": CaseId}, {"writes": (Writes(PLAIN, key="person", slot="case"),)}),
        ({"case": CaseId}, {"writes": (Writes(KEPT, key="person"),)}),
        ({"case": CaseId}, {"ends": (PLAIN,)}),
        ({"case": CaseId}, {"leaves": "person"}),
        ({"case": CaseId | None}, {}),
        ({"case": list[CaseId]}, {}),
        ({"case": CaseId, "other": CaseId}, {}),
        ({}, {"writes": (Writes(KEPT, key="person"),)}),
        ({}, {"ends": (KEPT,)}),
    ],
)
def test_a_declaration_that_would_leak_is_refused(
    fields: dict[str, Any], declared: dict[str, Any]
) -> None:
    words = {"zh": "试", "en": "t", "day": "d", "__module__": __name__}
    annotations = {"person": PersonId, **fields}
    with pytest.raises(TypeError):
        type("TestLeaking", (Event,), {**words, "__annotations__": annotations, **declared})
    assert "TestLeaking" not in REGISTRY


def test_a_decision_that_names_no_case_reads_nothing_of_one() -> None:
    record, law = complained().record, packaged_law()
    for facet in (COMPLAINTS, INVESTIGATION, HANDLING):
        proposal = act(PersonRegistered(person="p3"))
        case = Case(proposal, "ordered", record, set(), law, date(2026, 1, 1))
        with pytest.raises(TypeError, match="would tell"):
            case.every(facet, "p1")
