"""Many processes at once: followers miss nothing, and no accepted condition was wrong."""

import multiprocessing
import random
import threading
import time
from collections import defaultdict
from itertools import pairwise

from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery, DCBQueryItem

from domain.ledger.log import Append, ConditionFailed, EventLog, NewEntry

WRITERS, SECONDS = 8, 4.0
TAGS = [f"p:{i}" for i in range(12)]
TYPES = ["Hired", "Promoted", "Left"]


def write(conninfo, seed, start, results):
    """Two threads a process, so that groups form; half the appends are conditional."""
    log = EventLog(conninfo, create=False)
    accepted = []

    def run(rng):
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            count = rng.choice([1, 1, 1, 2, 5, 50])
            entries = [
                NewEntry(rng.choice(TYPES), rng.sample(TAGS, rng.randint(1, 2)), bytes(20))
                for _ in range(count)
            ]
            condition = None
            if rng.random() < 0.5:
                tags = rng.sample(TAGS, rng.choice([1, 1, 2]))
                types = rng.sample(TYPES, rng.randint(0, 2))
                query = DCBQuery([DCBQueryItem(types, tags)])
                after = max(log.head() - rng.choice([0, 0, 0, 2, 20]), 0)
                condition = DCBAppendCondition(query, after)
            try:
                appended = log.enter(Append(entries, condition))
            except ConditionFailed:
                continue
            accepted.append((appended.first, appended.last, condition))

    start.wait()
    threads = [threading.Thread(target=run, args=[random.Random(seed * 10 + n)]) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    results.put(accepted)


def test_eight_writing_processes_and_their_followers(database):
    log = EventLog(database)
    polled, subscribed, stop = [], [], threading.Event()

    def poll():
        while not stop.is_set() or (polled or [0])[-1] < log.head():
            polled.extend(e.position for e in log.entries(after=(polled or [0])[-1]))

    subscription = log.subscribe()

    def subscribe():
        subscribed.extend(event.position for event in subscription)

    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Barrier(WRITERS + 1), spawn.Queue()
    writers = [
        spawn.Process(target=write, args=(database, seed, start, results))
        for seed in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    followers = [threading.Thread(target=poll), threading.Thread(target=subscribe)]
    start.wait(300)
    for follower in followers:
        follower.start()
    accepted = sorted((a for _ in writers for a in results.get(timeout=300)), key=lambda a: a[0])
    for writer in writers:
        writer.join()
    head = log.head()
    while len(subscribed) < head and followers[1].is_alive():
        time.sleep(0.01)
    stop.set()
    subscription.stop()
    for follower in followers:
        follower.join()

    everything = list(range(1, head + 1))
    assert polled == everything
    assert subscribed == everything
    stored = list(log.entries())
    assert [e.position for e in stored] == everything
    _assert_appends(accepted, stored)
    assert _assert_conditions(accepted, stored) > 100
    log.close()


def _assert_appends(accepted, stored):
    """The answers tile the log, and each append has a recorded_at of its own, ever later."""
    spans = [(first, last) for first, last, _ in accepted]
    assert [first for first, _ in spans] == [1] + [last + 1 for _, last in spans[:-1]]
    assert spans[-1][1] == len(stored)
    stamps = [{e.recorded_at for e in stored[first - 1 : last]} for first, last in spans]
    assert all(len(s) == 1 for s in stamps)
    ordered = [s.pop() for s in stamps]
    assert all(a < b for a, b in pairwise(ordered))


def _assert_conditions(accepted, stored):
    """No entry between `after` and an accepted append matches its condition."""
    by_tag = defaultdict(list)
    for entry in stored:
        for tag in entry.tags:
            by_tag[tag].append(entry)
    checked = 0
    for first, _, condition in accepted:
        if condition is None:
            continue
        [item] = condition.fail_if_events_match.items
        for entry in by_tag[item.tags[0]]:
            if condition.after < entry.position < first:
                assert not set(item.tags) <= set(entry.tags) or (
                    item.types and entry.type not in item.types
                )
        checked += 1
    return checked
