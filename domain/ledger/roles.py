"""Roles of an installed PostgreSQL: who in the database may do what, and nothing beyond it.

Owns the roles of a ledger's and a vault's database, named after it. Invariant: what is entered is
written by the owner's functions alone; the owner cannot log in, and no role that can may create
anything where those functions look.

The application keeps the records in a schema of its own, `derived`, because it makes them anew.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from domain.ledger import reads
from domain.ledger.log import PARTITION_SIZE

LOGS: Mapping[str, tuple[int, Sequence[str]]] = {
    "ledger_": (PARTITION_SIZE, ("log", "seals")),
    reads.PREFIX: (reads.PARTITION, (*reads.SUBJECTS, "seals")),
}
"""Prefixes of the logs in the ledger's database, how large their partitions are, and of which
subjects their schema is made.
"""
DERIVED = "derived"
_MOST_NAME = 50

_TABLES = {
    "app": ("SELECT", ("meta", "entries", "tags", "event_ids", "requests", "claims")),
    "sealer": ("SELECT", ("meta", "entries")),
    "reader": ("SELECT", ("meta", "entries", "tags", "event_ids")),
    "auditor": ("SELECT", ("meta", "entries", "tags", "event_ids", "requests")),
}
_SEALS = ("seal_tiles", "seal_heads", "seal_cosignatures", "seal_stamps")
_ON_SEALS = {"app": "SELECT", "sealer": "SELECT, INSERT", "reader": "SELECT", "auditor": "SELECT"}
_READING = ("probe", "meet", "position_at")
_FUNCTIONS = {
    "app": (*_READING, "append", "append_straight"),
    "reader": _READING,
    "auditor": _READING,
}
_EVERY_FUNCTION = (*_FUNCTIONS["app"], "load", "extend", "protect", "deny")
_CUTTING = ("ordered_cut", "cut_index", "cut_partition")
_ON_VAULT = {
    "data_keys": "SELECT, INSERT, DELETE",
    "escrowed_keys": "SELECT, INSERT, DELETE",
    "destroyed_keys": "SELECT, INSERT",
    "secrets": "SELECT, INSERT, UPDATE",
    "settled": "SELECT, INSERT, DELETE",
    "backups": "SELECT, INSERT",
    "drafts": "SELECT, INSERT, DELETE",
}

_MAKE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {name}) THEN
        CREATE ROLE {role} {login};
    END IF;
END $$;
"""
_ADOPT = """
DO $$ DECLARE
    one text;
    space CONSTANT oid := (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = {space});
    boss CONSTANT oid := (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = {name});
BEGIN
    FOR one IN SELECT c.oid::regclass::text FROM pg_catalog.pg_class c
        WHERE c.relnamespace = space AND c.relkind IN ('r', 'p') AND c.relowner <> boss
        AND c.relname ~ {ours}
    LOOP EXECUTE format('ALTER TABLE %s OWNER TO %I', one, {name}); END LOOP;
    FOR one IN SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = space AND p.proowner <> boss AND p.proname = ANY ({functions})
    LOOP EXECUTE format('ALTER FUNCTION %s OWNER TO %I', one, {name}); END LOOP;
END $$;
"""
_MOVE = """
DO $$ BEGIN
    IF to_regclass({old}) IS NOT NULL THEN
        ALTER TABLE {table} OWNER TO {app};
        ALTER TABLE {table} SET SCHEMA {derived};
    END IF;
END $$;
"""
_MAY = """
SELECT r.rolsuper OR (r.rolcreaterole AND pg_catalog.pg_has_role(d.datdba, 'USAGE'))
FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
WHERE r.rolname = current_user AND d.datname = current_database()
"""
_OWNER = """
SELECT c.relnamespace::regnamespace::text, r.rolname, r.rolname = current_user
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
WHERE c.oid = to_regclass(%s)
"""
_HERE = "SELECT current_database(), current_schema(), current_user::text"
_PRESENT = "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname = ANY (%s)"


class NameTooLong(ValueError):
    """The roles of a database are named after it, and PostgreSQL would cut their names short."""


