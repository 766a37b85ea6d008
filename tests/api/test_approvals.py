"""A second person's own consent: asked for, shown, given, used once, and never lying in clear."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from itertools import count
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from api.settings import Bureau
from domain.acts.packs import PackPublished
from domain.acts.privacy import PrivateDataDestroyed
from domain.acts.rights import ApiKeyIssued, RoleWithdrawn, account_of
from domain.law import Pack
from tests.api.conftest import CLOSED, hired, person, unit
from tests.api.identities import ISSUER
from tests.api.test_access import Desk, opened

BY = f"{ISSUER}|boss"
PLANTED = "13912345678"
_numbers = count(1)


@pytest.fixture(scope="module")
def desk(common_bureau: Bureau, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with opened(common_bureau, tmp_path_factory.mktemp("provider")) as desk:
        desk.grant("clerk", "clerk", classes=["identity"], attest=True)
        desk.grant("other-clerk", "clerk", classes=["identity"], attest=True)
        answer = desk.post(
            "clerk",
            unit("bureau", kind="bureau", division="111100"),
            unit("north", kind="station", parent="bureau"),
            *(person(id_) for id_ in ("p-1", "p-2", "p-boss")), hired("p-1", at="north"),
        )  # fmt: skip
        assert answer.status_code == 201, answer.text
        for subject, classes in (("boss", ["identity", "political"]), ("deputy", ["identity"])):
            desk.grant(subject, "approver", person="p-boss", classes=classes)
        desk.grant("blind", "approver", person="p-boss")
        desk.grant("administrator", "administrator")
        closed = Pack.parse(CLOSED)
        desk.enter(PackPublished.of(closed), desk.bureau.ledger.today())
        yield desk


def renamed(who: str = "p-1", phone: str | None = None) -> dict[str, Any]:
    phone = phone or f"1390000{next(_numbers):04}"
    return {
        "type": "PersonDetailsChanged",
        "effective": "2023-02-01",
        "person": who,
        "phone": phone,
    }


def send(desk: Desk, *acts: dict[str, Any], who: str = "clerk", **said: Any) -> httpx.Response:
    headers = {"Idempotency-Key": said.pop("key", f"k{next(_numbers)}")}
    body = {"events": list(acts), "approved_by": BY, **said}
    body = {name: value for name, value in body.items() if value is not None}
    return desk.ask("POST", "/v1/entries", who, json=body, headers=headers)


def asked(desk: Desk, *acts: dict[str, Any], **said: Any) -> str:
    """The digest under which the request waits."""
    refused = send(desk, *acts, **said)
    assert (refused.status_code, refused.json()["code"]) == (409, "approval-needed"), refused.text
    assert (refused.json()["pointer"], "index" in refused.json()) == ("/approved_by", False)
    return str(refused.json()["request"])


def approve(desk: Desk, request: str, who: str = "boss") -> httpx.Response:
    headers = {"Idempotency-Key": f"a{next(_numbers)}"}
    return desk.ask("POST", f"/v1/approvals/{request}", who, headers=headers)


def test_a_closed_past_changes_on_the_approvers_own_consent_alone(desk: Desk) -> None:
    act = renamed()
    alone = send(desk, act, approved_by=None)
    assert alone.json()["code"] == "closed-period"
    head = desk.bureau.ledger.log.head()
    request = asked(desk, act)
    assert desk.bureau.ledger.log.head() == head, "what waits is not entered"

    listed = desk.ask("GET", "/v1/approvals", "boss").json()["data"]
    assert [(w["request"], w["types"]) for w in listed] == [(request, ["PersonDetailsChanged"])]
    shown = desk.ask("GET", f"/v1/approvals/{request}", "boss")
    assert shown.headers["cache-control"] == "private, no-store"
    [told] = shown.json()["data"]["acts"]
    assert (told["effective"], told["fields"]["phone"]) == ("2023-02-01", act["phone"])
    assert shown.json()["data"]["proposer"] == {"issuer": ISSUER, "subject": "clerk"}

    given = approve(desk, request)
    assert given.status_code == 201, given.text
    entered = send(desk, act, key="the-same")
    assert entered.status_code == 201, entered.text
    assert [e["type"] for e in entered.json()["entries"]] == [
        "PersonDetailsChanged",
        "ApprovalUsed",
    ]
    *_, approval, change, use = desk.bureau.ledger.entries()
    assert approval.envelope["actor"] == {"issuer": ISSUER, "subject": "boss", "role": "approver"}
    assert change.envelope["approved_by"] == BY
    assert (use.fields["request"], use.ended) == (request, approval.id)

    again = send(desk, act, key="the-same")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json()["entries"] == entered.json()["entries"]
    assert desk.ask("GET", "/v1/approvals", "boss").json()["data"] == []


def test_an_approval_is_for_exactly_this_content_from_exactly_this_proposer(desk: Desk) -> None:
    act = renamed()
    request = asked(desk, act)
    assert approve(desk, request).status_code == 201
    others = {
        asked(desk, renamed()),
        asked(desk, {**act, "effective": "2023-02-02"}),
        asked(desk, {**act, "reason": "typed wrong"}),
        asked(desk, act, document={"none_because": "none was made"}),
        asked(desk, act, mood="attested", attested_by="the chief"),
        asked(desk, act, person("p-3")),
        asked(desk, act, who="other-clerk"),
        asked(desk, act, approved_by=f"{ISSUER}|deputy"),
    }
    assert len(others) == 8
    assert request not in others
    assert send(desk, act).status_code == 201


def test_it_is_used_once_however_many_try_at_once(desk: Desk) -> None:
    act = {"type": "RewardGranted", "effective": "2023-02-01", "person": "p-1", "kind": "嘉奖"}
    said = {"mood": "attested", "attested_by": "the chief"}
    request = asked(desk, act, **said)
    assert approve(desk, request).status_code == 201
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: send(desk, act, **said), range(4)))
    entered = [a for a in answers if a.status_code == 201]
    assert len(entered) == 1, [a.text for a in answers]
    others = {a.json()["code"] for a in answers if a.status_code != 201}
    assert others <= {"approval-needed", "conflict"}
    assert asked(desk, act, **said) == request


def test_it_lapses_after_a_week(desk: Desk) -> None:
    act, ledger = renamed(), desk.bureau.ledger
    assert approve(desk, asked(desk, act)).status_code == 201
    clock = ledger._clock
    try:
        ledger._clock = lambda: clock() + timedelta(days=8)
        assert send(desk, act).json()["code"] == "approval-needed"
        ledger._clock = lambda: clock() + timedelta(days=7)
        assert send(desk, act).status_code == 201
    finally:
        ledger._clock = clock


def test_what_waits_is_for_the_account_it_names(desk: Desk) -> None:
    request = asked(desk, renamed())
    for who, status in (("deputy", 422), ("blind", 422), ("clerk", 403), ("administrator", 403)):
        assert approve(desk, request, who).status_code == status, who
    assert desk.ask("GET", f"/v1/approvals/{request}", "deputy").status_code == 404
    assert approve(desk, "0" * 64).status_code == 422


def test_a_key_does_not_approve_whatever_its_account_may(desk: Desk) -> None:
    """Whoever issues keys would agree in the name of others."""
    request = asked(desk, renamed())
    today = desk.bureau.ledger.today()
    key = ApiKeyIssued(
        key="k-boss", account=account_of(ISSUER, "boss"), issuer=ISSUER, subject="boss",
        hash=sha256(b"secret").hexdigest(),
    )  # fmt: skip
    desk.enter(key, until=today + timedelta(days=30))
    desk.grant("boss", "system")
    for scheme in ("ApiKey", "apikey"):
        headers = {"Authorization": f"{scheme} k-boss.secret", "Idempotency-Key": "by-key"}
        assert desk.http.get("/v1/roster", headers=headers).status_code == 200
        assert desk.http.get("/v1/approvals", headers=headers).status_code == 403
        url = f"/v1/approvals/{request}"
        assert desk.http.post(url, headers=headers).status_code == 403


def test_an_act_of_a_case_is_shown_to_no_approver_who_does_not_inquire(desk: Desk) -> None:
    """Who is accused, or his chief, would learn of it from what waits for them."""
    classes = ["complainant", "identity", "political"]
    desk.grant("inspector", "inspector", classes=classes, attest=True)
    desk.grant("inquiring", "approver", person="p-boss", classes=classes)
    said = {"type": "ComplaintReceived", "effective": "2023-05-10", "case": "c-app",
            "channel": "hotline", "complainant": PLANTED, "content": PLANTED}  # fmt: skip
    by = f"{ISSUER}|inquiring"

    def sent(about: str = "p-1", **other: Any) -> httpx.Response:
        return send(desk, {**said, "person": about, **other}, who="inspector", approved_by=by,
                    mood="attested", attested_by="督察")  # fmt: skip

    refused = sent()
    assert (refused.status_code, refused.json()["field"]) == (403, "approved_by")
    assert desk.ask("GET", "/v1/approvals", "inquiring").json()["data"] == []
    right = desk.grant("inquiring", "inspector", classes=classes)
    assert sent("p-boss").json()["field"] == "approved_by"
    waits = sent()
    assert waits.json()["code"] == "approval-needed"
    shown = f"/v1/approvals/{waits.json()['request']}"
    assert PLANTED in desk.ask("GET", shown, "inquiring").text
    [granted] = desk.bureau.ledger.entries(after=right - 1, until=right)
    account, today = account_of(ISSUER, "inquiring"), desk.bureau.ledger.today()
    desk.enter(RoleWithdrawn(account=account), today, ends=UUID(granted.id))
    for answer in (desk.ask("GET", shown, "inquiring"), approve(desk, shown[-64:], "inquiring")):
        assert answer.status_code == 403
        assert PLANTED not in answer.text


def test_nobody_approves_what_they_may_not_see(desk: Desk) -> None:
    act = renamed(phone=PLANTED)
    request = asked(desk, act, approved_by=f"{ISSUER}|blind")
    shown = desk.ask("GET", f"/v1/approvals/{request}", "blind")
    assert shown.json()["data"]["acts"][0]["fields"]["phone"] == {"withheld": True}
    assert approve(desk, request, "blind").status_code == 403


def test_consent_is_never_sent_as_an_act(desk: Desk) -> None:
    request = asked(desk, renamed())
    account = {"account": "0" * 32}
    for type_, fields in (
        ("RequestApproved", {"issuer": ISSUER, "subject": "boss"}), ("ApprovalUsed", {}),
    ):  # fmt: skip
        act = {"type": type_, "effective": "2026-01-01", "request": request, **account, **fields}
        for who in ("clerk", "administrator", "boss"):
            assert send(desk, act, who=who, approved_by=None).status_code == 403


def test_whoever_undermines_something_is_told_before_anybody_is_asked(desk: Desk) -> None:
    registered = next(desk.bureau.ledger.entries(["person:p-1"], ["PersonRegistered"]))
    annulled = {"type": "FactAnnulled", "annuls": registered.position, "reason": "wrong"}
    assert send(desk, annulled).json()["code"] == "impact-refused"


def test_a_request_that_waits_lies_sealed_and_goes_with_the_data_it_holds(desk: Desk) -> None:
    vault = desk.bureau.ledger.vault
    request = asked(desk, renamed("p-2", phone=PLANTED))
    kept = asked(desk, renamed("p-1", phone=PLANTED))
    with psycopg.connect(desk.bureau.settings.vault) as connection:
        rows = connection.execute("SELECT t::text, sealed FROM drafts t").fetchall()
    assert len(rows) >= 2
    assert not [1 for text, sealed in rows if PLANTED in text or PLANTED.encode() in sealed]
    assert PLANTED in desk.ask("GET", f"/v1/approvals/{request}", "boss").text
    for entry in desk.bureau.ledger.log.entries():
        assert PLANTED.encode() not in entry.data
    assert "drafts" not in vault.contents(), "no backup holds it"

    order = PrivateDataDestroyed(person="p-2", classes=["health"], ground="47", approval="销1号")
    desk.enter(order)
    assert desk.ask("GET", f"/v1/approvals/{request}", "boss").status_code == 404
    assert desk.ask("GET", f"/v1/approvals/{kept}", "boss").status_code == 200


def test_what_waited_too_long_is_forgotten(desk: Desk) -> None:
    request = asked(desk, renamed())
    with psycopg.connect(desk.bureau.settings.vault, autocommit=True) as connection:
        connection.execute("UPDATE drafts SET made_at = made_at - interval '15 days'")
        assert desk.ask("GET", f"/v1/approvals/{request}", "boss").status_code == 404
        asked(desk, renamed())
        rows = connection.execute("SELECT request FROM drafts").fetchall()
    assert (request,) not in rows


def test_what_an_approver_is_shown_is_a_read_on_record(desk: Desk) -> None:
    request = asked(desk, renamed(phone=PLANTED))
    log, url = desk.bureau.reads.log, f"/v1/approvals/{request}"
    before = log.head()
    silent = desk.ask("GET", url, "boss", headers={"Purpose": ""})
    assert (silent.status_code, silent.json()["code"]) == (422, "purpose-missing")
    assert desk.ask("GET", url, "boss").status_code == 200
    denied, shown = desk.bureau.reads.naming(["p-1"], before, log.head())
    assert (denied.said["outcome"], shown.said["outcome"]) == ("denied", "allowed")
    assert (shown.said["question"], shown.said["classes"]) == ("approval", ["identity"])
    assert PLANTED not in str([denied.said, shown.said])
