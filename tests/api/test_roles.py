"""The database's roles on an installed PostgreSQL, with passwords: each may what it needs."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from api.app import create_app
from api.settings import Bureau, Settings
from domain.events import Actor
from domain.ledger.reads import Read
from tests.api.conftest import hired, person, serving, unit
from tests.api.desk import ROSTER, Said, act
from tests.installed import InstalledServer, newest

BINARIES = newest()
pytestmark = pytest.mark.skipif(
    BINARIES is None, reason="no PostgreSQL is installed (LEDGER_TEST_POSTGRES names its programs)"
)
LOG = ("entries", "tags", "event_ids", "requests")
SEALS = ("seal_tiles", "seal_heads", "seal_cosignatures", "seal_stamps")
ATTESTED = {"mood": "attested", "attested_by": "the chief"}
NULLS = ", ".join(["NULL"] * 24)
NEW = "DEFAULT VALUES"

# in the ledger's database: what is tried → who may
TABLE = {
    **dict.fromkeys(
        (f"TABLE ledger_{t}" for t in ("meta", "entries")), "app sealer reader auditor"
    ),
    **dict.fromkeys((f"TABLE ledger_{t}" for t in ("tags", "event_ids")), "app reader auditor"),
    "TABLE ledger_requests": "app auditor",
    "TABLE ledger_claims": "app",
    **dict.fromkeys((f"TABLE ledger_{t}" for t in SEALS), "app sealer reader auditor"),
    **dict.fromkeys((f"INSERT INTO ledger_{t} {NEW}" for t in SEALS), "sealer"),
    **dict.fromkeys(("TABLE derived.records", "TABLE derived.bookmarks"), "app reader auditor"),
    "UPDATE derived.records SET until = until": "app",
    "DELETE FROM derived.records": "app",
    "UPDATE derived.bookmarks SET position = 0": "app",
    "CREATE TABLE derived.more (n int)": "app",
    "SELECT ledger_position_at(now())": "app reader auditor",
    "SELECT * FROM ledger_probe('', NULL, 0, 9, 9)": "app reader auditor",
    f"SELECT ledger_append({NULLS})": "app",
    "SELECT ledger_append_straight(" + ", ".join(["NULL"] * 14) + ")": "app",
    "SELECT ledger_load(1, NULL, NULL, NULL, NULL, NULL)": "",
    "SELECT ledger_extend(1, 1, '0')": "",
    "SELECT ledger_protect('ledger_meta')": "",
    **dict.fromkeys((f"INSERT INTO ledger_{t} {NEW}" for t in (*LOG, "claims", "meta")), ""),
    **dict.fromkeys((f"DELETE FROM ledger_{t}" for t in (*LOG, *SEALS, "claims", "meta")), ""),
    **dict.fromkeys((f"TRUNCATE ledger_{t} CASCADE" for t in (*LOG, *SEALS, "claims")), ""),
    "UPDATE ledger_entries SET type = type": "",
    "UPDATE ledger_entries_000000 SET type = type": "",
    "UPDATE ledger_tags SET tag = tag": "",
    "UPDATE ledger_requests SET last = last": "",
    "UPDATE ledger_claims SET subject = subject": "",
    "UPDATE ledger_seal_heads SET note = note": "",
    "DROP TABLE ledger_tags": "",
    "ALTER TABLE ledger_entries DISABLE TRIGGER ALL": "",
    "ALTER TABLE ledger_entries DETACH PARTITION ledger_entries_000000": "",
    "CREATE TRIGGER t BEFORE INSERT ON ledger_entries EXECUTE FUNCTION ledger_deny()": "",
    "CREATE INDEX ON ledger_entries (type)": "",
    "CREATE OR REPLACE FUNCTION public.ledger_deny() RETURNS trigger LANGUAGE sql AS ''": "",
    "CREATE FUNCTION public.cardinality(int[]) RETURNS int LANGUAGE sql AS 'SELECT 1'": "",
    "CREATE TABLE public.more (n int)": "",
    "CREATE TEMP TABLE more (n int)": "",
    "CREATE SCHEMA more": "",
    "SET session_replication_role = replica": "",
    "SET ROLE ledger_owner": "",
    "ALTER ROLE ledger_owner PASSWORD 'x'": "",
    "COPY (SELECT 1) TO PROGRAM 'true'": "",
}
# the log of reads is guarded like the ledger's own
TABLE |= {
    said.replace("ledger_", "reads_"): who
    for said, who in TABLE.items()
    if "ledger_" in said and " ROLE " not in said
}
TABLE |= {
    "SELECT reads_ordered_cut(1)": "",
    "SELECT reads_cut_index(1, 0, 8)": "",
    "SELECT reads_cut_partition(1, 0)": "",
}
VAULT = {
    **dict.fromkeys(
        (f"TABLE {t}" for t in ("data_keys", "secrets", "escrowed_keys", "destroyed_keys")), True
    ),
    "DELETE FROM data_keys": True,
    "SELECT rewrite_keys()": True,
    "DELETE FROM destroyed_keys": False,
    "DELETE FROM secrets": False,
    "UPDATE data_keys SET wrapped = ''": False,
    "DELETE FROM backups": False,
    "TRUNCATE settled": False,
    "DROP TABLE data_keys": False,
    "CREATE TABLE more (n int)": False,
    "SET ROLE vault_owner": False,
}


class Site(NamedTuple):
    """A server, the folder of a ledger on it, and how each of its roles connects."""

    server: InstalledServer
    folder: Path
    boss: dict[str, str]
    ways: dict[str, str]

    def run(self, *arguments: str, stdin: str = "", **settings: str) -> Said:
        return run(self.folder, settings or self.everyday(), *arguments, stdin=stdin)

    def everyday(self) -> dict[str, str]:
        names = {"DATABASE": "ledger_app", "VAULT": "vault_app", "SEALER": "ledger_sealer"}
        return {name: self.ways[role] for name, role in names.items()}


def run(folder: Path, settings: Mapping[str, str], *arguments: str, stdin: str = "") -> Said:
    command = [sys.executable, "-m", "api.cli.main", "--data", str(folder), "--lang", "en"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PERSONNEL_LEDGER", "PG"))}
    settings = {"PURPOSE": "a test", **settings}
    named = {f"PERSONNEL_LEDGER_{name}": value for name, value in settings.items()}
    done = subprocess.run(
        [*command, *arguments], input=stdin.encode(), capture_output=True, check=False,
        env={**clean, **named, "COLUMNS": "100"},
    )  # fmt: skip
    said = Said(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in said.err
    return said


def ways_in(out: str) -> dict[str, str]:
    lines = [line for line in out.splitlines() if line.startswith("user=") or " user=" in line]
    return {str(conninfo_to_dict(line)["user"]): line for line in lines}


@pytest.fixture(scope="module")
def server() -> Iterator[InstalledServer]:
    assert BINARIES is not None
    directory = Path(tempfile.mkdtemp(prefix="ledger-roles-"))
    directory.chmod(0o755)
    try:
        with InstalledServer(BINARIES, directory, {"fsync": "off"}, password="of-the-boss") as made:
            yield made
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def site(server: InstalledServer, tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    boss = {"DATABASE": server.conninfo("ledger"), "VAULT": server.conninfo("vault")}
    made = run(folder, boss, "init")
    assert made.code == 0, made
    return Site(server, folder, boss, ways_in(made.out))


def tried(conninfo: str, statements: Mapping[str, Any]) -> dict[str, bool]:
    """Whether each statement is allowed; what it does is undone."""
    allowed = {}
    with psycopg.connect(conninfo) as connection:
        for statement in statements:
            try:
                connection.execute(statement.encode())
                allowed[statement] = True
            except psycopg.Error as error:
                allowed[statement] = not isinstance(error, psycopg.errors.InsufficientPrivilege)
            connection.rollback()
    return allowed


@pytest.mark.parametrize("role", ["app", "sealer", "reader", "auditor"])
def test_each_role_may_what_the_table_says_and_nothing_else(site: Site, role: str) -> None:
    allowed = tried(site.ways[f"ledger_{role}"], TABLE)
    assert allowed == {said: role in who.split() for said, who in TABLE.items()}


def test_so_may_the_vaults(site: Site) -> None:
    assert tried(site.ways["vault_app"], VAULT) == VAULT


def test_nobody_logs_in_as_an_owner_without_a_password_or_elsewhere(site: Site) -> None:
    ways = site.ways
    assert sorted(ways) == [
        "ledger_app", "ledger_auditor", "ledger_reader", "ledger_sealer", "vault_app"
    ]  # fmt: skip
    for refused in (
        make_conninfo(ways["ledger_app"], user="ledger_owner"),
        make_conninfo(ways["ledger_app"], password="guessed"),
        make_conninfo(ways["ledger_app"], user="ledger_sealer"),
        make_conninfo(ways["ledger_app"], dbname="vault"),
        make_conninfo(ways["vault_app"], dbname="ledger"),
    ):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(refused)


def test_functions_with_the_owners_rights_look_names_up_in_one_place(site: Site) -> None:
    query = """
        SELECT p.proname, p.proowner::regrole::text, p.proconfig[1],
               has_function_privilege('public', p.oid, 'EXECUTE')
        FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace"""
    for database, owner, least in (("DATABASE", "ledger_owner", 4), ("VAULT", "vault_owner", 1)):
        with psycopg.connect(site.boss[database]) as connection:
            rows = connection.execute(query).fetchall()
        assert len(rows) >= least
        assert database == "VAULT" or {"ledger_append", "reads_append"} < {row[0] for row in rows}
        assert {row[1:] for row in rows} == {(owner, "search_path=public, pg_temp", False)}


def test_the_ledger_runs_end_to_end_with_its_roles(site: Site) -> None:
    story = [
        unit("U00", kind="bureau", division="330200"), unit("U01", kind="station", parent="U00"),
        person("P1", name="张三", id_number="11010519491231002X"), hired("P1", at="U01"),
    ]  # fmt: skip
    entered = site.run("enter", "-", stdin=json.dumps({"events": story, **ATTESTED}))
    assert entered.code == 0, entered
    assert "张三" in site.run("roster", "U01").out
    imported = site.run("import", str(ROSTER), "--mapping", "roster-city", "--enter")
    assert imported.code == 0, imported
    sealed = site.run("seal")
    assert sealed.code == 0, sealed
    assert site.run("verify").code == 0
    assert site.run("replay", "rebuild").code == 0
    assert site.run("replay", "verify").code == 0
    destroyed = act(
        "PrivateDataDestroyed", "2024-05-01", person="P1", classes=["identity"],
        ground="个人信息保护法 47", approval="销1号",
    )  # fmt: skip
    assert site.run("enter", "-", stdin=json.dumps({"events": [destroyed]})).code == 0
    assert "张三" not in site.run("record", "P1").out

    key = next(word for word in sealed.err.split() if word.startswith("personnel-ledger/"))
    nothing = site.folder / "of-the-auditor"
    by_auditor = {"DATABASE": site.ways["ledger_auditor"]}
    checked = run(nothing, by_auditor, "verify", "--key", key)
    assert checked.code == 0, checked
    assert "rows of the log of reads" in checked.out, "what was read is verified by the auditor too"
    assert not nothing.exists(), "the auditor needs no key of ours"
    with psycopg.connect(site.ways["ledger_reader"]) as connection:
        [[rows]] = connection.execute("SELECT count(*) FROM records").fetchall()
    assert rows > 100, "made anew by the rebuild, and still to be read"


def test_it_serves_and_seals_with_them(site: Site) -> None:
    ways = site.ways
    told = Settings(
        site.folder, ways["ledger_app"], ways["vault_app"], sealer=ways["ledger_sealer"]
    )
    sent = {"events": [person("P5", name="李四")]}
    with (
        Bureau(told) as bureau,
        serving(create_app(bureau)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http,
    ):
        entered = http.post("/v1/entries", json=sent, headers={"Idempotency-Key": "1"})
        assert entered.status_code == 201, entered.text
        position = entered.json()["position"]
        assert entered.json()["receipt"]
        headers = {"Min-Position": str(position), "Purpose": "a%20test"}
        assert "李四" in http.get("/v1/auxiliaries/P5", headers=headers).text
        assert http.get("/readyz").status_code == http.get("/metrics").status_code == 200
        for _ in range(200):
            if (proof := http.get(f"/v1/proofs/{position}")).status_code == 200:
                break
            time.sleep(0.1)
        assert proof.json()["path"]


def test_the_application_adds_reads_the_auditor_reads_them_and_nobody_changes_them(
    site: Site,
) -> None:
    ways = site.ways
    told = Settings(
        site.folder, ways["ledger_app"], ways["vault_app"], sealer=ways["ledger_sealer"]
    )
    with Bureau(told) as bureau:
        read = Read(Actor(subject="clerk"), "a test", question="record", persons=["P1"])
        position = bureau.reads.record(read)
        assert bureau.reads.sealer.catch_up().size == position
        assert bureau.reads.sealer.seals.prove(position).path
    row = f"FROM reads_entries WHERE position = {position}"
    for role in ("reader", "auditor"):
        with psycopg.connect(ways[f"ledger_{role}"]) as connection:
            [[tags]] = connection.execute(f"SELECT tags {row}").fetchall()
        assert "person:P1" in tags
    changes = (
        f"DELETE {row}",
        f"UPDATE reads_entries SET tags = '{{}}' WHERE position = {position}",
    )
    for role in ("app", "sealer", "reader", "auditor"):
        assert not any(tried(ways[f"ledger_{role}"], dict.fromkeys(changes)).values())


def test_without_the_sealers_role_nothing_is_sealed_and_it_is_said(site: Site) -> None:
    everyday = {k: v for k, v in site.everyday().items() if k != "SEALER"}
    assert site.run("enter", "-", stdin=json.dumps({"events": [person("P9")]})).code == 0
    refused = site.run("seal", **everyday)
    assert refused.code == 1
    assert "permission denied for table ledger_seal_tiles" in " ".join(refused.err.split())


def test_init_again_changes_nothing_whoever_runs_it(site: Site) -> None:
    for settings in (site.boss, site.everyday()):
        again = site.run("init", **settings)
        assert (again.code, ways_in(again.out)) == (0, {}), again
        assert "No database roles" not in again.err
        assert ("run init as the application" in again.err) == (settings is site.boss)
    with psycopg.connect(site.boss["DATABASE"]) as connection:
        members = connection.execute(
            "SELECT roleid::regrole::text FROM pg_auth_members WHERE member = 'postgres'::regrole"
            " AND roleid::regrole::text ~ '^(ledger|vault)_'"
        ).fetchall()
    assert members == [], "whoever made the roles is none of them"


def test_who_makes_the_roles_runs_nothing_the_application_planted(site: Site) -> None:
    """Again as a superuser: of the application's schema no function and no trigger runs."""
    planted = """
        CREATE FUNCTION derived.planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RESET ROLE; ALTER ROLE ledger_app SUPERUSER; RETURN NEW; END $$;
        CREATE TRIGGER planted BEFORE INSERT OR UPDATE ON derived.bookmarks
            FOR EACH ROW EXECUTE FUNCTION derived.planted();
        CREATE FUNCTION derived.array_to_string(text[], text) RETURNS text LANGUAGE plpgsql AS $$
            BEGIN RESET ROLE; ALTER ROLE ledger_app SUPERUSER; RETURN NULL; END $$;"""
    with psycopg.connect(site.ways["ledger_app"], autocommit=True) as connection:
        connection.execute(planted.encode())
        assert site.run("init", **site.boss).code == 0
        connection.execute("DROP FUNCTION derived.planted CASCADE")
        connection.execute("DROP FUNCTION derived.array_to_string(text[], text)")
    with psycopg.connect(site.boss["DATABASE"]) as connection:
        query = "SELECT rolsuper FROM pg_roles WHERE rolname = 'ledger_app'"
        assert connection.execute(query).fetchall() == [(False,)]


