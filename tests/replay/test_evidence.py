"""A bundle is checked without us: whatever was altered in it is named, whoever altered it."""

import hashlib
import json
import random
import subprocess
import venv
from pathlib import Path

import cryptography
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.answers import When, record
from domain.acts.rewards import RewardGranted
from domain.bitemporal import AsOf
from domain.events import Actor
from domain.ledger.rotation import change_key
from domain.merkle import leaf_bytes
from domain.notes import Note, public, signer
from replay.check import check
from replay.evidence import Unprovable, Wanted, checker, export
from replay.findings import Asked, Kind
from replay.offline import Bundle
from tests.given import act
from tests.histories import History, sample_steps
from tests.replay.bundles import (
    ALTERED,
    DAY,
    LATER,
    NAME,
    altered_entry,
    digest,
    enter,
    entries,
    exported,
    files,
    green,
    key_of,
    kinds,
    packed,
)

BOTH = pytest.mark.parametrize("complete", [True, False])


@pytest.fixture
def bureau(evident):
    return evident


# what is whole


@BOTH
def test_a_bundle_is_green_and_says_what_it_proves(bureau, tmp_path, complete):
    path = exported(bureau, tmp_path / "b.zip", complete=complete)
    said = str(green(path, key=key_of(bureau)).said)
    assert ("no entry about anyone is left out" in said) is complete
    assert ("this bundle cannot prove" in said) is not complete
    assert "is what the entries give" in said
    assert "the bundle's own was used" in str(green(path).said)


def test_the_same_pair_and_head_give_the_same_bytes(bureau, tmp_path):
    size = bureau.ledger.log.head()
    before = exported(bureau, tmp_path / "one.zip").read_bytes()
    enter(bureau, act(RewardGranted(person="a", kind="merit"), LATER))
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())
    again = exported(bureau, tmp_path / "two.zip", recorded=size, head=size).read_bytes()
    assert again == before
    later = exported(bureau, tmp_path / "three.zip", recorded=size)
    assert later.read_bytes() != before
    green(later, key=key_of(bureau))


@BOTH
def test_a_bundle_of_an_earlier_position_holds_nothing_of_later_ones(bureau, tmp_path, complete):
    path = exported(bureau, tmp_path / "b.zip", recorded=6, complete=complete)
    positions = [int.from_bytes(raw[9:17]) for raw in entries(files(path))]
    assert max(positions) <= 6
    green(path, key=key_of(bureau))


@pytest.mark.skipif("sm3" not in hashlib.algorithms_available, reason="no SM3 on this platform")
def test_the_manifest_has_sm3_digests_beside_the_others(bureau, tmp_path):
    held = files(exported(bureau, tmp_path / "b.zip"))
    named = json.loads(held["manifest.json"])["files"]
    assert {"entries.bin", "head.note", "report.json"} < named.keys()
    for name, digests in named.items():
        assert digests["sm3"] == hashlib.new("sm3", held[name]).hexdigest(), name


PRINTING = """
import runpy, sys
sys.stdout.reconfigure(encoding="ascii")
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""As on a terminal whose encoding lacks a character of a name."""


