-- Who receives events, what is on its way to them, and how each try went.

-- name: subscription
-- One subscription of a tenant.
SELECT id, cursor, failing_since, body FROM subscriptions WHERE id = $1 AND tenant = $2

-- name: subscriptions
-- All of every tenant, in the order of their making.
SELECT id, cursor, failing_since, body FROM subscriptions ORDER BY id

-- name: subscriptions_of
-- All of a tenant, in the order of their making.
SELECT id, cursor, failing_since, body FROM subscriptions WHERE tenant = $1 ORDER BY id

-- name: add_subscription
-- One more of a client, unless it has as many as it may; who adds one holds the client.
INSERT INTO subscriptions (id, tenant, client, state, cursor, failing_since, version, body)
SELECT $1, $2, $3, $4, $5, NULL, $6, $7
WHERE $8::bigint IS NULL OR (SELECT count(*) FROM subscriptions s WHERE s.tenant = $2 AND s.client = $3) < $8::bigint
ON CONFLICT DO NOTHING

-- name: hold_client
-- One client's subscriptions are added by one process at a time.
SELECT pg_advisory_xact_lock($1)

-- name: replace_subscription
-- The cursor is moved by derivation alone; a subscription that is made active again has a clean record.
UPDATE subscriptions
SET failing_since = CASE WHEN $3 = 'active' AND state <> 'active' THEN NULL ELSE failing_since END,
    state = $3, version = $4, body = $5
WHERE id = $1 AND tenant = $2 AND version = $6

-- name: delete_subscription
-- A subscription that nobody wants any more, in the version that is expected, or in any.
DELETE FROM subscriptions WHERE id = $1 AND tenant = $2 AND ($3::bigint IS NULL OR version = $3::bigint)

-- name: cancel_deliveries
-- What a deleted subscription was still to receive.
UPDATE deliveries SET state = 'cancelled', head = FALSE, lease_until = 0
WHERE subscription = $1 AND state IN ('pending', 'claimed')

-- name: hold
-- The rows of subscriptions, in the order in which everybody takes them: who has them decides about their lanes.
SELECT id, cursor FROM subscriptions WHERE id = ANY ($1) ORDER BY id FOR UPDATE

-- name: move_cursors
-- Further along the feed.
UPDATE subscriptions s SET cursor = one.upto FROM unnest($1::text[], $2::bigint[]) AS one (id, upto)
WHERE s.id = ANY ($1) AND s.id = one.id

-- name: insert
-- Deliveries; one that is the first of its lane here becomes the head where nothing of the lane is unfinished.
INSERT INTO deliveries (id, tenant, subscription, seq, event, type, lane, since, due_at, created_at, traceparent, head,
    state, attempts, spent, lease_until, fence, updated_at)
SELECT id, tenant, subscription, seq, event, type, lane, since, due_at, created_at, traceparent,
    one.first AND (
        SELECT d.id FROM deliveries d WHERE d.subscription = one.subscription AND d.lane = one.lane AND d.head) IS NULL,
    'pending', 0, 0, 0, 0, created_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[],
    $9::bigint[], $10::bigint[], $11::text[], $12::bool[])
    AS one (id, tenant, subscription, seq, event, type, lane, since, due_at, created_at, traceparent, first)
ON CONFLICT DO NOTHING

-- name: claim
-- The heads that may be claimed, those that wait longest first, each with its event. What another process claims at this
-- moment is passed over; a lease is always later than the last one of the delivery, so that it tells one claim from another.
WITH due AS MATERIALIZED (
    SELECT found.id, rooms.place, found.ready
    FROM unnest($1::text[], $2::int[]) WITH ORDINALITY AS rooms (subscription, room, place)
    CROSS JOIN LATERAL (
        SELECT d.id, greatest(d.due_at, d.lease_until) AS ready FROM deliveries d
        WHERE d.subscription = rooms.subscription AND d.head AND d.state IN ('pending', 'claimed')
            AND greatest(d.due_at, d.lease_until) <= $3
        ORDER BY greatest(d.due_at, d.lease_until) LIMIT rooms.room FOR UPDATE SKIP LOCKED
    ) AS found
    ORDER BY rooms.place, found.ready LIMIT $5
),
leased AS (
    UPDATE deliveries d SET state = 'claimed', updated_at = $3,
        lease_until = greatest($3 + $4, d.fence + 1), fence = greatest($3 + $4, d.fence + 1)
    FROM due WHERE d.id = ANY (ARRAY (SELECT id FROM due)) AND d.id = due.id
    RETURNING d.id, d.tenant, d.subscription, d.seq, d.event, d.type, d.lane, d.state, d.attempts, d.spent, d.since,
        d.due_at, d.lease_until, d.created_at, d.updated_at, d.outcome, d.traceparent, due.place, due.ready
)
SELECT l.*, e.subject, e.at, e.patient, e.version, e.message, e.feed, e.traceparent AS happened_in
FROM leased l CROSS JOIN LATERAL (SELECT * FROM events WHERE seq = l.seq OFFSET 0) AS e ORDER BY l.place, l.ready

-- name: add_attempts
-- Tries, each once.
INSERT INTO attempts (delivery, number, at, took, outcome, status, answer)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::bytea[])
ON CONFLICT DO NOTHING

