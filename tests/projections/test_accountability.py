from datetime import UTC, date, datetime
from typing import Any

import pytest

from domain.acts.exit import AuxiliaryResigned
from domain.acts.movement import AuxiliaryTransferred, SecondmentEnded, SecondmentStarted
from domain.acts.officers import (
    OfficerAppointed,
    OfficerLeft,
    OfficerOnLeave,
    OfficerReinstated,
    OfficerSuspended,
)
from domain.acts.people import PersonRegistered
from domain.acts.posts import PostAssigned
from domain.acts.recruitment import AuxiliaryHired, AuxiliaryRehired
from domain.acts.responsibility import (
    ActingDeputyHeadAppointed,
    ActingHeadAppointed,
    DeputyHeadAppointed,
    DeputyHeadRelieved,
    DeputyPortfolioAssigned,
    SupervisingOfficerAssigned,
    SupervisingOfficerRelieved,
    UnitHeadAppointed,
    UnitHeadRelieved,
)
from domain.acts.units import HeadSeatsDeclared, UnitEstablished
from domain.bitemporal import FOREVER, AsOf, Fact
from domain.events import Entry, Event, Facet, FactAnnulled, Proposal, encode
from domain.record import Record
from domain.refusals import BadInput
from projections.accountability import (
    Answer,
    Answered,
    Gap,
    Line,
    answer,
    gaps,
    of_officer,
    of_officer_over,
    over,
    then_and_now,
)
from tests.given import Story, act

NOW = FOREVER - 1


def story(*more: Any) -> Story:
    """Stations s and t under bureau b; x, y, z officers of s, v of t, d of b; auxiliary a in s."""
    people = ("x", "y", "z", "v", "d", "a", "c")
    return Story().given(
        act(UnitEstablished(unit="b", name="分局", kind="bureau"), "2000-01-01"),
        act(UnitEstablished(unit="s", name="一所", parent="b"), "2000-01-01"),
        act(UnitEstablished(unit="t", name="二所", parent="b"), "2000-01-01"),
        *(act(PersonRegistered(person=p), "2000-01-01") for p in people),
        *(officer(p, "s", "2010-01-01") for p in ("x", "y", "z")),
        officer("v", "t", "2010-01-01"),
        officer("d", "b", "2010-01-01"),
        act(AuxiliaryHired(person="a", unit="s", category="field"), "2019-01-01"),
        *more,
    )


def officer(person: str, unit: str, on: str) -> Any:
    return act(OfficerAppointed(person=person, unit=unit), on)


def head(person: str, on: str, unit: str = "s", **more: Any) -> Any:
    return act(UnitHeadAppointed(unit=unit, officer=person), on, **more)


def relieved(person: str, on: str, **more: Any) -> Any:
    return act(UnitHeadRelieved(unit="s", officer=person), on, **more)


def deputy(person: str, on: str, unit: str = "s", **portfolio: Any) -> list[Any]:
    acts = [act(DeputyHeadAppointed(unit=unit, officer=person), on)]
    if portfolio:
        acts.append(act(DeputyPortfolioAssigned(unit=unit, officer=person, **portfolio), on))
    return acts


def paired(person: str, on: str, **more: Any) -> Any:
    return act(SupervisingOfficerAssigned(person="a", officer=person), on, **more)


def on(told: Story, day: str, recorded: int = NOW, person: str = "a") -> Answer:
    return answer(told.record, person, AsOf(date.fromisoformat(day), recorded))


def line(told: Story, day: str, capacity: str, recorded: int = NOW) -> Line:
    (only,) = (each for each in on(told, day, recorded).lines if each.capacity == capacity)
    return only


def officers(one: Line) -> list[str]:
    return [holder.officer for holder in one.holders]


def vacancy(one: Line) -> tuple[Any, ...]:
    since = one.since and one.since.isoformat()
    return (one.status, since, one.cause, one.entries)


# unit head


def test_the_three_tiers_are_named_with_the_entries_they_rest_on() -> None:
    told = story()
    at = told.record.head
    told.given(head("x", "2020-01-01"), *deputy("y", "2020-01-01"), paired("z", "2020-01-01"))

    found = on(told, "2020-06-01")
    assert (found.service, found.unit, found.seconded) == ("in", "s", False)
    assert [(h.capacity, h.unit, h.officer, h.entries) for h in found.named] == [
        ("head", "s", "x", (at + 1,)),
        ("deputy", "s", "y", (at + 2,)),
        ("supervisor", None, "z", (at + 3,)),
    ]
    assert {each.status for each in found.lines} == {"held"}


