from typing import Any

import pytest

from domain.acts.exit import LeftForPolice
from domain.acts.movement import SecondmentStarted
from domain.acts.officers import OfficerAppointed, OfficerLeft, OfficerOnLeave, OfficerSuspended
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.responsibility import (
    ACTING_DEPUTY,
    ACTING_HEAD,
    DEPUTY,
    PORTFOLIO,
    SUPERVISOR,
    UNIT_HEAD,
    ActingDeputyHeadAppointed,
    ActingDeputyHeadRelieved,
    ActingHeadAppointed,
    ActingHeadRelieved,
    DeputyHeadAppointed,
    DeputyHeadRelieved,
    DeputyPortfolioAssigned,
    SupervisingOfficerAssigned,
    SupervisingOfficerRelieved,
    UnitHeadAppointed,
    UnitHeadRelieved,
)
from domain.acts.units import HeadSeatsDeclared, UnitEstablished
from domain.law import Law, Pack, load_calendars
from domain.refusals import (
    AlreadyRecorded,
    BadInput,
    LawForbids,
    MissingField,
    NotInService,
    RecordForbids,
    UnknownFact,
    UnknownSubject,
)
from tests.given import Story, act

MOODS = ("ordered", "attested")
HEADS = [(UnitHeadAppointed, UNIT_HEAD), (ActingHeadAppointed, ACTING_HEAD)]
PRESENT = """
code = "330200"
zh = "某地"
en = "A place"
version = "1"

[[rule]]
id = "supervising-officer-present"
kind = "eligibility"
since = 2020-01-01
article = "3"
source = "a text [read]"
status = "in-force"
strength = "%s"
zh = "带辅民警应当在岗"
en = "The supervising officer is at the post"
values = { conditions = ["present"] }
"""


def story(*more: Any, law: Law | None = None) -> Story:
    """Bureau b over station s over squad q; station t; officers of s, and one of t."""
    people = [act(PersonRegistered(person=p), "2000-01-01") for p in ("x", "y", "z", "v", "a", "w")]
    return Story(law).given(
        act(UnitEstablished(unit="b", name="分局", kind="bureau"), "2000-01-01"),
        act(UnitEstablished(unit="s", name="一所", parent="b", division="330200"), "2000-01-01"),
        act(UnitEstablished(unit="t", name="二所", parent="b"), "2000-01-01"),
        act(UnitEstablished(unit="q", name="中队", parent="s"), "2000-01-01"),
        *people,
        *(act(OfficerAppointed(person=p, unit="s"), "2010-01-01") for p in ("x", "y", "z")),
        act(OfficerAppointed(person="v", unit="t"), "2010-01-01"),
        act(AuxiliaryHired(person="a", unit="s", category="field"), "2019-01-01"),
        *more,
    )


def head(officer: str, on: str, kind: Any = UnitHeadAppointed, **more: Any) -> Any:
    seat = {"seat": more.pop("seat")} if "seat" in more else {}
    return act(kind(unit="s", officer=officer, **seat), on, **more)


def holders(told: Story, facet: Any, on: str, key: str = "s") -> list[str]:
    return [value["officer"] for value in told.every(facet, key, on)]


# head seats


@pytest.mark.parametrize(("kind", "facet"), HEADS)
def test_an_officer_takes_a_seat_from_a_day_on(kind: Any, facet: Any) -> None:
    told = story().when(head("x", "2021-01-01", kind))

    assert holders(told, facet, "2020-12-31") == []
    assert holders(told, facet, "2021-01-01") == ["x"]


@pytest.mark.parametrize(
    ("kind", "relief", "facet"),
    [
        (UnitHeadAppointed, UnitHeadRelieved, UNIT_HEAD),
        (ActingHeadAppointed, ActingHeadRelieved, ACTING_HEAD),
    ],
)
def test_a_relieved_head_leaves_the_seat_to_a_successor_of_the_same_day(
    kind: Any, relief: Any, facet: Any
) -> None:
    told = story(head("x", "2020-01-01", kind))
    told.when(head("x", "2021-01-01", relief)).when(head("y", "2021-01-01", kind))

    assert holders(told, facet, "2020-12-31") == ["x"]
    assert holders(told, facet, "2021-01-01") == ["y"]


