-- How a log is taken over whose oldest rows were cut off: it begins where they end, and their hashes
-- lie sealed before it. Placeholders: as in 0001_log.sql.

-- As in 0003_load_log.sql, but that the first row may lie right behind hashes of rows that are gone.
CREATE OR REPLACE FUNCTION {schema}.{prefix}load(
    first bigint, e_stamp timestamptz[], e_type text[], e_tags text[], e_data bytea[], e_id uuid[]
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    last constant bigint := first + cardinality(e_stamp) - 1;
    lowest bigint;
    head bigint;
    ours boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(
        'pg_class'::regclass::oid::int, '{schema}.{prefix}entries'::regclass::oid::int);
    SELECT min(e.position), max(e.position) INTO lowest, head FROM {prefix}entries e;
    IF lowest IS NULL THEN
        SELECT coalesce(max(t.first + octet_length(t.hashes) / 32), 0) INTO head
        FROM {prefix}seal_tiles t WHERE t.level = 0;
        ours := NOT EXISTS (SELECT FROM {prefix}seal_heads);
    ELSE
        SELECT e.xmin = pg_current_xact_id()::xid INTO ours FROM {prefix}entries e
        WHERE e.position = lowest;
    END IF;
    IF head <> first - 1 OR NOT ours THEN
        RAISE EXCEPTION 'only an empty log takes another over' USING ERRCODE = 'object_in_use';
    END IF;
    PERFORM {prefix}extend((first - 1) / {partition_size}, (last - 1) / {partition_size} + 1, '0');
    INSERT INTO {prefix}entries (position, recorded_at, type, tags, data)
    SELECT first - 1 + x.n, x.stamp, x.type, string_to_array(x.tags, E'\x1f'), x.data
    FROM unnest(e_stamp, e_type, e_tags, e_data) WITH ORDINALITY AS x(stamp, type, tags, data, n);
    INSERT INTO {prefix}tags (tag, type, position)
    SELECT DISTINCT t.tag, x.type, first - 1 + x.n
    FROM unnest(e_type, e_tags) WITH ORDINALITY AS x(type, tags, n),
         string_to_table(x.tags, E'\x1f') AS t(tag)
    WHERE x.tags <> '';
    INSERT INTO {prefix}event_ids (event_id, position)
    SELECT x.id, first - 1 + x.n FROM unnest(e_id) WITH ORDINALITY AS x(id, n);
END $$;
REVOKE ALL ON FUNCTION {schema}.{prefix}load FROM PUBLIC;