def test_before_the_first_fact_nothing_is_recorded_which_is_no_vacancy() -> None:
    told = story(head("x", "2020-01-01"))

    assert [each.status for each in on(told, "2019-06-01").lines] == ["not-recorded"] * 3
    assert [each.status for each in on(told, "2018-06-01").lines] == ["not-recorded"] * 3
    assert on(told, "2018-06-01").service == "not-recorded"


def test_an_empty_seat_is_the_answer_with_the_parent_s_seat_beside_it() -> None:
    told = story(head("d", "2015-01-01", "b"), head("x", "2020-01-01"))
    told.given(relieved("x", "2021-01-01"))

    seat = line(told, "2021-03-01", "head")
    assert vacancy(seat) == ("vacant", "2021-01-01", "relieved", (told.record.head,))
    assert seat.holders == ()
    assert [(each.unit, officers(each)) for each in seat.beside] == [("b", ["d"])]
    assert line(told, "2020-06-01", "head").beside == ()


def test_a_term_that_ran_out_leaves_the_seat_empty() -> None:
    told = story(head("x", "2020-01-01", until="2021-01-01"))

    assert vacancy(line(told, "2021-03-01", "head")) == ("vacant", "2021-01-01", "term-ended", ())


@pytest.mark.parametrize(
    ("lost", "cause"),
    [
        (OfficerLeft(person="x", kind="died"), "officer-left"),
        (OfficerAppointed(person="x", unit="t"), "officer-left-unit"),
    ],
)
def test_a_seat_whose_holder_is_no_longer_of_the_unit_is_empty(lost: Event, cause: str) -> None:
    told = story(head("x", "2020-01-01"), act(lost, "2021-01-01"))

    empty = ("vacant", "2021-01-01", cause, (told.record.head,))
    assert vacancy(line(told, "2021-03-01", "head")) == empty


def test_an_acting_head_is_shown_as_such_beside_the_head_and_in_an_empty_seat() -> None:
    told = story(head("x", "2020-01-01"), relieved("x", "2021-01-01"))
    told.given(act(ActingHeadAppointed(unit="s", officer="y"), "2020-12-01"))

    beside, alone = line(told, "2020-12-15", "head"), line(told, "2021-03-01", "head")
    assert [(h.officer, h.acting) for h in beside.holders] == [("x", False), ("y", True)]
    assert (beside.status, beside.overlap) == ("held", False)
    assert [(h.officer, h.acting) for h in alone.holders] == [("y", True)]
    assert vacancy(alone)[:3] == ("acting", "2021-01-01", "relieved")


@pytest.mark.parametrize(
    ("away", "state"), [(OfficerOnLeave, "on-leave"), (OfficerSuspended, "suspended")]
)
def test_a_head_who_is_away_is_named_and_shown_so(away: Any, state: str) -> None:
    told = story(head("x", "2020-01-01"), act(away(person="x"), "2021-01-01", until="2021-02-01"))

    (named,) = line(told, "2021-01-15", "head").holders
    assert (named.officer, named.state) == ("x", state)
    assert named.entries == (told.record.head - 1, told.record.head)
    assert line(told, "2021-02-01", "head").holders[0].state == "in-post"


def test_an_attested_overlap_in_one_seat_names_both_in_order() -> None:
    told = story(head("y", "2021-01-01"), head("x", "2020-01-01"))

    assert officers(line(told, "2021-03-01", "head")) == ["x", "y"]
    assert line(told, "2021-03-01", "head").overlap
    assert not line(told, "2020-03-01", "head").overlap


def test_each_declared_seat_has_a_line_of_its_own() -> None:
    told = story(act(HeadSeatsDeclared(unit="s", head_seats=["所长", "教导员"]), "2015-01-01"))
    told.given(act(UnitHeadAppointed(unit="s", officer="x", seat="教导员"), "2020-01-01"))

    seats = [each for each in on(told, "2020-06-01").lines if each.capacity == "head"]
    assert [(each.seat, each.status) for each in seats] == [
        ("所长", "not-recorded"),
        ("教导员", "held"),
    ]


