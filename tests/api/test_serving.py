"""What every request passes: ids, problems, logs, measures; nothing private in any of them."""

import logging
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest
import structlog

from api.access import ROUTES, Rule
from api.app import NotLoopbackError, create_app, require_loopback
from domain.events import REGISTRY
from tests.api.conftest import Office, hired, person, serving, transferred

NAME, ID_NUMBER, PHONE = "欧阳绝密", "440524188001010014", "13800138000"
SECRETS = (NAME, ID_NUMBER, PHONE)


@pytest.fixture
def logged(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Iterator[Callable[[], str]]:
    """All that was logged or printed so far, but for what the test's own client logs."""
    before = structlog.get_config()
    structlog.reset_defaults()
    caplog.set_level(logging.DEBUG)

    def so_far() -> str:
        printed = capfd.readouterr()
        ours = [r.getMessage() for r in caplog.records if not r.name.startswith("http")]
        return "\n".join([printed.out, printed.err, *ours])

    yield so_far
    structlog.configure(**before)


def test_private_values_are_in_no_log_problem_metric_or_stored_entry(
    office: Office, logged: Callable[[], str]
) -> None:
    private = {"name": NAME, "id_number": ID_NUMBER, "phone": PHONE}
    attempts = [
        office.post(person("s-1", **private)),
        office.post(person("s-1", **private)),
        office.post(person("s-2", **private)),
        office.post(person("s-3", **private), hired("s-3")),
        office.post({**person("s-4"), NAME: NAME}),
        office.post({**person("s-4"), "name": {"said": NAME}}),
        office.post({**person("s-4"), "id_number": ID_NUMBER + NAME}),
        office.post({**person("s-4"), "birth_date": PHONE}),
        office.post({**person(NAME), "effective": NAME}),
        office.post({**person("s-4"), "event_id": NAME, "source": NAME}),
        office.post({"type": NAME, "effective": "2022-01-01"}),
        office.post({**person("s-4", **private), "expect": PHONE}),
        office.post(person("s-4"), mood=NAME),
        office.http.post(
            "/v1/entries", content=f'{{"events": [{NAME}'.encode(),
            headers={"Idempotency-Key": "s", "Content-Type": "application/json"},
        ),
        office.http.get("/v1/roster", params={"unit": NAME, "name": NAME, "category": PHONE}),
        office.http.get(f"/v1/auxiliaries/{NAME}", params={"effective": PHONE}),
        office.http.get(f"/{NAME}"),
        office.http.request(PHONE, "/v1/units"),
        office.http.get("/v1/units", headers={"X-Request-ID": NAME.encode(), "Host": PHONE}),
        office.http.get("/v1/changes"),
        office.http.get("/metrics"),
    ]  # fmt: skip
    found = office.http.post("/v1/lookup", json={"name": NAME})

    told = [answer.text + str(answer.headers) for answer in attempts]
    told.append(logs := logged())
    told += [e.data.decode() for e in office.bureau.ledger.log.entries()]
    assert found.json()["data"]["persons"][0]["person"] == "s-1"
    assert "route=/v1/entries" in logs
    assert [secret for secret in SECRETS for text in told if secret in text] == []
    assert {a.status_code for a in attempts} == {200, 201, 400, 404, 405, 409, 421, 422}


def test_a_fault_tells_its_place_and_not_its_text(
    office: Office, logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for route in ("GET /fault", "GET /lost"):
        monkeypatch.setitem(ROUTES, route, Rule("open", "none"))
    app = create_app(office.bureau)

    @app.get("/fault")
    def fault() -> None:
        raise ValueError(NAME)

    @app.get("/lost")
    def lost() -> None:
        raise psycopg.OperationalError(NAME)

    with serving(app) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/fault", headers={"X-Request-ID": "r-77"})
        away = httpx.get(f"http://127.0.0.1:{port}/lost")

    logs = logged()
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert answer.json()["request_id"] == "r-77"
    assert (away.status_code, away.json()["code"]) == (503, "unavailable")
    assert "fault=ValueError" in logs
    assert "r-77" in logs
    assert NAME not in logs + answer.text + away.text


def test_a_request_id_goes_in_out_and_into_the_entry(office: Office) -> None:
    headers = {"X-Request-ID": "case-2022.17", "Idempotency-Key": "with-id"}

    answer = office.http.post("/v1/entries", json={"events": [person("r-1")]}, headers=headers)

    entry = office.get(f"/v1/entries/{answer.json()['position']}")["data"]
    assert answer.headers["x-request-id"] == "case-2022.17"
    assert entry["request_id"] == "case-2022.17"
    assert len(office.http.get("/livez").headers["x-request-id"]) == 32


def test_another_name_for_this_machine_is_refused(office: Office) -> None:
    for host in ("ledger.example", "127.0.0.1.example:80", "", "localhost@example"):
        answer = office.http.get("/v1/units", headers={"Host": host})

        assert (answer.status_code, answer.json()["code"]) == (421, "not-local")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "ledger.example", ""])
