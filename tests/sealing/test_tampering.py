"""Whoever alters the log, its index or its seals, superuser or not, is named by the first entry."""

from base64 import b64encode

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.ledger.sealer import Sealer
from domain.notes import Head, Note, public, signer
from replay.seals import Kind, Trust, verify

ENTRIES, SEALED = 600, 590
GUARDED = [
    "ledger_entries", "ledger_entries_000000", "ledger_tags", "ledger_event_ids",
    "ledger_seal_tiles",
    "ledger_seal_heads", "ledger_seal_cosignatures", "ledger_seal_stamps",
]  # fmt: skip


@pytest.fixture
def kept(sealer, enter, database):
    """600 entries under three heads, 590 of them sealed; the key and the last head."""
    for count in (10, 290, 290):
        enter(count)
        last = sealer.seal()
    enter(ENTRIES - SEALED)
    return last


@pytest.fixture
def key(sealer, kept):
    return public(kept.head.origin, sealer.key())


def found(database, **trust):
    return [(f.kind, f.position) for f in verify(database, Trust(**trust)).findings]


def tamper(database, *statements):
    """As the superuser does it, tracelessly: the guards are off meanwhile."""
    with psycopg.connect(database) as connection:
        for table in GUARDED:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER deny_change")
        for statement in statements:
            assert connection.execute(statement).rowcount
        for table in GUARDED:
            connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER deny_change")


def test_what_was_sealed_verifies(database, kept, key):
    verdict = verify(database, Trust(key, kept.note))
    assert verdict == (ENTRIES, SEALED, 3, [])
    assert verdict.exit_code == 0


def test_an_empty_log_verifies(log, sealer, database):
    assert verify(database) == (0, 0, 0, [])


FLIP = "UPDATE ledger_seal_tiles SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1)"
OTHER_HEAD = """
UPDATE ledger_seal_heads SET note = (SELECT note FROM ledger_seal_heads WHERE size = 10)
WHERE size = 300
"""
SWAP = (
    "UPDATE ledger_entries SET position = 9000 WHERE position = 20",
    "UPDATE ledger_entries SET position = 20 WHERE position = 400",
    "UPDATE ledger_entries SET position = 400 WHERE position = 9000",
)


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        # one byte of an entry
        (["UPDATE ledger_entries SET data = set_byte(data, 0, 1) WHERE position = 77"],
         [(Kind.ENTRY, 77)]),
        (["UPDATE ledger_entries SET type = 'Thong' WHERE position = 300"],
         [(Kind.ENTRY, 300), (Kind.TAGS, 300)]),
        # a moment
        (["UPDATE ledger_entries SET recorded_at = now() WHERE position = 590"], [(Kind.ENTRY, 590), (Kind.TIME, 590)]),
        (["UPDATE ledger_entries SET recorded_at = '2001-01-01' WHERE position = 15"],
         [(Kind.ENTRY, 15), (Kind.TIME, 15)]),
        # the index by which entries are found
        (["DELETE FROM ledger_tags WHERE position = 21 AND tag = '甲'"], [(Kind.TAGS, 21)]),
        (["INSERT INTO ledger_tags VALUES ('thing:x', 'Thing', 33)"], [(Kind.TAGS, 33)]),
        (["UPDATE ledger_tags SET tag = 'thing:x' WHERE position = 44 AND tag = 'thing:2'"],
         [(Kind.TAGS, 44)]),
        # an entry gone, from the middle and from the end
        (["DELETE FROM ledger_entries WHERE position = 123"],
         [(Kind.MISSING, 123), (Kind.TAGS, 123)]),
        (["DELETE FROM ledger_entries WHERE position >= 590",
          "DELETE FROM ledger_tags WHERE position >= 590"], [(Kind.MISSING, 590)]),
        (["DELETE FROM ledger_entries WHERE position = 595",
          "DELETE FROM ledger_tags WHERE position = 595"], [(Kind.MISSING, 595)]),
        (SWAP, [(Kind.ENTRY, 20), (Kind.TAGS, 20), (Kind.TIME, 21)]),
        # an entry and its sealed hash
        ([f"{FLIP} WHERE level = 0 AND first = 10"], [(Kind.ENTRY, 11), (Kind.HEAD, 11), (Kind.TREE, 1)]),
        ([f"{FLIP} WHERE level = 1"], [(Kind.TREE, 1)]),
        (["DELETE FROM ledger_seal_tiles WHERE level = 0 AND first >= 300"], [(Kind.TREE, 301)]),
        # a head
        (["UPDATE ledger_seal_heads SET recorded_at = '2001-01-01' WHERE size = 300"],
         [(Kind.TIME, 300)]),
        ([OTHER_HEAD], [(Kind.HEAD, 11)]),
    ],
)  # fmt: skip
def test_the_first_altered_entry_is_named(database, kept, key, statements, expected):
    tamper(database, *statements)
    verdict = verify(database, Trust(key))
    assert [(f.kind, f.position) for f in verdict.findings] == sorted(
        expected, key=lambda one: (one[1], one[0])
    )
    assert verdict.exit_code == verdict.findings[0].kind
    for finding in verdict.findings:
        assert any(str(n) in finding.en for n in (finding.position, ENTRIES, SEALED, 300))
        assert finding.zh


