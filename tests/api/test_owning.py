"""What takes the owner's role on an installed PostgreSQL: loading an archive, cutting reads off."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from api.cli.roles import _make
from api.settings import Bureau, Settings
from domain.events import Actor
from domain.ledger import reads as of_reads
from domain.ledger import roles
from domain.ledger.reads import Read
from tests.api import test_roles
from tests.api.desk import Said
from tests.api.test_roles import databases, run
from tests.installed import InstalledServer

pytestmark = test_roles.pytestmark
server = test_roles.server
SIZE = 8
TODAY = date.today()  # noqa: DTZ011 - days far apart


def made(server: InstalledServer, name: str) -> tuple[dict[str, str], str]:
    """An empty ledger with its roles, made by one who may create roles and is no superuser: how the
    application connects, and how that one does.
    """
    boss = databases(server, name, f"{name}_vault")
    with psycopg.connect(boss["DATABASE"], autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name}_dba LOGIN CREATEROLE PASSWORD 'dba'")
        for one in (name, f"{name}_vault"):
            connection.execute(f"ALTER DATABASE {one} OWNER TO {name}_dba")
    ways = {}
    for database, of in (("DATABASE", roles.Roles.of_ledger), ("VAULT", roles.Roles.of_vault)):
        dba = make_conninfo(boss[database], user=f"{name}_dba", password="dba")
        with psycopg.connect(dba, autocommit=True) as connection:
            those = of(connection)
            for role, password in _make(connection, those).items():
                ways[role] = make_conninfo(boss[database], user=role, password=password)
            connection.execute(those.leaving())
    app = {
        "DATABASE": ways[f"{name}_app"], "VAULT": ways[f"{name}_vault_app"],
        "SEALER": ways[f"{name}_sealer"],
    }  # fmt: skip
    return app, make_conninfo(boss["DATABASE"], user=f"{name}_dba", password="dba")


def words(said: Said) -> str:
    return " ".join(said.err.split())


def test_an_archive_is_loaded_by_whoever_may_act_as_the_owner(
    server: InstalledServer, tmp_path: Path
) -> None:
    file, folder, other = str(tmp_path / "all.archive"), tmp_path / "filled", tmp_path / "empty"
    app, _ = made(server, "filled")
    assert run(folder, app, "init", "--pack", "000000").code == 0
    assert run(folder, app, "archive", "dump", file).code == 0
    theirs, dba = made(server, "empty")
    other.mkdir()
    shutil.copy(folder / "kek", other / "kek")
    refused = run(other, theirs, "archive", "load", file)
    assert refused.code == 1
    told = "this takes a role that may act as empty_owner: set PERSONNEL_LEDGER_OWNER"
    assert told in words(refused)
    loaded = run(other, {**theirs, "OWNER": dba}, "archive", "load", file)
    assert loaded.code == 0, loaded
    assert "loaded before" in words(run(other, theirs, "archive", "load", file))
    assert run(other, theirs, "seal").code == run(other, theirs, "verify").code == 0
    with psycopg.connect(dba) as connection:
        members = "SELECT FROM pg_auth_members WHERE roleid = 'empty_owner'::regrole"
        assert connection.execute(members).fetchall() == [], "lent for that while alone"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs of reads that are made here have small partitions."""
    size = {of_reads.PREFIX: (SIZE, roles.LOGS[of_reads.PREFIX][1])}
    monkeypatch.setattr(roles, "LOGS", {**roles.LOGS, **size})


def test_reads_are_cut_off_by_whoever_may_act_as_the_owner(
    server: InstalledServer, tmp_path: Path, small: None
) -> None:
    folder = tmp_path / "cutting"
    app, dba = made(server, "cutting")
    boss = server.conninfo("cutting")
    assert run(folder, app, "init", "--pack", "000000").code == 0
    told = Settings(folder, app["DATABASE"], app["VAULT"], sealer=app["SEALER"])
    with Bureau(told) as bureau:
        for _ in range(2 * SIZE + 1):
            bureau.reads.record(Read(Actor(), "test", question="record", persons=["P1"]))
    with psycopg.connect(boss) as connection:
        for part in ("", *(f"_{n:06}" for n in range(3))):
            connection.execute(f"ALTER TABLE reads_entries{part} DISABLE TRIGGER deny_change")
        connection.execute("UPDATE reads_entries SET recorded_at = recorded_at - interval '1 year'")
        for part in ("", *(f"_{n:06}" for n in range(3))):
            table = f"reads_entries{part}"
            connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER deny_change")
    assert run(folder, app, "seal").code == 0

    wanted = ("--before", str(TODAY - timedelta(days=300)), "--ground", "本局〔2026〕9号")
    assert "add --enter" in words(run(folder, app, "reads", "cut", *wanted))
    refused = run(folder, app, "reads", "cut", *wanted, "--enter")
    assert refused.code == 1
    assert "may act as cutting_owner: set PERSONNEL_LEDGER_OWNER" in words(refused)
    assert "ReadsCut" not in run(folder, app, "journal", "--json").out, "nor is it ordered"
    young = ("--before", str(TODAY - timedelta(days=60)), "--ground", "x", "--enter")
    with_owner = {**app, "OWNER": dba}
    held = run(folder, with_owner, "reads", "cut", *young)
    assert held.code == 1
    assert "网络安全法 21" in words(held)
    planted(app["DATABASE"])
    done = run(folder, with_owner, "reads", "cut", *wanted, "--enter")
    assert done.code == 0, done
    assert f"The first {2 * SIZE} reads are gone, by entry" in done.out
    with psycopg.connect(boss) as connection:
        query = "SELECT rolsuper FROM pg_roles WHERE rolname = 'cutting_app'"
        assert connection.execute(query).fetchall() == [(False,)]
    assert run(folder, app, "seal").code == 0
    verified = run(folder, app, "verify")
    assert verified.code == 18, verified
    assert "reads_cut_index(bigint,bigint,bigint) bears" in " ".join(verified.out.split())
    with psycopg.connect(boss, autocommit=True) as connection:
        connection.execute("DROP FUNCTION derived.reads_cut_index(bigint, bigint, bigint)")
    verified = run(folder, app, "verify")
    assert verified.code == 0, verified
    assert "their hashes are left" in " ".join(verified.out.split())
    assert "There is nothing left to cut" in words(run(folder, app, "reads", "cut"))
    file, other = str(tmp_path / "all.archive"), tmp_path / "other"
    assert run(folder, app, "archive", "dump", file).code == 0
    theirs, dba = made(server, "cut_copy")
    other.mkdir()
    shutil.copy(folder / "kek", other / "kek")
    loaded = run(other, {**theirs, "OWNER": dba}, "archive", "load", file)
    assert loaded.code == 0, loaded
    assert f"log of reads: rows {2 * SIZE + 1} to" in " ".join(loaded.out.split())
    assert run(other, theirs, "seal").code == run(other, theirs, "verify").code == 0


def planted(app: str) -> None:
    """What the application makes where only it looks is not run by whoever acts as the owner."""
    with psycopg.connect(app, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION derived.reads_cut_index(bigint, bigint, bigint) RETURNS void"
            " LANGUAGE plpgsql AS $$ BEGIN RESET ROLE; ALTER ROLE cutting_app SUPERUSER; END $$"
        )