# using unit


def test_during_a_secondment_the_host_answers() -> None:
    told = story(head("x", "2020-01-01"), head("v", "2020-01-01", "t"))
    told.given(
        act(SecondmentStarted(person="a", unit="t"), "2021-01-01"),
        act(SecondmentEnded(person="a"), "2021-03-01"),
    )

    during = on(told, "2021-02-01")
    assert (during.unit, during.seconded) == ("t", True)
    assert officers(line(told, "2021-02-01", "head")) == ["v"]
    assert officers(line(told, "2021-03-01", "head")) == ["x"]


def test_for_the_dispatched_the_bureau_s_unit_answers_and_never_the_agency() -> None:
    told = story(
        act(UnitEstablished(unit="g", name="派遣公司", kind="agency"), "2000-01-01"),
        act(
            AuxiliaryHired(person="c", unit="s", category="field", form="dispatched", agency="g"),
            "2019-01-01",
        ),
        head("x", "2020-01-01"),
    )

    assert on(told, "2020-06-01", person="c").unit == "s"


def test_nobody_answers_for_one_who_has_left() -> None:
    told = story(head("x", "2020-01-01"), paired("z", "2020-01-01"))
    told.given(act(AuxiliaryResigned(person="a"), "2021-01-01"))

    left, after = on(told, "2021-01-01"), on(told, "2021-01-02")
    assert (left.service, left.lines) == ("out", ())
    assert [(h.officer, h.outgoing) for h in left.named] == [("x", True), ("z", True)]
    assert after.named == []


# deputy


def test_the_deputy_who_is_closest_to_the_person_answers() -> None:
    told = story(
        act(PostAssigned(person="a", post="巡逻"), "2019-01-01"),
        *deputy("x", "2020-01-01"),
        *deputy("y", "2020-02-01", posts=["巡逻"]),
        *deputy("z", "2020-03-01", persons=["a"]),
    )

    found = [officers(line(told, f"2020-0{m}-15", "deputy")) for m in (1, 2, 3)]
    assert found == [["x"], ["y"], ["z"]]


def test_a_deputy_of_the_unit_above_answers_for_a_sub_unit_of_the_portfolio() -> None:
    told = story(*deputy("d", "2020-01-01", "b", units=["s"]), *deputy("x", "2021-01-01"))

    (above,) = line(told, "2020-06-01", "deputy").holders
    assert (above.unit, above.officer) == ("b", "d")
    assert above.entries == (told.record.head - 2, told.record.head - 1)
    assert officers(line(told, "2021-06-01", "deputy")) == ["x"]


def test_a_deputy_of_the_unit_above_without_a_portfolio_does_not_answer() -> None:
    told = story(*deputy("d", "2020-01-01", "b"))

    assert line(told, "2020-06-01", "deputy").status == "not-recorded"


def test_where_no_portfolio_covers_the_person_nobody_answers() -> None:
    told = story(*deputy("x", "2020-01-01"))
    told.given(act(DeputyPortfolioAssigned(unit="s", officer="x", persons=["c"]), "2021-01-01"))

    changed = ("vacant", "2021-01-01", "not-covered", (told.record.head,))
    assert vacancy(line(told, "2021-06-01", "deputy")) == changed


def test_a_portfolio_that_never_covered_the_person_is_a_vacancy_too() -> None:
    told = story(*deputy("x", "2020-01-01", persons=["c"]))

    never = ("vacant", "2020-01-01", "not-covered", (told.record.head - 1, told.record.head))
    assert vacancy(line(told, "2020-06-01", "deputy")) == never


def test_a_portfolio_of_an_earlier_spell_does_not_come_back() -> None:
    told = story(
        *deputy("x", "2020-01-01", persons=["c"]),
        act(DeputyHeadRelieved(unit="s", officer="x"), "2020-06-01"),
        *deputy("x", "2021-01-01"),
    )

    assert vacancy(line(told, "2020-12-31", "deputy"))[:3] == ("not-recorded", None, None)
    assert officers(line(told, "2021-01-01", "deputy")) == ["x"]


