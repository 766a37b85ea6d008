"""What is stored with a decision, and which position a point of the recorded axis stands for."""

from datetime import UTC, date, datetime, timedelta, timezone

import orjson
import psycopg
import pytest

from domain.acts.exit import AuxiliaryResigned
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired, AuxiliaryRehired
from domain.acts.rewards import RewardGranted
from domain.acts.units import UnitEstablished
from domain.events import FACETS, Actor, Document
from domain.ledger import Ledger, Request
from domain.record import types_touching
from domain.refusals import BadInput, BeyondHead
from tests.given import act

SECOND, TICK = timedelta(seconds=1), timedelta(microseconds=1)


def registered(*people):
    return Request([act(PersonRegistered(person=p)) for p in people])


@pytest.fixture(scope="module")
def ledger(common_bureau):
    """Positions 1, 2 to 4 (one batch) and 5; what a test adds comes after."""
    for request in (registered("a"), registered("b", "c", "d"), registered("e")):
        common_bureau.ledger.enter(request)
    return common_bureau.ledger


def stamp(ledger, position):
    return ledger.log.recorded_at(position)


# what is stored with a decision


def test_the_premise_names_the_strands_the_span_of_days_and_the_position_it_rests_on(ledger):
    ledger.enter(Request([act(UnitEstablished(unit="u1", name="所"), "2020-01-01")]))
    ledger.enter(
        Request([act(AuxiliaryHired(person="a", unit="u1", category="field"), "2020-02-01")])
    )
    ledger.enter(Request([act(AuxiliaryResigned(person="a"), "2021-01-01")]))
    # that the person is registered is asked for any day, here 2022-01-04
    back = AuxiliaryRehired(person="a", unit="u1", category="field")
    done = ledger.enter(Request([act(back, "2022-01-01")]))
    premise = ledger.entry(done.entries[0].event_id).envelope["premise"]
    assert premise["at"] == done.position - 1
    assert {"service@person:a", "person@person:a", "unit-state@unit:u1"} <= set(premise["reads"])
    assert (premise["from"], premise["to"]) == ("2020-02-01", "2022-01-04")


def test_the_append_is_conditioned_on_every_strand_of_its_premise_and_on_the_law(ledger):
    decided = ledger.preview(Request([act(RewardGranted(person="a", kind="merit"))]))
    condition = decided.append.condition
    assert condition.after == ledger.log.head()
    items = [(item.types, item.tags) for item in condition.fail_if_events_match.items]
    [entry] = decided.append.entries
    reads = [read.split("@") for read in orjson.loads(entry.data)["premise"]["reads"]]
    assert ["rewards", "person:a"] in reads or ["person", "person:a"] in reads
    for facet, subject in reads:
        strand, whole = (types_touching(FACETS[facet]), [subject]), ([], [subject])
        assert strand in items or whole in items
    assert (["CalendarPublished", "PackPublished"], []) in items


def test_acts_of_one_request_share_a_batch_a_moment_and_what_was_said_of_all(ledger):
    request = registered("x", "y")._replace(
        actor=Actor(subject="c9"), document=Document(none_because="口头"), request_id="r1",
        standing="u1",
    )  # fmt: skip
    first, second = (ledger.entry(e.event_id) for e in ledger.enter(request).entries)
    assert first.recorded_at == second.recorded_at
    for entry in (first, second):
        assert entry.envelope["batch"] == first.id
        assert entry.envelope["actor"]["subject"] == "c9"
        assert entry.envelope["document"] == {"none_because": "口头"}
        assert (entry.envelope["request_id"], entry.envelope["standing"]) == ("r1", "u1")
        assert entry.mood == "ordered"
    alone = ledger.entry(ledger.enter(registered("z")).entries[0].event_id)
    assert "batch" not in alone.envelope


# points of the recorded axis


@pytest.mark.parametrize("latest", [None, "", "latest"])
def test_nothing_said_means_the_latest(ledger, latest):
    head = ledger.log.head()
    assert ledger.moment(latest) == (head, stamp(ledger, head))


@pytest.mark.parametrize("asked", [3, "3", "pos:3"])
def test_a_position_inside_a_batch_stands_for_itself(ledger, asked):
    assert ledger.moment(asked) == (3, stamp(ledger, 4))


def test_before_the_first_entry_there_is_no_moment(ledger):
    assert ledger.moment(0) == (0, None)
    assert ledger.moment(stamp(ledger, 1) - TICK) == (0, None)


def test_an_instant_stands_for_the_last_position_recorded_by_then(ledger):
    batch = stamp(ledger, 2)
    assert ledger.moment(batch).position == 4
    assert ledger.moment(batch - TICK).position == 1
    shanghai = batch.astimezone(timezone(timedelta(hours=8)))
    assert ledger.moment(shanghai.isoformat()).position == 4
    assert ledger.moment(batch.strftime("%Y-%m-%dT%H:%M:%S.%fZ")).position == 4


def test_a_day_ends_at_midnight_in_shanghai(bureau):
    evening = datetime(2026, 3, 1, 15, 59, 59, 999_999, tzinfo=UTC)
    with psycopg.connect(bureau.database) as connection:
        for position, instant in enumerate((evening, evening + TICK), 1):
            connection.execute(
                "INSERT INTO ledger_entries VALUES (%s, %s, 'T', '{}', '')", (position, instant)
            )
    ledger = Ledger(bureau.ledger.log, bureau.ledger.vault, lambda: evening + 2 * SECOND)
    assert ledger.today() == date(2026, 3, 2)
    assert ledger.moment(date(2026, 2, 28)).position == 0
    assert ledger.moment(date(2026, 3, 1)).position == 1
    assert ledger.moment("2026-03-02").position == 2


@pytest.mark.parametrize("asked", [1_000, "pos:1000", "2999-01-01", "2999-01-01T00:00:00+08:00"])
def test_beyond_the_head_is_refused(ledger, asked):
    with pytest.raises(BeyondHead) as refused:
        ledger.moment(asked)
    assert refused.value.field == "recorded"


@pytest.mark.parametrize("asked", [-1, "-1", "yesterday", "2026-02-30", "2026-01-01T00:00:00", "²"])
def test_what_is_no_point_of_the_axis_is_refused(ledger, asked):
    with pytest.raises(BadInput) as refused:
        ledger.moment(asked)
    assert refused.value.field == "recorded"


def test_the_answer_to_an_instant_that_has_passed_never_changes(ledger):
    instant = stamp(ledger, 5) + TICK
    before = ledger.moment(instant)
    ledger.enter(registered("later"))
    assert ledger.moment(instant) == before