-- name: conclude
-- Only the lease under which a delivery was claimed can conclude it; `head` stays where it is to be tried again.
UPDATE deliveries d
SET state = one.state, head = one.state = 'pending', attempts = one.attempts, due_at = one.due_at, lease_until = 0,
    updated_at = one.updated_at, outcome = one.outcome
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[])
    AS one (id, lease_until, state, attempts, due_at, updated_at, outcome)
WHERE d.id = ANY ($1) AND d.id = one.id AND d.state = 'claimed' AND d.lease_until = one.lease_until
RETURNING d.subscription, d.lane, d.state

-- name: promote
-- The oldest that waits becomes the head of each lane that has none.
UPDATE deliveries SET head = TRUE WHERE id = ANY (ARRAY (
    SELECT (SELECT w.id FROM deliveries w
            WHERE w.subscription = lanes.subscription AND w.lane = lanes.lane AND w.state = 'pending' AND NOT w.head
            ORDER BY w.seq LIMIT 1)
    FROM unnest($1::text[], $2::text[]) AS lanes (subscription, lane)
    WHERE (SELECT h.id FROM deliveries h
           WHERE h.subscription = lanes.subscription AND h.lane = lanes.lane AND h.head) IS NULL))

-- name: step_back
-- A head that nobody has claimed gives way where something older waits again.
UPDATE deliveries SET head = FALSE WHERE state = 'pending' AND id = ANY (ARRAY (
    SELECT h.id
    FROM unnest($1::text[], $2::text[]) AS lanes (subscription, lane)
    CROSS JOIN LATERAL (
        SELECT d.id, d.seq FROM deliveries d
        WHERE d.subscription = lanes.subscription AND d.lane = lanes.lane AND d.head AND d.state = 'pending' OFFSET 0
    ) AS h
    WHERE h.seq > (SELECT w.seq FROM deliveries w
                   WHERE w.subscription = lanes.subscription AND w.lane = lanes.lane
                     AND w.state = 'pending' AND NOT w.head
                   ORDER BY w.seq LIMIT 1)))

-- name: well
-- Receivers that took something.
UPDATE subscriptions SET failing_since = NULL WHERE id = ANY ($1) AND failing_since IS NOT NULL

-- name: failing
-- Receivers that took nothing, from their first failure on.
UPDATE subscriptions s SET failing_since = one.at FROM unnest($1::text[], $2::bigint[]) AS one (id, at)
WHERE s.id = ANY ($1) AND s.id = one.id AND s.failing_since IS NULL

-- name: delivery
-- One delivery of a tenant.
SELECT id, tenant, subscription, seq, event, type, lane, state, attempts, spent, since, due_at, lease_until,
    created_at, updated_at, outcome, traceparent
FROM deliveries WHERE id = $1 AND tenant = $2

-- name: revive
-- Back in their lanes with a schedule of their own, as long as their subscription still exists, and not by the very job
-- that repeats a page after a crash.
UPDATE deliveries d
SET state = 'pending', head = FALSE, spent = attempts, since = $2, due_at = $2, updated_at = $2,
    traceparent = coalesce($3, d.traceparent)
WHERE d.id = ANY ($1) AND d.state IN ('delivered', 'parked', 'cancelled') AND d.updated_at <= $2
  AND (SELECT s.id FROM subscriptions s WHERE s.id = d.subscription) IS NOT NULL
RETURNING d.subscription, d.lane

-- name: attempts
-- The tries of one delivery.
SELECT a.delivery, a.number, a.at, a.took, a.outcome, a.status, a.answer
FROM attempts AS a JOIN deliveries AS d ON d.id = a.delivery
WHERE a.delivery = $1 AND d.tenant = $2 ORDER BY a.number

-- name: backlog
-- What waits behind heads, what is parked, the heads themselves, and the newest event; each from an index of its own.
SELECT (SELECT count(*) FROM deliveries WHERE state = 'pending' AND NOT head)
     + (SELECT count(*) FROM deliveries WHERE state = 'pending' AND head) AS pending,
    (SELECT count(*) FROM deliveries WHERE state = 'claimed' AND head) AS claimed,
    (SELECT count(*) FROM deliveries WHERE state = 'parked') AS parked,
    (SELECT min(due_at) FROM deliveries WHERE state = 'pending' AND head) AS oldest_due_at,
    least((SELECT min(since) FROM deliveries WHERE state = 'pending' AND head),
          (SELECT min(since) FROM deliveries WHERE state = 'claimed' AND head)) AS oldest_since,
    (SELECT value FROM heads WHERE name = 'events') AS head

-- name: job
-- One job of a tenant.
SELECT id, tenant, client, kind, created_at, total, done, failed, state, body FROM jobs WHERE id = $1 AND tenant = $2

-- name: running_jobs
-- The jobs that still run.
SELECT id, tenant, client, kind, created_at, total, done, failed, state, body FROM jobs
WHERE state = 'running' ORDER BY created_at

-- name: put_job
-- A job with its progress.
INSERT INTO jobs (id, tenant, client, kind, created_at, total, done, failed, state, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (id) DO UPDATE SET total = excluded.total, done = excluded.done, failed = excluded.failed,
    state = excluded.state, body = excluded.body
