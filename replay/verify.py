"""Refolding everything and comparing it with the records, row by row.

Owns the comparison. Invariant: it only reads; a difference is named by subject, facet and entry.
"""

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from psycopg_pool import ConnectionPool

from domain.bitemporal import Fact
from domain.events import FACETS
from projections.filling import fill
from projections.records import Records
from projections.runner import Runner

SCRATCH = "records_verify"
VERIFYING = "SELECT pg_advisory_lock(7305808)"
SHOWN = 100


class Difference(NamedTuple):
    """A row the fold gives and the table lacks, or the other way round."""

    kind: str  # missing | extra
    subject: str
    facet: str
    entry: int
    known_from: int
    known_to: int


class Verdict(NamedTuple):
    position: int
    rows: int
    differences: list[Difference]

    @property
    def green(self) -> bool:
        return not self.differences


def verify(
    runner: Runner,
    database: str,
    progress: Callable[[float], None] = lambda _: None,
) -> Verdict:
    """Refold the log up to the records' position and compare every row; at most 100 differences
    are named. Both sides are taken as of that position, so readers and the runner go on.
    """
    with (
        ConnectionPool(database, min_size=1, max_size=2, open=True) as pool,
        pool.connection() as guard,
    ):
        guard.execute(VERIFYING)
        scratch = Records(pool, SCRATCH)
        with pool.connection() as connection:
            scratch.drop(connection)
            scratch.create(connection, indexed=False)
        position = runner.position()
        if position:
            fill(runner.log, database, SCRATCH, position, os.cpu_count() or 1, progress)
        live = runner.records.differing(scratch, position, SHOWN)
        differences = [_difference(kind, fact) for kind, fact in live]
        rows = scratch.count()
        with pool.connection() as connection:
            scratch.drop(connection)
        guard.execute("SELECT pg_advisory_unlock(7305808)")
    return Verdict(position, rows, differences)


def _difference(kind: str, fact: Fact) -> Difference:
    return Difference(kind, fact.subject, fact.facet, fact.entry, fact.known_from, fact.known_to)


def sentences(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """The verdict in words, Chinese and English; then each difference, the first one first."""
    position, rows, count = verdict.position, verdict.rows, len(verdict.differences)
    if verdict.green:
        zh = f"✓ 一致:位置 1 至 {position},共 {rows} 行。"
        yield zh, f"✓ Green: entries 1 to {position}, {rows} rows."
        return
    yield f"✗ 不一致:至少 {count} 行,详见下。", f"✗ Red: at least {count} rows differ."
    for d in verdict.differences:
        zh, en = ("缺少", "lacks") if d.kind == "missing" else ("多出", "has, beyond the log,")
        name = FACETS[d.facet].zh if d.facet in FACETS else d.facet
        yield (
            f"查询表{zh} {d.subject} 的{name}(登记 {d.entry})",
            f"the table {en} {d.facet} of {d.subject} from entry {d.entry}",
        )
