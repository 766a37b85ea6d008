"""What a stolen key, or whoever hands a bundle over, may try: each is refused, in both checkers."""

import json
import subprocess
import sys
from base64 import b64decode, b64encode

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from api import answers
from api.cli.main import app
from api.exports import vocabulary
from domain.acts.movement import AuxiliaryTransferred
from domain.acts.people import PersonDetailsChanged
from domain.acts.reviews import ReviewConcluded
from domain.acts.seals import SealKeyChanged
from domain.acts.units import UnitEstablished
from domain.bitemporal import AsOf
from domain.events import FactAnnulled
from domain.ledger import Request
from domain.notes import Note, public, signer
from domain.refusals import UnknownSubject
from replay.check import _Check, check
from replay.evidence import Wanted, checker, export, page, worded
from replay.findings import Asked, Kind
from replay.replayed import Replays
from tests.given import act
from tests.histories import History, sample_steps
from tests.replay.bundles import (
    DAY,
    LATER,
    enter,
    exported,
    files,
    green,
    key_of,
    kinds,
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


# answers


def extra_key(answer):
    answer["data"]["commended"] = True


def extra_stated(answer):
    answer["as_of"]["until"] = "2030-01-01"


def extra_beside(answer):
    answer["certified"] = "yes"


def altered_name(answer):
    answer["data"]["people"]["a"]["name"] = "某人"


def altered_ended(answer):
    answer["data"]["ended"] = [{"facet": "post"}]


def altered_lapse(answer):
    answer["data"]["lapsed"] = [{"facet": "supervising-officer"}]


def invented_review(answer):
    answer["data"]["reviews"] = [{"review": "x", "state": "open"}]


def renamed(answer):
    answer["data"]["same_as"] = "b"


ANSWERS = [
    (extra_key, "/commended"), (extra_stated, "/as_of/until"), (extra_beside, "/certified"),
    (altered_name, "/people/a/name"), (altered_ended, "/ended"), (invented_review, "/reviews"),
    (altered_lapse, "/lapsed"), (renamed, "/same_as"),
]  # fmt: skip


@pytest.fixture
def answered(evident, tmp_path):
    """A bundle, the record of a as the ledger answers it, and where it lies."""
    path = tmp_path / "answer.json"
    answer = orjson.loads(answers.to_bytes(answers.record(evident, "a", answers.When(LATER))))
    return exported(evident, tmp_path / "b.zip", complete=True), answer, path


def twice(answer):
    """The same name twice: the second is what most readers take, the first what the eye sees."""
    raw = orjson.dumps(answer)
    return raw.replace(b'"spells":', b'"spells":[],"spells":', 1)


def test_nothing_is_added_to_an_answer(evident, answered, tmp_path):
    bundle, answer, path = answered
    path.write_bytes(orjson.dumps(answer))
    [said] = [en for en in said_in(bundle, path) if en.startswith("the report given")]
    assert said.endswith("is what the entries give")
    case = exported(evident, tmp_path / "case.zip")
    [said] = [en for en in said_in(case, path) if en.startswith("the report given")]
    assert said.endswith("; not compared: lapsed")
    for alter, place in ANSWERS:
        altered = orjson.loads(orjson.dumps(answer))
        alter(altered)
        path.write_bytes(orjson.dumps(altered))
        told = said_by(bundle, report=path)
        assert told == [(Kind.REPORT, f"the report given is not what the entries give, at {place}")]
    path.write_bytes(twice(answer))
    [(kind, _)] = said_by(bundle, report=path)
    assert kind is Kind.UNREADABLE


def said_in(bundle, path):
    return [en for _, en in green(bundle, report=path).said]


@needs_chromium
def test_the_page_finds_the_same_in_answers(answered, browser, opened):
    bundle, answer, path = answered
    path.write_bytes(orjson.dumps(answer))
    assert alike(browser, opened, bundle, report=path) == 0
    for alter, _ in ANSWERS:
        altered = orjson.loads(orjson.dumps(answer))
        alter(altered)
        path.write_bytes(orjson.dumps(altered))
        assert alike(browser, opened, bundle, report=path) == int(Kind.REPORT), alter.__name__
    path.write_bytes(twice(answer))
    assert alike(browser, opened, bundle, report=path) == int(Kind.UNREADABLE)


@pytest.fixture
def reviewed(evident, tmp_path):
    """The unit that b moved to is undone; the move is reviewed. The ledger's answer of b."""
    bureau, today = evident, evident.ledger.today()
    made, moved = enter(
        bureau,
        act(UnitEstablished(unit="u2", name="二所"), DAY),
        act(AuxiliaryTransferred(person="b", unit="u2"), LATER),
    )
    acknowledged = bureau.ledger.acknowledge(moved.position, "x")
    bureau.ledger.enter(Request([act(FactAnnulled(), annuls=made.event_id), acknowledged]))
    concluded = ReviewConcluded(review=str(moved.event_id), outcome="confirmed", authority="x")
    enter(bureau, act(concluded, today))
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())
    path = tmp_path / "answer.json"
    path.write_bytes(answers.to_bytes(answers.record(bureau, "b", answers.When(today))))
    return bureau, path


def test_the_reviews_of_an_answer_are_those_of_the_entries(reviewed, tmp_path):
    bureau, path = reviewed
    whole = exported(bureau, tmp_path / "w.zip", persons=["b"], complete=True)
    case = exported(bureau, tmp_path / "c.zip", persons=["b"])
    green(whole, report=path)
    assert kinds(case, report=path) == [Kind.UNPROVED]
    answer = json.loads(path.read_bytes())
    [review] = answer["data"]["reviews"]
    review["outcome"] = "annulled"
    path.write_bytes(orjson.dumps(answer))
    [(_, en)] = said_by(whole, report=path)
    assert en.endswith("at /reviews/0/outcome")
    answer["data"]["reviews"] = []
    path.write_bytes(orjson.dumps(answer))
    [(_, en)] = said_by(whole, report=path)
    assert en.endswith("at /reviews")


