"""The attack lab, around the entries: a superuser changes what reads them, finds them, dates them
and opens their private fields. What is found out names the place.
"""

import psycopg
import pytest

from api.settings import Bureau
from domain.acts.identity import PersonsMerged
from domain.acts.people import PersonDetailsChanged, PersonRegistered
from domain.acts.privacy import EscrowHolderNamed, PrivateDataDestroyed, PrivateDataRestricted
from domain.events import FactAnnulled
from domain.ledger import Request
from domain.ledger.escrow import new_holder
from replay import reads
from replay.seals import Kind, Trust
from tests.given import act
from tests.sealing.test_attack_lab import DAY, LAST, cosigned, enter, found, named, prepared, reward
from tests.sealing.test_tampering import tamper

REWARD = "RewardGranted"
OTHER, THIRD = "320500199202020038", "320500199303030032"


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
        [made] = connection.execute("SELECT pg_get_functiondef(%s::regproc)", [function]).fetchone()
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
        "CREATE TRIGGER more BEFORE UPDATE ON ledger_claims EXECUTE FUNCTION ledger_deny()",
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


FORGED = (
    "INSERT INTO ledger_entries SELECT position, recorded_at, type, tags,"
    " replace(convert_from(data, 'UTF8'), 'merit', 'worst')::bytea"
    " FROM ledger_entries WHERE position = 7"
)


@pytest.mark.parametrize("first", [True, False])
def test_second_row_at_a_position(attacked, first):
    """Beside the row that was sealed, which is left as it is, and whichever of them is read first."""
    run(attacked.database, "ALTER TABLE ledger_entries DROP CONSTRAINT ledger_entries_pkey", FORGED)
    if first:
        again = "UPDATE ledger_entries SET type = type WHERE position = 7 AND data LIKE '%merit%'"
        tamper(attacked.database, again)
    assert [e.position for e in attacked.bureau.ledger.log.entries()].count(7) == 2
    seen = found(attacked)
    assert named(seen[Kind.ENTRY], 7, "not what was sealed")
    assert named(seen[Kind.GUARD], "ledger_entries", "primary key")


def test_primary_key_taken_off(attacked):
    run(attacked.database, "ALTER TABLE ledger_seal_heads DROP CONSTRAINT ledger_seal_heads_pkey"
                           " CASCADE")  # fmt: skip
    assert named(found(attacked)[Kind.GUARD], "ledger_seal_heads", "primary key")


@pytest.mark.parametrize(
    "index", ["tags_type", "tags_pkey", "entries_000000_pkey", "event_ids_pkey"]
)
def test_index_that_was_not_kept_while_an_entry_came(attacked, index):
    """The row is there and sealed, and no search finds it."""
    ready = f"UPDATE pg_index SET indisready = %s WHERE indexrelid = 'ledger_{index}'::regclass"
    bureau, ways = (
        attacked.bureau,
        ({"tags": ["person:a"]}, {"tags": ["person:a"], "types": [REWARD]}),
    )
    run(attacked.database, ready.replace("%s", "false"))
    with Bureau(bureau.settings) as again:
        [entered] = enter(again, reward("a", "excellent"))
        again.sealer.catch_up()
    run(attacked.database, ready.replace("%s", "true"))
    with Bureau(bureau.settings) as again:
        seen = [[e.position for e in again.ledger.entries(**way)] for way in ways]
        assert all(entered.position in way for way in seen) is (index == "event_ids_pkey"), seen
    whole = f"ledger_{index.replace('_000000', '')}"
    assert named(found(attacked)[Kind.GUARD], whole, "lacks rows")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW other.ledger_entries AS SELECT * FROM public.ledger_entries WHERE position <> 7",
        "CREATE TABLE other.ledger_tags (LIKE public.ledger_tags)",
        "CREATE FUNCTION other.ledger_probe(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION other.array_to_string(text[], text) RETURNS text LANGUAGE sql AS 'SELECT $2'",
        "CREATE FUNCTION public.unnest(text[]) RETURNS SETOF text LANGUAGE sql AS 'SELECT $1[1]'",
        "CREATE OPERATOR other.= (FUNCTION = texteq, LEFTARG = text, RIGHTARG = text)",
    ],
)
def test_same_name_elsewhere_that_a_role_could_be_shown(attacked, statement):
    """`ALTER ROLE … SET search_path` shows it to the application, and the rows to who verifies."""
    run(attacked.database, "CREATE SCHEMA other", statement)
    assert "bears a name" in found(attacked)[Kind.GUARD].en