def test_an_acting_deputy_is_shown_as_such() -> None:
    told = story(*deputy("x", "2020-01-01"))
    told.given(
        act(DeputyHeadRelieved(unit="s", officer="x"), "2021-01-01"),
        act(ActingDeputyHeadAppointed(unit="s", officer="y"), "2021-02-01"),
    )

    acting = line(told, "2021-03-01", "deputy")
    assert [(h.officer, h.acting) for h in acting.holders] == [("y", True)]
    assert vacancy(acting)[:3] == ("acting", "2021-01-01", "relieved")


# supervising officer


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (AuxiliaryTransferred(person="a", unit="t"), "auxiliary-left-unit"),
        (SecondmentStarted(person="a", unit="t"), "auxiliary-left-unit"),
        (OfficerAppointed(person="z", unit="t"), "officer-left-unit"),
        (OfficerSuspended(person="z"), "officer-suspended"),
        (OfficerLeft(person="z", kind="retired"), "officer-left"),
        (SupervisingOfficerRelieved(person="a", officer="z"), "relieved"),
    ],
)
def test_a_pairing_lapses_the_day_its_ground_is_gone(change: Event, cause: str) -> None:
    told = story(paired("z", "2020-01-01"), act(change, "2021-01-01"))

    assert officers(line(told, "2020-12-31", "supervisor")) == ["z"]
    lapsed = ("vacant", "2021-01-01", cause, (told.record.head,))
    assert vacancy(line(told, "2021-01-01", "supervisor")) == lapsed
    assert vacancy(line(told, "2021-06-01", "supervisor")) == lapsed


def test_a_pairing_stands_when_it_is_renewed_on_the_day_of_change_or_later() -> None:
    told = story(
        paired("z", "2020-01-01"),
        act(AuxiliaryTransferred(person="a", unit="t"), "2021-01-01"),
        paired("v", "2021-01-01"),
    )
    assert officers(line(told, "2021-01-01", "supervisor")) == ["v"]

    told.given(act(OfficerSuspended(person="v"), "2021-02-01", until="2021-03-01"))
    told.given(paired("v", "2021-04-01"))
    assert vacancy(line(told, "2021-03-15", "supervisor"))[:3] == (
        "vacant",
        "2021-02-01",
        "officer-suspended",
    )
    assert officers(line(told, "2021-04-01", "supervisor")) == ["v"]


def test_what_lapsed_does_not_revive_when_its_ground_comes_back() -> None:
    told = story(
        paired("z", "2020-01-01"),
        act(OfficerSuspended(person="z"), "2021-01-01"),
        act(OfficerReinstated(person="z"), "2021-02-01"),
    )

    assert line(told, "2021-03-01", "supervisor").status == "vacant"


def test_an_officer_on_leave_still_leads_and_is_shown_so() -> None:
    told = story(paired("z", "2020-01-01"), act(OfficerOnLeave(person="z"), "2021-01-01"))

    (named,) = line(told, "2021-03-01", "supervisor").holders
    assert (named.officer, named.state) == ("z", "on-leave")


def test_a_pairing_attested_during_a_suspension_stands_and_shows_it() -> None:
    told = story(act(OfficerSuspended(person="z"), "2020-12-01"), paired("z", "2021-01-01"))

    (named,) = line(told, "2021-03-01", "supervisor").holders
    assert (named.officer, named.state) == ("z", "suspended")


def test_a_promotion_in_the_same_unit_ends_no_pairing() -> None:
    title = OfficerAppointed(person="z", unit="s", title="四级警长")
    told = story(paired("z", "2020-01-01"), act(title, "2021-01-01"))

    assert officers(line(told, "2021-03-01", "supervisor")) == ["z"]


def test_one_who_is_hired_again_inherits_no_pairing_and_no_gap() -> None:
    told = story(
        paired("z", "2020-01-01"),
        act(AuxiliaryResigned(person="a"), "2021-01-01"),
        act(AuxiliaryRehired(person="a", unit="s", category="field"), "2021-06-01"),
    )

    assert line(told, "2021-07-01", "supervisor").status == "not-recorded"


# the day of change


def test_on_a_day_of_change_every_holder_is_named_in_order() -> None:
    told = story(
        head("x", "2020-01-01"),
        relieved("x", "2021-01-01"),
        head("y", "2021-01-01", seq=1),
        relieved("y", "2021-01-01", seq=2),
        head("z", "2021-01-01", seq=3),
    )

    named = [(h.officer, h.outgoing) for h in on(told, "2021-01-01").named]
    assert named == [("x", True), ("y", True), ("z", False)]
    assert [h.officer for h in on(told, "2021-01-02").named] == ["z"]


