"""Owns how the vault's tables and questions are spelt for PostgreSQL.

Invariant: every value travels as a parameter, and a key is only ever wrapped.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Composed

from domain.ledger.sealed import decoded, encoded

SCHEMA = """
CREATE TABLE IF NOT EXISTS data_keys (
    subject text NOT NULL, class text NOT NULL, wrapped bytea NOT NULL,
    PRIMARY KEY (subject, class));
CREATE TABLE IF NOT EXISTS secrets (name text PRIMARY KEY, wrapped bytea NOT NULL);
CREATE TABLE IF NOT EXISTS escrowed_keys (
    subject text NOT NULL, class text NOT NULL, place smallint NOT NULL, mark bytea NOT NULL,
    sealed bytea NOT NULL, PRIMARY KEY (subject, class, place));
CREATE TABLE IF NOT EXISTS destroyed_keys (
    subject text NOT NULL, class text NOT NULL, PRIMARY KEY (subject, class));
CREATE TABLE IF NOT EXISTS settled (position bigint NOT NULL, entry text NOT NULL);
CREATE TABLE IF NOT EXISTS backups (made_at timestamptz PRIMARY KEY);
CREATE TABLE IF NOT EXISTS drafts (
    request text PRIMARY KEY, approver text NOT NULL, subjects text[] NOT NULL,
    sealed bytea NOT NULL, made_at timestamptz NOT NULL DEFAULT clock_timestamp());
-- A deleted row's bytes lie in its table's file until it is written anew.
CREATE OR REPLACE FUNCTION rewrite_keys() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp SET lock_timeout = '5s' AS $$
BEGIN
    CLUSTER data_keys USING data_keys_pkey;
    CLUSTER escrowed_keys USING escrowed_keys_pkey;
    CLUSTER drafts USING drafts_pkey;
END $$;
"""
IS_MADE = """
SELECT bool_and(to_regclass(name) IS NOT NULL) AND to_regproc('rewrite_keys') IS NOT NULL
FROM unnest(ARRAY['data_keys', 'secrets', 'escrowed_keys', 'destroyed_keys', 'settled', 'backups',
                  'drafts']) AS name
"""
WHERE = "SELECT quote_ident(current_schema())"
MAKE_KEYS = """
INSERT INTO data_keys (subject, class, wrapped)
SELECT w.* FROM unnest(%s::text[], %s::text[], %s::bytea[]) AS w (subject, class, wrapped)
WHERE NOT EXISTS (SELECT FROM destroyed_keys d WHERE (d.subject, d.class) = (w.subject, w.class))
  AND NOT EXISTS (SELECT FROM escrowed_keys e WHERE (e.subject, e.class) = (w.subject, w.class))
