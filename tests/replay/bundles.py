"""Bundles as tests make, take apart and alter them."""

import json
import zipfile
from datetime import date
from hashlib import sha256

import orjson

from api import answers
from api.looked import evident
from api.times import When
from domain.bitemporal import AsOf
from domain.ledger import Request
from domain.ledger.reads import FEW
from domain.notes import Note, public, signer
from replay.check import check
from replay.evidence import Wanted, export
from replay.findings import Asked, Kind
from replay.offline import entry_of

DAY, LATER = date(2022, 3, 1), date(2023, 3, 1)
NAME = "王小明"
MANY = [f"m{n:02}" for n in range(FEW + 2)]
"""So many that a list of them names nobody."""


def enter(bureau, *proposals):
    return bureau.ledger.enter(Request(proposals, mood="attested")).entries


def exported(bureau, path, *, recorded=None, **wanted):
    pair = AsOf(LATER, recorded or bureau.ledger.log.head())
    wanted = {"persons": ["a"], "complete": False, "disclose": frozenset({"identity"})} | wanted
    export(bureau.ledger, bureau.records, bureau.sealer, Wanted(pair, **wanted), path)
    return path


def key_of(bureau):
    return str(public(bureau.sealer.seals.origin(), bureau.sealer.key()))


def files(path):
    with zipfile.ZipFile(path) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def packed(path, held):
    with zipfile.ZipFile(path, "w") as bundle:
        for name, content in held.items():
            bundle.writestr(name, content)
    return path


def entries(held):
    raws, rest = [], held["entries.bin"]
    while rest:
        size = 4 + int.from_bytes(rest[:4])
        raws.append(rest[:size])
        rest = rest[size:]
    return raws


def green(path, **asked):
    verdict = check(path, Asked(**asked))
    assert verdict.findings == []
    return verdict


def kinds(path, **asked):
    return [finding.kind for finding in check(path, Asked(**asked)).findings]


def altered_entry(held):
    raws = entries(held)
    raws[2] = raws[2][:-3] + bytes([raws[2][-3] ^ 1]) + raws[2][-2:]
    held["entries.bin"] = b"".join(raws)


def altered_time(held):
    raws = entries(held)
    raws[2] = raws[2][:17] + bytes(8) + raws[2][25:]
    held["entries.bin"] = b"".join(raws)


def missing_entry(held):
    raws = entries(held)
    held["entries.bin"] = b"".join([*raws[:2], *raws[3:]])


def repeated_entry(held):
    held["entries.bin"] += entries(held)[2]


def missing_last(held):
    held["entries.bin"] = b"".join(entries(held)[:-1])


def altered_leaf_too(held):
    altered_entry(held)
    leaf = entry_of(entries(held)[2][4:]).leaf
    held["leaves.bin"] = held["leaves.bin"][:64] + leaf + held["leaves.bin"][96:]


def another_head(held):
    lines = held["head.note"].decode().split("\n")
    lines[1] = str(int(lines[1]) + 1)
    held["head.note"] = "\n".join(lines).encode()


def swapped_salt(held):
    one, two = (json.loads(held["disclosed.json"]))[:2]
    one["salt"], two["salt"] = two["salt"], one["salt"]
    held["disclosed.json"] = orjson.dumps([one, two])


def altered_value(held):
    shown = json.loads(held["disclosed.json"])
    shown[0]["value"] = '"某人"'
    held["disclosed.json"] = orjson.dumps(shown)


def altered_report(held):
    report = json.loads(held["report.json"])
    report["data"]["facets"][0]["state"] = "none"
    held["report.json"] = orjson.dumps(report)


def altered_codebook(held):
    held["codebook.json"] = held["codebook.json"].replace(b'"zh":"', b'"zh":"X', 1)


def removed_file(held):
    del held["disclosed.json"]


def extra_file(held):
    held["more.txt"] = b""


def nonsense(held):
    held["proofs.json"] = b"[1"


ALTERED = [
    (altered_entry, Kind.ENTRY, "entry 3 is not what was sealed"),
    (altered_time, Kind.ENTRY, "entry 3 is not what was sealed"),
    (missing_entry, Kind.MISSING, "entry 3 is missing"),
    (missing_last, Kind.MISSING, "entry 10 is missing"),
    (repeated_entry, Kind.ENTRY, "entry 3 is there twice or out of order"),
    (altered_leaf_too, Kind.HEAD, "altered together with its hash"),
    (another_head, Kind.HEAD, "not that of the head"),
    (swapped_salt, Kind.DISCLOSED, "is not what was committed to"),
    (altered_value, Kind.DISCLOSED, "is not what was committed to"),
    (altered_report, Kind.REPORT, "the report in the bundle is not what the entries give"),
    (altered_codebook, Kind.FILE, "codebook.json is not what the manifest names"),
    (removed_file, Kind.FILE, "the file disclosed.json is missing or extra"),
    (extra_file, Kind.FILE, "the file more.txt is missing or extra"),
    (nonsense, Kind.FILE, "the file proofs.json is not what the manifest names"),
]


def digest(content):
    return sha256(content).hexdigest()


def ask(bureau, question, *about, purpose="核对", case=None):
    asking = bureau.read_by(bureau.reader.stating(purpose, case))
    getattr(answers, question)(asking, *about, when=When(date(2024, 1, 1)))


def settled(bureau):
    bureau.sealer.catch_up()
    bureau.reads.sealer.catch_up()
    bureau.pinning.pin()
    bureau.reads.sealer.catch_up()
    list(bureau.runner.catch_up())


def with_reads(bureau, path, *, cases=False, **wanted):
    return exported(bureau, path, looks=evident(bureau, cases=cases), cases=cases, **wanted)


def said(path, **asked):
    return " ".join(en for _, en in green(path, **asked).said)


def resigned(bureau, held):
    """As whoever has the ledger's key would do it: the manifest fits and is signed."""
    manifest = json.loads(held["manifest.json"])
    for name in manifest["files"]:
        manifest["files"][name] = {"sha256": digest(held[name])}
    held["manifest.json"] = orjson.dumps(manifest)
    origin = manifest["origin"]
    text = f"{origin} evidence\n{digest(held['manifest.json'])}\n"
    note = Note(text)
    held["manifest.note"] = str(note.signed([signer(origin, bureau.sealer.key())])).encode()
