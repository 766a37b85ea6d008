"""The library's contract, its in-memory recorder as an oracle, and its own runners on our log."""

import json
from dataclasses import dataclass
from typing import ClassVar

import psycopg
import pytest
from eventsourcing.dcb import persistence
from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.dcb.application import DCBApplication
from eventsourcing.dcb.domain import Decision, Tagged
from eventsourcing.dcb.popo import InMemoryDCBRecorder
from eventsourcing.dcb.tests import DCBRecorderTestCase
from eventsourcing.persistence import IntegrityError
from eventsourcing.popo import POPOTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.utils import get_topic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.ledger.appends import Append, Appended, NewEntry, Prepared
from domain.ledger.log import EventLog


def test_dcb_recorder_contract_append_read(log):
    DCBRecorderTestCase()._test_append_read(log)


def test_dcb_recorder_contract_append_subscribe(log):
    DCBRecorderTestCase()._test_append_subscribe(log)


TAGS = st.lists(st.sampled_from("abc"), max_size=3)
TYPES = st.lists(st.sampled_from("TUV"), max_size=2)
EVENTS = st.lists(
    st.builds(DCBEvent, st.sampled_from("TUV"), st.binary(max_size=2), TAGS),
    min_size=1,
    max_size=4,
)
QUERIES = st.builds(DCBQuery, st.lists(st.builds(DCBQueryItem, TYPES, TAGS), max_size=3))
AFTERS = st.none() | st.integers(0, 12)
REQUESTS = st.tuples(EVENTS, st.none() | st.builds(DCBAppendCondition, QUERIES, AFTERS))
READS = st.tuples(QUERIES | st.none(), AFTERS, st.none() | st.integers(0, 6))
OPERATIONS = st.lists(
    st.tuples(st.just("together"), st.lists(REQUESTS, min_size=1, max_size=6))
    | st.tuples(st.just("read"), READS),
    max_size=8,
)


@pytest.fixture(scope="module", params=[5, 5_000])  # in 5,000 most go the straight line
def small_partitions(server, request):
    log = EventLog(server.conninfo(f"differential_{request.param}"), partition_size=request.param)
    yield log
    log.close()


def _empty(log):
    with psycopg.connect(log.conninfo) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT relid::regclass::text FROM pg_partition_tree('ledger_entries')"
            )
        ] + ["ledger_tags"]
        for table in tables:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER deny_change")
        connection.execute("TRUNCATE ledger_entries, ledger_tags")
        for table in tables:
            connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER deny_change")


def _answer(oracle, events, condition):
    try:
        return oracle.append(events, condition)
    except IntegrityError:
        return "refused"


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(operations=OPERATIONS)
def test_differs_nowhere_from_the_in_memory_recorder(small_partitions, operations):
    log, oracle = small_partitions, InMemoryDCBRecorder()
    _empty(log)
    for kind, what in operations:
        if kind == "together":
            group = [
                Prepared.of(Append([NewEntry(e.type, e.tags, e.data) for e in events], condition))
                for events, condition in what
            ]
            answers = [a.last if isinstance(a, Appended) else "refused" for a in log._send(group)]
            assert answers == [_answer(oracle, *request) for request in what]
        else:
            query, after, limit = what
            ours = log.read(query, after=after, limit=limit)
            theirs = oracle.read(query, after=after, limit=limit)
            assert list(ours) == list(theirs)
            assert ours.head == theirs.head
    assert list(log.read()) == list(oracle.read())


@dataclass(frozen=True)
class Counted(Decision):
    amount: int


class JsonMapper(persistence.DCBMapper[Counted]):
    def to_dcb_event(self, event):
        return DCBEvent(
            get_topic(Counted), json.dumps(event.decision.amount).encode(), list(event.tags)
        )

    def to_domain_event(self, event):
        return Tagged(event.tags, Counted(json.loads(event.data)))


class Counting(DCBApplication):
    env: ClassVar = {
        "PERSISTENCE_MODULE": "domain.ledger.persistence",
        "MAPPER_TOPIC": get_topic(JsonMapper),
    }

    def count(self, amount):
        return self.events.append([Tagged(["counter"], Counted(amount))])


class TotalView(POPOTrackingRecorder):
    total = 0


class Total(Projection[TotalView]):
    topics = (get_topic(Counted),)

    def process_event(self, domain_event, tracking):
        self.view.total += domain_event.decision.amount
        self.view.insert_tracking(tracking)


def test_the_librarys_application_and_projection_runner_run_on_the_log(database):
    env = {"LEDGER_CONNINFO": database, "TOTAL_PERSISTENCE_MODULE": "eventsourcing.popo"}
    with ProjectionRunner(
        application_class=Counting, projection_class=Total, view_class=TotalView, env=env
    ) as runner:
        last = [runner.app.count(amount) for amount in (1, 20, 300)][-1]
        runner.wait(last, timeout=10)
        assert runner.projection.view.total == 321
    with Counting(env) as app:
        assert [t.decision.amount for t in app.events.read()] == [1, 20, 300]
        assert app.events.read().head == 3


def test_a_refused_append_is_the_librarys_integrity_error(log):
    event = DCBEvent("T", b"", ["a"])
    log.append([event])
    with pytest.raises(IntegrityError):
        log.append([event], DCBAppendCondition(DCBQuery([DCBQueryItem(tags=["a"])])))
    assert log.head() == 1
