-- The months of what is partitioned by time; {month} and the like are numbers of ours.

-- name: known
-- The partitions there are, and those that are being taken away.
SELECT c.relname AS name, i.inhdetachpending AS leaving FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = to_regclass($1)

-- name: messages
-- A month of messages.
CREATE TABLE IF NOT EXISTS {name} PARTITION OF messages FOR VALUES FROM ({low}) TO ({high})

-- name: message_keys
-- A month of their keys, by lots of 1024 messages.
CREATE TABLE IF NOT EXISTS {name} PARTITION OF message_keys FOR VALUES FROM ({low} / 1024) TO ({high} / 1024)

-- name: events
-- A month of the feed.
CREATE TABLE IF NOT EXISTS {name} PARTITION OF events FOR VALUES FROM ({month}) TO ({month} + 1)

-- name: audit_rows
-- A month of the audit.
CREATE TABLE IF NOT EXISTS {name} PARTITION OF audit_rows FOR VALUES FROM ({month}) TO ({month} + 1)

-- name: detach
-- Take a month away while others write: nobody waits for this, it waits for them.
ALTER TABLE {table} DETACH PARTITION {name} CONCURRENTLY

-- name: finalize
-- End what was begun and interrupted.
ALTER TABLE {table} DETACH PARTITION {name} FINALIZE

-- name: drop
-- A month that nothing refers to any more.
DROP TABLE IF EXISTS {name}

-- name: forget_dedup
-- Some of what is known of messages of dropped months: they would be new if they came again.
DELETE FROM dedup WHERE n = ANY (ARRAY (SELECT n FROM dedup WHERE n < $1 ORDER BY n LIMIT 1000))
