"""Entering: idempotency, claims, limits, groups, bulk loads, and what cannot be changed after."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4, uuid5

import psycopg
import pytest
from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery, DCBQueryItem

from domain.ledger import log as log_module
from domain.ledger.log import (
    Append,
    Claim,
    ClaimTaken,
    ClockBehind,
    ConditionFailed,
    EventIdKnown,
    EventLog,
    KeyReused,
    Malformed,
    NewEntry,
    TooLarge,
)


def entry(*tags, type_="T", data=b"x", event_id=None):
    return NewEntry(type_, tags, data, event_id)


def tagged(*tags, types=(), after=None):
    return DCBAppendCondition(DCBQuery([DCBQueryItem(list(types), list(tags))]), after)


def test_one_append_has_one_recorded_at_and_later_appends_later_ones(log):
    first = log.enter(Append([entry("a"), entry("b")]))
    second = log.enter(Append([entry("c")]))
    assert [e.recorded_at for e in log.entries()] == [first.recorded_at] * 2 + [second.recorded_at]
    assert second.recorded_at > first.recorded_at
    assert first.recorded_at.utcoffset() == timedelta(0)


def test_a_repeated_key_gives_the_first_answer(log):
    append = Append([entry("a")], key="k", request_hash=b"h")
    first = log.enter(append)
    log.enter(Append([entry("b")]))
    assert log.enter(append) == first._replace(replayed=True)
    assert log.answered("k", b"h") == first._replace(replayed=True)
    assert log.answered("other", b"h") is None
    assert log.head() == 2


def test_a_key_of_another_request_is_refused(log):
    log.enter(Append([entry("a")], key="k", request_hash=b"h"))
    with pytest.raises(KeyReused):
        log.enter(Append([entry("a")], key="k", request_hash=b"other"))
    with pytest.raises(KeyReused):
        log.answered("k", b"other")


def test_a_replay_passes_whatever_its_condition_says_now(log):
    append = Append([entry("a", event_id=uuid4())], tagged("a"))
    assert log.enter(append) == log.enter(append)._replace(replayed=False)


def test_event_ids_stored_otherwise_are_refused(log):
    ids = [uuid4() for _ in range(4)]
    log.enter(Append([entry(event_id=ids[0]), entry(event_id=ids[1])]))
    log.enter(Append([entry(event_id=ids[2])]))
    for wrong in ([0], [1], [1, 0], [1, 2], [0, 1, 2], [0, 3], [3, 2]):
        with pytest.raises(EventIdKnown):
            log.enter(Append([entry(event_id=ids[i]) for i in wrong]))
    assert log.by_event_id(ids) == {ids[0]: 1, ids[1]: 2, ids[2]: 3}


def test_concurrent_duplicates_are_stored_once(database):
    logs = [EventLog(database) for _ in range(2)]
    for number in range(10):
        by_key = Append([entry()], key=f"k{number}")
        by_id = Append([entry(event_id=uuid4()), entry(event_id=uuid4())])
        for append in (by_key, by_id):
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(lambda i, a=append: logs[i % 2].enter(a), range(8)))
            assert len({a[:3] for a in answers}) == 1
            assert sum(not a.replayed for a in answers) == 1
    assert logs[0].head() == 30
    for each in logs:
        each.close()


def test_a_claim_is_held_by_one_subject_until_replaced_or_released(log):
    log.enter(Append([entry()], claims=[Claim("number", "p1", b"1")]))
    with pytest.raises(ClaimTaken) as taken:
        log.enter(Append([entry()], claims=[Claim("number", "p2", b"1")]))
    assert (taken.value.kind, taken.value.holder) == ("number", "p1")
    log.enter(Append([entry()], claims=[Claim("number", "p1", b"2"), Claim("other", "p2", b"1")]))
    log.enter(Append([entry()], claims=[Claim("number", "p2", b"1")]))
    assert log.claimed("number", [b"1", b"2", b"3"]) == {b"1": "p2", b"2": "p1"}
    log.enter(Append([entry()], claims=[Claim("number", "p1", None)]))
    assert log.claimed("number", [b"1", b"2"]) == {b"1": "p2"}


def test_two_subjects_may_swap_claims_in_one_append(log):
    log.enter(Append([entry()], claims=[Claim("n", "p1", b"1"), Claim("n", "p2", b"2")]))
    log.enter(Append([entry()], claims=[Claim("n", "p1", b"2"), Claim("n", "p2", b"1")]))
    assert log.claimed("n", [b"1", b"2"]) == {b"1": "p2", b"2": "p1"}


def test_two_subjects_cannot_claim_one_value_in_one_append(log):
    with pytest.raises(ClaimTaken) as taken:
        log.enter(Append([entry()], claims=[Claim("n", "p1", b"1"), Claim("n", "p2", b"1")]))
    assert (taken.value.kind, taken.value.holder, log.head()) == ("n", "p1", 0)


def test_a_load_frees_and_takes_claims_in_its_order(log):
    log.enter(Append([entry()], claims=[Claim("n", "p1", b"1")]))
    moves = [Claim("n", "p1", b"9"), Claim("n", "p2", b"1"), Claim("n", "p3", b"9")]
    loading = log.load(Append([entry()], claims=[claim]) for claim in moves)
    with pytest.raises(ClaimTaken) as taken:
        list(loading)
    assert taken.value.holder == "p1"
    assert log.claimed("n", [b"1", b"9"]) == {b"1": "p2", b"9": "p1"}
    assert log.head() == 3


@pytest.mark.parametrize(
    ("append", "field"),
    [
        (Append([]), "entries"),
        (Append([entry("")]), "entries[0].tags"),
        (Append([entry(), entry("a\x1fb")]), "entries[1].tags"),
        (Append([entry("\ud800")]), "entries[0].tags"),
        (Append([entry(type_="")]), "entries[0].type"),
        (Append([entry(event_id=uuid4()), entry()]), "event_id"),
        (Append([entry(event_id=UUID(int=1)), entry(event_id=UUID(int=1))]), "event_id"),
        (Append([entry()], key="a\0b"), "key"),
        (Append([entry()], claims=[Claim("n", "p", b"1"), Claim("n", "p", b"2")]), "claims"),
    ],
)
def test_what_cannot_be_stored_is_refused_naming_the_field(log, append, field):
    with pytest.raises(Malformed) as malformed:
        log.enter(append)
    assert malformed.value.field == field
    assert log.head() == 0


def test_limits(log):
    with pytest.raises(TooLarge):
        log.enter(Append([entry()] * 10_001))
    with pytest.raises(TooLarge):
        log.enter(Append([entry(data=bytes(65_536))]))
    assert log.enter(Append([entry(data=bytes(65_000))])).last == 1


def test_a_clock_behind_the_log_refuses_but_still_answers_replays(database, monkeypatch):
    alarms = []
    monkeypatch.setattr(log_module._logger, "critical", lambda *a, **_: alarms.append(a))
    log = EventLog(database)
    append = Append([entry(event_id=uuid4())])
    log.enter(append)
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO ledger_entries VALUES (2, now() + interval '1 minute', 'T', '{}', '')"
        )
    with pytest.raises(ClockBehind):
        log.enter(Append([entry()]))
    assert log.enter(append).replayed
    assert log.head() == 2
    assert alarms
    log.close()


def test_a_clock_a_little_behind_still_stamps_later(log, database):
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO ledger_entries VALUES (1, now() + interval '3 seconds', 'T', '{}', '')"
        )
    appended = log.enter(Append([entry()]))
    assert appended.recorded_at == log.recorded_at(1) + timedelta(microseconds=1)


def test_a_refused_request_of_a_group_leaves_the_others_unharmed(log):
    with ThreadPoolExecutor(16) as pool:
        tasks = [
            pool.submit(log.enter, Append([entry(f"n:{i % 40}")], tagged(f"n:{i % 40}")))
            for i in range(400)
        ]
        errors = [task.exception() for task in tasks]
    assert sum(error is None for error in errors) == 40
    assert all(error is None or isinstance(error, ConditionFailed) for error in errors)
    assert sorted(e.tags[0] for e in log.entries()) == sorted(f"n:{i}" for i in range(40))


def test_a_failing_request_of_a_group_fails_alone(log):
    far = Append([entry()], tagged("a", after=1 << 70))
    with ThreadPoolExecutor(8) as pool:
        tasks = [
            pool.submit(log.enter, far if i % 8 == 0 else Append([entry()])) for i in range(80)
        ]
        assert sum(task.exception() is None for task in tasks) == 70
    assert log.head() == 70


def _requests():
    for number in range(300):
        ids = [uuid5(UUID(int=7), f"{number}.{i}") for i in range(1 + number % 5)]
        after = number and number - 1
        yield Append(
            [
                entry(f"p:{number % 50}", "all", type_=f"T{i}", event_id=x)
                for i, x in enumerate(ids)
            ],
            tagged(f"p:{number % 50}", types=["T9"], after=after),
            key=f"k{number}",
            claims=[Claim("n", f"p:{number % 50}", b"%d" % number)],
        )


def test_load_stores_what_enter_stores(log, database):
    other = EventLog(database, prefix="other_")
    one_by_one = [log.enter(append) for append in _requests()]
    loaded = list(other.load(_requests()))
    assert [a[:2] for a in loaded] == [a[:2] for a in one_by_one]
    contents = [[(e.position, *e[2:]) for e in each.entries()] for each in (log, other)]
    assert contents[0] == contents[1]
    with psycopg.connect(database) as connection:
        for table in ("tags", "event_ids", "claims", "requests"):
            query = "SELECT * FROM {}{} t ORDER BY t"
            ours, theirs = (
                connection.execute(query.format(prefix, table)).fetchall()
                for prefix in ("ledger_", "other_")
            )
            assert ours == theirs
            assert ours
    other.close()


def test_a_load_gives_each_append_its_own_recorded_at_and_stops_at_a_refusal(log):
    appends = [
        Append([entry("a")]),
        Append([entry("b"), entry("b")]),
        Append([entry("c")], tagged("b", after=1)),
        Append([entry("d")]),
    ]
    loading = log.load(appends)
    assert [next(loading)[:2], next(loading)[:2]] == [(1, 1), (2, 3)]
    with pytest.raises(ConditionFailed) as failed:
        next(loading)
    assert failed.value.position == 2
    stamps = [e.recorded_at for e in log.entries()]
    assert stamps == sorted(stamps)
    assert len(set(stamps)) == 2
    assert log.head() == 3


def test_an_append_larger_than_a_group_is_whole(log):
    big = Append([entry(f"n:{i}", event_id=uuid4()) for i in range(3_000)])
    assert log.enter(big)[:2] == (1, 3_000)
    assert log.enter(big).replayed
    with pytest.raises(ConditionFailed):
        log.enter(Append([entry()] * 3_000, tagged("n:2999")))
    assert log.head() == 3_000


def test_a_large_condition_over_few_later_entries_is_decided_right(log):
    log.enter(Append([entry(f"p:{i}") for i in range(400)]))
    items = [DCBQueryItem(types=["T", "U"], tags=[f"p:{i}"]) for i in range(400)]
    unrelated = [DCBQueryItem(types=["U"], tags=[f"p:{i}"]) for i in range(400)]
    log.enter(Append([entry("p:7", type_="X"), entry("q")]))
    for query in (items, unrelated):
        log.enter(Append([entry("z")], DCBAppendCondition(DCBQuery(query), 400)))
    with pytest.raises(ConditionFailed) as failed:
        log.enter(Append([entry("z")], DCBAppendCondition(DCBQuery(items), 395)))
    assert failed.value.position == 396
    typed = [*unrelated, DCBQueryItem(types=["X"])]
    with pytest.raises(ConditionFailed) as failed:
        log.enter(Append([entry("z")], DCBAppendCondition(DCBQuery(typed), 400)))
    assert failed.value.position == 401


LOADER = """
import sys, uuid
from domain.ledger.log import Append, EventLog, NewEntry
log = EventLog(sys.argv[1])
def appends():
    for number in range(40_000):
        yield Append([NewEntry("T", [f"p:{number}"], b"x" * 100, uuid.UUID(int=number + 1))])
