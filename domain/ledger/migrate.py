"""Owns how a schema comes about: numbered SQL files, applied once each, in order, never undone.

Invariant: a subject's files are applied by one process at a time, each whole or not at all; the
digest of every applied file is kept in `{prefix}meta`. Where nothing is to be applied nothing is
touched, so a role that may create nothing opens what is there.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier, Literal

_DIRECTORY = Path(__file__).parent / "schema"


def migrate(
    connection: Connection[tuple[object, ...]], subject: str, prefix: str, **values: int
) -> dict[str, str]:
    """Apply the files `NNNN_<subject>.sql` that are not applied yet; answers the meta rows.

    `values` fill placeholders of the same name and are kept with the schema: what was given when
    it was made holds. Takes a connection in autocommit. Raises ValueError for a bad prefix.
    """
    known = _known(connection, prefix)
    if known and not _lacking(subject, known):
        return known
    with connection.transaction():
        connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.' || %s, 0))",
            [prefix],
        )
        connection.execute("SET LOCAL client_min_messages = warning")
        for statement in pending(connection, subject, prefix, **values):
            connection.execute(statement)
    return _known(connection, prefix)


def pending(
    connection: Connection[tuple[object, ...]], subject: str, prefix: str, **values: int
) -> Iterator[bytes]:
    """The statements that apply what is not applied yet, in order."""
    meta = _meta(prefix)
    known = _known(connection, prefix)
    lacking = _lacking(subject, known)
    if not lacking:
        return
    make = SQL("CREATE TABLE IF NOT EXISTS {} (name text PRIMARY KEY, value text NOT NULL)")
    yield make.format(meta).as_bytes(connection)
    settled = {k: int(known.get(k, v)) for k, v in values.items()}
    for path in lacking:
        text = path.read_bytes()
        yield _filled(connection, text.decode(), prefix, settled)
        added = {f"schema/{path.stem}": hashlib.sha256(text).hexdigest()}
        for name, value in (added | {k: str(v) for k, v in settled.items()}).items():
            keep = SQL("INSERT INTO {} VALUES ({}, {}) ON CONFLICT DO NOTHING")
            yield keep.format(meta, Literal(name), Literal(value)).as_bytes(connection)


def texts(subjects: Iterable[str]) -> Iterator[str]:
    """The files of these subjects in the order in which they are applied, placeholders open."""
    for subject in subjects:
        yield from (path.read_text() for path in _paths(subject))


def _paths(subject: str) -> list[Path]:
    return sorted(_DIRECTORY.glob(f"[0-9]*_{subject}.sql"))


def _lacking(subject: str, known: Mapping[str, str]) -> list[Path]:
    return [path for path in _paths(subject) if f"schema/{path.stem}" not in known]


def _meta(prefix: str) -> Composed:
    if not re.fullmatch("[a-z][a-z0-9_]{0,30}", prefix):
        raise ValueError("a prefix is a lower-case identifier of at most 31 characters")
    return SQL("{}").format(Identifier(prefix + "meta"))


def _known(connection: Connection[tuple[object, ...]], prefix: str) -> dict[str, str]:
    """The meta rows; none where nothing was made yet."""
    meta = _meta(prefix)
    [[there]] = connection.execute("SELECT to_regclass(%s)", [prefix + "meta"]).fetchall()
    if there is None:
        return {}
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
