"""Private data from outside: no trace where it does not belong, and none at all once destroyed."""

import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from api.settings import Bureau, Settings
from domain.ledger.server import EmbeddedServer
from tests.api.conftest import STATED, person
from tests.api.desk import Said, act, run

NUMBER = "11010519491231002X"
PLANTED = ["欧阳植入", NUMBER, "13912345678", "1949-12-31", "只身入火场植入"]
NAME, _, PHONE, BORN, DEED = PLANTED
TOLD = person("p1", name=NAME, id_number=NUMBER, phone=PHONE, birth_date=BORN)
REWARD = act("RewardGranted", "2022-02-01", person="p1", kind="嘉奖", deed=DEED)
DESTROYED = act(
    "PrivateDataDestroyed", "2022-03-01", person="p1", classes=["identity", "political"],
    ground="个人信息保护法 47", approval="销〔2022〕1号",
)  # fmt: skip
ATTESTED = {"mood": "attested"}


class House(NamedTuple):
    """A served ledger in a folder, whose PostgreSQL writes down every statement it is sent."""

    folder: Path
    bureau: Bureau
    http: httpx.Client
    served: "subprocess.Popen[bytes]"
    log: Path
    kept: Path

    def post(self, *events: dict[str, Any], key: str, **body: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key}
        return self.http.post("/v1/entries", json={"events": events, **body}, headers=headers)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="ledger-private-"))
    folder.chmod(0o755)
    log = Path(tempfile.mkstemp()[1])
    kept = Path(tempfile.mkdtemp(prefix="ledger-kept-"))
    talkative = {"log_statement": "all", "log_min_error_statement": "error"}
    command = [sys.executable, "-m", "api.cli.main", "--data", str(folder), "serve", "--port", "0"]
    try:
        with (
            EmbeddedServer(folder / "postgres", settings=talkative),
            Bureau(Settings(folder)) as bureau,
            log.open("wb") as out,
            subprocess.Popen(
                command,
                stdout=out,
                stderr=out,
                env={**os.environ, "PERSONNEL_LEDGER_BACKUP_DIR": str(kept)},
            ) as served,
        ):
            try:
                with httpx.Client(base_url=_address(served), timeout=30, headers=STATED) as http:
                    yield House(folder, bureau, http, served, log, kept)
            finally:
                served.terminate()
    finally:
        rmtree(folder, ignore_errors=True)
        rmtree(kept, ignore_errors=True)
        log.unlink()


def _address(served: "subprocess.Popen[bytes]") -> str:
    """Where the process listens, as the kernel knows it."""
    for _ in range(600):
        assert served.poll() is None
        found = _listening(served.pid)
        if found is not None:
            return f"http://127.0.0.1:{found}"
        try:
            served.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("it does not listen")


def _listening(pid: int) -> int | None:
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.update(re.findall(r"socket:\[(\d+)\]", str(descriptor.readlink())))
        except FileNotFoundError:
            continue
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[3] == "0A" and columns[9] in inodes:
            return int(columns[1].rpartition(":")[2], 16)
    return None


def planted_in(text: str | bytes) -> list[str]:
    raw = text.encode() if isinstance(text, str) else text
    return [v for v in PLANTED if v.encode() in raw or json.dumps(v)[1:-1].encode() in raw]


def test_what_is_entered_asked_and_refused_leaves_no_trace_beside_the_answers(house: House) -> None:
    assert house.post(TOLD, REWARD, key="first", **ATTESTED).status_code == 201
    answer = house.http.get("/v1/auxiliaries/p1").text
    assert set(PLANTED[:3]) <= set(planted_in(answer)), "the answers do tell"
    assert house.http.post("/v1/lookup", json={"id_number": NUMBER}).status_code == 200
    assert NAME in house.http.post("/v1/lookup", json={"name": NAME}).text
    refused = [
        house.post({**TOLD, "person": "p2"}, key="taken"),
        house.post({**TOLD, "id_number": NUMBER[:-1] + "1", "phone": PHONE * 9}, key="wrong"),
        house.post({**REWARD, "effective": DEED}, {"type": NAME}, key="types"),
        house.post({**TOLD, "birth_date": PHONE}, key="born"),
        house.post({**TOLD, "name": "另名"}, key="first"),
        house.http.get("/v1/roster", params={"effective": NAME}),
        house.http.get("/v1/auxiliaries/" + NAME),
        house.http.get("/v1/nothing", headers={"X-Request-Id": NUMBER}),
        house.http.get("/v1/nothing", headers={"X-Request-Id": PHONE}),
    ]
    for answer in refused:
        assert answer.status_code >= 400
        assert planted_in(answer.content) == [], answer.text
        assert planted_in(str(dict(answer.headers))) == []
    assert planted_in(house.http.get("/metrics").content) == []
    assert planted_in(house.http.get("/v1/changes").content) == []
    lines = [line for line in house.log.read_text().splitlines() if line.startswith("{")]
    asked = [json.loads(line) for line in lines if '"request_id"' in line]
    assert [(a["route"], a["status"]) for a in asked if a["event"] == "request"].count(
        ("/v1/entries", 201)
    ) == 1, "a line a request"
    assert planted_in(house.log.read_bytes()) == []


