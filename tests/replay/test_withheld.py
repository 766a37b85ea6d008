"""What belongs to a sealed case stays out of a bundle, and the verdict says what that leaves open."""

import json
from datetime import date
from hashlib import sha256

import orjson
import pytest

from api import answers, answers_axes
from api.exports import vocabulary
from domain.acts.complaints import CaseDisclosed, InvestigationOpened
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.rewards import RewardGranted
from domain.acts.units import UnitEstablished
from projections.sight import Sight
from replay.check import Kind
from tests.given import act
from tests.replay.filed import agrees, filed
from tests.replay.test_evidence import (
    enter,
    entries,
    exported,
    files,
    green,
    key_of,
    kinds,
    packed,
)
from tests.replay.test_page import alike, needs_chromium

DAY = date(2022, 3, 1)


@pytest.fixture
def bureau(bureau, tmp_path):
    bureau.sealer.key_file = tmp_path / "seal.key"
    enter(
        bureau,
        act(UnitEstablished(unit="u1", name="所"), DAY),
        act(PersonRegistered(person="a", name="王小明"), DAY),
        act(AuxiliaryHired(person="a", unit="u1", category="field"), DAY),
        act(RewardGranted(person="a", kind="merit"), DAY),
    )
    settled(bureau)
    return bureau


def settled(bureau):
    bureau.sealer.catch_up()
    list(bureau.runner.catch_up())


def test_entries_of_sealed_cases_are_withheld_and_the_verdict_says_what_that_leaves(
    bureau, tmp_path
):
    before = exported(bureau, tmp_path / "before.zip", complete=True)
    head = bureau.ledger.log.head()
    opening = InvestigationOpened(case="of-the-gifts", person="a", grounds="收受礼金")
    enter(bureau, act(opening, DAY))
    settled(bureau)
    path = exported(bureau, tmp_path / "after.zip", complete=True)
    held = files(path)
    assert b"Investigation" not in held["entries.bin"]
    assert b"of-the-gifts" not in held["entries.bin"] + held["report.json"]
    assert json.loads(held["manifest.json"])["withheld"] == [head + 1]
    data = [json.loads(files(one)["report.json"])["data"] for one in (before, path)]
    assert data[0] == data[1]
    verdict = green(path, key=key_of(bureau), replay="a")
    assert any("1 are said to be of sealed cases" in en for _, en in verdict.said)
    assert not any("no entry about anyone is left out" in en for _, en in verdict.said)
    own = files(exported(bureau, tmp_path / "own.zip"))
    assert b"Investigation" not in own["entries.bin"]
    # an inspector's holds it, and is complete
    whole = exported(bureau, tmp_path / "whole.zip", complete=True, cases=True)
    assert b"InvestigationOpened" in files(whole)["entries.bin"]
    verdict = green(whole, key=key_of(bureau))
    assert any("no entry about anyone is left out" in en for _, en in verdict.said)
    # disclosed, it is in everybody's
    enter(bureau, act(CaseDisclosed(case="of-the-gifts"), DAY))
    settled(bureau)
    open_ = exported(bureau, tmp_path / "open.zip", complete=True)
    assert json.loads(files(open_)["manifest.json"])["withheld"] == []
    green(open_, key=key_of(bureau))


def test_an_entry_is_not_withheld_by_saying_so_alone(bureau, tmp_path):
    """Whoever cuts an entry and calls it withheld needs the ledger's key to sign the manifest."""
    held = files(exported(bureau, tmp_path / "whole.zip", complete=True))
    manifest = json.loads(held["manifest.json"])
    cut = entries(held).pop(3)
    held["entries.bin"] = held["entries.bin"].replace(cut, b"")
    manifest["withheld"] = [4]
    manifest["files"]["entries.bin"]["sha256"] = sha256(held["entries.bin"]).hexdigest()
    held["manifest.json"] = orjson.dumps(manifest)
    assert kinds(packed(tmp_path / "cut.zip", held), key=key_of(bureau)) == [
        Kind.SIGNATURE,
        Kind.REPORT,
    ]
    # and what is said to be withheld while it is there is out of order
    held = files(exported(bureau, tmp_path / "again.zip", complete=True))
    held["manifest.json"] = orjson.dumps({**json.loads(held["manifest.json"]), "withheld": [4]})
    assert Kind.ENTRY in kinds(packed(tmp_path / "both.zip", held), key=key_of(bureau))


