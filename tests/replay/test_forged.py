"""What a stolen key, or whoever hands a bundle over, may try: each is refused, in both checkers."""

import json
from base64 import b64decode, b64encode

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.acts.people import PersonDetailsChanged
from domain.acts.seals import SealKeyChanged
from domain.notes import Note, public, signer
from replay.check import _Check, check
from replay.findings import Asked, Kind
from tests.given import act
from tests.replay.bundles import (
    LATER,
    enter,
    exported,
    files,
    key_of,
    packed,
    resigned,
    with_reads,
)
from tests.replay.test_page import alike, needs_chromium

QUOTED = '王"小明'


def rewritten(bureau, path):
    """A bundle, and a head of another history that the ledger's key signed."""
    origin, size = bureau.sealer.seals.origin(), bureau.sealer.seals.last().size
    text = f"{origin}\n{size}\n{b64encode(bytes(32)).decode()}\n"
    path.write_text(str(Note(text).signed([signer(origin, bureau.sealer.key())])))
    return path


def reads_as_the_ledger(bureau, held, kept):
    """The true head is handed over as one of the log of reads, which takes the ledger's name."""
    manifest = json.loads(held["manifest.json"])
    manifest["reads"]["origin"] = manifest["origin"]
    held["manifest.json"] = orjson.dumps(manifest)
    held["reads-head.note"] = kept.read_bytes()
    resigned(bureau, held)


def cut_value(bureau, held):
    """The first bytes of a value told as the end of its salt."""
    shown = json.loads(held["disclosed.json"])
    [one] = [one for one in shown if one["value"] == json.dumps(QUOTED, ensure_ascii=False)]
    raw = one["value"].encode()
    at = raw.rindex(b'"', 0, -1)
    one["salt"] = b64encode(b64decode(one["salt"]) + raw[:at]).decode()
    one["value"] = raw[at:].decode()
    del held["report.json"]
    held["disclosed.json"] = orjson.dumps(shown)
    manifest = json.loads(held["manifest.json"])
    del manifest["files"]["report.json"]
    held["manifest.json"] = orjson.dumps(manifest)
    resigned(bureau, held)


def said_by(path, **asked):
    return [(f.kind, f.en) for f in check(path, Asked(**asked)).findings]


@pytest.fixture
def taken(looked_at, tmp_path):
    """A bundle in which the ledger's kept head is said to be the reads', and that head."""
    kept = rewritten(looked_at, tmp_path / "kept")
    held = files(with_reads(looked_at, tmp_path / "b.zip", complete=True))
    reads_as_the_ledger(looked_at, held, kept)
    return packed(tmp_path / "c.zip", held), {"key": key_of(looked_at), "kept": [kept]}


def test_a_kept_head_is_the_ledgers_whatever_a_bundle_says_of_the_reads(taken):
    path, asked = taken
    told = said_by(path, **asked)
    assert any(kind is Kind.WITNESS and "it was rewritten" in en for kind, en in told)
    assert (Kind.HEAD, "what is said to be the log of reads bears the ledger's name") in told


def test_a_change_of_the_key_does_not_rename_the_ledger(evident, tmp_path):
    bureau = evident
    other = Ed25519PrivateKey.generate()
    old, new = key_of(bureau), str(public("personnel-ledger/other", other))
    note = Note(f"{bureau.sealer.seals.origin()} key\n{old}\n{new}\n")
    both = [signer(bureau.sealer.seals.origin(), bureau.sealer.key())]
    both.append(signer("personnel-ledger/other", other))
    forged = SealKeyChanged(ledger="l", previous=old, key=new, note=str(note.signed(both)))
    checked = _Check(exported(bureau, tmp_path / "b.zip"), Asked())
    checked.changes = [(11, vars(forged))]
    assert checked._chain() == [old, new]
    assert [f.kind for f in checked.findings] == [Kind.SIGNATURE]


@pytest.fixture
def cut(evident, tmp_path):
    """A bundle in which the beginning of a name is told as salt."""
    bureau = evident
    enter(bureau, act(PersonDetailsChanged(person="a", name=QUOTED), LATER))
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())
    held = files(exported(bureau, tmp_path / "b.zip"))
    cut_value(bureau, held)
    return packed(tmp_path / "c.zip", held)


def test_a_disclosed_value_is_not_cut(cut):
    [(kind, en)] = said_by(cut)
    assert kind is Kind.DISCLOSED
    assert en.endswith("is not what was committed to")


@needs_chromium
def test_the_page_refuses_the_same(cut, browser, opened):
    assert alike(browser, opened, cut) == int(Kind.DISCLOSED)


@needs_chromium
def test_the_page_refuses_the_same_of_heads(taken, browser, opened):
    path, asked = taken
    assert alike(browser, opened, path, **asked) == int(Kind.HEAD)
