"""What the event log costs beside the library's PostgreSQL recorder, on one server, interleaved.

Read the ratios: absolute figures belong to the machine and to whatever else runs on it. Both sides
run in turn in every round; a ratio is the median of the rounds' own, beside it the middle half of
them: where that is wide, the machine was not quiet. `python -m tests.benchmarks.log [--quick]`
"""

import argparse
import itertools
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem, DCBRecorder
from eventsourcing.dcb.postgres_tt import PostgresDCBRecorderTT
from eventsourcing.postgres import PostgresDatastore
from psycopg.conninfo import conninfo_to_dict
from rich.console import Console
from rich.table import Table

from domain.ledger.appends import ConditionFailed
from domain.ledger.log import Append, EventLog, NewEntry
from domain.ledger.server import EmbeddedServer

DATA = b"x" * 200
ROUNDS = 3

Rates = tuple[float, float]
"""What was done in a second: by what we stand beside, and by us."""

_names = itertools.count(1)


@contextmanager
def running_server() -> Iterator[EmbeddedServer]:
    directory = Path(tempfile.mkdtemp(prefix="ledger-bench-"))
    directory.chmod(0o755)
    try:
        with EmbeddedServer(directory / "pg") as server:
            yield server
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def library_recorder(conninfo: str, pool: int) -> Iterator[PostgresDCBRecorderTT]:
    parts = conninfo_to_dict(conninfo)
    datastore = PostgresDatastore(
        parts["dbname"], parts["host"], 5432, parts["user"], "", pool_size=pool, max_overflow=64
    )
    recorder = PostgresDCBRecorderTT(datastore)
    recorder.create_table()
    try:
        yield recorder
    finally:
        datastore.close()


def conditional_rate(recorder: DCBRecorder, callers: int, seconds: float) -> float:
    """Appends a second, each of one event, under a condition on a tag of its own."""
    counts = [0] * callers
    barrier = threading.Barrier(callers + 1)
    ends = [0.0]

    def run(number: int) -> None:
        barrier.wait()
        while time.perf_counter() < ends[0]:
            tag = f"person:{next(_names)}"
            query = DCBQuery([DCBQueryItem(types=["Hired"], tags=[tag])])
            recorder.append([DCBEvent("Hired", DATA, [tag])], DCBAppendCondition(query, after=0))
            counts[number] += 1

    threads = [threading.Thread(target=run, args=[n]) for n in range(callers)]
    for thread in threads:
        thread.start()
    ends[0] = time.perf_counter() + seconds
    started = time.perf_counter()
    barrier.wait()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - started)


