"""After reads were cut off the whole ledger still goes into a file and comes back, and verifies."""

import base64
import gzip
import json
import signal
import subprocess
import sys

import psycopg
import pytest

from api import answers
from api.settings import Bureau, Settings
from domain.ledger.seals import Broken
from domain.merkle import root
from domain.notes import public
from domain.refusals import BadInput, RecordForbids
from replay import archive
from replay.reads import gone, verify
from replay.seals import Kind, Trust
from replay.seals import verify as seals_verify
from tests.replay.test_archive import everything, reads, rewritten
from tests.sealing import test_cutting
from tests.sealing.test_cutting import SIZE, carried_out, cut, ordered
from tests.sealing.test_reads import read, seal

own = test_cutting.own
GONE = 2 * SIZE


@pytest.fixture
def copy(database, other_database, settings, tmp_path):
    """An empty bureau whose partitions are as large as they are in use."""
    folder = tmp_path / "copy"
    folder.mkdir()
    chosen = Settings(folder, database, other_database, settings.kek_file)
    with Bureau(chosen) as opened:
        opened.sealer.key_file = opened.reads.sealer.key_file = folder / "its.key"
        yield opened


def dumped(bureau, tmp_path):
    seal(bureau)
    file = tmp_path / "ledger.gz"
    return file, archive.dump(bureau.ledger, bureau.reads.log, file, private=True)


def load(copy, file):
    return archive.load(copy.ledger, copy.reads.log, file)


def sealed(bureau):
    seal(bureau)
    key = public(bureau.sealer.seals.origin(), bureau.sealer.key())
    found = seals_verify(bureau.database, Trust(key)).findings
    return [*found, *verify(bureau.database, Trust(key)).findings]


def test_what_is_left_comes_back_and_what_went_is_still_proved(own, copy, tmp_path):
    hashes = own.reads.sealer.seals.hashes(0, 0, GONE)
    heads = own.reads.sealer.seals.heads(0, own.reads.log.head())
    order = cut(own)
    file, summary = dumped(own, tmp_path)
    last = own.reads.log.head()
    assert (summary.gone, summary.reads) == (GONE, last)
    assert archive.check(file) == summary
    assert summary.reads_root == own.reads.sealer.seals.last().head.root.hex()

    assert load(copy, file) == archive.Loaded(summary, already=False)
    assert everything(copy) == everything(own)
    assert [row.position for row in reads(copy)] == list(range(GONE + 1, last + 1))
    assert reads(copy) == reads(own)
    assert load(copy, file) == archive.Loaded(summary, already=True)

    assert gone(copy.database)[:2] == (order.position, GONE)
    assert sealed(copy) == []
    ours = copy.reads.sealer.seals
    assert ours.origin() == own.reads.sealer.seals.origin()
    assert ours.hashes(0, 0, GONE) == hashes
    for one in heads:  # a head that somebody kept is still extended
        assert one.head.root == root(ours.hashes(0, 0, one.size))
        assert ours.extension(one.size, ours.last().size)


def test_life_goes_on_in_the_copy(own, copy, tmp_path):
    cut(own, SIZE)
    file, _ = dumped(own, tmp_path)
    load(copy, file)
    key = public(own.sealer.seals.origin(), own.sealer.key())
    assert Kind.MISSING not in [f.kind for f in verify(copy.database, Trust(key)).findings]
    assert copy.reads.sealer.lag().entries == own.reads.log.head() - SIZE
    assert sealed(copy) == []
    list(copy.runner.catch_up())
    answers.record(copy.read_by(copy.reader.stating("核对", None)), "p1")
    read(copy, "p2")
    assert sealed(copy) == []
    again, summary = dumped(copy, tmp_path)
    assert (archive.check(again), summary.gone) == (summary, SIZE)


def test_an_archive_from_before_the_cut_is_the_ledgers_own(own, tmp_path):
    before, _ = dumped(own, tmp_path)
    before = before.rename(tmp_path / "before.gz")
    cut(own)
    assert archive.load(own.ledger, own.reads.log, before).already
    after, _ = dumped(own, tmp_path)
    assert archive.load(own.ledger, own.reads.log, after).already


def test_an_order_half_carried_out_is_carried_on_in_the_copy(own, copy, tmp_path):
    order = ordered(own)
    carried_out(own, order._replace(rows=SIZE))
    file, summary = dumped(own, tmp_path)
    assert summary.gone == SIZE
    load(copy, file)
    assert gone(copy.database).left == SIZE
    assert sealed(copy) == []


def hashes_of(line):
    return bytearray(base64.b64decode(line["hashes"]))


def another_hash(line):
    if "gone" not in line:
        return line
    hashes = hashes_of(line)
    hashes[40] ^= 1
    return line | {"hashes": base64.b64encode(hashes).decode()}


def without_one(line):
    if "gone" not in line:
        return line
    return line | {"hashes": base64.b64encode(hashes_of(line)[:-32]).decode()}


def without_hashes(line):
    return None if "gone" in line else line


