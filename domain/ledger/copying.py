"""A whole log, out and in: what stands beside its entries, and taking another log over.

Owns the copy. Invariant: a log is taken over into an empty one, whole or not at all, and so is the
log beside it; what is stored then was read back and is what was given, byte for byte. Of rows that
were cut off at the end of their term it has the hashes, as the log itself has.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import psycopg
from psycopg.types.numeric import Int8

from domain.ledger.appends import SEPARATOR, Claim, LogError
from domain.ledger.log import EventLog
from domain.ledger.roles import owning
from domain.ledger.seals import Broken, Seals
from domain.ledger.statements import Statements
from domain.ledger.stored import StoredEntry, stored_entry
from domain.merkle import WIDTH, Frontier

_PAGE = 2_000


class Remembered(NamedTuple):
    """A request that was answered under an idempotency key, and where its entries lie."""

    key: str
    hash: bytes | None
    first: int
    last: int


class NotEmpty(LogError):
    """Only an empty log takes another over."""


class Unstorable(LogError):
    """What is given cannot lie in a log: an id or a key twice, a text that none can be."""


class NotTheSame(LogError):
    """What was stored at this position does not read as it was given."""

    def __init__(self, position: int) -> None:
        super().__init__(f"what was stored at position {position} is not what was given")
        self.position = position


@contextmanager
def snapshot(log: EventLog, beside: EventLog) -> Iterator[tuple[int, int, Iterator[Claim]]]:
    """The heads of two logs in one database, and the claims as they stand with them."""
    sql = Statements(log.name)
    with psycopg.connect(log.conninfo) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        heads = [connection.execute(Statements(one.name).head).fetchall() for one in (log, beside)]
        [[[head]], [[other]]] = heads
        with connection.cursor("claims") as cursor:
            claims = (Claim(k, s, bytes(b)) for k, s, b in cursor.execute(sql.claims))
            yield head, other, claims


def remembered(log: EventLog, until: int) -> Iterator[Remembered]:
    """The requests whose entries lie at or before a position, in order of key."""
    sql = Statements(log.name)
    last = ""
    with psycopg.connect(log.conninfo, autocommit=True) as connection:
        while True:
            rows = connection.execute(sql.requests, [last, Int8(until), Int8(_PAGE)]).fetchall()
            yield from (Remembered(k, h and bytes(h), f, u) for k, h, f, u in rows)
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]


def hashes_of_gone(log: EventLog, rows: int) -> Iterator[list[bytes]]:
    """The leaf hashes of the first so many rows of a log, which were cut off. Raises Broken where
    they lack.
    """
    with psycopg.connect(log.conninfo) as connection:
        seals = Seals(lambda: nullcontext(connection), log.prefix)
        for low in range(0, rows, WIDTH):
            high = min(low + WIDTH, rows)
            hashes = seals.hashes(0, low, high)
            if len(hashes) < high - low:
                raise Broken(f"the sealed hashes lack from {low + 1} on")
            yield hashes


class Taking:
    """Puts the parts of another log into an empty one; nothing is seen before the end."""

    def __init__(self, connection: psycopg.Connection[Any], name: str) -> None:
        self._connection = connection
        self._cursor = connection.cursor(binary=True)
        self._sql = Statements(name)
        self._seals = Seals(lambda: nullcontext(connection), name)
        self._gone = Frontier()

    def gone(self, batch: Sequence[Sequence[bytes]]) -> None:
        """The hashes of the next rows that were cut off, ahead of every row. Raises Unstorable."""
        size = self._gone.size
        added = self._gone.extend(one for hashes in batch for one in hashes)
        try:
            self._seals.add_hashes(self._connection, size, added)
        except psycopg.IntegrityError as error:
            raise NotEmpty("only an empty log takes another over") from error

    def entries(self, batch: Sequence[StoredEntry]) -> None:
        """The next entries, in order. Raises NotEmpty, Unstorable, NotTheSame."""
        first, last = batch[0].position, batch[-1].position
        values = [
            Int8(first),
            [e.recorded_at for e in batch],
            [e.type for e in batch],
            [SEPARATOR.join(e.tags) for e in batch],
            [e.data for e in batch],
            [_event_id(e) for e in batch],
        ]
        self._put(self._sql.load, values)
        span = [Int8(first - 1), Int8(last), Int8(len(batch))]
        self._cursor.execute(self._sql.entries.range, span)
        for given, row in zip(batch, self._cursor, strict=True):
            if given != stored_entry(row):
                raise NotTheSame(given.position)

    def claims(self, batch: Sequence[Claim]) -> None:
        """Raises Unstorable."""
        self._put(self._sql.claim, _columns(batch, 3))

    def requests(self, batch: Sequence[Remembered]) -> None:
        """Raises Unstorable."""
        self._put(self._sql.remember, _columns(batch, 4))

    def _put(self, statement: str, values: list[Any]) -> None:
        try:
            self._cursor.execute(statement, values)
        except psycopg.errors.ObjectInUse as error:
            raise NotEmpty("only an empty log takes another over") from error
        except (psycopg.IntegrityError, psycopg.DataError) as error:
            raise Unstorable("a part of the log cannot be stored") from error


@contextmanager
def taking_over(
    log: EventLog, beside: EventLog, owner: str | None = None
) -> Iterator[tuple[Taking, Taking]]:
    """Two empty logs of one database, in one transaction: stored when the block ends and not at all
    where it raises. `owner` connects as one that may act as their owner. Raises NotOwner.
    """
    with owning(owner or log.conninfo, log.prefix) as (connection, name), connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '15s'")
        other = name.removesuffix(log.prefix) + beside.prefix
        yield Taking(connection, name), Taking(connection, other)


def _event_id(entry: StoredEntry) -> UUID:
    try:
        return UUID(orjson.loads(entry.data)["id"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unstorable(f"the entry at position {entry.position} has no event id") from error


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    return [[row[n] for row in rows] for n in range(width)]
