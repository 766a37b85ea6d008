from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.acts.contracts import ContractAmended, ContractSigned
from domain.acts.exit import AuxiliaryResigned
from domain.acts.people import PersonRegistered
from domain.acts.probation import ProbationFailed, ProbationPassed
from domain.acts.recruitment import (
    AuxiliaryHired,
    AuxiliaryRehired,
    HireListFiled,
    RecruitmentCompleted,
)
from domain.acts.units import UnitEstablished, UnitMoved
from domain.bitemporal import FOREVER, AsOf, Fact
from domain.events import Entry, Facet, FactAnnulled, Proposal, encode
from domain.law import Law
from projections.due import DueItem, due, types
from tests.given import Story, act, packaged_law

FILING, WRITTEN, PROBATION = "hire-list-filing", "contract-written", "probation-conclusion"


class Log(Story):
    """A story that keeps its entries."""

    def __init__(self, division: str = "330200") -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.enter(
            act(UnitEstablished(unit="b1", name="局", division=division), "2000-01-01"),
            act(UnitEstablished(unit="b2", name="局", division="320500"), "2000-01-01"),
            act(UnitEstablished(unit="s1", name="所", parent="b1"), "2000-01-01"),
            act(PersonRegistered(person="p1"), "2000-01-01"),
            act(PersonRegistered(person="p2"), "2000-01-01"),
        )

    def enter(self, *proposals: Proposal) -> "Log":
        for proposal in proposals:
            self._take(self._decided(proposal, "attested")[0])
        return self

    def correct(self, proposal: Proposal, root: int) -> "Log":
        position = self.record.head + 1
        data = encode(proposal, self.id_of(position), self.id_of(root), {}, lambda *_: {})
        first, type_ = self.entries[root - 1], type(proposal.event).__name__
        self._take(Entry(position, first.recorded_at, type_, first.tags, data))
        return self

    def _take(self, entry: Entry) -> None:
        self.record.apply(entry)
        self.entries.append(entry)

    def due(
        self, rule: str, on: str, recorded: int = FOREVER - 1, law: Law | None = None
    ) -> list[DueItem]:
        as_of = AsOf(date.fromisoformat(on), recorded)
        law = law or packaged_law()
        relevant = [e for e in self.entries if e.type in types(law)]
        return [item for item in due(relevant, law, as_of, self) if item.rule == rule]

    def strands(self, facets: Sequence[Facet], subjects: Sequence[str]) -> list[Fact]:
        return [f for facet in facets for one in subjects for f in self.record.versions(facet, one)]

    def state(self, rule: str, on: str) -> Any:
        [item] = self.due(rule, on)
        return item.state, item.met_on and item.met_on.isoformat(), item.late


def completed(on: str, plan: str = "r1") -> Proposal:
    return act(RecruitmentCompleted(plan=plan, unit="b1", persons=["p1"]), on)


def filed(on: str, plan: str = "r1") -> Proposal:
    return act(HireListFiled(plan=plan, filed_to="b1", persons=["p1"]), on)


def hired(on: str, cls: type[AuxiliaryHired] = AuxiliaryHired) -> Proposal:
    return act(cls(person="p1", unit="s1", category="field"), on)


def signed(on: str, **fields: Any) -> Proposal:
    terms = {"person": "p1", "number": "c1", "employer": "b1", "last_day": "2029-12-31", **fields}
    return act(ContractSigned(**terms), on)


@pytest.mark.parametrize(
    ("day", "last"),
    [
        ("2021-09-28", "2021-10-11"),
        ("2021-09-30", "2021-10-13"),
        ("2022-01-28", "2022-02-09"),
        ("2023-09-27", "2023-10-10"),
    ],
)
def test_a_hire_list_is_due_five_working_days_after_completion(day, last):
    log = Log().enter(completed(day))
    [item] = log.due(FILING, last)
    assert item.deadline.due.isoformat() == last
    assert (item.subject, item.unit, item.state) == ("plan:r1", "b1", "open")
    assert item.article == "实施意见 三(二)7"
    assert not item.deadline.provisional
    overdue = date.fromisoformat(last) + timedelta(days=1)
    assert log.state(FILING, overdue.isoformat()) == ("overdue", None, 1)


