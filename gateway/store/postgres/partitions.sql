-- The months of what is partitioned by time; {month} and the like are numbers of ours.

-- name: known
-- The months there are of a table: whether one is a partition, and whether it is being taken away.
SELECT c.relname AS name, i.inhrelid IS NOT NULL AS attached, coalesce(i.inhdetachpending, FALSE) AS leaving
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname ~ ('^' || $1 || '_[0-9]{4}_[0-9]{2}$')

-- name: create
-- A month, beside the others at first: to make it as a partition would hold everybody who writes.
CREATE TABLE {name} (LIKE {table} INCLUDING ALL)

-- name: attach
-- A month among the others; nobody waits for this.
ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})

-- name: detach
-- Take a month away while others write: nobody waits for this, it waits for them.
ALTER TABLE {table} DETACH PARTITION {name} CONCURRENTLY

-- name: finalize
-- End what was begun and interrupted.
ALTER TABLE {table} DETACH PARTITION {name} FINALIZE

-- name: drop
-- A month that is nobody's any more.
DROP TABLE {name}
