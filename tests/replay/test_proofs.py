"""One entry's proof is a small file that stands by itself, and nothing else passes for one."""

import random
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from api.cli.main import app
from domain.acts.complaints import InvestigationOpened
from domain.notes import COSIGNATURE, cosigner, public
from replay.check import check
from replay.evidence import Unprovable, checker, prove
from replay.findings import Asked, Kind
from tests.given import act
from tests.replay.bundles import DAY, enter, key_of
from tests.replay.test_page import STRANGER, alike, needs_chromium


@pytest.fixture
def bureau(evident):
    return evident


def proof(bureau, path, position=6, *, bare=False, cases=False):
    text = prove(bureau.ledger, bureau.records, bureau.sealer, position, cases=cases, bare=bare)
    path.write_text(text, "utf-8")
    return path


def green(path, **asked):
    verdict = check(path, Asked(**asked))
    assert verdict.findings == []
    return verdict


def kinds(path, **asked):
    return [f.kind for f in check(path, Asked(**asked)).findings]


def test_it_has_the_form_that_others_read(bureau, tmp_path):
    lines = proof(bureau, tmp_path / "a.tlog-proof").read_text().split("\n")
    size = bureau.sealer.seals.last().size
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra AFBSTDE")  # a leaf: 0x00 PRL1
    assert lines[2] == "index 5"
    blank = lines.index("")
    assert all(len(line) == 44 for line in lines[3:blank])
    assert lines[blank + 1 : blank + 3] == [bureau.sealer.seals.origin(), str(size)]
    assert not proof(bureau, tmp_path / "b", bare=True).read_text().count("extra")


BEYOND = [
    {"kept": "note"}, {"stamps": "file"}, {"report": "file"}, {"replay": "a"},
]  # fmt: skip


def beyond(asked, file):
    """What is asked for, where it is a file."""
    value = {"note": [file], "file": file}
    return {name: value.get(one, one) for name, one in asked.items()}


@pytest.mark.parametrize("asked", [*BEYOND, {"everyone": True}, {"who_read": "a"}, {"by": "unit"}])
def test_what_one_entry_cannot_answer_is_not_passed_over(bureau, tmp_path, asked):
    file = tmp_path / "kept"
    file.write_bytes(b"\xff")
    path = proof(bureau, tmp_path / "a.tlog-proof")
    given = beyond(asked, file)
    assert kinds(path, key=key_of(bureau), **given) == [Kind.UNPROVED]


@needs_chromium
@pytest.mark.parametrize("asked", BEYOND)
def test_the_page_does_not_pass_it_over(bureau, tmp_path, browser, opened, asked):
    file = tmp_path / "kept"
    file.write_bytes(b"\xff")
    path = proof(bureau, tmp_path / "a.tlog-proof")
    given = beyond(asked, file)
    assert alike(browser, opened, path, key=key_of(bureau), **given) == Kind.UNPROVED


def test_every_entry_is_proved_and_told(bureau, tmp_path):
    for stored in bureau.ledger.log.entries():
        verdict = green(proof(bureau, tmp_path / "a", stored.position), key=key_of(bureau))
        told = verdict.replayed
        assert (told["position"], told["type"], told["tags"]) == stored[:1] + stored[2:4]
        assert told["recorded_at"] == stored.recorded_at.isoformat()
        assert list(verdict.lines())[-1].endswith("The entry is what the ledger sealed.")


def test_a_bare_one_proves_what_a_receipt_names(bureau, tmp_path):
    bare, receipt = proof(bureau, tmp_path / "a", bare=True), tmp_path / "receipt"
    receipt.write_text(str(bureau.sealer.receipt(6, 7)))
    asked = {"key": key_of(bureau)}
    assert kinds(bare, **asked) == [Kind.UNPROVED]
    assert green(bare, receipts=[receipt], **asked).replayed is None
    assert green(proof(bureau, tmp_path / "b"), receipts=[receipt], **asked).replayed
    receipt.write_text(str(bureau.sealer.receipt(7, 7)).replace("\n7 ", "\n6 "))
    assert kinds(bare, receipts=[receipt], **asked) == [Kind.RECEIPT, Kind.UNPROVED]


def test_key_and_witness_must_have_signed(bureau, tmp_path):
    stranger = Ed25519PrivateKey.generate()
    witness = public("auditor/w", stranger, COSIGNATURE)
    path = proof(bureau, tmp_path / "a")
    assert kinds(path) == [Kind.UNPROVED]
    assert kinds(path, key=str(public(bureau.sealer.seals.origin(), stranger))) == [Kind.SIGNATURE]
    assert kinds(path, key=str(public("another", stranger))) == [Kind.SIGNATURE]
    asked = {"key": key_of(bureau), "witness_keys": [str(witness)]}
    assert kinds(path, **asked) == [Kind.WITNESS]
    last = bureau.sealer.seals.last()
    [line] = last.note._replace(lines=[]).signed([cosigner("auditor/w", stranger, lambda: 7)]).lines
    bureau.sealer.seals.cosign(last.size, line)
    assert "the head bears a line of auditor/w" in str(green(proof(bureau, path), **asked).said)


