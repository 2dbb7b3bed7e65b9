-- What is taken away when its time is over, a few rows at a time, and what is kept aside from that.

-- name: next
-- Messages from a row number on, in the order in which they were kept.
SELECT n, id, tenant, feed, received_at, type, event, body, digests FROM messages WHERE n > ? ORDER BY n LIMIT ?

-- name: empty
-- A message without what stood in it.
UPDATE messages SET body = ?, raw = ?, digests = ? WHERE n = ?

-- name: oldest
-- The oldest message.
SELECT n FROM messages ORDER BY n LIMIT 1

-- name: lot_end
-- When the last message of a lot came.
SELECT max(received_at) FROM messages WHERE n >= ? AND n < ?

-- name: drop_messages
-- Some messages of a lot.
DELETE FROM messages WHERE n IN (SELECT n FROM messages WHERE n >= ? AND n < ? ORDER BY n LIMIT ?)

-- name: drop_keys
-- What the messages of a lot were found by.
DELETE FROM message_keys WHERE lot = ?

-- name: needed
-- The oldest event that somebody is still to get: of open deliveries, and of subscriptions that are not disabled.
SELECT min(seq) FROM (
    SELECT min(seq) AS seq FROM deliveries WHERE head = 1
    UNION ALL SELECT min(seq) FROM deliveries WHERE state = 'parked'
    UNION ALL SELECT min(cursor) + 1 FROM subscriptions WHERE state <> 'disabled')

-- name: first_event
-- The oldest event.
SELECT seq FROM events ORDER BY seq LIMIT 1

-- name: drop_events
-- Some events of before a moment, the oldest first, below one that is needed.
DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE seq < ? ORDER BY seq LIMIT ?) AND at < ?

-- name: ended
-- Some of a tenant's deliveries that have ended, of events up to this one.
SELECT id FROM deliveries WHERE tenant = ? AND seq <= ? AND state IN ('delivered', 'cancelled') ORDER BY seq LIMIT ?

-- name: drop_attempts
-- How the tries of a delivery went.
DELETE FROM attempts WHERE delivery = ?

-- name: drop_delivery
-- A delivery that has ended.
DELETE FROM deliveries WHERE id = ?

-- name: drop_audit
-- Some rows of the audit of before a moment, the oldest first; their links stay.
DELETE FROM audit_rows WHERE n IN (SELECT n FROM audit_rows ORDER BY n LIMIT ?) AND at < ?

-- name: put_hold
-- What is to be kept.
INSERT INTO holds (id, tenant, body) VALUES (?, ?, ?)

-- name: holds
-- All that is to be kept.
SELECT id, body FROM holds ORDER BY id

-- name: release
-- It need not be kept any more.
DELETE FROM holds WHERE id = ? AND tenant = ?

-- name: let_go
-- Nor do the copies.
DELETE FROM held_messages WHERE hold = ?

-- name: is_aside
-- Whether a message is copied under a hold.
SELECT 1 FROM held_messages WHERE message = ? AND hold = ?

-- name: put_aside
-- A copy of a message.
INSERT INTO held_messages (message, hold, tenant, body) VALUES (?, ?, ?, ?) ON CONFLICT (message, hold) DO NOTHING

-- name: aside
-- The copy of a message, under whichever hold.
SELECT body FROM held_messages WHERE message = ? AND tenant = ? LIMIT 1
