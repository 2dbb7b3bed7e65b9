-- name: subscription
-- One subscription of a tenant.
SELECT id, cursor, failing_since, body FROM subscriptions WHERE id = ? AND tenant = ?

-- name: subscriptions
-- All of a tenant, or of every tenant, in the order of their making.
SELECT id, cursor, failing_since, body FROM subscriptions WHERE ?1 IS NULL OR tenant = ?1 ORDER BY id

-- name: add_subscription
-- One more of a client, unless it has as many as it may.
INSERT INTO subscriptions (id, tenant, client, state, cursor, failing_since, version, body)
SELECT :id, :tenant, :client, :state, :cursor, NULL, :version, :body
WHERE :most IS NULL OR (SELECT count(*) FROM subscriptions WHERE tenant = :tenant AND client = :client) < :most
ON CONFLICT DO NOTHING

-- name: replace_subscription
-- The cursor is moved by derivation alone; a subscription that is made active again has a clean record.
UPDATE subscriptions
SET failing_since = CASE WHEN :state = 'active' AND state <> 'active' THEN NULL ELSE failing_since END,
    state = :state, version = :version, body = :body
WHERE id = :id AND tenant = :tenant AND version = :expected

-- name: delete_subscription
-- In the version that is expected, or in any.
DELETE FROM subscriptions WHERE id = :id AND tenant = :tenant AND (:expected IS NULL OR version = :expected)

-- name: cancel_deliveries
-- What a deleted subscription was still to receive.
UPDATE deliveries SET state = 'cancelled', head = 0, lease_until = 0
WHERE subscription = ? AND state IN ('pending', 'claimed')

-- name: move_cursor
UPDATE subscriptions SET cursor = :upto WHERE id = :subscription AND cursor = :cursor

-- name: insert
-- A delivery becomes the head of its lane where nothing of the lane is unfinished.
INSERT INTO deliveries (id, tenant, subscription, seq, event, type, lane, state, head, attempts, spent, since, due_at,
                        lease_until, created_at, updated_at, traceparent)
VALUES (:id, :tenant, :subscription, :seq, :event, :type, :lane, 'pending',
        NOT EXISTS (SELECT 1 FROM deliveries WHERE subscription = :subscription AND lane = :lane AND head = 1),
        0, 0, :since, :due_at, 0, :created_at, :created_at, :traceparent)
ON CONFLICT DO NOTHING

-- name: any_due
SELECT 1 FROM deliveries
WHERE subscription = ? AND head = 1 AND max(due_at, lease_until) <= ? LIMIT 1

-- name: due
-- The heads that may be claimed, those that wait longest first, each with its event.
SELECT d.n, d.id, d.tenant, d.subscription, d.seq, d.event, d.type, d.lane, d.attempts, d.spent, d.since, d.due_at,
       d.created_at, d.outcome, d.traceparent, e.subject, e.at, e.patient, e.version, e.message, e.feed,
       e.traceparent
FROM deliveries AS d JOIN events AS e ON e.seq = d.seq
WHERE d.subscription = ? AND d.head = 1 AND max(d.due_at, d.lease_until) <= ?
ORDER BY max(d.due_at, d.lease_until) LIMIT ?

-- name: lease
UPDATE deliveries SET state = 'claimed', lease_until = ?, updated_at = ? WHERE n = ?

-- name: forget_leases
-- This process owns the database, so every lease found at its start belonged to one that is gone.
UPDATE deliveries SET state = 'pending', lease_until = 0 WHERE head = 1 AND state = 'claimed'

-- name: conclude
-- Only the lease under which a delivery was claimed can conclude it; `head` stays where it is to be tried again.
UPDATE deliveries
SET state = :state, head = :state = 'pending', attempts = :attempts, due_at = :due_at, lease_until = 0,
    updated_at = :updated_at, outcome = :outcome
WHERE id = :id AND state = 'claimed' AND lease_until = :lease_until

-- name: promote
-- The oldest that waits becomes the head of a lane that has none.
UPDATE deliveries SET head = 1
WHERE n = (SELECT n FROM deliveries
           WHERE subscription = ?1 AND lane = ?2 AND state = 'pending' AND head = 0 ORDER BY seq LIMIT 1)
  AND NOT EXISTS (SELECT 1 FROM deliveries WHERE subscription = ?1 AND lane = ?2 AND head = 1)

-- name: step_back
-- A head that nobody has claimed gives way where something older waits again.
UPDATE deliveries SET head = 0
WHERE subscription = ?1 AND lane = ?2 AND head = 1 AND state = 'pending'
  AND seq > (SELECT min(seq) FROM deliveries
             WHERE subscription = ?1 AND lane = ?2 AND state = 'pending' AND head = 0)

