"""What the table answers at every day and position, held against what the oracle tells.

Each statement that asks as of a pair is asked of all pairs at once: it is the table's own text, its
two times those of one pair after another, and nothing else of it is changed.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from psycopg import sql

from domain.acts.people import CATEGORY, HOST, SERVICE, UNIT
from domain.acts.posts import POST
from domain.acts.responsibility import SUPERVISOR
from domain.acts.units import UNIT_NAME, UNIT_PARENT
from domain.bitemporal import AsOf
from domain.events import FACETS, Facet
from projections import records_statements as table
from projections.records import Records
from tests.foretelling import MANY
from tests.oracle import Held, in_force

OURS = [f for f in FACETS.values() if f.of in ("person", "unit")]
SINGLE = [f for f in OURS if not f.many]
PLACES = (UNIT, HOST)
REFERRED = (*PLACES, UNIT_PARENT, SUPERVISOR)
SHOWN = (SERVICE, CATEGORY, POST, *PLACES)
EACH = """
SELECT pair.n, answer.*
FROM unnest(%(days)s::date[], %(positions)s::int8[]) WITH ORDINALITY pair (day, position, n),
LATERAL ({statement}) answer WHERE answer.subject = ANY(%(subjects)s)
"""
TIMES = (("%(v)s", "pair.day"), ("%(k)s", "pair.position"))

Rows = list[tuple[Any, ...]]


class Answers(NamedTuple):
    """What the oracle tells at one pair: all facts that stand, and those that answer."""

    facts: list[Held]
    single: Rows
    many: Rows


def in_order(facts: Iterable[Any]) -> Rows:
    """Facts of whatever make, in one order and as far as the oracle tells them."""
    return sorted((held(f) for f in facts), key=itemgetter(0, 1, 2, 6))


def held(fact: Any) -> tuple[Any, ...]:
    return (*fact[:8], fact.value)


class Grid:
    """The pairs at which the table is asked, and what it answers about these subjects there."""

    def __init__(self, records: Records, told: dict[AsOf, Answers], subjects: list[str]) -> None:
        self.records, self.told, self.subjects = records, told, subjects
        self.people = [s for s in subjects if s.startswith("person:")]
        self.units = [s.partition(":")[2] for s in subjects if s.startswith("unit:")]

    def agrees(self) -> None:
        self._facts_agree()
        self._places_agree()
        for n, (as_of, told) in enumerate(self.told.items()):
            if n % 17 == 0:
                self._calls_agree(as_of, told)

    def _facts_agree(self) -> None:
        names = [f.name for f in SINGLE]
        answered = self._each(table.SINGLE_AT, facets=names)
        self._compare(answered, lambda told: told.single)
        every: Rows = []
        for kind in ("person", "unit"):
            bound = {"facets": [f.name for f in SINGLE if f.of == kind]}
            every += self._each(table.EVERYONE_AT, first=f"{kind}:", last=f"{kind};", **bound)
        key = itemgetter(0, 1, 2, 3)
        assert sorted(every, key=key) == sorted(answered, key=key)
        found: Rows = []
        for name in MANY:
            found += self._each(table.MANY_AT, FACETS[name], facet=name)
        self._compare(found, lambda told: told.many)

    def _compare(self, rows: Rows, ours: Any) -> None:
        found: defaultdict[int, Rows] = defaultdict(list)
        for row in rows:
            found[row[0]].append((*row[1:9], _said(row[13])))
        for n, (as_of, told) in enumerate(self.told.items(), 1):
            assert sorted(found[n], key=itemgetter(0, 1, 2, 6)) == ours(told), as_of

    def _places_agree(self) -> None:
        """Who is where: by what a fact refers to, and by what is told of somebody in one row."""
        for facet in REFERRED:
            refs = [*self.units, *(s[7:] for s in self.people)]
            found = self._each(table.HOLDING, facet=facet.name, refs=refs)
            self._compare(found, lambda told, facet=facet: [
                f for f in told.single if f[1] == facet.name and f[8] is not None])  # fmt: skip
        some = self.units[:2]
        found = self._each(table.REFERRED, facets=[f.name for f in PLACES], refs=some)
        assert set(found) == {
            (n, f.subject)
            for n, (as_of, told) in enumerate(self.told.items(), 1)
            for f in in_force(told.facts, as_of.effective)
            if f.facet in {"unit", "host"} and f.value is not None and f.value["unit"] in some
        }
        found = self._each(table.REFS, facets=[f.name for f in SHOWN])
        assert sorted(found, key=itemgetter(0, 1)) == [
            (n, *row) for n, told in enumerate(self.told.values(), 1) for row in self._rows(told)
        ]
        found = self._each(table.VALUES, UNIT_NAME, facet=UNIT_NAME.name)
        assert {(n, subject): _said(value) for n, subject, value in found} == {
            (n, f[0]): f[8]
            for n, told in enumerate(self.told.values(), 1)
            for f in told.single
            if f[1] == UNIT_NAME.name
        }

    def _rows(self, told: Answers) -> Iterator[tuple[Any, ...]]:
        """Each person's refs in one row, and since when the home unit is so."""
        said: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        since: dict[str, date] = {}
        for fact in told.single:
            facet = FACETS[fact[1]]
            if facet in SHOWN:
                said[fact[0]][facet.name] = None if fact[8] is None else fact[8][str(facet.ref)]
                if facet is UNIT:
                    since[fact[0]] = fact[3]
        for subject in sorted(said):
            yield (subject, *(said[subject].get(f.name) for f in SHOWN), since.get(subject))

    def _calls_agree(self, as_of: AsOf, told: Answers) -> None:
        """The same answers where each statement is called as the product calls it."""
        ours = set(self.subjects)
        assert in_order(self.records.at(SINGLE, self.subjects, as_of)) == told.single
        many = (f for name in MANY for f in self.records.in_force(FACETS[name], as_of))
        assert in_order(f for f in many if f.subject in ours) == told.many
        rows = self.records.refs(SHOWN, as_of, self.people, dated=UNIT)
        assert rows == list(self._rows(told))

    def _each(self, statement: str, of: Facet | None = None, **bound: Any) -> Rows:
        for name, column in TIMES:
            statement = statement.replace(name, column)
        bound |= {
            "days": [as_of.effective for as_of in self.told],
            "positions": [as_of.recorded for as_of in self.told],
            "subjects": self.subjects,
        }
        columns = [sql.SQL(table.REF).format(facet=sql.Literal(f.name)) for f in SHOWN]
        columns.append(sql.SQL(table.SINCE).format(facet=sql.Literal(UNIT.name)))
        query = sql.SQL(EACH.replace("{statement}", statement)).format(
            **self.records.identifiers,
            who=sql.SQL(table.AMONG), columns=sql.SQL(", ").join(columns),
            unreferred=sql.SQL(table.UNREFERRED if of and of.ref is None else ""),
        )  # fmt: skip
        with self.records._pool.connection() as connection:
            return connection.cursor(binary=True).execute(query, bound).fetchall()


@cache
def _said(value: str | None) -> Any:
    return None if value is None else json.loads(value)