def bare_rate(conninfo: str, seconds: float) -> float:
    """One caller's inserts of one row each, nothing asked, every one on disk before the next."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bare (data bytea)")
        ends = time.perf_counter() + seconds
        started, count = time.perf_counter(), 0
        while time.perf_counter() < ends:
            connection.execute("INSERT INTO bare VALUES (%b)", [DATA], prepare=True)
            count += 1
        return count / (time.perf_counter() - started)


def in_turn(rounds: int, theirs: Callable[[], float], ours: Callable[[], float]) -> list[Rates]:
    """The rates of both, round by round; who begins changes, and a first round is not counted."""
    rates = []
    for number in range(rounds + 1):
        if number % 2:
            rate = theirs()
            rates.append((rate, ours()))
        else:
            rate = ours()
            rates.append((theirs(), rate))
    return rates[1:]


def bench_conditional(server: EmbeddedServer, table: Table, rounds: int) -> None:
    conninfo = server.conninfo("ours")
    log = EventLog(conninfo)
    with library_recorder(server.conninfo("library"), 20) as library:
        most = in_turn(
            rounds, lambda: conditional_rate(library, 1, 1.0), lambda: bare_rate(conninfo, 1.0)
        )
        add(table, "a bare insert: the most for 1 caller", "library", most)
        for callers, target in ((1, 1.5), (16, 6), (64, 12)):
            rates = in_turn(
                rounds,
                lambda n=callers: conditional_rate(library, n, 1.0),
                lambda n=callers: conditional_rate(log, n, 1.0),
            )
            add(table, f"conditional append, {callers} callers", "library", rates, target)
    log.close()


def appends(size: int, count: int, offset: int) -> Iterator[Append]:
    """Requests of `size` entries with three tags each, as an import would send them."""
    for number in range(offset, offset + count, size):
        yield Append(
            [
                NewEntry(
                    f"Type{i % 20}",
                    [f"person:{i // 8}", f"unit:{i % 90}", f"fact:{i}"],
                    DATA,
                    uuid4(),
                )
                for i in range(number, number + size)
            ]
        )


COPIES = {
    "entries (position, recorded_at, type, tags, data)": lambda n, e: (
        n, "2026-01-01T00:00:00Z", e.type, list(e.tags), e.data),
    "tags (tag, type, position)": None,
    "event_ids (event_id, position)": lambda n, e: (e.event_id, n),
}  # fmt: skip


def copy_in(connection: psycopg.Connection, rows: list[NewEntry], first: int) -> None:
    """COPY straight into the log's tables: what no log could do, and the most a disk gives."""
    with connection.transaction(), connection.cursor() as cursor:
        for target, shape in COPIES.items():
            with cursor.copy(f"COPY plain_{target} FROM STDIN") as copy:
                for position, entry in enumerate(rows, first):
                    if shape is None:
                        for tag in entry.tags:
                            copy.write_row((tag, entry.type, position))
                    else:
                        copy.write_row(shape(position, entry))


