"""check.html, opened from a disk in Chromium, says what check.py says, code by code."""

import json
import random
import zipfile
from base64 import b64decode, b64encode
from hashlib import sha256

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.answers import When, record
from api.stamping import Stamping
from domain.bitemporal import AsOf
from domain.events import Actor
from domain.ledger.rotation import change_key
from domain.notes import COSIGNATURE, public
from replay.check import check
from replay.evidence import Wanted, declared, export, page
from replay.findings import Asked, Kind
from tests.histories import History, sample_steps
from tests.replay.browser import CHROMIUM
from tests.replay.bundles import (
    ALTERED,
    DAY,
    exported,
    files,
    key_of,
    packed,
)
from tests.replay.test_evidence import FRAMES
from tests.sealing.authority import OPENSSL, LocalAuthority
from tests.vendor import FOLDER, LIBRARIES

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)"
)


STRANGER = str(public("auditor/w", Ed25519PrivateKey.generate(), COSIGNATURE))


@pytest.fixture
def bureau(evident):
    return evident


SHOWN = """JSON.stringify([...document.querySelectorAll('#verdict li')].map(
    one => [one.querySelector('.zh').textContent, one.querySelector('.en').textContent]))"""
FILES = {"kept": "kept", "receipts": "receipts", "stamps": "stamps", "report": "report"}
TEXTS = {"key": "key", "replay": "replay", "effective": "effective", "recorded": "recorded"}


def told(browser, opened, path, *, dropped=False, **asked):
    """What the page shows: the code, the sentences, the record replayed."""
    browser.open(opened)
    if dropped:
        browser.drop(path)
    else:
        browser.put_files("bundle", path)
    for name in FILES.keys() & asked.keys():
        given = asked[name]
        browser.put_files(name, *(given if isinstance(given, list) else [given]))
    texts = {name: str(asked[name]) for name in TEXTS.keys() & asked.keys()}
    texts["witness"] = "\n".join(asked.get("witness_keys", []))
    for name, value in texts.items():
        browser.run(f"document.getElementById('{name}').value = {json.dumps(value)}")
    browser.until("!document.getElementById('run').disabled")
    browser.run("document.getElementById('run').click()")
    browser.until("document.getElementById('verdict').dataset.code !== undefined")
    code = browser.run("document.getElementById('verdict').dataset.code")
    replayed = browser.run("(document.querySelector('.replayed') || {}).textContent")
    rows = browser.run("document.querySelectorAll('#verdict table tr').length")
    return int(code), json.loads(browser.run(SHOWN)), replayed and json.loads(replayed), rows


def expected(path, **asked):
    verdict = check(path, Asked(declared=declared(), **asked))
    shown = [[f"✗ {f.zh}。", f"{f.en}. [{int(f.kind)}]"] for f in verdict.findings]
    shown = shown or [[f"· {zh}。", f"{en}."] for zh, en in verdict.said]
    replayed = verdict.replayed and json.loads(json.dumps(verdict.replayed))
    return verdict.exit_code, shown, replayed, len(verdict.remarks), len(verdict.reads)


def alike(browser, opened, path, **asked):
    """The page and the checker agree; answers the code."""
    code, shown, replayed, rows = told(browser, opened, path, **asked)
    wanted = expected(path, **asked)
    assert (code, shown, replayed) == wanted[:3]
    if any(wanted[3:]):
        assert rows == 4 + sum(many + 1 for many in wanted[3:] if many)  # four facts; headings
    return code


def test_its_libraries_are_the_pinned_ones():
    for library in LIBRARIES:
        held = (FOLDER / library.target).read_bytes()
        header = library.header().encode()
        assert held.startswith(header)
        assert sha256(held[len(header) :]).hexdigest() == library.digest


@needs_chromium
@pytest.mark.parametrize("framed", [bytes, *FRAMES])
def test_it_says_the_same_of_the_frame_of_a_bundle(bureau, tmp_path, browser, opened, framed):
    path = exported(bureau, tmp_path / "b.zip")
    path.write_bytes(framed(path.read_bytes()))
    assert alike(browser, opened, path) == (0 if framed is bytes else Kind.FILE)


def test_it_is_one_file_that_may_open_no_connection(bureau, tmp_path):
    held = page().decode()
    assert "default-src 'none'" in held
    assert "src=" not in held.split("<body>")[1]
    assert "://" not in "".join(
        line for line in held.splitlines() if not line.strip().startswith(("//", "*"))
    )
    assert files(exported(bureau, tmp_path / "b.zip"))["check.html"] == page()


@needs_chromium
@pytest.mark.parametrize("complete", [True, False])
def test_a_good_bundle_is_green_with_all_that_can_be_asked(
    bureau, tmp_path, browser, opened, complete
):
    kept, receipt, answer = (tmp_path / name for name in ("kept", "receipt", "answer.json"))
    first = bureau.sealer.seals.covering(1)
    kept.write_text(str(first.note))
    receipt.write_text(str(bureau.sealer.receipt(6, 7)))
    path = exported(bureau, tmp_path / "b.zip", complete=complete, old=[first.size])
    answer.write_bytes(orjson.dumps(record(bureau, "a", When(DAY, 7))))
    asked = {
        "key": key_of(bureau), "kept": [kept], "receipts": [receipt], "report": answer,
        "replay": "a", "effective": DAY.isoformat(), "recorded": 9,
    }  # fmt: skip
    assert alike(browser, opened, path, **asked) == 0
    assert alike(browser, opened, path) == 0
    assert alike(browser, opened, path, witness_keys=[STRANGER]) == 17
    assert alike(browser, opened, path, replay="nobody") == (0 if complete else 24)
    receipt.write_text(receipt.read_text().replace("\n7 ", "\n6 "))
    assert alike(browser, opened, path, receipts=[receipt]) == 20
    kept.write_text(str(first.note).replace("\n5\n", "\n4\n"))
    assert alike(browser, opened, path, kept=[kept]) == (17 if complete else 24)
    assert all(one.startswith(("file:", "blob:")) for one in browser.asked)


