-- How entries are appended: every request decided under one lock, whole or not at all.
-- Placeholders: as in 0001_log.sql.

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

-- As `append`, in a straight line, for requests that do not touch each other and claim nothing: one
-- look at everything that could be in the way of any of them. Where something is, nothing is stored
-- and the answer is NULL: `append` decides, it alone refuses. Otherwise entry n has the position
-- first + n - 1 and request r is stamped recorded_at + r - 1 us.
--   e_*  entries, each with its request (from 1, in order); an entry's tags are joined by U+001F
--   k_*  idempotency keys with their requests' hashes, first and last entries
--   p_*  probes of conditions for any type, q_* for one, each with its condition's `after`
-- Lists of texts are joined by U+001E.
CREATE FUNCTION {schema}.{prefix}append_straight(
    e_request int[], e_type text, e_tags text, e_data bytea[], e_id uuid[],
    k_key text, k_hash bytea[], k_first int[], k_last int[],
    p_after bigint[], p_tag text,
    q_after bigint[], q_tag text, q_type text,
    OUT first bigint, OUT recorded_at timestamptz
) LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off
SET enable_hashjoin = off SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
    stride constant bigint := greatest({partition_size} / 64, 1);
    size constant int := cardinality(e_request);
    types constant text[] := string_to_array(e_type, E'\x1e');
    tagged constant text[] := string_to_array(e_tags, E'\x1e');
    head bigint; latest timestamptz;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the log is appended to under READ COMMITTED only';
    END IF;
    PERFORM pg_advisory_xact_lock(
        'pg_class'::regclass::oid::int, '{schema}.{prefix}entries'::regclass::oid::int);
    SELECT e.position, e.recorded_at INTO head, latest
    FROM {prefix}entries e ORDER BY e.position DESC LIMIT 1;

    -- where `append` makes partitions, it decides too
    IF head IS NULL OR head / stride <> (head + size) / stride
       OR (head - 1) / {partition_size} <> (head + size - 1) / {partition_size}
       OR clock_timestamp() < latest - interval '5 seconds'
       OR (k_key IS NOT NULL AND EXISTS (
            SELECT FROM string_to_table(k_key, E'\x1e') AS k(key) JOIN {prefix}requests r ON r.key = k.key))
       OR (e_id IS NOT NULL AND EXISTS (
            SELECT FROM unnest(e_id) AS x(id) JOIN {prefix}event_ids i ON i.event_id = x.id))
       OR (p_tag IS NOT NULL AND EXISTS (
            SELECT FROM unnest(p_after, string_to_array(p_tag, E'\x1e')) AS p(after, tag), LATERAL (
                SELECT FROM {prefix}tags t
                WHERE t.tag = p.tag AND t.position > p.after LIMIT 1) m
            WHERE p.after < head))
       OR (q_tag IS NOT NULL AND EXISTS (
            SELECT FROM unnest(q_after, string_to_array(q_tag, E'\x1e'),
                               string_to_array(q_type, E'\x1e')) AS q(after, tag, type), LATERAL (
                SELECT FROM {prefix}tags t
                WHERE t.tag = q.tag AND t.type = q.type AND t.position > q.after LIMIT 1) m
            WHERE q.after < head))
    THEN
        RETURN;
    END IF;

    first := head + 1;
    recorded_at := greatest(clock_timestamp(), latest + interval '1 microsecond');
    INSERT INTO {prefix}entries (position, recorded_at, type, tags, data)
    SELECT head + x.n, {prefix}append_straight.recorded_at + (x.request - 1) * interval '1 microsecond',
           x.type, string_to_array(coalesce(x.tags, ''), E'\x1f'), x.data
    FROM unnest(e_request, types, tagged, e_data) WITH ORDINALITY
         AS x(request, type, tags, data, n);
    INSERT INTO {prefix}tags (tag, type, position)
    SELECT t.tag, x.type, head + x.n
    FROM unnest(types, tagged) WITH ORDINALITY AS x(type, tags, n),
         string_to_table(x.tags, E'\x1f') AS t(tag);
    IF e_id IS NOT NULL THEN
        INSERT INTO {prefix}event_ids (event_id, position)
        SELECT x.id, head + x.n FROM unnest(e_id) WITH ORDINALITY AS x(id, n)
        WHERE x.id IS NOT NULL;
    END IF;
    IF k_key IS NOT NULL THEN
        INSERT INTO {prefix}requests (key, hash, first, last)
        SELECT k.key, k.hash, head + k.first, head + k.last
        FROM unnest(string_to_array(k_key, E'\x1e'), k_hash, k_first, k_last)
             AS k(key, hash, first, last);
    END IF;
END $$;
REVOKE ALL ON FUNCTION {schema}.{prefix}append_straight FROM PUBLIC;