@pytest.mark.parametrize(("kind", "facet"), HEADS)
def test_a_held_seat_is_not_filled_by_order_but_an_overlap_may_be_attested(
    kind: Any, facet: Any
) -> None:
    told = story(head("x", "2020-01-01", kind))
    second = head("y", "2021-01-01", kind)
    told.refused(second, RecordForbids, field="seat")
    told.when(second, "attested")

    assert holders(told, facet, "2021-01-01") == ["x", "y"]


def test_relieving_the_later_of_two_leaves_the_earlier_in_the_seat() -> None:
    told = story(head("x", "2020-01-01"), head("y", "2021-01-01"))
    told.when(head("y", "2022-01-01", UnitHeadRelieved))

    assert holders(told, UNIT_HEAD, "2022-01-01") == ["x"]


def test_relieving_the_earlier_of_two_takes_naming_it() -> None:
    told = story(head("x", "2020-01-01"))
    first = told.id_of(told.record.head)
    told.given(head("y", "2021-01-01"))
    told.refused(head("x", "2021-03-01", UnitHeadRelieved), BadInput, field="ends")
    told.when(head("x", "2021-03-01", UnitHeadRelieved, ends=first))

    assert holders(told, UNIT_HEAD, "2021-02-28") == ["x", "y"]
    assert holders(told, UNIT_HEAD, "2021-03-01") == ["y"]


def test_a_seat_filled_from_a_later_day_is_free_only_until_then() -> None:
    told = story(head("x", "2021-06-01"))
    told.refused(head("y", "2021-01-01"), RecordForbids, field="seat")
    told.when(head("y", "2021-01-01", until="2021-06-01"))

    assert holders(told, UNIT_HEAD, "2021-05-31") == ["y"]
    assert holders(told, UNIT_HEAD, "2021-06-01") == ["x"]


def test_a_seat_promised_to_an_officer_who_is_yet_to_come_is_not_free_either() -> None:
    told = story(act(OfficerAppointed(person="x", unit="t"), "2021-06-01"))
    told.given(act(UnitHeadAppointed(unit="t", officer="x"), "2021-06-01"))
    open_ended = act(UnitHeadAppointed(unit="t", officer="v"), "2021-01-01")

    told.refused(open_ended, RecordForbids, field="seat")


def test_an_acting_head_stands_beside_the_head() -> None:
    told = story(head("x", "2020-01-01"))
    told.when(head("y", "2021-01-01", ActingHeadAppointed, until="2021-04-01"))

    assert holders(told, UNIT_HEAD, "2021-02-01") == ["x"]
    assert holders(told, ACTING_HEAD, "2021-02-01") == ["y"]
    assert holders(told, ACTING_HEAD, "2021-04-01") == []


def test_a_unit_with_declared_seats_has_a_head_in_each() -> None:
    told = story(act(HeadSeatsDeclared(unit="s", head_seats=["所长", "教导员"]), "2015-01-01"))
    told.when(head("x", "2020-01-01", seat="所长")).when(head("y", "2020-01-01", seat="教导员"))
    told.when(head("y", "2021-01-01", UnitHeadRelieved, seat="教导员"))

    assert holders(told, UNIT_HEAD, "2020-06-01") == ["x", "y"]
    assert holders(told, UNIT_HEAD, "2021-01-01") == ["x"]


@pytest.mark.parametrize("mood", MOODS)
def test_a_seat_that_the_unit_does_not_have_cannot_be_taken(mood: Any) -> None:
    told = story(act(HeadSeatsDeclared(unit="s", head_seats=["所长", "教导员"]), "2015-01-01"))

    told.refused(head("x", "2020-01-01"), BadInput, mood, field="seat")
    story().refused(head("x", "2020-01-01", seat="所长"), BadInput, mood, field="seat")


def test_the_seat_of_an_officer_who_has_moved_away_is_free() -> None:
    told = story(head("x", "2020-01-01"), act(OfficerAppointed(person="x", unit="t"), "2021-01-01"))
    told.when(head("y", "2021-01-01"))

    assert holders(told, UNIT_HEAD, "2021-01-01") == ["x", "y"]


def test_one_officer_does_not_take_a_seat_twice() -> None:
    told = story(head("x", "2020-01-01"))

    told.refused(head("x", "2021-01-01"), AlreadyRecorded, "attested", field="officer")