@needs_chromium
def test_a_bundle_is_dropped_on_it(bureau, tmp_path, browser, opened):
    path = exported(bureau, tmp_path / "b.zip")
    assert told(browser, opened, path, dropped=True)[:3] == expected(path)[:3]


@needs_chromium
def test_changed_keys_and_wrong_keys_are_told_alike(bureau, tmp_path, browser, opened):
    first = key_of(bureau)
    change_key(bureau.ledger, bureau.sealer, bureau.reads, Actor())
    list(bureau.runner.catch_up())
    path = exported(bureau, tmp_path / "b.zip", complete=True)
    for key in (first, key_of(bureau)):
        assert alike(browser, opened, path, key=key) == 0
    assert alike(browser, opened, path, key=first.replace("A", "B")) == 16
    assert alike(browser, opened, path, key="no key") == 16


@needs_chromium
def test_whatever_was_altered_is_told_in_the_same_words(bureau, tmp_path, browser, opened):
    whole = exported(bureau, tmp_path / "b.zip", complete=True)
    for alter, kind, _ in ALTERED:
        held = files(whole)
        alter(held)
        path = packed(tmp_path / f"{alter.__name__}.zip", held)
        assert alike(browser, opened, path) == int(kind), alter.__name__
    nothing = tmp_path / "nothing.zip"
    nothing.write_bytes(b"PK")
    assert alike(browser, opened, nothing) == 25


@needs_chromium
def test_whatever_byte_is_changed_both_say_the_same(bureau, tmp_path, browser, opened):
    path = exported(bureau, tmp_path / "b.zip", complete=True)
    original = path.read_bytes()
    with zipfile.ZipFile(path) as held:  # each file alike, and the directory after them
        starts = [*(info.header_offset for info in held.infolist()), held.start_dir]
    drawn = random.Random(11)
    codes = set()
    for n in range(5 * len(starts)):
        raw = bytearray(original)
        low, high = [*starts, len(raw)][n % len(starts) :][:2]
        raw[drawn.randrange(low, high)] ^= 1 << drawn.randrange(8)
        path.write_bytes(raw)
        codes.add(alike(browser, opened, path))
    assert len(codes) > 4


@needs_chromium
@pytest.mark.skipif(OPENSSL is None, reason="the openssl command is not installed")
@pytest.mark.parametrize("curve", [False, True])
def test_time_stamps_are_checked_alike(bureau, tmp_path, browser, opened, curve):
    local, other = (LocalAuthority(tmp_path / name, curve=curve) for name in ("one", "two"))
    with local.served() as url:
        Stamping(bureau.sealer, url, local.roots).ask()
    whole = exported(bureau, tmp_path / "b.zip")
    for roots in (local.roots, local.own):
        assert alike(browser, opened, whole, stamps=roots) == 0
    assert alike(browser, opened, whole) == 0
    assert alike(browser, opened, whole, stamps=other.roots) == 26
    assert alike(browser, opened, whole, stamps=tmp_path / "one" / "serial") == 25
    held = files(whole)
    [stamp] = json.loads(held["stamps.json"])
    raw, drawn, codes = b64decode(stamp["response"]), random.Random(5), set()
    for _ in range(25):
        spoilt = bytearray(raw)
        spoilt[drawn.randrange(len(raw))] ^= 1 << drawn.randrange(8)
        changed = [stamp | {"response": b64encode(spoilt).decode()}]
        held["stamps.json"] = orjson.dumps(changed)
        path = packed(tmp_path / "c.zip", held)
        codes.add(alike(browser, opened, path, stamps=local.roots))
    assert codes == {23}  # the manifest; in the sentences the stamps too
    stamp["note"] = stamp["note"].replace("\n10\n", "\n9\n")
    held["stamps.json"] = orjson.dumps([stamp])
    path = packed(tmp_path / "c.zip", held)
    assert alike(browser, opened, path, stamps=local.roots) == 23


RECORDS = """
contents(document.getElementById('bundle').files[0]).then((raw) => {
  const one = new Check(raw, {});
  return JSON.stringify(%s.map(([who, day, at]) => one.record(who, day, at)));
})
"""


@needs_chromium
def test_random_histories_are_replayed_alike(common_bureau, tmp_path, browser, opened):
    bureau = common_bureau
    bureau.sealer.key_file = tmp_path / "seal.key"
    histories = [History(bureau.ledger).play(sample_steps(seed, 60)) for seed in range(3)]
    bureau.sealer.catch_up()
    path, head = tmp_path / "b.zip", bureau.ledger.log.head()
    export(bureau.ledger, bureau.records, bureau.sealer, Wanted(AsOf(DAY, head)), path)
    tags = {tag for entry in bureau.ledger.entries() for tag in entry.tags}
    people = sorted(tag[7:] for tag in tags if tag.startswith("person:"))
    days = sorted({day.isoformat() for history in histories for day in history.days()})
    asked = [(p, d, at) for p in people for d in days[::2] for at in (head // 2, head)]
    browser.open(opened)
    browser.put_files("bundle", path)
    mine = json.loads(browser.run(RECORDS % json.dumps(asked)))
    seen = 0
    for (person, day, at), answer in zip(asked, mine, strict=True):
        replayed = check(path, Asked(replay=person, effective=day, recorded=at)).replayed
        assert answer == json.loads(json.dumps(replayed)), (person, day, at)
        seen += answer is not None
    assert seen > 100
