"""The one rectangle table: facts of every facet, effective and recorded.

Owns the table; `records_statements` spells how it is asked. Invariant: a row is one version of one
fact, as the fold made it; the row that answers is found by the resolution rule of
domain/bitemporal.py, never stored.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import pairwise
from operator import itemgetter
from typing import Any

import orjson
from psycopg import Connection, sql
from psycopg.rows import args_row
from psycopg_pool import ConnectionPool

from domain.bitemporal import FOREVER, AsOf, Fact, told_before
from domain.events import Facet
from projections import records_statements as stated
from projections.sight import Sight, seen

LIVE = "records"
TYPES = [
    "text", "text", "text", "date", "date", "int2", "int8", "int8", "int8", "int8", "int8",
    "text", "text",
]  # fmt: skip
PARTS = 4
PART = 500
Row = tuple[Any, ...]


def to_row(fact: Fact) -> Row:
    value = None if fact.value is None else orjson.dumps(fact.value).decode()
    return (*fact[:12], value)


def _fact(*columns: Any) -> Fact:
    value = columns[12]
    return Fact._make((*columns[:12], None if value is None else orjson.loads(value)))


class Records:
    """The table `name` of the database behind the pool, as far as `sight` reaches: all of it
    where there is none.
    """

    def __init__(self, pool: ConnectionPool, name: str = LIVE, sight: Sight | None = None) -> None:
        self._pool = pool
        self.name = name
        self.before = None if sight is None else sight.before
        self.identifiers: dict[str, sql.Composable] = {
            "table": sql.Identifier(name),
            "by_subject": sql.Identifier(f"{name}_by_subject"),
            "by_ref": sql.Identifier(f"{name}_by_ref"),
            "by_facet": sql.Identifier(f"{name}_by_facet"),
            "live": sql.Identifier(LIVE),
            "live_by_subject": sql.Identifier(f"{LIVE}_by_subject"),
            "live_by_ref": sql.Identifier(f"{LIVE}_by_ref"),
            "live_by_facet": sql.Identifier(f"{LIVE}_by_facet"),
        }
        self.identifiers["rows"] = self.identifiers["table"]
        if sight is not None:
            self.identifiers["rows"] = seen(sight, self.identifiers["table"])

    def seen_by(self, sight: Sight) -> "Records":
        return Records(self._pool, self.name, sight)

    def _sql(self, statement: str, facet: Facet | None = None) -> sql.Composed:
        """The statement about this table; of one facet, it says so where that has no refs: those
        rows have an index of their own.
        """
        unreferred = sql.SQL(stated.UNREFERRED if facet is not None and facet.ref is None else "")
        return sql.SQL(statement).format(**self.identifiers, unreferred=unreferred)

    # writing: by the runner and the rebuild, inside their transactions

    def create(self, connection: Connection[Any], *, indexed: bool = True) -> None:
        connection.execute(self._sql(stated.CREATE))
        if indexed:
            self.index(connection)

    def index(self, connection: Connection[Any]) -> None:
        for statement in stated.INDEXES:
            connection.execute(self._sql(statement))

    def index_at_once(self) -> None:
        """Make the indexes of a full table side by side, each on a connection of its own."""

        def make(statement: str) -> None:
            with self._pool.connection() as connection:
                connection.execute(stated.INDEX_MEMORY)
                connection.execute(self._sql(statement))

        with ThreadPoolExecutor(len(stated.INDEXES)) as makers:
            list(makers.map(make, stated.INDEXES))

    def analyze(self, connection: Connection[Any]) -> None:
        connection.execute(self._sql("ANALYZE {table}"))

    def drop(self, connection: Connection[Any]) -> None:
        connection.execute(self._sql("DROP TABLE IF EXISTS {table}"))

    def become_live(self, connection: Connection[Any]) -> None:
        connection.execute(self._sql(stated.SWAP))

    def copy(self, connection: Connection[Any], facts: Iterable[Fact]) -> None:
        with connection.cursor() as cursor, cursor.copy(self._sql(stated.COPY)) as copy:
            copy.set_types(TYPES)
            for fact in facts:
                copy.write_row(to_row(fact))

    def change(self, connection: Connection[Any], changes: Iterable[Fact]) -> None:
        """Write what the fold changed: versions it closed and versions it opened.

        A version both opened and closed within the changes is written once, closed.
        """
        opened: dict[Row, Fact] = {}
        closed: dict[Row, Fact] = {}
        for fact in changes:
            identity = (fact.subject, fact.facet, fact.slot, fact.root, fact.known_from)
            if fact.known_to == FOREVER or identity in opened:
                opened[identity] = fact
            else:
                closed[identity] = fact
        if closed:
            columns = [list(c) for c in zip(*closed, strict=True)]
            ends = [fact.known_to for fact in closed.values()]
            connection.execute(self._sql(stated.CLOSE), (*columns, ends))
        if opened:
            self.copy(connection, opened.values())

    # reading

    def _rows(self, statement: str, parameters: Any, facet: Facet | None = None) -> list[Fact]:
        with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=args_row(_fact), binary=True)
            found = cursor.execute(self._sql(statement, facet), parameters).fetchall()
        return found if self.before is None else told_before(found, self.before)

    def of(self, subject: str) -> list[Fact]:
        """Every version of every fact of a subject (`kind:id`)."""
        return self._rows(stated.OF_SUBJECT, (subject,))

    def versions(self, facet: Facet, subject: str) -> list[Fact]:
        """Every version of one facet of a subject (`kind:id`)."""
        return self._rows(stated.OF_STRAND, (subject, facet.name))

    def referring(self, facet: Facet, *refs: str) -> list[Fact]:
        """Every version whose value refers to one of these (whom did this officer supervise?)."""
        return self._rows(stated.REFERRING, (facet.name, list(refs)))

    def holding(self, facet: Facet, refs: Sequence[str], as_of: AsOf) -> list[Fact]:
        """The facts that answer as of the pair and refer to one of these."""
        return self._rows(
            stated.HOLDING,
            {"facet": facet.name, "refs": list(refs), "v": as_of.effective, "k": as_of.recorded},
        )

    def subjects_referring(
        self, facets: Sequence[Facet], refs: Sequence[str], as_of: AsOf
    ) -> list[str]:
        """The subjects with a fact that holds as of the pair and refers to one of these, whether it
        answers or another stands above it.
        """
        bound = {
            "facets": [f.name for f in facets], "refs": list(refs),
            "v": as_of.effective, "k": as_of.recorded,
        }  # fmt: skip
        with self._pool.connection() as connection:
            rows = connection.execute(self._sql(stated.REFERRED), bound).fetchall()
        return [row[0] for row in rows]

    def at(self, facets: Sequence[Facet], subjects: Sequence[str], as_of: AsOf) -> list[Fact]:
        """What single-valued facets answer for these subjects as of the pair."""
        return self._rows(
            stated.SINGLE_AT,
            {
                "facets": [f.name for f in facets], "subjects": list(subjects),
                "v": as_of.effective, "k": as_of.recorded,
            },
        )  # fmt: skip

    def everyone(self, facets: Sequence[Facet], as_of: AsOf) -> list[Fact]:
        """What single-valued facets of one kind of subject answer for every subject."""
        return self._rows(stated.EVERYONE_AT, self._of_a_kind(facets, as_of))

    def _of_a_kind(self, facets: Sequence[Facet], as_of: AsOf) -> dict[str, Any]:
        kind = facets[0].of
        return {
            "facets": [f.name for f in facets if f.of == kind], "facet": facets[0].name,
            "first": f"{kind}:", "last": f"{kind};", "v": as_of.effective, "k": as_of.recorded,
        }  # fmt: skip

    def each(
        self, facets: Sequence[Facet], as_of: AsOf, refs: Sequence[str] = ()
    ) -> Iterator[Fact]:
        """As `everyone`, `in_force` (the first is many-valued) or `holding` (`refs` are given), in
        order of subject: a part at a time, without holding them all.
        """
        first, bound = facets[0], self._of_a_kind(facets, as_of) | {"refs": list(refs)}
        every = stated.MANY_AT if first.many else stated.EVERYONE_AT
        query = self._sql(f"{stated.HOLDING} ORDER BY subject" if refs else every, first)
        rows = args_row(_fact)
        with self._pool.connection() as own, own.cursor("each", row_factory=rows) as cursor:
            cursor.itersize = PART
            yield from cursor.execute(query, bound)

    def refs(
        self,
        facets: Sequence[Facet],
        as_of: AsOf,
        subjects: Sequence[str] | None = None,
        *,
        dated: Facet | None = None,
    ) -> list[Row]:
        """To whom or what single-valued facets of one kind of subject refer as of the pair, a row a
        subject, in order: subject, one ref a facet, the day since which `dated` answers so. None is
        none, or not recorded. Answered from the index alone, everybody in parts side by side.
        """
        columns = [sql.SQL(stated.REF).format(facet=sql.Literal(f.name)) for f in facets]
        if dated is not None:
            columns.append(sql.SQL(stated.SINCE).format(facet=sql.Literal(dated.name)))
        bound: dict[str, Any] = {
            "facets": [f.name for f in facets], "v": as_of.effective, "k": as_of.recorded,
            "subjects": None if subjects is None else list(subjects),
        }  # fmt: skip
        asked: dict[str, Any] = {"columns": sql.SQL(", ").join(columns), **self.identifiers}
        with self._pool.connection() as connection:
            everyone = subjects is None
            parts = self._parts(connection, facets[0]) if everyone else [sql.SQL(stated.AMONG)]
            query = sql.SQL("UNION ALL").join(
                sql.SQL(stated.REFS).format(who=part, **asked) for part in parts
            )
            rows = connection.cursor(binary=True).execute(query, bound).fetchall()
        rows.sort(key=itemgetter(0))
        return rows

    def _parts(self, connection: Connection[Any], facet: Facet) -> Sequence[sql.Composable]:
        """Which rows are of subjects of the facet's kind, in some parts of like size that may be
        read at once; in one, where they are few.
        """
        ends = {"first": f"{facet.of}:", "last": f"{facet.of};"}
        shares = [n / PARTS for n in range(1, PARTS)]
        row = connection.execute(self._sql(stated.CUTS), {"shares": shares, **ends}).fetchone()
        cuts = sorted(set(row[0])) if row and row[0] else []
        return [
            sql.SQL(stated.BETWEEN).format(first=sql.Literal(first), last=sql.Literal(last))
            for first, last in pairwise([ends["first"], *cuts, ends["last"]])
        ]

    def values(
        self, facet: Facet, as_of: AsOf, subjects: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """What a single-valued facet without slots says as of the pair, by subject."""
        bound: dict[str, Any] = {"facet": facet.name, "v": as_of.effective, "k": as_of.recorded}
        rows = self._across(stated.VALUES, facet, subjects, bound)
        said = orjson.loads("[" + ",".join(row[1] or "null" for row in rows) + "]")
        return dict(zip((row[0] for row in rows), said, strict=True))

    def held(
        self,
        facets: Sequence[Facet],
        days: tuple[date, date],
        recorded: int,
        subjects: Sequence[str] | None = None,
    ) -> list[Row]:
        """The facts of one kind of subject that hold on some of the days, both included, as known
        at a position: (subject, facet, effective, until, ref), in order of subject, facet and
        slot, the largest place first.
        """
        bound: dict[str, Any] = {"facets": [f.name for f in facets], "k": recorded}
        bound |= {"first_day": days[0], "last_day": days[1]}
        return self._across(stated.HELD, facets[0], subjects, bound)

    def over(
        self,
        facets: Sequence[Facet],
        days: tuple[date, date],
        recorded: int,
        subjects: Sequence[str],
    ) -> list[Fact]:
        """The facts of `held`, whole."""
        bound = {
            "facets": [f.name for f in facets], "subjects": list(subjects), "k": recorded,
            "first_day": days[0], "last_day": days[1],
        }  # fmt: skip
        return self._rows(stated.OVER, bound)

    def _across(
        self,
        statement: str,
        facet: Facet,
        subjects: Sequence[str] | None,
        bound: dict[str, Any],
    ) -> list[Row]:
        """The rows of a question about these subjects, or about every subject of the facet's."""
        who = sql.SQL(stated.EVERYONE if subjects is None else stated.AMONG)
        unreferred = sql.SQL("" if facet.ref else stated.UNREFERRED)
        query = sql.SQL(statement).format(**self.identifiers, who=who, unreferred=unreferred)
        bound |= {
            "subjects": None if subjects is None else list(subjects),
            "first": f"{facet.of}:", "last": f"{facet.of};",
        }  # fmt: skip
        with self._pool.connection() as connection:
            return connection.cursor(binary=True).execute(query, bound).fetchall()

    def in_force(self, facet: Facet, as_of: AsOf) -> list[Fact]:
        """What a many-valued facet answers for every subject as of the pair."""
        bound = {"facet": facet.name, "v": as_of.effective, "k": as_of.recorded}
        return self._rows(stated.MANY_AT, bound, facet)

    def begun(self, facet: Facet, start: date, end: date, recorded: int) -> list[Fact]:
        """The facts of a facet that took effect on a day of [start, end), as known."""
        bound = {"facet": facet.name, "start": start, "end": end, "k": recorded}
        return self._rows(stated.BEGUN, bound, facet)

    def changed(self, facets: Sequence[Facet], after: int, until: int) -> list[str]:
        """The subjects of which one of these facets changed at a position of (after, until]."""
        bound = {"facets": [f.name for f in facets], "after": after, "until": until}
        with self._pool.connection() as connection:
            rows = connection.execute(self._sql(stated.CHANGED), bound).fetchall()
        return [row[0] for row in rows]

    def strands(self, facets: Sequence[Facet], subjects: Sequence[str]) -> list[Fact]:
        """Every version of these facets of these subjects, in order of subject."""
        bound = {"facets": [f.name for f in facets], "subjects": list(subjects)}
        return self._rows(stated.OF_STRANDS, bound)

    def every_version(self) -> Iterator[Fact]:
        """All rows, streamed in order of subject, facet, slot, root and first knowledge."""
        with (
            self._pool.connection() as connection,
            connection.cursor("every_version", row_factory=args_row(_fact)) as cursor,
        ):
            cursor.itersize = 5_000
            yield from cursor.execute(self._sql(stated.ALL), binary=True)

    def differing(self, scratch: "Records", position: int, limit: int) -> list[tuple[str, Fact]]:
        """Rows that only the scratch table has ("missing") or only this one ("extra"), both taken
        as of a position that both have reached.
        """
        bound = {"position": sql.Literal(position), "forever": sql.Literal(FOREVER)}
        statement = sql.SQL(stated.DIFFERING).format(
            live=sql.SQL(stated.AT_POSITION).format(**self.identifiers, **bound),
            scratch=sql.SQL(stated.AT_POSITION).format(**scratch.identifiers, **bound),
            limit=sql.Literal(limit),
        )
        with self._pool.connection() as connection:
            connection.execute("SET LOCAL work_mem = '256MB'")
            rows = connection.execute(statement).fetchall()
        return [(row[0], _fact(*row[1:])) for row in rows]

    def count(self) -> int:
        with self._pool.connection() as connection:
            row = connection.execute(self._sql(stated.COUNT)).fetchone()
        return int(row[0]) if row else 0
