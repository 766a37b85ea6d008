"""Deleted keys leave no byte in the files of the vault's tables.

Owns when the tables are written anew. Invariant: they are, only once nobody can see a deleted row
any more: PostgreSQL would carry such a row over.
"""

import time
from typing import Any

from psycopg import Connection
from psycopg.errors import LockNotAvailable

from domain.ledger.vault_statements import (
    READERS,
    READERS_ENDED,
    REWRITE,
    THIS_MOMENT,
    WRITERS_ENDED,
)

PATIENCE_SECONDS = 5.0
LOOK_SECONDS = 0.05


def rewrite(connection: Connection[Any]) -> None:
    """Write the key tables anew. What is deleted was committed before.

    First every transaction of the server that began to write before this moment must have ended,
    because no snapshot taken while it ran is later than it; then every one in this database,
    because it may hold such a snapshot. Raises LockNotAvailable where that takes more than 5 s.
    """
    connection.autocommit = True
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        moment = connection.execute(THIS_MOMENT).fetchone()
        _wait(connection, WRITERS_ENDED, moment, deadline)
        readers = [row[0] for row in connection.execute(READERS)]
        _wait(connection, READERS_ENDED, (readers,), deadline)
        connection.execute(REWRITE)
    finally:
        connection.autocommit = False


def _wait(connection: Connection[Any], ended: str, values: Any, deadline: float) -> None:
    while connection.execute(ended, values).fetchone() != (True,):
        if time.monotonic() > deadline:
            raise LockNotAvailable("someone may still see what was deleted")
        time.sleep(LOOK_SECONDS)
