-- Time-stamp responses (RFC 3161, DER) over the note of a head as the ledger signed it.
-- Placeholders: {schema} and {prefix} name the log.

CREATE TABLE {schema}.{prefix}seal_stamps (
    size bigint PRIMARY KEY REFERENCES {schema}.{prefix}seal_heads,
    response bytea NOT NULL
);

SELECT {schema}.{prefix}protect('{schema}.{prefix}seal_stamps'::regclass);