def test_whatever_byte_is_changed_it_is_found_or_says_the_same(bureau, tmp_path):
    path, asked = proof(bureau, tmp_path / "a"), {"key": key_of(bureau)}
    whole, told = path.read_bytes(), green(path, **asked).replayed
    chance, changed = random.Random(4), tmp_path / "b"
    for _ in range(300):
        raw = bytearray(whole)
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        changed.write_bytes(raw)
        verdict = check(changed, Asked(**asked))
        assert verdict.findings or verdict.replayed == told


def test_an_entry_is_not_proved_at_anothers_place(bureau, tmp_path):
    key = key_of(bureau)
    text = proof(bureau, tmp_path / "a", 6).read_text()
    other = proof(bureau, tmp_path / "b", 7).read_text()
    for made in (
        text.replace("index 5", "index 6"),
        text.replace("index 5", "index 05"),
        text.replace(text.split("\n")[1], other.split("\n")[1]),
        text.replace("@v1", "@v2"),
        text.partition("\n\n")[0] + "\n",
    ):
        (tmp_path / "c").write_text(made)
        assert kinds(tmp_path / "c", key=key)[0] in (Kind.ENTRY, Kind.UNREADABLE)


def test_what_is_not_sealed_or_of_a_sealed_case_is_not_given(bureau, tmp_path):
    enter(bureau, act(InvestigationOpened(case="c1", person="a", grounds="x"), DAY))
    head = bureau.ledger.log.head()
    with pytest.raises(Unprovable, match="seal first"):
        proof(bureau, tmp_path / "a", head)
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())
    with pytest.raises(Unprovable, match="sealed case"):
        proof(bureau, tmp_path / "a", head)
    with pytest.raises(Unprovable, match="no such entry"):
        proof(bureau, tmp_path / "a", head + 1)
    assert "extra" not in proof(bureau, tmp_path / "a", head, bare=True).read_text()
    told = green(proof(bureau, tmp_path / "a", head, cases=True), key=key_of(bureau)).replayed
    assert told["type"] == "InvestigationOpened"


def test_by_command_it_is_a_read_on_record_and_checked_without_the_product(
    bureau, tmp_path, monkeypatch
):
    told = bureau.settings
    for name in ("database", "vault", "kek_file"):
        monkeypatch.setenv(f"PERSONNEL_LEDGER_{name.upper()}", str(getattr(told, name)))
    monkeypatch.setenv("PERSONNEL_LEDGER_SEAL_KEY_FILE", str(bureau.sealer.key_file))
    out, before = tmp_path / "a.tlog-proof", bureau.reads.log.head()
    command = ["--data", str(tmp_path), "--lang", "en", "evidence"]
    done = CliRunner().invoke(app, [*command, "proof", "6", "-o", str(out)])
    assert done.exit_code == 0, done.output
    [row] = bureau.reads.naming(["a"], before, bureau.reads.log.head())
    assert row.said["parameters"]["entries"] == [6]
    key = key_of(bureau)
    assert CliRunner().invoke(app, [*command, "check", str(out), "--key", key]).exit_code == 0
    (tmp_path / "check.py").write_bytes(checker())
    ran = subprocess.run(
        [sys.executable, "-I", "check.py", out, "--key", key],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, '"position": 6' in ran.stdout) == (0, True)


@needs_chromium
def test_the_page_says_the_same_of_it(bureau, tmp_path, browser, opened):
    path, receipt = proof(bureau, tmp_path / "a.tlog-proof"), tmp_path / "receipt"
    receipt.write_text(str(bureau.sealer.receipt(6, 7)))
    bare = proof(bureau, tmp_path / "bare", bare=True)
    key = key_of(bureau)
    assert alike(browser, opened, path, key=key) == 0
    assert alike(browser, opened, path) == int(Kind.UNPROVED)
    assert alike(browser, opened, bare, key=key) == int(Kind.UNPROVED)
    assert alike(browser, opened, bare, key=key, receipts=[receipt]) == 0
    assert alike(browser, opened, path, key=key.replace("A", "B")) in (16, 25)
    assert alike(browser, opened, path, key=key, witness_keys=[STRANGER]) == int(Kind.WITNESS)
    whole, chance, changed = path.read_bytes(), random.Random(9), tmp_path / "b"
    for _ in range(60):
        raw = bytearray(whole)
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        changed.write_bytes(raw)
        alike(browser, opened, changed, key=key)
