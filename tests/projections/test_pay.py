from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from domain.acts.exit import AuxiliaryResigned
from domain.acts.grades import AuxiliaryDemoted, AuxiliaryPromoted, GradeRated
from domain.acts.movement import AuxiliaryTransferred
from domain.acts.pay import PayLevel, SpecialPayApproved
from domain.acts.people import PersonRegistered
from domain.acts.posts import PostAssigned
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.units import UnitEstablished
from domain.bitemporal import Fact
from domain.events import Entry, Event, FactAnnulled, Proposal, encode
from domain.workdays import add_months
from projections.pay import (
    Filed,
    Known,
    PaySegment,
    pay_difference,
    pay_months,
    pay_segments,
    prorated,
)
from tests.given import Story, act, packaged_law


def day(text: str) -> date:
    return date.fromisoformat(text)


def story(*acts: Proposal) -> Story:
    """Hired on 2015-03-02 as a trainee; later acts follow from position 5 on."""
    return Story().given(
        act(UnitEstablished(unit="u1", name="城东所", division="320500"), "2010-01-01"),
        act(PersonRegistered(person="p1"), "2015-01-01"),
        act(AuxiliaryHired(person="p1", unit="u1", category="field"), "2015-03-02"),
        act(GradeRated(person="p1", grade="trainee", ladder="suzhou"), "2015-03-02"),
        *acts,
    )


def promoted(grade: str, on: str) -> Proposal:
    return act(AuxiliaryPromoted(person="p1", grade=grade, ladder="suzhou", kind="natural"), on)


def corrected(told: Story, root: int, event: Event, on: str, **link: Any) -> None:
    """Enter a correction of the act at position `root`, as the ledger would."""
    position = told.record.head + 1
    proposal = Proposal(event, day(on), **link)
    data = encode(
        proposal, told.id_of(position), UUID(int=root), {"mood": "attested"},
        lambda *_: {},
    )  # fmt: skip
    stamped = datetime(2026, 11, 2, tzinfo=UTC) + timedelta(seconds=position)
    told.record.apply(Entry(position, stamped, type(event).__name__, [], data))


def facts(told: Story) -> list[Fact]:
    return [fact for fact in told.record.every_version() if fact.subject == "person:p1"]


def known(told: Story, recorded: int | None = None, place: str = "320500") -> Known:
    law = packaged_law()
    return Known(recorded or told.record.head, lambda on: law.at(place, on))


def filed(told: Story) -> list[Filed]:
    return [Filed(facts(told), lambda recorded: known(told, recorded))]


def amounts(told: Story, start: str, end: str, recorded: int | None = None) -> dict[str, int]:
    paid = pay_segments(facts(told), known(told, recorded), day(start), day(end))
    return {f"{month.month:%Y-%m}": month.amount for month in pay_months(paid)}


def test_a_full_month_comes_to_the_level_exactly() -> None:
    told = story(promoted("member-3", "2015-07-01"))
    assert amounts(told, "2015-06-01", "2015-08-01") == {
        "2015-06": 2_000_00,
        "2015-07": 2_300_00,
    }


def test_the_first_and_the_last_month_are_paid_by_their_days() -> None:
    told = story(act(AuxiliaryResigned(person="p1"), "2015-05-11"))
    # 30 of 31 days, a full month, 10 of 31 days
    assert amounts(told, "2015-01-01", "2016-01-01") == {
        "2015-03": 1_935_48,
        "2015-04": 2_000_00,
        "2015-05": 645_16,
    }


def test_a_change_within_a_month_splits_it_by_days_and_rounds_once() -> None:
    told = story(promoted("member-3", "2015-07-11"))
    paid = pay_segments(facts(told), known(told), day("2015-07-01"), day("2015-08-01"))
    assert [(s.start, s.days, s.level.amount, s.entries) for s in paid] == [
        (day("2015-07-01"), 10, 2_000_00, (3, 4)),
        (day("2015-07-11"), 21, 2_300_00, (3, 5)),
    ]
    # (2000 × 10 + 2300 × 21) / 31 = 2203.2258
    assert [month.amount for month in pay_months(paid)] == [2_203_23]


def test_a_new_scale_is_paid_from_its_day_without_an_act() -> None:
    paid = pay_segments(facts(story()), known(story()), day("2015-12-01"), day("2016-02-01"))
    assert [(s.start, s.level.version, s.level.amount) for s in paid] == [
        (day("2015-12-01"), "illustrative-1", 2_000_00),
        (day("2016-01-01"), "illustrative-2", 2_600_00),
    ]


