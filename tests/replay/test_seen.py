"""Who looked at a person, proved offline: the reads in a bundle, alike in both checkers."""

import json
import random
import subprocess
import sys
import zipfile

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.looked import evident
from domain.acts.complaints import CaseDisclosed, InvestigationOpened
from domain.acts.identity import PersonsMerged
from domain.events import Actor
from domain.ledger.rotation import change_key
from domain.merkle import Frontier
from domain.notes import COSIGNATURE, Note, cosigner, public, signer
from replay.check import check
from replay.findings import Asked, Kind
from replay.looks import Packing, Unprovable
from tests.given import act
from tests.replay.bundles import (
    DAY,
    MANY,
    ask,
    enter,
    exported,
    files,
    green,
    key_of,
    kinds,
    packed,
    resigned,
    said,
    settled,
    with_reads,
)
from tests.replay.test_page import alike, needs_chromium


@pytest.fixture
def bureau(looked_at):
    return looked_at


def listed(path, **asked):
    return [(one["question"], one["list"], one["sure"]) for one in green(path, **asked).reads]


def test_who_looked_at_a_person_is_told_from_the_bundle_alone(bureau, tmp_path):
    whole = with_reads(bureau, tmp_path / "whole.zip", complete=True)
    expected = [("record", False, True), ("roster", True, True)]
    assert listed(whole, key=key_of(bureau)) == expected
    first = green(whole).reads[0]
    assert (first["purpose"], first["actor"]["role"]) == ("年度考核", "clerk")
    assert "no read of anyone is left out" in said(whole)
    own = with_reads(bureau, tmp_path / "own.zip")
    assert listed(own, key=key_of(bureau)) == expected
    assert "that there are no others" in said(own)
    assert b'"b"' not in files(own)["reads.bin"]
    everybody = with_reads(bureau, tmp_path / "all.zip", persons=(), complete=True)
    assert listed(everybody) == [("record", False, True), *expected]
    assert not any(
        name.startswith("reads") for name in files(exported(bureau, tmp_path / "no.zip"))
    )


def test_of_a_bundle_of_everything_anybody_may_be_asked_about(bureau, tmp_path):
    whole = with_reads(bureau, tmp_path / "all.zip", persons=(), complete=True)
    assert listed(whole, who_read="a") == [("record", False, True), ("roster", True, True)]
    assert "reads of the person asked about: 2;" in said(whole, who_read="a")
    [alone, _] = green(whole, who_read="b").reads
    assert alone["read"] != green(whole, who_read="a").reads[0]["read"]
    assert listed(whole, who_read=MANY[0]) == [("roster", True, True)]
    assert listed(whole, who_read="nobody") == []
    enter(bureau, act(PersonsMerged(merged="b", kept="a"), DAY))
    settled(bureau)
    merged = with_reads(bureau, tmp_path / "merged.zip", persons=(), complete=True)
    assert len(listed(merged, who_read="b")) == len(listed(merged, who_read="a")) == 3
    own = with_reads(bureau, tmp_path / "own.zip")
    assert len(listed(own, who_read="a")) == 3
    assert kinds(own, who_read="m01") == [Kind.UNPROVED]
    without = exported(bureau, tmp_path / "without.zip", complete=True)
    [finding] = check(without, Asked(who_read="a")).findings
    assert "have it exported with --reads" in finding.en


