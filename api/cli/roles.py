"""The database's roles, made by `init` on an installed server, or printed for who administers it.

Owns the order in which roles, tables and rights are made. Invariant: every step may be repeated; a
password is shown once and the server is told only what verifies it.
"""

# ruff: noqa: PLC0415 - heavy modules load when a command needs them, so that --help is quick

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from api.cli.frame import Failure, failing, said, settings, tell

if TYPE_CHECKING:
    from psycopg import Connection

    from api.settings import Bureau, Settings
    from domain.ledger.roles import Roles


@contextmanager
def equipped(context: typer.Context) -> Iterator["Bureau | None"]:
    """The bureau; first the roles of its databases, where this session may make them. Then the
    application's own login opens it, as long as its password is known, and else nobody: code that
    the application planted among its own tables must not run in a session that may more than it.
    Raises Failure.
    """
    from api.settings import Bureau

    told = settings(context)
    with failing():
        told_of, made = _make_all(context, told)
        if made and told_of is None:
            tell(
                context,
                "角色和权限已更新;规则包请以应用角色的账号运行 init 发布。",
                "Roles and rights are up to date; run init as the application to publish the law.",
            )
            yield None
            return
        with Bureau(told_of or told) as bureau:
            yield bureau


def _make_all(context: typer.Context, told: "Settings") -> "tuple[Settings | None, bool]":
    """How the application connects, where its roles are new; whether roles were looked after."""
    from contextlib import ExitStack

    import psycopg
    from psycopg.conninfo import make_conninfo

    from domain.ledger.roles import may_make

    if told.database is None or told.vault is None:
        return None, False
    ways = {}
    with ExitStack() as leaving:
        ledger, vault = (
            leaving.enter_context(psycopg.connect(conninfo, autocommit=True))
            for conninfo in (told.database, told.vault)
        )
        if not (may_make(ledger) and may_make(vault)):
            _tell_not_made(context, ledger)
            return None, False
        for field, connection in (("database", ledger), ("vault", vault)):
            roles, conninfo = _roles(connection, field), getattr(told, field)
            leaving.callback(connection.execute, roles.leaving())
            passwords = _make(connection, roles)
            _tell_made(context, conninfo, roles, passwords)
            if (password := passwords.get(app := roles.name("app"))) is not None:
                ways[field] = make_conninfo(conninfo, user=app, password=password)
    if len(ways) < 2:
        return None, True
    return told._replace(database=ways["database"], vault=ways["vault"]), True


def _roles(connection: "Connection[Any]", field: str) -> "Roles":
    from domain.ledger.roles import NameTooLong, Roles

    try:
        return Roles.of_ledger(connection) if field == "database" else Roles.of_vault(connection)
    except NameTooLong as long:
        raise Failure("数据库名过长,不能据以命名角色", str(long)) from long


def _make(connection: "Connection[Any]", roles: "Roles") -> dict[str, str]:
    """The passwords of the roles that are new."""
    from domain.ledger.migrate import migrate
    from domain.ledger.roles import LOGS, as_owner
    from domain.ledger.vault_statements import make

    new = roles.lacking(connection)
    for statement in roles.making():
        connection.execute(statement)
    with as_owner(connection, roles):
        if roles.guards_log:
            for prefix, (partition_size, subjects) in LOGS.items():
                for subject in subjects:
                    migrate(connection, subject, prefix, partition_size=partition_size)
        else:
            with connection.transaction():
                make(connection)
    for statement in roles.granting():
        connection.execute(statement)
    return {role: roles.give_password(connection, role) for role in new}


def _tell_made(context: typer.Context, conninfo: str, roles: "Roles", new: dict[str, str]) -> None:
    from psycopg.conninfo import make_conninfo

    if not new:
        return
    tell(
        context,
        f"数据库 {roles.database} 的角色已建;连接串(含密码)只显示这一次:",
        f"The roles of the database {roles.database}; how each connects, shown this once:",
    )
    for role, password in new.items():
        print(make_conninfo(conninfo, user=role, password=password))


def _tell_not_made(context: typer.Context, connection: "Connection[Any]") -> None:
    roles = _roles(connection, "database")
    if roles.lacking(connection):
        tell(
            context,
            "数据库角色未建:以可建角色的账号运行 init,或将 init --sql 的输出交数据库管理员执行。",
            "No database roles: run init as a role that may create roles, or give what"
            " init --sql prints to who administers the database.",
        )


def print_roles(context: typer.Context) -> None:
    """What `init` would do in both databases, as a script for psql. Raises Failure."""
    import psycopg

    told = settings(context)
    if told.database is None or told.vault is None:
        raise Failure(
            "内置数据库没有角色;须设 PERSONNEL_LEDGER_DATABASE 和 PERSONNEL_LEDGER_VAULT",
            "the embedded server has no roles: set PERSONNEL_LEDGER_DATABASE and _VAULT",
        )
    print(said(context, "-- 以 psql 执行", "-- for psql"))
    print("\\set ON_ERROR_STOP on")
    with failing():
        for field, conninfo in (("database", told.database), ("vault", told.vault)):
            with psycopg.connect(conninfo, autocommit=True) as connection:
                roles = _roles(connection, field)
                print(f'\\connect "{roles.database}"')
                for statement in _script(connection, roles):
                    print(statement.rstrip().rstrip(";") + ";")
                for kind in roles.kinds[1:]:
                    print(f"\\echo 'next: \\\\password {roles.name(kind)}'")


def _script(connection: "Connection[Any]", roles: "Roles") -> Iterator[str]:
    from psycopg.sql import SQL, Identifier

    from domain.ledger.migrate import pending
    from domain.ledger.roles import LOGS
    from domain.ledger.vault_statements import schema

    yield from (statement.as_string(connection) for statement in roles.making())
    yield SQL("SET ROLE {}").format(Identifier(roles.name("owner"))).as_string(connection)
    if roles.guards_log:
        for prefix, (partition_size, subjects) in LOGS.items():
            for subject in subjects:
                for one in pending(connection, subject, prefix, partition_size=partition_size):
                    yield one.decode()
    else:
        yield schema(connection).as_string(connection)
    yield from (statement.as_string(connection) for statement in roles.granting())
    yield roles.leaving().as_string(connection)
