"""Who may: every route, role and scope against a table written here, over a socket."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson
import pytest
from fastapi import FastAPI

from api.access import ADMINISTERED, ROUTES
from api.app import create_app
from api.settings import Bureau
from api.slowing import MOST, Slowing
from domain.acts.rights import ApiKeyIssued, ApiKeyRevoked, RoleGranted, RoleWithdrawn, account_of
from domain.events import REGISTRY, Event, Proposal
from domain.ledger.requests import Request
from tests.api.conftest import STATED, hired, person, serving, transferred, unit
from tests.api.identities import AUDIENCE, ISSUER, Provider, routes_of

ROLES = ("clerk", "approver", "inspector", "auditor", "system", "administrator", "subject")
ALL = "clerk approver inspector auditor system administrator subject"
READ = "clerk approver inspector auditor system"
PACK = 'code = "none"\nzh = "无"\nen = "None"\nversion = "1"\n'
EXAMINE = "clerk approver inspector auditor"
HERE, THERE = "p-north", "p-south"

# route: who may, with a right to the whole bureau; what a right to one unit reaches
# ("all" rows as the bureau's, those "named" by {person} or {unit}, or "nothing")
TABLE = {
    "GET /v1/openapi.json": (ALL, "all", ""),
    "GET /v1/types": (ALL, "all", ""),
    "GET /v1/units": (ALL, "all", ""),
    "GET /v1/seals": (ALL, "all", ""),
    "GET /v1/seals/extension": (ALL, "all", "?old=0"),
    "GET /v1/proofs/{position}": (ALL, "all", ""),
    "GET /v1/auxiliaries/{person}": (READ, "named", ""),
    "GET /v1/auxiliaries/{person}/history": (READ, "named", ""),
    "GET /v1/auxiliaries/{person}/pay": (READ, "named", ""),
    "GET /v1/auxiliaries/{person}/accountability": (READ, "named", ""),
    "GET /v1/officers/{person}/responsibilities": (READ, "named", ""),
    "GET /v1/auxiliaries/{person}/reads": ("inspector auditor", "named", ""),
    "GET /v1/own/record": ("subject", "all", ""),
    "GET /v1/own/reads": ("subject", "all", ""),
    "GET /v1/units/{unit}": (READ, "named", ""),
    "GET /v1/roster": (READ, "named", "?unit={unit}"),
    "GET /v1/headcounts": (READ, "named", "?unit={unit}"),
    "GET /v1/payroll": (READ, "named", "?unit={unit}"),
    "GET /v1/accountability": (READ, "named", "?unit={unit}"),
    "GET /v1/findings": (READ, "named", "?person={person}"),
    "GET /v1/due": (READ, "nothing", ""),
    "GET /v1/series": (READ, "nothing", "?of=headcount&from=2022-01&to=2022-02"),
    "POST /v1/lookup": (READ, "nothing", {"name": "nobody"}),
    "GET /v1/journal": (EXAMINE, "nothing", ""),
    "GET /v1/entries/{position}": (EXAMINE, "nothing", ""),
    "GET /v1/timeline": (READ, "named", "?subject=person:{person}&facet=unit"),
    "GET /v1/beliefs": (EXAMINE, "named", "?subject=person:{person}&facet=unit"),
    "GET /v1/rectangles": (EXAMINE, "named", "?subject=unit:{unit}&facet=unit-name"),
    "GET /v1/explain": (EXAMINE, "named", "?subject=person:{person}&facet=unit"),
    "GET /v1/compare": (EXAMINE, "nothing", "?person={person}&from_recorded=1"),
    "GET /v1/retro": (EXAMINE, "nothing", "?from_recorded=5"),
    "GET /v1/changes": ("auditor system", "nothing", ""),
    "GET /v1/cases": ("inspector", "nothing", ""),
    "GET /v1/approvals": ("approver", "all", ""),
    "GET /v1/approvals/{request_id}": ("approver", "all", ""),
    "POST /v1/approvals/{request_id}": ("approver", "all", "approval"),
    "GET /metrics": ("auditor administrator", "nothing", ""),
    "POST /v1/entries": ("clerk", "named", "acts"),
    "POST /v1/preview": ("clerk", "named", "acts"),
    "POST /v1/preview/pay": (EXAMINE, "nothing", {"text": PACK}),
    "POST /v1/mass": ("clerk", "nothing", "mass"),
    "POST /v1/mass/preview": ("clerk", "nothing", "mass"),
}
OPEN = {"GET /livez", "GET /readyz", "GET /problems/{code}"}


# what waits for each approver
WAITING = {"approver-whole": "", "approver-north": ""}


class Desk(NamedTuple):
    """A bureau that asks everybody who they are."""

    bureau: Bureau
    app: FastAPI
    http: httpx.Client
    provider: Provider

    def grant(self, subject: str, role: str, on: date | None = None, **fields: Any) -> int:
        account = account_of(ISSUER, subject)
        event = RoleGranted(account=account, issuer=ISSUER, subject=subject, role=role, **fields)
        return self.enter(event, on)

    def enter(self, event: Event, on: date | None = None, **envelope: Any) -> int:
        day = on or self.bureau.ledger.today()
        return self.bureau.ledger.enter(Request([Proposal(event, day, **envelope)])).position

    def ask(self, method: str, url: str, subject: str | None, **sent: Any) -> httpx.Response:
        headers = dict(sent.pop("headers", {}))
        if subject is not None:
            headers["Authorization"] = f"Bearer {self.provider.token(subject)}"
        return self.http.request(method, url, headers=headers, **sent)

    def post(self, subject: str, *acts: dict[str, Any], **body: Any) -> httpx.Response:
        key = sha256(orjson.dumps([acts, body])).hexdigest()
        headers = {"Idempotency-Key": key}
        sent = {"events": list(acts), **body}
        return self.ask("POST", "/v1/entries", subject, json=sent, headers=headers)


@contextmanager
def opened(bureau: Bureau, folder: Path) -> Iterator[Desk]:
    provider = Provider(folder / "jwks.json")
    bureau.settings = bureau.settings._replace(
        issuer=ISSUER, audience=AUDIENCE, jwks=str(provider.file)
    )
    app = create_app(bureau)
    with (
        serving(app) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, headers=STATED) as http,
    ):
        yield Desk(bureau, app, http, provider)


@pytest.fixture(scope="module")
def desk(common_bureau: Bureau, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with opened(common_bureau, tmp_path_factory.mktemp("provider")) as desk:
        desk.grant("first", "clerk", classes=["identity"], attest=True)
        answer = desk.post(
            "first",
            unit("bureau", kind="bureau", division="330200"),
            unit("north", kind="station", parent="bureau"),
            unit("north-1", kind="station", parent="north"),
            unit("south", kind="station", parent="bureau"),
            person(HERE, name="甲"), person(THERE, name="乙"), person("p-chief"), person("p-other"),
            hired(HERE, at="north-1"), hired(THERE, at="south"),
        )  # fmt: skip
        assert answer.status_code == 201, answer.text
        for role in ROLES:
            who = {"person": "p-chief"} if role in ("approver", "subject") else {}
            within = {} if role == "subject" else {"unit": "north"}
            desk.grant(f"{role}-whole", role, classes=["identity"], **who)
            desk.grant(f"{role}-north", role, classes=["identity"], **within, **who)
        for subject in WAITING:
            WAITING[subject] = waiting(desk, subject)
        bureau = desk.bureau
        bureau.sealer.seal()
        yield desk


def waiting(desk: Desk, approver: str, who: str = HERE, **act: Any) -> str:
    """A request that waits for this account's approval, sent by `first`."""
    told = {"type": "PersonDetailsChanged", "effective": "2022-04-01", "person": who, **act}
    told.setdefault("phone", approver)
    refused = desk.post("first", told, approved_by=f"{ISSUER}|{approver}")
    assert (refused.status_code, refused.json()["code"]) == (409, "approval-needed"), refused.text
    return str(refused.json()["request"])


