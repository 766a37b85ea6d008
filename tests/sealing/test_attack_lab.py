"""The attack lab: a superuser with SQL of his own, and where said with the keys. Each is found out.

What finds it is `verify`, the witness or the check of a bundle, and what it says names the place.
"""

import json
import zipfile
from datetime import date
from types import SimpleNamespace

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from api.settings import Bureau
from domain.acts.packs import PackPublished
from domain.acts.people import PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.acts.rewards import RewardGranted
from domain.acts.units import UnitEstablished
from domain.bitemporal import AsOf
from domain.law import Pack, load_packs
from domain.ledger import Request
from domain.ledger.wrapping import key_encryption_key
from domain.merkle import leaf
from domain.notes import Head, Note, public, signer
from replay.check import check
from replay.contents import findings
from replay.evidence import Unprovable, Wanted, export
from replay.findings import Asked
from replay.findings import Kind as Found
from replay.seals import Kind, Trust, merged, verify
from replay.witness import OtherSize, Rewritten, Witness, ask
from tests.given import act
from tests.sealing.test_tampering import tamper

DAY = date(2022, 3, 1)
PACK, FIRST, LAST = 1, 7, 8
"""Where a pack is published, the first of two rewards of one moment, and the second."""


def enter(bureau, *acts):
    proposals = [act(one, DAY) for one in acts]
    return bureau.ledger.enter(Request(proposals, mood="attested")).entries


def reward(person, kind="merit"):
    return RewardGranted(person=person, kind=kind)


@pytest.fixture
def lab(settings, database, tmp_path):
    """A ledger under two heads, the later one kept by a witness; receipts of every entry."""
    own = settings._replace(database=database, seal_key_file=tmp_path / "seal.key")
    with Bureau(own) as bureau:
        yield prepared(bureau, database, tmp_path)


def prepared(bureau, database, tmp_path):
    start(bureau)
    return witnessed(bureau, database, tmp_path)


def start(bureau):
    pack = load_packs()["000000"]
    enter(bureau, PackPublished.of(pack))
    enter(bureau, UnitEstablished(unit="u1", name="所"))
    for person, number in (("a", "11010519491231002X"), ("b", "320500199101010025")):
        enter(bureau, PersonRegistered(person=person, name=f"人{person}", id_number=number))
    bureau.sealer.catch_up()
    enter(bureau, *(AuxiliaryHired(person=p, unit="u1", category="field") for p in "ab"))
    for kind in ("merit", "commendation"):
        enter(bureau, reward("a", kind))


def cosigned(lab):
    seals = lab.bureau.sealer.seals
    kept = lab.witness.kept(lab.key.name)
    size = Head.of(kept.text).size if kept else 0
    return lab.witness.add(str(ask(seals, seals.last(), size)))


def verdict(lab, *, witnessed=False, receipts=()):
    kept = lab.witness.kept(lab.key.name) if witnessed else None
    given = lab.witness.verifier if witnessed else None
    found = verify(lab.database, Trust(lab.key, kept, given, receipts))
    return merged(found, findings(lab.bureau.ledger.log, lab.bureau.ledger.vault, found.position))


def found(lab, **asked):
    return {finding.kind: finding for finding in verdict(lab, **asked).findings}


def named(finding, *words):
    """The sentences name it, in both languages."""
    assert all(str(word) in finding.en for word in words), finding
    assert str(words[0]) in finding.zh
    return True


def rows(lab):
    return [leaf(*entry) for entry in lab.bureau.ledger.log.entries()]


def rehashed(lab):
    """Every stored hash is made anew over the rows as they now are; the heads stay."""
    with psycopg.connect(lab.database) as connection:
        connection.execute("ALTER TABLE ledger_seal_tiles DISABLE TRIGGER deny_change")
        sizes = connection.execute(
            "SELECT first, length(hashes) / 32 FROM ledger_seal_tiles WHERE level = 0"
        ).fetchall()
        for first, count in sizes:
            hashes = b"".join(rows(lab)[first : first + count])
            connection.execute(
                "UPDATE ledger_seal_tiles SET hashes = %s WHERE level = 0 AND first = %s",
                (hashes, first),
            )
        connection.execute("ALTER TABLE ledger_seal_tiles ENABLE ALWAYS TRIGGER deny_change")


