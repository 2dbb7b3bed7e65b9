-- What is taken away when its time is over, and what is kept aside from that. Months go whole: partitions.sql.

-- name: next
-- Messages from a row number on, in the order in which they were kept.
SELECT n, id, tenant, feed, received_at, type, event, body FROM messages WHERE n > $1 ORDER BY n LIMIT $2

-- name: empty
-- A message without what stood in it.
UPDATE messages SET body = $2, raw = $3 WHERE n = $1

-- name: needed
-- The oldest event that somebody is still to get: of open deliveries, and of subscriptions that are not disabled.
SELECT min(seq) AS seq FROM (
    SELECT min(seq) AS seq FROM deliveries WHERE head
    UNION ALL SELECT min(seq) FROM deliveries WHERE state = 'parked'
    UNION ALL SELECT min(cursor) + 1 FROM subscriptions WHERE state <> 'disabled') AS needs

-- name: first_event
-- The oldest event.
SELECT seq FROM events ORDER BY seq LIMIT 1

-- name: newest_of
-- The newest event of a month.
SELECT max(seq) AS seq FROM {name}

-- name: drop_deliveries
-- Some of a tenant's deliveries that have ended, of events up to this one, with how their tries went.
WITH ended AS (
    DELETE FROM deliveries WHERE id = ANY (ARRAY (
        SELECT id FROM deliveries WHERE tenant = $1 AND seq <= $2 AND state IN ('delivered', 'cancelled')
        ORDER BY seq LIMIT $3))
    RETURNING id
),
tried AS (
    DELETE FROM attempts WHERE delivery IN (SELECT id FROM ended)
)
SELECT count(*) AS dropped FROM ended

-- name: put_hold
-- What is to be kept.
INSERT INTO holds (id, tenant, body) VALUES ($1, $2, $3)

-- name: holds
-- All that is to be kept.
SELECT id, body FROM holds ORDER BY id

-- name: release
-- It need not be kept any more, nor do the copies.
WITH released AS (DELETE FROM holds WHERE id = $1 AND tenant = $2 RETURNING id),
let_go AS (DELETE FROM held_messages WHERE hold IN (SELECT id FROM released))
SELECT count(*) AS released FROM released

-- name: put_aside
-- A copy of a message.
INSERT INTO held_messages (message, hold, tenant, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- name: is_aside
-- Whether a message is copied under a hold.
SELECT 1 FROM held_messages WHERE message = $1 AND hold = $2

-- name: aside
-- The copy of a message, under whichever hold.
SELECT body FROM held_messages WHERE message = $1 AND tenant = $2 LIMIT 1