# the keyed lookup, and the keys


def test_id_numbers_deleted_from_the_keyed_lookup(attacked):
    """Another person could be entered with the same number."""
    run(attacked.database, "DELETE FROM ledger_claims WHERE subject = 'b'")
    assert named(found(attacked)[Kind.TAGS], 4, "lacks", "b stated")
    run(attacked.database, "DELETE FROM ledger_claims")
    assert named(found(attacked)[Kind.TAGS], 3, "lacks", "a stated")
    assert found(attacked)[Kind.TAGS].total == 2


def test_earlier_id_number_put_back_into_the_keyed_lookup(attacked):
    """The number that stands is free again, though the person holds a row."""
    lookup = "SELECT blind FROM ledger_claims WHERE subject = 'a'"
    with psycopg.connect(attacked.database) as connection:
        [earlier] = connection.execute(lookup).fetchone()
    entered = enter(attacked.bureau, PersonDetailsChanged(person="a", id_number=OTHER))
    attacked.bureau.sealer.catch_up()
    assert found(attacked) == {}
    with psycopg.connect(attacked.database) as connection:
        connection.execute("UPDATE ledger_claims SET blind = %s WHERE subject = 'a'", [earlier])
    assert named(found(attacked)[Kind.TAGS], entered[0].position, "lacks", "a stated")


def test_id_number_that_no_longer_stands_needs_no_row(attacked):
    """Annulled, corrected away, or held by the other of two ids of one person."""
    bureau = attacked.bureau
    one, other = enter(
        bureau,
        PersonRegistered(person="c", id_number=OTHER),
        PersonRegistered(person="d", id_number=THIRD),
    )
    ledger = bureau.ledger
    annul = act(FactAnnulled(), DAY, annuls=one.event_id)
    correct = act(PersonRegistered(person="d"), DAY, supersedes=other.event_id)
    ledger.enter(Request([annul, correct], mood="attested"))
    enter(bureau, PersonRegistered(person="e", id_number=OTHER))
    merge, *_ = enter(bureau, PersonsMerged(kept="e", merged="d"))
    enter(bureau, PersonDetailsChanged(person="d", id_number=OTHER))
    bureau.sealer.catch_up()
    assert found(attacked) == {}
    split = act(FactAnnulled(), DAY, annuls=merge.event_id)
    ledger.enter(Request([split], mood="attested"))
    bureau.sealer.catch_up()
    assert found(attacked) == {}


def wrapped(bureau, who):
    kept = "SELECT subject, class, wrapped FROM data_keys WHERE subject = %s"
    with psycopg.connect(bureau.settings.vault) as connection:
        [row] = connection.execute(kept, [who]).fetchall()
    return row


def put_back(bureau, row, *statements):
    run(bureau.settings.vault, *statements)
    with psycopg.connect(bureau.settings.vault) as connection:
        connection.execute("INSERT INTO data_keys VALUES (%s, %s, %s)", row)


def lost(bureau, *statements):
    """What these take from the vault is put back afterwards: the vault is not the test's own."""
    row = wrapped(bureau, "key1")
    run(bureau.settings.vault, *statements)
    return row


@pytest.mark.parametrize(
    ("forged", "said"), [("", "gone from the vault"), ("destroyed_keys", "marked destroyed")]
)
def test_key_deleted_without_an_entry(attacked, forged, said):
    """What nobody ordered destroyed would read as destroyed by law."""
    bureau = attacked.bureau
    [entered] = enter(bureau, PersonRegistered(person="key1", name="钥", id_number=OTHER))
    bureau.sealer.catch_up()
    assert found(attacked) == {}
    mark = [f"INSERT INTO {forged} VALUES ('key1', 'identity')"] if forged else []
    row = lost(bureau, "DELETE FROM data_keys WHERE subject = 'key1'", *mark)
    try:
        seen = found(attacked)[Kind.KEY]
        assert named(seen, entered.position, "key1 (identity)", said)
    finally:
        put_back(bureau, row, *([f"DELETE FROM {forged} WHERE subject = 'key1'"] if forged else []))


