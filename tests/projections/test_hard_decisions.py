"""The hard cases of what was decided, paid or closed before it was known better, by name."""

from datetime import date

import pytest

from domain.acts.grades import AuxiliaryPromoted, GradeRated
from domain.acts.identity import PersonsMerged
from domain.acts.movement import AuxiliaryTransferred
from domain.acts.packs import PackPublished
from domain.acts.people import PersonRegistered
from domain.acts.posts import POST
from domain.acts.reviews import ReviewConcluded
from domain.acts.rewards import REWARDS
from domain.acts.units import UnitEstablished
from domain.bitemporal import AsOf
from domain.events import FactAnnulled
from domain.law import Pack, load_packs
from domain.refusals import ClosedPeriod, ImpactRefused, LawForbids
from projections.pay import FACETS, Known, pay_months, pay_segments
from projections.questions.law import Published, rules_of
from projections.questions.retro import Span, retro
from projections.questions.reviews import reviews
from tests.clerk import HIRED, Desk
from tests.given import act

PLACE, AGO = "111100", "2019-01-01"
PACK = """
code = "111100"
zh = "试"
en = "Trial"
version = "1"
status = "in-force"
[[rule]]
id = "reward-kind-list"
kind = "closed_list"
since = 2001-01-01
article = "办法 9"
source = "made for a test"
strength = "block"
zh = "奖励种类"
en = "Kinds of rewards"
values = { list = "reward-kinds" }
[[list]]
id = "reward-kinds"
since = 2001-01-01
article = "办法 9"
source = "made for a test"
zh = "奖励种类"
en = "Kinds of rewards"
members = [
    { code = "merit", zh = "记功", en = "Merit" },
]
"""
VALOUR = '    { code = "valour", zh = "英勇", en = "Valour", since = 2022-01-01 },\n'
WIDER = PACK.removesuffix("]\n") + VALOUR + "]\n"
CLOSING = """
[[rule]]
id = "closed"
kind = "closed_period"
since = 2001-01-01
article = "封账 1"
source = "made for a test"
strength = "block"
clock = "recorded"
zh = "以前年度已封账"
en = "The years before are closed"
values = { facets = ["rewards"], before = 2024-01-01 }
"""


@pytest.fixture
def desk(bureau):
    """A person hired on 2020-01-01 at a station of a place without a law as yet."""
    desk = Desk(bureau)
    station = UnitEstablished(unit="hq", name="所", division=PLACE)
    desk.enter(act(station, AGO), act(PersonRegistered(person=desk.person), HIRED), desk.hired())
    return desk


def publish(desk, *texts):
    desk.enter(*(act(PackPublished.of(Pack.parse(text)), AGO) for text in texts))


def test_a_decision_that_loses_its_premise_stands_under_review_until_an_authority_rules(desk):
    ledger = desk.bureau.ledger
    posted = desk.enter(desk.posted("gate", "2022-01-01"))
    decided, late = ledger.entry(posted).position, desk.left("2021-06-01")
    with pytest.raises(ImpactRefused) as refused:
        desk.enter(late)
    assert [impact["position"] for impact in refused.value.as_dict()["impacts"]] == [decided]
    desk.enter(late, ledger.acknowledge(decided, "判决书"))
    assert desk.at(POST, "2021-12-31", "2022-01-01") == ["not recorded", "gate"]

    def told(position):
        found = reviews(ledger, f"person:{desk.person}", AsOf(ledger.today(), position))
        return [(one["state"], one["position"], one["reason"], one["outcome"]) for one in found]

    ruling = ReviewConcluded(review=str(posted), outcome="annulled", authority="政治部")
    desk.enter(act(ruling, ledger.today()))
    desk.enter(act(FactAnnulled(), annuls=posted))
    opened, concluded, annulled = desk.positions[-3:]
    assert told(opened - 2) == []
    assert told(opened) == [("open", decided, "判决书", None)]
    assert told(concluded) == told(annulled) == [("concluded", decided, "判决书", "annulled")]
    assert desk.at(POST, "2022-01-01", recorded=concluded) == ["gate"]
    assert desk.at(POST, "2022-01-01") == ["not recorded"]


