"""Whatever is entered is sealed: crash-safe, by any number of sealers, under the key in force."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg.conninfo import make_conninfo

from domain.ledger.keyfile import KeyUnfit, key_in
from domain.ledger.log import Append, NewEntry
from domain.ledger.sealer import Broken, KeyNotInForce, Sealer
from domain.merkle import consistent, included, leaf, root
from domain.notes import Head, Note, NoteInvalid, Verifier, public, signer
from tests.ledger.test_log_traps import eventually


def every_leaf(log):
    return [leaf(*entry) for entry in log.entries()]


def chain(sealer):
    """Every head there is, each proved to extend the one before it and signed by the key."""
    heads = [sealed.head for sealed in sealer.seals.heads(0, 10**9)]
    for old, new in pairwise(heads):
        path = sealer.seals.extension(old.size, new.size)
        assert consistent(old.size, old.root, new.size, new.root, path)
    return heads


def test_a_seal_is_the_root_of_the_leaves_of_all_entries_signed(sealer, log, enter):
    assert sealer.seal() is None
    for count in (1, 2, 254, 1, 700, 3):
        enter(count)
        sealed = sealer.seal()
        assert sealed.head.size == log.head()
        assert sealed.head.root == root(every_leaf(log))
        key = public(sealed.head.origin, sealer.key())
        assert sealed.note.signed_by(key)
        assert Verifier.of(str(key)) == key
        assert sealer.seal() is None
    assert len(chain(sealer)) == 6


def test_every_entry_is_proved_under_any_head_that_covers_it(sealer, log, enter):
    for count in (3, 520, 90):
        enter(count)
        sealer.seal()
    leaves = every_leaf(log)
    for position in (1, 2, 3, 4, 256, 257, 513, 600, 613):
        for size in (None, 523, 613):
            proof = sealer.seals.prove(position, size)
            head = proof.sealed.head
            assert proof.leaf == leaves[position - 1]
            assert included(proof.leaf, position - 1, head.size, proof.path, head.root)
            assert head.size >= max(position, size or 0)
    assert sealer.seals.prove(614) is None
    assert sealer.seals.prove(2).sealed.size == 3


def test_tiles_hold_256_hashes_each_and_tiles_of_tiles(sealer, log, enter):
    for count in (100, 200, 300):
        enter(count)
        sealer.seal()
    leaves = every_leaf(log)
    assert sealer.seals.tile(0, 0) == leaves[:256]
    assert sealer.seals.tile(0, 2) == leaves[512:]
    assert sealer.seals.tile(1, 0) == [root(leaves[:256]), root(leaves[256:512])]
    assert sealer.seals.tile(0, 3) == []


def test_nothing_sealed_changes(sealer, enter, connect):
    enter(2)
    sealer.seal()
    with connect() as connection:
        for change in (
            "UPDATE ledger_seal_heads SET size = 9", "DELETE FROM ledger_seal_tiles",
            "TRUNCATE ledger_seal_cosignatures",
            "SET session_replication_role = replica; DELETE FROM ledger_seal_heads",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(change)


def test_several_sealers_make_one_chain(sealer, log, enter, connect, tmp_path):
    others = [
        sealer,
        Sealer(connect, tmp_path / "seal.key"),
        Sealer(connect, tmp_path / "seal.key"),
    ]
    stop = threading.Event()

    def run(one):
        while not stop.is_set():
            one.seal()

    with ThreadPoolExecutor() as pool:
        running = [pool.submit(run, one) for one in others]
        for _ in range(40):
            enter(3)
        stop.set()
        for one in running:
            one.result()
    sealer.catch_up()
    assert chain(sealer)[-1] == Head(sealer.seals.origin(), 120, root(every_leaf(log)))


SEAL = """
import sys, psycopg
from pathlib import Path
from domain.ledger.sealer import Sealer
sealer = Sealer(lambda: psycopg.connect(sys.argv[1], autocommit=True), Path(sys.argv[2]))
print("sealing", flush=True)
while True:
    sealer.seal()