class Roles(NamedTuple):
    """The roles of one database. `kinds`: what each is, by the end of its name."""

    database: str
    schema: str
    kinds: Sequence[str]

    @classmethod
    def of_ledger(cls, connection: Connection[Any]) -> "Roles":
        return _roles(connection, ("owner", "app", "sealer", "reader", "auditor"))

    @classmethod
    def of_vault(cls, connection: Connection[Any]) -> "Roles":
        return _roles(connection, ("owner", "app"))

    def name(self, kind: str) -> str:
        return f"{self.database}_{kind}"

    @property
    def guards_log(self) -> bool:
        return "sealer" in self.kinds

    def lacking(self, connection: Connection[Any]) -> list[str]:
        """The roles that can log in and are not there yet."""
        names = [self.name(kind) for kind in self.kinds if kind != "owner"]
        known = {name for (name,) in connection.execute(_PRESENT, [names])}
        return [name for name in names if name not in known]

    def _path(self, kind: str) -> list[str]:
        """Where a role looks names up. Only the application looks first where it may create: it
        would fool nobody but itself.
        """
        if not self.guards_log or kind in ("owner", "sealer"):
            return [self.schema]
        return [DERIVED, self.schema] if kind == "app" else [self.schema, DERIVED]

    # what a role that may create roles does first

    def making(self) -> Iterator[Composed]:
        """Makes the roles and gives them their places; may be repeated."""
        for kind in self.kinds:
            login = SQL("NOLOGIN" if kind == "owner" else "LOGIN")
            yield self._filled(
                _MAKE, name=Literal(self.name(kind)), role=self._id(kind), login=login
            )
        yield self._filled("REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        yield self._filled("REVOKE ALL ON SCHEMA {schema} FROM PUBLIC")
        yield self._filled("GRANT CONNECT ON DATABASE {database} TO {everyone}")
        yield self._filled("GRANT USAGE ON SCHEMA {schema} TO {everyone}")
        yield self._filled("GRANT CREATE ON SCHEMA {schema} TO {owner}")
        yield self._filled("GRANT {owner}, {app} TO CURRENT_USER")
        for kind in self.kinds:
            path = SQL(", ").join(map(Identifier, self._path(kind)))
            yield self._filled(
                "ALTER ROLE {role} IN DATABASE {database} SET search_path = {path}",
                role=self._id(kind), path=path,
            )  # fmt: skip
        if self.guards_log:
            yield self._filled("CREATE SCHEMA IF NOT EXISTS {derived} AUTHORIZATION {app}")
            for table in ("records", "bookmarks"):
                yield self._filled(
                    _MOVE, old=Literal(f"{self.schema}.{table}"),
                    table=Identifier(self.schema, table),
                )  # fmt: skip
        adopted = [
            (f"^{prefix}", [prefix + function for function in (*_EVERY_FUNCTION, *_CUTTING)])
            for prefix in LOGS
        ]
        if not self.guards_log:
            adopted = [(f"^({'|'.join(_ON_VAULT)})$", ["rewrite_keys"])]
        for tables, functions in adopted:
            yield self._filled(
                _ADOPT, space=Literal(self.schema), name=Literal(self.name("owner")),
                ours=Literal(tables), functions=Literal(functions),
            )  # fmt: skip

    # what the owner does once its tables are there

    def granting(self) -> Iterator[Composed]:
        """Gives each role what it needs; may be repeated."""
        yield self._filled("SET ROLE {owner}")
        yield from self._on_logs() if self.guards_log else self._on_vault()
        yield self._filled("RESET ROLE")

    def _on_logs(self) -> Iterator[Composed]:
        for prefix in LOGS:
            every = self._listed(prefix, _EVERY_FUNCTION)
            yield self._filled("REVOKE ALL ON FUNCTION {every} FROM PUBLIC", every=every)
            for kind, (right, tables) in _TABLES.items():
                yield self._grant(right, self._listed(prefix, tables), kind)
            for kind, rights in _ON_SEALS.items():
                yield self._grant(rights, self._listed(prefix, _SEALS), kind)
            for kind, functions in _FUNCTIONS.items():
                listed = SQL("FUNCTION {}").format(self._listed(prefix, functions))
                yield self._grant("EXECUTE", listed, kind)
        yield self._filled("SET ROLE {app}")
        yield self._filled("GRANT USAGE ON SCHEMA {derived} TO {reader}, {auditor}")
        yield self._filled("GRANT SELECT ON ALL TABLES IN SCHEMA {derived} TO {reader}, {auditor}")
        yield self._filled(
            "ALTER DEFAULT PRIVILEGES IN SCHEMA {derived}"
            " GRANT SELECT ON TABLES TO {reader}, {auditor}"
        )

    def _on_vault(self) -> Iterator[Composed]:
        rewrite = Identifier(self.schema, "rewrite_keys")
        yield self._filled("REVOKE ALL ON FUNCTION {rewrite} FROM PUBLIC", rewrite=rewrite)
        yield self._grant("EXECUTE", SQL("FUNCTION {}").format(rewrite), "app")
        for table, rights in _ON_VAULT.items():
            yield self._grant(rights, Identifier(self.schema, table), "app")

    def leaving(self) -> Composed:
        """Whoever made the roles acts as them no more."""
        return self._filled("REVOKE {owner}, {app} FROM CURRENT_USER")

    # passwords

    def give_password(self, connection: Connection[Any], role: str) -> str:
        """A new password for a role; the server is told only what verifies it."""
        password = secrets.token_urlsafe(24)
        verifier = connection.pgconn.encrypt_password(
            password.encode(), role.encode(), b"scram-sha-256"
        )
        told = Literal(verifier.decode())
        connection.execute(SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(role), told))
        return password

    def _grant(self, rights: str, what: Composable, kind: str) -> Composed:
        return self._filled(
            "GRANT {rights} ON {what} TO {role}",
            rights=SQL(rights), what=what, role=self._id(kind),
        )  # fmt: skip

    def _listed(self, prefix: str, names: Sequence[str]) -> Composed:
        return SQL(", ").join(Identifier(self.schema, prefix + name) for name in names)

    def _id(self, kind: str) -> Identifier:
        return Identifier(self.name(kind))

    def _filled(self, text: str, **values: Composable) -> Composed:
        named: Mapping[str, Composable] = {
            "database": Identifier(self.database),
            "schema": Identifier(self.schema),
            "derived": Identifier(DERIVED),
            "everyone": SQL(", ").join(self._id(kind) for kind in self.kinds),
            **{kind: self._id(kind) for kind in self.kinds},
        }
        return SQL(text.strip()).format(**{**named, **values})