def resealed(lab):
    """With the stolen key: all hashes and heads are made anew and signed."""
    tamper(lab.database, "DELETE FROM ledger_seal_tiles", "DELETE FROM ledger_seal_heads")
    lab.bureau.sealer.catch_up()


def edit(position, old="merit", new="worst"):
    return (
        f"UPDATE ledger_entries SET data = replace(convert_from(data, 'UTF8'), '{old}', '{new}')"
        f"::bytea WHERE position = {position}"
    )


TABLES = ("entries", "tags", "event_ids")


def delete(where):
    return [f"DELETE FROM ledger_{table} WHERE {where}" for table in TABLES]


def renumbered(by, where):
    """Positions moved, past one another by way of the far end of the partition."""
    far = 500_000
    return [
        f"UPDATE ledger_{table} SET position = position + {step} WHERE {condition}"
        for table in TABLES
        for step, condition in ((far, where), (by - far, f"position > {far // 2}"))
    ]


def test_nothing_is_found_where_nothing_was_done(lab):
    assert verdict(lab, witnessed=True).findings == []
    assert len(rows(lab)) == LAST


# rows


def test_row_edited(lab):
    tamper(lab.database, edit(FIRST))
    assert named(found(lab)[Kind.ENTRY], FIRST, "content")


def test_row_edited_with_its_stored_hash_recomputed(lab):
    tamper(lab.database, edit(FIRST))
    rehashed(lab)
    assert named(found(lab)[Kind.HEAD], LAST, "altered together with its hash")
    assert found(lab)[Kind.HEAD].position == 5  # the first after the last head that is right


def test_time_backdated(lab):
    tamper(lab.database, "UPDATE ledger_entries SET recorded_at = recorded_at - interval '9 days'"
           f" WHERE position = {FIRST}")  # fmt: skip
    assert named(found(lab)[Kind.ENTRY], FIRST, "time")
    assert named(found(lab)[Kind.TIME], FIRST)
    rehashed(lab)
    assert named(found(lab)[Kind.TIME], FIRST, "recorded before")


def test_row_deleted(lab):
    tamper(lab.database, *delete(f"position = {FIRST}"))
    assert named(found(lab)[Kind.MISSING], FIRST)


def test_row_deleted_and_renumbered(lab):
    tamper(lab.database, *delete(f"position = {FIRST}"), *renumbered(-1, f"position > {FIRST}"))
    assert named(found(lab)[Kind.ENTRY], FIRST)
    assert named(found(lab)[Kind.MISSING], LAST)
    rehashed(lab)
    assert named(found(lab)[Kind.TREE], LAST)
    resealed(lab)
    assert found(lab) == {}
    assert named(found(lab, witnessed=True)[Kind.WITNESS], LAST, "cut off")


def test_row_inserted(lab):
    copy = (
        (
            "INSERT INTO ledger_entries SELECT {0}, e.recorded_at, e.type, e.tags, e.data"
            " FROM ledger_entries e WHERE position = {1}"
        ),
        "INSERT INTO ledger_tags SELECT tag, type, {0} FROM ledger_tags WHERE position = {1}",
    )
    tamper(lab.database, *renumbered(1, f"position > {FIRST}"),
           *(one.format(FIRST + 1, FIRST) for one in copy))  # fmt: skip
    assert named(found(lab)[Kind.ENTRY], FIRST + 1)
    rehashed(lab)
    assert Kind.HEAD in found(lab)
    resealed(lab)
    assert named(found(lab, witnessed=True)[Kind.WITNESS], LAST, "rewritten")