def asked(desk: Desk, route: str, subject: str | None, where: str, who: str) -> int:
    """The status of a sample of this route, about a person of a unit."""
    method, _, path = route.partition(" ")
    extra = TABLE[route][2] if route in TABLE else ""
    act = {"type": "PersonDetailsChanged", "effective": "2022-04-01", "person": who, "phone": "1"}
    headers = {"Idempotency-Key": sha256(f"{route}{subject}{who}".encode()).hexdigest()}
    sent: dict[str, Any] = {}
    if isinstance(extra, dict):
        sent = {"json": extra}
    elif extra == "acts":
        sent = {"json": {"events": [act]}, "headers": headers}
    elif extra == "mass":
        act.pop("person")
        sent = {"json": {"act": act, "to": {"persons": [who]}}, "headers": headers}
    elif extra == "approval":
        sent = {"headers": {"Idempotency-Key": f"approve-{subject}"}}
    else:
        path += extra
    draft = WAITING.get(subject or "", "0" * 64)
    named = path.format(person=who, unit=where, position=1, code="not-found", request_id=draft)
    return desk.ask(method, named, subject, **sent).status_code


def test_the_table_has_every_route(desk: Desk) -> None:
    documented = {
        f"{method.upper()} {path}"
        for path, operations in desk.app.openapi()["paths"].items()
        for method in operations
    }
    assert set(routes_of(desk.app.routes)) == {*TABLE, *OPEN} == set(ROUTES)
    assert documented == {*TABLE, *OPEN} - {"GET /v1/openapi.json"}


