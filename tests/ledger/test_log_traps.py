"""The twenty faults found in other logs (B1 to B20), each shown to be absent here.

B8, B9 and B10 (costs) in test_log_plans.py, B17 (what is entered stays) in test_log_writing.py.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery, DCBQueryItem

from domain.ledger import log as log_module
from domain.ledger import news
from domain.ledger.log import Append, Busy, Claim, ConditionFailed, EventLog, NewEntry

APPEND_IN_FLIGHT = """
SELECT ledger_append('{1}', '{1}', '{0}', '{0}', '{0}', '{0}', NULL, NULL,
    '{1}', '{Dismissed}', '{officer:1}', '{x}', NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, false)
"""


def entry(*tags, type_="T"):
    return NewEntry(type_, tags, b"x")


def query(*items):
    return DCBQuery([DCBQueryItem(types=list(types), tags=list(tags)) for types, tags in items])


def positions(log, *items, **span):
    return [e.position for e in log.entries(query(*items), **span)]


@contextmanager
def following(log, **arguments):
    """The positions a follower receives, as a growing list."""
    got, stop = [], threading.Event()

    def run():
        for batch in log.follow(stop=stop, **arguments):
            got.extend(e.position for e in batch)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield got
    finally:
        stop.set()
        thread.join()


def eventually(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def terminate_others(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_b1_a_later_append_never_becomes_visible_before_an_earlier_one(log, database):
    with (
        psycopg.connect(database) as slow,
        ThreadPoolExecutor() as pool,
        following(log) as got,
    ):
        slow.execute(APPEND_IN_FLIGHT)
        second = pool.submit(log.enter, Append([entry("b")]))
        time.sleep(0.2)
        assert not second.done()
        assert got == []
        slow.commit()
        assert second.result().first == 2
        assert eventually(lambda: got == [1, 2])


def test_b2_a_condition_sees_the_append_it_waited_for(log, database):
    decision = Append(
        [entry("officer:1", type_="Promoted")],
        DCBAppendCondition(query(([], ["officer:1"])), after=log.head()),
    )
    with psycopg.connect(database) as slow, ThreadPoolExecutor() as pool:
        slow.execute(APPEND_IN_FLIGHT)
        decided = pool.submit(log.enter, decision)
        time.sleep(0.2)
        slow.commit()
        assert isinstance(decided.exception(), ConditionFailed)
    assert [e.type for e in log.entries()] == ["Dismissed"]


def test_b3_two_logs_share_a_schema_by_prefix(log, database):
    other = EventLog(database, prefix="reads_", partition_size=10)
    log.enter(Append([entry("a")]))
    other.enter(Append([entry("b")] * 15))
    assert log.enter(Append([entry("c")])).first == 2
    assert [e.tags for e in log.entries()] == [["a"], ["c"]]
    assert other.head() == 15
    with following(other, after=14) as got:
        assert eventually(lambda: got == [15])
    other.close()


def test_b4_limit_counts_events_not_matches(log):
    log.enter(Append([entry("a", "b")] * 30))
    items = [([], ["a"]), ([], ["b"]), (["T"], ["a", "b"])]
    assert positions(log, *items, limit=10) == list(range(1, 11))
    assert positions(log, *items) == list(range(1, 31))


def test_b5_a_subscription_with_overlapping_items_delivers_everything(log):
    log.enter(Append([entry("a", "b")] * 2_000))
    overlapping = query(([], ["a"]), ([], ["b"]))
    with log.subscribe(overlapping) as subscription:
        assert [e.position for e in islice(subscription, 2_000)] == list(range(1, 2_001))


def test_b6_a_repeated_tag_in_a_query_is_one_tag(log):
    log.enter(Append([entry("a")]))
    assert positions(log, ([], ["a", "a"])) == [1]
    with pytest.raises(ConditionFailed):
        log.enter(Append([entry("x")], DCBAppendCondition(query(([], ["a", "a"])))))


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([(["T", "U"], [])], [1, 2]),
        ([(["T"], []), (["V"], [])], [1, 3]),
        ([(["T"], []), ([], ["c"])], [1, 3]),
        ([(["V", "U"], ["b"]), (["W"], [])], [2]),
        ([([], [])], [1, 2, 3]),
        ([], [1, 2, 3]),
        ([([], [""])], []),
        ([([], ["a\x1fb"]), (["\0"], [])], []),
    ],
)
def test_b7_every_query_is_answered(log, items, expected):
    log.enter(Append([entry("a", type_="T"), entry("a", "b", type_="U"), entry("c", type_="V")]))
    assert positions(log, *items) == expected
    conditional = Append([entry("x")], DCBAppendCondition(query(*items)))
    if expected:
        with pytest.raises(ConditionFailed) as failed:
            log.enter(conditional)
        assert failed.value.position == expected[0]
    else:
        log.enter(conditional)


def test_b11_reading_streams(log):
    log.enter(Append([entry("a")] * 9_000))
    response = log.read()
    assert response.head == 9_000
    assert next(response).position == 1
    pages = list(log.pages(None, until=9_000))
    assert len(pages[0]) <= 100
    assert max(map(len, pages)) <= log_module.LAST_PAGE
    assert sum(map(len, pages)) == 9_000


def test_b11_a_reader_holds_no_transaction_open(log, database):
    log.enter(Append([entry("a")] * 500))
    reading = log.entries()
    next(reading)
    with psycopg.connect(database) as connection:
        states = connection.execute(
            "SELECT state FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).fetchall()
    assert {state for (state,) in states} == {"idle"}
    assert sum(1 for _ in reading) == 499


def test_b12_maintenance_does_not_hold_up_appends(database):
    log = EventLog(database, prefix="small_", partition_size=100)
    log.enter(Append([entry("a")] * 10))
    # VACUUM, ANALYZE and CREATE INDEX CONCURRENTLY hold this lock for as long as they run
    with psycopg.connect(database) as maintenance:
        maintenance.execute(
            "LOCK TABLE small_entries, small_tags, small_event_ids, small_requests, small_claims"
            " IN SHARE UPDATE EXCLUSIVE MODE"
        )
        for _ in range(9):
            log.enter(Append([NewEntry("T", ["b"], b"", uuid4()) for _ in range(10)]))
        assert log.head() == 100
    log.enter(Append([entry("a")] * 250))
    assert log.head() == 350
    log.close()


def test_b12_vacuum_and_concurrent_indexes_run_beside_appends(log, database):
    stop, errors = threading.Event(), []

    def write():
        try:
            while not stop.is_set():
                log.enter(Append([entry("a")], DCBAppendCondition(query(([], ["b"])))))
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    with psycopg.connect(database, autocommit=True) as connection:
        for table in ("entries_000000", "tags"):
            connection.execute(f"VACUUM (ANALYZE) ledger_{table}")
            connection.execute(f"CREATE INDEX CONCURRENTLY ON ledger_{table} (type)")
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []


def test_b13_no_connection_of_the_log_waits_for_ever(log):
    log.enter(Append([entry("a")]))
    with log._pool.connection() as pooled:
        for connection in (pooled, log._writing()):
            [(timeout,)] = connection.execute("SHOW lock_timeout")
            assert timeout != "0"


def test_b13_an_unconditional_append_waits_no_longer_than_a_bounded_time(database, monkeypatch):
    monkeypatch.setitem(log_module._SETTINGS, "lock_timeout", "200ms")
    log = EventLog(database)
    with psycopg.connect(database) as holder:
        holder.execute(APPEND_IN_FLIGHT)
        with pytest.raises(Busy):
            log.enter(Append([entry("a")]))
    assert log.enter(Append([entry("a")])).first == 2
    log.close()


def test_b13_an_append_is_over_with_its_call(log, database):
    """No lock and no transaction of an append outlives it, so none can queue behind an idle one."""
    log.enter(Append([entry("a")]))
    list(log.load([Append([entry("a")])]))
    with psycopg.connect(database) as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        ).fetchone() == (0,)
        appended = connection.execute(
            "SELECT state FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND query LIKE '%append%'"  # the pool may be opening others
        ).fetchall()
        assert {*appended} == {("idle",)}


def test_b14_an_append_rings_outside_its_transaction(log, database):
    with (
        psycopg.connect(database, autocommit=True) as listener,
        psycopg.connect(database, autocommit=True) as writer,
    ):
        listener.execute(f'LISTEN "{log.channel}"')
        writer.execute(APPEND_IN_FLIGHT)
        assert list(listener.notifies(timeout=0.3, stop_after=1)) == []
        log.enter(Append([entry("a")]))
        assert len(list(listener.notifies(timeout=10, stop_after=1))) == 1


def test_b15_followers_survive_the_loss_of_every_connection(log, database):
    with following(log) as got, log.subscribe() as subscribed:
        log.enter(Append([NewEntry("T", [], b"", uuid4())]))
        assert eventually(lambda: got == [1])
        assert next(subscribed).position == 1
        terminate_others(database)
        log.enter(Append([NewEntry("T", [], b"", uuid4())]))
        assert eventually(lambda: got == [1, 2])
        assert next(subscribed).position == 2
        terminate_others(database)
        log.enter(Append([NewEntry("T", [], b"", uuid4())]))
        assert eventually(lambda: got == [1, 2, 3])


def test_b16_a_follower_listens_before_it_first_looks(log, monkeypatch):
    monkeypatch.setattr(news, "LOOK_SECONDS", 60)  # only a ring can wake it
    for number in range(1, 11):
        with log.subscribe(after=number - 1) as subscribed:
            appended = threading.Timer(0.005 * number, log.enter, [Append([entry("a")])])
            appended.start()
            assert next(subscribed).position == number
            appended.join()


def test_b18_an_entry_has_an_id_and_a_time_and_a_retry_stores_nothing(log):
    append = Append([NewEntry("T", ["a"], b"x", uuid4())])
    first = log.enter(append)
    assert log.enter(append) == first._replace(replayed=True)
    assert [e.recorded_at for e in log.entries()] == [first.recorded_at]


def test_b19_key_claims_and_entries_stand_or_fall_together(log):
    log.enter(Append([entry("a")]))
    refused = Append(
        [NewEntry("T", ["b"], b"", event_id := uuid4())],
        DCBAppendCondition(query(([], ["a"]))),
        key="k",
        claims=[Claim("number", "p", b"1")],
    )
    with pytest.raises(ConditionFailed):
        log.enter(refused)
    assert log.answered("k", None) is None
    assert log.claimed("number", [b"1"]) == {}
    assert log.by_event_id([event_id]) == {}
    assert log.head() == 1


def test_b20_no_foreign_key_is_checked_on_append(log, database):
    with psycopg.connect(database) as connection:
        foreign_keys = connection.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'f'"
        ).fetchall()
    assert foreign_keys == []
