"""The attack lab, around the entries: a superuser changes what reads them, finds them, dates them
and opens their private fields. What is found out names the place.
"""

import psycopg
import pytest

from api.settings import Bureau
from replay import reads
from replay.seals import Kind, Trust
from tests.sealing.test_attack_lab import found, named, prepared


@pytest.fixture
def attacked(settings, database, tmp_path):
    own = settings._replace(database=database, seal_key_file=tmp_path / "seal.key")
    with Bureau(own) as bureau:
        yield prepared(bureau, database, tmp_path)


def run(conninfo, *statements):
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


# the functions and triggers


def body(database, function):
    with psycopg.connect(database) as connection:
        [made] = connection.execute(
            "SELECT pg_get_functiondef(%s::regproc)", [function]
        ).fetchone()
    return made


def test_probe_that_skips_a_position(attacked):
    """Whoever asks for the history would be shown it without that entry."""
    made = body(attacked.database, "ledger_probe")
    skipping = made.replace("t.position > $3", "t.position > $3 AND t.position <> 7")
    assert skipping != made
    run(attacked.database, skipping)
    assert named(found(attacked)[Kind.GUARD], "ledger_probe", "not the one")


def test_position_at_replaced_by_a_constant(attacked):
    run(
        attacked.database,
        "CREATE OR REPLACE FUNCTION ledger_position_at(instant timestamptz) RETURNS bigint"
        " LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN 5; END'",
    )
    assert named(found(attacked)[Kind.GUARD], "ledger_position_at", "not the one")


@pytest.mark.parametrize(
    "alter",
    [
        "ALTER FUNCTION ledger_probe STRICT",
        "ALTER FUNCTION ledger_probe SET search_path = elsewhere",
        "ALTER FUNCTION ledger_append SECURITY INVOKER",
        "ALTER FUNCTION ledger_append_straight RENAME TO gone",
        "CREATE FUNCTION ledger_probe(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_function_altered_where_its_text_stays(attacked, alter):
    run(attacked.database, alter)
    assert named(found(attacked)[Kind.GUARD], "ledger_")


@pytest.mark.parametrize(
    "trigger",
    [
        "BEFORE INSERT ON {} FOR EACH STATEMENT WHEN (false)",
        "BEFORE UPDATE OR DELETE OR TRUNCATE ON {} FOR EACH STATEMENT WHEN (false)",
        "BEFORE UPDATE OF type OR DELETE OR TRUNCATE ON {} FOR EACH STATEMENT",
        "AFTER UPDATE OR DELETE OR TRUNCATE ON {} FOR EACH STATEMENT",
    ],
)
def test_trigger_of_the_same_name_that_guards_nothing(attacked, trigger):
    table = "ledger_entries_000000"
    run(
        attacked.database,
        f"DROP TRIGGER deny_change ON {table}",
        f"CREATE TRIGGER deny_change {trigger.format(table)} EXECUTE FUNCTION ledger_deny()",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER deny_change",
    )
    assert named(found(attacked)[Kind.GUARD], table, "another")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE RULE lost AS ON INSERT TO ledger_claims DO INSTEAD NOTHING",
        "ALTER TABLE ledger_tags ENABLE ROW LEVEL SECURITY",
        "CREATE TRIGGER more BEFORE INSERT ON ledger_entries_000000 FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    ],
)
def test_something_put_between_a_table_and_its_readers(attacked, statement):
    run(attacked.database, statement)
    assert named(found(attacked)[Kind.GUARD], "ledger_", "does not make")


def test_function_of_the_log_of_reads_replaced(attacked):
    run(attacked.database, "ALTER FUNCTION reads_ordered_cut RESET search_path")
    [finding] = reads.verify(attacked.database, Trust(attacked.key)).findings
    assert finding.kind is Kind.GUARD
    assert "reads_ordered_cut" in finding.en
