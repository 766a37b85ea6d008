"""The straight line stores what the general function stores, and groups answer every caller."""

import os
import signal
import subprocess
import sys
import threading
import time
from uuid import UUID

import psycopg
import pytest
from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery, DCBQueryItem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.ledger.appends import (
    Append,
    Appended,
    LogError,
    NewEntry,
    Prepared,
    answer,
    parameters,
    straight,
)
from domain.ledger.groups import Groups
from domain.ledger.log import EventLog

ENTRIES = st.lists(
    st.builds(
        NewEntry,
        st.sampled_from("TU"),
        st.lists(st.sampled_from("abcde"), max_size=3),
        st.binary(max_size=2),
        st.none(),
    ),
    min_size=1,
    max_size=3,
)
ITEMS = st.builds(
    DCBQueryItem,
    st.lists(st.sampled_from("TU"), max_size=2),
    st.lists(st.sampled_from("abcde"), min_size=1, max_size=1),
)
CONDITIONS = st.none() | st.builds(
    DCBAppendCondition, st.builds(DCBQuery, st.lists(ITEMS, min_size=1, max_size=2)),
    st.integers(0, 30),
)  # fmt: skip


@st.composite
def requests(draw):
    entries = draw(ENTRIES)
    if draw(st.booleans()):
        first = draw(st.integers(0, 12))
        entries = [e._replace(event_id=UUID(int=first + n)) for n, e in enumerate(entries)]
    key = draw(st.none() | st.sampled_from("kmn"))
    return Append(entries, draw(CONDITIONS), key, key and b"h" + bytes([draw(st.integers(0, 1))]))


@pytest.fixture(scope="module")
def pair(server):
    """Two logs of one schema: one as it is, one that is only written by the general function."""
    conninfo = server.conninfo("straight")
    logs = EventLog(conninfo, prefix="one_"), EventLog(conninfo, prefix="two_")
    yield logs
    for log in logs:
        log.close()


def emptied(log):
    tables = [f"{log.prefix}{name}" for name in ("entries", "tags", "event_ids", "requests")]
    with psycopg.connect(log.conninfo) as connection:
        for table in [*tables, f"{log.prefix}entries_000000", f"{log.prefix}entries_000001"]:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        connection.execute("TRUNCATE " + ", ".join(tables))
    log.enter(Append([NewEntry("First", [], b"")]))


def generally(log, group):
    with psycopg.connect(log.conninfo) as connection:
        rows = connection.execute(log._sql.append, parameters(group, halt=False), binary=True)
        return [answer(row) for row in rows]


def told(outcomes):
    return [
        (o.first, o.last, o.replayed) if isinstance(o, Appended) else (type(o), str(o))
        for o in outcomes
    ]


def stored(log):
    tables = {
        "entries": "position, type, tags, data",
        "tags": "tag, type, position",
        "event_ids": "event_id, position",
        "requests": "key, hash, first, last",
    }
    with psycopg.connect(log.conninfo) as connection:
        return [
            connection.execute(
                f"SELECT {columns} FROM {log.prefix}{name} ORDER BY {columns}"
            ).fetchall()
            for name, columns in tables.items()
        ]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(groups=st.lists(st.lists(requests(), min_size=1, max_size=4), max_size=5))
def test_both_ways_into_the_log_store_and_answer_the_same(pair, groups):
    for log in pair:
        emptied(log)
    for group in groups:
        prepared = []
        for request in group:
            try:
                prepared.append(Prepared.of(request))
            except LogError:
                continue
        if prepared:
            assert told(pair[0]._send(prepared)) == told(generally(pair[1], prepared))
    assert stored(pair[0]) == stored(pair[1])
    moments = [e.recorded_at for e in pair[0].entries()]
    assert moments == sorted(moments)


def test_each_append_of_a_group_has_a_moment_of_its_own(log):
    log.enter(Append([NewEntry("First", [], b"")]))
    group = [Prepared.of(Append([NewEntry("T", [f"n:{n}"], b"")] * 2)) for n in range(5)]
    assert straight(group) is not None
    answers = log._send(group)
    assert [(a.first, a.last) for a in answers] == [(2, 3), (4, 5), (6, 7), (8, 9), (10, 11)]
    assert [log.recorded_at(p) for a in answers for p in (a.first, a.last)] == [
        a.recorded_at for a in answers for _ in "12"
    ]
    assert len({a.recorded_at for a in answers}) == 5


