"""Whether the functions of a log are those its schema makes, and nothing stands between its tables
and whoever reads or writes them.

Owns the comparison with the schema's own text. Invariant: of several definitions of one function
the last counts, as it does where the files are applied; a name alone proves nothing.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from psycopg import Connection

from domain.ledger.migrate import texts
from domain.ledger.roles import LOGS
from domain.ledger.statements import Statements

_FUNCTION = re.compile(
    r"CREATE (?:OR REPLACE )?FUNCTION \{schema\}\.\{prefix\}"
    r"(\w+)\(([^)]*)\)(.*?)\bAS \$\$(.*?)\$\$",
    re.DOTALL,
)
_SETTING = re.compile(r"\bSET (\w+) = (.+?)(?=\s+SET\s|\s*\Z)", re.DOTALL)
_RETURNS = re.compile(r"RETURNS (.+?)\s+LANGUAGE", re.DOTALL)
_LANGUAGE = re.compile(r"LANGUAGE (\w+)")
_TYPES = {"int": "integer", "timestamptz": "timestamp with time zone"}
_SIZE = "{partition_size}"


class _Function(NamedTuple):
    arguments: str
    result: str
    language: str
    volatility: str
    definer: bool
    strict: bool
    settings: frozenset[str]
    body: str


def faults(connection: Connection[Any], prefix: str) -> Iterator[tuple[str, str]]:
    """What is off, each in a sentence (zh, en)."""
    log = Statements(prefix)
    for (name,) in connection.execute(log.unprotected).fetchall():
        yield (
            f"表 {name} 的防改触发器已被移除、停用或改动",
            f"the trigger that guards the table {name} is gone, off or another",
        )
    for (name,) in connection.execute(log.detached).fetchall():
        yield f"分区 {name} 已脱离账本", f"the partition {name} is detached from the log"
    for (name,) in connection.execute(log.meddling).fetchall():
        yield (
            f"表 {name} 上有账本结构以外的触发器、规则、行级策略或视图",
            f"a trigger, rule, row policy or view that the schema does not make is on {name}",
        )
    for (name,) in connection.execute(log.unkeyed).fetchall():
        yield f"表 {name} 的主键已被移除", f"the primary key of the table {name} is gone"
    yield from _unindexed(connection, log)
    for (name,) in connection.execute(log.shadowing).fetchall():
        yield (
            f"{name} 与账本或数据库自带的同名,可使他人读到另一内容",
            f"{name} bears a name of the log or of PostgreSQL: others may be shown it instead",
        )
    yield from _functions(connection.execute(log.functions).fetchall(), prefix)


def _unindexed(connection: Connection[Any], log: Statements) -> Iterator[tuple[str, str]]:
    """An index that was not kept while rows came finds them no more: each is read to its end."""
    indexes = connection.execute(log.indexes).fetchall()
    with connection.transaction(force_rollback=True):
        for way in ("seqscan", "bitmapscan", "sort", "incremental_sort"):
            connection.execute(f"SET LOCAL enable_{way} = off")
        by_index = [
            connection.execute(log.count_in_order.format(columns, table)).fetchone()
            for _, table, columns in indexes
        ]
    with connection.transaction(force_rollback=True):
        for way in ("indexscan", "indexonlyscan", "bitmapscan"):
            connection.execute(f"SET LOCAL enable_{way} = off")
        tables = {table for _, table, _ in indexes}
        rows = {t: connection.execute(log.count.format(t)).fetchone() for t in tables}
    for (name, table, _), found in zip(indexes, by_index, strict=True):
        if found != rows[table]:
            yield (
                f"索引 {name} 缺少表 {table} 中的行,依此查找者查不到",
                f"the index {name} lacks rows of {table}: what is looked for by it is not found",
            )


def _functions(rows: list[tuple[Any, ...]], prefix: str) -> Iterator[tuple[str, str]]:
    _, subjects = LOGS.get(prefix, (0, ("log", "seals")))
    schema = rows[0][0] if rows else ""
    wanted = {
        prefix + name: _made(arguments, header, body, {"schema": schema, "prefix": prefix})
        for text in texts(subjects)
        for name, arguments, header, body in _FUNCTION.findall(text)
    }
    there: dict[str, list[_Function]] = {}
    for _, name, arguments, result, language, volatility, definer, strict, settings, body in rows:
        one = _Function(
            _spelt(arguments), _spelt(result), language, volatility, definer, strict,
            frozenset(map(_plain, settings)), body,
        )  # fmt: skip
        there.setdefault(name, []).append(one)
    for name, made in wanted.items():
        found = there.get(name, [])
        if not found:
            yield f"账本函数 {name} 缺失", f"the function {name} is gone"
        elif len(found) > 1 or not _same(made, found[0]):
            yield (
                f"账本函数 {name} 已被替换,不是账本结构所定",
                f"the function {name} is not the one that the schema makes",
            )


def _made(arguments: str, header: str, body: str, names: dict[str, str]) -> _Function:
    for name, value in names.items():
        header, body = (text.replace(f"{{{name}}}", value) for text in (header, body))
    returns, language = _RETURNS.search(header), _LANGUAGE.search(header)
    return _Function(
        _spelt(arguments),
        _spelt(returns[1] if returns else "record"),
        language[1] if language else "",
        "s" if " STABLE" in header else "v",
        "SECURITY DEFINER" in header,
        False,
        frozenset(_plain(f"{name}={value}") for name, value in _SETTING.findall(header)),
        body,
    )


def _same(made: _Function, found: _Function) -> bool:
    """A partition's size is settled when a log is made."""
    parts = [re.escape(part) for part in made.body.split(_SIZE)]
    return made._replace(body="") == found._replace(body="") and bool(
        re.fullmatch("[0-9]+".join(parts), found.body)
    )


def _spelt(text: str) -> str:
    for short, long in _TYPES.items():
        text = re.sub(rf"\b{short}\b", long, text)
    return _plain(text)


def _plain(text: str) -> str:
    return re.sub(r"[\s\"']", "", text)
