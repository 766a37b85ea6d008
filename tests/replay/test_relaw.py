"""Deciding again under another pack: exactly what the changed rule changes, and nothing else."""

from datetime import date
from functools import partial
from itertools import chain, islice

import psycopg
import pytest

from api.demo import bureau as invented
from api.settings import Bureau
from domain.acts.discipline import SanctionImposed
from domain.acts.packs import PackPublished
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.rewards import RewardGranted
from domain.acts.units import UnitEstablished
from domain.bitemporal import AsOf
from domain.law import Pack, load_packs
from domain.ledger import Receipt, Request
from domain.refusals import UnknownSubject
from projections.findings import of_entries
from replay.relaw import Relawed, Scope, everyone, of_unit, relaw
from tests.given import act
from tests.histories import History, sample_steps

PLACE = "111100"
PACK = """
code = "{code}"
zh = "试"
en = "Trial"
version = "1"
status = "in-force"
[[rule]]
id = "sanction-total"
kind = "ceiling"
since = 2001-01-01
article = "办法 7"
source = "made for a test"
strength = "block"
zh = "处理期上限"
en = "The term of a sanction"
values = {{ unit = "months", limit = {limit} }}
[[rule]]
id = "reward-kind-list"
kind = "closed_list"
since = 2001-01-01
article = "办法 9"
source = "made for a test"
strength = "block"
zh = "奖励种类"
en = "Kinds of rewards"
values = {{ list = "reward-kinds" }}
[[list]]
id = "reward-kinds"
since = 2001-01-01
article = "办法 9"
source = "made for a test"
zh = "奖励种类"
en = "Kinds of rewards"
members = [{kinds}]
"""
DAY, LATER = date(2022, 1, 4), date(2022, 6, 1)


def pack(limit=12, kinds=("merit",), code=PLACE):
    members = ", ".join(f'{{ code = "{k}", zh = "{k}", en = "{k}" }}' for k in kinds)
    return Pack.parse(PACK.format(limit=limit, kinds=members, code=code))


def enter(ledger, *proposals, mood="ordered"):
    return ledger.enter(Request(proposals, mood=mood)).position


def sanctioned(person, until, **fields):
    return act(SanctionImposed(person=person, kind="warning", **fields), LATER, until=until)


def again(ledger, other, scope=None, **options):
    return relaw(ledger, other, scope or everyone(ledger), ledger.log.head(), **options)


def told(found):
    return {
        (c.rule, c.article, c.outcome, c.arises): [e.position for e in c.acts]
        for c in found.changes
    }


@pytest.fixture(scope="module")
def told_of(common_bureau):
    """Two units; sanctions of 6, 12 and (attested) 18 months; a reward of each mood."""
    ledger = common_bureau.ledger
    enter(ledger, act(PackPublished.of(pack()), DAY))
    enter(
        ledger,
        *(act(UnitEstablished(unit=unit, name="所", division=PLACE), DAY) for unit in ("u1", "u2")),
    )
    for person, unit in (("p1", "u1"), ("p2", "u1"), ("p3", "u2")):
        enter(
            ledger,
            act(PersonRegistered(person=person), DAY),
            act(AuxiliaryHired(person=person, unit=unit, category="field"), DAY),
        )
    positions = {
        6: enter(ledger, sanctioned("p1", "2022-12-01")),
        12: enter(ledger, sanctioned("p2", "2023-06-01", conduct="迟到")),
        18: enter(ledger, sanctioned("p3", "2023-12-01"), mood="attested"),
        "ordered": enter(ledger, act(RewardGranted(person="p1", kind="merit"), LATER)),
        "attested": enter(
            ledger, act(RewardGranted(person="p3", kind="other"), LATER), mood="attested"
        ),
    }
    list(common_bureau.runner.catch_up())
    return common_bureau, positions


def test_the_published_pack_makes_no_difference(told_of):
    bureau, positions = told_of
    hires = 3
    assert again(bureau.ledger, pack()) == Relawed(hires + len(positions))


def test_a_lower_limit_refuses_what_was_ordered_above_it_and_nothing_else(told_of):
    bureau, positions = told_of
    found = again(bureau.ledger, pack(limit=10))
    assert told(found) == {("sanction-total", "办法 7", "refused", True): [positions[12]]}
    [example] = found.changes[0].acts
    assert (example.type, example.person) == ("SanctionImposed", "p2")
    assert example.effective == LATER
    assert "at most 10" in example.en
    assert "上限10" in example.zh


def test_a_higher_limit_clears_what_was_found(told_of):
    bureau, positions = told_of
    found = again(bureau.ledger, pack(limit=18))
    assert told(found) == {("sanction-total", "办法 7", "found", False): [positions[18]]}


def test_a_list_that_changes_is_told_in_both_directions(told_of):
    bureau, positions = told_of
    assert told(again(bureau.ledger, pack(kinds=["other"]))) == {
        ("reward-kind-list", "办法 9", "refused", True): [positions["ordered"]],
        ("reward-kind-list", "办法 9", "found", False): [positions["attested"]],
    }


def test_another_article_or_wording_of_the_same_rule_is_no_difference(told_of):
    bureau, _ = told_of
    reworded = pack().text.replace("办法 7", "办法 8").replace("The term", "Any term")
    assert again(bureau.ledger, Pack.parse(reworded)).changes == ()


def test_a_rule_that_only_warns_finds_where_another_refused(told_of):
    bureau, positions = told_of
    weaker = Pack.parse(pack(limit=10).text.replace('"block"', '"warn"'))
    found = again(bureau.ledger, weaker)
    assert told(found) == {("sanction-total", "办法 7", "found", True): [positions[12]]}


