"""The log of reads, sealed like the first; each log bears the other out."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx
import psycopg
import pytest

from api.app import create_app
from api.settings import Bureau
from api.witnessing import Cosigning, create_witness
from domain.acts.people import PersonRegistered
from domain.acts.seals import ReadsSealed
from domain.events import Actor, Proposal
from domain.ledger import Request
from domain.ledger.reads import HEAD_NOTED, Read
from domain.ledger.rotation import change_key
from domain.notes import Head, Note, Verifier, public
from domain.refusals import AlreadyRecorded, BadInput, Refusal
from replay.reads import verify
from replay.seals import Kind, Trust
from replay.witness import OtherSize, Witness, WitnessRefuses
from tests.api.conftest import serving
from tests.ledger.test_log_traps import eventually

DAY = date(2022, 1, 4)
GUARDED = (
    "ledger_entries", "ledger_entries_000000", "ledger_tags", "ledger_event_ids",
    "ledger_seal_tiles", "ledger_seal_heads", "ledger_seal_cosignatures",
    "reads_entries", "reads_entries_000000", "reads_tags", "reads_event_ids",
    "reads_seal_tiles", "reads_seal_heads", "reads_seal_cosignatures",
)  # fmt: skip


@pytest.fixture
def own(tmp_path, settings, database) -> Iterator[Bureau]:
    """A bureau with a key of its own; two persons, three reads, both logs sealed and pinned."""
    chosen = settings._replace(
        data=tmp_path, database=database, seal_key_file=tmp_path / "seal.key"
    )
    with Bureau(chosen) as bureau:
        enter(bureau, "p1", "p2")
        read(bureau, "p1", "p2", "p1")
        seal(bureau)
        yield bureau


def enter(bureau: Bureau, *persons: str) -> None:
    for one in persons:
        bureau.ledger.enter(Request([Proposal(PersonRegistered(person=one), DAY)]))


def read(bureau: Bureau, *persons: str) -> None:
    for one in persons:
        bureau.reads.record(Read(Actor(), "test", question="record", persons=[one], subject=one))


def seal(bureau: Bureau) -> None:
    bureau.sealer.catch_up()
    bureau.reads.sealer.catch_up()
    bureau.pinning.pin()
    bureau.reads.sealer.catch_up()


def key(bureau: Bureau) -> Verifier:
    return public(bureau.sealer.seals.origin() or "", bureau.sealer.key())


def found(
    bureau: Bureau, kept: Note | None = None, witness: Verifier | None = None
) -> list[tuple[Kind, int]]:
    verdict = verify(bureau.database, Trust(key(bureau), kept, witness))
    assert all(f.en for f in verdict.findings)
    return [(f.kind, f.position) for f in verdict.findings]


def tamper(bureau: Bureau, *statements: str) -> None:
    """As the superuser does it: the guards are off meanwhile."""
    with psycopg.connect(bureau.database) as connection:
        for table in GUARDED:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER deny_change")
        for statement in statements:
            assert connection.execute(statement).rowcount, statement
        for table in GUARDED:
            connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER deny_change")


def cut(prefix: str, size: int) -> list[str]:
    """The end of a log, with its seals, as if it had never been."""
    return [
        f"DELETE FROM {prefix}seal_heads WHERE size > {size}",
        f"DELETE FROM {prefix}seal_tiles WHERE first >= {size}",
        f"DELETE FROM {prefix}tags WHERE position > {size}",
        f"DELETE FROM {prefix}event_ids WHERE position > {size}",
        f"DELETE FROM {prefix}entries WHERE position > {size}",
    ]


def test_both_logs_verify_under_one_key_and_an_origin_each(own):
    assert found(own) == []
    origins = {own.sealer.seals.origin(), own.reads.sealer.seals.origin()}
    assert len(origins) == 2
    assert verify(own.database, Trust(key(own))).sealed == 4  # three reads and the ledger's head


def test_two_logs_at_rest_stay_at_rest(own):
    sizes = (own.ledger.log.head(), own.reads.log.head())
    for _ in range(3):
        seal(own)
    assert (own.ledger.log.head(), own.reads.log.head()) == sizes
    read(own, "p1")
    seal(own)
    assert (own.ledger.log.head(), own.reads.log.head()) == (sizes[0] + 1, sizes[1] + 2)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE reads_entries SET data = '{}' WHERE position = 2", (Kind.ENTRY, 2)),
        ("UPDATE reads_entries SET tags = '{person:p9}' WHERE position = 1", (Kind.ENTRY, 1)),
        ("DELETE FROM reads_entries WHERE position = 2", (Kind.MISSING, 2)),
        ("DELETE FROM reads_tags WHERE tag = 'person:p2'", (Kind.TAGS, 2)),
        ("UPDATE reads_entries SET recorded_at = '2001-01-01' WHERE position = 3", (Kind.TIME, 3)),
    ],
)
def test_a_read_that_is_altered_or_gone_is_named(own, statement, expected):
    tamper(own, statement)
    assert expected in found(own)


def test_a_change_without_the_superusers_tricks_is_refused(own):
    with psycopg.connect(own.database, autocommit=True) as connection:
        for table in GUARDED:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"DELETE FROM {table}")


def test_reads_cut_off_with_their_seals_are_missed_by_the_ledger(own):
    read(own, "p2")
    seal(own)
    tamper(own, *cut("reads_", 4))
    assert found(own) == [(Kind.WITNESS, 4)]  # the second note in the ledger


def witness_of(bureau: Bureau, folder: Path) -> Witness:
    """One who knows the key of both logs."""
    ours = key(bureau)
    of_reads = ours._replace(name=bureau.reads.sealer.seals.origin() or "")
    return Witness(folder / "witness", "auditor/w", [ours, of_reads], lambda: 1_700_000_000)


def test_reads_cut_off_after_the_last_note_are_missed_by_the_witness(own, tmp_path):
    witness = witness_of(own, tmp_path)
    origin = own.reads.sealer.seals.origin()
    read(own, "p2", "p2")
    own.reads.sealer.catch_up()
    with serving(create_witness(witness)) as port:
        url = f"http://127.0.0.1:{port}"
        asking = Cosigning(own.reads.sealer.seals, url, str(witness.verifier))
        assert asking.ask().size == 6
        kept = witness.kept(origin)
        assert found(own, kept, witness.verifier) == []
        tamper(own, "DELETE FROM reads_seal_cosignatures", *cut("reads_", 4))
        assert found(own) == [], "neither log noted what was cut"
        assert found(own, kept, witness.verifier) == [(Kind.WITNESS, 5)]
        with pytest.raises(OtherSize):
            asking.ask()
        read(own, "p1", "p1", "p1")
        own.reads.sealer.catch_up()
        with pytest.raises(WitnessRefuses, match="422"):
            asking.ask()
    assert (Kind.WITNESS, 1) in found(own, kept, witness.verifier)
    assert witness.kept(origin) == kept


def test_serving_has_both_logs_cosigned(own, tmp_path):
    witness = witness_of(own, tmp_path)
    both = [own.sealer.seals, own.reads.sealer.seals]
    with serving(create_witness(witness)) as port:
        url, by = f"http://127.0.0.1:{port}", str(witness.verifier)
        own.settings = own.settings._replace(witness=url, witness_key=by)
        with serving(create_app(own)) as here:
            assert eventually(lambda: all(seals.cosigned() for seals in both))
            metrics = httpx.get(f"http://127.0.0.1:{here}/metrics").text
    assert "witness_lag_seconds 0.0" in metrics
    for seals in both:
        assert witness.kept(seals.origin()).text == seals.cosigned().note.text


def test_reads_written_anew_under_the_ledgers_own_key_are_not_what_it_noted(own):
    tamper(own, *cut("reads_", 0))
    read(own, "p2", "p2", "p2", "p2", "p2")
    own.reads.sealer.catch_up()
    assert (Kind.WITNESS, 3) in found(own)


def test_a_ledger_cut_off_with_its_seals_is_missed_by_the_reads(own):
    tamper(own, *cut("ledger_", 2))
    assert found(own) == [(Kind.WITNESS, 4)]


def test_another_key_signs_for_both(own):
    change_key(own.ledger, own.sealer, own.reads, Actor())
    read(own, "p1")
    seal(own)
    assert found(own) == []
    newest = own.reads.sealer.seals.last()
    assert newest.note.signed_by(key(own)._replace(name=own.reads.sealer.seals.origin()))
    change_key(own.ledger, own.sealer, own.reads, Actor())
    assert found(own) == []


def test_a_head_of_the_reads_is_noted_once_and_as_it_is(own):
    fields = next(own.ledger.entries(types=[ReadsSealed.__name__])).fields

    def refused(**other) -> type[Refusal]:
        event = ReadsSealed(**{**fields, **other})
        with pytest.raises(Refusal) as refusal:
            own.ledger.enter(Request([Proposal(event, own.ledger.today())]))
        return refusal.type

    assert refused() is AlreadyRecorded
    assert refused(size=fields["size"] - 1) is AlreadyRecorded
    assert refused(size=99) is BadInput
    assert refused(ledger="0123456789abcdef") is BadInput
    assert refused(size=99, note="anything") is BadInput
    noted = [row for row in own.reads.noted() if row.type == HEAD_NOTED]
    assert [Head.of(Note.of(row.said["note"]).text).size for row in noted] == [3]
