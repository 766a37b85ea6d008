"""Owns how the log's questions are spelt for PostgreSQL; what decides lies in `schema/`.

Invariant: every value travels as a parameter; only a log's schema and prefix are spelt into a text.
"""

from collections.abc import Sequence
from typing import Any

from psycopg.types.numeric import Int8

from domain.ledger.appends import Conditions

_BEFORE_CHANGE = 2 + 8 + 16 + 32
"""How PostgreSQL keeps "before update, delete or truncate, once a statement"."""


def _schema_of(log: str) -> str:
    return f"(SELECT relnamespace FROM pg_class WHERE oid = '{log}entries'::regclass)"


class Pages:
    """Reading some columns of what matches: a span whole, by tag and type, by tags that meet."""

    def __init__(self, log: str, columns: str, probes: str, meets: str) -> None:
        page = (
            f"SELECT {columns} FROM (SELECT DISTINCT f.position FROM ({{}}) f"
            f" ORDER BY f.position LIMIT %b) f JOIN {log}entries e ON e.position = f.position"
            f" ORDER BY f.position"
        )
        self.range = (
            f"SELECT {columns} FROM {log}entries e"
            f" WHERE e.position > %b AND e.position <= %b ORDER BY e.position LIMIT %b"
        )
        self.matching = page.format(probes)
        self.meeting = page.format(f"{probes} UNION ALL {meets}")

    def asking(
        self, conditions: Conditions, after: int, until: int, most: int
    ) -> tuple[str, list[Any]] | None:
        """The statement for a page, and its values; None where nothing can match."""
        span: list[Any] = [Int8(after), Int8(until), Int8(most)]
        probes, meets = _pairs(conditions.probes), _pairs(conditions.meets)
        if ("", None) in conditions.probes:
            return self.range, span
        if conditions.meets:
            return self.meeting, [*probes, *span, *meets, *span, span[2]]
        if conditions.probes:
            return self.matching, [*probes, *span, span[2]]
        return None


def _pairs(probes: Sequence[tuple[str, str | None]]) -> list[Any]:
    return [[tags for tags, _ in probes], [type_ for _, type_ in probes]]


