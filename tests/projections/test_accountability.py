from datetime import date
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
from domain.events import Event, Facet
from domain.record import Record
from projections.accountability import (
    Answer,
    Line,
    answer,
    of_officer,
)
from tests.given import Story, act

NOW = FOREVER - 1


def story(*more: Any) -> Story:
    """City m over bureau b over stations s and t, and squad q in s; x, y, z officers of s, v of t,
    d of b; auxiliary a in s.
    """
    people = ("x", "y", "z", "v", "d", "a", "c")
    return Story().given(
        act(UnitEstablished(unit="m", name="市局", kind="bureau"), "2000-01-01"),
        act(UnitEstablished(unit="b", name="分局", kind="bureau", parent="m"), "2000-01-01"),
        act(UnitEstablished(unit="s", name="一所", parent="b"), "2000-01-01"),
        act(UnitEstablished(unit="t", name="二所", parent="b"), "2000-01-01"),
        act(UnitEstablished(unit="q", name="中队", parent="s"), "2000-01-01"),
        *(act(PersonRegistered(person=p), "2000-01-01") for p in people),
        *(officer(p, "s", "2010-01-01") for p in ("x", "y", "z")),
        officer("v", "t", "2010-01-01"),
        officer("d", "b", "2010-01-01"),
        act(AuxiliaryHired(person="a", unit="s", category="field"), "2019-01-01"),
        *more,
    )


class Indexed:
    """A folded record that can also be asked who refers to an id."""

    def __init__(self, record: Record) -> None:
        self.versions = record.versions
        self._all = list(record.every_version())

    def referring(self, facet: Facet, ref: str, /) -> list[Fact]:
        return [fact for fact in self._all if fact.facet == facet.name and fact.ref == ref]


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


def test_a_transfer_that_leaving_forestalled_makes_nobody_answer() -> None:
    told = story(
        head("v", "2020-01-01", "t"),
        act(AuxiliaryTransferred(person="a", unit="t"), "2021-06-01"),
        act(AuxiliaryResigned(person="a"), "2021-01-01"),
    )

    assert on(told, "2021-07-01").named == []
    assert of_officer(Indexed(told.record), "v", AsOf(date(2021, 7, 1), NOW)) == []


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
        act(DeputyHeadAppointed(unit="s", officer="x"), "2020-01-01", until="2020-06-01"),
        act(DeputyPortfolioAssigned(unit="s", officer="x", persons=["c"]), "2020-01-01"),
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


@pytest.mark.parametrize("suspended", ["2020-12-01", "2021-01-01"])
def test_a_pairing_attested_in_a_suspension_outlasts_its_extension(suspended: str) -> None:
    told = story(
        act(OfficerSuspended(person="z"), suspended, until="2021-02-01"),
        paired("z", "2021-01-01"),
        act(OfficerSuspended(person="z"), "2021-02-01"),
    )

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
