"""Closed periods: what may change the past only with a second person's approval."""

from datetime import date, timedelta
from itertools import count
from uuid import UUID

import orjson
import pytest

from domain.acts.closed import first_days
from domain.acts.exit import AuxiliaryResigned
from domain.acts.grades import GradeConverted, GradeRated
from domain.acts.identity import PersonsMerged
from domain.acts.movement import AuxiliaryTransferred
from domain.acts.openings import RecordOpened
from domain.acts.packs import PackPublished
from domain.acts.people import PersonRegistered
from domain.acts.posts import PostAssigned
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.rewards import RewardGranted, RewardRevoked
from domain.acts.units import UnitEstablished
from domain.events import REGISTRY, Actor, FactAnnulled
from domain.law import Pack
from domain.ledger import Refused, Request
from domain.record import Record
from domain.refusals import BadInput, ClosedPeriod
from projections.journal import shown
from tests.given import act
from tests.histories import History, sample_steps

PACK = """
code = "{code}"
zh = "试"
en = "Trial"
version = "1"
status = "{status}"
[[rule]]
id = "closed"
kind = "closed_period"
since = 2001-01-01
article = "封账 1"
source = "made for a test"
strength = "block"
clock = "recorded"
zh = "上一年度已封账"
en = "The past year is closed"
values = {{ {values} }}
"""
BEGAN, CLOSED, OPEN = date(2020, 1, 1), date(2023, 6, 1), date(2024, 2, 1)
ALL = 'facets = "all", before = 2024-01-01'
PLACES = {
    "111100": ALL,
    "111200": 'facets = ["grade", "unit"], before = 2024-01-01',
    "111300": 'facets = "all", before = 2024-01-01, openings = true',
    "111400": 'facets = "all", months = 3',
    "111500": ALL,
    "111600": None,
}
_numbers = count(1)


def pack(code, values, status="in-force"):
    text = PACK.format(code=code, status=status, values=values or "")
    return Pack.parse(text if values else text.partition("[[rule]]")[0])


def published(ledger, *packs):
    return ledger.enter(Request([act(PackPublished.of(one), BEGAN) for one in packs]))


@pytest.fixture(scope="module")
def ledger(common_bureau):
    """One unit a place (`u-<code>`), each place with a closing of its own."""
    ledger = common_bureau.ledger
    for code in PLACES:
        unit = UnitEstablished(unit=f"u-{code}", name="所", division=code)
        ledger.enter(Request([act(unit, BEGAN)]))
    statuses = {"111500": "draft"}
    published(ledger, *(pack(c, v, statuses.get(c, "in-force")) for c, v in PLACES.items()))
    return ledger


def enter(ledger, *proposals, approved="科长", mood="attested"):
    receipt = ledger.enter(Request(proposals, mood=mood, approved_by=approved))
    return receipt.entries[-1].event_id


def hired(ledger, code="111100"):
    """A person in service since the beginning, with a grade."""
    person = f"p{next(_numbers)}"
    enter(
        ledger,
        act(PersonRegistered(person=person), BEGAN),
        act(AuxiliaryHired(person=person, unit=f"u-{code}", category="field"), BEGAN),
        act(GradeRated(person=person, grade="g1"), BEGAN),
    )
    return person


def graded(person):
    return GradeConverted(person=person, grade="g2", ladder="l")


def rewarded(person):
    return RewardGranted(person=person, kind="merit")


def refused(ledger, proposal, mood="attested"):
    """Refused as closed, by entering and by previewing alike; nothing is stored."""
    head, request = ledger.log.head(), Request([proposal], mood=mood)
    with pytest.raises(ClosedPeriod) as previewed:
        ledger.preview(request)
    with pytest.raises(ClosedPeriod) as entered:
        ledger.enter(request)
    assert entered.value.as_dict() == previewed.value.as_dict()
    assert ledger.log.head() == head
    assert (entered.value.rule, entered.value.article) == ("closed", "封账 1")
    assert entered.value.index == 0
    return entered.value


@pytest.mark.parametrize("mood", ["attested", "ordered"])
def test_an_act_of_a_closed_day_is_refused_naming_the_facet(ledger, mood):
    refusal = refused(ledger, act(rewarded(hired(ledger)), CLOSED), mood)
    assert refusal.detail.startswith("reward:")
    assert "2024-01-01" in refusal.detail
    assert "奖励" in refusal.detail_zh


def test_the_first_open_day_is_open_and_the_day_before_it_closed(ledger):
    person, first = hired(ledger), date(2024, 1, 1)
    enter(ledger, act(rewarded(person), first), approved=None)
    refused(ledger, act(rewarded(person), first - timedelta(days=1)))