def test_two_pairings_of_one_day_are_both_named() -> None:
    told = story(
        paired("x", "2020-01-01"), paired("y", "2021-01-01"), paired("z", "2021-01-01", seq=1)
    )

    named = [(h.officer, h.outgoing) for h in on(told, "2021-01-01").named]
    assert named == [("x", True), ("y", True), ("z", False)]


def test_on_the_day_of_a_transfer_the_heads_of_both_units_are_named() -> None:
    told = story(
        head("x", "2020-01-01"),
        head("v", "2020-01-01", "t"),
        act(AuxiliaryTransferred(person="a", unit="t"), "2021-01-01"),
    )

    named = [(h.unit, h.officer, h.outgoing) for h in on(told, "2021-01-01").named]
    assert named == [("s", "x", True), ("t", "v", False)]


# a period


def period(told: Story, start: str, end: str) -> list[Any]:
    return over(told.record, "a", date.fromisoformat(start), date.fromisoformat(end), NOW)


def history() -> Story:
    return story(
        head("x", "2020-01-01"),
        *deputy("y", "2020-01-01"),
        paired("z", "2020-01-01"),
        relieved("x", "2021-03-01"),
        head("v", "2020-01-01", "t"),
        head("y", "2021-03-04"),
        act(OfficerLeft(person="z", kind="retired"), "2021-06-01"),
        act(AuxiliaryTransferred(person="a", unit="t"), "2021-09-01"),
        paired("v", "2021-10-01"),
    )


def test_a_period_is_cut_where_the_answer_changes_and_agrees_with_every_day() -> None:
    told = history()
    found = period(told, "2021-01-01", "2022-01-01")

    starts = [each.start.isoformat() for each in found]
    assert starts == [
        "2021-01-01", "2021-03-01", "2021-03-04", "2021-06-01", "2021-09-01", "2021-10-01",
    ]  # fmt: skip
    assert [each.end for each in found[:-1]] == [each.start for each in found[1:]]
    for each in found:
        for day in {each.start, date.fromordinal(each.end.toordinal() - 1)}:
            asked = answer(told.record, "a", AsOf(day, NOW))
            assert asked.lines == each.answer.lines


def test_the_gaps_of_a_period_are_summed_in_days() -> None:
    found = gaps(period(history(), "2021-01-01", "2022-01-01"))

    seen = [(gap.capacity, gap.start.isoformat(), gap.days, gap.cause) for gap in found]
    assert seen == [
        ("head", "2021-03-01", 3, "relieved"),
        ("supervisor", "2021-06-01", 122, "officer-left"),
    ]


def test_what_is_not_recorded_and_time_out_of_service_are_no_gaps() -> None:
    told = story(head("x", "2020-01-01"), relieved("x", "2020-07-01"))
    told.given(act(AuxiliaryResigned(person="a"), "2020-07-11"))

    found = gaps(period(told, "2018-01-01", "2022-01-01"))
    assert [(gap.capacity, gap.days) for gap in found] == [("head", 10)]
    assert isinstance(found[0], Gap)


def test_an_empty_period_is_refused() -> None:
    with pytest.raises(BadInput) as refused:
        period(story(), "2021-01-01", "2021-01-01")
    assert refused.value.field == "end"


# then and now


def annulled(told: Story, position: int) -> None:
    """The fact entered at this position never was."""
    chain = told.record.chain_at(position)
    act_ = Proposal(FactAnnulled(), chain.last.effective, annuls=told.id_of(position))
    at = told.record.head + 1
    data = encode(act_, told.id_of(at), told.id_of(position), {}, lambda *_: {})
    tags = [*chain.tags, f"fact:{chain.id}"]
    told.record.apply(Entry(at, datetime(2026, 11, 3, tzinfo=UTC), "FactAnnulled", tags, data))