@pytest.mark.parametrize("route", sorted(TABLE))
def test_every_role_in_every_scope_gets_what_the_table_says(desk: Desk, route: str) -> None:
    roles, reach, _ = TABLE[route]
    for role in ROLES:
        may = role in roles.split()
        answers = {
            "whole": asked(desk, route, f"{role}-whole", "south", THERE),
            "own": asked(desk, route, f"{role}-north", "north-1", HERE),
            "other": asked(desk, route, f"{role}-north", "south", THERE),
        }
        expected = {
            "whole": may,
            "own": may and reach in ("all", "named"),
            "other": may and reach == "all",
        }
        assert {scope: status != 403 for scope, status in answers.items()} == expected, role
        assert set(answers.values()) <= {200, 201, 403}


@pytest.mark.parametrize("route", sorted({*TABLE, *OPEN}))
def test_who_says_nothing_or_has_no_right_gets_only_what_is_open(desk: Desk, route: str) -> None:
    nobody = asked(desk, route, None, "north", HERE)
    unknown = asked(desk, route, "unknown", "north", HERE)
    assert (nobody, unknown) == ((200, 200) if route in OPEN else (401, 403))


def test_a_route_that_is_not_in_the_table_is_refused(desk: Desk) -> None:
    @desk.app.get("/v1/unlisted")
    def unlisted() -> dict[str, bool]:
        return {"reached": True}

    try:
        answer = desk.ask("GET", "/v1/unlisted", "auditor-whole")
        assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
    finally:
        desk.app.router.routes.pop()


def test_rights_packs_keys_and_the_fate_of_private_data_are_the_administrators() -> None:
    chapters = {f"domain.acts.{name}" for name in ("rights", "packs", "seals", "privacy")}
    assert {cls.__name__ for cls in REGISTRY.values() if cls.__module__ in chapters} == ADMINISTERED


def test_a_further_parameter_does_not_widen_a_question(desk: Desk) -> None:
    for url in (
        f"/v1/roster?person={HERE}",
        f"/v1/roster?unit=south&unit=bureau&person={HERE}",
        f"/v1/headcounts?subject=person:{HERE}",
        f"/v1/auxiliaries/{THERE}?person={HERE}&unit=north",
        f"/v1/findings?person={HERE}&unit=bureau",
        f"/v1/beliefs?subject=account:{account_of(ISSUER, 'first')}&unit=north",
        "/v1/auxiliaries/nobody?unit=north",
    ):
        assert desk.ask("GET", url, "clerk-north").status_code == 403, url