@needs_chromium
def test_the_page_finds_the_same_in_reviews(reviewed, tmp_path, browser, opened):
    bureau, path = reviewed
    whole = exported(bureau, tmp_path / "w.zip", persons=["b"], complete=True)
    case = exported(bureau, tmp_path / "c.zip", persons=["b"])
    assert alike(browser, opened, whole, report=path) == 0
    assert alike(browser, opened, case, report=path) == int(Kind.UNPROVED)
    path.write_bytes(path.read_bytes().replace(b'"outcome":"confirmed"', b'"outcome":"amended"'))
    assert alike(browser, opened, whole, report=path) == int(Kind.REPORT)


def test_every_answer_of_random_histories_is_what_the_entries_give(common_bureau, tmp_path):
    """No true answer is called false: whoever is merged, rehired, under review."""
    bureau = common_bureau
    bureau.sealer.key_file = tmp_path / "seal.key"
    histories = [History(bureau.ledger).play(sample_steps(seed, 60)) for seed in range(3)]
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())
    path, head = tmp_path / "b.zip", bureau.ledger.log.head()
    wanted = Wanted(AsOf(DAY, head), disclose=frozenset({"identity", "contact"}))
    export(bureau.ledger, bureau.records, bureau.sealer, wanted, path)
    checked = _Check(path, Asked())
    checked.entries()
    checked.disclosed()
    replays = Replays(checked, checked.bundle, checked.times, checked._open)
    tags = {tag for entry in bureau.ledger.entries() for tag in entry.tags}
    days = sorted({day for history in histories for day in history.days()})
    seen, held = 0, set()
    for person in sorted(tag[7:] for tag in tags if tag.startswith("person:")):
        for day in days[::5]:
            for at in (head // 2, head):
                try:
                    answer = answers.record(bureau, person, answers.When(day, at))
                except UnknownSubject:
                    continue
                told = orjson.loads(answers.to_bytes(answer))
                replays.compare(told, "x", "x", whole=True)
                held |= {name for name, value in told["data"].items() if value}
                seen += 1
    assert [f.en for f in checked.findings] == []
    assert seen > 50
    assert held >= {"ended", "people", "aliases", "same_as"}


# declarations


@pytest.fixture
def redeclared(evident, tmp_path):
    """A bundle of whoever has the key, by which a reward writes nothing."""
    held = files(exported(evident, tmp_path / "b.zip", complete=True, persons=()))
    book = json.loads(held["codebook.json"])
    book["types"]["RewardGranted"]["writes"] = []
    held["codebook.json"] = orjson.dumps(book)
    resigned(evident, held)
    return packed(tmp_path / "c.zip", held)


def test_a_bundle_does_not_say_what_its_entries_mean(evident, redeclared, tmp_path):
    (tmp_path / "check.py").write_bytes(checker())
    true = exported(evident, tmp_path / "t.zip", complete=True)
    for path, code in ((true, 0), (redeclared, int(Kind.UNPROVED))):
        ran = subprocess.run(
            [sys.executable, "-I", "check.py", path],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == code, ran.stderr
    assert "the declarations in the bundle are not those of this checker" in ran.stderr
    assert "事项声明" in ran.stderr


def test_nor_to_the_installed_checker(evident, redeclared, tmp_path):
    true = exported(evident, tmp_path / "t.zip", complete=True)
    for path, code in ((true, 0), (redeclared, int(Kind.UNPROVED))):
        assert CliRunner().invoke(app, ["evidence", "check", str(path)]).exit_code == code


@needs_chromium
def test_nor_to_the_page(redeclared, browser, opened):
    assert alike(browser, opened, redeclared) == int(Kind.UNPROVED)


@pytest.fixture
def reworded(evident, tmp_path):
    """A bundle of whoever has the key, by which one grade is called as another."""
    held = files(exported(evident, tmp_path / "b.zip", complete=True, words=vocabulary()))
    words = json.loads(held["words.json"])
    grades = words["codes"]["grade"]
    low, high, *_ = sorted(grades)
    grades[low] = grades[high]
    held["words.json"] = orjson.dumps(words)
    resigned(evident, held)
    return packed(tmp_path / "c.zip", held)


def test_nor_what_its_codes_are_called(evident, reworded, tmp_path):
    (tmp_path / "check.py").write_bytes(checker(vocabulary()))
    true = exported(evident, tmp_path / "t.zip", complete=True, words=vocabulary())
    assert files(true)["check.py"] == checker(vocabulary())
    wordless = exported(evident, tmp_path / "w.zip", complete=True)
    for path, code in ((true, 0), (wordless, 0), (reworded, int(Kind.UNPROVED))):
        ran = subprocess.run(
            [sys.executable, "-I", "check.py", path],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == code, ran.stderr
        assert CliRunner().invoke(app, ["evidence", "check", str(path)]).exit_code == code
    assert "the words of reports in the bundle are not those of this checker" in ran.stderr


@needs_chromium
def test_nor_to_the_page_what_they_are_called(evident, reworded, browser, tmp_path):
    (opened := tmp_path / "check.html").write_bytes(page(vocabulary()))
    true = exported(evident, tmp_path / "t.zip", complete=True, words=vocabulary())
    asked = {"worded": worded(vocabulary())}
    assert alike(browser, opened, true, **asked) == 0
    assert alike(browser, opened, reworded, **asked) == int(Kind.UNPROVED)
