-- What arrives from another store, in the form of gateway/store/moving/shape.py.

-- name: meta
INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)

-- name: messages
INSERT INTO messages (n, id, tenant, feed, received_at, state, type, event, duplicates, dedup, hash, digests, body, raw)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: message_keys
INSERT INTO message_keys (lot, digest, messages) VALUES (?, ?, ?)

-- name: records
INSERT INTO records (n, id, tenant, kind, status, start, updated_at, created_at, version, replaced_by, body)
VALUES (?, ?, ?, ?, coalesce(?, ''), ?, ?, ?, ?, ?, ?)

-- name: record_keys
INSERT INTO record_keys (digest, start, record) VALUES (?, ?, ?)

-- name: record_versions
INSERT INTO record_versions (record, version, body) VALUES (?, ?, ?)

-- name: events
INSERT INTO events (seq, id, tenant, type, subject, at, patient, version, message, feed, traceparent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: tasks
INSERT INTO tasks (id, tenant, queue, code, subject, title, created_at, status, priority, due_at, updated_at, version,
    owner, resolution, note)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: clients
INSERT INTO clients (client_id, tenant, secret_hash, scopes, name, created_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: nonces
INSERT INTO nonces (digest, until) VALUES (?, ?)

-- name: switches
INSERT INTO switches (name, value) VALUES (?, ?)

-- name: sites
INSERT INTO sites (digest, files) VALUES (?, ?)

-- name: audit_links
INSERT INTO audit_links (n, previous, link) VALUES (?, ?, ?)

-- name: audit_rows
INSERT INTO audit_rows (n, link, at, tenant, actor, action, what, digest, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: subscriptions
INSERT INTO subscriptions (id, tenant, client, state, cursor, failing_since, version, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: deliveries
INSERT INTO deliveries (id, tenant, subscription, seq, event, type, lane, state, head, attempts, spent, since, due_at,
    created_at, updated_at, outcome, traceparent, lease_until)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)

-- name: attempts
INSERT INTO attempts (delivery, number, at, took, outcome, status, answer) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: holds
INSERT INTO holds (id, tenant, released_at, body) VALUES (?, ?, ?, ?)

-- name: purged
INSERT INTO purged (n, id, tenant, feed, received_at, type, event, dedup, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: aside_messages
-- In the place of its tombstone.
INSERT INTO aside_messages (n, id, tenant, feed, received_at, duplicates, body, raw)
VALUES ((SELECT n FROM purged WHERE id = ?1), ?1, ?2, ?3, ?4, ?5, ?6, ?7)

-- name: audit_anchors
INSERT INTO audit_anchors (chain, links, rows, head, until) VALUES (?, ?, ?, ?, ?)

-- name: jobs
INSERT INTO jobs (id, tenant, client, kind, created_at, total, done, failed, state, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: forget_head
DELETE FROM sqlite_sequence WHERE name = 'events'

-- name: head
-- The next event goes on after the last one that was ever told.
INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)

-- name: is_used
-- Whether anything was ever kept here; a store that was only made has the secret of its digests.
SELECT EXISTS (SELECT 1 FROM meta WHERE name <> 'digests') OR EXISTS (SELECT 1 FROM messages)
    OR EXISTS (SELECT 1 FROM records) OR EXISTS (SELECT 1 FROM events) OR EXISTS (SELECT 1 FROM tasks)
    OR EXISTS (SELECT 1 FROM clients) OR EXISTS (SELECT 1 FROM sites) OR EXISTS (SELECT 1 FROM switches)
    OR EXISTS (SELECT 1 FROM audit_links) OR EXISTS (SELECT 1 FROM subscriptions) OR EXISTS (SELECT 1 FROM nonces)
