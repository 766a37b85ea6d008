"""Reads that went at the end of their term, in a bundle: what is left is proved, and what is not."""

import json

from api.looked import evident
from domain.bitemporal import AsOf
from replay.check import check
from replay.evidence import Wanted, export
from replay.findings import Asked, Kind
from tests.replay.bundles import files, green, key_of, packed
from tests.replay.test_page import alike, needs_chromium
from tests.replay.test_seen import rows
from tests.sealing import test_cutting
from tests.sealing.test_cutting import SIZE, cut, ordered
from tests.sealing.test_reads import read, seal

own = test_cutting.own


def bundle(bureau, path, *, complete=True, persons=("p1",)):
    list(bureau.runner.catch_up())
    pair = AsOf(bureau.ledger.today(), bureau.ledger.log.head())
    looks = evident(bureau, cases=False)
    wanted = Wanted(pair, persons=persons, complete=complete, looks=looks)
    export(bureau.ledger, bureau.records, bureau.sealer, wanted, path)
    return path


def gone(bureau):
    order = cut(bureau)
    read(bureau, "p1")
    seal(bureau)
    return order


def said(path, **asked):
    return " ".join(en for _, en in green(path, **asked).said)


def missing_row(held):
    held["reads.bin"] = b"".join(rows(held)[1:])


def missing_within(held):
    held["reads.bin"] = b"".join([*rows(held)[:1], *rows(held)[2:]])


def test_the_bundle_says_what_went_and_by_which_entry(own, tmp_path):
    before = bundle(own, tmp_path / "before.zip")
    order = gone(own)
    whole = bundle(own, tmp_path / "whole.zip")
    told = said(whole, key=key_of(own))
    assert f"the first {2 * SIZE} rows of the log of reads were ordered to go by entry" in told
    assert f"by entry {order.position}" in told
    assert f"rows {2 * SIZE + 1} to {own.reads.sealer.seals.last().size}" in told
    assert [one["read"] for one in green(whole).reads] == [19, own.reads.log.head() - 1]
    case = bundle(own, tmp_path / "case.zip", complete=False)
    assert f"by entry {order.position}" in said(case, key=key_of(own))
    kept = tmp_path / "kept"
    kept.write_bytes(files(before)["reads-head.note"])
    assert "the log of reads extends the head kept" in said(whole, kept=[kept])


def test_an_order_not_carried_out_leaves_rows_to_be_checked(own, tmp_path):
    ordered(own)
    seal(own)
    path = bundle(own, tmp_path / "b.zip")
    assert "rows 1 to" in said(path)
    held = files(path)
    missing_within(held)
    verdict = check(packed(tmp_path / "c.zip", held), Asked())
    assert "row 2 of the log of reads is missing" in [f.en for f in verdict.findings]


def test_whatever_lacks_beyond_the_order_is_missed(own, tmp_path):
    gone(own)
    held = files(bundle(own, tmp_path / "b.zip"))
    for alter, row in ((missing_row, 2 * SIZE + 1), (missing_within, 2 * SIZE + 2)):
        other = dict(held)
        alter(other)
        verdict = check(packed(tmp_path / "c.zip", other), Asked())
        assert any(
            f.kind is Kind.MISSING and f"row {row} of the log" in f.en for f in verdict.findings
        )


def test_without_the_order_what_went_is_missed(own, tmp_path):
    """Who hands the bundle over cannot leave the order out: entries are proved complete."""
    order = gone(own)
    held = files(bundle(own, tmp_path / "b.zip"))
    raws, rest = [], held["entries.bin"]
    while rest:
        size = 4 + int.from_bytes(rest[:4])
        raws, rest = [*raws, rest[:size]], rest[size:]
    held["entries.bin"] = b"".join(r for n, r in enumerate(raws, 1) if n != order.position)
    verdict = check(packed(tmp_path / "c.zip", held), Asked())
    said = [f.en for f in verdict.findings]
    assert f"entry {order.position} is missing" in said
    assert "row 1 of the log of reads is missing" in said


@needs_chromium
def test_the_page_says_the_same_of_what_went(own, tmp_path, browser, opened):
    ordered(own)
    seal(own)
    assert alike(browser, opened, bundle(own, tmp_path / "ordered.zip")) == 0
    order = test_cutting.cutting.ordered(own.ledger, own.reads)
    test_cutting.carried_out(own, order)
    read(own, "p1")
    seal(own)
    for complete in (True, False):
        path = bundle(own, tmp_path / "b.zip", complete=complete)
        assert alike(browser, opened, path, key=key_of(own)) == 0
    held = files(bundle(own, tmp_path / "b.zip", persons=()))
    for alter in (missing_row, missing_within):
        other = dict(held)
        alter(other)
        assert alike(browser, opened, packed(tmp_path / "c.zip", other)) == int(Kind.MISSING)
    manifest = json.loads(held["manifest.json"])
    assert manifest["reads"]["withheld"] == []