-- name: add_attempt
INSERT INTO attempts (delivery, number, at, took, outcome, status, answer)
VALUES (:delivery, :number, :at, :took, :outcome, :status, :answer)
ON CONFLICT DO NOTHING

-- name: well
UPDATE subscriptions SET failing_since = NULL WHERE id = ? AND failing_since IS NOT NULL

-- name: failing
UPDATE subscriptions SET failing_since = ? WHERE id = ? AND failing_since IS NULL

-- name: delivery
SELECT id, tenant, subscription, seq, event, type, lane, state, attempts, spent, since, due_at, lease_until,
       created_at, updated_at, outcome, traceparent
FROM deliveries WHERE id = ? AND tenant = ?

-- name: columns
-- Begins a list.
SELECT id, tenant, subscription, seq, event, type, lane, state, attempts, spent, since, due_at, lease_until,
       created_at, updated_at, outcome, traceparent

-- name: count
-- Begins a count of what a revival would find.
SELECT count(*)

-- name: from_subscription
FROM deliveries INDEXED BY deliveries_once WHERE subscription = :subscription AND tenant = :tenant

-- name: from_event
FROM deliveries INDEXED BY deliveries_event WHERE event = :event AND tenant = :tenant

-- name: from_parked
FROM deliveries INDEXED BY deliveries_parked WHERE tenant = :tenant AND state = 'parked'

-- name: from_tenant
FROM deliveries INDEXED BY deliveries_tenant WHERE tenant = :tenant

-- name: matching
-- Goes on with what else a query may ask.
AND (:subscription IS NULL OR subscription = :subscription)
AND (:state IS NULL OR state = :state)
AND (:type IS NULL OR type = :type)
AND (:event IS NULL OR event = :event)
AND (:created_from IS NULL OR created_at >= :created_from)
AND (:created_before IS NULL OR created_at < :created_before)
AND (:last_seq IS NULL OR (seq, id) <= (:last_seq, :last_id))

-- name: finished
-- Narrows to what a revival may touch: finished, not by the very job that repeats a page after a crash, and with somebody
-- to receive it.
AND state IN ('delivered', 'parked', 'cancelled') AND updated_at <= :now
AND EXISTS (SELECT 1 FROM subscriptions AS s WHERE s.id = deliveries.subscription AND s.state <> 'disabled')

-- name: oldest_first
AND (:seq IS NULL OR (seq, id) > (:seq, :id)) ORDER BY seq, id LIMIT :limit

-- name: newest_first
AND (:seq IS NULL OR (seq, id) < (:seq, :id)) ORDER BY seq DESC, id DESC LIMIT :limit

-- name: revive
-- Back in its lane with a schedule of its own, as long as its subscription exists and is not disabled.
UPDATE deliveries
SET state = 'pending', head = 0, spent = attempts, since = :now, due_at = :now, updated_at = :now,
    traceparent = coalesce(:traceparent, traceparent)
WHERE id = :id AND state IN ('delivered', 'parked', 'cancelled') AND updated_at <= :now
  AND EXISTS (SELECT 1 FROM subscriptions AS s WHERE s.id = deliveries.subscription AND s.state <> 'disabled')

-- name: attempts
SELECT a.delivery, a.number, a.at, a.took, a.outcome, a.status, a.answer
FROM attempts AS a JOIN deliveries AS d ON d.id = a.delivery
WHERE a.delivery = ? AND d.tenant = ? ORDER BY a.number

-- name: backlog
-- What waits behind heads, what is parked, the heads themselves, and the newest event; each from an index of its own.
SELECT (SELECT count(*) FROM deliveries WHERE state = 'pending' AND head = 0),
       (SELECT count(*) FROM deliveries WHERE state = 'parked'),
       count(*) FILTER (WHERE state = 'pending'),
       count(*) FILTER (WHERE state = 'claimed'),
       min(due_at) FILTER (WHERE state = 'pending'),
       min(since),
       (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events')
FROM deliveries WHERE head = 1

-- name: job
SELECT id, tenant, client, kind, created_at, total, done, failed, state, body FROM jobs WHERE id = ? AND tenant = ?

-- name: running_jobs
SELECT id, tenant, client, kind, created_at, total, done, failed, state, body FROM jobs
WHERE state = 'running' ORDER BY created_at

-- name: put_job
INSERT INTO jobs (id, tenant, client, kind, created_at, total, done, failed, state, body)
VALUES (:id, :tenant, :client, :kind, :created_at, :total, :done, :failed, :state, :body)
ON CONFLICT (id) DO UPDATE SET total = :total, done = :done, failed = :failed, state = :state, body = :body