def test_a_second_person_lets_it_through_and_is_told_for_ever(ledger):
    entered = enter(ledger, act(rewarded(hired(ledger)), CLOSED), approved="政治处主任")
    assert shown(ledger.entry(entered))["approved_by"] == "政治处主任"


@pytest.mark.parametrize("approver", ["clerk-1", " CLERK-1 ", "", " ", "a\nb"])
def test_the_approver_is_somebody_else(ledger, approver):
    proposal = act(rewarded(hired(ledger)), OPEN)
    request = Request([proposal], actor=Actor(subject="clerk-1"), approved_by=approver)
    with pytest.raises(BadInput) as caught:
        ledger.enter(request)
    assert caught.value.field == "approved_by"


def test_a_correction_that_moves_a_fact_into_or_out_of_the_period_is_refused(ledger):
    person = hired(ledger)
    early = enter(ledger, act(rewarded(person), CLOSED))
    late = enter(ledger, act(rewarded(person), OPEN), approved=None)
    refused(ledger, act(rewarded(person), OPEN, supersedes=early))
    refused(ledger, act(rewarded(person), CLOSED, supersedes=late))
    enter(ledger, act(rewarded(person), date(2024, 3, 1), supersedes=late), approved=None)


def test_a_fact_from_the_closed_period_may_end_on_another_open_day(ledger):
    person = hired(ledger)

    def until(day):
        return act(PostAssigned(person=person, post="a"), CLOSED, until=day)

    first = enter(ledger, until("2025-01-01"))
    second = enter(ledger, until("2024-06-01")._replace(supersedes=first), approved=None)
    refused(ledger, until("2023-12-01")._replace(supersedes=second))


def test_an_annulment_and_its_annulment_change_the_days_of_the_fact(ledger):
    person = hired(ledger)
    early = enter(ledger, act(rewarded(person), CLOSED))
    refused(ledger, act(FactAnnulled(), CLOSED, annuls=early))
    annulled = enter(ledger, act(FactAnnulled(), CLOSED, annuls=early))
    refused(ledger, act(FactAnnulled(), CLOSED, annuls=annulled))
    late = enter(ledger, act(rewarded(person), OPEN), approved=None)
    again = enter(ledger, act(FactAnnulled(), OPEN, annuls=late), approved=None)
    enter(ledger, act(FactAnnulled(), OPEN, annuls=again), approved=None)


def test_an_ending_changes_from_its_own_day_on(ledger):
    person = hired(ledger)
    root = enter(ledger, act(rewarded(person), CLOSED))
    revoked = RewardRevoked(person=person)
    refused(ledger, act(revoked, "2023-12-31", ends=root))
    enter(ledger, act(revoked, OPEN, ends=root), approved=None)


def test_a_merge_changes_every_day_whatever_its_own(ledger):
    for code in ("111100", "111200"):
        one, other = hired(ledger, code), hired(ledger, code)
        refused(ledger, act(PersonsMerged(merged=one, kept=other), OPEN))
        merged = enter(ledger, act(PersonsMerged(merged=one, kept=other), OPEN))
        refused(ledger, act(FactAnnulled(), OPEN, annuls=merged))


def test_only_the_facets_of_the_rule_are_closed(ledger):
    person = hired(ledger, "111200")
    enter(ledger, act(rewarded(person), CLOSED), approved=None)
    assert refused(ledger, act(graded(person), CLOSED)).detail.startswith("grade")
    assert refused(ledger, act(AuxiliaryResigned(person=person), CLOSED)).detail.startswith("grade")


def test_a_move_is_closed_where_either_end_is(ledger):
    into = AuxiliaryTransferred(person=hired(ledger, "111600"), unit="u-111200")
    out = AuxiliaryTransferred(person=hired(ledger, "111200"), unit="u-111600")
    for event in (into, out):
        assert refused(ledger, act(event, CLOSED)).detail.startswith("home unit")


def test_what_lies_before_a_units_first_day_is_closed_too(ledger):
    established = next(ledger.entries(["unit:u-111100"], ["UnitEstablished"]))
    earlier = UnitEstablished(unit="u-111100", name="所", division="111100")
    refused(ledger, act(earlier, "2019-01-01", supersedes=UUID(established.id)))


def test_a_new_unit_is_held_to_the_place_it_says_it_stands_in(ledger):
    unit = act(UnitEstablished(unit="u-new", name="局", division="111100"), CLOSED)
    assert refused(ledger, unit).rule == "closed"
    opened_now = act(UnitEstablished(unit="u-new", name="局", division="111100"), OPEN)
    assert enter(ledger, opened_now, approved=None)


