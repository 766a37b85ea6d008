"""A real PostgreSQL for every test that asks: one server a run, a fresh database a test."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from domain.ledger.log import EventLog
from domain.ledger.server import EmbeddedServer

_numbers = itertools.count(1)
# no test pulls the plug, so nothing needs to reach the disk
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "256MB"}


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """The run's server, in a directory that a server without root's rights can reach."""
    directory = Path(tempfile.mkdtemp(prefix="ledger-test-"))
    directory.chmod(0o755)
    try:
        with EmbeddedServer(directory / "pg", settings=_SETTINGS) as running:
            yield running
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def template(server: EmbeddedServer) -> str:
    """A database that holds an empty log under the usual prefix."""
    EventLog(server.conninfo("template_ledger")).close()
    return "template_ledger"


@pytest.fixture
def database(server: EmbeddedServer, template: str) -> Iterator[str]:
    """The connection string of a fresh database, which is dropped after the test."""
    yield from _fresh(server, template)


@pytest.fixture
def other_database(server: EmbeddedServer, template: str) -> Iterator[str]:
    """A second fresh database (a vault apart from its ledger)."""
    yield from _fresh(server, template)


@pytest.fixture
def log(database: str) -> Iterator[EventLog]:
    """An empty event log under the usual prefix."""
    opened = EventLog(database)
    yield opened
    opened.close()


def _fresh(server: EmbeddedServer, template: str) -> Iterator[str]:
    name = Identifier(database := f"test_{os.getpid()}_{next(_numbers)}")
    control = server.conninfo("postgres")
    with psycopg.connect(control, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(name, Identifier(template)))
    yield make_conninfo(control, dbname=database)
    with psycopg.connect(control, autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(name))