def databases(server: InstalledServer, *names: str) -> dict[str, str]:
    ledger, vault = (server.conninfo(name) for name in names)
    return {"DATABASE": ledger, "VAULT": vault}


def test_a_ledger_from_before_the_roles_is_taken_over_with_its_records(
    server: InstalledServer, tmp_path: Path
) -> None:
    boss = databases(server, "older", "older_vault")
    with psycopg.connect(boss["DATABASE"], autocommit=True) as connection:
        connection.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
        for name in ("older", "older_vault"):
            connection.execute(f"ALTER DATABASE {name} OWNER TO plain")
    plain = {k: make_conninfo(v, user="plain", password="plain") for k, v in boss.items()}
    told = run(tmp_path, plain, "init", "--pack", "none")
    assert told.code == 0, told
    assert "No database roles" in told.err
    entered = run(tmp_path, plain, "enter", "-", stdin=json.dumps({"events": [person("P1")]}))
    assert entered.code == 0, entered
    assert run(tmp_path, plain, "record", "P1").code == 0

    made = run(tmp_path, boss, "init", "--pack", "none")
    assert made.code == 0, made
    ways = ways_in(made.out)
    app = {"DATABASE": ways["older_app"], "VAULT": ways["older_vault_app"]}
    with psycopg.connect(app["DATABASE"]) as connection:
        [[position]] = connection.execute("SELECT position FROM bookmarks").fetchall()
    assert position > 0, "the records moved with their bookmark"
    assert "P1" in run(tmp_path, app, "record", "P1").out
    assert run(tmp_path, app, "replay", "verify").code == 0
    assert tried(ways["older_app"], {"DELETE FROM ledger_entries": ""}) == {
        "DELETE FROM ledger_entries": False
    }
    assert tried(plain["DATABASE"], {"UPDATE ledger_tags SET tag = tag": ""}) == {
        "UPDATE ledger_tags SET tag = tag": False
    }