def test_serve_keeps_a_backup_that_tells_nothing(house: House) -> None:
    [backup] = house.kept.iterdir()
    assert planted_in(backup.read_bytes()) == []
    told = house.http.get("/readyz").json()["vault_backup"]
    assert (told["made_at"] is not None, told["late"]) == (True, False)


def test_nor_does_the_command_line(house: House) -> None:
    def enter(*events: dict[str, Any]) -> Said:
        return run(house.folder, "enter", "-", stdin=json.dumps({"events": events}).encode())

    assert enter(person("p3", name="另一人")).code == 0
    for said in (
        enter({**TOLD, "person": "p2"}),
        enter({**TOLD, "id_number": NUMBER[:-1] + "1"}),
        run(house.folder, "enter", "-", stdin=f"[{NAME}".encode()),
    ):
        assert said.code == 1
        assert planted_in(said.err + said.out) == []


def test_postgresql_is_never_sent_a_private_value(house: House) -> None:
    """Statements with their parameters, as the server wrote them down."""
    sent = (house.folder / "postgres" / "server.log").read_text()
    assert "INSERT INTO" in sent
    assert planted_in(sent) == []
    with psycopg.connect(house.bureau.database) as connection:
        rows = connection.execute("SELECT query FROM pg_stat_activity WHERE query <> ''").fetchall()
    assert len(rows) > 3
    assert planted_in(str(rows)) == []


def test_once_destroyed_it_is_nowhere(house: House) -> None:
    wrapped = _wrapped(house)
    assert len(wrapped) == 2
    assert any(planted_in(file) for file in _exports(house)), "before, exports do tell"
    assert planted_in(house.http.get("/v1/auxiliaries/p1").content)
    assert house.post(DESTROYED, key="destroyed").status_code == 201

    assert _wrapped(house) == []
    for answer in _answers(house):
        assert planted_in(answer) == [], answer
    record = house.http.get("/v1/auxiliaries/p1").text
    assert planted_in(record) == []
    assert '{"erased":true}' in record
    assert run(house.folder, "record", "p1").out.count("已销毁") >= 3
    assert house.http.post("/v1/lookup", json={"id_number": NUMBER}).json()["data"]["persons"] == []
    for file in _exports(house):
        assert planted_in(file) == []
    for row in _rows(house):
        assert planted_in(row) == []
        assert not any(key.hex() in row for key in wrapped)
    assert run(house.folder, "replay", "verify").code == 0
    assert run(house.folder, "seal").code == 0
    assert run(house.folder, "verify").code == 0
    with psycopg.connect(house.bureau.database, autocommit=True) as connection:
        connection.execute("CHECKPOINT")  # until then a dropped file's name is kept, empty
    for file in house.folder.rglob("*"):
        if file.is_file():
            raw = file.read_bytes()
            assert planted_in(raw) == [], file
            if "pg_wal" not in file.parts:
                assert not any(key in raw for key in wrapped), file


def _wrapped(house: House) -> list[bytes]:
    with psycopg.connect(_databases(house)["vault"]) as connection:
        rows = connection.execute("SELECT wrapped FROM data_keys WHERE subject = 'p1'").fetchall()
    return [bytes(row[0]) for row in rows]


def _databases(house: House) -> dict[str, str]:
    ledger = house.bureau.database
    return {name: ledger.replace("dbname=ledger", f"dbname={name}") for name in ("ledger", "vault")}


def _rows(house: House) -> Iterator[str]:
    """Every row of every table, as text."""
    for conninfo in _databases(house).values():
        with psycopg.connect(conninfo) as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            for (table,) in tables:
                rows = connection.execute(SQL("SELECT t::text FROM {} t").format(Identifier(table)))
                for (row,) in rows:
                    yield from _with_bytes_read(row)


def _with_bytes_read(row: str) -> Iterator[str]:
    yield row
    for digits in re.findall(r"\\x([0-9a-f]+)", row):
        yield bytes.fromhex(digits).decode(errors="replace")


def _exports(house: House) -> Iterator[bytes]:
    """What the command line writes to files: reports, the archive, a bundle with all disclosed."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        assert run(house.folder, "seal").code == 0
        disclose = ("--disclose", "identity", "--disclose", "political")
        for command in (
            ("record", "p1", "--json"),
            ("roster", "--out", str(folder / "roster.csv")),
            ("roster", "--out", str(folder / "roster.jsonl")),
            ("archive", "dump", str(folder / "archive")),
            ("evidence", "export", "-o", str(folder / "b.zip"), "--person", "p1", "--all", *disclose),
        ):  # fmt: skip
            said = run(house.folder, *command)
            assert said.code == 0, said
            yield said.out.encode()
        for file in folder.iterdir():
            raw = file.read_bytes()
            yield raw
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as bundle:
                    yield from (bundle.read(name) for name in bundle.namelist())
            elif raw.startswith(b"\x1f\x8b"):
                yield gzip.decompress(raw)


def _answers(house: House) -> list[bytes]:
    head = house.bureau.ledger.log.head()
    paths = [
        "/v1/auxiliaries/p1", "/v1/auxiliaries/p1/history", "/v1/roster", "/v1/journal",
        "/v1/findings?person=p1", "/v1/changes", "/v1/due", "/v1/beliefs?person=p1",
        *(f"/v1/entries/{n}" for n in range(1, head + 1)),
    ]  # fmt: skip
    return [house.http.get(path).content for path in paths]
