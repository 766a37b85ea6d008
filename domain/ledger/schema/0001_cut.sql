-- How the oldest partitions of a log are cut off: on an order, `ReadsCut`, that the ledger holds.
-- Placeholders: as in 0001_log.sql. Only whoever acts as the owner may call these.

-- How many rows the order at a position of the ledger cuts off. Refused where it is none for this
-- log, or where a row of these is not sealed, is as young as the order's day, or is the last one.
CREATE FUNCTION {schema}.{prefix}ordered_cut(ordered bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = {schema}, pg_temp SET enable_seqscan = off AS $$
DECLARE
    said CONSTANT json := (SELECT convert_from(e.data, 'UTF8')::json -> 'fields'
        FROM ledger_entries e WHERE e.position = ordered AND e.type = 'ReadsCut');
    last CONSTANT bigint := (said ->> 'rows')::bigint;
BEGIN
    IF last IS NULL OR last < 1 OR last % {partition_size} <> 0
        OR last >= (SELECT max(e.position) FROM {prefix}entries e)
        OR NOT EXISTS (SELECT FROM {prefix}seal_heads h WHERE h.size >= last)
        OR (said ->> 'ledger') IS DISTINCT FROM (
            SELECT encode(substring(t.hashes FOR 8), 'hex') FROM {prefix}seal_tiles t
            WHERE t.level = 0 AND t.first = 0)
        OR (SELECT e.recorded_at FROM {prefix}entries e WHERE e.position = last)
            >= (said ->> 'before')::timestamp AT TIME ZONE 'Asia/Shanghai'
    THEN
        RAISE EXCEPTION 'entry % of the ledger orders no such cut', ordered
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN last;
END $$;

-- What finds the rows above `low` and up to `high` goes ahead of them, a part at a time: whoever
-- appends waits for one part at most.
CREATE FUNCTION {schema}.{prefix}cut_index(ordered bigint, low bigint, high bigint) RETURNS void
LANGUAGE plpgsql SET search_path = {schema}, pg_temp SET lock_timeout = '5s'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    last CONSTANT bigint := least(high, {prefix}ordered_cut(ordered));
BEGIN
    ALTER TABLE {prefix}tags DISABLE TRIGGER deny_change;
    ALTER TABLE {prefix}event_ids DISABLE TRIGGER deny_change;
    DELETE FROM {prefix}tags t
    USING (SELECT e.position, unnest(e.tags) AS tag FROM {prefix}entries e
            WHERE e.position > low AND e.position <= last) x
    WHERE t.tag = x.tag AND t.position = x.position;
    DELETE FROM {prefix}event_ids i
    USING (SELECT (convert_from(e.data, 'UTF8')::json ->> 'id')::uuid AS id
             FROM {prefix}entries e WHERE e.position > low AND e.position <= last) x
    WHERE i.event_id = x.id;
    ALTER TABLE {prefix}tags ENABLE ALWAYS TRIGGER deny_change;
    ALTER TABLE {prefix}event_ids ENABLE ALWAYS TRIGGER deny_change;
END $$;

-- Partition `part` goes, where the order covers it whole.
CREATE FUNCTION {schema}.{prefix}cut_partition(ordered bigint, part bigint) RETURNS void
LANGUAGE plpgsql SET search_path = {schema}, pg_temp SET lock_timeout = '5s' AS $$
BEGIN
    IF (part + 1) * {partition_size} > {prefix}ordered_cut(ordered) THEN
        RAISE EXCEPTION 'entry % of the ledger does not order this partition to be cut', ordered
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS {schema}.%I', '{prefix}entries_' || lpad(part::text, 6, '0'));
END $$;

REVOKE ALL ON FUNCTION {schema}.{prefix}ordered_cut, {schema}.{prefix}cut_index,
    {schema}.{prefix}cut_partition FROM PUBLIC;

-- As in 0001_log.sql, of a log whose first row may lie anywhere.
CREATE OR REPLACE FUNCTION {schema}.{prefix}position_at(instant timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    low bigint;
    high bigint;
    middle bigint;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(
        'pg_class'::regclass::oid::int, '{schema}.{prefix}entries'::regclass::oid::int);
    SELECT coalesce(min(e.position) - 1, 0), coalesce(max(e.position), 0) INTO low, high
    FROM {prefix}entries e;
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
