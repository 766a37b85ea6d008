-- Seals: the hashes of the tree over the log, and the heads that were signed.
-- Placeholders: {schema} and {prefix} name the log.

-- Hashes of complete subtrees of 256^level leaves side by side, from the first of the row on. A row
-- holds what one seal added, never across a multiple of 256: rows first to last make up a tile.
CREATE TABLE {schema}.{prefix}seal_tiles (
    level smallint NOT NULL,
    first bigint NOT NULL,
    hashes bytea NOT NULL,
    PRIMARY KEY (level, first)
);

-- size: entries 1..size are sealed, the last of them recorded at recorded_at; note: C2SP signed note
CREATE TABLE {schema}.{prefix}seal_heads (
    size bigint PRIMARY KEY,
    recorded_at timestamptz NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    note text NOT NULL
);

-- Lines that a witness added to a head.
CREATE TABLE {schema}.{prefix}seal_cosignatures (
    size bigint NOT NULL REFERENCES {schema}.{prefix}seal_heads,
    line text NOT NULL,
    PRIMARY KEY (size, line)
);

SELECT {schema}.{prefix}protect(('{schema}.{prefix}seal_' || name)::regclass)
FROM unnest(ARRAY['tiles', 'heads', 'cosignatures']) AS name;
