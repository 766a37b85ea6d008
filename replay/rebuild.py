"""Rebuilding the records from the log, beside the live table, then swapping.

Owns the swap. Invariant: readers see the old table whole or the new one whole; a rebuild that is
killed leaves the live table and its bookmark untouched.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from psycopg_pool import ConnectionPool

from domain.events import Entry
from projections.filling import fill
from projections.records import Records
from projections.records_statements import INDEXES
from projections.runner import HOLD, Runner, changes, move

NEXT = "records_next"
REBUILDING = "SELECT pg_advisory_lock(7305807)"


class Rebuilt(NamedTuple):
    entries: int
    facts: int


def rebuild(
    runner: Runner,
    database: str,
    progress: Callable[[float], None] = lambda _: None,
    processes: int | None = None,
) -> Rebuilt:
    """Fold the whole log anew on every core and put the result in the live table's place.

    Entries that arrive meanwhile are taken in before the swap. One rebuild at a time: a second one
    waits for the first.
    """
    with (
        ConnectionPool(database, min_size=1, max_size=1 + len(INDEXES), open=True) as pool,
        pool.connection() as guard,
    ):
        guard.execute(REBUILDING)
        fresh = Records(pool, NEXT)
        with pool.connection() as connection:
            fresh.drop(connection)
            fresh.create(connection, indexed=False)
        until = runner.log.head()
        if until:
            cores = processes or os.cpu_count() or 1
            fill(runner.log, database, NEXT, until, cores, progress)
        fresh.index_at_once()
        with pool.connection() as connection:
            fresh.analyze(connection)
        with pool.connection() as connection:
            connection.execute(HOLD)
            head = runner.log.head()
            while until < head:
                stored = runner.log.entries(after=until, until=head, limit=2_000)
                entries = [Entry(*s) for s in stored]
                fresh.change(connection, changes(runner.log, until, entries))
                until = entries[-1].position
            fresh.become_live(connection)
            move(connection, until)
        guard.execute("SELECT pg_advisory_unlock(7305807)")
    return Rebuilt(until, runner.records.count())