@pytest.mark.parametrize(
    ("on", "state"),
    [
        ("2021-10-09", ("kept", "2021-10-09", 0)),
        ("2021-10-11", ("kept", "2021-10-11", 0)),
        ("2021-10-12", ("late", "2021-10-12", 1)),
        ("2021-10-18", ("late", "2021-10-18", 5)),
    ],
)
def test_a_list_was_filed_in_time_or_late_by_working_days(on, state):
    log = Log().enter(completed("2021-09-28"), filed(on))
    assert log.state(FILING, "2021-12-31") == state


def test_on_a_day_before_the_filing_it_was_still_open():
    log = Log().enter(completed("2021-09-28"), filed("2021-10-11"))
    assert log.state(FILING, "2021-10-11") == ("kept", "2021-10-11", 0)
    assert log.state(FILING, "2021-10-10") == ("open", None, 0)
    assert log.state(FILING, "2021-09-28") == ("open", None, 0)
    assert log.due(FILING, "2021-09-27") == []


def test_the_first_filing_keeps_the_promise_and_another_plans_does_not():
    log = Log().enter(completed("2021-09-28"), filed("2021-10-09"), filed("2021-11-09"))
    assert log.state(FILING, "2021-12-31") == ("kept", "2021-10-09", 0)
    log.enter(completed("2021-09-28", "r2"))
    states = {item.subject: item.state for item in log.due(FILING, "2021-12-31")}
    assert states == {"plan:r1": "kept", "plan:r2": "overdue"}


def test_there_is_no_promise_before_the_rule_or_where_the_law_has_none():
    assert Log().enter(completed("2021-02-05")).due(FILING, "2021-12-31") == []
    assert Log().enter(completed("2021-07-20")).due(FILING, "2021-12-31") == []
    for elsewhere in ("none", "320500"):
        assert Log(elsewhere).enter(completed("2021-09-28")).due(FILING, "2021-12-31") == []


def test_the_law_is_that_of_the_place_of_the_unit_on_that_day():
    log = Log("none")
    log.enter(act(UnitMoved(unit="s1", parent="b2"), "2021-01-01"), hired("2021-09-01"))
    [item] = log.due(WRITTEN, "2021-09-30")
    assert (item.unit, item.article) == ("s1", "劳动合同法 10")
    assert Log("none").enter(hired("2021-09-01")).due(WRITTEN, "2021-09-30") == []
    nowhere = act(UnitEstablished(unit="x1", name="队"), "2000-01-01")
    there = act(AuxiliaryHired(person="p1", unit="x1", category="field"), "2021-09-01")
    assert Log().enter(nowhere, there).due(WRITTEN, "2021-09-30") == []


def test_a_last_day_in_a_year_without_a_calendar_is_provisional():
    [item] = Log().enter(completed("2027-01-04")).due(FILING, "2027-01-05")
    assert item.deadline.provisional
    assert item.deadline.due.isoformat() == "2027-01-11"


def test_the_answer_follows_the_calendar_that_was_published():
    log = Log().enter(completed("2021-09-28"))
    bare = Law(packaged_law()._packs.values(), [])
    [item] = log.due(FILING, "2021-10-01", law=bare)
    assert item.deadline.due.isoformat() == "2021-10-05"
    assert item.deadline.provisional


def test_the_answer_is_as_known_at_a_position():
    log = Log().enter(completed("2021-09-28"), filed("2021-10-09"))
    before = log.entries[-1].position - 1
    [item] = log.due(FILING, "2021-12-31", recorded=before)
    assert item.state == "overdue"
    assert item.start_entry == before


def test_an_annulled_completion_promises_nothing_and_an_annulled_filing_keeps_nothing():
    log = Log().enter(completed("2021-09-28"), filed("2021-10-09"))
    completion, filing = (e.position for e in log.entries[-2:])

    def annulment(root: int) -> Proposal:
        return Proposal(FactAnnulled(), date(2021, 9, 28), annuls=UUID(int=root))

    log.correct(annulment(filing), filing)
    assert log.state(FILING, "2021-10-12") == ("overdue", None, 1)
    log.correct(annulment(completion), completion)
    assert log.due(FILING, "2021-10-12") == []


def test_a_corrected_completion_moves_the_last_day():
    log = Log().enter(completed("2021-09-28"))
    root = log.entries[-1].position
    log.correct(completed("2021-09-30")._replace(supersedes=UUID(int=root)), root)
    [item] = log.due(FILING, "2021-12-31")
    assert item.deadline.due.isoformat() == "2021-10-13"
    assert item.start_entry == root + 1


