-- Messages: as they were received, and what became of them.

-- name: message
-- A message by its id, whole; the row numbers that its month has lead to one partition.
SELECT n, id, duplicates, body, raw FROM messages WHERE id = $1 AND tenant = $2 AND n >= $3 AND n < $4

-- name: aside
-- A message that was put aside, whole.
SELECT n, id, duplicates, body, raw FROM aside_messages WHERE id = $1 AND tenant = $2

-- name: place
-- Where a message stands in the order of keeping, or stood.
SELECT n FROM dedup WHERE message = $1

-- name: top
-- The newest message below a row number.
SELECT n FROM messages WHERE n < $1 ORDER BY n DESC LIMIT 1

-- name: bottom
-- The oldest message from a row number on.
SELECT n FROM messages WHERE n >= $1 ORDER BY n LIMIT 1

-- name: before
-- The newest message that came before a moment.
SELECT n FROM messages WHERE tenant = $1 AND received_at < $2 ORDER BY received_at DESC, n DESC LIMIT 1

-- name: heard
-- When each feed brought its last message, of those that brought one since a moment.
SELECT feed, max(received_at) AS at FROM messages WHERE tenant = $1 AND received_at >= $2 AND n >= $3 GROUP BY feed

-- name: about
-- The records under many keys.
SELECT r.id FROM record_keys k JOIN records r ON r.n = k.record WHERE k.digest = ANY ($1)

-- name: look
-- A unit of few dedup keys holds each, in their order, beside others of its kind.
SELECT pg_advisory_xact_lock_shared($1); SELECT count(pg_advisory_xact_lock(key)) FROM unnest($2::bigint[]) AS wanted (key)

-- name: look_alone
-- A unit of very many dedup keys holds all of its tenant.
SELECT pg_advisory_xact_lock($1)

-- name: seen
-- For each (dedup key, hash): the message that has both, then the newest other one with the key since a moment. One that
-- was purged has no body.
SELECT sent.place, d.message AS id, d.hash, d.received_at, m.body
FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS sent (digest, hash, place)
CROSS JOIN LATERAL (
    (SELECT 0 AS rank, one.* FROM dedup one WHERE one.digest = sent.digest AND one.hash = sent.hash)
    UNION ALL
    (SELECT 1 AS rank, one.* FROM dedup one
     WHERE one.digest = sent.digest AND one.hash <> sent.hash AND one.received_at >= $3
     ORDER BY one.received_at DESC LIMIT 1)
) AS d LEFT JOIN LATERAL (SELECT body FROM messages WHERE n = d.n OFFSET 0) AS m ON TRUE
ORDER BY sent.place, d.rank

-- name: add
-- Messages with what they are recognised by and found by, numbered in their order within their month.
WITH placed AS MATERIALIZED (
    SELECT one.*, one.low + nextval('messages_order') AS n
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[],
        $9::bigint[], $10::bytea[], $11::bytea[], $12::bytea[], $13::bigint[]) WITH ORDINALITY
        AS one (id, tenant, feed, received_at, state, type, event, duplicates, dedup, hash, body, raw, low, place)
),
kept AS (
    INSERT INTO messages (n, id, tenant, feed, received_at, state, type, event, duplicates, body, raw)
    SELECT n, id, tenant, feed, received_at, state, type, event, duplicates, body, raw FROM placed ORDER BY n
),
recognised AS (
    INSERT INTO dedup (digest, hash, received_at, message, n, tenant, feed, type, event)
    SELECT dedup, hash, received_at, id, n, tenant, feed, type, event FROM placed ORDER BY dedup, hash
)
INSERT INTO message_keys (lot, digest, message)
SELECT numbers.n[one.place] / 1024, one.digest, numbers.n[one.place]
FROM (SELECT array_agg(n ORDER BY place) AS n FROM placed) AS numbers,
    unnest($14::int[], $15::bigint[]) AS one (place, digest)

-- name: drop_keys
-- Keys that a message no longer has.
DELETE FROM message_keys WHERE lot = $1::bigint / 1024 AND message = $1 AND digest = ANY ($2)

-- name: add_keys
-- Keys that a message has from now on.
INSERT INTO message_keys (lot, digest, message) SELECT $1::bigint / 1024, digest, $1 FROM unnest($2::bigint[]) AS digest

-- name: repeat
-- A message was sent some times more.
UPDATE messages SET duplicates = duplicates + $2 WHERE id = $1 AND n >= $3 AND n < $4

-- name: mapped
-- A kept message as it was mapped last.
SELECT n, body FROM messages WHERE id = $1 AND tenant = $2 AND n >= $3 AND n < $4 FOR UPDATE

-- name: remap
-- What became of a message when it was mapped again.
UPDATE messages SET state = $2, type = $3, event = $4, body = $5 WHERE n = $1