def _roles(connection: Connection[Any], kinds: Sequence[str]) -> Roles:
    """Raises NameTooLong."""
    [(database, schema, _)] = connection.execute(_HERE).fetchall()
    if len(database.encode()) > _MOST_NAME:
        raise NameTooLong(f"a database with roles has a name of at most {_MOST_NAME} bytes")
    return Roles(database, "public" if schema in (None, DERIVED) else schema, kinds)


def may_make(connection: Connection[Any]) -> bool:
    """Whether this session may make the roles: it creates roles and owns the database."""
    row = connection.execute(_MAY).fetchone()
    return bool(row and row[0])


class NotOwner(Exception):
    """What is asked for is the owner's to do, and this session may not act as the owner."""

    def __init__(self, role: str) -> None:
        self.role = role
        super().__init__(f"this takes a role that may act as {role}")


class Owning(NamedTuple):
    """A session that acts as a log's owner, and the log's name, as `EventLog.name`: found in this
    session, where nothing that the application planted stands in its way.
    """

    connection: Connection[Any]
    log: str


@contextmanager
def owning(conninfo: str, prefix: str) -> Iterator[Owning]:
    """In autocommit. Who may create roles lends itself the owner's meanwhile. Raises NotOwner."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        [(schema, owner, same)] = connection.execute(_OWNER, [f"{prefix}entries"]).fetchall()
        role, lent = Identifier(owner), False
        if not same:
            try:
                lent = not _acts(connection, role)
                if lent:
                    connection.execute(SQL("GRANT {} TO CURRENT_USER").format(role))
                    connection.execute(SQL("SET ROLE {}").format(role))
            except psycopg.errors.InsufficientPrivilege:
                raise NotOwner(owner) from None
        try:
            yield Owning(connection, f"{schema}.{prefix}")
        finally:
            connection.execute("RESET ROLE")
            if lent:
                connection.execute(SQL("REVOKE {} FROM CURRENT_USER").format(role))


def _acts(connection: Connection[Any], role: Identifier) -> bool:
    try:
        connection.execute(SQL("SET ROLE {}").format(role))
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


@contextmanager
def as_owner(connection: Connection[Any], roles: Roles) -> Iterator[None]:
    """What is made meanwhile belongs to the owner."""
    connection.execute(SQL("SET ROLE {}").format(Identifier(roles.name("owner"))))
    try:
        yield
    finally:
        connection.execute("RESET ROLE")