def test_rights_are_of_now_and_the_tree_is_of_the_answers_date(desk: Desk) -> None:
    clerk = "first"
    moved = [person("p-moved"), hired("p-moved", at="north"), transferred("p-moved", "2023-01-01")]
    assert desk.post(clerk, *moved).status_code == 201
    url = "/v1/auxiliaries/p-moved"

    then = desk.ask("GET", f"{url}?effective=2022-12-31", "inspector-north")
    after = desk.ask("GET", f"{url}?effective=2023-01-01", "inspector-north")

    assert (then.status_code, after.status_code) == (200, 403)
    acts = [
        {"type": "RewardGranted", "effective": day, "person": "p-moved", "kind": "excellent"}
        for day in ("2022-12-31", "2023-01-01")
    ]
    assert [desk.post("clerk-north", act).status_code for act in acts] == [201, 403]
    granted = desk.grant("passing", "inspector")
    assert desk.ask("GET", url, "passing").status_code == 200
    root = next(desk.bureau.ledger.entries(after=granted - 1)).id
    desk.enter(RoleWithdrawn(account=account_of(ISSUER, "passing")), ends=root)
    assert desk.ask("GET", f"{url}?recorded={granted}", "passing").status_code == 403


def test_a_right_begins_and_ends_on_its_days(desk: Desk) -> None:
    today = desk.bureau.ledger.today()
    desk.grant("tomorrow", "auditor", on=today + timedelta(days=1))
    over = RoleGranted(
        account=account_of(ISSUER, "over"), issuer=ISSUER, subject="over", role="auditor"
    )
    desk.enter(over, today - timedelta(days=9), until=today)
    for subject in ("tomorrow", "over"):
        assert desk.ask("GET", "/v1/journal", subject).status_code == 403


def test_private_fields_open_only_with_a_right_to_their_class_over_that_row(desk: Desk) -> None:
    desk.grant("blind", "auditor")
    desk.grant("half", "inspector")
    desk.grant("half", "inspector", unit="south", classes=["identity"])

    def name(subject: str, who: str) -> Any:
        facets = desk.ask("GET", f"/v1/auxiliaries/{who}", subject).json()["data"]["facets"]
        found = next(facet for facet in facets if facet["facet"] == "name")
        return found["facts"][0]["value"]["name"]

    assert name("auditor-whole", THERE) == "乙"
    assert name("blind", THERE) == {"withheld": True}
    assert name("half", THERE) == "乙"
    assert name("half", HERE) == {"withheld": True}
    roster = desk.ask("GET", "/v1/roster", "half").json()["data"]["lines"]
    assert {str(line["name"]) for line in roster} <= {"{'withheld': True}", "None"}
    assert desk.ask("POST", "/v1/lookup", "blind", json={"name": "乙"}).status_code == 403


def test_the_entry_says_who_entered_it_in_which_role(desk: Desk) -> None:
    position = desk.post("clerk-whole", person("p-signed")).json()["position"]

    told = next(desk.bureau.ledger.entries(after=position - 1)).envelope["actor"]
    assert told == {"issuer": ISSUER, "subject": "clerk-whole", "role": "clerk"}


def test_a_unit_enters_only_what_is_within_it(desk: Desk) -> None:
    clerk = "clerk-north"
    new = [person("p-new"), hired("p-new", at="north-1")]
    position = desk.post(clerk, *new).json()["position"]
    away = desk.post(clerk, transferred("p-new", "2023-01-01", to="south"))
    within = desk.post(clerk, transferred("p-new", "2023-01-01", to="north"))
    of_south = next(desk.bureau.ledger.entries([f"person:{THERE}"], ["AuxiliaryHired"]))

    assert position
    assert (away.status_code, away.json()["index"]) == (403, 0)
    assert within.status_code == 201
    for act in (
        {"type": "FactAnnulled", "annuls": of_south.position, "reason": "wrong"},
        {"type": "FactAnnulled", "annuls": of_south.id, "reason": "wrong"},
        hired("p-new-2", at="south"),
        unit("elsewhere", kind="station", parent="bureau"),
    ):
        assert desk.post(clerk, act).status_code == 403, act