def forged(database, sealer, key):
    """A head under another key, over the tree as it is."""
    last = sealer.seals.last()
    note = Note(last.note.text).signed([signer(last.head.origin, key)])
    text = str(note).replace("'", "''")
    tamper(database, f"UPDATE ledger_seal_heads SET note = '{text}' WHERE size = {SEALED}")


def test_a_head_signed_by_another_key_is_found(database, sealer, kept, key):
    forged(database, sealer, Ed25519PrivateKey.generate())
    assert found(database, key=key) == [(Kind.SIGNATURE, SEALED)]
    stranger = public(key.name, Ed25519PrivateKey.generate())
    assert found(database, key=stranger) == [(Kind.SIGNATURE, 10)]


def resealed(database, sealer, *statements):
    """History is rewritten and sealed anew with the stolen key."""
    tamper(database, *statements, "DELETE FROM ledger_seal_tiles", "DELETE FROM ledger_seal_heads")
    assert isinstance(sealer, Sealer)
    sealer.catch_up()


def test_a_history_rewritten_with_the_stolen_key_is_found_by_the_witness(
    database, sealer, kept, key
):
    resealed(
        database, sealer,
        "UPDATE ledger_entries SET data = set_byte(data, 0, 1) WHERE position = 77",
    )  # fmt: skip
    assert found(database, key=key) == []
    assert found(database, key=key, kept=kept.note) == [(Kind.WITNESS, 1)]


def test_an_end_cut_off_with_its_seals_is_found_by_the_witness(database, sealer, kept, key):
    resealed(
        database, sealer,
        "DELETE FROM ledger_entries WHERE position > 580",
        "DELETE FROM ledger_tags WHERE position > 580",
    )  # fmt: skip
    assert found(database, key=key) == []
    [finding] = verify(database, Trust(key, kept.note)).findings
    assert finding[:2] == (Kind.WITNESS, 581)
    assert "590" in finding.en


def test_what_a_witness_keeps_of_another_log_is_found(database, kept, key):
    other = Note(Head("personnel-ledger/other", 5, bytes(32)).text())
    assert found(database, key=key, kept=other) == [(Kind.WITNESS, 1)]
    assert found(database, key=key, kept=Note("no head\n")) == [(Kind.WITNESS, 1)]


def test_a_guard_taken_off_is_found(database, kept, key):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger_entries_000000 DISABLE TRIGGER deny_change")
    [finding] = verify(database, Trust(key)).findings
    assert finding[:2] == (Kind.GUARD, 0)
    assert "ledger_entries_000000" in finding.en


def test_a_guard_that_guards_nothing_is_found(database, kept, key):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION ledger_deny() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NULL; END'"
        )
    assert found(database, key=key) == [(Kind.GUARD, 0)]


def test_an_entry_put_ahead_of_the_first_is_found(database, kept, key):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE ledger_entries_ahead PARTITION OF ledger_entries"
            " FOR VALUES FROM (-10) TO (1);"
            "INSERT INTO ledger_entries VALUES (-5, '2001-01-01', 'T', '{}', '')"
        )
    assert (Kind.ENTRY, -5) in found(database, key=key)


def test_a_partition_taken_out_is_found(database, kept, key):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger_entries DETACH PARTITION ledger_entries_000000")
    kinds = {kind for kind, _ in found(database, key=key)}
    assert {Kind.GUARD, Kind.MISSING, Kind.TAGS} <= kinds


def test_a_log_whose_seals_were_all_removed_is_found(database, kept, key):
    tamper(
        database, "DELETE FROM ledger_seal_tiles", "DELETE FROM ledger_seal_heads",
        "UPDATE ledger_entries SET recorded_at = recorded_at - interval '2 minutes'",
    )  # fmt: skip
    assert found(database, key=key) == [(Kind.UNSEALED, 1)]


def test_a_head_over_swapped_roots_is_not_signed(database, sealer, kept, key):
    root = b64encode(bytes(32)).decode()
    text = str(kept.note).split("\n")
    text[2] = root
    tamper(
        database,
        "UPDATE ledger_seal_heads SET note = '{}' WHERE size = {}".format("\n".join(text), SEALED),
    )
    assert set(found(database, key=key)) == {(Kind.HEAD, 301), (Kind.SIGNATURE, SEALED)}


def test_what_was_acknowledged_and_is_not_there_is_found_before_any_seal(
    database, sealer, log, enter, kept, key
):
    enter(2)
    receipt = sealer.receipt(601, 602)
    assert found(database, key=key, receipts=[receipt]) == []
    assert found(database, receipts=[receipt]) != []
    stranger = Note(receipt.text).signed([signer(key.name, Ed25519PrivateKey.generate())])
    assert found(database, key=key, receipts=[stranger]) == [(Kind.RECEIPT, 1)]
    tamper(database, "UPDATE ledger_entries SET data = '' WHERE position = 601")
    assert found(database, key=key, receipts=[receipt]) == [(Kind.RECEIPT, 601)]
    tamper(
        database, "DELETE FROM ledger_entries WHERE position > 600",
        "DELETE FROM ledger_tags WHERE position > 600",
    )  # fmt: skip
    assert found(database, key=key) == []
    assert found(database, key=key, receipts=[receipt]) == [(Kind.RECEIPT, 601)]
