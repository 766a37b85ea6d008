"""Owns whose eyes the records are seen with: what of the table is seen of sealed cases, and of
which days.

Invariant: what a sight hides is in no answer, whatever is asked; facts of no case are always seen,
up to the day on which a sight ends.
"""

from datetime import date
from typing import NamedTuple

from psycopg import sql

from domain.acts.complaints import DISCLOSURE, PARTY
from domain.bitemporal import FOREVER
from domain.events import FACETS

SEEN = """(
SELECT v.* FROM {table} v WHERE v.facet <> ALL({sealed})
    OR EXISTS (
        SELECT FROM {table} d WHERE d.subject = 'case:' || v.slot AND d.facet = {disclosure}
            AND d.effective <= {today} AND d.known_to = {forever})
    OR {cases} AND NOT EXISTS (
        SELECT FROM {table} p WHERE p.facet = {party} AND p.ref = ANY({own})
            AND p.subject = 'case:' || v.slot))
"""


class Sight(NamedTuple):
    """Which facts of cases are seen: those of cases disclosed by `today`, as known now; with
    `cases` of all others too, but those about one of the persons `own`. Of days from `before` on
    nothing is told.
    """

    today: date
    cases: bool = False
    own: frozenset[str] = frozenset()
    before: date | None = None


def seen(sight: Sight, table: sql.Composable) -> sql.Composed:
    """The rows of a records table that are seen: to stand where a table may stand."""
    sealed = [facet.name for facet in FACETS.values() if facet.case_sealed]
    return sql.SQL(SEEN).format(
        table=table,
        sealed=sql.Literal(sealed),
        disclosure=sql.Literal(DISCLOSURE.name),
        party=sql.Literal(PARTY.name),
        today=sql.Literal(sight.today),
        forever=sql.Literal(FOREVER),
        cases=sql.Literal(sight.cases),
        own=sql.Literal(sorted(sight.own)),
    )