for appended in log.load(appends()):
    pass
print(log.head())
"""


def test_a_load_killed_in_the_middle_is_resumed_exactly_once(database):
    command = [sys.executable, "-c", LOADER, database]
    log = EventLog(database)
    loader = subprocess.Popen(command, stdout=subprocess.PIPE)
    while log.head() == 0 and loader.poll() is None:
        time.sleep(0.01)
    loader.kill()
    loader.communicate()
    assert 0 < log.head() < 40_000
    subprocess.run(command, check=True, capture_output=True)
    assert log.head() == 40_000
    assert [e.tags for e in log.entries()] == [[f"p:{i}"] for i in range(40_000)]
    log.close()


@pytest.mark.parametrize("table", ["entries", "entries_000000", "tags", "event_ids", "requests"])
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE {} SET {} = {}",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "SET session_replication_role = replica; DELETE FROM {}",
    ],
)
def test_b17_what_is_entered_cannot_be_changed_even_by_a_superuser(log, database, table, change):
    log.enter(Append([entry("a", event_id=uuid4())], key="k"))
    column = {"event_ids": "position", "requests": "first"}.get(table, "type")
    with (
        psycopg.connect(database, autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(change.format(f"ledger_{table}", column, column))
    assert log.head() == 1


def test_b17_partitions_made_later_are_protected_too(database):
    log = EventLog(database, prefix="small_", partition_size=10)
    log.enter(Append([entry("a")] * 35))
    with psycopg.connect(database, autocommit=True) as connection:
        names = [
            n
            for (n,) in connection.execute(
                "SELECT relid::regclass::text FROM pg_partition_tree('small_entries') WHERE isleaf"
            )
        ]
        assert len(names) == 5
        for name in names:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"DELETE FROM {name}")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"TRUNCATE {name}")
    log.close()


def test_position_at_counts_what_was_recorded_by_an_instant(log):
    assert log.position_at(datetime.now(UTC)) == 0
    appended = [log.enter(Append([entry()] * 3)) for _ in range(20)]
    microsecond = timedelta(microseconds=1)
    for each in appended:
        assert log.position_at(each.recorded_at) == each.last
        assert log.position_at(each.recorded_at - microsecond) == each.first - 1
    assert log.position_at(datetime.now(UTC)) == 60
    with pytest.raises(Malformed):
        log.position_at(datetime(2026, 1, 1))  # noqa: DTZ001


def test_position_at_waits_for_an_append_under_way(log, database):
    """An append that is stamped already but not yet seen must count."""
    with psycopg.connect(database) as writer, ThreadPoolExecutor() as pool:
        writer.execute(
            "SELECT ledger_append('{1}', '{1}', '{0}', '{0}', '{0}', '{0}', NULL, NULL, '{1}',"
            " '{T}', '{a}', '{x}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,"
            " NULL, false)"
        )
        asked = pool.submit(log.position_at, datetime.now(UTC))
        time.sleep(0.2)
        assert not asked.done()
        assert log.head() == 0
        writer.commit()
        assert asked.result() == 1


def test_appends_that_wait_for_the_lock_are_all_stored(log):
    """A group that cannot be sent yet loses nobody, and the lead passes on."""
    with psycopg.connect(log.conninfo) as holder:
        holder.execute(
            "SELECT pg_advisory_xact_lock('pg_class'::regclass::oid::int,"
            " 'ledger_entries'::regclass::oid::int)"
        )
        threads = [threading.Thread(target=log.enter, args=[Append([entry()])]) for _ in range(20)]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join(10)
    assert log.head() == 20


def test_an_entry_alone_is_refused_replayed_and_given_partitions_as_in_a_group(database):
    log = EventLog(database, prefix="alone_", partition_size=200)
    for number in range(1, 411):
        named = Append([entry("b", "a", "b", event_id=uuid4())], tagged(f"c{number}"), f"k{number}")
        first = log.enter(named)
        assert (first.first, first.last, first.replayed) == (number, number, False)
        assert log.enter(named) == first._replace(replayed=True)
        with pytest.raises(ConditionFailed) as refused:
            log.enter(Append([entry("b")], tagged("b", types=["Other", "T"], after=number - 1)))
        assert refused.value.position == number
    with pytest.raises(KeyReused):
        log.enter(named._replace(request_hash=b"other"))
    found = log.entries(tagged("b").fail_if_events_match)
    assert [(e.position, e.tags) for e in found] == [(n, ["b", "a", "b"]) for n in range(1, 411)]
    assert log.enter(Append([entry(type_="U", data=b"")])).first == 411
    assert [(e.type, e.tags, e.data) for e in log.entries(after=410)] == [("U", [], b"")]
    log.close()