def test_nobody_is_relieved_of_a_seat_that_is_another_s_or_empty() -> None:
    relief = head("y", "2021-01-01", UnitHeadRelieved)

    story(head("x", "2020-01-01")).refused(relief, RecordForbids, field="officer")
    story().refused(relief, UnknownFact, field="ends")


def test_a_relief_of_one_seat_does_not_end_another() -> None:
    told = story(act(HeadSeatsDeclared(unit="s", head_seats=["所长", "教导员"]), "2015-01-01"))
    told.given(head("x", "2020-01-01", seat="教导员"))
    other = told.id_of(told.record.head)
    told.given(head("y", "2020-01-01", seat="所长"))
    relief = head("x", "2021-01-01", UnitHeadRelieved, seat="所长", ends=other)

    told.refused(relief, RecordForbids, field="officer")


def charges(officer: str) -> list[Any]:
    """Every way to give an officer a charge at station s."""
    return [
        UnitHeadAppointed(unit="s", officer=officer),
        ActingHeadAppointed(unit="s", officer=officer),
        DeputyHeadAppointed(unit="s", officer=officer),
        ActingDeputyHeadAppointed(unit="s", officer=officer),
        SupervisingOfficerAssigned(person="a", officer=officer),
    ]


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize(
    ("officer", "refusal"),
    [("nobody", UnknownSubject), ("w", RecordForbids), ("a", RecordForbids), ("v", RecordForbids)],
    ids=["unregistered", "no officer", "an auxiliary", "of another unit"],
)
def test_only_an_officer_of_the_unit_answers_for_it(officer: str, refusal: Any, mood: Any) -> None:
    told = story()

    for charge in charges(officer):
        told.refused(act(charge, "2021-01-01"), refusal, mood, field="officer")


def test_a_suspended_officer_is_given_no_charge_by_order_but_it_may_be_attested() -> None:
    for charge in charges("x"):
        told = story(act(OfficerSuspended(person="x"), "2020-12-01"))
        told.refused(act(charge, "2021-01-01"), RecordForbids, field="officer")
        told.when(act(charge, "2021-01-01"), "attested")

        assert told.findings == []


def test_an_officer_who_has_left_is_given_no_charge() -> None:
    told = story(act(OfficerLeft(person="x", kind="retired"), "2020-12-01"))

    for charge in charges("x"):
        told.refused(act(charge, "2020-12-01"), RecordForbids, "attested", field="officer")


# deputies


@pytest.mark.parametrize(
    ("kind", "relief", "facet"),
    [
        (DeputyHeadAppointed, DeputyHeadRelieved, DEPUTY),
        (ActingDeputyHeadAppointed, ActingDeputyHeadRelieved, ACTING_DEPUTY),
    ],
)
def test_a_unit_has_many_deputies_and_one_is_relieved_alone(
    kind: Any, relief: Any, facet: Any
) -> None:
    told = story(head("x", "2020-01-01", kind), head("y", "2020-01-01", kind))
    told.given(act(DeputyPortfolioAssigned(unit="s", officer="x", posts=["巡逻"]), "2020-01-01"))
    told.when(head("x", "2021-01-01", relief))

    assert holders(told, facet, "2020-12-31") == ["x", "y"]
    assert holders(told, facet, "2021-01-01") == ["y"]
    assert told.value(PORTFOLIO, "s", "2021-01-01", slot="x") is None


@pytest.mark.parametrize("kind", [DeputyHeadAppointed, ActingDeputyHeadAppointed])
def test_nobody_is_a_deputy_of_a_unit_twice_at_once(kind: Any) -> None:
    told = story(head("x", "2020-01-01", kind))

    told.refused(head("x", "2021-01-01", kind), AlreadyRecorded, "attested", field="officer")


def test_a_deputy_who_is_none_is_not_relieved() -> None:
    told = story(head("y", "2020-01-01", DeputyHeadAppointed))

    told.refused(head("x", "2021-01-01", DeputyHeadRelieved), UnknownFact, field="ends")