def test_attesting_is_a_right_of_its_own(desk: Desk) -> None:
    said = {"mood": "attested", "attested_by": "the chief"}
    refused = desk.post("clerk-whole", person("p-attested"), **said)

    assert (refused.status_code, refused.json()["field"]) == (403, "mood")
    assert desk.post("first", person("p-attested"), **said).status_code == 201


def test_rights_are_given_by_administrators_and_never_to_oneself(desk: Desk) -> None:
    def granting(subject: str) -> dict[str, Any]:
        return {
            "type": "RoleGranted", "effective": "2022-01-01", "issuer": ISSUER, "role": "auditor",
            "subject": subject, "account": account_of(ISSUER, subject),
        }  # fmt: skip

    administrator = "administrator-whole"
    assert desk.post(administrator, granting("newcomer")).status_code == 201
    assert desk.post(administrator, granting(administrator)).status_code == 403
    assert desk.post("clerk-whole", granting("other")).status_code == 403
    assert desk.post("administrator-north", granting("other")).status_code == 403
    assert desk.post(administrator, person("p-admin")).status_code == 403


def test_the_second_person_is_another_account_that_may_approve(desk: Desk) -> None:
    desk.grant("chief-clerk", "clerk", person="p-chief")
    desk.grant("fallen", "approver", person="p-other", classes=["identity"])
    statuses = {}
    for n, (who, approver) in enumerate({
        "clerk-whole": f"{ISSUER}|approver-whole",
        "first": f"{ISSUER}|clerk-whole",
        "clerk-north": "approver-whole",
        "chief-clerk": f"{ISSUER}|approver-whole",
    }.items()):  # fmt: skip
        answer = desk.post(who, person(f"p-two-{n}"), approved_by=approver)
        statuses[who] = (answer.status_code, answer.json()["field"])
    refused = (403, "approved_by")
    assert statuses == {
        "clerk-whole": (409, "approved_by"), "first": refused, "clerk-north": refused,
        "chief-clerk": refused,
    }  # fmt: skip


def test_an_auxiliarys_account_approves_nothing_even_what_waits_for_it_already(desk: Desk) -> None:
    desk.grant("hired-since", "approver", person="p-other", classes=["identity"])
    given, left = (waiting(desk, "hired-since", phone=phone) for phone in ("1", "2"))
    url, by = "/v1/approvals", f"{ISSUER}|hired-since"
    act = {"type": "PersonDetailsChanged", "effective": "2022-04-01", "person": HERE, "phone": "1"}
    approved = desk.ask("POST", f"{url}/{given}", "hired-since", headers={"Idempotency-Key": "1"})
    assert approved.status_code == 201, approved.text

    assert desk.post("first", hired("p-other")).json()["code"] == "impact-refused"
    said = {"mood": "attested", "attested_by": "the chief"}
    assert desk.post("first", hired("p-other"), **said).status_code == 201

    assert desk.ask("GET", url, "hired-since").status_code == 403
    for method in ("GET", "POST"):
        key = {"Idempotency-Key": "2"}
        asked = desk.ask(method, f"{url}/{left}", "hired-since", headers=key)
        assert asked.status_code == 403
    late = desk.post("first", act, approved_by=by)
    assert (late.status_code, late.json()["field"]) == (403, "approved_by")


# tokens and keys


