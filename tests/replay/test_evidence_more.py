"""What a bundle holds beyond a record: time stamps, a case, what an auditor looks at first."""

import json
import re
from collections import Counter
from datetime import timedelta

import orjson
import pytest

from api.stamping import Stamping
from domain.acts.movement import AuxiliaryTransferred
from domain.acts.packs import PackPublished
from domain.acts.people import PersonDetailsChanged, PersonRegistered
from domain.acts.reviews import ReviewConcluded
from domain.acts.rewards import RewardGranted
from domain.acts.units import UnitEstablished
from domain.events import Document, FactAnnulled
from domain.law import load_packs
from domain.ledger import Request
from domain.notes import Note, signer
from replay.check import check
from replay.evidence import Unprovable, checker
from replay.findings import Asked, Kind
from tests.given import act
from tests.replay.bundles import (
    DAY,
    LATER,
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
from tests.sealing.authority import OPENSSL, LocalAuthority
from tests.sealing.test_tampering import tamper

needs_openssl = pytest.mark.skipif(
    OPENSSL is None, reason="the openssl command is not installed (Debian: apt-get install openssl)"
)


BOTH = pytest.mark.parametrize("complete", [True, False])


@pytest.fixture
def bureau(evident):
    return evident


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    return LocalAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def timed(bureau, local, monkeypatch):
    """The same ledger, whose last head and one more are stamped."""
    monkeypatch.setattr("api.stamping.EVERY_SECONDS", 0)
    with local.served() as url:
        asking = Stamping(bureau.sealer, url, local.roots)
        asking.ask()
        enter(bureau, act(RewardGranted(person="a", kind="merit"), LATER))
        bureau.sealer.catch_up()
        asking.ask()
    enter(bureau, act(RewardGranted(person="b", kind="merit"), LATER))
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())
    return bureau


# time


@needs_openssl
@BOTH
def test_time_stamps_are_carried_and_checked(timed, tmp_path, local, complete):
    path = exported(timed, tmp_path / "b.zip", complete=complete)
    held = json.loads(files(path)["stamps.json"])
    assert [one["note"].split("\n")[1] for one in held] == ["10", "11"]
    assert "2 time stamps are valid" in str(green(path, stamps=local.roots).said)
    assert "whose they are is not proved" in str(green(path).said)
    early = exported(timed, tmp_path / "c.zip", recorded=9, complete=complete)
    assert len(json.loads(files(early)["stamps.json"])) == 1
    green(early, stamps=local.roots)


@needs_openssl
def test_a_stamp_of_another_authority_or_head_is_no_stamp(timed, tmp_path, local):
    path = exported(timed, tmp_path / "b.zip")
    other = LocalAuthority(tmp_path / "other")
    assert kinds(path, stamps=other.roots) == [Kind.STAMP, Kind.STAMP]
    held = files(path)
    one, two = json.loads(held["stamps.json"])
    one["response"], two["response"] = two["response"], one["response"]
    held["stamps.json"] = orjson.dumps([one, two])
    found = kinds(packed(tmp_path / "c.zip", held), stamps=local.roots)
    assert found == [Kind.FILE, Kind.STAMP, Kind.STAMP]


@needs_openssl
@pytest.mark.parametrize("backdated", [False, True])
def test_what_contradicts_the_authoritys_clock_is_named(
    bureau, database, tmp_path, local, backdated
):
    """The thief of the key invents times and seals them; an authority's clock knows better."""
    moved = "UPDATE ledger_entries SET recorded_at = recorded_at + interval '{}' WHERE position {}"
    unsealed = ("DELETE FROM ledger_seal_tiles", "DELETE FROM ledger_seal_heads")
    if backdated:
        tamper(database, moved.format("-40 minutes", "< 11"), *unsealed)
        bureau.sealer.catch_up()
        with local.served() as url:
            Stamping(bureau.sealer, url, local.roots).ask()
    enter(bureau, act(RewardGranted(person="a", kind="merit"), LATER))
    tamper(database, moved.format("-20 minutes" if backdated else "20 minutes", "= 11"))
    bureau.sealer.catch_up()
    if not backdated:
        with local.served() as url:
            Stamping(bureau.sealer, url, local.roots).ask()
    list(bureau.runner.catch_up())
    [finding] = check(exported(bureau, tmp_path / "b.zip", complete=True), Asked()).findings
    assert finding.kind == Kind.TIME
    assert "when entry 11 was recorded contradicts the time stamp" in finding.en


@needs_openssl
def test_who_asks_for_a_stamp_where_none_is_is_told_so(bureau, tmp_path, local):
    path = exported(bureau, tmp_path / "b.zip")
    assert kinds(path, stamps=local.roots) == [Kind.UNPROVED]


# a case


def test_a_case_is_persons_entries_and_documents(bureau, tmp_path):
    document = Document(number="某公奖〔2023〕7号")
    proposals = [act(RewardGranted(person=p, kind="merit"), LATER) for p in "ab"]
    bureau.ledger.enter(Request(proposals, mood="attested", document=document))
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())

    def held(**wanted):
        path = exported(bureau, tmp_path / "b.zip", **wanted)
        green(path, key=key_of(bureau))
        return [int.from_bytes(raw[9:17]) for raw in entries(files(path))], path

    positions, path = held(persons=[], entries=[3])
    assert positions == [3]
    assert "report.json" not in files(path)
    assert {one["position"] for one in json.loads(files(path)["disclosed.json"])} == {3}
    assert held(persons=[], documents=[document.number])[0] == [11, 12]
    positions, path = held(persons=["a", "b"], entries=[1])
    assert positions == list(range(1, 13))
    assert {"report.json", "report-2.json"} <= files(path).keys()
    assert "the report 2 in the bundle (b" in str(green(path, replay="b").said)
    shown = files(path)
    report = json.loads(shown["report-2.json"])
    report["data"]["spells"] = []
    shown["report-2.json"] = orjson.dumps(report)
    assert kinds(packed(path, shown)) == [Kind.REPORT, Kind.FILE]
    with pytest.raises(Unprovable, match="no such entry"):
        held(persons=[], entries=[99])
    with pytest.raises(Unprovable, match="no entry is under the document"):
        held(persons=[], documents=["无"])


