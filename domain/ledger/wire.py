"""Owns the shortest way to the log's straight line: one prepared statement, values ready to send.

Invariant: a value is bytes as PostgreSQL reads them; what the server refuses is raised as psycopg
raises it. Adapting fourteen values the usual way costs a lone append a tenth of its time.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakSet

from psycopg import Connection, generators
from psycopg.errors import DuplicatePreparedStatement, error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult

# the data of entries and the hashes of requests go as they are
FORMATS = [Format.BINARY if place in {3, 6} else Format.TEXT for place in range(14)]
_NAME = b"append_straight"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Line:
    """The statement, on whatever connection; prepared where it is asked for the first time."""

    def __init__(self, statement: str) -> None:
        self._statement = statement.encode()
        self._ready: WeakSet[Connection[Any]] = WeakSet()

    def ask(
        self, connection: Connection[Any], values: Sequence[bytes | None]
    ) -> tuple[int, datetime] | None:
        """The first position and its moment, None where it stored nothing. Raises psycopg.Error."""
        pgconn = connection.pgconn
        if connection not in self._ready:
            with suppress(DuplicatePreparedStatement):  # one interrupted before it was noted
                _checked(pgconn.prepare(_NAME, self._statement), ExecStatus.COMMAND_OK)
            self._ready.add(connection)
        pgconn.send_query_prepared(_NAME, values, FORMATS, result_format=Format.BINARY)
        [result] = connection.wait(generators.execute(pgconn))
        _checked(result, ExecStatus.TUPLES_OK)
        first, moment = result.get_value(0, 0), result.get_value(0, 1)
        if first is None or moment is None:
            return None
        microseconds = int.from_bytes(moment, "big", signed=True)
        return int.from_bytes(first, "big"), _EPOCH + timedelta(microseconds=microseconds)


def _checked(result: PGresult, expected: ExecStatus) -> None:
    if result.status != expected:
        raise error_from_result(result)


def byteas(items: Sequence[bytes | None]) -> bytes:
    """An array of bytea, in binary: one dimension, counted from 1."""
    parts = [_numbers(1, None in items, 17, len(items), 1)]
    for item in items:
        parts += [b"\xff\xff\xff\xff"] if item is None else [len(item).to_bytes(4, "big"), item]
    return b"".join(parts)


def _numbers(*numbers: int) -> bytes:
    return b"".join([number.to_bytes(4, "big") for number in numbers])
