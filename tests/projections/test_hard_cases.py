"""The hard cases of two times, by name, through the ledger and the table that answers for it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time, timedelta
from threading import Barrier
from zoneinfo import ZoneInfo

import pytest

from domain.acts.discipline import SANCTIONS, SanctionImposed, SanctionLifted
from domain.acts.movement import AuxiliaryTransferred
from domain.acts.people import SERVICE, UNIT, PersonRegistered
from domain.acts.posts import POST
from domain.acts.recruitment import AuxiliaryRehired
from domain.acts.rewards import REWARDS
from domain.acts.units import UNIT_STATE, UnitDissolved, UnitEstablished, UnitMoved
from domain.bitemporal import AsOf
from domain.events import FactAnnulled
from domain.ledger import Request
from domain.refusals import ImpactRefused, NotInService, Refusal, Superseded, UnknownFact
from projections.roster import tree, units_below
from tests.clerk import HIRED, Desk
from tests.given import act


@pytest.fixture(scope="module")
def bureau(common_bureau):
    units = [act(UnitEstablished(unit=u, name="所"), "2019-01-01") for u in ("hq", "east")]
    common_bureau.ledger.enter(Request(units))
    return common_bureau


@pytest.fixture
def desk(bureau):
    """A person registered and hired on 2020-01-01."""
    desk = Desk(bureau)
    desk.enter(act(PersonRegistered(person=desk.person), HIRED), desk.hired())
    return desk


def both_at_once(*doing):
    """What each of two answers who act at the same time: an id, or the refusal."""
    ready = Barrier(len(doing))

    def go(do):
        ready.wait()
        try:
            return do()
        except Refusal as refusal:
            return refusal

    with ThreadPoolExecutor(len(doing)) as pool:
        return list(pool.map(go, doing))


# what was believed before


def test_a_back_dated_change_answers_between_two_and_was_not_known_before_it_was_entered(desk):
    desk.enter(desk.posted("gate", "2021-01-01"))
    desk.enter(desk.posted("desk", "2023-01-01"))
    desk.enter(desk.posted("patrol", "2022-01-01"))
    days = ["2021-06-01", "2022-06-01", "2023-06-01"]
    assert desk.at(POST, *days, recorded=desk.positions[-2]) == ["gate", "gate", "desk"]
    assert desk.at(POST, *days) == ["gate", "patrol", "desk"]


def test_a_future_act_that_is_withdrawn_is_seen_from_positions_in_between_alone(desk):
    desk.enter(desk.posted("gate", "2021-01-01"))
    planned = desk.enter(desk.posted("desk", "2090-01-01"))
    withdrawn = desk.enter(act(FactAnnulled(), annuls=planned))
    before, between, after = desk.positions[-3:]
    answers = [desk.at(POST, "2089-12-31", "2090-01-01", recorded=k)
               for k in (before, between, after)]  # fmt: skip
    assert answers == [["gate", "gate"], ["gate", "desk"], ["gate", "gate"]]
    assert withdrawn != planned


def test_a_future_act_that_is_withdrawn_is_seen_from_instants_in_between_alone(desk):
    planned = desk.enter(desk.posted("desk", "2090-01-01"))
    desk.enter(act(FactAnnulled(), annuls=planned))
    instants = [desk.bureau.ledger.moment(k).recorded_at for k in desk.positions[-2:]]
    assert all(isinstance(instant, datetime) for instant in instants)
    said = [desk.at(POST, "2090-01-01", recorded=instant) for instant in instants]
    assert said == [["desk"], ["not recorded"]]


def test_a_leaving_planned_and_withdrawn_gives_back_everything_it_would_have_ended(desk):
    desk.enter(desk.posted("gate", "2021-01-01"))
    leaving = desk.enter(desk.left("2090-01-01"))
    desk.enter(act(FactAnnulled(), annuls=leaving))
    believed = [desk.at(POST, "2090-01-01", recorded=k) for k in desk.positions[-3:]]
    assert believed == [["gate"], ["not recorded"], ["gate"]]
    assert desk.at(SERVICE, "2090-01-01", recorded=desk.positions[-2]) == ["left"]


def test_a_correction_of_a_correction_leaves_all_three_beliefs_answerable(desk):
    newest = desk.enter(desk.posted("gate", "2021-03-01"))
    newest = desk.enter(desk.posted("gate", "2021-02-01", supersedes=newest))
    desk.enter(desk.posted("desk", "2021-01-01", supersedes=newest))
    days = ["2021-01-01", "2021-02-01", "2021-03-01"]
    assert [desk.at(POST, *days, recorded=k) for k in desk.positions[-3:]] == [
        ["not recorded", "not recorded", "gate"],
        ["not recorded", "gate", "gate"],
        ["desk", "desk", "desk"],
    ]


def test_annulling_the_middle_one_of_three_lets_the_first_answer_until_the_third(desk):
    desk.enter(desk.posted("gate", "2021-01-01"))
    middle = desk.enter(desk.posted("patrol", "2022-01-01"))
    desk.enter(desk.posted("desk", "2023-01-01"))
    desk.enter(act(FactAnnulled(), annuls=middle))
    days = ["2021-12-31", "2022-01-01", "2022-12-31", "2023-01-01"]
    assert desk.at(POST, *days) == ["gate", "gate", "gate", "desk"]
    assert desk.at(POST, *days, recorded=desk.positions[-2]) == ["gate", "patrol", "patrol", "desk"]


def test_known_on_a_day_is_known_by_its_midnight_in_shanghai(desk):
    desk.enter(desk.posted("gate", "2021-01-01"))
    entered = desk.bureau.ledger.moment(desk.positions[-1]).recorded_at
    day = entered.astimezone(ZoneInfo("Asia/Shanghai")).date()
    midnight = datetime.combine(day, time(), ZoneInfo("Asia/Shanghai"))
    tick = timedelta(microseconds=1)
    for known in (day, entered):
        assert desk.at(POST, "2021-01-01", recorded=known) == ["gate"]
    for known in (day - timedelta(days=1), entered - tick, midnight - tick):
        assert desk.at(POST, "2021-01-01", recorded=known) == ["not recorded"]


# endings


def test_an_end_that_is_corrected_moves_and_the_gap_after_it_stays_explicit(desk):
    desk.enter(desk.posted("gate", "2021-01-01"))
    ended = desk.enter(desk.relieved("2021-07-01"))
    desk.enter(desk.posted("desk", "2022-01-01"))
    desk.enter(desk.relieved("2021-09-01", supersedes=ended))
    days = ["2021-06-30", "2021-07-01", "2021-09-01", "2022-01-01"]
    assert desk.at(POST, *days) == ["gate", "gate", "none", "desk"]
    assert desk.at(POST, *days, recorded=desk.positions[-2]) == ["gate", "none", "none", "desk"]


def test_an_end_that_is_annulled_and_reinstated_answers_at_each_position_as_it_stood(desk):
    desk.enter(desk.rewarded("2021-01-01"))
    newest = desk.enter(desk.revoked("2022-01-01"))
    for _ in range(3):
        newest = desk.enter(act(FactAnnulled(), annuls=newest))
    said = [desk.at(REWARDS, "2022-01-01", recorded=k)[0] for k in desk.positions[-5:]]
    assert said == [["merit"], [], ["merit"], [], ["merit"]]


def test_what_a_corrected_ending_ended_is_reinstated_as_itself(desk):
    granted = desk.enter(desk.rewarded("2021-01-01"))
    revoked = desk.enter(desk.revoked("2022-01-01"))
    desk.enter(desk.revoked("2021-06-01", supersedes=revoked))
    gone = desk.enter(act(FactAnnulled(), annuls=granted), mood="attested")
    desk.enter(act(FactAnnulled(), annuls=gone), mood="attested")
    entry = next(desk.bureau.ledger.entries(after=desk.positions[-1] - 1))
    assert entry.effective == date(2021, 1, 1)
    assert f"fact:{revoked}" not in entry.tags
    days = ["2021-05-31", "2021-06-01"]
    said = [desk.at(REWARDS, *days, recorded=k) for k in desk.positions[-3:]]
    assert said == [[["merit"], []], [[], []], [["merit"], []]]


def test_a_post_for_a_time_over_another_gives_way_to_a_real_change_within_it(desk):
    desk.enter(desk.posted("deputy", "2021-01-01"))
    desk.enter(desk.posted("acting", "2022-01-01", until="2022-12-01"))
    desk.enter(desk.posted("head", "2022-06-01"))
    days = ["2021-06-01", "2022-05-31", "2022-06-01", "2022-12-01"]
    assert desk.at(POST, *days) == ["deputy", "acting", "head", "head"]
    assert desk.at(POST, *days, recorded=desk.positions[-2])[1:] == ["acting", "acting", "deputy"]


# acts of one day


def test_an_earlier_step_of_a_day_typed_late_does_not_prevail(desk):
    desk.enter(desk.posted("desk", "2021-01-01", seq=2))
    desk.enter(desk.posted("gate", "2021-01-01"))
    assert desk.at(POST, "2021-01-01") == ["desk"]


def test_a_correction_keeps_the_place_of_its_fact_in_the_day_unless_it_names_another(desk):
    late = desk.enter(desk.posted("late", "2021-05-01", seq=1))
    desk.enter(desk.posted("early", "2021-05-01"))
    corrected = desk.enter(desk.posted("later", "2021-05-01", supersedes=late))
    assert desk.at(POST, "2021-05-01") == ["later"]

    desk.enter(desk.posted("later", "2021-05-01", seq=-1, supersedes=corrected))
    assert desk.at(POST, "2021-05-01") == ["early"]


def test_an_act_is_decided_before_a_leaving_that_stands_later_in_its_day(desk):
    desk.enter(desk.posted("gate", "2021-01-01"))
    desk.enter(desk.left("2022-01-01", seq=2))
    desk.enter(desk.relieved("2022-01-01"))
    with pytest.raises(NotInService):
        desk.enter(desk.posted("desk", "2022-01-01", seq=3))


def test_a_fact_is_ended_before_an_end_that_stands_later_in_its_day(desk):
    desk.enter(desk.rewarded("2021-01-01"))
    later = desk.enter(desk.revoked("2022-01-01", seq=2))
    with pytest.raises(ImpactRefused):
        desk.enter(desk.revoked("2022-01-01"))
    earlier = desk.enter(desk.revoked("2022-01-01"), mood="attested")
    desk.enter(act(FactAnnulled(), annuls=earlier))
    assert desk.at(REWARDS, "2022-01-01") == [[]]
    desk.enter(act(FactAnnulled(), annuls=later))
    assert desk.at(REWARDS, "2022-01-01") == [["merit"]]
    with pytest.raises(UnknownFact):
        desk.enter(desk.revoked("2020-12-31"))


# outside a spell


def test_what_lies_before_the_hire_is_refused_unless_the_same_request_moves_the_hire(bureau):
    desk = Desk(bureau)
    desk.enter(act(PersonRegistered(person=desk.person), "2019-06-01"))
    hire = desk.enter(desk.hired())
    early = desk.posted("gate", "2019-07-01")
    with pytest.raises(NotInService):
        desk.enter(early)
    desk.enter(desk.hired("2019-07-01", supersedes=hire), early)
    assert desk.at(POST, "2019-12-31") == ["gate"]


def test_what_lies_after_the_leaving_is_refused_unless_the_same_request_moves_the_leaving(desk):
    leaving = desk.enter(desk.left("2021-06-01"))
    late = desk.posted("gate", "2021-07-01")
    with pytest.raises(NotInService):
        desk.enter(late)
    desk.enter(desk.left("2021-09-01", supersedes=leaving), late)
    assert desk.at(POST, "2021-08-31", "2021-09-01") == ["gate", "not recorded"]


def test_a_rehire_inherits_nothing_though_the_leaving_is_moved_past_what_it_ended(desk):
    desk.enter(desk.posted("gate", "2021-01-01"))
    leaving = desk.enter(desk.left("2021-06-01"))
    back = AuxiliaryRehired(person=desk.person, unit="east", category="field")
    desk.enter(act(back, "2022-01-01"))
    desk.enter(desk.left("2021-09-01", supersedes=leaving))
    days = ["2021-07-01", "2021-09-01", "2022-01-01"]
    assert desk.at(POST, *days) == ["gate", "not recorded", "not recorded"]
    assert desk.at(UNIT, *days) == ["hq", "not recorded", "east"]
    assert desk.at(POST, *days, recorded=desk.positions[-2]) == ["not recorded"] * 3


# units


def test_beneath_units_that_go_round_by_what_was_attested_another_still_moves(bureau, desk):
    one, other, third = (f"{desk.person}-{n}" for n in "abc")
    desk.enter(
        *(act(UnitEstablished(unit=u, name="所"), "2019-01-01") for u in (one, other, third))
    )
    away = desk.enter(act(UnitMoved(unit=one, parent="hq"), "2021-01-01"))
    desk.enter(act(UnitMoved(unit=one, parent=other), "2020-01-01"))
    desk.enter(act(UnitMoved(unit=other, parent=one), "2021-01-01"))
    desk.enter(act(FactAnnulled(), "2021-01-01", annuls=away), mood="attested")

    desk.enter(act(UnitMoved(unit=third, parent=one), "2022-01-01"))


def test_a_unit_set_up_after_all_is_the_one_that_was_dissolved(bureau, desk):
    unit = f"{desk.person}-unit"
    first = desk.enter(act(UnitEstablished(unit=unit, name="所"), "2020-01-01"))
    desk.enter(act(UnitDissolved(unit=unit), "2022-01-01"))
    undone = desk.enter(act(FactAnnulled(), "2020-01-01", annuls=first), mood="attested")
    desk.enter(act(FactAnnulled(), "2020-01-01", annuls=undone))
    list(bureau.runner.catch_up())

    days = (date(2021, 1, 1), date(2022, 1, 1))
    answers = (
        bureau.records.at([UNIT_STATE], [f"unit:{unit}"], AsOf(d, desk.positions[-1])) for d in days
    )
    assert [found.value["state"] for [found] in answers] == ["active", "dissolved"]


# within a request


def test_a_position_within_a_request_answers_with_what_its_first_acts_made_true(bureau, desk):
    other = Desk(bureau)
    other.enter(act(PersonRegistered(person=other.person), HIRED), other.hired())
    wrong = desk.enter(desk.posted("gate", "2021-01-01"))
    desk.enter(
        act(FactAnnulled(), annuls=wrong), other.posted("gate", "2021-01-01"),
        other.posted("desk", "2021-06-01"),
    )  # fmt: skip
    last = desk.positions[-1]
    said = [
        (*desk.at(POST, "2021-06-01", recorded=k), *other.at(POST, "2021-06-01", recorded=k))
        for k in range(last - 3, last + 1)
    ]
    assert said == [
        ("gate", "not recorded"), ("not recorded", "not recorded"), ("not recorded", "gate"),
        ("not recorded", "desk"),
    ]  # fmt: skip


def test_a_table_that_stopped_within_a_request_goes_on_from_there(desk):
    desk.at(POST, HIRED)
    back = AuxiliaryRehired(person=desk.person, unit="east", category="field")
    desk.enter(
        desk.posted("gate", "2021-01-01"), desk.left("2021-06-01"), act(back, "2021-06-01", seq=1)
    )
    middle = desk.positions[-1] - 1
    list(desk.bureau.runner.catch_up(until=middle))
    assert desk.bureau.runner.position() == middle
    assert desk.at(UNIT, "2021-05-31", "2021-06-01") == ["hq", "east"]
    assert desk.at(POST, "2021-05-31", "2021-06-01") == ["gate", "not recorded"]
    assert desk.at(UNIT, "2021-06-01", recorded=middle) == ["not recorded"]


def test_units_that_an_attested_annulment_leaves_above_each_other_are_both_below_either(bureau):
    ledger = bureau.ledger
    ledger.enter(Request([act(UnitEstablished(unit=u, name="所"), "2019-01-01") for u in "xz"]))
    ledger.enter(Request([act(UnitEstablished(unit="y", name="所", parent="x"), "2019-01-01")]))
    away = Request([act(UnitMoved(unit="y", parent="z"), "2020-01-01")])
    [moved] = ledger.enter(away).entries
    ledger.enter(Request([act(UnitMoved(unit="x", parent="y"), "2021-01-01")]))
    annulled = Request([act(FactAnnulled(), annuls=moved.event_id)], mood="attested")
    assert [finding.rule for _, finding in ledger.enter(annulled).undermined] == ["record-forbids"]
    list(bureau.runner.catch_up())
    now = AsOf(date(2021, 1, 1), ledger.log.head())
    stands = tree(bureau.records, now)
    for unit in ("x", "y"):
        assert stands.below(unit) == sorted(units_below(bureau.records, unit, now)) == ["x", "y"]


# two clerks at once


def test_of_a_correction_and_an_annulment_at_once_one_stands_and_the_other_is_told_of_it(desk):
    newest = desk.enter(desk.posted("gate", "2021-01-01"))
    corrected, annulled = both_at_once(
        lambda: desk.enter(desk.posted("desk", "2021-01-01", supersedes=newest)),
        lambda: desk.enter(act(FactAnnulled(), annuls=newest)),
    )
    first, second = (
        (corrected, annulled) if isinstance(annulled, Refusal) else (annulled, corrected)
    )
    assert isinstance(second, Superseded)
    assert second.position == desk.bureau.ledger.entry(first).position
    assert desk.at(POST, "2021-01-01") == ["desk" if first is corrected else "not recorded"]


def test_of_two_endings_of_one_fact_at_once_one_stands_and_the_other_is_told_why(desk):
    """After the earlier day nothing is left to end; before the later one, that would be undone."""
    desk.enter(act(SanctionImposed(person=desk.person, kind="w"), "2021-01-01", until="2022-01-01"))
    lifted = SanctionLifted(person=desk.person)
    early, late = both_at_once(
        lambda: desk.enter(act(lifted, "2021-03-01")), lambda: desk.enter(act(lifted, "2021-05-01"))
    )
    if isinstance(late, Refusal):
        assert isinstance(late, UnknownFact)
        assert desk.at(SANCTIONS, "2021-02-28", "2021-03-01") == [["w"], []]
    else:
        assert isinstance(early, ImpactRefused)
        [undone] = early.as_dict()["impacts"]
        assert undone["position"] == desk.bureau.ledger.entry(late).position
        assert desk.at(SANCTIONS, "2021-04-30", "2021-05-01") == [["w"], []]


def test_a_transfer_that_races_with_the_leaving_is_never_accepted_after_it(desk):
    moved = AuxiliaryTransferred(person=desk.person, unit="east")
    move, leave = both_at_once(
        lambda: desk.enter(act(moved, "2022-01-01")), lambda: desk.enter(desk.left("2021-01-01"))
    )
    if isinstance(move, Refusal):
        assert isinstance(move, NotInService)
        assert desk.at(UNIT, "2020-12-31", "2022-01-01") == ["hq", "not recorded"]
    else:
        assert isinstance(leave, ImpactRefused)
        [undone] = leave.as_dict()["impacts"]
        assert undone["position"] == desk.bureau.ledger.entry(move).position