ON CONFLICT DO NOTHING
"""
FIND_KEYS = """
WITH wanted AS (SELECT * FROM unnest(%s::text[], %s::text[]) AS w (subject, class))
SELECT subject, class, wrapped, 'active' FROM data_keys JOIN wanted USING (subject, class)
UNION ALL
SELECT subject, class, NULL, 'destroyed' FROM destroyed_keys JOIN wanted USING (subject, class)
UNION ALL
SELECT subject, class, NULL, 'restricted' FROM escrowed_keys JOIN wanted USING (subject, class)
WHERE place = 1
"""
TAKE_KEY = "DELETE FROM data_keys WHERE subject = %s AND class = %s RETURNING wrapped"
PUT_KEY = "INSERT INTO data_keys VALUES (%s, %s, %s)"
PUT_ESCROW = "INSERT INTO escrowed_keys VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
EVERY_ESCROW = "SELECT * FROM escrowed_keys ORDER BY subject, class, place"
FIND_ESCROW = (
    "SELECT place, mark, sealed FROM escrowed_keys WHERE subject = %s AND class = %s ORDER BY place"
)
DROP_ESCROW = "DELETE FROM escrowed_keys WHERE subject = %s AND class = %s"
DESTROY = "INSERT INTO destroyed_keys VALUES (%s, %s) ON CONFLICT DO NOTHING"
REWRITE = "SELECT rewrite_keys()"
THIS_MOMENT = "SELECT pg_current_xact_id()::text"
WRITERS_ENDED = "SELECT pg_snapshot_xmin(pg_current_snapshot()) > %s::xid8"
READERS = """
SELECT virtualtransaction FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'virtualxid' AND datname = current_database() AND pid <> pg_backend_pid()
"""
READERS_ENDED = """
SELECT NOT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'virtualxid' AND virtualtransaction = ANY (%s))
"""
FIND_SETTLED = "SELECT position, entry FROM settled"
FORGET_SETTLED = "DELETE FROM settled"
PUT_SETTLED = "INSERT INTO settled VALUES (%s, %s)"
KEEP_DRAFT = """
INSERT INTO drafts (request, approver, subjects, sealed) VALUES (%s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""
_DRAFT = "SELECT request, sealed, made_at FROM drafts WHERE "
DRAFTS_WAITING = _DRAFT + "approver = %s AND made_at > now() - %s::interval ORDER BY made_at"
FIND_DRAFT = _DRAFT + "request = %s AND approver = %s AND made_at > now() - %s::interval"
DROP_DRAFT = "DELETE FROM drafts WHERE request = %s"
LAPSE_DRAFTS = "DELETE FROM drafts WHERE made_at < now() - %s::interval"
DROP_DRAFTS_NAMING = "DELETE FROM drafts WHERE subjects && %s::text[]"
NEWEST_BACKUP = "SELECT max(made_at) FROM backups"
NOTE_BACKUP = "INSERT INTO backups VALUES (%s) ON CONFLICT DO NOTHING"
TABLES = {
    "data_keys": ("SELECT * FROM data_keys", PUT_KEY),
    "escrowed_keys": (EVERY_ESCROW, PUT_ESCROW),
    "destroyed_keys": ("SELECT * FROM destroyed_keys", DESTROY),
    "secrets": ("SELECT * FROM secrets", "INSERT INTO secrets VALUES (%s, %s)"),
    "settled": (FIND_SETTLED, PUT_SETTLED),
}
BINARY = {"data_keys": (2,), "escrowed_keys": (3, 4), "secrets": (1,)}
"""The columns of bytes, by table."""
IS_NEW = "SELECT NOT EXISTS (SELECT FROM secrets)"
MAKE_SECRET = "INSERT INTO secrets VALUES (%s, %s) ON CONFLICT DO NOTHING"  # noqa: S105
FIND_SECRET = "SELECT wrapped FROM secrets WHERE name = %s"  # noqa: S105
EVERY_KEY = "SELECT subject, class, wrapped FROM data_keys ORDER BY subject, class"
EVERY_SECRET = "SELECT name, wrapped FROM secrets ORDER BY name"  # noqa: S105
TAKE_SECRET = """
INSERT INTO secrets VALUES (%s, %s) ON CONFLICT (name) DO UPDATE
SET wrapped = excluded.wrapped WHERE NOT EXISTS (SELECT FROM data_keys)
"""  # noqa: S105
LOCK = "SELECT pg_advisory_xact_lock(7305805)"
LOCK_SHARED = "SELECT pg_advisory_xact_lock_shared(7305805)"


def make(connection: Connection[Any]) -> None:
    """Make the vault's tables where they lack, one process at a time until the transaction ends."""
    connection.execute(LOCK)
    if connection.execute(IS_MADE).fetchone() != (True,):
        connection.execute(schema(connection))


def schema(connection: Connection[Any]) -> Composed:
    """What makes the tables in the schema that the connection looks in first."""
    row = connection.execute(WHERE).fetchone()
    return SQL(SCHEMA).format(schema=SQL(row[0] if row else "public"))


Contents = Mapping[str, Sequence[Sequence[Any]]]
"""Rows by table; bytes in the text form of sealed fields."""


def contents(connection: Connection[Any]) -> Contents:
    """Every row of every table, as of one moment; begins the transaction."""
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    return {
        name: [
            [encoded(v) if isinstance(v, bytes) else v for v in row]
            for row in connection.execute(select)
        ]
        for name, (select, _) in TABLES.items()
    }


def put_back(connection: Connection[Any], held: Contents) -> bool:
    """Fill an empty vault with what `contents` gave; False, with nothing done, for any other."""
    make(connection)
    if connection.execute(IS_NEW).fetchone() != (True,):
        return False
    with connection.cursor() as cursor:
        for name, (_, insert) in TABLES.items():
            binary = BINARY.get(name, ())
            rows = [
                [decoded(v) if n in binary else v for n, v in enumerate(row)] for row in held[name]
            ]
            cursor.executemany(insert, rows)
    return True