# what an auditor looks at first


def test_what_was_corrected_late_or_ahead_is_listed(bureau, tmp_path):
    [one] = enter(bureau, act(PersonDetailsChanged(person="b", name="李五"), LATER))
    again = PersonDetailsChanged(person="b", name="李六")
    enter(bureau, act(again, LATER, supersedes=one.event_id))
    ahead = bureau.ledger.today() + timedelta(days=3)
    enter(bureau, act(RewardGranted(person="b", kind="merit"), ahead))
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())
    verdict = green(exported(bureau, tmp_path / "b.zip", complete=True))
    by = {row["position"]: row for row in verdict.remarks}
    assert by[8]["remarks"] == ["annulled", "late"]
    assert by[12]["remarks"] == ["corrected", "late"]
    assert by[13]["remarks"] == ["ahead"]
    assert by[13]["days"] == -3
    assert by[12]["tags"] == [f"fact:{one.event_id}", "person:b"]
    assert by[13]["actor"]["role"] == "clerk"
    counts = Counter(name for row in verdict.remarks for name in row["remarks"])
    assert f"corrections: 1, annulments: 1, entered more than 30 days late: {counts['late']}" in (
        str(verdict.said)
    )


def test_they_are_counted_by_unit_actor_and_lag(bureau, tmp_path):
    """One person moves; the lateness of what is entered counts where they served on its day."""
    made, moved = enter(
        bureau,
        act(UnitEstablished(unit="u2", name="二所"), DAY),
        act(AuxiliaryTransferred(person="b", unit="u2"), LATER),
    )
    _, one = enter(
        bureau,
        act(PersonRegistered(person="z"), DAY),
        act(RewardGranted(person="b", kind="merit"), LATER),
    )
    today = bureau.ledger.today()
    enter(bureau, act(RewardGranted(person="b", kind="merit"), today - timedelta(days=60)))
    enter(bureau, act(RewardGranted(person="b", kind="merit"), today + timedelta(days=3)))
    enter(bureau, act(FactAnnulled(), annuls=one.event_id))
    undone = act(FactAnnulled(), annuls=made.event_id)
    acknowledged = bureau.ledger.acknowledge(moved.position, "x")
    bureau.ledger.enter(Request([undone, acknowledged]))
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())
    path = exported(bureau, tmp_path / "b.zip", complete=True)

    def by(what):
        return {row.pop(what): row for row in green(path, by=what).groups}

    units = by("unit")
    assert (units["u2"]["ahead"], units["u2"]["annulled"], units["u2"]["late"]) == (1, 2, 7)
    assert (units["u2"]["review-opened"], units["u2"]["under-review"]) == (1, 1)
    assert units["u1"]["annulled"] == 1
    assert units[None]["entries"] == 1  # who is in no unit
    lags = by("lag")
    assert list(lags) == ["ahead", "0-30", "31-90", "366-"]
    assert (lags["31-90"]["entries"], lags["31-90"]["late"], lags["0-30"]["late"]) == (1, 1, 0)
    [(name, counts)] = by("actor").items()
    assert (name, counts["entries"]) == ("local|local", len(green(path).remarks))
    concluded = ReviewConcluded(review=str(moved.event_id), outcome="confirmed", authority="x")
    enter(bureau, act(concluded, today))
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())
    path = exported(bureau, tmp_path / "c.zip", complete=True)
    assert by("unit")["u2"]["under-review"] == 0
    case = exported(bureau, tmp_path / "case.zip", complete=False, persons=["b"])
    assert {row["unit"] for row in green(case, by="unit").groups} >= {"u2"}


# what the thief of the key seals


def test_a_pack_that_is_not_what_its_digest_says_is_named(bureau, tmp_path, monkeypatch):
    monkeypatch.setattr(PackPublished, "decide", lambda *_: None)
    right = PackPublished.of(load_packs()["000000"])
    wrong = right.model_copy(update={"digest": "0" * 64})
    enter(bureau, act(right), act(wrong))
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())
    [finding] = check(exported(bureau, tmp_path / "b.zip", complete=True), Asked()).findings
    assert finding.kind == Kind.DIGEST
    assert "the pack 000000 that entry 12 publishes" in finding.en


def test_who_has_signed_for_another_ledger_has_not_signed_this_one(bureau, tmp_path):
    held = files(exported(bureau, tmp_path / "b.zip"))
    other = "personnel-ledger/0000000000000000"
    note = Note(Note.of(held["head.note"].decode()).text.replace(key_of(bureau)[:33], other))
    held["head.note"] = str(note.signed([signer(other, bureau.sealer.key())])).encode()
    manifest = json.loads(held["manifest.json"])
    manifest["files"]["head.note"]["sha256"] = digest(held["head.note"])
    held["manifest.json"] = orjson.dumps(manifest)
    assert Kind.SIGNATURE in kinds(packed(tmp_path / "c.zip", held))


def test_the_checker_says_every_name_once():
    """Its modules share one room once they are put together."""
    names = re.findall(
        r"^(?:def|class) (\w+)|^([A-Za-z_]\w*)(?:: [^=]+)? = ", checker().decode(), re.MULTILINE
    )
    assert Counter(one or other for one, other in names).most_common(1)[0][1] == 1
