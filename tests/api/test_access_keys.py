"""Rights and keys are what entries gave, and a key is a system's: nobody acts in another's name."""

from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256

import httpx
import orjson
import psycopg
import pytest

from api.settings import Bureau
from domain.acts.rights import ApiKeyIssued, account_of
from tests.api.conftest import unit
from tests.api.identities import ISSUER
from tests.api.test_access import Desk, opened

FOREVER = 2**63 - 1


@pytest.fixture(scope="module")
def desk(common_bureau: Bureau, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with opened(common_bureau, tmp_path_factory.mktemp("provider")) as desk:
        desk.grant("clerk", "clerk", classes=["identity"], attest=True)
        answer = desk.post("clerk", unit("bureau", kind="bureau", division="330200"))
        assert answer.status_code == 201, answer.text
        desk.grant("inspector", "inspector", classes=["identity"])
        yield desk


def by_key(desk: Desk, said: str, url: str) -> httpx.Response:
    return desk.http.get(url, headers={"Authorization": f"ApiKey {said}"})


def test_a_key_for_a_persons_account_does_not_act_as_that_person(desk: Desk) -> None:
    """The administrator, who reads no record, issues keys for whatever account he names."""
    today = desk.bureau.ledger.today()
    for who in ("inspector", "clerk"):
        event = ApiKeyIssued(
            key=f"k-{who}", account=account_of(ISSUER, who), issuer=ISSUER, subject=who,
            hash=sha256(b"mine").hexdigest(),
        )  # fmt: skip
        desk.enter(event, today, until=today + timedelta(days=30))
        assert desk.ask("GET", "/v1/roster", who).status_code == 200
        assert by_key(desk, f"k-{who}.mine", "/v1/roster").status_code == 403
    headers = {"Authorization": "ApiKey k-clerk.mine", "Idempotency-Key": "by-a-key"}
    sent = {"events": [unit("by-key", kind="station", parent="bureau")]}
    assert desk.http.post("/v1/entries", json=sent, headers=headers).status_code == 403
    desk.grant("clerk", "system")
    assert by_key(desk, "k-clerk.mine", "/v1/changes").status_code == 200
    assert by_key(desk, "k-clerk.mine", "/v1/journal").status_code == 403


def test_a_right_or_a_key_that_no_entry_gave_is_none(desk: Desk) -> None:
    """Whoever has the database writes it into the records, from which answers are given."""
    mallory, key = f"account:{account_of(ISSUER, 'mallory')}", "key:k-forged"
    of = {"issuer": ISSUER, "subject": "clerk", "account": account_of(ISSUER, "clerk")}
    role = {"role": "auditor", "classes": ["identity"], "attest": True, **of}
    told = {mallory: ("role", role), key: ("api-key", {**of, "hash": sha256(b"x").hexdigest()})}
    day = desk.bureau.ledger.today()
    put = (
        "INSERT INTO records (subject, facet, slot, effective, until, seq, root, entry, known_from,"
        " known_to, value) VALUES (%s, %s, '', %s, %s, 0, 1, 1, 1, %s, %s)"
    )
    with psycopg.connect(desk.bureau.database) as connection:
        for subject, (facet, value) in told.items():
            said = orjson.dumps(value).decode()
            connection.execute(put, (subject, facet, day, "9999-12-31", FOREVER, said))
    assert [fact.value for fact in desk.bureau.records.of(mallory)] == [role]
    assert desk.ask("GET", "/v1/roster", "mallory").status_code == 403
    assert by_key(desk, "k-forged.x", "/v1/changes").status_code == 401
