from datetime import UTC, date, datetime
from typing import Any

import pytest

from domain.acts.exit import AuxiliaryResigned
from domain.acts.movement import AuxiliaryTransferred, SecondmentStarted
from domain.acts.officers import OfficerLeft
from domain.acts.recruitment import AuxiliaryHired
from domain.bitemporal import AsOf
from domain.events import Entry, FactAnnulled, Proposal, encode
from domain.refusals import BadInput
from projections.accountability import (
    Answered,
    answer,
    gaps,
    of_officer,
    of_officer_over,
    over,
    then_and_now,
)
from tests.given import Story, act
from tests.projections.test_accountability import (
    NOW,
    Indexed,
    deputy,
    head,
    on,
    paired,
    relieved,
    story,
)

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
        head("y", "2021-03-04", until="2021-05-01"),
        head("y", "2021-05-06"),
        act(OfficerLeft(person="z", kind="retired"), "2021-06-01"),
        act(AuxiliaryTransferred(person="a", unit="t"), "2021-09-01"),
        paired("v", "2021-10-01"),
    )


def test_a_period_is_cut_where_the_answer_changes_and_agrees_with_every_day() -> None:
    told = history()
    found = period(told, "2021-01-01", "2022-01-01")

    starts = [each.start.isoformat() for each in found]
    assert starts == [
        "2021-01-01", "2021-03-01", "2021-03-04", "2021-05-01", "2021-05-06", "2021-06-01",
        "2021-09-01", "2021-10-01",
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
        ("head", "2021-05-01", 5, "term-ended"),
        ("supervisor", "2021-06-01", 122, "officer-left"),
    ]


def test_what_is_not_recorded_and_time_out_of_service_are_no_gaps() -> None:
    told = story(head("x", "2020-01-01"), relieved("x", "2020-07-01"))
    told.given(act(AuxiliaryResigned(person="a"), "2020-07-11"))

    found = gaps(period(told, "2018-01-01", "2022-01-01"))
    assert [(gap.capacity, gap.days) for gap in found] == [("head", 10)]


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


def test_an_officer_of_the_host_or_above_a_squad_answers_too() -> None:
    told = story(
        *deputy("d", "2020-01-01", "b", units=["s"]),
        head("v", "2020-01-01", "t"),
        act(AuxiliaryHired(person="c", unit="q", category="field"), "2020-01-01"),
        act(SecondmentStarted(person="a", unit="t"), "2020-02-01"),
    )
    source, as_of = Indexed(told.record), AsOf(date(2020, 3, 1), NOW)

    assert [found.person for found in of_officer(source, "d", as_of)] == ["c"]
    assert [found.person for found in of_officer(source, "v", as_of)] == ["a"]


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
