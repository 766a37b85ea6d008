"""Opening a bureau: what does not belong together is refused, and nothing is left running."""

import os
import signal
import subprocess
import sys
from datetime import date

import psycopg
import pytest

from api.settings import Bureau, Settings
from domain.acts.people import PersonRegistered
from domain.events import Proposal
from domain.ledger import Request
from domain.ledger.appends import Malformed
from domain.ledger.log import EventLog
from domain.ledger.wrapping import VaultUnfit


@pytest.fixture
def used(tmp_path, database, other_database):
    """The settings of a bureau with one person in it."""
    chosen = Settings(tmp_path, database, other_database)
    with Bureau(chosen) as bureau:
        event = PersonRegistered(person="p1", name="张三")
        bureau.ledger.enter(Request([Proposal(event, date(2022, 1, 4))]))
    return chosen


def test_a_lost_key_is_not_replaced_by_a_new_one(used):
    key = used.data / "kek"
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(VaultUnfit, match="kek is missing"):
        Bureau(used)
    assert not key.exists()
    key.write_bytes(kept)
    with Bureau(used) as bureau:
        [entry] = bureau.ledger.entries()
        assert bureau.ledger.vault.reveal(entry.fields)["name"] == "张三"


def test_another_key_is_refused(used):
    (used.data / "kek").write_bytes(bytes(32))
    with pytest.raises(VaultUnfit, match="does not open this vault"):
        Bureau(used)


def test_an_empty_vault_beside_a_used_ledger_is_refused(used):
    with psycopg.connect(used.vault, autocommit=True) as connection:
        connection.execute("DROP TABLE data_keys, secrets")
    with pytest.raises(VaultUnfit, match="not its vault"):
        Bureau(used)


def test_a_database_in_another_encoding_is_refused(server, database):
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(Malformed, match="UTF8"):
        EventLog(server.conninfo("latin"))


def test_a_server_that_is_terminated_stops_its_database_too(tmp_path):
    folder = tmp_path / "data"
    command = [sys.executable, "-m", "api.cli.main", "--data", str(folder), "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        running.stdout.readline()
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60)
    pid_file = folder / "postgres" / "cluster" / "postmaster.pid"
    assert not pid_file.exists() or not _alive(int(pid_file.read_text().split()[0]))


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
