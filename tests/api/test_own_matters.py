"""Nobody acts for himself, over a socket: not as approver, not as administrator, under no id."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

from domain.acts.rights import ApiKeyIssued, account_of
from tests.api.conftest import person
from tests.api.identities import ISSUER
from tests.api.test_access import HERE, Desk, desk, waiting

__all__ = ["desk"]


def changed(who: str) -> dict[str, Any]:
    return {"type": "PersonDetailsChanged", "effective": "2022-04-01", "person": who, "phone": "1"}


def test_nobody_approves_what_is_about_himself_under_any_id(desk: Desk) -> None:
    for one in ("p-own-chief", "p-own-chief-2"):
        assert desk.post("first", person(one)).status_code == 201
    desk.grant("own-chief", "approver", person="p-own-chief", classes=["identity"])
    by = f"{ISSUER}|own-chief"

    def sent(act: dict[str, Any]) -> tuple[int, str]:
        answer = desk.post("first", act, approved_by=by)
        return answer.status_code, answer.json()["code"]

    assert sent(changed("p-own-chief")) == (403, "not-allowed")
    assert sent(changed(HERE)) == (409, "approval-needed")
    left = waiting(desk, "own-chief", "p-own-chief-2")
    url = f"/v1/approvals/{left}"
    assert desk.ask("GET", url, "own-chief").status_code == 200
    merged = {"type": "PersonsMerged", "effective": "2022-04-01", "kept": "p-own-chief-2",
              "merged": "p-own-chief"}  # fmt: skip
    said = {"mood": "attested", "attested_by": "the chief"}
    answer = desk.post("first", merged, **said)
    assert answer.status_code == 201, answer.text
    assert sent(changed("p-own-chief-2")) == (403, "not-allowed")
    key = {"Idempotency-Key": "own"}
    for method in ("GET", "POST"):
        assert desk.ask(method, url, "own-chief", headers=key).status_code == 403


def test_a_second_account_of_the_same_person_is_no_second_person(desk: Desk) -> None:
    for one in ("p-twice", "p-twice-2"):
        assert desk.post("first", person(one)).status_code == 201
    desk.grant("twice", "clerk", person="p-twice", classes=["identity"])
    desk.grant("twice-too", "approver", person="p-twice-2", classes=["identity"])
    by = {"approved_by": f"{ISSUER}|twice-too"}
    act = {"type": "PersonDetailsChanged", "effective": "2022-05-01", "person": HERE, "phone": "7"}
    assert desk.post("twice", act, **by).status_code == 409
    merged = {"type": "PersonsMerged", "effective": "2022-04-01", "kept": "p-twice",
              "merged": "p-twice-2"}  # fmt: skip
    said = {"mood": "attested", "attested_by": "the chief"}
    assert desk.post("first", merged, **said).status_code == 201
    refused = desk.post("twice", act, **by)
    assert (refused.status_code, refused.json()["field"]) == (403, "approved_by")


def test_an_administrator_gives_no_right_to_another_account_of_his_own(desk: Desk) -> None:
    assert desk.post("first", person("p-admin-1")).status_code == 201
    desk.grant("admin-1", "administrator", person="p-admin-1")

    def granting(subject: str, **fields: str) -> int:
        act = {
            "type": "RoleGranted", "effective": "2022-01-01", "issuer": ISSUER, "role": "auditor",
            "subject": subject, "account": account_of(ISSUER, subject), **fields,
        }  # fmt: skip
        act["effective"] = f"{desk.bureau.ledger.today()}"
        return desk.post("admin-1", act).status_code

    assert granting("admin-1-other", person="p-admin-1") == 403
    assert granting("admin-1-clerk", person=HERE) == 201


def test_no_right_is_given_by_a_key_whose_secret_its_issuer_knew(desk: Desk) -> None:
    desk.grant("admin-2", "administrator")
    today = desk.bureau.ledger.today()
    key = ApiKeyIssued(
        key="k-admin", account=account_of(ISSUER, "admin-2"), issuer=ISSUER, subject="admin-2",
        hash=sha256(b"known").hexdigest(),
    )  # fmt: skip
    desk.enter(key, today, until=today + timedelta(days=9))
    act = {
        "type": "RoleGranted", "effective": f"{today}", "issuer": ISSUER, "role": "auditor",
        "subject": "by-key", "account": account_of(ISSUER, "by-key"),
    }  # fmt: skip
    headers = {"Authorization": "ApiKey k-admin.known", "Idempotency-Key": "by-key"}
    answer = desk.http.post("/v1/entries", json={"events": [act]}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
    assert desk.post("admin-2", act).status_code == 201