class Statements:
    """The log's statements, spelt for its schema and prefix."""

    def __init__(self, log: str) -> None:
        # joined tags cost a client a fifth of what an array costs it
        tags = "array_to_string(e.tags, E'\\x1f')"
        columns = f"e.position, e.type, {tags}, e.data"
        probes = (
            f"SELECT m.position FROM unnest(%b::text[], %b::text[]) AS p(tag, type),"
            f" LATERAL {log}probe(p.tag, p.type, %b, %b, %b) AS m(position)"
        )
        meets = (
            f"SELECT m.position FROM unnest(%b::text[], %b::text[]) AS p(tags, type),"
            f" LATERAL {log}meet(string_to_array(p.tags, E'\\x1f'), p.type, %b, %b, %b)"
            f" AS m(position)"
        )
        self.append = (
            f"SELECT * FROM {log}append(%t::int[], %t::int[], %t::int[], %t::int[], %t::int[],"
            f" %t::bigint[], %b::text[], %b::bytea[],"
            f" %t::int[], %b::text[], %b::text[], %b::bytea[], %b::uuid[],"
            f" %t::int[], %b::text[], %b::text[], %t::int[], %b::text[], %b::text[],"
            f" %t::int[], %b::text[], %b::text[], %b::bytea[], %b)"
        )
        self.append_straight = (
            f"SELECT * FROM {log}append_straight($1::int[], $2::text, $3::text, $4::bytea[],"
            f" $5::uuid[], $6::text, $7::bytea[], $8::int[], $9::int[],"
            f" $10::bigint[], $11::text, $12::bigint[], $13::text, $14::text)"
        )
        self.events = Pages(log, columns, probes, meets)
        self.entries = Pages(log, f"{columns}, e.recorded_at", probes, meets)
        self.by_event_id = (
            f"SELECT event_id, position FROM {log}event_ids WHERE event_id = ANY(%b::uuid[])"
        )
        self.claimed = (
            f"SELECT blind, subject FROM {log}claims WHERE kind = %b AND blind = ANY(%b::bytea[])"
        )
        self.answered = (
            f"SELECT q.first, q.last, e.recorded_at, q.hash FROM {log}requests q"
            f" JOIN {log}entries e ON e.position = q.first WHERE q.key = %b"
        )
        self.head = f"SELECT coalesce(max(position), 0) FROM {log}entries"
        self.first = f"SELECT coalesce(min(position), 1) FROM {log}entries"
        self.recorded_at = f"SELECT recorded_at FROM {log}entries WHERE position = %b"
        self.headings = (
            f"SELECT position, type, recorded_at FROM {log}entries"
            f" WHERE position = ANY(%b::bigint[])"
        )
        self.position_at = f"SELECT {log}position_at(%b)"
        self._list_tags(log)
        self._read_raw(log)
        self._guard(log)
        self._beside(log)
        self._copy(log)

    def _list_tags(self, log: str) -> None:
        self.tags_from = (
            f"SELECT DISTINCT tag FROM {log}tags WHERE tag >= %b AND tag < %b AND position <= %b"
        )
        self.tags_of_types = (
            f"SELECT DISTINCT unnest(e.tags) FROM {log}entries e WHERE e.type = ANY(%b::text[])"
        )

    def _read_raw(self, log: str) -> None:
        """For sealing and verifying: rows as they lie, the tag index against them."""
        self.raw = (
            f"COPY (SELECT position, recorded_at, type, tags, data FROM {log}entries"
            f" WHERE position > %s AND position <= %s ORDER BY position)"
            f" TO STDOUT (FORMAT BINARY)"
        )
        self.data_of_type = (
            f"SELECT position, data FROM {log}entries"
            f" WHERE type = %s AND position > %s ORDER BY position"
        )
        own = f"SELECT position, unnest(tags) AS tag, type FROM {log}entries WHERE position > %s"
        indexed = f"SELECT position, tag, type FROM {log}tags"
        first = "SELECT position, tag, count(*) OVER () FROM ({} EXCEPT {}) d ORDER BY 1, 2 LIMIT 1"
        self.tags_lacking = first.format(own, indexed)
        self.tags_beyond = first.format(indexed, own)
        # an event id as an envelope begins with it; what is no envelope has none
        named = (
            f"SELECT position, encode(substring(data FROM 19 FOR 36), 'escape') AS id"
            f" FROM {log}entries WHERE position > %s"
            f' AND substring(data FROM 1 FOR 18) = \'{{"format":1,"id":"\''
        )
        known = f"SELECT position, event_id::text AS id FROM {log}event_ids"
        first = "SELECT position, count(*) OVER () FROM ({} EXCEPT {}) d ORDER BY 1 LIMIT 1"
        self.ids_lacking = first.format(named, known)
        self.ids_beyond = first.format(known, named)
        self.cut_index = f"SELECT {log}cut_index(%s, %s, %s)"
        self.cut_partition = f"SELECT {log}cut_partition(%s, %s)"

    def _guard(self, log: str) -> None:
        """For verifying: what guards the tables, what stands before them, how functions read."""
        here = _schema_of(log)
        self.unprotected = (
            f"SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p')"
            f" AND c.relnamespace = {here} AND (c.relname IN"
            f" ('{log}entries', '{log}tags', '{log}event_ids', '{log}requests', '{log}seal_tiles',"
            f" '{log}seal_heads', '{log}seal_cosignatures', '{log}seal_stamps')"
            f" OR c.relname ~ '^{log}entries_[0-9]+$') AND NOT EXISTS (SELECT FROM pg_trigger t"
            f" JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = c.oid"
            f" AND t.tgname = 'deny_change' AND t.tgenabled = 'A' AND t.tgqual IS NULL"
            f" AND t.tgtype = {_BEFORE_CHANGE} AND t.tgattr::text = ''"
            f" AND p.proname = '{log}deny' AND p.pronamespace = c.relnamespace)"
            f" ORDER BY 1"
        )
        self.meddling = (
            f"SELECT c.relname FROM pg_class c WHERE c.relnamespace = {here}"
            f" AND starts_with(c.relname, '{log}') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
            f" AND (c.relkind NOT IN ('r', 'p') OR c.relrowsecurity OR EXISTS (SELECT FROM"
            f" pg_rewrite w WHERE w.ev_class = c.oid) OR EXISTS (SELECT FROM pg_trigger t"
            f" WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgname <> 'deny_change'))"
            f" ORDER BY 1"
        )
        self.functions = (
            f"SELECT (SELECT quote_ident(nspname) FROM pg_namespace WHERE oid = p.pronamespace),"
            f" p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),"
            f" l.lanname, p.provolatile::text, p.prosecdef, p.proisstrict,"
            f" coalesce(p.proconfig, '{{}}'), p.prosrc"
            f" FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang"
            f" WHERE p.pronamespace = {here} AND starts_with(p.proname, '{log}') ORDER BY 2"
        )
        self.detached = (
            f"SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND NOT c.relispartition"
            f" AND c.relnamespace = {here}"
            f" AND c.relname ~ '^{log}entries_[0-9]+$' ORDER BY 1"
        )

    def _beside(self, log: str) -> None:
        """For verifying: primary keys, indexes, and what else bears the log's names."""
        here = _schema_of(log)
        self.unkeyed = (
            f"SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p')"
            f" AND c.relnamespace = {here} AND c.relname ~ '^{log}(entries(_[0-9]+)?|tags|event_ids"
            f"|requests|claims|seal_(tiles|heads|cosignatures|stamps))$' AND NOT EXISTS (SELECT"
            f" FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid)"
            f" ORDER BY 1"
        )
        self.indexes = (
            f"SELECT x.oid::regclass::text, i.indrelid::regclass::text, (SELECT string_agg("
            f" quote_ident(a.attname), ', ' ORDER BY k.n) FROM unnest(i.indkey) WITH ORDINALITY"
            f" AS k(at, n) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.at)"
            f" FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid"
            f" JOIN pg_class c ON c.oid = i.indrelid"
            f" WHERE x.relkind IN ('i', 'I') AND x.relnamespace = {here} AND NOT c.relispartition"
            f" AND c.relkind IN ('r', 'p') AND has_table_privilege(c.oid, 'SELECT')"
            f" AND starts_with(x.relname, '{log}') ORDER BY 1"
        )
        # a name is looked up where a role's settings say, and of functions the best match counts
        own = f"SELECT %s FROM %s WHERE %s = {here} AND starts_with(%s, '{log}')"
        made = (
            "o.oid >= 16384"
            " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = o.oid AND d.deptype = 'e')"
        )
        self.shadowing = (
            f"SELECT o.oid::regclass::text FROM pg_class o"
            f" WHERE o.relkind IN ('r', 'p', 'v', 'm', 'f') AND o.relnamespace <> {here}"
            f" AND o.relname IN ({own % ('relname', 'pg_class', 'relnamespace', 'relname')})"
            f" UNION SELECT o.oid::regprocedure::text FROM pg_proc o WHERE {made} AND o.proname IN"
            f" (SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace)"
            f" UNION SELECT o.oid::regprocedure::text FROM pg_proc o WHERE o.pronamespace <> {here}"
            f" AND o.proname IN ({own % ('proname', 'pg_proc', 'pronamespace', 'proname')})"
            f" UNION SELECT o.oid::regoperator::text FROM pg_operator o WHERE {made} ORDER BY 1"
        )
        self.count = "SELECT count(*) FROM {}"
        self.count_in_order = "SELECT count(*) FROM (SELECT {0} FROM {1} ORDER BY {0} OFFSET 0) s"

    def _copy(self, log: str) -> None:
        """For taking a whole log over: what stands beside the entries, and putting it all."""
        self.load = (
            f"SELECT {log}load(%b, %b::timestamptz[], %b::text[], %b::text[], %b::bytea[],"
            f" %b::uuid[])"
        )
        self.claims = f"SELECT kind, subject, blind FROM {log}claims ORDER BY kind, subject"
        self.claims_at_head = (
            f"SELECT h.head, c.kind, c.subject, c.blind"
            f" FROM (SELECT coalesce(max(position), 0) AS head FROM {log}entries) h"
            f" LEFT JOIN {log}claims c ON true"
        )
        self.claim = (
            f"INSERT INTO {log}claims (kind, subject, blind)"
            f" SELECT * FROM unnest(%b::text[], %b::text[], %b::bytea[])"
        )
        self.requests = (
            f"SELECT key, hash, first, last FROM {log}requests WHERE key > %b AND last <= %b"
            f" ORDER BY key LIMIT %b"
        )
        self.remember = (
            f"INSERT INTO {log}requests (key, hash, first, last)"
            f" SELECT * FROM unnest(%b::text[], %b::bytea[], %b::bigint[], %b::bigint[])"
        )
