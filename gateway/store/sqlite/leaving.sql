-- What leaves this store for another, in the form of gateway/store/moving/shape.py.

-- name: meta
SELECT name, value FROM meta ORDER BY name

-- name: heads
-- The last number of the feed, also when its event was deleted since, and of the audit.
SELECT 'events', coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)
UNION ALL SELECT 'audit', coalesce(max(n), 0) FROM audit_rows

-- name: purged
-- What is left of messages that were purged.
SELECT id, tenant, feed, received_at, type, event, dedup, hash FROM purged ORDER BY n

-- name: messages
SELECT id, tenant, feed, received_at, state, type, event, duplicates, dedup, hash, digests, body, raw
FROM messages ORDER BY n

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
FROM tasks ORDER BY n

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
-- The chain of this store, by a name that comes before those of processes.
SELECT '0-embedded', n, previous, link FROM audit_links ORDER BY n

-- name: audit_rows
SELECT n, '0-embedded', link, row_number() OVER (PARTITION BY link ORDER BY n), at, tenant, actor, action, what, digest,
    'audit/' || n, body
FROM audit_rows ORDER BY n

-- name: subscriptions
SELECT id, tenant, client, state, cursor, failing_since, version, body FROM subscriptions ORDER BY id

-- name: deliveries
-- What was claimed waits again: nobody works on it at the target.
SELECT id, tenant, subscription, seq, event, type, lane, CASE state WHEN 'claimed' THEN 'pending' ELSE state END, head,
    attempts, spent, since, due_at, created_at, updated_at, outcome, traceparent
FROM deliveries ORDER BY n

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
