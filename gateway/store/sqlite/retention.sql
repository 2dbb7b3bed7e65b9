-- What goes in the end: a bounded number of rows in each transaction, so that no commit waits long behind it.

-- name: old
-- Messages of before a moment, oldest first, after a place.
SELECT n, id, feed, type, event, received_at FROM messages
WHERE tenant = ? AND (received_at, n) > (?, ?) AND received_at < ? ORDER BY received_at, n LIMIT ?

-- name: going
-- Many messages, whole.
SELECT n, id, tenant, feed, received_at, type, event, duplicates, dedup, hash, digests, body, raw
FROM messages NOT INDEXED WHERE n IN (:many)

-- name: add_purged
-- A tombstone.
INSERT INTO purged (n, id, tenant, feed, received_at, type, event, dedup, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: put_aside
-- A message that a hold covers.
INSERT INTO aside_messages (n, id, tenant, feed, received_at, duplicates, body, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: delete_message
-- A message that has its tombstone.
DELETE FROM messages WHERE n = ?

-- name: has_lot
-- Whether anything is left of a lot.
SELECT 1 FROM messages WHERE n >= ? AND n < ? LIMIT 1

-- name: delete_lot
-- The keys of a lot of which nothing is left.
DELETE FROM message_keys WHERE lot = ?

-- name: delete_key
-- A key that no message of a lot has any more.
DELETE FROM message_keys WHERE lot = ? AND digest = ?

-- name: tombstone
-- What is left of a message.
SELECT id, tenant, feed, received_at, type, event, hash FROM purged WHERE id = ? AND tenant = ?

-- name: forget
-- Some of the oldest tombstones; the newest place stays taken.
DELETE FROM purged WHERE n IN (
    SELECT n FROM purged WHERE received_at < ? AND n < (SELECT max(n) FROM purged) ORDER BY received_at LIMIT ?)

-- name: oldest_message
-- When the oldest message was received.
SELECT received_at FROM messages ORDER BY n LIMIT 1

-- name: aside
-- What was put aside, from a place on.
SELECT n, id, tenant, feed, received_at, body FROM aside_messages WHERE n > ? ORDER BY n LIMIT ?

-- name: delete_aside
-- A message that no hold covers any more.
DELETE FROM aside_messages WHERE n = ?

-- name: holds
-- Every hold, in the order of their making.
SELECT id, body FROM holds ORDER BY id

-- name: put_hold
-- A hold, new or released.
INSERT INTO holds (id, tenant, released_at, body) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET released_at = excluded.released_at, body = excluded.body

-- name: oldest_event
-- The oldest event there is.
SELECT min(seq) FROM events

-- name: oldest_events
-- Some of the oldest, as far as their day decides about them.
SELECT seq, at FROM events ORDER BY seq LIMIT ?

-- name: followed
-- Up to where every active subscription has followed the feed.
SELECT min(cursor) FROM subscriptions WHERE state = 'active'

-- name: awaited
-- The oldest event from a seq on that an active subscription is still to receive. Nothing waits that is older than the head
-- of its lane.
SELECT min(d.seq) FROM subscriptions s JOIN deliveries d ON d.subscription = s.id AND d.head = 1
WHERE s.state = 'active' AND d.seq >= ?

-- name: behind
-- Subscriptions that will not receive some of what is below a seq.
SELECT s.id, s.cursor, s.failing_since, s.body FROM subscriptions s
WHERE s.cursor < ?1 - 1
   OR EXISTS (SELECT 1 FROM deliveries d WHERE d.subscription = s.id AND d.head = 1 AND d.seq < ?1)
   OR EXISTS (SELECT 1 FROM deliveries d
              WHERE d.tenant = s.tenant AND d.state = 'parked' AND d.seq < ?1 AND d.subscription = s.id)
ORDER BY s.id

-- name: ended
-- Some of a tenant's deliveries of events below a seq.
SELECT n, id, subscription, lane, head FROM deliveries WHERE tenant = ? AND seq < ? ORDER BY seq LIMIT ?

-- name: delete_delivery
-- A delivery.
DELETE FROM deliveries WHERE n = ?

-- name: delete_attempts
-- Its tries.
DELETE FROM attempts WHERE delivery = ?

-- name: delete_events
-- Events below a seq.
DELETE FROM events WHERE seq < ?

-- name: oldest_audit
-- Some of the oldest rows, as far as their day decides about them.
SELECT n, link, at FROM audit_rows ORDER BY n LIMIT ?

-- name: link
-- The head that a link left.
SELECT link FROM audit_links WHERE n = ?

-- name: delete_rows
-- What links up to a number cover.
DELETE FROM audit_rows WHERE n < ?

-- name: delete_links
-- Those links.
DELETE FROM audit_links WHERE n <= ?

-- name: anchors
-- Where the chain begins.
SELECT chain, links, rows, head, until FROM audit_anchors ORDER BY chain

-- name: anchor
-- Where it begins from now on.
INSERT INTO audit_anchors (chain, links, rows, head, until) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (chain) DO UPDATE SET links = links + excluded.links, rows = rows + excluded.rows, head = excluded.head,
    until = excluded.until