def test_a_written_contract_is_due_within_a_month_of_the_first_working_day():
    log = Log().enter(hired("2021-09-01"))
    [item] = log.due(WRITTEN, "2021-09-15")
    assert item.deadline.due.isoformat() == "2021-10-08"  # 10-01 is a holiday
    log.enter(signed("2021-09-01", signed_on="2021-10-18"))
    assert log.state(WRITTEN, "2021-12-31") == ("late", "2021-10-18", 10)
    assert log.state(WRITTEN, "2021-10-17") == ("overdue", None, 9)


def test_a_contract_signed_ahead_of_the_first_working_day_is_in_time():
    log = Log().enter(signed("2021-08-25"), hired("2021-09-01"))
    assert log.state(WRITTEN, "2021-12-31") == ("kept", "2021-08-25", 0)


def test_who_left_before_the_last_day_is_owed_no_contract_and_who_left_after_was():
    left = Log().enter(hired("2021-09-01"), act(AuxiliaryResigned(person="p1"), "2021-10-08"))
    assert left.state(WRITTEN, "2021-10-08") == ("lapsed", None, 0)
    assert left.state(WRITTEN, "2021-10-07") == ("open", None, 0)
    late = Log().enter(hired("2021-09-01"), act(AuxiliaryResigned(person="p1"), "2021-10-09"))
    assert late.state(WRITTEN, "2021-12-31")[0] == "overdue"


@pytest.mark.parametrize("day", ["2022-05-01", "2022-08-25", "2022-09-01", "2022-09-05"])
def test_a_rehire_needs_a_contract_of_its_own(day):
    log = Log().enter(
        hired("2021-09-01"),
        signed("2021-09-01"),
        act(AuxiliaryResigned(person="p1"), "2022-05-01"),
        hired("2022-09-01", AuxiliaryRehired),
    )
    first, second = log.due(WRITTEN, "2022-12-31")
    assert (first.state, second.state) == ("kept", "overdue")
    log.enter(
        signed(day, number="c2"),
        act(AuxiliaryResigned(person="p1"), "2022-10-01"),
        hired("2022-11-01", AuxiliaryRehired),
        signed("2022-11-02", number="c3"),
    )
    kept = [item.met_on and item.met_on.isoformat() for item in log.due(WRITTEN, "2022-12-31")]
    assert kept == ["2021-09-01", day, "2022-11-02"]


def test_a_probation_is_concluded_by_its_last_day():
    log = Log().enter(hired("2021-09-01"), signed("2021-09-01", probation_last_day="2021-10-31"))
    [item] = log.due(PROBATION, "2021-09-02")
    assert (item.started_on, item.deadline.due, item.state) == (
        date(2021, 10, 31), date(2021, 10, 31), "open",
    )  # fmt: skip
    assert log.state(PROBATION, "2021-11-02") == ("overdue", None, 2)
    log.enter(act(ProbationPassed(person="p1"), "2021-11-02"))
    assert log.state(PROBATION, "2021-12-31") == ("late", "2021-11-02", 2)


def test_an_amended_contract_still_owes_the_conclusion_and_a_person_gone_does_not():
    agreed = signed("2021-09-01", probation_last_day="2021-10-31")
    terms = {"person": "p1", "number": "c1", "employer": "b1", "last_day": "2027-12-31"}
    amended = act(ContractAmended(changed=["term"], **terms), "2021-09-15")
    log = Log().enter(hired("2021-09-01"), agreed, amended)
    assert log.state(PROBATION, "2021-11-01")[0] == "overdue"
    log.enter(act(AuxiliaryResigned(person="p1"), "2021-10-31"))
    assert log.state(PROBATION, "2021-11-01")[0] == "lapsed"


def test_a_failed_probation_is_concluded_too_and_a_contract_without_one_promises_none():
    agreed = signed("2021-09-01", probation_last_day="2021-10-31")
    log = Log().enter(hired("2021-09-01"), agreed, act(ProbationFailed(person="p1"), "2021-10-20"))
    assert log.state(PROBATION, "2021-12-31") == ("kept", "2021-10-20", 0)
    assert Log().enter(hired("2021-09-01"), signed("2021-09-01")).due(PROBATION, "2022-01-01") == []


def test_what_is_due_comes_in_order_of_its_last_day():
    log = Log().enter(completed("2021-09-30", "r2"), completed("2021-09-28"), hired("2021-09-01"))
    items = due(log.entries, packaged_law(), AsOf(date(2021, 10, 1), FOREVER - 1), log)
    assert [i.subject for i in items] == ["person:p1", "plan:r1", "plan:r2"]
