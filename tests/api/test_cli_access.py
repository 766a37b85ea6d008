"""Rights and keys from the command line, and a server that then asks for them."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest
from typer.testing import CliRunner, Result

from api.app import create_app
from api.cli.main import app
from api.settings import Bureau, Settings
from domain.acts.units import UnitEstablished
from domain.events import Proposal
from domain.ledger.requests import Request
from tests.api.conftest import DAY, serving
from tests.api.identities import AUDIENCE, ISSUER, Provider


@pytest.fixture
def provided(
    settings: Settings, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bureau]:
    provider = Provider(tmp_path / "jwks.json")
    named = {
        "DATA": settings.data, "DATABASE": database, "VAULT": settings.vault,
        "KEK_FILE": settings.kek_file, "ISSUER": ISSUER, "AUDIENCE": AUDIENCE,
        "JWKS": provider.file,
    }  # fmt: skip
    for name, value in named.items():
        monkeypatch.setenv(f"PERSONNEL_LEDGER_{name}", str(value))
    with Bureau(Settings.of()) as bureau:
        bureau.ledger.enter(Request([Proposal(UnitEstablished(unit="north", name="北所"), DAY)]))
        yield bureau


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["access", *arguments])


def test_a_key_is_shown_once_opens_what_was_granted_and_is_taken_away(
    provided: Bureau, tmp_path: Path
) -> None:
    granted = run("grant", ISSUER, "payroll", "system", "--class", "identity")
    assert granted.exit_code == 0, granted.output
    assert run("grant", ISSUER, "li", "clerk", "--unit", "north", "--attest").exit_code == 0
    issued = run("key", ISSUER, "payroll", "--last-day", "2150-12-31")
    assert issued.exit_code == 0, issued.exception
    key, _, secret = issued.stdout.strip().partition(".")
    listed = orjson.loads(run("list", "--json").stdout)["data"]

    assert [r["role"] for r in listed["roles"]] == ["system", "clerk"]
    assert (listed["roles"][1]["unit"], listed["roles"][1]["attest"]) == ("north", True)
    assert listed["keys"] == [
        {"key": key, "issuer": ISSUER, "subject": "payroll", "last_day": "2150-12-31"}
    ]
    assert run("list", "--out", str(tmp_path / "rights.csv")).exit_code == 0
    title, _, *rows = (tmp_path / "rights.csv").read_text("utf-8-sig").splitlines()
    assert f"账本末位 {provided.ledger.log.head()}" in title
    assert [row.split(",")[3] for row in rows] == ["业务系统", "经办", "接口密钥"]
    assert secret not in "".join(rows)
    entries = list(provided.ledger.entries())
    assert not [e for e in entries if secret in e.data.decode()]
    assert entries[-1].envelope["actor"]["role"] == "administrator"
    headers = {"Authorization": f"ApiKey {key}.{secret}"}
    with (
        serving(create_app(provided)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as http,
    ):
        assert http.get("/v1/changes").status_code == 200
        assert run("withdraw", str(listed["roles"][0]["position"])).exit_code == 0
        assert http.get("/v1/changes").status_code == 403
        assert run("revoke", key).exit_code == 0
        assert http.get("/v1/changes").status_code == 401


def test_what_is_no_right_is_neither_granted_nor_withdrawn(provided: Bureau) -> None:
    head = provided.ledger.log.head()
    for arguments in (
        ("grant", ISSUER, "li", "chief"),
        ("grant", ISSUER, "li", "clerk", "--class", "secret"),
        ("grant", ISSUER, "li", "clerk", "--unit", "nowhere"),
        ("grant", ISSUER, "li", "approver"),
        ("withdraw", "1"),
        ("withdraw", "99"),
        ("revoke", "none"),
    ):
        assert run(*arguments).exit_code != 0, arguments
    assert provided.ledger.log.head() == head
