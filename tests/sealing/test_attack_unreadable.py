"""The attack lab, rows that nothing can read: a superuser puts there what no parser takes. `verify`
says which row it is all the same.
"""

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from replay.seals import Kind
from tests.sealing.test_attack_around import attacked as attacked  # noqa: PLC0414 - a fixture
from tests.sealing.test_attack_around import run
from tests.sealing.test_attack_lab import LAST, cosigned, found, named, resealed
from tests.sealing.test_tampering import tamper

PACK, PERSON = 1, 3

ENTRIES = [
    *(f"data = '{data}'::bytea" for data in ("garbage", "{}", "[]", r"\xff00", '{"fields":[]}')),
    *(
        f"type = '{type_}'"
        for type_ in ("SealKeyChanged", "PrivateDataDestroyed", "ReadsSealed", "ReadsCut")
    ),
    *(f"recorded_at = '{at}'" for at in ("infinity", "-infinity", "0044-03-15 BC", "20000-01-01")),
]


@pytest.mark.parametrize("position", [PACK, PERSON])
@pytest.mark.parametrize("altered", ENTRIES)
def test_entry_that_cannot_be_read(attacked, altered, position):
    tamper(attacked.database, f"UPDATE ledger_entries SET {altered} WHERE position = {position}")
    assert named(found(attacked)[Kind.ENTRY], position, "not what was sealed")


@pytest.mark.parametrize("altered", ["data = 'garbage'", "type = 'PrivateDataDestroyed'"])
def test_entry_that_cannot_be_read_sealed_with_the_stolen_key(attacked, altered):
    tamper(attacked.database, f"UPDATE ledger_entries SET {altered} WHERE position = {PERSON}")
    resealed(attacked)
    assert named(found(attacked)[Kind.ENTRY], PERSON, "cannot be read")


HEADS = [
    ("note = 'garbage'", Kind.HEAD),
    ("note = ''", Kind.HEAD),
    ("note = E'a\\n1\\nx\\n\\n— a AAAA\\n'", Kind.HEAD),
    ("sealed_at = 'infinity'", Kind.TIME),
    ("sealed_at = '-infinity'", Kind.TIME),
    ("recorded_at = '0044-03-15 BC'", Kind.TIME),
]


@pytest.mark.parametrize("size", [4, LAST])
@pytest.mark.parametrize(("altered", "kind"), HEADS)
def test_head_that_cannot_be_read(attacked, altered, kind, size):
    tamper(attacked.database, f"UPDATE ledger_seal_heads SET {altered} WHERE size = {size}")
    assert named(found(attacked)[kind], size)


@pytest.mark.parametrize(
    "line", ["x", "", "— auditor/w AAAA", "— a AAAAAAAAAAAA\n— a AAAAAAAAAAAA"]
)
def test_line_under_a_head_that_is_none_of_a_witness(attacked, line):
    """It is named, and what is told of the head is told without it."""
    seals = attacked.bureau.sealer.seals
    own = cosigned(attacked).lines[-1]
    seals.cosign(LAST, own)
    tamper(attacked.database, f"INSERT INTO ledger_seal_cosignatures VALUES ({LAST}, '{line}')")
    assert named(found(attacked)[Kind.WITNESS], LAST, "no line of a witness")
    assert own in seals.with_cosignatures(seals.last()).lines


@pytest.fixture
def chosen(attacked, monkeypatch):
    """The command line over the same ledger."""
    own = attacked.bureau.settings
    for name in ("data", "database", "vault", "kek_file", "seal_key_file"):
        monkeypatch.setenv(f"PERSONNEL_LEDGER_{name.upper()}", str(getattr(own, name)))
    return attacked


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("ALTER TABLE ledger_entries RENAME COLUMN type TO kind", "type"),
        ("DROP TABLE ledger_seal_heads CASCADE", "ledger_seal_heads"),
    ],
)
def test_table_that_is_another(chosen, statement, what):
    run(chosen.database, statement)
    told = CliRunner().invoke(app, ["verify", "--key", str(chosen.key)])
    assert "not the ledger's tables" in str(told.exception)
    assert what in str(told.exception)


def test_order_about_keys_that_cannot_be_read(chosen):
    """Nothing is opened by it; whoever brings the ledger's key is told which entry it is."""
    tamper(
        chosen.database,
        f"UPDATE ledger_entries SET type = 'PrivateDataDestroyed' WHERE position = {PERSON}",
    )
    refused = CliRunner().invoke(app, ["record", "a"])
    assert f"entry {PERSON}, an order about keys, cannot be read" in str(refused.exception)
    told = CliRunner().invoke(app, ["--lang", "en", "verify", "--key", str(chosen.key)])
    assert told.exit_code == Kind.ENTRY
    assert f"entry {PERSON} is not what was sealed" in told.output
