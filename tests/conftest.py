"""A real PostgreSQL for every test that asks: one server a run, a fresh database a test."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import structlog
from hypothesis import Phase
from hypothesis import settings as budgets
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from api.settings import Bureau, Settings
from domain.events import FACETS, REGISTRY
from domain.ledger import reads
from domain.ledger.log import EventLog
from domain.ledger.server import EmbeddedServer
from tests.installed import InstalledServer

# random histories without a budget: `make soak`
budgets.register_profile("soak", max_examples=1_000, stateful_step_count=50, deadline=None)
# as they are and without a budget, for tests/faults.py, which asks whether they fail and not why
budgets.register_profile("faults", phases=[Phase.explicit, Phase.generate])
budgets.register_profile(
    "faults-soak", budgets.get_profile("soak"), phases=[Phase.explicit, Phase.generate]
)
if profile := os.environ.get("HYPOTHESIS_PROFILE"):
    budgets.load_profile(profile)

PURPOSE = "测试"
_numbers = itertools.count(1)
# no test pulls the plug, so nothing needs to reach the disk
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "256MB"}


@pytest.fixture(autouse=True)
def logging() -> Iterator[None]:
    """A command says where it logs to; what comes after it logs as before."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer | InstalledServer]:
    """The run's server, in a directory that a server without root's rights can reach."""
    installed = os.environ.get("LEDGER_TEST_POSTGRES")
    directory = Path(tempfile.mkdtemp(prefix="ledger-test-"))
    directory.chmod(0o755)
    try:
        if installed:
            with InstalledServer(Path(installed), directory, _SETTINGS) as running:
                yield running
        else:
            with EmbeddedServer(directory / "pg", settings=_SETTINGS) as running:
                yield running
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def template(server: EmbeddedServer) -> str:
    """A database that holds an empty log under the usual prefix, and an empty log of reads."""
    conninfo = server.conninfo("template_ledger")
    EventLog(conninfo).close()
    size, subjects = reads.PARTITION, reads.SUBJECTS
    EventLog(conninfo, prefix=reads.PREFIX, partition_size=size, subjects=subjects).close()
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
def empty_database(server: EmbeddedServer) -> Iterator[str]:
    """A fresh database in which nothing was made yet."""
    yield from _fresh(server, "template1")


@pytest.fixture
def log(database: str) -> Iterator[EventLog]:
    """An empty event log under the usual prefix."""
    opened = EventLog(database)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def settings(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Where every bureau of the run keeps its keys: one vault, in a database of its own."""
    folder = tmp_path_factory.mktemp("bureau")
    return Settings(folder, vault=server.conninfo("vault"), kek_file=folder / "kek")


@pytest.fixture
def bureau(settings: Settings, database: str) -> Iterator[Bureau]:
    """An empty bureau: its ledger and records in a fresh database, read for a stated purpose."""
    with Bureau(settings._replace(database=database)) as opened:
        yield opened.read_by(opened.reader.stating(PURPOSE, None))


@pytest.fixture(scope="module")
def common_bureau(server: EmbeddedServer, template: str, settings: Settings) -> Iterator[Bureau]:
    """A bureau that the tests of a module share; each keeps to subjects of its own."""
    with (
        contextmanager(_fresh)(server, template) as database,
        Bureau(settings._replace(database=database)) as opened,
    ):
        yield opened.read_by(opened.reader.stating(PURPOSE, None))


@pytest.fixture
def declaring() -> Iterator[None]:
    """The event types and facets that a test declares are forgotten after it."""
    types, facets = dict(REGISTRY), dict(FACETS)
    yield
    for registry, before in ((REGISTRY, types), (FACETS, facets)):
        registry.clear()
        registry.update(before)


def _fresh(server: EmbeddedServer, template: str) -> Iterator[str]:
    name = Identifier(database := f"test_{os.getpid()}_{next(_numbers)}")
    control = server.conninfo("postgres")
    with psycopg.connect(control, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(name, Identifier(template)))
    yield make_conninfo(control, dbname=database)
    with psycopg.connect(control, autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(name))