def test_tokens_wrong_in_every_usual_way_are_refused(desk: Desk) -> None:
    wrong = desk.provider.wrong("auditor-whole")
    codes = {}
    for name, token in wrong.items():
        forget(desk)
        headers = {"Authorization": f"Bearer {token}".strip()}
        answer = desk.http.get("/v1/journal", headers=headers)
        codes[name] = (answer.status_code, answer.headers.get("www-authenticate"))
        assert not token or token not in answer.text

    forget(desk)
    assert codes == dict.fromkeys(wrong, (401, "Bearer"))
    assert desk.ask("GET", "/v1/journal", "auditor-whole").status_code == 200


def forget(desk: Desk) -> None:
    """No failure is remembered."""
    guard = desk.app.state.guard
    guard._by_source, guard._by_claim = Slowing(100, 1), Slowing(10, 6)


def by_key(desk: Desk, said: str, url: str = "/v1/changes") -> httpx.Response:
    return desk.http.get(url, headers={"Authorization": f"ApiKey {said}".strip()})


@pytest.fixture
def issue(desk: Desk) -> Iterator[Callable[..., None]]:
    if not desk.ask("GET", "/v1/changes", "payroll").is_success:
        desk.grant("payroll", "system")

    def issued(key: str, secret: str, days: int = 30) -> None:
        today = desk.bureau.ledger.today()
        event = ApiKeyIssued(
            key=key, account=account_of(ISSUER, "payroll"), issuer=ISSUER, subject="payroll",
            hash=sha256(secret.encode()).hexdigest(),
        )  # fmt: skip
        desk.enter(event, today - timedelta(days=60), until=today + timedelta(days=days))

    yield issued
    forget(desk)


def test_a_key_opens_what_its_account_may_until_it_expires_or_is_revoked(
    desk: Desk, issue: Callable[..., None]
) -> None:
    issue("k-1", "secret-1")
    issue("k-old", "secret-2", days=0)

    assert by_key(desk, "k-1.secret-1").status_code == 200
    assert by_key(desk, "k-1.secret-1", "/v1/journal").status_code == 403
    for said in ("k-1.secret-2", "k-1.", "k-1", "", "k-old.secret-2", "none.secret-1", ".secret-1"):
        assert by_key(desk, said).status_code == 401, said
    desk.enter(ApiKeyRevoked(key="k-1"))
    assert by_key(desk, "k-1.secret-1").status_code == 401


def test_guessing_is_slowed_for_that_key_and_at_last_for_that_source(
    desk: Desk, issue: Callable[..., None]
) -> None:
    issue("k-2", "right")
    statuses = [by_key(desk, f"k-2.{n}").status_code for n in range(12)]

    waiting = by_key(desk, "k-2.right")
    assert statuses[:10] == [401] * 10
    assert (statuses[-1], waiting.status_code) == (429, 429)
    assert int(waiting.headers["retry-after"]) > 0


def test_a_source_that_fails_with_ever_new_names_waits_too_and_memory_is_bounded() -> None:
    now = [0.0]
    slowing = Slowing(3, 2.0, clock=lambda: now[0])
    for _ in range(3):
        assert not slowing.waits("source")
        slowing.failed("source")
    assert slowing.waits("source")
    now[0] = 2.0
    assert not slowing.waits("source")
    for n in range(MOST + 5):
        slowing.failed(str(n))
    assert len(slowing._full) == MOST


def test_no_secret_or_token_is_in_a_log_line_an_answer_a_measure_or_an_entry(
    desk: Desk, issue: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    issue("k-3", "planted-secret")
    token = desk.provider.token("auditor-whole")
    answers = [by_key(desk, "k-3.planted-secret"), by_key(desk, "k-4.planted-secret")]
    for said in (f"Bearer {token}", f"Bearer {token}x", f"Basic {token}", token):
        answers += [desk.http.get("/metrics", headers={"Authorization": said})]
    printed = capfd.readouterr()
    told = [a.text + str(a.headers) for a in answers] + [printed.out, printed.err]
    told += [entry.data.decode() for entry in desk.bureau.ledger.log.entries()]

    assert {a.status_code for a in answers} == {200, 401}
    assert "route=/metrics" in printed.out
    assert not [text for text in told if token in text or "planted-secret" in text]
