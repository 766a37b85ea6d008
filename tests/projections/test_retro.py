"""The retro report: who is owed what, since when, because of which entry."""

from datetime import date
from typing import Any

import pytest

from domain.acts.exit import AuxiliaryResigned
from domain.acts.grades import AuxiliaryPromoted, GradeRated
from domain.acts.packs import PackPublished
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitEstablished
from domain.law import load_packs
from domain.ledger import Request
from projections.pay import FACETS, Known, pay_difference
from projections.questions.law import Published, rules_of
from projections.questions.retro import Span, retro
from tests.given import act

PEOPLE = ("p1", "p2", "p3", "p4")
DAY, START, END = date(2015, 9, 10), date(1900, 1, 1), date(2015, 10, 1)


@pytest.fixture(scope="module")
def told(common_bureau):
    """Positions by name: p1's promotion is moved ahead, p2's leaving is late, p3 is untouched, p4
    is entered late; the law is published in the middle.
    """
    ledger, at = common_bureau.ledger, {}

    def enter(name, event, on, **envelope):
        receipt = ledger.enter(Request([act(event, on, **envelope)], mood="attested"))
        at[name] = receipt.position
        return receipt.entries[0].event_id

    def hire(person):
        enter("", PersonRegistered(person=person), "2015-01-01")
        enter("", AuxiliaryHired(person=person, unit="u1", category="field"), "2015-03-02")
        enter("hired", GradeRated(person=person, grade="trainee", ladder="suzhou"), "2015-03-02")

    enter("", UnitEstablished(unit="u1", name="所", division="320500"), "2010-01-01")
    for person in PEOPLE[:3]:
        hire(person)
    at["unpriced"] = at["hired"]
    for code in ("000000", "320500"):
        enter("law", PackPublished.of(load_packs()[code]), "2015-01-01")
    promotion = AuxiliaryPromoted(person="p1", grade="member-3", ladder="suzhou", kind="natural")
    root = enter("known", promotion, "2015-07-01")
    enter("moved", promotion, "2015-05-01", supersedes=root)
    enter("left", AuxiliaryResigned(person="p2"), "2015-08-16")
    hire("p4")
    list(common_bureau.runner.catch_up())
    return at


def ask(bureau, earlier, later, *, start=START, everyone=False):
    span = Span(earlier, later, DAY, start, END)
    return retro(bureau.records, bureau.ledger, span, everyone=everyone)


def test_a_moved_promotion_owes_the_months_between_and_names_its_entry(common_bureau, told):
    found = ask(common_bureau, told["known"], told["moved"])

    (one,) = found.owed
    assert (one.person, one.since, one.owed) == ("p1", date(2015, 5, 1), 2 * 300_00)
    assert one.entries == (told["moved"],)
    assert [month.owed for month in one.months] == [300_00, 300_00]
    assert found.roster == []


def test_a_late_leaving_is_recovered_and_changes_the_roster(common_bureau, told):
    found = ask(common_bureau, told["moved"], told["left"])

    (one,) = found.owed
    assert (one.person, one.since, one.entries) == ("p2", date(2015, 8, 1), (told["left"],))
    assert [month.owed for month in one.months] == [-1032_26, -2000_00]
    assert {(p.facet.name, p.person, p.entries) for p in found.roster} == {
        (facet, "p2", (told["left"],)) for facet in ("service", "unit", "grade")
    }


def test_the_report_says_of_everyone_what_their_own_pay_says(common_bureau, told):
    records, head = common_bureau.records, told["hired"]
    published = Published(common_bureau.ledger, head)
    for earlier in range(told["law"], head, 2):
        found = {one.person: list(one.months) for one in ask(common_bureau, earlier, head).owed}
        for person in PEOPLE:
            then, now = (
                Known(at, rules_of(records, published.at(at), person, at)) for at in (earlier, head)
            )
            facts = records.strands(FACETS, [f"person:{person}"])
            own: list[Any] = pay_difference(facts, then, now, date(2015, 1, 1), END)
            assert found.get(person, []) == own


def test_two_beliefs_that_agree_owe_nothing(common_bureau, told):
    assert ask(common_bureau, told["left"], told["left"])[2:] == ([], [])


def test_what_the_law_alone_changed_is_named_and_reckoned_when_asked(common_bureau, told):
    between = (told["unpriced"], told["law"])
    own = ask(common_bureau, *between)
    everyone = ask(common_bureau, *between, start=date(2015, 8, 1), everyone=True)

    assert (own.owed, own.law) == ([], (told["law"] - 1, told["law"]))
    assert [(one.person, one.owed, one.entries) for one in everyone.owed] == [
        (person, 2 * 2000_00, ()) for person in PEOPLE[:3]
    ]


def test_the_months_asked_about_bound_the_report(common_bureau, told):
    found = ask(common_bureau, told["known"], told["moved"], start=date(2015, 6, 1))

    assert [month.month for one in found.owed for month in one.months] == [date(2015, 6, 1)]
