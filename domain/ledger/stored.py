"""Owns an entry as it lies in the log, and the forms in which the library asks for it.

Invariant: what is handed out is what was stored: the tags in their order, the bytes untouched.
"""

import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from eventsourcing.dcb.api import (
    DCBEvent,
    DCBQuery,
    DCBReadResponse,
    DCBSequencedEvent,
    DCBSubscription,
    TDCBRecorder_co,
)

from domain.ledger.appends import SEPARATOR

EventRow = tuple[int, str, str, bytes]
"""Position, type, joined tags, data."""
Row = tuple[int, str, str, bytes, datetime]
"""An EventRow, and when it was recorded."""


class StoredEntry(NamedTuple):
    """An entry as it lies in the log; `recorded_at` is in UTC."""

    position: int
    recorded_at: datetime
    type: str
    tags: list[str]
    data: bytes


def stored_entry(row: Row) -> StoredEntry:
    position, type_, joined, data, recorded_at = row
    tags = joined.split(SEPARATOR) if joined else []
    # as StoredEntry(...), without one more Python frame for each of a million rows
    return tuple.__new__(StoredEntry, (position, recorded_at, type_, tags, data))


class ReadResponse(DCBReadResponse):
    """The library's answer to a read, streamed from pages of rows."""

    def __init__(
        self, pages: Iterator[list[EventRow]], head: int | None, limit: int | None
    ) -> None:
        self._head = None if limit is not None else head
        self._events = self._stream(pages, limited=limit is not None)

    @property
    def head(self) -> int | None:
        return self._head

    def __iter__(self) -> Iterator[DCBSequencedEvent]:
        return self._events

    def __next__(self) -> DCBSequencedEvent:
        return next(self._events)

    def _stream(
        self, pages: Iterator[list[EventRow]], *, limited: bool
    ) -> Iterator[DCBSequencedEvent]:
        for page in pages:
            for position, type_, joined, data in page:
                if limited:
                    self._head = position
                tags = joined.split(SEPARATOR) if joined else []
                yield DCBSequencedEvent(DCBEvent(type_, data, tags), position)


class Subscription(DCBSubscription[TDCBRecorder_co]):
    """The library's subscription, over batches that come until `stop` is set."""

    def __init__(
        self,
        recorder: TDCBRecorder_co,
        query: DCBQuery | None,
        after: int | None,
        batches: Generator[list[StoredEntry]],
        stop: threading.Event,
    ) -> None:
        super().__init__(recorder, query, after)
        self._stop = stop
        self._batches = batches
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