def test_a_receipt_of_a_withheld_entry_is_held_against_its_hash(bureau, tmp_path):
    entered = enter(bureau, act(InvestigationOpened(case="of-the-gifts", person="a"), DAY))
    position = entered[0].position
    receipt = tmp_path / "receipt.note"
    receipt.write_text(bureau.sealer.vouch(position, position))
    settled(bureau)
    path = exported(bureau, tmp_path / "bundle.zip", complete=True)
    green(path, key=key_of(bureau), receipts=[receipt])


@needs_chromium
def test_the_page_says_the_same_of_what_is_withheld(bureau, tmp_path, browser, opened):
    enter(bureau, act(InvestigationOpened(case="of-the-gifts", person="a"), DAY))
    settled(bureau)
    path = exported(bureau, tmp_path / "bundle.zip", complete=True)
    assert alike(browser, opened, path, key=key_of(bureau)) == 0
    held = files(path)
    for position, wrong in ((1, Kind.ENTRY), (10_000, Kind.UNREADABLE), (0, Kind.UNREADABLE)):
        manifest = json.loads(held["manifest.json"])
        manifest["withheld"] = [*manifest["withheld"], position]
        altered = {**held, "manifest.json": orjson.dumps(manifest)}
        other = packed(tmp_path / f"{position}.zip", altered)
        alike(browser, opened, other, key=key_of(bureau))
        assert wrong in kinds(other, key=key_of(bureau))


def of_a_case(bureau):
    """Reports of a case, as they are told to everybody and to inspectors: report, both answers."""
    enter(bureau, act(InvestigationOpened(case="of-the-gifts", person="a", grounds="收受"), DAY))
    settled(bureau)
    plain = bureau.seen_with(None, Sight(bureau.ledger.today()))
    for report, ask in (
        ("history", lambda seen: answers.history(seen, "a")),
        ("journal", answers.journal),
        ("timeline", lambda seen: answers_axes.timeline(seen, "a")),
        ("record", lambda seen: answers.record(seen, "a")),
        ("beliefs", lambda seen: answers_axes.beliefs(seen, "a")),
        ("rectangles", lambda seen: answers_axes.rectangles(seen, "a")),
        (
            "compare",
            lambda seen: answers_axes.compare(seen, "a", answers.When(DAY, 4), answers.NOW),
        ),
    ):
        yield report, ask(plain), ask(bureau)


def test_a_file_of_a_sealed_case_is_compared_as_far_as_it_is_shown(bureau, tmp_path):
    reports = [*of_a_case(bureau)]
    out, words = tmp_path / "a.jsonl", vocabulary()
    shut = exported(bureau, tmp_path / "shut.zip", complete=True, words=words)
    whole = exported(bureau, tmp_path / "whole.zip", complete=True, words=words, cases=True)
    for report, told, seen in reports:
        filed(bureau, out, report, told)
        agrees(shut, out)
        assert {*kinds(whole, report=out)} == {Kind.UNPROVED}
        filed(bureau, out, report, seen)
        assert {*kinds(shut, report=out)} == {Kind.UNPROVED}
        agrees(whole, out)


@needs_chromium
def test_the_page_compares_it_as_far(bureau, tmp_path, browser, opened):
    reports = [*of_a_case(bureau)]
    out, words = tmp_path / "a.jsonl", vocabulary()
    shut = exported(bureau, tmp_path / "shut.zip", complete=True, words=words)
    whole = exported(bureau, tmp_path / "whole.zip", complete=True, words=words, cases=True)
    for report, told, seen in reports:
        filed(bureau, out, report, told)
        assert alike(browser, opened, whole, report=out) == int(Kind.UNPROVED)
        filed(bureau, out, report, seen)
        assert alike(browser, opened, shut, report=out) == int(Kind.UNPROVED)
