"""Owns the event log on PostgreSQL: entries in one order, tags, event ids, idempotency, claims.

Invariant: positions run from 1 without gaps in commit order and `recorded_at` rises strictly with
every append, so a reader that asks for `position > last` misses nothing, ever.
"""

import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import psycopg
import structlog
from eventsourcing.dcb.api import (
    DCBAppendCondition,
    DCBEvent,
    DCBQuery,
    DCBReadResponse,
    DCBRecorder,
)
from eventsourcing.persistence import ProgrammingError
from psycopg.types.numeric import Int8
from psycopg_pool import ConnectionPool

from domain.ledger.appends import (
    MOST_ENTRIES,
    Append,
    Appended,
    Busy,
    Claim,
    ClaimTaken,
    ClockBehind,
    ConditionFailed,
    Conditions,
    EventIdKnown,
    KeyReused,
    LogError,
    Malformed,
    NewEntry,
    Prepared,
    TooLarge,
    answer,
    in_turn,
    parameters,
    stored,
    straight,
)
from domain.ledger.groups import Groups
from domain.ledger.migrate import migrate
from domain.ledger.news import Bell, follow
from domain.ledger.statements import Pages, Statements
from domain.ledger.stored import ReadResponse, StoredEntry, Subscription, stored_entry
from domain.ledger.wire import Line

__all__ = [
    "Append",
    "Appended",
    "Busy",
    "Claim",
    "ClaimTaken",
    "ClockBehind",
    "ConditionFailed",
    "EventIdKnown",
    "EventLog",
    "KeyReused",
    "LogError",
    "Malformed",
    "NewEntry",
    "TooLarge",
]