def test_a_later_portfolio_replaces_the_one_before() -> None:
    told = story(head("x", "2020-01-01", DeputyHeadAppointed))
    told.given(act(DeputyPortfolioAssigned(unit="s", officer="x", persons=["a"]), "2020-01-01"))
    told.when(act(DeputyPortfolioAssigned(unit="s", officer="x", units=["q"]), "2021-01-01"))

    assert told.value(PORTFOLIO, "s", "2020-06-01", "x") == {"officer": "x", "persons": ["a"]}
    assert told.value(PORTFOLIO, "s", "2021-01-01", "x") == {"officer": "x", "units": ["q"]}


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize(
    ("fields", "refusal", "field"),
    [
        ({"officer": "y", "posts": ["巡逻"]}, RecordForbids, "officer"),
        ({}, MissingField, "units"),
        ({"units": ["nowhere"]}, UnknownSubject, "units"),
        ({"units": ["t"]}, RecordForbids, "units"),
        ({"persons": ["nobody"]}, UnknownSubject, "persons"),
    ],
)
def test_a_portfolio_is_a_deputy_s_and_names_what_is_under_the_unit(
    fields: Any, refusal: Any, field: str, mood: Any
) -> None:
    told = story(head("x", "2020-01-01", DeputyHeadAppointed))
    portfolio = DeputyPortfolioAssigned(**{"unit": "s", "officer": "x", **fields})

    told.refused(act(portfolio, "2021-01-01"), refusal, mood, field=field)


# supervising officers


def paired(officer: str, on: str) -> Any:
    return act(SupervisingOfficerAssigned(person="a", officer=officer), on)


def test_a_pairing_takes_the_place_of_the_one_before() -> None:
    told = story(paired("x", "2020-01-01")).when(paired("y", "2021-01-01"))

    assert told.value(SUPERVISOR, "a", "2020-12-31") == {"officer": "x"}
    assert told.value(SUPERVISOR, "a", "2021-01-01") == {"officer": "y"}


def test_after_a_relief_nobody_leads_the_auxiliary() -> None:
    told = story(paired("x", "2020-01-01"), paired("y", "2021-01-01"))
    relief = SupervisingOfficerRelieved(person="a", officer="y")
    told.when(act(relief, "2021-06-01"))

    assert told.at(SUPERVISOR, "a", "2021-06-01").value is None


def test_only_the_officer_who_leads_is_relieved() -> None:
    told = story(paired("x", "2020-01-01"), paired("y", "2021-01-01"))
    relief = act(SupervisingOfficerRelieved(person="a", officer="x"), "2021-06-01")

    told.refused(relief, RecordForbids, field="officer")
    story().refused(relief, UnknownFact, field="ends")


def test_during_a_secondment_the_host_s_officers_lead() -> None:
    told = story(act(SecondmentStarted(person="a", unit="t"), "2021-01-01"))
    told.refused(paired("x", "2021-01-01"), RecordForbids, field="officer")
    told.when(paired("v", "2021-01-01"))

    assert told.value(SUPERVISOR, "a", "2021-01-01") == {"officer": "v"}


def test_nobody_leads_an_auxiliary_who_is_not_in_service() -> None:
    told = story(act(LeftForPolice(person="a"), "2021-01-01"))

    told.refused(paired("x", "2021-01-01"), NotInService, "attested", field="person")


def place(strength: str) -> Law:
    return Law([Pack.parse(PRESENT % strength)], load_calendars().values())


def test_an_officer_on_leave_leads_where_no_rule_forbids_it() -> None:
    told = story(act(OfficerOnLeave(person="x"), "2020-12-01")).when(paired("x", "2021-01-01"))

    assert told.findings == []


def test_an_officer_on_leave_is_found_where_a_rule_warns() -> None:
    told = story(act(OfficerOnLeave(person="x"), "2020-12-01"), law=place("warn"))
    told.when(paired("x", "2021-01-01"))
    assert told.rules_found() == {"supervising-officer-present"}

    told.when(paired("y", "2021-01-02"))
    assert told.findings == []


def test_an_officer_on_leave_is_refused_where_a_rule_blocks_and_found_when_attested() -> None:
    told = story(act(OfficerOnLeave(person="x"), "2020-12-01"), law=place("block"))
    on_leave = paired("x", "2021-01-01")
    told.refused(
        on_leave, LawForbids, field="officer", rule="supervising-officer-present", article="3"
    )
    told.when(on_leave, "attested")

    assert told.rules_found() == {"supervising-officer-present"}