def test_rows_swapped(lab):
    tamper(
        lab.database,
        f"UPDATE ledger_entries SET position = 9000 WHERE position = {FIRST}",
        f"UPDATE ledger_entries SET position = {FIRST} WHERE position = {LAST}",
        f"UPDATE ledger_entries SET position = {LAST} WHERE position = 9000",
    )
    assert named(found(lab)[Kind.ENTRY], FIRST)
    assert found(lab)[Kind.ENTRY].total == 2


# seals, keys and backups


def test_tail_truncated_with_its_seals(lab):
    tamper(lab.database, *delete("position > 4"), "DELETE FROM ledger_seal_heads WHERE size > 4",
           "DELETE FROM ledger_seal_tiles WHERE first >= 4")  # fmt: skip
    assert found(lab) == {}
    assert named(found(lab, witnessed=True)[Kind.WITNESS], LAST, 4, "cut off")
    with pytest.raises(OtherSize):
        lab.witness.add(str(ask(lab.bureau.sealer.seals, lab.bureau.sealer.seals.last(), 0)))


def test_row_edited_rehashed_and_resigned_with_the_stolen_key(lab):
    tamper(lab.database, edit(FIRST))
    resealed(lab)
    assert found(lab) == {}
    assert named(found(lab, witnessed=True)[Kind.WITNESS], LAST, "rewritten")
    enter(lab.bureau, reward("b"))
    lab.bureau.sealer.catch_up()
    with pytest.raises(Rewritten):
        cosigned(lab)


def test_old_backup_restored_and_continued(settings, server, database, other_database, tmp_path):
    own = settings._replace(database=database, seal_key_file=tmp_path / "seal.key")
    with Bureau(own) as bureau:
        start(bureau)
    copied(server, database, other_database)
    with Bureau(own) as bureau:
        bureau.sealer.catch_up()
        enter(bureau, reward("a", "excellent"))
        lab = witnessed(bureau, database, tmp_path)
    with Bureau(own._replace(database=other_database)) as bureau:
        for _ in range(2):
            enter(bureau, reward("b"))
        bureau.sealer.catch_up()
        restored = SimpleNamespace(**vars(lab) | {"bureau": bureau, "database": other_database})
        assert found(restored) == {}
        assert named(found(restored, witnessed=True)[Kind.WITNESS], LAST + 1, "rewritten")
        with pytest.raises(Rewritten):
            cosigned(restored)


def witnessed(bureau, database, tmp_path):
    bureau.sealer.catch_up()
    key = public(bureau.sealer.seals.origin(), bureau.sealer.key())
    witness = Witness(tmp_path / "witness", "auditor/w", [key], lambda: 1_700_000_000)
    lab = SimpleNamespace(bureau=bureau, database=database, key=key, witness=witness)
    cosigned(lab)
    return lab


def copied(server, database, other):
    names = [Identifier(conninfo_to_dict(one)["dbname"]) for one in (other, database)]
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as control:
        control.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(names[0]))
        control.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))


def test_head_forged(lab):
    last = lab.bureau.sealer.seals.last()
    forged = Note(last.note.text).signed([signer(lab.key.name, Ed25519PrivateKey.generate())])
    text = str(forged).replace("'", "''")
    tamper(lab.database, f"UPDATE ledger_seal_heads SET note = '{text}' WHERE size = {LAST}")
    assert named(found(lab)[Kind.SIGNATURE], LAST, "no valid signature")


# the index


def test_tag_rows_deleted(lab):
    tamper(lab.database, f"DELETE FROM ledger_tags WHERE position = {FIRST}")
    assert named(found(lab)[Kind.TAGS], FIRST, "lacks", "person:a")


def test_tag_rows_added(lab):
    tamper(lab.database, f"INSERT INTO ledger_tags VALUES ('person:b', 'RewardGranted', {FIRST})")
    assert named(found(lab)[Kind.TAGS], FIRST, "beyond the entry", "person:b")