def test_special_pay_adds_for_its_days() -> None:
    told = story(special(310_00, "2015-07-22", "2015-09-01"))
    assert amounts(told, "2015-07-01", "2015-10-01") == {
        "2015-07": 2_100_00,
        "2015-08": 2_310_00,
        "2015-09": 2_000_00,
    }


def special(fen: int, on: str, until: str) -> Proposal:
    return act(SpecialPayApproved(person="p1", amount=fen, ground="expertise"), on, until=until)


def test_special_pays_that_overlap_add_up_and_each_ends_on_its_day() -> None:
    told = story(
        special(100_00, "2015-07-01", "2015-08-01"), special(200_00, "2015-07-15", "2015-09-01")
    )
    paid = pay_segments(facts(told), known(told), day("2015-07-01"), day("2015-10-01"))
    assert [(s.start, s.level.special) for s in paid] == [
        (day("2015-07-01"), 100_00),
        (day("2015-07-15"), 300_00),
        (day("2015-08-01"), 200_00),
        (day("2015-09-01"), 0),
    ]


def test_one_level_on_other_entries_is_another_segment() -> None:
    told = story(
        special(100_00, "2015-07-01", "2015-07-15"), special(100_00, "2015-07-15", "2015-08-01")
    )
    paid = pay_segments(facts(told), known(told), day("2015-07-01"), day("2015-08-01"))
    assert [s.entries for s in paid] == [(3, 4, 5), (3, 4, 6)]


def test_each_month_names_the_entries_that_changed_it() -> None:
    told = story()
    told.given(special(100_00, "2015-07-01", "2015-08-01"))
    told.given(special(200_00, "2015-08-01", "2015-09-01"))
    found = pay_difference(filed(told), 4, told.record.head, day("2015-01-01"), day("2016-01-01"))
    assert [(d.owed, d.entries) for d in found] == [(100_00, (5,)), (200_00, (6,))]


def test_days_whose_pay_cannot_be_told_are_counted_and_not_paid() -> None:
    told = story(promoted("g9", "2015-07-22"))
    paid = pay_segments(facts(told), known(told), day("2015-07-01"), day("2015-08-01"))
    (month,) = pay_months(paid)
    assert (month.amount, month.unpriced) == (1_354_84, 10)
    nowhere = known(told, place="none")
    (month,) = pay_months(pay_segments(facts(told), nowhere, day("2015-06-01"), day("2015-07-01")))
    assert (month.amount, month.unpriced) == (0, 30)


def test_nobody_is_paid_out_of_service() -> None:
    told = story()
    assert pay_segments(facts(told), known(told), day("2015-01-01"), day("2015-03-02")) == []
    assert pay_segments([], known(told), day("2015-01-01"), day("2016-01-01")) == []


def test_a_promotion_entered_late_is_owed_from_its_day() -> None:
    told = story()
    before = told.record.head
    told.given(act(PostAssigned(person="p1", post="巡逻"), "2015-04-01"))
    told.given(promoted("member-3", "2015-07-11"))
    found = pay_difference(
        filed(told), before, told.record.head, day("2015-06-01"), day("2015-09-01")
    )
    assert [(d.month, d.before, d.after, d.owed, d.entries) for d in found] == [
        (day("2015-07-01"), 2_000_00, 2_203_23, 203_23, (6,)),
        (day("2015-08-01"), 2_000_00, 2_300_00, 300_00, (6,)),
    ]


def test_a_corrected_day_names_only_the_correction() -> None:
    told = story(
        promoted("member-3", "2015-07-01"),
        act(AuxiliaryDemoted(person="p1", grade="trainee", ground="assessment"), "2015-09-01"),
    )
    before = told.record.head
    # the promotion took effect a month later
    later = AuxiliaryPromoted(person="p1", grade="member-3", ladder="suzhou", kind="natural")
    corrected(told, 5, later, "2015-08-01", supersedes=told.id_of(5))
    # and the demotion rested on another decision: no fen of difference
    other = AuxiliaryDemoted(person="p1", grade="trainee", ground="sanction")
    corrected(told, 6, other, "2015-09-01", supersedes=told.id_of(6))
    found = pay_difference(
        filed(told), before, told.record.head, day("2015-01-01"), day("2016-01-01")
    )
    assert [(d.month, d.owed, d.entries) for d in found] == [(day("2015-07-01"), -300_00, (7,))]


