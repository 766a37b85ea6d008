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

-- Decides and stores requests in turn; one answer a request, in their order. The caller cuts them
-- into segments: no request of a segment can match, repeat or claim what another of it enters, so
-- a segment is decided together on what is stored.
--   segments  last request of each segment
--   r_*       a request: its number of entries, probes, meets, claims; its condition's `after`;
--             its idempotency key and request hash
--   e_*       entries (tags joined by U+001F), p_* probes and m_* meets of conditions, c_* claims,
--             each with its request, in order
--   halt      a refusal stops what follows it
-- Codes: 0 stored, 1 replayed, 2 condition failed (first: the match), 3 key reused, 4 event id
-- known, 5 claim taken (kind, holder), 6 clock behind, 7 not reached.
CREATE FUNCTION {schema}.{prefix}append(
    segments int[],
    r_entries int[], r_probes int[], r_meets int[], r_claims int[],
    r_after bigint[], r_key text[], r_hash bytea[],
    e_request int[], e_type text[], e_tags text[], e_data bytea[], e_id uuid[],
    p_request int[], p_tag text[], p_type text[],
    m_request int[], m_tags text[], m_type text[],
    c_request int[], c_kind text[], c_subject text[], c_blind bytea[],
    halt boolean
) RETURNS TABLE (
    code int, first bigint, last bigint, recorded_at timestamptz, kind text, holder text
) LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
SET work_mem = '64MB' SET jit = off
AS $$
DECLARE
    most constant bigint := 9223372036854775807;
    requests constant int := cardinality(r_entries);
    codes int[] := array_fill(0, ARRAY[requests]);
    firsts bigint[] := array_fill(0::bigint, ARRAY[requests]);
    lasts bigint[] := array_fill(0::bigint, ARRAY[requests]);
    shifts bigint[] := array_fill(0::bigint, ARRAY[requests]);
    stamps timestamptz[] := array_fill('-infinity'::timestamptz, ARRAY[requests]);
    kinds text[];
    holders text[];
    floors bigint[] := r_after;
    head bigint;
    latest timestamptz;
    before bigint;
    behind boolean;
    stamp timestamptz;
    match bigint;
    seen bigint;
    halted boolean := false;
    hit record;
    lo int := 1; hi int;
    e_lo int := 1; e_hi int := 0;
    p_lo int := 1; p_hi int := 0;
    m_lo int := 1; m_hi int := 0;
    c_lo int := 1; c_hi int := 0;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the log is appended to under READ COMMITTED only';
    END IF;
    PERFORM pg_advisory_xact_lock(
        'pg_class'::regclass::oid::int, '{schema}.{prefix}entries'::regclass::oid::int);
    SELECT e.position, e.recorded_at INTO head, latest
    FROM {prefix}entries e ORDER BY e.position DESC LIMIT 1;
    head := coalesce(head, 0);
    latest := coalesce(latest, '-infinity');
    behind := clock_timestamp() < latest - interval '5 seconds';

    FOREACH hi IN ARRAY segments LOOP
        FOR i IN lo..hi LOOP
            e_hi := e_hi + r_entries[i];
            p_hi := p_hi + r_probes[i];
            m_hi := m_hi + r_meets[i];
            c_hi := c_hi + r_claims[i];
        END LOOP;

        IF r_key IS NOT NULL THEN
            FOR hit IN
                SELECT lo - 1 + k.i AS request, q.first, q.last, e.recorded_at,
                       q.hash IS NOT DISTINCT FROM r_hash[lo - 1 + k.i] AS same
                FROM unnest(r_key[lo:hi]) WITH ORDINALITY AS k(key, i)
                JOIN {prefix}requests q ON q.key = k.key
                JOIN {prefix}entries e ON e.position = q.first
            LOOP
                codes[hit.request] := CASE WHEN hit.same THEN 1 ELSE 3 END;
                firsts[hit.request] := hit.first;
                lasts[hit.request] := hit.last;
                stamps[hit.request] := hit.recorded_at;
            END LOOP;
        END IF;

        IF e_id IS NOT NULL THEN
            FOR hit IN
                SELECT x.request, count(*) AS known, min(i.position) AS first,
                       max(i.position) AS last, min(i.position - x.n) = max(i.position - x.n) AS whole
                FROM unnest(e_request[e_lo:e_hi], e_id[e_lo:e_hi]) WITH ORDINALITY
                     AS x(request, id, n)
                JOIN {prefix}event_ids i ON i.event_id = x.id
                WHERE codes[x.request] = 0
                GROUP BY x.request
            LOOP
                -- recorded_at is an append's own: it shows where the first append began and ended
                SELECT min(e.recorded_at) FILTER (WHERE e.position = hit.first) INTO stamp
                FROM {prefix}entries e
                WHERE e.position BETWEEN hit.first - 1 AND hit.last + 1
                HAVING hit.whole AND hit.known = r_entries[hit.request]
                   AND hit.last - hit.first + 1 = hit.known
                   AND count(DISTINCT e.recorded_at) = 1 + count(*)
                           FILTER (WHERE e.position IN (hit.first - 1, hit.last + 1))
                   AND count(DISTINCT e.recorded_at)
                           FILTER (WHERE e.position BETWEEN hit.first AND hit.last) = 1;
                codes[hit.request] := CASE WHEN FOUND THEN 1 ELSE 4 END;
                firsts[hit.request] := hit.first;
                lasts[hit.request] := hit.last;
                stamps[hit.request] := coalesce(stamp, '-infinity');
            END LOOP;
        END IF;

        IF p_hi >= p_lo OR m_hi >= m_lo THEN
            -- a large condition over few later entries: look the entries up in the condition
            before := p_lo - 1;
            FOR i IN lo..hi LOOP
                IF r_probes[i] > 32 AND codes[i] = 0 AND r_after[i] < head
                   AND head - r_after[i] < r_probes[i] AND r_meets[i] = 0 THEN
                    SELECT min(x.position) INTO match FROM (
                        SELECT e.position, e.type, t.tag
                        FROM {prefix}entries e, unnest(e.tags || ''::text) AS t(tag)
                        WHERE e.position > r_after[i] AND e.position <= head
                    ) x
                    JOIN unnest(p_tag[before + 1:before + r_probes[i]],
                                p_type[before + 1:before + r_probes[i]]) AS p(tag, type)
                      ON p.tag = x.tag
                    WHERE p.type IS NULL OR p.type = x.type;
                    IF match IS NOT NULL THEN
                        codes[i] := 2;
                        firsts[i] := match;
                    END IF;
                    floors[i] := head;
                END IF;
                before := before + r_probes[i];
            END LOOP;
            FOR hit IN
                SELECT p.request, min(f.position) AS first
                FROM unnest(p_request[p_lo:p_hi], p_tag[p_lo:p_hi], p_type[p_lo:p_hi])
                     AS p(request, tag, type),
                     LATERAL {prefix}probe(p.tag, p.type, floors[p.request], most, 1)
                     AS f(position)
                WHERE floors[p.request] < head AND codes[p.request] = 0
                GROUP BY p.request
            LOOP
                codes[hit.request] := 2;
                firsts[hit.request] := hit.first;
            END LOOP;
            IF m_hi >= m_lo THEN
                FOR hit IN
                    SELECT m.request, min(f.position) AS first
                    FROM unnest(m_request[m_lo:m_hi], m_tags[m_lo:m_hi], m_type[m_lo:m_hi])
                         AS m(request, tags, type),
                         LATERAL {prefix}meet(string_to_array(m.tags, E'\x1f'), m.type,
                                              floors[m.request], most, 1) AS f(position)
                    WHERE floors[m.request] < head AND codes[m.request] IN (0, 2)
                    GROUP BY m.request
                LOOP
                    firsts[hit.request] := CASE codes[hit.request] WHEN 2
                        THEN least(firsts[hit.request], hit.first) ELSE hit.first END;
                    codes[hit.request] := 2;
                END LOOP;
            END IF;
        END IF;

        IF c_hi >= c_lo THEN
            FOR hit IN
                SELECT c.request, c.kind, h.subject AS holder, (
                    SELECT max(o.request)
                    FROM unnest(c_request[c_lo:c_hi], c_kind[c_lo:c_hi], c_subject[c_lo:c_hi])
                         AS o(request, kind, subject)
                    WHERE o.kind = c.kind AND o.subject = h.subject AND o.request <= c.request
                ) AS freed_by
                FROM unnest(c_request[c_lo:c_hi], c_kind[c_lo:c_hi], c_subject[c_lo:c_hi],
                            c_blind[c_lo:c_hi]) AS c(request, kind, subject, blind)
                JOIN {prefix}claims h ON h.kind = c.kind AND h.blind = c.blind
                WHERE h.subject <> c.subject AND codes[c.request] = 0
                ORDER BY c.request
            LOOP
                IF hit.freed_by IS NULL OR codes[hit.freed_by] <> 0 THEN
                    codes[hit.request] := 5;
                    kinds[hit.request] := hit.kind;
                    holders[hit.request] := hit.holder;
                END IF;
            END LOOP;
        END IF;

        before := head;
        seen := 0;
        FOR i IN lo..hi LOOP
            IF halted THEN
                codes[i] := 7;
            ELSIF codes[i] = 0 AND behind THEN
                codes[i] := 6;
            END IF;
            halted := halted OR halt AND codes[i] > 1;
            IF codes[i] = 0 THEN
                latest := greatest(clock_timestamp(), latest + interval '1 microsecond');
                stamps[i] := latest;
                shifts[i] := head - seen;
                firsts[i] := head + 1;
                head := head + r_entries[i];
                lasts[i] := head;
            END IF;
            seen := seen + r_entries[i];
        END LOOP;

        IF head > before THEN
            IF (head - 1) / {partition_size} > greatest(before - 1, 0) / {partition_size} THEN
                PERFORM {prefix}extend(
                    greatest(before - 1, 0) / {partition_size}, (head - 1) / {partition_size}, '0');
            END IF;
            IF head / greatest({partition_size} / 64, 1) > before / greatest({partition_size} / 64, 1) THEN
                BEGIN
                    PERFORM {prefix}extend((head - 1) / {partition_size} + 1,
                                           (head - 1) / {partition_size} + 1, '10ms');
                EXCEPTION WHEN lock_not_available THEN
                    NULL; -- tried again a stride later, and waited for when it is due
                END;
            END IF;

            WITH stored AS (
                INSERT INTO {prefix}entries AS e (position, recorded_at, type, tags, data)
                SELECT shifts[x.request] + x.n, stamps[x.request], x.type,
                       string_to_array(x.tags, E'\x1f'), x.data
                FROM unnest(e_request[e_lo:e_hi], e_type[e_lo:e_hi], e_tags[e_lo:e_hi],
                            e_data[e_lo:e_hi]) WITH ORDINALITY AS x(request, type, tags, data, n)
                WHERE codes[x.request] = 0
                RETURNING e.position, e.type, e.tags
            )
            INSERT INTO {prefix}tags (tag, type, position)
            SELECT DISTINCT t.tag, s.type, s.position FROM stored s, unnest(s.tags) AS t(tag)
            ORDER BY t.tag, s.type, s.position;

            IF e_id IS NOT NULL THEN
                INSERT INTO {prefix}event_ids (event_id, position)
                SELECT x.id, shifts[x.request] + x.n
                FROM unnest(e_request[e_lo:e_hi], e_id[e_lo:e_hi]) WITH ORDINALITY
                     AS x(request, id, n)
                WHERE codes[x.request] = 0 AND x.id IS NOT NULL;
            END IF;

            IF r_key IS NOT NULL THEN
                INSERT INTO {prefix}requests (key, hash, first, last)
                SELECT r_key[i], r_hash[i], firsts[i], lasts[i] FROM generate_series(lo, hi) i
                WHERE codes[i] = 0 AND r_key[i] IS NOT NULL;
            END IF;

            IF c_hi >= c_lo THEN
                DELETE FROM {prefix}claims h
                USING unnest(c_request[c_lo:c_hi], c_kind[c_lo:c_hi], c_subject[c_lo:c_hi])
                      AS c(request, kind, subject)
                WHERE codes[c.request] = 0 AND h.kind = c.kind AND h.subject = c.subject;
                INSERT INTO {prefix}claims (kind, subject, blind)
                SELECT c.kind, c.subject, c.blind
                FROM unnest(c_request[c_lo:c_hi], c_kind[c_lo:c_hi], c_subject[c_lo:c_hi],
                            c_blind[c_lo:c_hi]) AS c(request, kind, subject, blind)
                WHERE codes[c.request] = 0 AND c.blind IS NOT NULL;
            END IF;
        END IF;

        lo := hi + 1; e_lo := e_hi + 1; p_lo := p_hi + 1; m_lo := m_hi + 1; c_lo := c_hi + 1;
    END LOOP;

    RETURN QUERY SELECT codes[i], firsts[i], lasts[i], nullif(stamps[i], '-infinity'),
                        kinds[i], holders[i]
                 FROM generate_series(1, requests) i ORDER BY i;