def test_the_checker_that_travels_lists_them(bureau, tmp_path):
    path = with_reads(bureau, tmp_path / "b.zip", complete=True)
    (tmp_path / "check.py").write_bytes(files(path)["check.py"])
    command = [sys.executable, "-I", "check.py", "b.zip", "--key", key_of(bureau), "--list"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    reads = [one for one in map(json.loads, done.stdout.splitlines()) if "read" in one]
    assert reads == json.loads(json.dumps(green(path).reads))
    assert [one["at"][:4] for one in reads] == [f"{bureau.ledger.today():%Y}"] * 2


def test_the_same_heads_give_the_same_bytes(bureau, tmp_path):
    one, two = (with_reads(bureau, tmp_path / f"{n}.zip", complete=True) for n in (1, 2))
    assert one.read_bytes() == two.read_bytes()


def test_a_list_that_gives_others_now_is_counted_and_not_believed(bureau, tmp_path):
    opened = evident(bureau, cases=False)
    other = opened._replace(held=lambda _: {"b"})
    for complete in (True, False):
        path = exported(bureau, tmp_path / f"{complete}.zip", looks=other, complete=complete)
        assert listed(path) == [("record", False, True), ("roster", True, False)]
        assert "whom they held: 1" in said(path)
        assert json.loads(files(path)["reads-lists.json"]) == []


def test_reads_for_sealed_cases_are_withheld_unless_for_inspectors(bureau, tmp_path):
    enter(bureau, act(InvestigationOpened(case="of-the-gifts", person="a", grounds="x"), DAY))
    settled(bureau)
    ask(bureau, "record", "a", purpose="办案", case="of-the-gifts")
    settled(bureau)
    for complete in (True, False):
        path = with_reads(bureau, tmp_path / f"{complete}.zip", complete=complete)
        assert len(listed(path)) == 2
        assert b"of-the-gifts" not in files(path)["reads.bin"]
        assert ("1 are said to be for sealed cases" in said(path)) is complete
        for_inspectors = with_reads(bureau, tmp_path / "i.zip", complete=complete, cases=True)
        assert len(listed(for_inspectors)) == 3
    enter(bureau, act(CaseDisclosed(case="of-the-gifts"), DAY))
    settled(bureau)
    open_ = with_reads(bureau, tmp_path / "open.zip", complete=True)
    assert len(listed(open_)) == 3
    assert json.loads(files(open_)["manifest.json"])["reads"]["withheld"] == []


def test_a_changed_key_signs_for_the_reads_too(bureau, tmp_path):
    first = key_of(bureau)
    change_key(bureau.ledger, bureau.sealer, bureau.reads, Actor())
    list(bureau.runner.catch_up())
    settled(bureau)
    path = with_reads(bureau, tmp_path / "b.zip", complete=True)
    for key in (first, key_of(bureau)):
        assert len(listed(path, key=key)) == 2


def test_reads_under_another_key_are_no_evidence(bureau):
    stranger = public(bureau.sealer.seals.origin(), Ed25519PrivateKey.generate())
    with pytest.raises(Unprovable, match="seal first"):
        Packing(evident(bureau, cases=False), ["a"], stranger, whole=True)


def rows(held):
    raws, rest = [], held["reads.bin"]
    while rest:
        size = 4 + int.from_bytes(rest[:4])
        raws, rest = [*raws, rest[:size]], rest[size:]
    return raws


def altered_read(held):
    held["reads.bin"] = held["reads.bin"].replace("年度考核".encode(), "年度抽查".encode())


def cut_read(held):
    held["reads.bin"] = b"".join([*rows(held)[:1], *rows(held)[2:]])


def cut_end(held):
    held["reads.bin"] = b"".join(rows(held)[:-1])


def repeated_read(held):
    held["reads.bin"] += rows(held)[1]


def backdated(held):
    raws = rows(held)
    raws[2] = raws[2][:17] + bytes(8) + raws[2][25:]
    held["reads.bin"] = b"".join(raws)


def altered_leaf(held):
    held["reads-leaves.bin"] = bytes(32) + held["reads-leaves.bin"][32:]


def shorter(held):
    held["reads-leaves.bin"] = held["reads-leaves.bin"][:-32]


def another_head(held):
    lines = held["reads-head.note"].decode().split("\n")
    lines[1] = str(int(lines[1]) + 1)
    held["reads-head.note"] = "\n".join(lines).encode()


def one_less_in_the_list(held):
    [one] = json.loads(held["reads-lists.json"])
    held["reads-lists.json"] = orjson.dumps([one | {"persons": one["persons"][1:]}])


def no_list(held):
    held["reads-lists.json"] = b"{"


def withheld(held):
    manifest = json.loads(held["manifest.json"])
    manifest["reads"]["withheld"] = [2]
    held["manifest.json"] = orjson.dumps(manifest)
    cut_read(held)


def beyond(held):
    manifest = json.loads(held["manifest.json"])
    manifest["reads"]["withheld"] = [99]
    held["manifest.json"] = orjson.dumps(manifest)


def another_origin(held):
    manifest = json.loads(held["manifest.json"])
    manifest["reads"]["origin"] = manifest["origin"]
    held["manifest.json"] = orjson.dumps(manifest)


def said_to_be_complete(held):
    manifest = json.loads(held["manifest.json"])
    manifest["reads"]["complete"] = False
    held["manifest.json"] = orjson.dumps(manifest)


def without_the_reads(held):
    manifest = json.loads(held["manifest.json"])
    del manifest["reads"]
    held["manifest.json"] = orjson.dumps(manifest)


ALTERED = [
    (altered_read, Kind.ENTRY, "row 2 of the log of reads is not what was sealed"),
    (cut_read, Kind.MISSING, "row 2 of the log of reads is missing"),
    (cut_end, Kind.MISSING, "row 5 of the log of reads is missing"),
    (repeated_read, Kind.ENTRY, "row 2 of the log of reads is there twice or out of order"),
    (backdated, Kind.TIME, "row 3 of the log of reads was recorded before"),
    (altered_leaf, Kind.HEAD, "the root over all rows of the log of reads"),
    (shorter, Kind.HEAD, "the root over all rows of the log of reads"),
    (another_head, Kind.SIGNATURE, "the head of the log of reads bears no valid signature"),
    (one_less_in_the_list, Kind.DISCLOSED, "are not those of its digest"),
    (no_list, Kind.UNREADABLE, "the part log of reads cannot be read"),
    (withheld, Kind.SIGNATURE, "the manifest bears no valid signature"),
    (beyond, Kind.UNREADABLE, "the part log of reads cannot be read"),
    (another_origin, Kind.HEAD, "what is said to be the log of reads bears the ledger's name"),
    (said_to_be_complete, Kind.ENTRY, "row 1 of the log of reads is not what was sealed"),
    (without_the_reads, Kind.SIGNATURE, "the manifest bears no valid signature"),
]


def changed(whole, path, alter):
    held = files(whole)
    alter(held)
    return packed(path, held)


@pytest.mark.parametrize(("alter", "kind", "words"), ALTERED)
def test_whatever_is_altered_is_named(bureau, tmp_path, alter, kind, words):
    whole = with_reads(bureau, tmp_path / "whole.zip", complete=True)
    verdict = check(changed(whole, tmp_path / "c.zip", alter), Asked(key=key_of(bureau)))
    assert any(f.kind is kind and words in f.en for f in verdict.findings), verdict.findings


def an_earlier_head(bureau, held):
    """The reads as they were before the last ones: cut off, with their head and their leaves."""
    seals = bureau.reads.sealer.seals
    size = seals.heads(0, seals.last().size)[0].size - 1
    held["reads.bin"] = b"".join(rows(held)[:size])
    held["reads-leaves.bin"] = held["reads-leaves.bin"][: 32 * size]
    head = seals.last().head
    forged = head._replace(size=size, root=Frontier(size, seals.subtree()).root())
    note = Note(forged.text())
    key = bureau.sealer.key()
    held["reads-head.note"] = str(note.signed([signer(head.origin, key)])).encode()
    resigned(bureau, held)


def test_reads_cut_off_under_the_stolen_key_are_missed_by_the_entries(bureau, tmp_path):
    held = files(with_reads(bureau, tmp_path / "whole.zip", complete=True))
    an_earlier_head(bureau, held)
    path = packed(tmp_path / "cut.zip", held)
    verdict = check(path, Asked(key=key_of(bureau)))
    assert [f.kind for f in verdict.findings] == [Kind.WITNESS]
    assert "notes a head that the log of reads does not bear out" in verdict.findings[0].en


def test_a_row_that_notes_another_ledger_is_told(bureau, tmp_path):
    held = files(with_reads(bureau, tmp_path / "whole.zip", complete=True))
    entries = held["entries.bin"]
    assert kinds(packed(tmp_path / "same.zip", held)) == []
    first = 4 + int.from_bytes(entries[:4])
    altered = bytearray(entries)
    altered[first - 3] ^= 1
    held["entries.bin"] = bytes(altered)
    verdict = check(packed(tmp_path / "c.zip", held), Asked())
    assert any("notes a head that the entries do not bear out" in f.en for f in verdict.findings)


def test_a_witness_must_have_signed_the_head_of_the_reads_too(bureau, tmp_path):
    key = Ed25519PrivateKey.generate()
    by = cosigner("auditor/w", key, lambda: 1_700_000_000)
    vkey = str(public("auditor/w", key, COSIGNATURE))
    last = bureau.sealer.seals.last()
    bureau.sealer.seals.cosign(last.size, last.note.signed([by]).lines[-1])
    path = with_reads(bureau, tmp_path / "one.zip", complete=True)
    verdict = check(path, Asked(witness_keys=[vkey]))
    assert [f.en for f in verdict.findings] == [
        "the head of the log of reads bears no valid line of the witness auditor/w"
    ]
    last = bureau.reads.sealer.seals.last()
    bureau.reads.sealer.seals.cosign(last.size, last.note.signed([by]).lines[-1])
    green(with_reads(bureau, tmp_path / "both.zip", complete=True), witness_keys=[vkey])


@needs_chromium
def test_the_page_says_the_same_of_reads(bureau, tmp_path, browser, opened):
    whole = with_reads(bureau, tmp_path / "whole.zip", complete=True)
    own = with_reads(bureau, tmp_path / "own.zip")
    everybody = with_reads(bureau, tmp_path / "all.zip", persons=(), complete=True)
    for path in (whole, own, everybody):
        assert alike(browser, opened, path, key=key_of(bureau)) == 0
    stranger = str(public("auditor/w", Ed25519PrivateKey.generate(), COSIGNATURE))
    assert alike(browser, opened, whole, witness_keys=[stranger]) == 17
    few = (altered_read, another_head, one_less_in_the_list, no_list, another_origin)
    for bundle, alters in ((whole, [alter for alter, _, _ in ALTERED]), (own, few)):
        for alter in alters:
            path = changed(bundle, tmp_path / f"{alter.__name__}.zip", alter)
            assert alike(browser, opened, path, key=key_of(bureau)) > 0, alter.__name__
    held = files(whole)
    an_earlier_head(bureau, held)
    path = packed(tmp_path / "cut.zip", held)
    assert alike(browser, opened, path, key=key_of(bureau)) == int(Kind.WITNESS)


@needs_chromium
def test_whatever_byte_of_the_reads_is_changed_both_say_the_same(bureau, tmp_path, browser, opened):
    whole = with_reads(bureau, tmp_path / "whole.zip", complete=True)
    raw, drawn, codes = whole.read_bytes(), random.Random(7), set()
    with zipfile.ZipFile(whole) as held:
        places = [i for i in held.infolist() if i.filename.startswith("reads")]
    for n in range(8 * len(places)):
        place = places[n % len(places)]
        spoilt = bytearray(raw)
        start = place.header_offset + 30 + len(place.filename)
        spoilt[drawn.randrange(start, start + max(place.file_size, 1))] ^= 1 << drawn.randrange(8)
        path = tmp_path / "spoilt.zip"
        path.write_bytes(spoilt)
        codes.add(alike(browser, opened, path))
    assert codes - {0}
