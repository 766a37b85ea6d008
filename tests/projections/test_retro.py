"""The retro report: who is owed what, since when, because of which entry."""

from datetime import date
from typing import Any

import pytest

from domain.acts.exit import AuxiliaryResigned
from domain.acts.grades import AuxiliaryPromoted, GradeRated
from domain.acts.identity import PersonsMerged
from domain.acts.packs import PackPublished
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitEstablished
from domain.bitemporal import AsOf
from domain.events import FactAnnulled
from domain.law import load_packs
from domain.ledger import Request
from projections.pay import FACETS, Filed, Known, pay_difference
from projections.questions.law import Published, rules_of
from projections.questions.retro import Span, retro
from replay.compare import subject as compared
from tests.given import act

PEOPLE = ("p1", "p2", "p3", "p4")
DAY, START, END = date(2015, 9, 10), date(1900, 1, 1), date(2015, 10, 1)


@pytest.fixture(scope="module")
def told(common_bureau):
    """Positions by name: p1's promotion is moved ahead, p2's leaving is late, p3 is untouched, p4
    is entered late; the law is published in the middle.
    """
    ledger, at = common_bureau.ledger, {"twice": 1}

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

            def known(at, person=person):
                return Known(at, rules_of(records, published.at(at), person, at))

            facts = records.strands(FACETS, [f"person:{person}"])
            filed = [Filed(facts, known)]
            own: list[Any] = pay_difference(filed, earlier, head, date(2015, 1, 1), END)
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


# one person under two ids


@pytest.fixture
def twice(common_bureau, told):
    """Enters about two ids of its own; answers the position. The first of them serves."""
    ledger, ids = common_bureau.ledger, [f"{name}{told['twice']}" for name in ("old", "new")]
    told["twice"] += 1

    def enter(make, on, **envelope):
        request = Request([act(make(*ids), on, **envelope)], mood="attested")
        receipt = ledger.enter(request)
        list(common_bureau.runner.catch_up())
        return receipt

    enter(lambda old, _: PersonRegistered(person=old), "2015-01-01")
    enter(lambda _, new: PersonRegistered(person=new), "2015-01-01")
    enter(lambda old, _: hired(old), "2015-03-02")
    enter(lambda old, _: rated(old), "2015-03-02")
    return enter, ids


def hired(person):
    return AuxiliaryHired(person=person, unit="u1", category="field")


def rated(person):
    return GradeRated(person=person, grade="trainee", ladder="suzhou")


def promoted(person):
    return AuxiliaryPromoted(person=person, grade="member-3", ladder="suzhou", kind="natural")


def merged(old, new):
    return PersonsMerged(merged=old, kept=new)


def test_a_merge_alone_owes_one_person_nothing_and_moves_nobody(common_bureau, twice):
    enter, _ = twice
    merge = enter(merged, "2015-09-01").position
    assert ask(common_bureau, merge - 1, merge)[:1] + ask(common_bureau, merge - 1, merge)[2:] == (
        1, [], [],
    )  # fmt: skip


def test_what_is_owed_across_a_merge_is_owed_to_the_one_person_for_its_own_cause(
    common_bureau, twice
):
    enter, (old, new) = twice
    merge = enter(merged, "2015-09-01").position
    rise = enter(lambda old, _: promoted(old), "2015-08-01").position
    found = ask(common_bureau, merge - 1, rise)
    (one,) = found.owed
    assert (one.person, one.owed, one.entries) == (new, 2 * 300_00, (rise,))
    assert [(p.person, p.facet.name) for p in found.roster] == [(new, "grade")]
    assert found.roster[0].before.subject == f"person:{old}"


def test_what_was_paid_under_both_ids_at_once_is_recovered_and_the_merge_is_the_cause(
    common_bureau, twice
):
    enter, (_, new) = twice
    enter(lambda _, new: hired(new), "2015-08-01")
    before = enter(lambda _, new: rated(new), "2015-08-01").position
    merge = enter(merged, "2015-09-01").position
    (one,) = ask(common_bureau, before, merge).owed
    assert (one.person, one.owed, one.entries) == (new, -2 * 2000_00, (merge,))


def test_after_a_split_each_is_asked_about_alone(common_bureau, twice):
    enter, (old, new) = twice
    merge = enter(merged, "2015-09-01")
    split = enter(
        lambda *_: FactAnnulled(), "2015-09-01", annuls=merge.entries[0].event_id
    ).position
    owed = {one.person: one.owed for one in ask(common_bureau, merge.position, split).owed}
    assert owed[old] == -owed[new] > 0


def test_what_a_split_brought_is_named_with_the_act_that_said_it(common_bureau, twice):
    enter, (old, _) = twice
    before = common_bureau.ledger.log.head()
    merge = enter(merged, "2015-09-01")
    rise = enter(lambda old, _: promoted(old), "2015-08-01").position
    undone = {"annuls": merge.entries[0].event_id}
    split = enter(lambda *_: FactAnnulled(), "2015-09-01", **undone).position

    found = ask(common_bureau, before, split)

    (one,) = [one for one in found.owed if one.person == old]
    assert (one.owed, one.entries) == (2 * 300_00, (merge.position, rise, split))
    (placed,) = [p for p in found.roster if p.person == old]
    assert (placed.facet.name, placed.entries) == ("grade", (rise, split))
    (same,) = compared(
        common_bureau.records, f"person:{old}", AsOf(DAY, before), AsOf(DAY, split)
    )  # fmt: skip
    assert (same.facet, [p for p in same.entries if p > before]) == ("grade", [rise, split])


def test_an_act_on_other_days_is_no_cause_of_where_one_stands(common_bureau, twice):
    enter, (old, _) = twice
    before = common_bureau.ledger.log.head()
    enter(lambda old, _: promoted(old), "2015-10-01")
    rise = enter(lambda old, _: promoted(old), "2015-08-01").position
    (placed,) = ask(common_bureau, before, rise).roster
    assert (placed.person, placed.entries) == (old, (rise,))