END $$;
REVOKE ALL ON FUNCTION {schema}.{prefix}append FROM PUBLIC;

-- As `append` for one request of one entry, which is what a caller alone sends: one look at
-- everything that could be in the way. Where something is, `append` decides; it alone refuses.
--   e_tags, p_tags, p_types  joined by U+001F; an empty type is any; no p_tags: no condition
CREATE FUNCTION {schema}.{prefix}append_one(
    e_type text, e_tags text, e_data bytea, e_id uuid,
    p_tags text, p_types text, r_after bigint, r_key text, r_hash bytea,
    OUT code int, OUT first bigint, OUT last bigint, OUT recorded_at timestamptz,
    OUT kind text, OUT holder text
) LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
    head bigint; latest timestamptz;
    probes int;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the log is appended to under READ COMMITTED only';
    END IF;
    PERFORM pg_advisory_xact_lock(
        'pg_class'::regclass::oid::int, '{schema}.{prefix}entries'::regclass::oid::int);
    SELECT e.position, e.recorded_at INTO head, latest
    FROM {prefix}entries e ORDER BY e.position DESC LIMIT 1;

    -- where `append` makes partitions, it decides too
    IF head % {partition_size} > 0 AND (head + 1) % greatest({partition_size} / 64, 1) > 0
       AND clock_timestamp() >= latest - interval '5 seconds'
       AND (r_key IS NULL OR NOT EXISTS (SELECT FROM {prefix}requests q WHERE q.key = r_key))
       AND (e_id IS NULL OR NOT EXISTS (SELECT FROM {prefix}event_ids i WHERE i.event_id = e_id))
       AND (p_tags IS NULL OR r_after >= head OR NOT EXISTS (
            SELECT FROM unnest(string_to_array(p_tags, E'\x1f'),
                               string_to_array(p_types, E'\x1f', '')) AS p(tag, type),
                 LATERAL {prefix}probe(p.tag, p.type, r_after, head, 1)))
    THEN
        code := 0;
        first := head + 1;
        last := first;
        recorded_at := greatest(clock_timestamp(), latest + interval '1 microsecond');
        INSERT INTO {prefix}entries (position, recorded_at, type, tags, data)
        VALUES (first, recorded_at, e_type, string_to_array(e_tags, E'\x1f'), e_data);
        INSERT INTO {prefix}tags (tag, type, position)
        SELECT DISTINCT t.tag, e_type, first FROM string_to_table(e_tags, E'\x1f') AS t(tag);
        IF e_id IS NOT NULL THEN
            INSERT INTO {prefix}event_ids VALUES (e_id, first);
        END IF;
        IF r_key IS NOT NULL THEN
            INSERT INTO {prefix}requests VALUES (r_key, r_hash, first, last);
        END IF;
        RETURN;
    END IF;

    probes := coalesce(cardinality(string_to_array(p_tags, E'\x1f')), 0);
    SELECT a.code, a.first, a.last, a.recorded_at, a.kind, a.holder
    INTO code, first, last, recorded_at, kind, holder
    FROM {prefix}append(
        ARRAY[1], ARRAY[1], ARRAY[probes], ARRAY[0], ARRAY[0], ARRAY[r_after],
        CASE WHEN r_key IS NOT NULL THEN ARRAY[r_key] END,
        CASE WHEN r_key IS NOT NULL THEN ARRAY[r_hash] END,
        ARRAY[1], ARRAY[e_type], ARRAY[e_tags], ARRAY[e_data],
        CASE WHEN e_id IS NOT NULL THEN ARRAY[e_id] END,
        array_fill(1, ARRAY[probes]), string_to_array(p_tags, E'\x1f'),
        string_to_array(p_types, E'\x1f', ''),
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, false) a;
END $$;
REVOKE ALL ON FUNCTION {schema}.{prefix}append_one FROM PUBLIC;

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
