"""Who enters gets a receipt; whoever asks gets a proof that the ledger's key vouches for."""

import time
from base64 import b64decode

import httpx
import pytest

from api.app import create_app
from api.settings import Bureau
from api.stamping import StampingUnfit
from api.witnessing import create_witness
from domain.acts.people import PersonRegistered
from domain.events import Actor, Proposal
from domain.ledger import Request
from domain.ledger.reads import Read
from domain.merkle import consistent, included
from domain.notes import Head, Note, Receipt, Verifier, public
from replay.check import check
from replay.findings import Asked
from replay.witness import Witness
from tests.api.conftest import DAY, person, serving
from tests.sealing.authority import OPENSSL, LocalAuthority


def eventually(office, path):
    """The answer once it is sealed, within a second or so."""
    for _ in range(100):
        answer = office.http.get(path)
        if answer.status_code != 503:
            break
        assert answer.json()["code"] == "not-sealed"
        time.sleep(0.05)
    assert answer.status_code == 200, answer.text
    return answer.json()


def raw(texts):
    return [b64decode(text) for text in texts]


def test_a_receipt_is_followed_by_a_proof_of_the_same_leaf(office):
    answer = office.post(person("seal-1"), person("seal-2"), key="seal-key-1")
    receipt = Note.of(answer.json()["receipt"])
    said = Receipt.of(receipt.text)
    assert [p for p, _ in said.leaves] == [e["position"] for e in answer.json()["entries"]]
    for position, leaf in said.leaves:
        proof = eventually(office, f"/v1/proofs/{position}")
        note = Note.of(proof["head"])
        head = Head.of(note.text)
        key = Verifier.of(office.get("/v1/seals")["key"])
        assert receipt.signed_by(key)
        assert note.signed_by(key)
        assert head.origin == said.origin
        assert b64decode(proof["leaf"]) == leaf
        assert included(leaf, position - 1, head.size, raw(proof["path"]), head.root)
    again = office.post(person("seal-1"), person("seal-2"), key="seal-key-1")
    assert again.json()["receipt"] == answer.json()["receipt"]


def test_a_proof_is_also_one_file_of_text(office, tmp_path):
    answer = office.post(person("seal-7"))
    [position] = [e["position"] for e in answer.json()["entries"]]
    eventually(office, f"/v1/proofs/{position}")
    file, receipt = tmp_path / "a.tlog-proof", tmp_path / "receipt"
    receipt.write_text(answer.json()["receipt"])
    got = office.http.get(f"/v1/proofs/{position}", params={"form": "tlog-proof"})
    assert got.headers["content-type"] == "text/plain; charset=utf-8"
    file.write_bytes(got.content)
    key = office.get("/v1/seals")["key"]
    verdict = check(file, Asked(key=key, receipts=[receipt]))
    assert verdict.findings == []
    assert f"entry {position} lies under a head" in verdict.said[0][1]


def test_a_later_head_is_proved_to_extend_an_earlier_one(office):
    position = office.entered(person("seal-3"))
    eventually(office, f"/v1/proofs/{position}")
    old = Head.of(Note.of(office.get("/v1/seals")["head"]).text)
    later = office.entered(person("seal-4"))
    eventually(office, f"/v1/proofs/{later}")
    answer = office.get("/v1/seals/extension", old=old.size)
    new = Head.of(Note.of(answer["head"]).text)
    assert consistent(old.size, old.root, new.size, new.root, raw(answer["path"]))
    under = office.get(f"/v1/proofs/{position}", size=new.size)
    assert Head.of(Note.of(under["head"]).text) == new


def test_what_cannot_be_proved_is_refused_by_name(office):
    beyond = office.http.get(f"/v1/proofs/{office.head() + 1}")
    assert (beyond.status_code, beyond.json()["code"]) == (404, "unknown-fact")
    assert office.http.get("/v1/proofs/0").json()["field"] == "position"
    larger = office.http.get("/v1/seals/extension", params={"old": 10**9})
    assert (larger.status_code, larger.json()["field"]) == (422, "old")


def test_the_lag_of_the_seals_is_measured(office):
    position = office.entered(person("seal-5"))
    eventually(office, f"/v1/proofs/{position}")
    assert "personnel_ledger_seal_lag_entries 0.0" in office.http.get("/metrics").text


def test_a_served_ledger_has_its_heads_cosigned(settings, database, tmp_path):
    own = settings._replace(database=database)
    with Bureau(own) as bureau:
        bureau.ledger.enter(Request([Proposal(PersonRegistered(person="w1"), DAY)]))
        bureau.sealer.catch_up()
        key = public(bureau.sealer.seals.origin(), bureau.sealer.key())
    witness = Witness(tmp_path, "auditor/w", [key], time.time)
    with serving(create_witness(witness)) as port:
        named = own._replace(witness=f"http://127.0.0.1:{port}", witness_key=str(witness.verifier))
        with Bureau(named) as bureau, serving(create_app(bureau)):
            deadline = time.monotonic() + 5
            while bureau.sealer.seals.cosigned() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            head = bureau.sealer.seals.with_cosignatures(bureau.sealer.seals.last())
    assert head.seen_at(witness.verifier) is not None


@pytest.mark.skipif(OPENSSL is None, reason="the openssl command is not installed")
def test_a_served_ledger_has_its_heads_stamped(settings, database, tmp_path):
    local = LocalAuthority(tmp_path)
    own = settings._replace(database=database, stamp_roots=local.roots)
    with local.served() as url, Bureau(own._replace(stamps=url)) as bureau:
        bureau.ledger.enter(Request([Proposal(PersonRegistered(person="w2"), DAY)]))
        bureau.reads.record(Read(Actor(), "test", question="record", persons=["w2"]))
        both = [bureau.sealer.seals, bureau.reads.sealer.seals]
        for sealer in (bureau.sealer, bureau.reads.sealer):
            sealer.catch_up()
        with serving(create_app(bureau)) as port:
            deadline = time.monotonic() + 20
            while not all(one.stamped() for one in both) and time.monotonic() < deadline:
                time.sleep(0.02)
            assert [one.stamped().size for one in both] == [1, 1]
            told = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert "personnel_ledger_stamp_overdue_seconds 0.0" in told
    with Bureau(own._replace(stamps="nowhere")) as bureau, pytest.raises(StampingUnfit):
        create_app(bureau)