def test_it_runs_where_there_is_python_and_cryptography_alone(bureau, tmp_path):
    path = exported(bureau, tmp_path / "b.zip", complete=True)
    venv.create(tmp_path / "bare", symlinks=True)
    [site] = (tmp_path / "bare").glob("lib/python*/site-packages")
    installed = Path(cryptography.__file__).parents[1]
    for name in ("cryptography", "cffi", "pycparser"):
        if (installed / name).exists():
            (site / name).symlink_to(installed / name)
    for backend in installed.glob("_cffi_backend*"):
        (site / backend.name).symlink_to(backend)
    (tmp_path / "check.py").write_bytes(files(path)["check.py"])

    def run(*arguments):
        python = tmp_path / "bare" / "bin" / "python"
        command = [python, "-I", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert "No module named 'replay'" in run("-c", "import replay").stderr
    done = run("check.py", "b.zip", "--key", key_of(bureau), "--replay", "b")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["person"] == "b"
    written = ["-X", "utf8=0", "-c", PRINTING, "check.py", "b.zip", "--replay", "a"]
    done = run(*written)
    assert done.returncode == 0, done.stderr
    assert "\\u738b" in done.stdout
    assert json.loads(done.stdout)["person"] == "a"
    held = files(path)
    held["leaves.bin"] = held["leaves.bin"][:-1] + b"?"
    packed(path, held)
    red = run("check.py", "b.zip")
    assert red.returncode == int(Kind.ENTRY)
    assert f"entry {bureau.ledger.log.head()} is not what was sealed" in red.stderr
    assert held["check.py"] == checker()


def test_any_record_is_replayed_at_any_pair(bureau, tmp_path):
    path = exported(bureau, tmp_path / "b.zip", persons=[], complete=True)
    for person in "ab":
        for recorded in (5, 7, 9, None):
            when = When(DAY, recorded)
            expected = orjson.loads(orjson.dumps(record(bureau, person, when)["data"]))
            at = {"effective": DAY.isoformat(), "recorded": recorded}
            told = green(path, replay=person, **at).replayed
            assert told == {name: expected[name] for name in told}


def test_everybodys_records_are_replayed_at_any_pair(common_bureau, tmp_path):
    bureau = common_bureau
    bureau.sealer.key_file = tmp_path / "seal.key"
    histories = [History(bureau.ledger).play(sample_steps(seed, 60)) for seed in range(3)]
    bureau.sealer.catch_up()
    path, head = tmp_path / "b.zip", bureau.ledger.log.head()
    export(bureau.ledger, bureau.records, bureau.sealer, Wanted(AsOf(DAY, head)), path)
    days = sorted({day.isoformat() for history in histories for day in history.days()})
    for day in days[:: len(days) // 3]:
        for recorded in (head // 2, head):
            at = {"effective": day, "recorded": recorded}
            everyone = check(path, Asked(everyone=True, **at)).everyone
            assert len(everyone) > 3
            for one in everyone:
                alone = check(path, Asked(replay=one["person"], **at)).replayed
                assert one == alone
    list(bureau.runner.catch_up())
    few = exported(bureau, tmp_path / "few.zip", persons=[everyone[0]["person"]])
    assert kinds(few, everyone=True) == [Kind.UNPROVED]


def test_an_answer_of_the_ledger_is_compared_with_the_entries(bureau, tmp_path):
    path = exported(bureau, tmp_path / "b.zip")
    answer = orjson.loads(orjson.dumps(record(bureau, "a", When(DAY, 7))))
    kept = tmp_path / "answer.json"
    kept.write_bytes(orjson.dumps(answer))
    green(path, report=kept)
    stated = answer["as_of"]["recorded_at"]
    answer["as_of"]["recorded_at"] = "2022-03-01T08:00:00+08:00"
    kept.write_bytes(orjson.dumps(answer))
    assert "/as_of/recorded_at" in str(check(path, Asked(report=kept)).findings)
    answer["as_of"]["recorded_at"] = stated
    answer["data"]["spells"][0]["since"] = "2022-02-28"
    kept.write_bytes(orjson.dumps(answer))
    [finding] = check(path, Asked(report=kept)).findings
    assert finding.kind == Kind.REPORT
    assert "the report given is not what the entries give, at /spells/0/since" in finding.en


def test_what_is_not_disclosed_stays_sealed_and_is_counted(bureau, tmp_path):
    path = exported(bureau, tmp_path / "b.zip", disclose=frozenset(), complete=True)
    held = files(path)
    assert not any(NAME.encode() in content for content in held.values())
    assert json.loads(held["disclosed.json"]) == []
    assert "but for 2 not disclosed" in str(green(path).said)
    shown = files(exported(bureau, tmp_path / "c.zip", complete=True))
    assert {one["owner"] for one in json.loads(shown["disclosed.json"])} == {"a"}


@BOTH
def test_the_log_extends_a_head_that_was_kept(bureau, tmp_path, complete):
    kept = tmp_path / "kept"
    first = bureau.sealer.seals.covering(1)
    kept.write_text(str(first.note))
    path = exported(bureau, tmp_path / "b.zip", complete=complete)
    assert kinds(path, kept=[kept]) == ([] if complete else [Kind.UNPROVED])
    green(exported(bureau, path, complete=complete, old=[first.size]), kept=[kept])
    other = first.head._replace(root=bytes(32))
    kept.write_text(str(Note(other.text())))
    assert kinds(path, kept=[kept]) == [Kind.WITNESS]


def test_a_receipt_is_held_against_the_entries(bureau, tmp_path):
    kept = tmp_path / "receipt"
    kept.write_text(str(bureau.sealer.receipt(6, 7)))
    path = exported(bureau, tmp_path / "b.zip")
    green(path, key=key_of(bureau), receipts=[kept])
    kept.write_text(str(bureau.sealer.receipt(10, 10)))
    assert kinds(path, receipts=[kept]) == [Kind.UNPROVED]
    kept.write_text(kept.read_text().replace("\n10 ", "\n7 "))
    assert kinds(path, receipts=[kept]) == [Kind.RECEIPT]


@BOTH
def test_a_changed_key_is_followed(bureau, tmp_path, complete):
    first, size = key_of(bureau), bureau.ledger.log.head()
    change_key(bureau.ledger, bureau.sealer, bureau.reads, Actor())
    list(bureau.runner.catch_up())
    path = exported(bureau, tmp_path / "b.zip", recorded=size, complete=complete)
    green(path, key=first)
    green(path, key=key_of(bureau))
    with pytest.raises(Unprovable, match="the key was changed"):
        exported(bureau, path, recorded=size, head=size)


def test_what_is_not_sealed_is_not_exported(bureau, tmp_path):
    enter(bureau, act(RewardGranted(person="a", kind="merit"), LATER))
    with pytest.raises(Unprovable, match="seal first"):
        exported(bureau, tmp_path / "b.zip")
    assert list(tmp_path.glob("b.zip*")) == []


# what was altered


@pytest.fixture
def whole(bureau, tmp_path):
    return exported(bureau, tmp_path / "b.zip", complete=True)


def test_each_alteration_is_named_first_also_under_a_new_manifest(whole):
    """A manifest made anew to fit lacks the ledger's signature, whatever was altered."""
    for alter, kind, sentence in ALTERED:
        held = files(whole)
        alter(held)
        verdict = check(packed(whole.with_name("altered.zip"), held), Asked())
        assert verdict.exit_code == int(kind), (alter.__name__, verdict.findings)
        assert sentence in str(verdict.findings), alter.__name__
        assert "is left out" not in str(list(verdict.lines())), alter.__name__
        manifest = json.loads(held["manifest.json"])
        named = held.keys() - {"manifest.json", "manifest.note"}
        manifest["files"] = {name: {"sha256": digest(held[name])} for name in named}
        held["manifest.json"] = orjson.dumps(manifest)
        again = kinds(packed(whole.with_name("again.zip"), held))
        assert Kind.SIGNATURE in again, alter.__name__
        assert Kind.FILE not in again, alter.__name__


def test_without_every_entry_each_stands_by_its_own_path(bureau, tmp_path):
    path = exported(bureau, tmp_path / "b.zip")
    held = files(path)
    altered_entry(held)
    position = int.from_bytes(entries(held)[2][9:17])
    verdict = check(packed(path, held), Asked())
    assert verdict.exit_code == int(Kind.ENTRY)
    assert f"entry {position} is not what was sealed" in str(verdict.findings)


def test_another_key_that_signs_everything_anew_is_not_the_one_given(bureau, whole):
    held = files(whole)
    origin, forger = bureau.sealer.seals.origin(), Ed25519PrivateKey.generate()
    held["key.txt"] = str(public(origin, forger)).encode()
    manifest = json.loads(held["manifest.json"])
    for name in ("head.note", "manifest.note"):
        if name == "manifest.note":
            manifest["files"]["key.txt"]["sha256"] = digest(held["key.txt"])
            manifest["files"]["head.note"]["sha256"] = digest(held["head.note"])
            held["manifest.json"] = orjson.dumps(manifest)
            note = Note(f"{origin} evidence\n{digest(held['manifest.json'])}\n")
        else:
            note = Note(Note.of(held[name].decode()).text)
        held[name] = str(note.signed([signer(origin, forger)])).encode()
    packed(whole, held)
    assert kinds(whole) == []
    assert kinds(whole, key=key_of(bureau)) == [Kind.SIGNATURE]
    assert kinds(whole, witness_keys=[key_of(bureau)]) == [Kind.WITNESS]


def test_a_byte_changed_in_place_is_found(whole):
    raw = bytearray(whole.read_bytes())
    place = raw.index(b"RewardGranted")
    raw[place] ^= 1
    whole.write_bytes(raw)
    assert kinds(whole)[0] == Kind.ENTRY


def test_whatever_byte_is_changed_it_is_found_or_changes_nothing(whole):
    original, held = whole.read_bytes(), files(whole)
    drawn = random.Random(7)
    for _ in range(150):
        raw = bytearray(original)
        raw[drawn.randrange(len(raw))] ^= 1 << drawn.randrange(8)
        whole.write_bytes(raw)
        if not kinds(whole):  # who made a file, and for whom it is to be written, matter to nobody
            bundle = Bundle(whole)
            assert {name: bundle.read(name) for name in bundle.names} == held


def behind(raw):
    return raw + b"more"


def ahead(raw):
    return b"more" + raw


def renamed(raw):
    return raw.replace(b"report.json", b"repost.json", 1)


def redated(raw):
    return raw[:10] + b"!" + raw[11:]


def summed(raw):
    return raw[:14] + bytes([raw[14] ^ 1]) + raw[15:]


FRAMES = [behind, ahead, renamed, redated, summed]


@pytest.mark.parametrize("framed", FRAMES)
def test_whoever_unpacks_it_otherwise_has_the_same_files(bureau, tmp_path, framed):
    path = exported(bureau, tmp_path / "b.zip")
    assert kinds(path) == []
    path.write_bytes(framed(path.read_bytes()))
    assert kinds(path) == [Kind.FILE]


def test_what_is_no_bundle_is_said_to_be_none(tmp_path):
    path = tmp_path / "b.zip"
    path.write_bytes(b"PK")
    assert kinds(path) == [Kind.UNREADABLE]
    assert kinds(packed(path, {"manifest.json": b"{}"})) == [Kind.UNREADABLE]


def test_entries_lie_in_the_bundle_as_they_were_hashed(bureau, whole):
    first = next(bureau.ledger.entries())
    raw = leaf_bytes(first.position, first.recorded_at, first.type, first.tags, first.data)
    assert entries(files(whole))[0][4:] == raw