def test_a_first_roster_passes_where_the_pack_lets_it(ledger):
    def opened(code):
        person = f"p{next(_numbers)}"
        enter(ledger, act(PersonRegistered(person=person), BEGAN), approved=None)
        return person, act(RecordOpened(person=person, unit=f"u-{code}"), CLOSED)

    refused(ledger, opened("111100")[1])
    person, opening = opened("111300")
    root = enter(ledger, opening, approved=None)
    refused(ledger, act(RecordOpened(person=person), CLOSED, supersedes=root))


def test_months_are_counted_back_from_the_day_of_entry(ledger):
    person, today = hired(ledger, "111400"), ledger.today()
    enter(ledger, act(rewarded(person), today - timedelta(days=80)), approved=None)
    refused(ledger, act(rewarded(person), today - timedelta(days=100)))


def test_where_an_act_belongs_is_read_only_for_days_that_some_place_closed(ledger):
    person = hired(ledger, "111600")

    def reads(day):
        [entry] = ledger.preview(Request([act(rewarded(person), day)])).append.entries
        return orjson.loads(entry.data)["premise"]["reads"]

    assert set(reads(CLOSED)) - set(reads(ledger.today())) == {f"officer@person:{person}"}


@pytest.mark.parametrize("code", ["111500", "111600"])
def test_a_draft_or_another_places_rule_closes_nothing(ledger, code):
    enter(ledger, act(rewarded(hired(ledger, code)), CLOSED), approved=None)


def test_many_requests_are_held_to_it_one_by_one(ledger):
    person = hired(ledger)
    requests = [
        Request([act(rewarded(person), CLOSED)], mood="attested"),
        Request([act(rewarded(person), OPEN)], mood="attested"),
        Request([act(rewarded(person), CLOSED)], mood="attested", approved_by="科长"),
    ]
    answers = list(ledger.enter_many(requests))
    assert [isinstance(answer, Refused) for answer in answers] == [True, False, False]
    assert isinstance(answers[0].refusal, ClosedPeriod)


def test_a_key_used_with_an_approval_is_not_the_key_without_it(ledger):
    proposal = act(rewarded(hired(ledger)), OPEN)
    decider = ledger._decider
    hashes = {
        decider.request_hash(Request([proposal], key="k", approved_by=by))
        for by in (None, "科长", "局长")
    }
    assert len(hashes) == 3


def changed_days(changes, position):
    """(facet, first day on which the versions that an entry closed and opened differ)."""
    versions = {}
    for fact in changes:
        pair = versions.setdefault((fact.facet, fact.subject, fact.slot, fact.root), {})
        pair[fact.known_to == position] = fact
    for (facet, *_), pair in versions.items():
        said = {(f.effective, f.seq, str(f.value)) for f in pair.values()}
        only_the_end = len(pair) == 2 and len(said) == 1
        yield facet, min(f.until if only_the_end else f.effective for f in pair.values())


def test_no_entry_of_a_history_changes_an_earlier_day_than_is_judged(ledger):
    seen = set()
    for seed in range(8):
        history, record = History(ledger).play(sample_steps(seed, 60)), Record()
        for entry in ledger.entries(after=history.first - 1, until=history.head):
            before = record.chains[entry.root].content if entry.corrects else None
            changes = record.apply(entry)
            chain = record.chains[entry.root]
            judged = first_days(REGISTRY[chain.type], before, chain.content)
            for facet, day in changed_days(changes, entry.position):
                assert judged[facet] <= day, entry.type
                seen.add((entry.type == "FactAnnulled", entry.corrects, chain.last.leaves is None))
    assert len(seen) == 6


# the law of the acts that follow in a request


def test_acts_after_a_pack_in_its_request_are_decided_under_it(ledger):
    person = hired(ledger, "111600")
    new = pack("111600", ALL)
    proposals = [act(PackPublished.of(new), BEGAN), act(rewarded(person), CLOSED)]
    with pytest.raises(ClosedPeriod) as caught:
        ledger.preview(Request(proposals))
    assert caught.value.index == 1
    ledger.preview(Request(proposals[::-1]))


def test_a_rule_that_no_act_could_ask_is_refused(ledger):
    text = pack("111700", ALL).text.replace('"closed"', '"unified-recruitment"')
    with pytest.raises(BadInput, match=r"rule\.0\.kind: unified-recruitment is asked as elig"):
        published(ledger, Pack.parse(text))


def test_a_pack_that_closes_a_facet_there_is_not_is_refused(ledger):
    with pytest.raises(BadInput, match=r"rule\.0\.values\.facets: no facet grades"):
        published(ledger, pack("111700", 'facets = ["grades"], before = 2024-01-01'))