def test_a_lone_append_with_all_it_can_carry_goes_the_straight_line(log):
    log.enter(Append([NewEntry("First", ["a"], b"")]))
    items = [DCBQueryItem(types=["T"], tags=["a"]), DCBQueryItem(tags=["b"])]
    entries = [
        NewEntry("T", ["a", "b"], b"\x00\xff", UUID(int=1)),
        NewEntry("T", [], b"", UUID(int=2)),
    ]
    full = Append(entries, DCBAppendCondition(DCBQuery(items)), "k", b"\x00h")
    plain = Append([NewEntry("T", [], b"")])
    group = [Prepared.of(full), Prepared.of(plain), Prepared.of(plain._replace(key="n"))]
    [one, two, three] = log._execute_straight(log._writing(), group)
    assert [(a.first, a.last) for a in (one, two, three)] == [(2, 3), (4, 4), (5, 5)]
    assert [tuple(e)[2:] for e in log.entries(after=1, until=3)] == [
        ("T", ["a", "b"], b"\x00\xff"), ("T", [], b""),
    ]  # fmt: skip
    assert log.by_event_id([UUID(int=2), UUID(int=1)]) == {UUID(int=1): 2, UUID(int=2): 3}
    assert log.answered("k", b"\x00h") == one._replace(replayed=True)
    assert log.answered("n", None) == three._replace(replayed=True)


def test_positions_stay_contiguous_where_partitions_begin(database):
    log = EventLog(database, partition_size=1_000)
    for start in range(0, 3_000, 7):
        log._send([Prepared.of(Append([NewEntry("T", [f"n:{start + n}"], b"")])) for n in range(7)])
    assert [e.position for e in log.entries()] == list(range(1, 3_004))
    log.close()


class Number(int):
    size = 1


@pytest.mark.parametrize("callers", [2, 5, 40])
def test_every_caller_gets_its_own_answer(callers):
    """Callers that stay, callers that pause and callers that leave early."""
    sizes = []

    def send(group):
        sizes.append(len(group))
        time.sleep(0.0002)
        return [prepared * 2 for prepared in group]

    groups, wrong = Groups(send), []

    def call(caller):
        for turn in range(0 if caller % 7 == 3 else 60):
            number = Number(caller * 1_000 + turn)
            if groups.enter(number) != number * 2:
                wrong.append(number)
            if (caller + turn) % 11 == 0:
                time.sleep(0.001)

    threads = [threading.Thread(target=call, args=[n], daemon=True) for n in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []
    assert sum(sizes) == 60 * sum(n % 7 != 3 for n in range(callers))
    assert max(sizes) > 1


INTERRUPTED = """
import signal, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell has it ignored
from contextlib import suppress
from domain.ledger.groups import Groups

class Number(int):
    size = 1

def send(group):
    time.sleep(0.0003)
    return list(group)

groups, over, done = Groups(send), threading.Event(), []

def call():
    while not over.is_set():
        with suppress(InterruptedError):  # who sent for this one too was interrupted
            groups.enter(Number(1))
        time.sleep(0.001)  # late: who leads lingers for it
    done.append(1)

threads = [threading.Thread(target=call, daemon=True) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(200):
    try:
        print("entering", flush=True)
        while True:
            groups.enter(Number(1))
    except KeyboardInterrupt:
        pass
over.set()
for thread in threads:
    thread.join(30)
print(len(done))
"""


def test_an_interrupted_caller_stops_no_other():
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            for turn in range(200):
                assert process.stdout.readline() == "entering\n"
                time.sleep(turn % 10 * 0.0003)
                os.kill(process.pid, signal.SIGINT)
            assert process.communicate(timeout=60)[0] == "3\n"
        finally:
            process.kill()


def test_a_ctrl_c_is_let_through_while_sending_and_no_other_caller_is_left_waiting():
    entered, answers = threading.Event(), []

    def send(group):
        entered.set()
        while len(groups._queue) < 1 and not answers:  # until another waits
            time.sleep(0.001)
        if not answers:
            answers.append("interrupted")
            signal.raise_signal(signal.SIGINT)
        return list(group)

    groups = Groups(send)

    def other():
        entered.wait()
        answers.append(groups.enter(Number(2)))

    thread = threading.Thread(target=other)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        groups.enter(Number(1))
    thread.join(30)
    assert answers == ["interrupted", 2]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


WAITING = """
import sys
from domain.ledger.log import Append, EventLog, NewEntry

log = EventLog(sys.argv[1])
entry = Append([NewEntry("T", [], b"")])
print(log.enter(entry).first, flush=True)
sys.stdin.readline()
try:
    log.enter(entry)
except KeyboardInterrupt:
    print("interrupted", flush=True)
sys.stdin.readline()
print(log.enter(entry).first, flush=True)
log.close()
"""


def test_who_waits_for_the_lock_can_be_interrupted_and_goes_on(database):
    with (
        psycopg.connect(database) as holder,
        subprocess.Popen(
            [sys.executable, "-c", WAITING, database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as process,
    ):  # fmt: skip

        def said():
            return process.stdout.readline()

        def go_on():
            process.stdin.write("\n")
            process.stdin.flush()

        assert said() == "1\n"
        holder.execute(
            "SELECT pg_advisory_xact_lock('pg_class'::regclass::oid::int,"
            " 'ledger_entries'::regclass::oid::int)"
        )
        go_on()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while holder.execute(waiting).fetchone() == (0,):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert said() == "interrupted\n"
        holder.rollback()
        go_on()
        assert said() == "2\n"
