-- What goes in the end: whole months, and before that some rows in each transaction; {name} is a table's, of our making.

-- name: old
-- Messages of before a moment, oldest first, after a place.
SELECT n, id, feed, type, event, received_at FROM messages
WHERE tenant = $1 AND (received_at, n) > ($2, $3) AND received_at < $4 ORDER BY received_at, n LIMIT $5

-- name: holds_stand
-- As long as the transaction lasts no hold is made.
SELECT pg_advisory_xact_lock_shared($1)

-- name: holds_change
-- A hold is made once what is being purged has been.
SELECT pg_advisory_xact_lock($1)

-- name: going
-- Many messages, as far as it decides about them.
SELECT n, id, tenant, feed, received_at, body FROM messages WHERE n = ANY ($1)

-- name: put_aside
-- Messages that a hold covers, whole.
INSERT INTO aside_messages (n, id, tenant, feed, received_at, duplicates, body, raw)
SELECT n, id, tenant, feed, received_at, duplicates, body, raw FROM messages WHERE n = ANY ($1) ON CONFLICT DO NOTHING

-- name: delete_messages
-- Messages of which dedup still knows.
DELETE FROM messages WHERE n = ANY ($1)

-- name: delete_keys
-- What they were found by.
DELETE FROM message_keys WHERE lot = ANY ($1) AND message = ANY ($2)

-- name: month_going
-- Some messages of a month, after a place, as far as it decides about them.
SELECT n, id, tenant, feed, received_at, body FROM {name} WHERE n > $1 ORDER BY n LIMIT 500

-- name: put_month_aside
-- Messages of a month that a hold covers, whole.
INSERT INTO aside_messages (n, id, tenant, feed, received_at, duplicates, body, raw)
SELECT n, id, tenant, feed, received_at, duplicates, body, raw FROM {name} WHERE n = ANY ($1) ON CONFLICT DO NOTHING

-- name: tombstone
-- What is left of a message that is kept no more.
SELECT d.message AS id, d.tenant, d.feed, d.received_at, d.type, d.event, d.hash
FROM dedup d LEFT JOIN LATERAL (SELECT n FROM messages WHERE n = d.n OFFSET 0) AS m ON TRUE
WHERE d.message = $1 AND d.tenant = $2 AND m.n IS NULL

-- name: forget
-- Some of what is known of messages of before a month: they would be new if they came again.
DELETE FROM dedup WHERE n = ANY (ARRAY (SELECT n FROM dedup WHERE n < $1 ORDER BY n LIMIT $2))

-- name: oldest_message
-- When the oldest message was received.
SELECT received_at FROM messages WHERE n > 0 ORDER BY n LIMIT 1

-- name: aside
-- What was put aside, from a place on.
SELECT n, id, tenant, feed, received_at, body FROM aside_messages WHERE n > $1 ORDER BY n LIMIT $2

-- name: delete_aside
-- Messages that no hold covers any more.
DELETE FROM aside_messages WHERE n = ANY ($1)

-- name: holds
-- Every hold, in the order of their making.
SELECT id, body FROM holds ORDER BY id

-- name: put_hold
-- A hold, new or released.
INSERT INTO holds (id, tenant, released_at, body) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET released_at = excluded.released_at, body = excluded.body

-- name: oldest_event
-- The oldest event there is, else the next one.
SELECT coalesce((SELECT seq FROM events WHERE seq > 0 ORDER BY seq LIMIT 1), (SELECT value + 1 FROM heads WHERE name = 'events'))

-- name: last_of_month
-- The newest event of a month.
SELECT coalesce(max(seq), 0) FROM {name}

-- name: followed
-- Up to where every active subscription has followed the feed.
SELECT min(cursor) FROM subscriptions WHERE state = 'active'

-- name: awaited
-- The oldest event from a seq on that an active subscription is still to receive. Nothing waits that is older than the head
-- of its lane.
SELECT min(d.seq) FROM subscriptions s
CROSS JOIN LATERAL (SELECT seq FROM deliveries WHERE subscription = s.id AND head AND seq >= $1 OFFSET 0) AS d
WHERE s.state = 'active'

-- name: behind
-- Subscriptions that will not receive some of what is below a seq.
SELECT s.id, s.cursor, s.failing_since, s.body FROM subscriptions s
LEFT JOIN LATERAL (SELECT seq FROM deliveries WHERE subscription = s.id AND head AND seq < $1 LIMIT 1) AS w ON TRUE
LEFT JOIN LATERAL (
    SELECT seq FROM deliveries WHERE tenant = s.tenant AND state = 'parked' AND seq < $1 AND subscription = s.id LIMIT 1
) AS p ON TRUE
WHERE s.cursor < $1 - 1 OR w.seq IS NOT NULL OR p.seq IS NOT NULL ORDER BY s.id

-- name: ended
-- Some of a tenant's deliveries of events below a seq.
SELECT id, subscription, state IN ('pending', 'claimed') AS waits FROM deliveries
WHERE tenant = $1 AND seq < $2 ORDER BY seq, id LIMIT $3

-- name: delete_deliveries
-- Deliveries.
DELETE FROM deliveries WHERE id = ANY ($1) RETURNING subscription, lane, head

-- name: delete_attempts
-- Their tries.
DELETE FROM attempts WHERE delivery = ANY ($1)

-- name: anchor
-- Where the chains of a month begin once that is gone.
INSERT INTO audit_anchors (chain, links, rows, head, until)
SELECT one.chain, one.links, one.rows, l.link, one.until
FROM (SELECT chain, max(link) AS links, count(*) AS rows, max(at) AS until FROM {name} GROUP BY chain) AS one
JOIN audit_links l ON l.chain = one.chain AND l.n = one.links
ON CONFLICT (chain) DO UPDATE SET links = excluded.links, rows = audit_anchors.rows + excluded.rows,
    head = excluded.head, until = excluded.until
WHERE audit_anchors.links < excluded.links

-- name: delete_links
-- Some of the links of a chain before its anchor.
DELETE FROM audit_links WHERE chain = $1 AND n = ANY (ARRAY (
    SELECT n FROM audit_links WHERE chain = $1 AND n <= $2 ORDER BY n LIMIT 1000))

-- name: anchors
-- Where each chain begins.
SELECT chain, links, rows, head, until FROM audit_anchors ORDER BY chain
