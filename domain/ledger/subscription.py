"""Owns how followers learn of new entries: a bell rung after the append, and pulling by position.

Invariant: news only ever means "look now". A follower listens before it first looks and looks again
on its own account, so a lost or late ring delays it and can lose nothing.
"""

import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
import structlog
from eventsourcing.dcb.api import DCBEvent, DCBQuery, DCBSequencedEvent, DCBSubscription
from psycopg.sql import SQL, Identifier

if TYPE_CHECKING:
    from domain.ledger.log import EventLog, StoredEntry

MOST_FOLLOWED = 1_000
LOOK_SECONDS = 0.25  # a follower looks for itself this often
_REST_SECONDS = 0.02  # rings closer together than this are one
_AGAIN_SECONDS = 0.2

_logger = structlog.get_logger(__name__)


class Bell:
    """Rings the log's channel soon after an append, outside its transaction, never per append."""

    def __init__(self, conninfo: str, channel: str) -> None:
        self._conninfo = conninfo
        self._channel = channel
        self._rung = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._mutex = threading.Lock()

    def ring(self) -> None:
        if self._thread is None:
            with self._mutex:
                if self._thread is None and not self._closed.is_set():
                    self._thread = threading.Thread(
                        target=self._run, name=f"bell of {self._channel}", daemon=True
                    )
                    self._thread.start()
        self._rung.set()

    def close(self) -> None:
        self._closed.set()
        self._rung.set()
        with self._mutex:
            if self._thread is not None:
                self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                with psycopg.connect(self._conninfo, autocommit=True) as connection:
                    connection.execute("SET synchronous_commit = off")
                    self._ring_for(connection)
            except psycopg.OperationalError:
                _logger.warning("no connection to ring with", channel=self._channel)
                self._closed.wait(_AGAIN_SECONDS)

    def _ring_for(self, connection: psycopg.Connection[Any]) -> None:
        while True:
            self._rung.wait()
            self._rung.clear()
            connection.execute("SELECT pg_notify(%s, '')", [self._channel], prepare=True)
            if self._closed.wait(_REST_SECONDS):
                return


def follow(
    log: "EventLog", query: DCBQuery | None, *, after: int, stop: threading.Event
) -> "Generator[list[StoredEntry], None, None]":
    """Batches of the matching entries after a position as they come.

    Ends at `stop` or the log's close; a connection that is lost is made again.
    """
    while not stop.is_set() and not log.closed.is_set():
        try:
            with psycopg.connect(log.conninfo, autocommit=True) as listening:
                listening.execute(SQL("LISTEN {}").format(Identifier(log.channel)))
                while not stop.is_set() and not log.closed.is_set():
                    head = log.head()
                    for page in log.pages(query, after=after, until=head, most=MOST_FOLLOWED):
                        after = page[-1].position
                        yield page
                        if stop.is_set():
                            return
                    after = max(after, head)
                    for _ in listening.notifies(timeout=LOOK_SECONDS, stop_after=1):
                        pass
        except psycopg.OperationalError:
            if not log.closed.is_set():
                _logger.warning("follower lost its connection", channel=log.channel, after=after)
            stop.wait(_AGAIN_SECONDS)


class Subscription(DCBSubscription["EventLog"]):
    """The library's subscription over `follow`."""

    def __init__(self, recorder: "EventLog", query: DCBQuery | None, after: int | None) -> None:
        super().__init__(recorder, query, after)
        self._stop = threading.Event()
        self._batches = follow(recorder, query, after=self._last_position, stop=self._stop)
        self._batch: Iterator[StoredEntry] = iter(())

    def stop(self) -> None:
        super().stop()
        self._stop.set()

    def __exit__(self, *args: object, **kwargs: Any) -> None:
        super().__exit__(*args, **kwargs)
        with suppress(ValueError):  # a thread that waits inside closes it as it leaves
            self._batches.close()

    def __next__(self) -> DCBSequencedEvent:
        while not self._stop.is_set():
            for position, _, type_, tags, data in self._batch:
                self._last_position = position
                return DCBSequencedEvent(DCBEvent(type_, data, tags), position)
            self._batch = iter(next(self._batches))
        self._batches.close()
        raise StopIteration