PARTITION_SIZE = 5_000_000
GROUPED_ENTRIES = 500  # a larger append goes by itself
PAGE_BYTES = 4 << 20
FIRST_PAGE, LAST_PAGE = 100, 2_000
MOST_FOLLOWED = 1_000
CHUNK_BYTES = 64 << 20
LATEST = (1 << 63) - 1
WHERE = "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass(%s)"
IDLE_SECONDS = 1.0  # after which the writing connection is tried before it is trusted
_SETTINGS = {
    "TimeZone": "UTC",
    "lock_timeout": "15s",
    "default_transaction_isolation": "read committed",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    # reading is always by index and in position order, whatever the statistics say
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
_logger = structlog.get_logger(__name__)


class EventLog(DCBRecorder):
    """A log in one PostgreSQL schema, named by its prefix; safe for any number of processes.

    `create` makes the schema where absent, of each of its `subjects`. `partition_size` is settled
    when the log is made.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        prefix: str = "ledger_",
        pool_size: int = 4,
        partition_size: int = PARTITION_SIZE,
        subjects: Sequence[str] = ("log",),
        create: bool = True,
    ) -> None:
        self.conninfo = conninfo
        self.prefix = prefix
        self.closed = threading.Event()
        with psycopg.connect(conninfo, autocommit=True) as connection:
            if connection.info.parameter_status("server_encoding") != "UTF8":
                raise Malformed("database", "the ledger's database must be encoded in UTF8")
            for subject in subjects if create else ():
                known = migrate(connection, subject, prefix, partition_size=partition_size)
                partition_size = int(known["partition_size"])
            row = connection.execute(WHERE, [f"{prefix}entries"]).fetchone()
        schema = row[0] if row else "public"
        self.partition_size = partition_size
        self.name = f"{schema}.{prefix}"
        self._sql = Statements(self.name)
        self._straight = Line(self._sql.append_straight)
        self.channel = f"{self.name}news"
        self._pool = ConnectionPool(
            conninfo,
            min_size=1,
            max_size=pool_size,
            kwargs={"autocommit": True},
            configure=_configure,
            check=ConnectionPool.check_connection,
            open=True,
        )
        self._groups = Groups(self._send_group)
        self._writer: psycopg.Connection[Any] | None = None
        self._writer_used = 0.0
        self._bell = Bell(conninfo, self.channel)

    # Entering

    def enter(self, append: Append) -> Appended:
        """Append, or give the first answer where it is stored already.

        Raises ConditionFailed, KeyReused, EventIdKnown, ClaimTaken, ClockBehind, Busy, TooLarge,
        Malformed: nothing is stored; psycopg.OperationalError: it may or may not be.
        """
        prepared = Prepared.of(append)
        if len(append.entries) > GROUPED_ENTRIES:
            return next(self._send_chunk([prepared], None))
        return self._groups.enter(prepared)

    def load(self, appends: Iterable[Append], *, after: int | None = None) -> Iterator[Appended]:
        """Append many requests in order, several to a transaction; yields each one's answer.

        `after`: each was decided on those before it and on nothing else beyond this position; it is
        stored only so. Else each has its own condition.
        The first refusal is raised when its turn comes, and nothing after it is stored. A load
        that died is resumed by loading the same appends again, where they carry event ids or keys.
        """
        chunk: list[Prepared] = []
        entries = size = 0
        for append in appends:
            prepared = Prepared.of(append)
            entries += len(append.entries)
            size += prepared.size
            if chunk and (entries > MOST_ENTRIES or size > CHUNK_BYTES):
                after = yield from self._send_chunk(chunk, after)
                chunk, entries, size = [], len(append.entries), prepared.size
            chunk.append(prepared)
        if chunk:
            yield from self._send_chunk(chunk, after)

    def _send_chunk(
        self, chunk: Sequence[Prepared], after: int | None
    ) -> Generator[Appended, None, int | None]:
        """Answers the position that the next chunk is to stand behind."""
        for outcome in self._send(chunk, halt=True, after=after):
            if isinstance(outcome, LogError):
                raise outcome
            yield outcome
        return None if after is None else after + sum(len(p.append.entries) for p in chunk)

    def _send(
        self, group: Sequence[Prepared], *, halt: bool = False, after: int | None = None
    ) -> list[Appended | LogError]:
        with self._pool.connection() as connection:
            return self._execute(connection, group, halt=halt, after=after)

    def _send_group(self, group: Sequence[Prepared]) -> Sequence[Appended | Exception]:
        """Send a group on the writing connection, which only the leading thread uses."""
        try:
            return self._execute(self._writing(), group)
        except psycopg.OperationalError:
            # the answer is lost; asking again is safe where every request names itself
            if not all(p.append.key or p.append.entries[0].event_id for p in group):
                raise
            return self._execute(self._writing(), group)
        except psycopg.Error:
            if len(group) == 1:
                raise
            return [self._send_alone(prepared) for prepared in group]
        finally:
            self._writer_used = time.monotonic()

    def _send_alone(self, prepared: Prepared) -> Appended | Exception:
        try:
            return self._execute(self._writing(), [prepared])[0]
        except (LogError, psycopg.Error) as error:
            return error

    def _writing(self) -> psycopg.Connection[Any]:
        writer = self._writer
        if writer is not None and time.monotonic() - self._writer_used > IDLE_SECONDS:
            try:
                writer.execute("")
            except psycopg.OperationalError:
                writer.close()
        if writer is None or writer.closed:
            writer = psycopg.connect(self.conninfo, autocommit=True)
            _configure(writer)
            self._writer = writer
        return writer

    def _execute(
        self,
        connection: psycopg.Connection[Any],
        group: Sequence[Prepared],
        *,
        halt: bool = False,
        after: int | None = None,
    ) -> list[Appended | LogError]:
        group, ends = (group, None) if after is None else in_turn(group, after)
        try:
            outcomes = self._execute_straight(connection, group)
            if outcomes is None:
                values = parameters(group, halt=halt, ends=ends)
                rows = connection.execute(self._sql.append, values, prepare=True, binary=True)
                outcomes = [answer(row) for row in rows]
        except psycopg.errors.LockNotAvailable as error:
            raise Busy("the log is being appended to by someone who does not finish") from error
        if any(isinstance(o, Appended) and not o.replayed for o in outcomes):
            self._bell.ring()
        if any(isinstance(o, ClockBehind) for o in outcomes):
            _logger.critical("clock behind the log", requests=len(group))
        return outcomes

    def _execute_straight(
        self, connection: psycopg.Connection[Any], group: Sequence[Prepared]
    ) -> list[Appended | LogError] | None:
        if (values := straight(group)) is None:
            return None
        answered = self._straight.ask(connection, values)
        return answered and [*stored(group, *answered)]

    # Reading

    def entries(
        self,
        query: DCBQuery | None = None,
        *,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
    ) -> Iterator[StoredEntry]:
        """Entries that match, in position order; ends at `until` or at the head as it is now.

        Reads in pages: memory stays flat, no transaction stays open, nothing waits for anyone.
        """
        until = self.head() if until is None else until
        for rows in self._pages(self._sql.entries, query, after, until, limit, LAST_PAGE):
            yield from map(stored_entry, rows)

    def pages(
        self,
        query: DCBQuery | None = None,
        *,
        after: int = 0,
        until: int,
        limit: int | None = None,
        most: int = LAST_PAGE,
    ) -> Iterator[list[StoredEntry]]:
        """As `entries`, in lists of at most `most` and some 4 MiB."""
        for rows in self._pages(self._sql.entries, query, after, until, limit, most):
            yield list(map(stored_entry, rows))

    def _pages(
        self,
        spelt: Pages,
        query: DCBQuery | None,
        after: int,
        until: int,
        limit: int | None,
        most: int,
    ) -> Iterator[list[Any]]:
        conditions = Conditions.of(query)
        left = LATEST if limit is None else limit
        size = min(FIRST_PAGE, most)
        while left > 0 and after < until:
            wanted = min(size, left)
            asked = spelt.asking(conditions, after, until, wanted)
            page = self._rows(*asked) if asked else []
            if page:
                yield page
            if len(page) < wanted:
                return
            after = page[-1][0]
            left -= len(page)
            held = sum([len(row[3]) for row in page]) // len(page) + 200
            size = min(most, size * 4, max(FIRST_PAGE, PAGE_BYTES // held))

    def by_event_id(self, ids: Sequence[UUID]) -> dict[UUID, int]:
        """The positions of the event ids that are in the log."""
        return dict(self._rows(self._sql.by_event_id, [list(ids)])) if ids else {}

    def claimed(self, kind: str, blinds: Sequence[bytes]) -> dict[bytes, str]:
        """The subjects that hold these blinds."""
        return dict(self._rows(self._sql.claimed, [kind, list(blinds)])) if blinds else {}

    def claims(self) -> tuple[int, list[Claim]]:
        """The last position, and every blind that a subject holds as of it."""
        rows = self._rows(self._sql.claims_at_head, [])
        return int(rows[0][0]), [Claim(k, s, bytes(b)) for _, k, s, b in rows if k is not None]

    def answered(self, key: str | None, request_hash: bytes | None) -> Appended | None:
        """The first answer to this idempotency key. Raises KeyReused."""
        rows = [] if key is None else self._rows(self._sql.answered, [key])
        for first, last, recorded_at, known in rows:
            if known != request_hash:
                raise KeyReused
            return Appended(first, last, recorded_at, replayed=True)
        return None

    def tags_from(self, start: str, until: int = LATEST) -> set[str]:
        """Every tag up to a position that begins with `start` (`fact:`: the roots that later
        entries refer to).
        """
        values = [start, start + "\U0010ffff", Int8(until)]
        return {tag for (tag,) in self._rows(self._sql.tags_from, values)}

    def tags_of_types(self, types: Sequence[str]) -> set[str]:
        """Every tag that an entry of one of these types carries."""
        return {tag for (tag,) in self._rows(self._sql.tags_of_types, [list(types)])}

    def head(self) -> int:
        """The last position, 0 in an empty log."""
        return int(self._rows(self._sql.head, [])[0][0])

    def first(self) -> int:
        """The first position: 1, unless the oldest rows were cut off."""
        return int(self._rows(self._sql.first, [])[0][0])

    def recorded_at(self, position: int) -> datetime | None:
        """When the entry at this position was recorded; None where there is no such entry."""
        rows = self._rows(self._sql.recorded_at, [Int8(position)])
        return rows[0][0] if rows else None

    def headings(self, positions: Sequence[int]) -> dict[int, tuple[str, datetime]]:
        """The types of the entries at these positions, and when they were recorded."""
        rows = self._rows(self._sql.headings, [list(positions)]) if positions else []
        return {position: (type_, recorded_at) for position, type_, recorded_at in rows}

    def position_at(self, instant: datetime) -> int:
        """The last position recorded at or before an instant, 0 where none was.

        Final for an instant that has passed: it waits for appends under way. For one still to come
        it is the head of now.
        """
        if instant.tzinfo is None:
            raise Malformed("instant", "an instant needs its offset")
        return int(self._rows(self._sql.position_at, [instant])[0][0])

    def _rows(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._pool.connection() as connection:
            return connection.execute(statement, values, prepare=True, binary=True).fetchall()

    # Following

    def follow(
        self, *, after: int = 0, stop: threading.Event, query: DCBQuery | None = None
    ) -> Generator[list[StoredEntry]]:
        """Batches of at most 1,000 entries as they come, from `after` on, until `stop` is set.

        Waits for news and survives lost connections; ends within half a second of `stop`.
        """

        def ended() -> bool:
            return stop.is_set() or self.closed.is_set()

        def look() -> Iterator[list[StoredEntry]]:
            nonlocal after
            head = self.head()
            for page in self.pages(query, after=after, until=head, most=MOST_FOLLOWED):
                after = page[-1].position
                yield page
                if ended():
                    return
            after = max(after, head)

        return follow(self.conninfo, self.channel, look, ended)

    # DCBRecorder

    def read(
        self,
        query: DCBQuery | None = None,
        *,
        after: int | None = None,
        limit: int | None = None,
    ) -> DCBReadResponse:
        """Stream the matching events. `head` is the log's, or with a limit the last event read."""
        head = self.head()
        pages = self._pages(self._sql.events, query, after or 0, head, limit, LAST_PAGE)
        return ReadResponse(pages, head or None, limit)

    def append(
        self, events: Sequence[DCBEvent], condition: DCBAppendCondition | None = None
    ) -> int:
        """Append events; answers the last position. Raises IntegrityError."""
        if not events:
            raise ProgrammingError("an append holds at least one event")
        entries = [NewEntry(event.type, event.tags, event.data) for event in events]
        return self.enter(Append(entries, condition)).last

    def subscribe(
        self, query: DCBQuery | None = None, *, after: int | None = None
    ) -> Subscription[Self]:
        stop = threading.Event()
        batches = self.follow(query=query, after=after or 0, stop=stop)
        return Subscription(self, query, after, batches, stop)

    def close(self) -> None:
        """Close every connection; followers end."""
        self.closed.set()
        self._bell.close()
        self._pool.close()
        if self._writer is not None:
            self._writer.close()


def _configure(connection: psycopg.Connection[Any]) -> None:
    pairs = [f"set_config('{name}', '{value}', false)" for name, value in _SETTINGS.items()]
    connection.execute("SELECT " + ", ".join(pairs))