def bench_load(server: EmbeddedServer, table: Table, events: int) -> None:
    conninfo = server.conninfo("loads")
    log, plain = EventLog(conninfo), EventLog(conninfo, prefix="plain_")
    chunk = max(events // 10, 5_000)
    for size in (100, 1):
        rates: list[Rates] = []
        offset = log.head()
        for start in range(offset, offset + events, chunk):
            batch = list(appends(size, chunk, start))
            rows = [entry for append in batch for entry in append.entries]
            with psycopg.connect(conninfo, autocommit=True) as connection:
                copied = timed(
                    lambda r=rows, c=connection, s=start: [
                        copy_in(c, r[i : i + 10_000], s + i + 1) for i in range(0, len(r), 10_000)
                    ]
                )
            loaded = timed(lambda b=batch: sum(1 for _ in log.load(b)))
            rates.append((chunk / copied, chunk / loaded))
        add(table, f"load, {size} entries a request", "bare COPY", rates, 0.6)
    log.close()
    plain.close()


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def resident() -> float:
    return psutil.Process().memory_info().rss / 2**20


def bench_read(server: EmbeddedServer, table: Table, events: int) -> None:
    conninfo = server.conninfo("reads")
    log = EventLog(conninfo)
    for _ in log.load(appends(100, events, 0)):
        pass
    with library_recorder(conninfo, 2) as library:
        with psycopg.connect(conninfo) as connection:
            connection.execute(
                "INSERT INTO dcb_events_tt_main (type, data, tags)"
                " SELECT type, data, tags FROM ledger_entries ORDER BY position"
            )
            connection.execute(
                "INSERT INTO dcb_events_tt_tag (tag, main_id) SELECT unnest(tags), id"
                " FROM dcb_events_tt_main"
            )
        before = resident()
        first_ours = timed(lambda: next(log.read()))
        sum(1 for _ in log.read())
        grown = resident() - before
        first_theirs = timed(lambda: next(library.read()))
        grown_theirs = resident() - before

        def rate(count: float, read: Callable[[], Iterable[object]]) -> Callable[[], float]:
            return lambda: count / timed(lambda: sum(1 for _ in read()))

        theirs = rate(events, library.read)
        add(table, "read all, events/s", "library",
            in_turn(ROUNDS, theirs, rate(events, log.read)), 4)  # fmt: skip
        add(table, "read all as entries, events/s", "library",
            in_turn(ROUNDS, theirs, rate(events, log.entries)))  # fmt: skip
        hot = DCBQuery([DCBQueryItem(tags=["unit:7"])])
        add(table, "read one tag, events/s", "library",
            in_turn(ROUNDS, rate(events / 90, lambda: library.read(hot)),
                    rate(events / 90, lambda: log.read(hot))))  # fmt: skip
    add(table, "first event, 1/s", "library", [(1 / first_theirs, 1 / first_ours)])
    add(table, "memory grown, 1/MB", "library", [(1 / max(grown_theirs, 1), 1 / max(grown, 1))])
    log.close()


def bench_hot_tag(server: EmbeddedServer, table: Table, events: int) -> None:
    log = EventLog(server.conninfo("hot"))
    entries = (NewEntry("Common", ["hot", f"rare:{i // 5}"], b"") for i in range(events))
    for _ in log.load(Append([e]) for e in entries):
        pass

    def rate(condition: Callable[[int], DCBAppendCondition]) -> float:
        started, count = time.perf_counter(), 400
        for number in range(count):
            with suppress(ConditionFailed):
                log.enter(Append([NewEntry("New", ["new"], b"")], condition(number)))
        return count / (time.perf_counter() - started)

    def on(types: list[str], tags: list[str], after: int | None) -> DCBAppendCondition:
        return DCBAppendCondition(DCBQuery([DCBQueryItem(types, tags)]), after)

    def rare_rate() -> float:
        return rate(lambda n: on(["Rare"], [f"rare:{n * 17}"], None))

    cases = {
        "a type never seen on a hot tag": lambda _: on(["Rare"], ["hot"], None),
        "a hot tag, after the head before": lambda n: on([], ["hot"], events - 1 - n % 2),
        "a hot tag from the beginning": lambda _: on([], ["hot"], None),
        "a hot tag and a rare one": lambda n: on(["Rare"], ["hot", f"rare:{n}"], None),
        "a type never seen": lambda _: on(["Rare"], [], None),
    }
    for name, condition in cases.items():
        rates = in_turn(ROUNDS, rare_rate, lambda c=condition: rate(c))
        add(table, f"condition: {name}", "rare tag", rates, 1 / 3)
    log.close()


def add(
    table: Table, what: str, beside: str, rates: Sequence[Rates], target: float | None = None
) -> None:
    theirs, ours = (statistics.median(side) for side in zip(*rates, strict=True))
    ratios = sorted(ours / theirs for theirs, ours in rates)
    ratio = statistics.median(ratios)
    half = (
        f"{ratios[len(ratios) // 4]:.2f}-{ratios[-1 - len(ratios) // 4]:.2f}" if ratios[1:] else ""
    )
    met = "" if target is None else f"≥ {target:.2g} {'yes' if ratio >= target else 'NO'}"
    table.add_row(what, beside, f"{theirs:,.1f}", f"{ours:,.1f}", f"{ratio:.2f}", half, met)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--only", choices=["conditional", "load", "read", "hot"])
    arguments = parser.parse_args()
    events = 100_000 if arguments.quick else 1_000_000
    rounds = 5 if arguments.quick else 15
    table = Table("per second", "beside", "theirs", "ours", "ratio", "middle half", "target")
    benches: dict[str, Callable[[EmbeddedServer, Table], None]] = {
        "conditional": lambda s, t: bench_conditional(s, t, rounds),
        "load": lambda s, t: bench_load(s, t, events // 5),
        "read": lambda s, t: bench_read(s, t, events),
        "hot": lambda s, t: bench_hot_tag(s, t, events),
    }
    with running_server() as server:
        for name, bench in benches.items():
            if arguments.only in (None, name):
                bench(server, table)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
