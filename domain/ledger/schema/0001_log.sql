-- The event log: entries, tags, event ids, requests, claims, and the functions that write them.
-- Placeholders: {schema} and {prefix} name the log, {partition_size} positions make a partition.

CREATE TABLE {schema}.{prefix}entries (
    position bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    type text COLLATE "C" NOT NULL,
    tags text[] COLLATE "C" NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (position)
) PARTITION BY RANGE (position);
CREATE INDEX {prefix}entries_type ON {schema}.{prefix}entries (type, position);

CREATE TABLE {schema}.{prefix}tags (
    tag text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (tag, position)
);
CREATE UNIQUE INDEX {prefix}tags_type ON {schema}.{prefix}tags (tag, type, position);
-- Plans must not follow a snapshot of the statistics: the planner is told that tags and types are
-- selective, so each probe walks the index made for it, in position order.
ALTER TABLE {schema}.{prefix}tags
    ALTER COLUMN tag SET (n_distinct = -0.2), ALTER COLUMN type SET (n_distinct = 300);

CREATE TABLE {schema}.{prefix}event_ids (
    event_id uuid PRIMARY KEY,
    position bigint NOT NULL
);

CREATE TABLE {schema}.{prefix}requests (
    key text COLLATE "C" PRIMARY KEY,
    hash bytea,
    first bigint NOT NULL,
    last bigint NOT NULL
);

-- Keyed lookups (blinds, never plain values): replaced, released and erased, so not immutable.
CREATE TABLE {schema}.{prefix}claims (
    kind text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    blind bytea NOT NULL,
    PRIMARY KEY (kind, subject),
    UNIQUE (kind, blind)
);

CREATE FUNCTION {schema}.{prefix}deny() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: what is entered stays as it was entered',
        TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION {schema}.{prefix}protect(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER deny_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %s '
        'FOR EACH STATEMENT EXECUTE FUNCTION {schema}.{prefix}deny()', relation);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER deny_change', relation);
END $$;

SELECT {schema}.{prefix}protect(('{schema}.{prefix}' || name)::regclass)
FROM unnest(ARRAY['entries', 'tags', 'event_ids', 'requests']) AS name;

-- Makes partitions low..high where absent. A partition is built apart and attached, which stops
-- neither readers nor writers; a maintenance command on the parent can hold it up for `patience`.
CREATE FUNCTION {schema}.{prefix}extend(low bigint, high bigint, patience text) RETURNS void
LANGUAGE plpgsql SET lock_timeout = 0 AS $$
DECLARE
    name text;
BEGIN
    PERFORM set_config('lock_timeout', patience, true);
    FOR n IN low..high LOOP
        name := '{prefix}entries_' || lpad(n::text, 6, '0');
        CONTINUE WHEN to_regclass('{schema}.' || name) IS NOT NULL;
        EXECUTE format('CREATE TABLE {schema}.%I (LIKE {schema}.{prefix}entries)', name);
        EXECUTE format('ALTER TABLE {schema}.%I ALTER COLUMN type SET (n_distinct = 300)', name);
        PERFORM {schema}.{prefix}protect(('{schema}.' || name)::regclass);
        EXECUTE format(
            'ALTER TABLE {schema}.{prefix}entries ATTACH PARTITION {schema}.%I '
            'FOR VALUES FROM (%s) TO (%s)',
            name, n * {partition_size} + 1, (n + 1) * {partition_size} + 1);
    END LOOP;
END $$;

SELECT {schema}.{prefix}extend(0, 1, '0');

-- Positions, in order, of entries with one tag ('' for any) and one type (NULL for any).
CREATE FUNCTION {schema}.{prefix}probe(text, text, after bigint, until bigint, wanted bigint)
RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    (SELECT t.position FROM {schema}.{prefix}tags t
      WHERE $1 <> '' AND $2 IS NULL AND t.tag = $1 AND t.position > $3 AND t.position <= $4
      ORDER BY t.position LIMIT $5)
    UNION ALL
    (SELECT t.position FROM {schema}.{prefix}tags t
      WHERE $1 <> '' AND t.tag = $1 AND t.type = $2 AND t.position > $3 AND t.position <= $4
      ORDER BY t.position LIMIT $5)
    UNION ALL
    (SELECT e.position FROM {schema}.{prefix}entries e
      WHERE $1 = '' AND e.type = $2 AND e.position > $3 AND e.position <= $4
      ORDER BY e.position LIMIT $5)
    UNION ALL
    (SELECT e.position FROM {schema}.{prefix}entries e
      WHERE $1 = '' AND $2 IS NULL AND e.position > $3 AND e.position <= $4
      ORDER BY e.position LIMIT $5)
$$;

-- Positions, in order, of entries that carry all the tags: leaps along whichever tag is sparsest
-- from here, so a common tag beside a rare one costs nothing.
CREATE FUNCTION {schema}.{prefix}meet(
    all_tags text[], one_type text, after bigint, until bigint, wanted bigint
) RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    leap bigint := 64;
    given bigint := 0;
    batch bigint;
    sparsest record;
BEGIN
    LOOP
        SELECT t.tag, s.steps, s.reach INTO sparsest
        FROM unnest(all_tags) AS t(tag), LATERAL (
            SELECT count(*) AS steps, max(p.position) AS reach
            FROM {schema}.{prefix}probe(t.tag, one_type, after, until, leap) AS p(position)
        ) s
        ORDER BY s.steps, s.reach DESC LIMIT 1;
        RETURN QUERY
            SELECT p.position
            FROM {schema}.{prefix}probe(sparsest.tag, one_type, after, until, leap) AS p(position)
            WHERE (SELECT e.tags @> all_tags FROM {schema}.{prefix}entries e
                    WHERE e.position = p.position)
            ORDER BY p.position LIMIT wanted - given;
        GET DIAGNOSTICS batch = ROW_COUNT;
        given := given + batch;
        EXIT WHEN sparsest.steps < leap OR given >= wanted;
        after := sparsest.reach;
        leap := least(leap * 4, 16384);
    END LOOP;
END $$;

-- The last position recorded at or before an instant. Waits for appends under way: whatever comes
-- after it is stamped later.
CREATE FUNCTION {schema}.{prefix}position_at(instant timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    low bigint := 0;
    high bigint;
    middle bigint;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(
        'pg_class'::regclass::oid::int, '{schema}.{prefix}entries'::regclass::oid::int);
    SELECT coalesce(max(e.position), 0) INTO high FROM {prefix}entries e;
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        IF (SELECT e.recorded_at <= instant FROM {prefix}entries e WHERE e.position = middle) THEN
            low := middle;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END $$;
REVOKE ALL ON FUNCTION {schema}.{prefix}position_at FROM PUBLIC;