def test_a_pack_of_a_place_nobody_stands_in_is_asked_nothing(told_of):
    bureau, _ = told_of
    assert again(bureau.ledger, pack(limit=1, code="222200")).changes == ()


def test_the_acts_of_one_unit_or_of_later_days_alone(told_of):
    bureau, positions = told_of
    lower, pair = pack(limit=1), AsOf(LATER, bureau.ledger.log.head())
    ours = again(bureau.ledger, lower, of_unit(bureau.records, "u1", pair))
    assert told(ours) == {
        ("sanction-total", "办法 7", "refused", True): [positions[6], positions[12]]
    }
    since = everyone(bureau.ledger, date(2022, 6, 2))
    assert again(bureau.ledger, lower, since) == Relawed()
    with pytest.raises(UnknownSubject):
        of_unit(bureau.records, "u9", pair)


def test_the_position_asked_for_is_the_last_one_decided(told_of):
    bureau, positions = told_of
    scope = everyone(bureau.ledger)
    assert relaw(bureau.ledger, pack(limit=10), scope, positions[6]) == Relawed(4)
    assert relaw(bureau.ledger, pack(limit=10), scope, 0) == Relawed()


def test_every_act_that_a_pack_touches_is_listed(bureau):
    ledger = bureau.ledger
    enter(ledger, act(UnitEstablished(unit="u1", name="所", division=PLACE), DAY))
    enter(
        ledger,
        act(PersonRegistered(person="p1"), DAY),
        act(AuxiliaryHired(person="p1", unit="u1", category="field"), DAY),
        *(act(RewardGranted(person="p1", kind="other"), LATER) for _ in range(9)),
    )
    [change] = again(ledger, pack()).changes  # no pack was published: it is judged from the first
    assert (change.rule, change.outcome, change.total) == ("reward-kind-list", "refused", 9)
    assert [e.position for e in change.acts] == list(range(4, 13))


def test_several_processes_find_what_one_finds(told_of):
    bureau, _ = told_of
    other, done = pack(limit=1, kinds=["other"]), []
    found = again(
        bureau.ledger, other, progress=done.append, processes=2, together=1, alone_below=0,
        reopen=partial(Bureau, bureau.settings),
    )  # fmt: skip
    assert found == again(bureau.ledger, other)
    assert len(found.changes) == 3
    assert done == [1, 2, 3]


def test_an_act_of_which_a_value_was_erased_is_undecidable(told_of, settings):
    bureau, positions = told_of
    with psycopg.connect(settings.vault, autocommit=True) as connection:
        connection.execute("DELETE FROM data_keys WHERE subject = 'p2'")
    bureau.ledger.vault._keys.clear()
    found = again(bureau.ledger, pack(limit=10))
    assert found == Relawed(2 + len(positions), (positions[12],))


# over whole histories


@pytest.fixture(scope="module")
def lived(common_bureau):
    """Random histories under a pack of the place that units of no division are in."""
    first = common_bureau.ledger.log.head()
    enter(common_bureau.ledger, act(PackPublished.of(pack(3, ["r0", "r1"], "none")), DAY))
    played = [History(common_bureau.ledger).play(sample_steps(s, 80)) for s in range(6)]
    return common_bureau.ledger, first, played


def test_in_histories_a_shorter_list_refuses_exactly_the_rewards_it_lacks(lived):
    ledger, first, _ = lived
    now = pack(3, ["r0"], "none")
    granted = [
        e for e in ledger.entries(types=["RewardGranted"], after=first)
        if e.fields["kind"] == "r1"
    ]  # fmt: skip
    [change] = again(ledger, now).changes
    assert (change.rule, change.outcome, change.arises) == ("reward-kind-list", "found", True)
    assert change.total == len(granted) > 5
    assert [e.position for e in change.acts] == [e.position for e in granted]


def test_in_histories_the_published_rules_find_what_they_found(lived):
    ledger, first, played = lived
    same = Pack.parse(pack(3, ["r0", "r1"], "none").text + "\n# another text, the same rules\n")
    found = again(ledger, same)
    assert found.changes == ()
    assert found.decided > 100
    receipts = chain.from_iterable(history.answers for history in played)
    entered = {
        r.entries[n].position: f
        for r in receipts
        if isinstance(r, Receipt)
        for n, f in r.findings
        if r.entries[n].type != "FactAnnulled"  # a reinstated act was told when it was entered
    }
    derived = {
        one.entry.position: one.findings[-1]
        for one in of_entries(ledger, ledger.entries(after=first))
        if one.findings
    }
    assert derived == entered
    assert len(entered) > 5


def test_the_demonstrations_bureau_differs_from_its_law_in_nothing(bureau):
    ledger = bureau.ledger
    law = load_packs()
    enter(ledger, *(act(PackPublished.of(law[c]), DAY) for c in ("000000", "320500")))
    requests = chain(islice(invented.units(), 14), (r for r in islice(invented.auxiliaries(), 3)))
    for request in requests:
        ledger.enter(request)
    same = Pack.parse(law["320500"].text + "\n# another text, the same rules\n")
    found = again(ledger, same)
    assert found.changes == ()
    assert found.decided > 10
    untrained = Pack.parse(same.text.replace('id = "promotion-training"', 'id = "unknown"'))
    assert again(ledger, untrained).changes == ()


def test_nobody_in_scope_is_nothing_decided(told_of):
    bureau, _ = told_of
    assert again(bureau.ledger, pack(limit=1), Scope((), frozenset())) == Relawed()