def test_what_was_paid_on_an_earlier_belief_stays_told_and_the_difference_names_its_entry(desk):
    bureau, start, end = desk.bureau, date(2021, 1, 1), date(2021, 4, 1)
    desk.enter(*(act(PackPublished.of(load_packs()[c]), AGO) for c in ("000000", "320500")))
    paying = UnitEstablished(unit="paying", name="所", division="320500")
    moved = AuxiliaryTransferred(person=desk.person, unit="paying")
    rated = GradeRated(person=desk.person, grade="trainee", ladder="suzhou")
    desk.enter(act(paying, AGO), act(moved, start), act(rated, start), mood="attested")
    raised = AuxiliaryPromoted(
        person=desk.person, grade="member-3", ladder="suzhou", kind="natural"
    )
    promoted = desk.enter(act(raised, "2021-03-01"), mood="attested")
    list(bureau.runner.catch_up())

    def paid(position):
        law = Published(bureau.ledger, position).at(position)
        known = Known(position, rules_of(bureau.records, law, desk.person, position))
        facts = bureau.records.strands(FACETS, [f"person:{desk.person}"])
        return [month.amount for month in pay_months(pay_segments(facts, known, start, end))]

    before = desk.positions[-1]
    told = paid(before)
    assert told == [2600_00, 2600_00, 2900_00]
    desk.enter(act(raised, "2021-02-01", supersedes=promoted), mood="attested")
    list(bureau.runner.catch_up())
    corrected = desk.positions[-1]
    assert paid(before) == told
    assert paid(corrected) == [2600_00, 2900_00, 2900_00]
    [owed] = retro(bureau.records, bureau.ledger, Span(before, corrected, end, start, end)).owed
    assert (owed.owed, owed.since, owed.entries) == (300_00, date(2021, 2, 1), (corrected,))


def test_a_change_of_closed_days_waits_for_a_second_person_and_passes_with_one(desk):
    publish(desk, PACK + CLOSING)
    head = desk.bureau.ledger.log.head()
    with pytest.raises(ClosedPeriod) as refused:
        desk.enter(desk.rewarded("2023-12-31"))
    assert (refused.value.rule, refused.value.article) == ("closed", "封账 1")
    assert desk.bureau.ledger.log.head() == head
    desk.enter(desk.rewarded("2024-01-01"))
    desk.enter(desk.rewarded("2023-12-31"), approved_by="科长")
    assert desk.at(REWARDS, "2023-12-31", "2024-01-01") == [["merit"], ["merit", "merit"]]
    assert desk.at(REWARDS, "2023-12-31", recorded=head) == [[]]


def test_two_ids_of_one_person_read_as_two_until_the_merge_and_again_after_the_split(desk):
    other = Desk(desk.bureau)
    other.enter(act(PersonRegistered(person=other.person), HIRED))
    desk.enter(desk.posted("gate", "2021-01-01"))
    other.enter(other.rewarded("2021-01-01", "valour"))
    merged = desk.enter(act(PersonsMerged(merged=other.person, kept=desk.person), "2022-01-01"))
    desk.enter(act(FactAnnulled(), annuls=merged))
    two, one, split = other.positions[-1], *desk.positions[-2:]

    def told(position):
        return [each.at(REWARDS, "2021-01-01", recorded=position)[0] for each in (desk, other)]

    assert [told(known) for known in (two, one, split)] == [
        [[], ["valour"]], [["valour"], []], [[], ["valour"]],
    ]  # fmt: skip
    assert desk.at(POST, "2021-01-01", recorded=one) == ["gate"]


def test_an_act_is_decided_under_the_law_of_its_day_as_published_by_then(desk):
    ledger = desk.bureau.ledger
    publish(desk, PACK)
    merit = desk.enter(desk.rewarded("2022-02-01"))
    with pytest.raises(LawForbids):
        desk.enter(desk.rewarded("2022-02-01", "valour"))
    before = ledger.log.head()
    publish(desk, WIDER)
    with pytest.raises(LawForbids):
        desk.enter(desk.rewarded("2021-12-31", "valour"))
    valour = desk.enter(desk.rewarded("2022-02-01", "valour"))

    def kinds(position, day):
        rules = Published(ledger, ledger.log.head()).at(position).at(PLACE, day)
        return set(rules.members("reward-kinds"))

    then, earlier = date(2022, 2, 1), date(2021, 12, 31)
    assert kinds(before, then) == kinds(ledger.log.head(), earlier) == {"merit"}
    assert kinds(ledger.log.head(), then) == {"merit", "valour"}
    laws = [ledger.entry(one).envelope["premise"]["law"] for one in (merit, valour)]
    assert laws == [[Pack.parse(text).digest] for text in (PACK, WIDER)]
