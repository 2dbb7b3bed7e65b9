-- The database itself: what it must be like, its schema, and its wake-ups.

-- name: server
-- What a store must know of a server before it trusts it with anything.
SELECT current_setting('server_version_num')::int AS version, current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_pages, current_setting('synchronous_commit') AS durable,
    current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS standby,
    current_setting('max_locks_per_transaction')::int * current_setting('max_connections')::int AS locks

-- name: alone
-- One process at a time changes the schema; the others wait until its transaction ends.
SELECT pg_advisory_xact_lock($1)

-- name: schema
-- Whether there is a table of migrations yet.
SELECT to_regclass('migrations') IS NOT NULL

-- name: begin_schema
-- Which migrations this database has seen.
CREATE TABLE migrations (number INTEGER PRIMARY KEY, at TIMESTAMPTZ NOT NULL DEFAULT now())

-- name: current
-- The newest migration that was run.
SELECT coalesce(max(number), 0) FROM migrations

-- name: migrated
-- A migration that was run.
INSERT INTO migrations (number) VALUES ($1)

-- name: meta
-- A value that the store keeps for itself.
SELECT value FROM meta WHERE name = $1

-- name: add_meta
-- A value that the store keeps for itself, unless another process was first.
INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING

-- name: put_meta
-- A value that the store keeps for itself, sealed anew.
UPDATE meta SET value = $2 WHERE name = $1 AND value = $3

-- name: head
-- The last number that was given out in a series.
SELECT value FROM heads WHERE name = $1

-- name: outcome
-- Whether the link is kept that a transaction wrote, and whether the transaction is still under way: both as of one
-- snapshot. Its number alone says nothing: a server that crashed gives out again the numbers that had not reached its
-- disk, and the next transaction of that number may have been committed.
SELECT EXISTS (SELECT 1 FROM audit_links WHERE chain = $2 AND n = $3) AS is_kept,
    $1::text::xid8 >= pg_snapshot_xmax(pg_current_snapshot())
    OR $1::text::xid8 IN (SELECT pg_snapshot_xip(pg_current_snapshot())) AS is_under_way

-- name: use
-- A process works on this store, for as long as this connection lasts; nobody ever waits for this.
SELECT pg_advisory_lock_shared($1::int, hashtext(current_schema()))

-- name: users
-- Whether a process works on this store.
SELECT EXISTS (
    SELECT 1 FROM pg_locks
    WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND objsubid = 2 AND classid = $1::int::oid AND objid = (hashtext(current_schema())::bigint & 4294967295)::oid)