@pytest.mark.parametrize("marked", [False, True])
def test_key_brought_back_after_its_destruction(attacked, marked):
    """From a dump of the vault that should have been destroyed, behind the log's back."""
    bureau, who = attacked.bureau, f"back{marked:d}"
    enter(bureau, PersonRegistered(person=who, name="归", id_number=OTHER))
    row = wrapped(bureau, who)
    [order] = enter(
        bureau,
        PrivateDataDestroyed(person=who, classes=["identity"], ground="art47", approval="1"),
    )
    bureau.sealer.catch_up()
    assert found(attacked) == {}
    put_back(
        bureau, row, *([] if marked else [f"DELETE FROM destroyed_keys WHERE subject = '{who}'"])
    )
    try:
        seen = found(attacked)[Kind.KEY]
        assert named(seen, order.position - 1, f"{who} (identity)", f"entry {order.position}")
        with Bureau(bureau.settings) as again:
            [name] = again.ledger.entries([f"person:{who}"], ["PersonRegistered"])
            told = again.ledger.vault.reveal({"name": name.fields["name"]})
        assert (told == {"name": {"erased": True}}) is marked
    finally:
        run(bureau.settings.vault, f"DELETE FROM data_keys WHERE subject = '{who}'")


def test_key_brought_back_out_of_escrow_by_nobody(attacked):
    bureau = attacked.bureau
    enter(bureau, PersonRegistered(person="escrowed", name="人", id_number=OTHER))
    for holder in ("h1", "h2"):
        enter(bureau, EscrowHolderNamed(holder=holder, public_key=new_holder().public_key))
    row = wrapped(bureau, "escrowed")
    [order] = enter(
        bureau,
        PrivateDataRestricted(
            person="escrowed", classes=["identity"], ground="art47", holders=["h1", "h2"]
        ),
    )
    bureau.sealer.catch_up()
    assert found(attacked) == {}
    put_back(bureau, row, "DELETE FROM escrowed_keys WHERE subject = 'escrowed'")
    try:
        seen = found(attacked)[Kind.KEY]
        assert named(seen, LAST + 1, "escrowed (identity)", f"escrow by entry {order.position}")
    finally:
        run(bureau.settings.vault, "DELETE FROM data_keys WHERE subject = 'escrowed'")


def test_keys_that_an_entry_orders_destroyed_or_restricted(attacked):
    bureau = attacked.bureau
    for person, number in (("lab-gone", OTHER), ("lab-kept", THIRD)):
        enter(bureau, PersonRegistered(person=person, name="人", id_number=number))
    for holder in ("h1", "h2"):
        enter(bureau, EscrowHolderNamed(holder=holder, public_key=new_holder().public_key))
    classes, ground = ["identity"], "art47"
    enter(
        bureau,
        PrivateDataDestroyed(person="lab-gone", classes=classes, ground=ground, approval="1"),
    )
    enter(bureau, PrivateDataRestricted(person="lab-kept", classes=classes, ground=ground,
                                        holders=["h1", "h2"]))  # fmt: skip
    bureau.sealer.catch_up()
    bureau.ledger.settle()
    assert found(attacked) == {}


# the heads


@pytest.mark.parametrize("shift", ["- interval '1 day'", "+ interval '1 day'"])
@pytest.mark.parametrize("size", [4, LAST])
def test_moment_of_a_seal_shifted(attacked, size, shift):
    """Who asks for the seals is told it."""
    tamper(
        attacked.database,
        f"UPDATE ledger_seal_heads SET sealed_at = sealed_at {shift} WHERE size = {size}",
    )
    assert named(found(attacked)[Kind.TIME], size, "sealed at")


def test_cosigned_head_deleted(attacked):
    """What the witness added to it is still there."""
    seals = attacked.bureau.sealer.seals
    enter(attacked.bureau, PersonRegistered(person="c"))
    attacked.bureau.sealer.catch_up()
    seals.cosign(LAST + 1, cosigned(attacked).lines[-1])
    enter(attacked.bureau, PersonRegistered(person="d"))
    attacked.bureau.sealer.catch_up()
    assert found(attacked) == {}
    with psycopg.connect(attacked.database) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("ALTER TABLE ledger_seal_heads DISABLE TRIGGER deny_change")
        connection.execute("DELETE FROM ledger_seal_heads WHERE size = %s", [LAST + 1])
        connection.execute("ALTER TABLE ledger_seal_heads ENABLE ALWAYS TRIGGER deny_change")
    assert named(found(attacked)[Kind.HEAD], LAST + 1, "is gone")