def test_then_and_now_differ_by_the_entries_that_changed_the_answer() -> None:
    told = story(head("x", "2020-01-01"), paired("z", "2020-01-01"))
    then = told.record.head
    told.given(relieved("x", "2021-01-01"), paired("x", "2022-01-01"), head("y", "2021-01-01"))
    annulled(told, then)

    both = then_and_now(told.record, "a", date(2021, 9, 3), then, told.record.head)
    assert both.differ
    assert both.entries == (then + 1, then + 3, then + 4)
    assert [h.officer for h in both.then.named] == ["x", "z"]
    assert [h.officer for h in both.now.named] == ["y"]
    assert both.now == on(told, "2021-09-03", told.record.head)


def test_entries_that_only_shorten_a_term_after_the_day_change_nothing() -> None:
    told = story(head("x", "2020-01-01"))
    then = told.record.head
    told.given(relieved("x", "2022-01-01"), head("y", "2022-01-01"))

    both = then_and_now(told.record, "a", date(2021, 9, 3), then, told.record.head)
    assert (both.differ, both.entries) == (False, ())


def test_what_was_changed_and_changed_back_does_not_differ_but_is_shown() -> None:
    told = story(head("x", "2020-01-01"))
    then = told.record.head
    told.given(relieved("x", "2021-01-01"))
    annulled(told, then + 1)

    both = then_and_now(told.record, "a", date(2021, 9, 3), then, told.record.head)
    assert (both.differ, both.entries) == (False, (then + 1, then + 2))


def test_then_is_not_after_now() -> None:
    told = story()
    with pytest.raises(BadInput) as refused:
        then_and_now(told.record, "a", date(2021, 9, 3), told.record.head, 1)
    assert refused.value.field == "recorded"


# the other way round


class Indexed:
    """A folded record that can also be asked who refers to an id."""

    def __init__(self, record: Record) -> None:
        self.versions = record.versions
        self._all = list(record.every_version())

    def referring(self, facet: Facet, ref: str, /) -> list[Fact]:
        return [fact for fact in self._all if fact.facet == facet.name and fact.ref == ref]


def charges(found: list[Answered]) -> list[tuple[Any, ...]]:
    return [(f.person, f.holder.capacity, f.start.isoformat(), f.end.isoformat()) for f in found]


def crowd() -> Story:
    """Another auxiliary c in t, under the same bureau."""
    return story(
        act(AuxiliaryHired(person="c", unit="t", category="field"), "2019-01-01"),
        head("x", "2020-01-01"),
        paired("x", "2020-03-01"),
        *deputy("d", "2020-01-01", "b", units=["s", "t"]),
        *deputy("v", "2020-06-01", "t"),
        act(AuxiliaryTransferred(person="c", unit="s"), "2020-09-01"),
        act(AuxiliaryTransferred(person="a", unit="t"), "2020-10-01"),
    )


def test_an_officer_s_charges_on_a_day_are_listed_by_person() -> None:
    source = Indexed(crowd().record)

    day = charges(of_officer(source, "x", AsOf(date(2020, 9, 15), NOW)))
    assert day == [
        ("a", "supervisor", "2020-09-15", "2020-09-16"),
        ("a", "head", "2020-09-15", "2020-09-16"),
        ("c", "head", "2020-09-15", "2020-09-16"),
    ]


def test_an_officer_s_charges_over_a_period_end_with_their_ground() -> None:
    source = Indexed(crowd().record)
    year = (date(2020, 1, 1), date(2021, 1, 1), NOW)

    assert charges(of_officer_over(source, "x", *year)) == [
        ("a", "head", "2020-01-01", "2020-10-01"),
        ("a", "supervisor", "2020-03-01", "2020-10-01"),
        ("c", "head", "2020-09-01", "2021-01-01"),
    ]
    assert charges(of_officer_over(source, "d", *year)) == [
        ("a", "deputy", "2020-01-01", "2020-10-01"),
        ("c", "deputy", "2020-01-01", "2020-06-01"),
        ("c", "deputy", "2020-09-01", "2021-01-01"),
    ]
    assert of_officer_over(source, "z", *year) == []


def test_an_officer_s_charges_agree_with_the_answers_for_each_person() -> None:
    told = history()
    source = Indexed(told.record)

    for day in (date(2021, m, 15) for m in range(1, 13)):
        as_of = AsOf(day, NOW)
        named = {(h.officer, h.capacity) for h in answer(told.record, "a", as_of).named}
        listed = {
            (officer_, found.holder.capacity)
            for officer_ in ("x", "y", "z", "v", "d")
            for found in of_officer(source, officer_, as_of)
        }
        assert listed == named