def test_event_ids_deleted_added_or_exchanged(lab):
    """By its id an entry is corrected, annulled and found again."""
    ids = dict(enumerate(rows_of_ids(lab), 1))
    tamper(lab.database, f"DELETE FROM ledger_event_ids WHERE position = {FIRST}")
    assert named(found(lab)[Kind.TAGS], FIRST, "index of event ids lacks")
    tamper(lab.database, f"INSERT INTO ledger_event_ids VALUES ('{ids[FIRST]}', {FIRST})")
    assert found(lab) == {}
    tamper(lab.database, f"INSERT INTO ledger_event_ids VALUES (gen_random_uuid(), {FIRST})")
    assert named(found(lab)[Kind.TAGS], FIRST, "wrongly")
    tamper(lab.database, f"DELETE FROM ledger_event_ids WHERE event_id <> '{ids[FIRST]}'"
              f" AND position = {FIRST}")  # fmt: skip
    tamper(lab.database, f"UPDATE ledger_event_ids SET position = {FIRST + LAST} - position"
              f" WHERE position IN ({FIRST}, {LAST})")  # fmt: skip
    assert named(found(lab)[Kind.TAGS], FIRST)
    assert found(lab)[Kind.TAGS].total == 4


def rows_of_ids(lab):
    query = "SELECT event_id FROM ledger_event_ids ORDER BY position"
    with psycopg.connect(lab.database) as connection:
        return [one for (one,) in connection.execute(query)]


# what lies within: law and keys


def test_pack_changed_under_its_published_digest(lab, tmp_path):
    pack = load_packs()["000000"]
    changed = pack.text.replace("in-force", "reported", 1)
    assert Pack.parse(changed).digest != pack.digest
    old, new = (json.dumps(text, ensure_ascii=False)[1:-1] for text in (pack.text, changed))
    with psycopg.connect(lab.database) as connection:
        literal = connection.execute("SELECT quote_literal(%s), quote_literal(%s)", (old, new))
        [[before, after]] = literal.fetchall()
    tamper(
        lab.database,
        f"UPDATE ledger_entries SET data = convert_to(replace(convert_from(data, 'UTF8'), {before},"
        f" {after}), 'UTF8') WHERE position = {PACK}",
    )
    assert named(found(lab)[Kind.ENTRY], PACK)
    assert named(found(lab)[Kind.DIGEST], PACK, "000000")
    resealed(lab)  # with the stolen key: seals no longer tell, the digest does
    lab.key = public(lab.bureau.sealer.seals.origin(), lab.bureau.sealer.key())
    assert found(lab).keys() == {Kind.DIGEST}
    list(lab.bureau.runner.catch_up())
    bundle = exported(lab, tmp_path / "b.zip")
    [finding] = check(bundle, Asked()).findings
    assert finding.kind == Found.DIGEST
    assert f"entry {PACK}" in finding.en


@pytest.mark.parametrize("stolen", [False, True])
def test_key_swapped_between_persons(lab, settings, tmp_path, stolen):
    """The wrapped keys of two persons change places; with the key-encryption key stolen, each is
    wrapped anew under the other's name.
    """
    vault = lab.bureau.ledger.vault
    wrapped = {o.subject: w for o, w in vault.wrapped_keys() if o.cls == "identity"}
    if stolen:
        assert key_encryption_key(settings.kek_path) == lab.bureau.kek
        opened = {who: vault._wrapping.unwrap(wrapped[who], f"{who}|identity") for who in "ab"}
        swapped = {a: vault._wrapping.wrap(opened[b], f"{a}|identity") for a, b in ("ab", "ba")}
    else:
        swapped = {"a": wrapped["b"], "b": wrapped["a"]}
    put = "UPDATE data_keys SET wrapped = %s WHERE subject = %s AND class = 'identity'"
    with psycopg.connect(settings.vault, autocommit=True) as connection:
        for who, key in swapped.items():
            connection.execute(put, (key, who))
    try:
        with Bureau(lab.bureau.settings) as again:  # as the nightly verify does
            lab.bureau = again
            assert named(found(lab)[Kind.KEY], 3, "name", "a (identity)")
            assert found(lab)[Kind.KEY].total == 2
            list(again.runner.catch_up())
            with pytest.raises(Unprovable, match="entry 3 does not open"):
                exported(lab, tmp_path / "b.zip", disclose=frozenset({"identity"}))
    finally:
        with psycopg.connect(settings.vault, autocommit=True) as connection:
            for who in "ab":
                connection.execute(put, (wrapped[who], who))


