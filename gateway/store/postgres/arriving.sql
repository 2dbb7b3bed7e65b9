-- What arrives from another store, in the form of gateway/store/moving/shape.py.

-- name: begin
-- From now on nobody opens this store.
INSERT INTO meta (name, value) VALUES ('importing', '') ON CONFLICT DO NOTHING

-- name: end
DELETE FROM meta WHERE name = 'importing'

-- name: forget_secret
DELETE FROM meta WHERE name = 'digests'

-- name: head
UPDATE heads SET value = $2 WHERE name = $1

-- name: message_order
-- The next message comes after those that are here.
SELECT setval('messages_order', $1::bigint + 1, FALSE)

-- name: record_order
SELECT setval(pg_get_serial_sequence('records', 'n'), (SELECT coalesce(max(n), 0) + 1 FROM records), FALSE)

-- name: aside_messages
-- In the place of its tombstone.
INSERT INTO aside_messages (n, id, tenant, feed, received_at, duplicates, body, raw)
SELECT d.n, d.message, $2, $3, $4, $5, $6, $7 FROM dedup d WHERE d.message = $1

-- name: is_used
-- Whether anything was ever kept here; a store that was only made has the secret of its digests.
SELECT EXISTS (SELECT 1 FROM meta WHERE name NOT IN ('digests', 'importing')) OR EXISTS (SELECT 1 FROM messages)
    OR EXISTS (SELECT 1 FROM records) OR EXISTS (SELECT 1 FROM events) OR EXISTS (SELECT 1 FROM tasks)
    OR EXISTS (SELECT 1 FROM clients) OR EXISTS (SELECT 1 FROM sites) OR EXISTS (SELECT 1 FROM switches)
    OR EXISTS (SELECT 1 FROM audit_links) OR EXISTS (SELECT 1 FROM subscriptions) OR EXISTS (SELECT 1 FROM nonces)
