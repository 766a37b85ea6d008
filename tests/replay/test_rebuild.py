"""A rebuild stops nobody, loses nothing, and may die at any moment."""

import subprocess
import sys
import threading
from datetime import date

import pytest

from domain.acts.people import PersonRegistered
from domain.acts.rewards import REWARDS, RewardGranted
from domain.ledger import Request
from projections.runner import Lagging, Runner
from replay.rebuild import rebuild
from replay.verify import verify
from tests.given import act
from tests.histories import History, sample_steps

DAY = date(2022, 3, 1)


@pytest.fixture
def kept(bureau):
    """A history, the records up to date with it, and a person `busy`."""
    History(bureau.ledger).play(sample_steps(5))
    bureau.ledger.enter(Request([act(PersonRegistered(person="busy"))]))
    list(bureau.runner.catch_up())
    return bureau


def reward(bureau):
    receipt = bureau.ledger.enter(Request([act(RewardGranted(person="busy", kind="merit"), DAY)]))
    return receipt.position


def rewards(bureau):
    return len(bureau.records.versions(REWARDS, "person:busy"))


def rows(bureau):
    return list(bureau.records.every_version())


def test_a_rebuild_gives_the_same_rows_and_the_bookmark_of_the_head(kept):
    before = rows(kept)
    told = []
    done = rebuild(kept.runner, kept.database, told.append, processes=1)
    assert rows(kept) == before
    assert done == (kept.ledger.log.head(), len(before))
    assert kept.runner.position() == done.entries
    assert told[-1] == 1.0


def test_records_of_another_fold_are_made_anew(kept):
    before = rows(kept)
    with kept.pool.connection() as connection:
        connection.execute("UPDATE bookmarks SET fold = fold - 1")
        connection.execute("UPDATE records SET ref = NULL")
    opened = Runner(kept.ledger.log, kept.pool)
    assert opened.position() == 0
    list(opened.catch_up())
    assert rows(kept) == before


def test_a_rebuild_of_an_empty_ledger_is_empty(bureau):
    assert rebuild(bureau.runner, bureau.database) == (0, 0)


def test_a_rebuild_takes_in_what_the_records_had_not_and_mends_what_was_changed(kept):
    reward(kept)
    with kept.pool.connection() as connection:
        connection.execute("UPDATE records SET until = '2000-01-01'")
    rebuild(kept.runner, kept.database, processes=1)
    assert rewards(kept) == 1
    assert verify(kept.runner, kept.database).green


def test_following_goes_on_from_where_a_rebuild_ended(kept):
    rebuild(kept.runner, kept.database, processes=1)
    rebuild(kept.runner, kept.database, processes=1)
    reward(kept)
    list(kept.runner.catch_up())
    assert rewards(kept) == 1
    assert verify(kept.runner, kept.database).green


def test_entries_that_arrive_while_rebuilding_are_not_lost_and_nobody_waits(kept):
    stop = threading.Event()
    entered, seen = [], []

    def write():
        while not stop.is_set():
            entered.append(reward(kept))

    def read():
        while not stop.is_set():
            seen.append(rewards(kept))

    workers = [
        threading.Thread(target=write),
        threading.Thread(target=read),
        threading.Thread(target=kept.runner.follow, args=(stop,)),
    ]
    for worker in workers:
        worker.start()
    try:
        for _ in range(3):
            rebuild(kept.runner, kept.database, processes=1)
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert seen == sorted(seen), "a reader saw a fact and then no longer saw it"
    list(kept.runner.catch_up())
    assert rewards(kept) == len(entered) > 0
    assert verify(kept.runner, kept.database).green


def test_a_second_rebuild_waits_for_the_first(kept):
    reward(kept)
    pair = [
        threading.Thread(target=rebuild, args=(kept.runner, kept.database), kwargs={"processes": 1})
        for _ in range(2)
    ]
    for one in pair:
        one.start()
    for one in pair:
        one.join()
    assert rewards(kept) == 1
    assert verify(kept.runner, kept.database).green


# dying


SCRIPT = """
import sys, time
from pathlib import Path
from psycopg_pool import ConnectionPool
from domain import acts
from domain.ledger.log import EventLog
from projections import runner as running
from replay.rebuild import rebuild

acts.load()
what, database = sys.argv[1:]
pool = ConnectionPool(database, min_size=1, open=True)
runner = running.Runner(EventLog(database), pool)

def told(*_):
    print("under way", flush=True)
    if what == "rebuild":
        time.sleep(60)

if what == "rebuild":
    rebuild(runner, database, told, processes=1)
else:
    running.BATCH = 3
    for position in runner.catch_up():
        told()
"""


def kill_while(bureau, what, lines=1):
    """Start a process, wait until it says so often that it is under way, and kill it (-9)."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, what, bureau.database], stdout=subprocess.PIPE, text=True
    )
    try:
        for _ in range(lines):
            assert process.stdout.readline() == "under way\n"
    finally:
        process.kill()
        process.communicate()


def test_a_rebuild_killed_midway_leaves_the_live_table_and_its_bookmark(kept):
    before, bookmark = rows(kept), kept.runner.position()
    reward(kept)
    kill_while(kept, "rebuild")
    assert (rows(kept), kept.runner.position()) == (before, bookmark)
    list(kept.runner.catch_up())
    assert verify(kept.runner, kept.database).green
    rebuild(kept.runner, kept.database, processes=1)
    assert verify(kept.runner, kept.database).green


def test_a_runner_killed_midway_goes_on_from_its_bookmark(bureau):
    for seed in (6, 7):
        History(bureau.ledger).play(sample_steps(seed))
    for lines in (1, 2, 3):
        kill_while(bureau, "follow", lines)
    assert 18 <= bureau.runner.position() <= bureau.ledger.log.head()
    assert verify(bureau.runner, bureau.database).green
    list(bureau.runner.catch_up())
    assert verify(bureau.runner, bureau.database).green


# following


def test_two_runners_at_once_apply_each_entry_once(kept):
    stop = threading.Event()
    second = Runner(kept.ledger.log, kept.pool)
    followers = [threading.Thread(target=r.follow, args=(stop,)) for r in (kept.runner, second)]
    for follower in followers:
        follower.start()
    try:
        last = max(reward(kept) for _ in range(60))
        kept.runner.reach(last, timeout=30)
    finally:
        stop.set()
        for follower in followers:
            follower.join()
    assert rewards(kept) == 60
    assert verify(kept.runner, kept.database).green


def test_a_reader_is_told_when_the_records_lag(kept):
    position = reward(kept)
    assert kept.runner.lag() == 1
    with pytest.raises(Lagging) as lagging:
        kept.runner.reach(position, timeout=0.05)
    assert (lagging.value.position, lagging.value.reached) == (position, position - 1)
    list(kept.runner.catch_up(until=position + 100))
    kept.runner.reach(position)
    assert kept.runner.lag() == 0