def without_the_first_left(line):
    return None if line.get("read") == GONE + 1 else line


def one_more_gone(line):
    if "archive" in line:
        return line | {"reads_gone": line["reads_gone"] + 1}
    return line


@pytest.mark.parametrize(
    ("change", "position"),
    [
        (another_hash, None), (without_one, GONE), (without_hashes, 1),
        (without_the_first_left, GONE + 1), (one_more_gone, 1),
    ],
)  # fmt: skip
def test_what_was_altered_of_what_is_gone_is_refused(own, copy, tmp_path, change, position):
    cut(own)
    file, _ = dumped(own, tmp_path)
    altered = rewritten(file, tmp_path, change)
    for refuse in (archive.check, lambda file: load(copy, file)):
        with pytest.raises(BadInput) as caught:
            refuse(altered)
        assert caught.value.position == position
    assert (copy.ledger.log.head(), copy.reads.log.head()) == (0, 0)
    assert copy.reads.sealer.seals.hashes(0, 0, GONE) == []
    assert not load(copy, file).already


def test_rows_that_no_entry_ordered_to_go_are_missed(own, tmp_path):
    """Somebody writes hashes in place of rows, and all sums anew."""
    file, _ = dumped(own, tmp_path)
    with gzip.open(file) as packed:
        lines = [json.loads(line) for line in packed]
    rows = [line for line in lines if "read" in line]
    joined = b"".join(bytes.fromhex(line["leaf"]) for line in rows[:SIZE])
    hidden = {"gone": 1, "hashes": base64.b64encode(joined).decode()}
    first = lines[0] | {"format": archive.WITH_GONE, "reads_gone": SIZE}
    kept = [line for line in lines[1:-1] if "read" not in line]
    made = tmp_path / "made.gz"
    texts = [json.dumps(one) + "\n" for one in (first, *kept, hidden, *rows[SIZE:], lines[-1])]
    made.write_bytes(gzip.compress("".join(texts).encode()))
    with pytest.raises(BadInput, match="no entry ordered that") as caught:
        archive.check(made)
    assert caught.value.position == 1


def test_a_dump_during_a_cut_is_refused_and_made_again(own, tmp_path, monkeypatch):
    order = ordered(own)
    seal(own)
    real = archive.hashes_of_gone

    def meanwhile(log, rows):
        carried_out(own, order)
        return real(log, rows)

    with monkeypatch.context() as patched:
        patched.setattr(archive, "hashes_of_gone", meanwhile)
        with pytest.raises(RecordForbids, match="while they were dumped"):
            dumped(own, tmp_path)
    file, summary = dumped(own, tmp_path)
    assert archive.check(file) == summary


def test_without_their_hashes_nothing_is_dumped(own, tmp_path):
    cut(own)
    seal(own)
    with psycopg.connect(own.database) as connection:
        connection.execute("ALTER TABLE reads_seal_tiles DISABLE TRIGGER deny_change")
        connection.execute("DELETE FROM reads_seal_tiles WHERE level = 0 AND first = 0")
    with pytest.raises(Broken):
        archive.dump(own.ledger, own.reads.log, tmp_path / "a.gz", private=False)


KILLED = """
import os, signal, sys
from pathlib import Path
from api.settings import Bureau, Settings
from domain.ledger.copying import Taking
from replay import archive
folder, database, vault, kek, file, table = sys.argv[1:]
real = Taking.entries
def entries(self, batch):
    real(self, batch)
    if batch[0].type == "RecordRead" or table == "entries":
        os.kill(os.getpid(), signal.SIGKILL)
Taking.entries = entries
with Bureau(Settings(Path(folder), database, vault, Path(kek))) as bureau:
    archive.load(bureau.ledger, bureau.reads.log, Path(file))
"""


@pytest.mark.parametrize("table", ["entries", "reads"])
def test_a_load_killed_midway_leaves_nothing_and_is_begun_anew(own, copy, tmp_path, table):
    cut(own)
    file, summary = dumped(own, tmp_path)
    told = copy.settings
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, told.data, told.database, told.vault, told.kek_file, file,
         table],
        check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert (copy.ledger.log.head(), copy.reads.log.head()) == (0, 0)
    assert copy.reads.sealer.seals.reached() == 0
    assert load(copy, file) == archive.Loaded(summary, already=False)
    assert sealed(copy) == []


def test_only_an_empty_log_is_begun_behind_what_is_gone(own, copy, tmp_path):
    """Whoever may load cannot add to a log that lives."""
    cut(own)
    file, _ = dumped(own, tmp_path)
    load(copy, file)
    seal(copy)
    sql = (
        "SELECT reads_load(%s, ARRAY[now()], ARRAY['X'], ARRAY[''], ARRAY['{}'::bytea],"
        " ARRAY[gen_random_uuid()])"
    )
    with psycopg.connect(copy.database) as connection, pytest.raises(psycopg.errors.ObjectInUse):
        connection.execute(sql, [copy.reads.log.head() + 1])
