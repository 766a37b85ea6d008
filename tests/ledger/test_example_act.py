"""A new act is one class: everything else derives from its declaration."""

from datetime import date
from typing import Annotated
from uuid import UUID

import pytest
from pydantic import Field

from api.entries import request_of, type_dict
from domain.acts.people import PersonRegistered, require_person
from domain.bitemporal import FOREVER, AsOf
from domain.events import (
    REGISTRY,
    Code,
    Event,
    Facet,
    FactAnnulled,
    PersonId,
    Private,
    Subject,
    Text,
    UnitId,
    Writes,
)
from domain.ledger import Request
from domain.record import Record
from domain.refusals import AlreadyRecorded, UnknownFact, UnknownSubject
from replay.compare import person as compared
from replay.rebuild import rebuild
from replay.verify import verify
from tests.given import act

LENT = Facet("test-lent", of="person", zh="领用装备", en="equipment lent", ref="item")
ITEM_HOLDER = Facet("test-item-holder", of="item", zh="装备使用人", en="holder", stays=True,
                    ref="person")  # fmt: skip


@pytest.fixture
def chapter(declaring):
    """The whole of what a chapter would say of two new acts."""

    class EquipmentLent(Event):
        """An item of equipment is handed to a person (装备领用)."""

        zh = "装备领用"
        en = "Equipment lent"
        day = "领用之日"
        writes = (
            Writes(LENT, key="person", value=("item", "size"), slot="item"),
            Writes(ITEM_HOLDER, key="item", value=("person",)),
        )

        person: PersonId
        item: Annotated[Code, Subject("item")]
        size: Annotated[int, Field(ge=1, le=9)] | None = None
        unit: UnitId | None = None
        remark: Annotated[Text | None, Private("health")] = None

        def decide(self, case):
            require_person(case, self.person)
            if case.value(ITEM_HOLDER, self.item) is not None:
                raise AlreadyRecorded("somebody has this item", zh="该装备已领用", field="item")

    class EquipmentReturned(Event):
        """It is handed back (装备交回)."""

        zh = "装备交回"
        en = "Equipment returned"
        day = "交回之日"
        ends = (LENT, ITEM_HOLDER)

        person: PersonId
        item: Annotated[Code, Subject("item")]

        def decide(self, case):
            case.end(LENT, self.person, slot=self.item)

    return EquipmentLent, EquipmentReturned


@pytest.fixture
def lent(bureau, chapter):
    """Registered at 1 and 2; baton lent to p1 from March, returned in May, lent to p2 in June."""
    lend, hand_back = chapter
    for proposal in (
        act(PersonRegistered(person="p1")),
        act(PersonRegistered(person="p2")),
        act(lend(person="p1", item="baton", size=4, remark="left-handed"), "2022-03-01"),
        act(hand_back(person="p1", item="baton"), "2022-05-01"),
        act(lend(person="p2", item="baton", unit="u7"), "2022-06-01"),
    ):
        bureau.ledger.enter(Request([proposal]))
    list(bureau.runner.catch_up())
    return bureau


def held_by(bureau, day, recorded=5):
    as_of = AsOf(date.fromisoformat(day), recorded)
    facts = bureau.records.at([ITEM_HOLDER], ["item:baton"], as_of)
    holding = bureau.records.holding(LENT, ["baton"], as_of)
    assert [f.ref for f in facts] == [f.subject.removeprefix("person:") for f in holding]
    return [f.ref for f in facts]


def test_it_is_stored_tagged_sealed_and_read_back(lent, chapter):
    entry = next(lent.ledger.entries(types=["EquipmentLent"]))
    assert entry.tags == ["item:baton", "person:p1"]
    assert b"left-handed" not in entry.data
    assert lent.ledger.vault.reveal(entry.fields) == {
        "person": "p1", "item": "baton", "size": 4, "remark": "left-handed",
    }  # fmt: skip
    later = list(lent.ledger.entries(types=["EquipmentLent"]))[1]
    assert later.tags == ["item:baton", "person:p2", "unit:u7"]


def test_it_is_decided_and_refused_by_its_own_rule(lent, chapter):
    lend, hand_back = chapter
    for refusal, proposal in (
        (AlreadyRecorded, act(lend(person="p1", item="baton"), "2022-07-01")),
        (UnknownSubject, act(lend(person="p9", item="shield"), "2022-07-01")),
        (UnknownFact, act(hand_back(person="p1", item="baton"), "2022-07-01")),
    ):
        with pytest.raises(refusal):
            lent.ledger.enter(Request([proposal]))


def test_it_is_answered_in_sql_as_by_the_fold_in_both_times(lent):
    days = ["2022-02-28", "2022-03-01", "2022-04-30", "2022-05-01", "2022-06-01"]
    assert [held_by(lent, day) for day in days] == [[], ["p1"], ["p1"], [], ["p2"]]
    assert held_by(lent, "2022-06-01", recorded=3) == ["p1"]
    fold = Record.fold(lent.ledger.entries())
    for day in days:
        fact = fold.at(ITEM_HOLDER, "item:baton", AsOf(date.fromisoformat(day), FOREVER - 1))
        assert [fact.ref] if fact else held_by(lent, day) == []


def test_it_is_rebuilt_verified_and_compared(lent):
    rebuild(lent.runner, lent.database, processes=1)
    assert verify(lent.runner, lent.database).green
    assert held_by(lent, "2022-06-01") == ["p2"]
    [difference] = compared(
        lent.records, "p1", AsOf(date(2022, 6, 1), 3), AsOf(date(2022, 6, 1), 5)
    )
    assert (difference.facet, difference.slot) == ("test-lent", "baton")
    assert (difference.after, difference.entries) == ([], [3, 4])


def test_it_is_corrected_annulled_and_reinstated(lent, chapter):
    lend, _ = chapter
    newest = UUID(next(lent.ledger.entries(after=4)).id)
    answers = []
    for event, envelope in (
        (lend(person="p2", item="baton"), {"on": "2022-08-01", "supersedes": newest}),
        (FactAnnulled(), {}),
        (FactAnnulled(), {}),
    ):
        named = envelope or {"annuls": newest}
        receipt = lent.ledger.enter(Request([act(event, **named)]))
        newest = receipt.entries[0].event_id
        list(lent.runner.catch_up())
        days = ("2022-07-31", "2022-08-01")
        answers.append([held_by(lent, day, receipt.position) for day in days])
    assert answers == [[[], ["p2"]], [[], []], [[], ["p2"]]]


def test_it_is_taken_and_described_by_the_surfaces(lent):
    request = request_of(
        lent.ledger,
        b'{"events": [{"type": "EquipmentLent", "effective": "2022-07-02", "person": "p1",'
        b' "item": "shield", "size": 3}]}',
    )
    lent.ledger.enter(request)
    list(lent.runner.catch_up())
    as_of = AsOf(date(2022, 7, 2), 6)
    assert [f.value for f in lent.records.at([LENT], ["person:p1"], as_of)] == [
        {"item": "shield", "size": 3}
    ]
    described = type_dict(REGISTRY["EquipmentLent"])
    assert described["writes"] == ["test-item-holder", "test-lent"]
    assert described["private"] == {"remark": "health"}
    assert described["schema"]["properties"]["size"]["anyOf"][0]["maximum"] == 9