def test_the_server_binds_nowhere_but_here(host: str) -> None:
    with pytest.raises(NotLoopbackError):
        require_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_the_server_binds_here(host: str) -> None:
    require_loopback(host)


def test_health_tells_why(office: Office) -> None:
    head = office.head()
    ready = office.http.get("/readyz")

    assert office.get("/livez") == {"live": True}
    assert (ready.status_code, ready.json()["head"]) == (200, head)
    assert ready.json()["following"] is True


def test_measures_count_what_was_entered_refused_and_repeated(office: Office) -> None:
    def measure(name: str) -> float:
        lines = office.http.get("/metrics").text.splitlines()
        values = [line.rpartition(" ")[2] for line in lines if line.startswith(name + " ")]
        return float(values[0]) if values else 0.0

    counted = {
        "personnel_ledger_entries_total": 2,
        "personnel_ledger_appends_total": 1,
        "personnel_ledger_replays_total": 1,
        "personnel_ledger_conflicts_total": 1,
        'personnel_ledger_refusals_total{code="already-recorded"}': 1,
        'personnel_ledger_refusals_total{code="key-reused"}': 1,
    }
    before = {name: measure(name) for name in counted}
    office.post(person("m-1"), person("m-2"), key="measured")
    office.post(person("m-1"), person("m-2"), key="measured")
    office.post(person("m-3"), key="measured")
    office.post(person("m-1"))

    assert {name: measure(name) - before[name] for name in counted} == counted
    assert measure("personnel_ledger_projection_lag_entries") >= 0


def test_the_interface_document_has_every_event_type(office: Office) -> None:
    document = office.get("/v1/openapi.json")

    schemas = document["components"]["schemas"]
    named = {one["$ref"].rpartition("/")[2] for one in schemas["Act"]["oneOf"]}
    assert document["openapi"].startswith("3.1")
    assert named == set(REGISTRY)
    assert schemas["AuxiliaryTransferred"]["required"] == ["type", "effective", "person", "unit"]
    assert schemas["PersonRegistered"]["properties"]["name"]["x-private"] == "identity"
    assert set(_references(document)) <= {f"#/components/schemas/{name}" for name in schemas}


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def test_what_can_be_entered_is_told_with_its_labels(office: Office) -> None:
    types = {t["type"]: t for t in office.get("/v1/types")["types"]}

    assert set(types) == set(REGISTRY)
    moved = types["AuxiliaryTransferred"]
    assert (moved["writes"], moved["subjects"]) == (["unit"], {"person": "person", "unit": "unit"})
    assert all(t["zh"] and t["en"] and t["day"] for t in types.values())


def test_no_page_calls_elsewhere(office: Office) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert office.http.get(path).status_code == 404


def test_every_problem_is_explained_at_its_type(office: Office) -> None:
    problem = office.post(transferred("nobody", "2022-01-01")).json()

    explained = office.get(problem["type"])

    assert explained["title"] == problem["title"]
    assert office.http.get("/problems/nothing").status_code == 404