@pytest.mark.parametrize("claims", [
    ["UPDATE ledger_claims SET blind = decode(md5(subject), 'hex') WHERE subject = 'a'"],
    ["UPDATE ledger_claims SET subject = 'x' WHERE subject = 'a'",
     "UPDATE ledger_claims SET subject = 'a' WHERE subject = 'b'"],
    ["INSERT INTO ledger_claims VALUES ('id-number', 'a-stranger', '\\x00')"],
])  # fmt: skip
def test_id_numbers_exchanged_in_the_keyed_lookup(lab, claims):
    """Whoever asks for a number would be shown another's record."""
    for statement in claims:
        with psycopg.connect(lab.database) as connection:
            assert connection.execute(statement).rowcount
    assert named(found(lab)[Kind.TAGS], "id-number", "who never stated that value")


# what leaves the house, and what is put away


def exported(lab, path, **wanted):
    bureau = lab.bureau
    pair = AsOf(DAY, bureau.ledger.log.head())
    export(bureau.ledger, bureau.records, bureau.sealer, Wanted(pair, **wanted), path)
    return path


def test_bundle_with_one_byte_flipped(lab, tmp_path):
    list(lab.bureau.runner.catch_up())
    path = exported(lab, tmp_path / "b.zip", persons=["a"])
    assert check(path, Asked(str(lab.key))).findings == []
    raw = path.read_bytes()
    place = raw.index(b'"merit"') + 2
    path.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
    [first, *_] = check(path, Asked(str(lab.key))).findings
    assert first.kind == Found.ENTRY
    assert f"entry {FIRST} is not what was sealed" in first.en
    with zipfile.ZipFile(path) as held:
        starts = {info.filename: info.header_offset for info in held.infolist()}
    for name in ("leaves.bin", "proofs.json", "codebook.json", "report.json", "manifest.json"):
        place = starts[name] + 30 + len(name) + 20 + 2
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        assert check(path, Asked(str(lab.key))).exit_code, name


def test_partition_detached_without_its_archive(lab):
    with psycopg.connect(lab.database, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger_entries DETACH PARTITION ledger_entries_000000")
    seen = found(lab)
    assert named(seen[Kind.GUARD], "ledger_entries_000000", "detached")
    assert named(seen[Kind.MISSING], 1)
    with psycopg.connect(lab.database, autocommit=True) as connection:
        connection.execute("DROP TABLE ledger_entries_000000")
    assert named(found(lab)[Kind.MISSING], 1)
    assert found(lab)[Kind.MISSING].total == LAST


# before the seal


def test_rows_not_yet_sealed_are_caught_by_receipts(lab):
    entered = [enter(lab.bureau, reward("b", kind))[0] for kind in ("merit", "commendation")]
    positions = [one.position for one in entered]
    receipts = [lab.bureau.sealer.receipt(one, one) for one in positions]
    assert found(lab, receipts=receipts) == {}
    tamper(lab.database, edit(positions[0]), *delete(f"position = {positions[1]}"))
    lab.bureau.sealer.catch_up()
    assert found(lab) == {}
    finding = found(lab, receipts=receipts)[Kind.RECEIPT]
    assert named(finding, positions[0], "has another")
    assert finding.total == 2
