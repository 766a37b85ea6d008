"""A log whose entries are bare, and a sealer beside it."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from domain.ledger.log import Append, EventLog, NewEntry
from domain.ledger.sealer import Sealer
from domain.ledger.seals import Seals


@pytest.fixture
def connect(database: str) -> Callable[[], psycopg.Connection]:
    return lambda: psycopg.connect(database, autocommit=True)


@pytest.fixture
def sealer(log: EventLog, connect, tmp_path: Path) -> Sealer:
    """Of the test's own log."""
    Seals(connect, create=True)
    return Sealer(connect, tmp_path / "seal.key")


@pytest.fixture
def enter(log: EventLog) -> Callable[[int], int]:
    """Enters so many entries more; answers the last position."""

    def run(count: int) -> int:
        first = log.head() + 1
        entries = [
            NewEntry("Thing", [f"thing:{n % 7}", *([] if n % 3 else ["甲"])], f"data {n}".encode())
            for n in range(first, first + count)
        ]
        for n in range(0, count, 300):
            log.enter(Append(entries[n : n + 300]))
        return log.head()

    return run
