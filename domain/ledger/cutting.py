"""Cutting the oldest rows off the log of reads, once their term is over.

Owns how far may be cut, and the steps. Invariant: whole partitions go, the oldest first, on an
order that the ledger holds and never the one being written; their hashes stay, so that the rest is
proved as before; what was broken off is finished by asking again.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from typing import NamedTuple

from domain.acts.seals import ReadsCut
from domain.events import Actor, Document, Proposal
from domain.ledger import Ledger
from domain.ledger.reads import ReadLog
from domain.ledger.requests import Request
from domain.ledger.roles import Owning
from domain.ledger.statements import Statements
from domain.refusals import Refusal
from domain.workdays import SHANGHAI

TOGETHER = 20_000


class NothingToCut(Refusal):
    """No partition of the log of reads is whole and older than that day."""

    code = "nothing-to-cut"
    zh = "没有整个分区早于该日的查阅日志"


class Order(NamedTuple):
    """What the ledger orders at a position: the first so many rows go, recorded before a day."""

    position: int
    rows: int
    before: date
    ground: str


def ordered(ledger: Ledger, reads: ReadLog) -> Order | None:
    """The order that reaches furthest, carried out or not."""
    origin = (reads.sealer.seals.origin() or "").rpartition("/")[2]
    found = [
        Order(e.position, f["rows"], date.fromisoformat(f["before"]), f["ground"])
        for e in ledger.entries(types=[ReadsCut.__name__])
        if (f := e.fields)["ledger"] == origin
    ]
    return max(found, key=lambda order: order.rows, default=None)


def reach(reads: ReadLog, before: date) -> int:
    """How many rows lie in whole partitions recorded before a day. Raises NothingToCut."""
    log = reads.log
    until = log.position_at(datetime.combine(before, time(), SHANGHAI) - datetime.resolution)
    rows = min(until, log.head() - 1) // log.partition_size * log.partition_size
    if rows < log.first():
        raise NothingToCut(field="before")
    return rows


def awaiting(ledger: Ledger, reads: ReadLog, before: date | None) -> tuple[int, Order | None]:
    """How many rows are to go, 0 where none are, and the order that says so already: of what is
    older than a day, or without one what an order left undone. Raises NothingToCut.
    """
    found = ordered(ledger, reads)
    rows = 0 if found is None else found.rows
    if before is not None:
        rows = reach(reads, before)
        return rows, found if found is not None and found.rows >= rows else None
    return (rows, found) if found is not None and left(reads, found) else (0, None)


def act(reads: ReadLog, rows: int, before: date, ground: str) -> ReadsCut:
    """The act that orders the first so many rows to go."""
    origin = (reads.sealer.seals.origin() or "").rpartition("/")[2]
    return ReadsCut(ledger=origin, rows=rows, before=before, ground=ground)


def order(
    ledger: Ledger, what: ReadsCut, actor: Actor, document: Document | None = None,
    approved_by: str | None = None,
) -> Order:  # fmt: skip
    """Enter it. Raises Refusal."""
    proposal = Proposal(what, ledger.today())
    request = Request([proposal], actor=actor, document=document, approved_by=approved_by)
    return Order(ledger.enter(request).position, what.rows, what.before, what.ground)


def left(reads: ReadLog, one: Order) -> int:
    """How many of the rows that were ordered to go are still there."""
    return max(0, one.rows - reads.log.first() + 1)


def carry_out(owner: Owning, reads: ReadLog, one: Order, progress: Callable[[int], None]) -> None:
    """Do it. First what finds the rows goes, then their partition.

    Raises psycopg.errors.LockNotAvailable where others hold it up.
    """
    log = reads.log
    session, sql = owner.connection, Statements(owner.log)
    for part in range((log.first() - 1) // log.partition_size, one.rows // log.partition_size):
        for low, high in _steps(part * log.partition_size, (part + 1) * log.partition_size):
            session.execute(sql.cut_index, (one.position, low, high))
            progress(high)
        session.execute(sql.cut_partition, (one.position, part))


def _steps(low: int, high: int) -> Iterator[tuple[int, int]]:
    for start in range(low, high, TOGETHER):
        yield start, min(start + TOGETHER, high)