def test_who_may_create_roles_and_owns_the_databases_need_be_no_superuser(
    server: InstalledServer, tmp_path: Path
) -> None:
    boss = databases(server, "modest", "modest_vault")
    with psycopg.connect(boss["DATABASE"], autocommit=True) as connection:
        connection.execute("CREATE ROLE dba LOGIN CREATEROLE PASSWORD 'dba'")
        for name in ("modest", "modest_vault"):
            connection.execute(f"ALTER DATABASE {name} OWNER TO dba")
    dba = {k: make_conninfo(v, user="dba", password="dba") for k, v in boss.items()}
    made = run(tmp_path, dba, "init", "--pack", "none")
    assert made.code == 0, made
    assert len(ways_in(made.out)) == 5
    assert tried(dba["DATABASE"], {"TABLE ledger_entries": "", "TABLE ledger_tags": ""}) == {
        "TABLE ledger_entries": False, "TABLE ledger_tags": False,
    }  # fmt: skip
    assert run(tmp_path, dba, "init", "--pack", "none").code == 0


def test_the_script_for_an_administrator_does_the_same(
    server: InstalledServer, tmp_path: Path
) -> None:
    boss = databases(server, "printed", "printed_vault")
    with psycopg.connect(boss["DATABASE"], autocommit=True) as connection:
        connection.execute("CREATE ROLE curious LOGIN PASSWORD 'curious'")
    curious = {k: make_conninfo(v, user="curious", password="curious") for k, v in boss.items()}
    script = run(tmp_path, curious, "init", "--sql")
    assert script.code == 0, script
    psql = subprocess.run(
        [str(BINARIES / "psql"), "-X", "-q", boss["DATABASE"]], input=script.out.encode(),
        capture_output=True, check=False,
    )  # fmt: skip
    assert psql.returncode == 0, psql.stderr.decode()
    assert "password printed_app" in psql.stdout.decode()
    with psycopg.connect(boss["DATABASE"], autocommit=True) as connection:
        for role in ("printed_app", "printed_vault_app"):
            connection.execute(f"ALTER ROLE {role} PASSWORD 'given'")
    app = {
        "DATABASE": make_conninfo(boss["DATABASE"], user="printed_app", password="given"),
        "VAULT": make_conninfo(boss["VAULT"], user="printed_vault_app", password="given"),
    }
    assert run(tmp_path, app, "init", "--pack", "none").code == 0
    assert run(tmp_path, app, "replay", "verify").code == 0
    ledger = {said.replace("ledger_owner", "printed_owner"): "app" in who.split() for said, who in TABLE.items()}  # fmt: skip
    assert tried(app["DATABASE"], ledger) == ledger
