"""Owns how it gets about that there is something new in a log: a bell, and those who listen for it.

Invariant: news only ever means "look now". A listener listens before it first looks and is told to
look again on its own account, so a lost or late ring delays it and can lose nothing.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

import psycopg
import structlog
from psycopg.sql import SQL, Identifier

LOOK_SECONDS = 0.25  # a listener is told to look this often, ring or none
_REST_SECONDS = 0.02  # rings closer together than this are one
_AGAIN_SECONDS = 0.2

_Found = TypeVar("_Found")

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
    conninfo: str, channel: str, look: Callable[[], Iterator[_Found]], ended: Callable[[], bool]
) -> Generator[_Found]:
    """What `look` finds, asked at once and whenever there may be news, until `ended`.

    A connection that is lost, this one or that of `look`, is made again.
    """
    while not ended():
        try:
            with psycopg.connect(conninfo, autocommit=True) as listening:
                listening.execute(SQL("LISTEN {}").format(Identifier(channel)))
                while not ended():
                    yield from look()
                    if not ended():
                        list(listening.notifies(timeout=LOOK_SECONDS, stop_after=1))
        except psycopg.OperationalError:
            if not ended():
                _logger.warning("follower lost its connection", channel=channel)
                time.sleep(_AGAIN_SECONDS)