def test_an_annulled_promotion_is_to_be_recovered_and_names_the_annulment() -> None:
    told = story(promoted("member-3", "2015-07-01"))
    before = told.record.head
    corrected(told, 5, FactAnnulled(), "2015-07-01", annuls=told.id_of(5))
    found = pay_difference(
        filed(told), before, told.record.head, day("2015-07-01"), day("2015-09-01")
    )
    assert [(d.month, d.owed, d.entries) for d in found] == [
        (day("2015-07-01"), -300_00, (6,)),
        (day("2015-08-01"), -300_00, (6,)),
    ]


def test_a_service_entered_late_is_owed_whole() -> None:
    told = story()
    found = pay_difference(filed(told), 2, told.record.head, day("2015-04-01"), day("2015-05-01"))
    assert [(d.before, d.after, d.entries) for d in found] == [(0, 2_000_00, (3, 4))]


def test_an_entry_that_moves_no_fen_is_no_cause() -> None:
    told = Story().given(
        act(UnitEstablished(unit="u1", name="城东所", division="320500"), "2010-01-01"),
        act(UnitEstablished(unit="u2", name="城西所", division="320500"), "2010-01-01"),
        act(PersonRegistered(person="p1"), "2015-01-01"),
        act(AuxiliaryHired(person="p1", unit="u1", category="field"), "2015-03-02"),
        act(AuxiliaryTransferred(person="p1", unit="u2"), "2015-04-01"),
        act(GradeRated(person="p1", grade="trainee", ladder="suzhou"), "2015-04-01"),
    )
    found = pay_difference(filed(told), 4, 6, day("2015-04-01"), day("2015-06-01"))
    assert [(d.owed, d.entries) for d in found] == [(2_000_00, (6,)), (2_000_00, (6,))]


def test_what_moved_a_month_forth_and_back_is_named_where_it_differs_in_the_end() -> None:
    told = story(promoted("member-3", "2015-07-01"))
    corrected(told, 5, FactAnnulled(), "2015-07-01", annuls=told.id_of(5))
    assert pay_difference(filed(told), 4, 6, day("2015-07-01"), day("2015-08-01")) == []
    told.given(special(100_00, "2015-07-01", "2015-08-01"))
    (month,) = pay_difference(filed(told), 4, 7, day("2015-06-01"), day("2015-09-01"))
    assert (month.owed, month.entries) == (100_00, (5, 6, 7))


def test_a_change_of_law_alone_names_no_entry() -> None:
    told = story()
    found = pay_difference(
        [Filed(facts(told), lambda at: known(told, at, "none" if at == 4 else "320500"))],
        4, 5, day("2015-04-01"), day("2015-05-01"),
    )  # fmt: skip
    assert [(d.owed, d.unpriced_before, d.unpriced_after, d.entries) for d in found] == [
        (2_000_00, 30, 0, ())
    ]


def test_half_a_fen_is_rounded_up() -> None:
    level = PayLevel("g", "l", "s", "1", "in-force", 1, 0)
    half = PaySegment(day("2021-06-01"), day("2021-06-16"), level, ())
    assert prorated(day("2021-06-01"), [half]) == 1
    less = half._replace(end=day("2021-06-15"))
    assert prorated(day("2021-06-01"), [less]) == 0


@drawn(
    st.dates(date(2015, 1, 1), date(2030, 12, 1)).map(lambda d: d.replace(day=1)),
    st.integers(0, 10**8),
    st.lists(st.integers(1, 27), max_size=5, unique=True),
)
def test_a_month_cut_anywhere_at_one_level_is_paid_whole(
    month: date, amount: int, cuts: list[int]
) -> None:
    level = PayLevel("g", "l", "s", "1", "in-force", amount, 0)
    end = add_months(month, 1)
    edges = [month, *(month + timedelta(days=cut) for cut in sorted(cuts)), end]
    parts = [PaySegment(a, b, level, ()) for a, b in pairwise(edges)]
    assert prorated(month, parts) == amount


@pytest.mark.parametrize("recorded", [3, 4, 5])
def test_the_same_position_gives_the_same_pay_after_later_entries(recorded: int) -> None:
    told = story(promoted("member-3", "2015-07-01"))
    first = amounts(told, "2015-03-01", "2016-03-01", recorded)
    corrected(told, 5, FactAnnulled(), "2015-07-01", annuls=told.id_of(5))
    told.given(act(AuxiliaryResigned(person="p1"), "2015-05-11"))
    assert amounts(told, "2015-03-01", "2016-03-01", recorded) == first
