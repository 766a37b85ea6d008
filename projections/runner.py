"""Following the log: each entry's effect on the records, exactly once.

Owns the bookmark. Invariant: the rows and the bookmark change in one transaction, so after any
crash the records are those of the bookmark's position, and the next run goes on from there.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import structlog
from psycopg import Connection
from psycopg_pool import ConnectionPool

from domain.bitemporal import Fact
from domain.events import Entry, FactAnnulled, merged_by
from domain.forest import Forest
from domain.ledger.log import EventLog
from domain.ledger.reading import Reading, ever_joined, strands_of
from domain.record import FOLD, Strand
from projections.records import Records

BATCH = 2_000

CREATE = """
CREATE TABLE IF NOT EXISTS bookmarks (
    projection text PRIMARY KEY, position bigint NOT NULL, fold int NOT NULL);
INSERT INTO bookmarks VALUES ('records', 0, {fold}) ON CONFLICT DO NOTHING;
"""
HOLD = "SELECT position, fold FROM bookmarks WHERE projection = 'records' FOR UPDATE"
READ = "SELECT position, fold FROM bookmarks WHERE projection = 'records'"
MOVE = "UPDATE bookmarks SET position = %s, fold = %s WHERE projection = 'records'"

_log = structlog.get_logger()


class Lagging(Exception):
    """The records had not reached the asked position in time."""

    def __init__(self, position: int, reached: int) -> None:
        self.position = position
        self.reached = reached
        super().__init__(f"the records stand at {reached}, not yet at {position}")


class Runner:
    """Keeps the records of one log. Several runners are safe: the bookmark's row lock is theirs.

    Records made by another fold are dropped on opening, and made anew from the log.
    """

    def __init__(self, log: EventLog, pool: ConnectionPool) -> None:
        self.log = log
        self.records = Records(pool)
        self._pool = pool
        with pool.connection() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(7305806)")
            connection.execute(CREATE.format(fold=FOLD))
            row = connection.execute(HOLD).fetchone()
            if row is not None and row[1] != FOLD:
                self.records.drop(connection)
                move(connection, 0)
            self.records.create(connection)

    def position(self) -> int:
        """How far the records have come."""
        with self._pool.connection() as connection:
            row = connection.execute(READ).fetchone()
        return int(row[0]) if row else 0

    def lag(self) -> int:
        """Entries the records have yet to take in."""
        return self.log.head() - self.position()

    def catch_up(self, until: int | None = None) -> Iterator[int]:
        """Take in what the log holds by now (or up to `until`), yielding each position reached."""
        head = self.log.head()
        goal = head if until is None else min(until, head)
        while (reached := self._step(goal)) is not None:
            yield reached

    def _step(self, goal: int) -> int | None:
        with self._pool.connection() as connection:
            row = connection.execute(HOLD).fetchone()
            bookmark = int(row[0]) if row else 0
            if bookmark >= goal:
                return None
            stored = self.log.entries(after=bookmark, until=goal, limit=BATCH)
            entries = [Entry(*s) for s in stored]
            self.records.change(connection, changes(self.log, bookmark, entries))
            move(connection, entries[-1].position)
        return entries[-1].position

    def follow(self, stop: threading.Event) -> None:
        """Keep up until stopped; a fault is logged and the step is tried again."""
        while not stop.is_set():
            try:
                for _ in self.catch_up():
                    if stop.is_set():
                        return
                batches = self.log.follow(after=self.position(), stop=stop)
                for _ in batches:
                    for _ in self.catch_up():
                        pass
            except Exception as fault:  # noqa: BLE001 - a follower must outlive any fault of one step
                _log.error("projection-stopped", fault=type(fault).__name__)
                stop.wait(1.0)

    def reach(self, position: int, timeout: float = 5.0) -> None:
        """Wait until the records have taken in this position. Raises Lagging after `timeout` s."""
        deadline = time.monotonic() + timeout
        pause = 0.002
        while (reached := self.position()) < position:
            if time.monotonic() > deadline:
                raise Lagging(position, reached)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)


def move(connection: Connection[Any], position: int) -> None:
    connection.execute(MOVE, (position, FOLD))


def changes(log: EventLog, bookmark: int, entries: Sequence[Entry]) -> list[Fact]:
    """The versions that these entries, which follow the bookmark, close and open."""
    reading = Reading(log, bookmark)
    joined = ever_joined(log, entries[-1].position)
    reading.extend(
        Strand(strand.facet, subject)
        for strand in set(_touched(reading, entries, joined))
        for subject in joined.subjects(strand.subject)
    )
    return [fact for entry in entries for fact in reading.take(entry)]


def _touched(reading: Reading, entries: Sequence[Entry], joined: Forest) -> Iterator[Strand]:
    ours = {entry.id for entry in entries}
    for entry in entries:
        root = entry
        if entry.cls is FactAnnulled and entry.root not in ours:
            root = reading.root_of(entry)
        yield from _of_root(root)
        if root.cls.merges:
            person, _ = merged_by(root.cls, root.fields)
            for naming in reading.about(joined.subjects(f"person:{person}")):
                yield from _of_root(reading.root_of(naming))


def _of_root(entry: Entry) -> Iterator[Strand]:
    cls = entry.cls
    yield from strands_of(entry)
    if cls.leaves:
        yield Strand(None, f"person:{entry.fields[cls.leaves]}")