"""


def test_a_sealer_killed_at_any_moment_leaves_one_consistent_chain(
    sealer, log, enter, database, tmp_path
):
    for turn in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", SEAL, database, tmp_path / "seal.key"],
            stdout=subprocess.PIPE, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        process.stdout.readline()
        for _ in range(6):
            enter(7)
        time.sleep(0.003 * turn)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        chain(sealer)
    sealer.catch_up()
    assert chain(sealer)[-1].root == root(every_leaf(log))
    assert chain(sealer)[-1].size == 210


def test_a_follower_seals_what_comes_and_the_lag_is_told(sealer, enter):
    enter(3)
    lag = sealer.lag()
    assert lag.entries == 3
    assert lag.seconds > 0
    stop = threading.Event()
    thread = threading.Thread(target=sealer.follow, args=(stop,))
    thread.start()
    try:
        enter(5)
        assert eventually(lambda: sealer.lag().entries == 0)
    finally:
        stop.set()
        thread.join()
    assert sealer.lag() == (0, 0.0)


def test_a_sealer_that_cannot_seal_says_why_and_goes_on_once_it_can(
    sealer, log, enter, database, tmp_path
):
    enter(2)
    sealer.seal()
    enter(1)
    own, other = tmp_path / "seal.key", tmp_path / "aside"
    own.rename(other)
    stop = threading.Event()
    with structlog.testing.capture_logs() as said:
        thread = threading.Thread(target=sealer.follow, args=(stop,))
        thread.start()
        try:
            assert eventually(lambda: len(said) > 0)
            other.replace(own)
            assert eventually(lambda: sealer.lag().entries == 0)
        finally:
            stop.set()
            thread.join()
    assert {(one["event"], one["log_level"], one["fault"]) for one in said} == {
        ("sealing-stopped", "critical", "KeyNotInForce")
    }


def test_whoever_holds_the_sealers_lock_is_an_alarm_and_not_a_silence(
    sealer, enter, connect, monkeypatch
):
    monkeypatch.setattr("domain.ledger.sealer.PATIENCE", "SET LOCAL lock_timeout = '100ms'")
    monkeypatch.setattr("domain.ledger.sealer.ALARM_SECONDS", 0.1)
    monkeypatch.setattr("domain.ledger.sealer.AGAIN_SECONDS", 0.1)
    enter(3)
    stop = threading.Event()
    with structlog.testing.capture_logs() as said, connect() as holding:
        thread = threading.Thread(target=sealer.follow, args=(stop,))
        try:
            with holding.transaction():
                sealer.seals.lock(holding)
                thread.start()
                assert eventually(lambda: any(one["log_level"] == "critical" for one in said))
                assert sealer.lag().entries == 3
            assert eventually(lambda: sealer.lag().entries == 0)
        finally:
            stop.set()
            thread.join()
    assert {(one["event"], one["fault"]) for one in said} == {
        ("sealing-stopped", "LockNotAvailable")
    }


def test_the_key_file_is_made_once_whole_and_closed_to_others(sealer, tmp_path):
    path = tmp_path / "seal.key"
    assert sealer.key().sign(b"") == sealer.key().sign(b"")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["seal.key"]
    path.write_bytes(b"short")
    with pytest.raises(KeyUnfit, match="32 bytes"):
        sealer.key()


def test_another_key_than_the_last_heads_signs_nothing(sealer, enter, connect, tmp_path):
    enter(1)
    sealer.seal()
    enter(1)
    with pytest.raises(KeyNotInForce):
        Sealer(connect, tmp_path / "other.key").seal()
    assert sealer.seal().size == 2


def test_further_lines_come_through_the_port(sealer, enter, connect, tmp_path):
    device = Ed25519PrivateKey.generate()
    sealer = Sealer(connect, tmp_path / "seal.key", lambda _: [signer("bureau/device", device)])
    enter(1)
    sealed = sealer.seal()
    assert len(sealed.note.lines) == 2
    assert sealed.note.signed_by(public("bureau/device", device))
    assert sealed.note.signed_by(public(sealed.head.origin, sealer.key()))
    assert not sealed.note.signed_by(public("bureau/device", Ed25519PrivateKey.generate()))


def test_a_sealer_needs_no_right_to_the_log_but_to_read_it(sealer, log, enter, database, tmp_path):
    enter(2)
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(
            "DROP ROLE IF EXISTS test_sealer; CREATE ROLE test_sealer LOGIN;"
            "GRANT SELECT ON ledger_meta, ledger_entries TO test_sealer;"
            "GRANT SELECT, INSERT ON ledger_seal_tiles, ledger_seal_heads,"
            " ledger_seal_cosignatures TO test_sealer"
        )
    try:
        as_role = make_conninfo(database, user="test_sealer")
        own = Sealer(lambda: psycopg.connect(as_role, autocommit=True), tmp_path / "seal.key")
        assert own.seal().size == 2
        assert own.lag().entries == 0
        with psycopg.connect(as_role, autocommit=True) as connection:
            for refused in (
                "INSERT INTO ledger_entries VALUES (3, now(), 'T', '{}', '')",
                "UPDATE ledger_seal_heads SET size = 1", "DELETE FROM ledger_entries",
                "SELECT * FROM ledger_claims",
            ):  # fmt: skip
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(refused)
    finally:
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute("DROP OWNED BY test_sealer; DROP ROLE test_sealer")


def tampered(database, *statements):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger_entries_000000 DISABLE TRIGGER ALL")
        connection.execute("ALTER TABLE ledger_entries DISABLE TRIGGER ALL")
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM ledger_entries WHERE position = 4", "entry 4 is missing"),
        (
            "UPDATE ledger_entries SET recorded_at = '2001-01-01' WHERE position = 5",
            "entry 5 was recorded before",
        ),
        ("DELETE FROM ledger_entries WHERE position <= 3", "entry 3 is missing"),
    ],
)
def test_a_log_with_a_gap_or_a_time_that_falls_is_not_sealed(
    sealer, log, enter, database, statement, said
):
    enter(2)
    sealer.seal()
    enter(5)
    tampered(database, statement)
    with pytest.raises(Broken, match=said):
        sealer.seal()
    assert sealer.seals.last().size == 2


# the form of notes


def test_a_note_comes_back_as_it_was_written():
    key = Ed25519PrivateKey.generate()
    note = Note(Head("o/1", 3, bytes(32)).text()).signed([signer("o/1", key)])
    assert Note.of(str(note)) == note
    assert Head.of(note.text) == Head("o/1", 3, bytes(32))
    changed = note._replace(text=note.text.replace("3", "4", 1))
    assert not changed.signed_by(public("o/1", key))


@pytest.mark.parametrize("text", ["", "a\n", "a\n\n— b\n", "a\n\n— b ????\n", "a\n\n— b AAAA\n"])
def test_what_is_no_note_is_refused(text):
    with pytest.raises(NoteInvalid):
        Note.of(text)


@pytest.mark.parametrize(
    "text", ["o\n3\n", "o\n-3\nAAAA\n", "o\n3\nAAAA\n", "o\n03\n" + "A" * 43 + "=\n", "o\n3\n\n\n"]
)
def test_what_is_no_head_is_refused(text):
    with pytest.raises(NoteInvalid):
        Head.of(text)


def test_entries_with_no_tags_and_with_any_bytes_are_hashed_as_the_leaf_says(sealer, log):
    log.enter(Append([NewEntry("无", [], b""), NewEntry("T", ["a", "乙"], bytes(range(256)))]))
    assert sealer.seal().head.root == root(every_leaf(log))


def test_the_name_of_a_log_is_read_without_harm_to_the_transaction(sealer, log, connect):
    log.enter(Append([NewEntry("Thing", ["thing:1"], b"x" * 60_000)]))
    with connect() as connection, connection.transaction():
        names = {sealer.origin(connection) for _ in range(1_000)}
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert len(names) == 1


def test_threads_that_ask_for_a_key_at_once_are_given_the_same(tmp_path):
    for n in range(20):
        path, ready = tmp_path / f"{n}.key", threading.Barrier(8)

        def ask(path=path, ready=ready):
            ready.wait()
            return key_in(path)

        with ThreadPoolExecutor(8) as asking:
            keys = [one.result() for one in [asking.submit(ask) for _ in range(8)]]

        assert set(keys) == {path.read_bytes()}
    assert not [*tmp_path.glob("*.new")]
