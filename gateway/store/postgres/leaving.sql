-- What leaves this store for another, in the form of gateway/store/moving/shape.py.

-- name: meta
SELECT name, value FROM meta ORDER BY name

-- name: heads
-- The last number of the feed, also when its event was deleted since, and of the audit.
SELECT name, value FROM heads ORDER BY name

-- name: purged
-- What is left of messages that were purged.
SELECT d.message, d.tenant, d.feed, d.received_at, d.type, d.event, d.digest, d.hash FROM dedup d
WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.n = d.n) ORDER BY d.n

-- name: messages
-- With their places, by which their keys are found.
SELECT m.id, m.tenant, m.feed, m.received_at, m.state, m.type, m.event, m.duplicates, d.digest, d.hash, m.n, m.body, m.raw
FROM messages m JOIN dedup d ON d.n = m.n ORDER BY m.n

-- name: message_keys
-- The keys of a lot.
SELECT message, digest FROM message_keys WHERE lot = $1

-- name: records
SELECT n, id, tenant, kind, nullif(status, ''), start, updated_at, created_at, version, replaced_by, body
FROM records ORDER BY n

-- name: record_keys
SELECT digest, start, record FROM record_keys ORDER BY digest, start, record

-- name: record_versions
SELECT record, version, body FROM record_versions ORDER BY record, version

-- name: events
SELECT seq, id, tenant, type, subject, at, patient, version, message, feed, traceparent FROM events ORDER BY seq

-- name: tasks
SELECT id, tenant, queue, code, subject, title, created_at, status, priority, due_at, updated_at, version, owner,
    resolution, note
FROM tasks ORDER BY created_at, id

-- name: clients
SELECT client_id, tenant, secret_hash, scopes, name, created_at, revoked_at FROM clients ORDER BY client_id

-- name: nonces
SELECT digest, until FROM nonces ORDER BY digest

-- name: switches
-- Without how far retention has come: the target has an order of its own.
SELECT name, value FROM switches WHERE name NOT LIKE 'retention:%' ORDER BY name

-- name: sites
SELECT digest, files FROM sites ORDER BY digest

-- name: audit_links
SELECT chain, n, previous, link FROM audit_links ORDER BY chain, n

-- name: audit_rows
SELECT n, chain, link, place, at, tenant, actor, action, what, digest, 'audit/' || chain || '/' || link || '/' || place, body
FROM audit_rows ORDER BY n

-- name: subscriptions
SELECT id, tenant, client, state, cursor, failing_since, version, body FROM subscriptions ORDER BY id

-- name: deliveries
-- What was claimed waits again: nobody works on it at the target.
SELECT id, tenant, subscription, seq, event, type, lane, CASE state WHEN 'claimed' THEN 'pending' ELSE state END, head,
    attempts, spent, since, due_at, created_at, updated_at, outcome, traceparent
FROM deliveries ORDER BY seq, id

-- name: attempts
SELECT delivery, number, at, took, outcome, status, answer FROM attempts ORDER BY delivery, number

-- name: holds
SELECT id, tenant, released_at, body FROM holds ORDER BY id

-- name: aside_messages
SELECT id, tenant, feed, received_at, duplicates, body, raw FROM aside_messages ORDER BY n

-- name: audit_anchors
SELECT chain, links, rows, head, until FROM audit_anchors ORDER BY chain

-- name: jobs
SELECT id, tenant, client, kind, created_at, total, done, failed, state, body FROM jobs ORDER BY id

-- name: is_held
-- Whether a person holds intake.
SELECT 1 FROM switches WHERE name = 'intake'

-- name: digests
-- The secret of the digests.
SELECT value FROM meta WHERE name = 'digests'
