"""Heads before a bundle's own: kept from a visit or time-stamped, of the log of reads too."""

import json
from base64 import b64encode

import orjson
import psycopg
import pytest

from api.looked import evident
from api.stamping import Stamping
from domain.notes import public
from replay.check import check
from replay.findings import Asked, Kind
from replay.looks import Unprovable
from replay.offline import head_of
from replay.reads import verify
from replay.seals import Kind as SealKind
from replay.seals import Trust
from replay.stamps import Authority
from tests.replay.bundles import (
    ask,
    exported,
    files,
    kinds,
    packed,
    resigned,
    said,
    settled,
    with_reads,
)
from tests.replay.test_page import alike, needs_chromium
from tests.sealing.authority import OPENSSL, LocalAuthority

needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="the openssl command is not installed")


@pytest.fixture
def bureau(looked_at):
    return looked_at


def kept_head(bureau, path, size=None):
    seals = bureau.reads.sealer.seals
    path.write_text(str((seals.covering(size) if size else seals.last()).note))
    return path


def test_a_head_of_the_reads_kept_from_an_earlier_visit_is_extended(bureau, tmp_path):
    kept = kept_head(bureau, tmp_path / "kept", 1)
    size = head_of(kept.read_text())[1]
    looks = evident(bureau, cases=False)
    for complete in (True, False):
        path = with_reads(bureau, tmp_path / "b.zip", complete=complete)
        last = kept_head(bureau, tmp_path / "last")
        assert "the log of reads extends the head kept" in said(path, kept=[last])
        assert kinds(path, kept=[kept]) == ([] if complete else [Kind.UNPROVED])
        proved = exported(
            bureau, tmp_path / "p.zip", looks=looks._replace(old=[size]), complete=complete
        )
        assert f"the log of reads extends the head kept over {size}" in said(proved, kept=[kept])
        ours = tmp_path / "ours"
        ours.write_text(str(bureau.sealer.seals.last().note))
        both = said(proved, kept=[kept, ours])
        assert "the log extends the head kept" in both
        assert "the log of reads extends the head kept" in both
    without = exported(bureau, tmp_path / "without.zip", complete=True)
    assert kinds(without, kept=[kept]) == [Kind.UNPROVED]
    with pytest.raises(Unprovable, match="larger than the last"):
        exported(bureau, tmp_path / "x.zip", looks=looks._replace(old=[999]))


def test_reads_written_anew_do_not_extend_the_head_kept(bureau, tmp_path):
    kept = kept_head(bureau, tmp_path / "kept", 1)
    _, size, root = head_of(kept.read_text())
    other = b64encode(bytes(32)).decode()
    kept.write_text(kept.read_text().replace(b64encode(root).decode(), other))
    looks = evident(bureau, cases=False)._replace(old=[size])
    for complete in (True, False):
        path = exported(bureau, tmp_path / "b.zip", looks=looks, complete=complete)
        verdict = check(path, Asked(kept=[kept]))
        assert [f.kind for f in verdict.findings] == [Kind.WITNESS]
        assert "the log of reads does not extend the head kept" in verdict.findings[0].en


@needs_openssl
def test_time_stamps_over_the_reads_are_checked(bureau, tmp_path):
    local, another = LocalAuthority(tmp_path / "one"), LocalAuthority(tmp_path / "two")
    with local.served() as url:
        for sealer in (bureau.sealer, bureau.reads.sealer):
            Stamping(sealer, url, local.roots).ask()
    ask(bureau, "record", "a")
    settled(bureau)
    for complete in (True, False):
        path = with_reads(bureau, tmp_path / "b.zip", complete=complete)
        assert "1 time stamps of the log of reads are valid" in said(path, stamps=local.roots)
        verdict = check(path, Asked(stamps=another.roots))
        assert "rows of reads is not valid" in verdict.findings[-1].en
        held = files(path)
        [stamp] = json.loads(held["reads-stamps.json"])
        size = head_of(stamp["note"])[1]
        stamp["note"] = stamp["note"].replace(f"\n{size}\n", f"\n{size - 1}\n")
        held["reads-stamps.json"] = orjson.dumps([stamp])
        resigned(bureau, held)
        changed_ = packed(tmp_path / "c.zip", held)
        assert kinds(changed_, stamps=local.roots) == [Kind.STAMP]


@needs_openssl
def test_reads_that_say_another_time_contradict_their_stamp(bureau, tmp_path):
    """As whoever has the key would do it: the reads sealed anew, years before their stamp."""
    local = LocalAuthority(tmp_path / "one")
    for statement in (
        "UPDATE reads_entries SET recorded_at = recorded_at + interval '10 minutes'",
        "DELETE FROM reads_seal_tiles", "DELETE FROM reads_seal_heads",
    ):  # fmt: skip
        as_superuser(bureau.database, statement)
    bureau.reads.sealer.seal()
    with local.served() as url:
        Stamping(bureau.reads.sealer, url, local.roots).ask()
    trust = Trust(public(bureau.sealer.seals.origin(), bureau.sealer.key()))
    told = verify(bureau.database, trust._replace(authority=Authority.of(local.roots)))
    last = bureau.reads.log.head()
    stamped = [f for f in told.findings if f.kind is SealKind.TIME and "stamp" in f.en]
    assert [f.position for f in stamped] == [last]
    unstamped = [f for f in verify(bureau.database, trust).findings if f.kind is SealKind.TIME]
    assert not any("stamp" in f.en for f in unstamped)
    assert unstamped, "the seal's own moment lies before what it seals"
    path = with_reads(bureau, tmp_path / "b.zip", complete=True)
    told = check(path, Asked()).findings
    assert any(
        f"when row {last} of the log of reads was recorded contradicts" in f.en for f in told
    )


def as_superuser(database, statement):
    tables = ("reads_entries", "reads_entries_000000", "reads_seal_tiles", "reads_seal_heads")
    with psycopg.connect(database) as connection:
        for table in tables:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER deny_change")
        assert connection.execute(statement).rowcount
        for table in tables:
            connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER deny_change")


@needs_chromium
@needs_openssl
def test_earlier_heads_of_the_reads_are_told_alike(bureau, tmp_path, browser, opened):
    kept = kept_head(bureau, tmp_path / "kept", 1)
    ours = tmp_path / "ours"
    ours.write_text(str(bureau.sealer.seals.covering(1).note))
    local, another = LocalAuthority(tmp_path / "one"), LocalAuthority(tmp_path / "two")
    with local.served() as url:
        Stamping(bureau.reads.sealer, url, local.roots).ask()
    ask(bureau, "record", "a")
    settled(bureau)
    looks = evident(bureau, cases=False)._replace(old=[head_of(kept.read_text())[1]])
    for complete in (True, False):
        path = exported(bureau, tmp_path / "b.zip", looks=looks, complete=complete, old=[5])
        assert alike(browser, opened, path, kept=[kept, ours]) == 0
        assert alike(browser, opened, path, kept=[kept], stamps=local.roots) == 24  # no entries'
        assert alike(browser, opened, path, kept=[kept], stamps=another.roots) == 24
        bare = with_reads(bureau, tmp_path / "bare.zip", complete=complete)
        assert alike(browser, opened, bare, kept=[kept]) == (0 if complete else 24)
        none = exported(bureau, tmp_path / "none.zip", complete=complete)
        assert alike(browser, opened, none, kept=[kept]) == (24 if complete else 17)
        kept.write_text(kept.read_text().replace("\n2\n", "\n1\n"))
