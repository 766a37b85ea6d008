"""A bureau served for real: PostgreSQL, uvicorn on a free loopback port, an HTTP client."""

import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import count
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from api.app import QUIET, create_app
from api.settings import Bureau, Settings
from domain.acts.packs import PackPublished
from domain.events import Proposal
from domain.law import load_packs
from domain.ledger.requests import Request
from tests.api.desk import ATTESTED, STORY, Desk, run

STATED = {"Purpose": quote("月度核对")}
"""What private fields are read for."""
_keys = count(1)
DAY = date(2015, 1, 1)
CLOSED = """
code = "111100"
zh = "试"
en = "Trial"
version = "1"
[[rule]]
id = "closed"
kind = "closed_period"
since = 2001-01-01
article = "封账 1"
source = "made for a test"
status = "in-force"
strength = "block"
clock = "recorded"
zh = "上一年度已封账"
en = "The past year is closed"
values = { facets = "all", before = 2024-01-01 }
"""


class Office(NamedTuple):
    """A bureau and a client of its server."""

    bureau: Bureau
    http: httpx.Client
    port: int

    def post(self, *events: dict[str, Any], key: str | None = None, **body: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key or f"test-{next(_keys)}"}
        return self.http.post("/v1/entries", json={"events": events, **body}, headers=headers)

    def entered(self, *events: dict[str, Any], **body: Any) -> int:
        """The position of the last entry of a request that must be accepted."""
        answer = self.post(*events, **body)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["position"])

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        answer = self.http.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def head(self) -> int:
        return self.bureau.ledger.log.head()


@contextmanager
def serving(app: FastAPI) -> Iterator[int]:
    """The port on which the application is served meanwhile."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, **QUIET))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(15)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def office(common_bureau: Bureau) -> Iterator[Office]:
    """A bureau under the law of Ningbo, shared by a file of tests, each with persons of its own."""
    bureau = common_bureau
    packs = load_packs()
    published = [Proposal(PackPublished.of(packs[code]), DAY) for code in ("000000", "330200")]
    bureau.ledger.enter(Request(published))
    with (
        serving(create_app(bureau)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, headers=STATED) as http,
    ):
        opened = Office(bureau, http, port)
        opened.entered(
            unit("bureau", kind="bureau", division="330200"),
            unit("north", kind="station", parent="bureau"),
            unit("south", kind="station", parent="bureau"),
        )
        yield opened


def unit(id_: str, **fields: str) -> dict[str, Any]:
    return {
        "type": "UnitEstablished", "effective": "2015-01-01", "unit": id_, "name": f"{id_}所",
        **fields,
    }  # fmt: skip


def person(id_: str, **fields: str) -> dict[str, Any]:
    return {"type": "PersonRegistered", "effective": "2015-01-01", "person": id_, **fields}


def hired(id_: str, on: str = "2022-03-01", at: str = "north") -> dict[str, Any]:
    return {
        "type": "AuxiliaryHired", "effective": on, "person": id_, "unit": at, "category": "field",
    }  # fmt: skip


def transferred(id_: str, on: str, to: str = "south") -> dict[str, Any]:
    return {"type": "AuxiliaryTransferred", "effective": on, "person": id_, "unit": to}


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """The story is entered; the folder's server runs meanwhile, so that each command joins it."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-cli-"))
    folder.chmod(0o755)
    try:
        with Bureau(Settings(folder)) as bureau:
            made = run(folder, "init")
            assert made.code == 0, made
            file = folder / "story.json"
            file.write_text(json.dumps({"events": STORY, **ATTESTED}), "utf-8")
            entered = run(folder, "enter", str(file))
            assert entered.code == 0, entered
            yield Desk(folder, bureau, bureau.ledger.log.head())
    finally:
        rmtree(folder, ignore_errors=True)
