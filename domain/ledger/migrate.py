"""Owns how a schema comes about: numbered SQL files, applied once each, in order, never undone.

Invariant: a subject's files are applied by one process at a time, each whole or not at all; the
digest of every applied file is kept in `{prefix}meta`.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier

_DIRECTORY = Path(__file__).parent / "schema"


def migrate(
    connection: Connection[tuple[object, ...]], subject: str, prefix: str, **values: int
) -> dict[str, str]:
    """Apply the files `NNNN_<subject>.sql` that are not applied yet; answers the meta rows.

    `values` fill placeholders of the same name and are kept with the schema: what was given when
    it was made holds. Takes a connection in autocommit. Raises ValueError for a bad prefix.
    """
    if not re.fullmatch("[a-z][a-z0-9_]{0,30}", prefix):
        raise ValueError("a prefix is a lower-case identifier of at most 31 characters")
    meta = SQL("{}").format(Identifier(prefix + "meta"))
    with connection.transaction():
        connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.' || %s, 0))",
            [prefix],
        )
        connection.execute("SET LOCAL client_min_messages = warning")
        connection.execute(
            SQL(
                "CREATE TABLE IF NOT EXISTS {} (name text PRIMARY KEY, value text NOT NULL)"
            ).format(meta)
        )
        known = _known(connection, meta)
        for path in sorted(_DIRECTORY.glob(f"[0-9]*_{subject}.sql")):
            if (name := f"schema/{path.stem}") in known:
                continue
            text = path.read_bytes()
            settled = {k: int(known.get(k, v)) for k, v in values.items()}
            connection.execute(_filled(connection, text.decode(), prefix, settled))
            added = {name: hashlib.sha256(text).hexdigest()} | {
                k: str(v) for k, v in settled.items()
            }
            for key, value in added.items():
                connection.execute(
                    SQL("INSERT INTO {} VALUES (%s, %s) ON CONFLICT DO NOTHING").format(meta),
                    [key, value],
                )
            known |= added
    return known


def _known(connection: Connection[tuple[object, ...]], meta: Composed) -> dict[str, str]:
    rows = connection.execute(SQL("SELECT name, value FROM {}").format(meta)).fetchall()
    return {str(name): str(value) for name, value in rows}


def _filled(
    connection: Connection[tuple[object, ...]],
    text: str,
    prefix: str,
    values: Mapping[str, int],
) -> bytes:
    [[schema]] = connection.execute("SELECT quote_ident(current_schema())").fetchall()
    names = {"schema": str(schema), "prefix": prefix} | {k: str(v) for k, v in values.items()}
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text.encode()
