"""The statements about the one rectangle table, as `records` asks them.

Owns their texts. Invariant: `HOLDS` with `PREVAILS`, or in the order of a `DISTINCT ON`, is the
resolution rule of domain/bitemporal.py; every value travels as a parameter.
"""

COLUMNS = (
    "subject, facet, slot, effective, until, seq, root, entry, known_from, known_to, ended_by,"
    " ref, value"
)
CREATE = """
CREATE TABLE IF NOT EXISTS {table} (
    subject text COLLATE "C" NOT NULL, facet text COLLATE "C" NOT NULL,
    slot text COLLATE "C" NOT NULL, effective date NOT NULL, until date NOT NULL,
    seq smallint NOT NULL, root bigint NOT NULL, entry bigint NOT NULL,
    known_from bigint NOT NULL, known_to bigint NOT NULL, ended_by bigint,
    ref text COLLATE "C", value text);
COMMENT ON TABLE {table} IS 'derived from the log; disposable';
"""
INDEXES = (
    """
CREATE INDEX IF NOT EXISTS {by_subject} ON {table}
    (subject, facet, slot, effective DESC, seq DESC, root DESC)
    INCLUDE (until, known_from, known_to, ref)
""",
    "CREATE INDEX IF NOT EXISTS {by_ref} ON {table} (facet, ref, effective) WHERE ref IS NOT NULL",
    """
CREATE INDEX IF NOT EXISTS {by_facet} ON {table}
    (facet, subject, slot, effective DESC, seq DESC, root DESC) WHERE ref IS NULL
""",
)
INDEX_MEMORY = "SET LOCAL maintenance_work_mem = '256MB'"
SWAP = """
DROP TABLE IF EXISTS {live};
ALTER TABLE {table} RENAME TO {live};
ALTER INDEX {by_subject} RENAME TO {live_by_subject};
ALTER INDEX {by_ref} RENAME TO {live_by_ref};
ALTER INDEX {by_facet} RENAME TO {live_by_facet};
"""
COPY = "COPY {table} (" + COLUMNS + ") FROM STDIN (FORMAT BINARY)"
CLOSE = """
UPDATE {table} SET known_to = c.known_to
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
    AS c (subject, facet, slot, root, known_from, known_to)
WHERE {table}.subject = c.subject AND {table}.facet = c.facet AND {table}.slot = c.slot
  AND {table}.root = c.root AND {table}.known_from = c.known_from
"""
HOLDS = "r.effective <= %(v)s AND %(v)s < r.until AND r.known_from <= %(k)s AND %(k)s < r.known_to"
PREVAILS = """
AND NOT EXISTS (
    SELECT FROM {rows} o
    WHERE o.subject = r.subject AND o.facet = r.facet AND o.slot = r.slot
      AND o.effective <= %(v)s AND %(v)s < o.until
      AND o.known_from <= %(k)s AND %(k)s < o.known_to
      AND (o.effective, o.seq, o.root) > (r.effective, r.seq, r.root))
"""
OF_SUBJECT = "SELECT " + COLUMNS + " FROM {rows} r WHERE subject = %s ORDER BY known_from, root"
OF_STRAND = (
    "SELECT " + COLUMNS + " FROM {rows} r WHERE subject = %s AND facet = %s"
    " ORDER BY known_from, root"
)
REFERRING = (
    "SELECT " + COLUMNS + " FROM {rows} r WHERE facet = %s AND ref = ANY(%s)"
    " ORDER BY known_from, root"
)
HOLDING = (
    "SELECT " + COLUMNS + " FROM {rows} r WHERE facet = %(facet)s AND ref = ANY(%(refs)s) AND "
    + HOLDS + PREVAILS
)  # fmt: skip
REFERRED = (
    "SELECT DISTINCT subject FROM {rows} r"
    " WHERE facet = ANY(%(facets)s) AND ref = ANY(%(refs)s) AND " + HOLDS
)  # fmt: skip
SINGLE_AT = (
    "SELECT DISTINCT ON (subject, facet, slot) " + COLUMNS + " FROM {rows} r"
    " WHERE subject = ANY(%(subjects)s) AND facet = ANY(%(facets)s) AND " + HOLDS
    + " ORDER BY subject, facet, slot, effective DESC, seq DESC, root DESC"
)  # fmt: skip
EVERYONE_AT = (
    "SELECT DISTINCT ON (subject, facet, slot) " + COLUMNS + " FROM {rows} r"
    " WHERE subject >= %(first)s AND subject < %(last)s AND facet = ANY(%(facets)s) AND " + HOLDS
    + " ORDER BY subject, facet, slot, effective DESC, seq DESC, root DESC"
)  # fmt: skip
AMONG = "subject = ANY(%(subjects)s)"
EVERYONE = "subject >= %(first)s AND subject < %(last)s"
BETWEEN = "subject >= {first} AND subject < {last}"
CUTS = """
SELECT percentile_disc(%(shares)s::float8[]) WITHIN GROUP (ORDER BY subject)
FROM {table} TABLESAMPLE SYSTEM (0.2) REPEATABLE (0)
WHERE subject >= %(first)s AND subject < %(last)s
"""
REFS = (
    """
(SELECT subject, {columns} FROM (
    SELECT DISTINCT ON (subject, facet, slot) subject, facet, effective, ref FROM {rows} r
    WHERE {who} AND facet = ANY(%(facets)s) AND """
    + HOLDS
    + """
    ORDER BY subject, facet, slot, effective DESC, seq DESC, root DESC) held
GROUP BY subject)
"""
)
REF = "max(ref) FILTER (WHERE facet = {facet})"
SINCE = "max(effective) FILTER (WHERE facet = {facet})"
UNREFERRED = " AND ref IS NULL"
VALUES = (
    "SELECT DISTINCT ON (subject, facet, slot) subject, value FROM {rows} r"
    " WHERE {who} AND facet = %(facet)s{unreferred} AND " + HOLDS
    + " ORDER BY subject, facet, slot, effective DESC, seq DESC, root DESC"
)  # fmt: skip
DURING = (
    " FROM {rows} r WHERE {who} AND facet = ANY(%(facets)s)"
    " AND known_from <= %(k)s AND %(k)s < known_to"
    " AND effective <= %(last_day)s AND until > %(first_day)s"
    " ORDER BY subject, facet, slot, effective DESC, seq DESC, root DESC"
)
HELD = "SELECT subject, facet, effective, until, ref" + DURING
OVER = "SELECT " + COLUMNS + DURING.replace("{who}", AMONG)
MANY_AT = (
    "SELECT " + COLUMNS + " FROM {rows} r WHERE facet = %(facet)s{unreferred} AND " + HOLDS
    + " ORDER BY subject, effective, seq, root"
)  # fmt: skip
BEGUN = (
    "SELECT " + COLUMNS + " FROM {rows} r WHERE facet = %(facet)s{unreferred}"
    " AND effective >= %(start)s AND effective < %(end)s"
    " AND known_from <= %(k)s AND %(k)s < known_to ORDER BY effective, seq, root"
)
CHANGED = (
    "SELECT DISTINCT subject FROM {rows} r WHERE facet = ANY(%(facets)s)"
    " AND ((known_from > %(after)s AND known_from <= %(until)s)"
    " OR (known_to > %(after)s AND known_to <= %(until)s)) ORDER BY subject"
)
OF_STRANDS = (
    "SELECT " + COLUMNS + " FROM {rows} r WHERE subject = ANY(%(subjects)s)"
    " AND facet = ANY(%(facets)s) ORDER BY subject, known_from, root"
)
ALL = "SELECT " + COLUMNS + " FROM {rows} r ORDER BY subject, facet, slot, root, known_from"
AT_POSITION = """
SELECT subject, facet, slot, effective, until, seq, root, entry, known_from,
    CASE WHEN known_to > {position} THEN {forever} ELSE known_to END AS known_to,
    ended_by, ref, value
FROM {table} WHERE known_from <= {position}
"""
DIFFERING = """
(SELECT 'missing', d.* FROM (SELECT * FROM ({scratch}) s EXCEPT ALL SELECT * FROM ({live}) l) d
 LIMIT {limit})
UNION ALL
(SELECT 'extra', d.* FROM (SELECT * FROM ({live}) l EXCEPT ALL SELECT * FROM ({scratch}) s) d
 LIMIT {limit})
"""
COUNT = "SELECT count(*) FROM {table}"
