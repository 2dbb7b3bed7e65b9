-- The feed of events, and the tasks that wait for a person.

-- name: add
-- Events in their places, which are given out as the last thing before the commit; whoever listens is told at the commit.
WITH head AS (
    UPDATE heads SET value = value + cardinality($2::text[]) WHERE name = 'events'
    RETURNING value - cardinality($2::text[]) AS before
),
added AS (
    INSERT INTO events (month, seq, id, tenant, type, subject, at, patient, version, message, feed, traceparent)
    SELECT $1, head.before + one.place, one.id, one.tenant, one.type, one.subject, one.at, one.patient, one.version,
        one.message, one.feed, one.traceparent
    FROM head, unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::bigint[],
        $9::text[], $10::text[], $11::text[]) WITH ORDINALITY
        AS one (id, tenant, type, subject, at, patient, version, message, feed, traceparent, place)
    RETURNING seq
)
SELECT min(seq) AS first, pg_notify('isthmus', $12)::text AS told FROM added

-- name: types
-- The types of a tenant's events: from each one on to the next greater one.
WITH RECURSIVE had (type) AS (
    (SELECT type FROM events WHERE tenant = $1 ORDER BY type LIMIT 1)
    UNION ALL
    SELECT (SELECT e.type FROM events e WHERE e.tenant = $1 AND e.type > had.type ORDER BY e.type LIMIT 1)
    FROM had WHERE had.type IS NOT NULL
)
SELECT type FROM had WHERE type IS NOT NULL

-- name: add_task
-- A task, unless one is open for the same thing.
INSERT INTO tasks (id, tenant, queue, code, subject, title, created_at, status, priority, due_at, updated_at, version,
    owner, resolution, note)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING

-- name: reopen_task
-- A task that was closed and is raised again is open again, unless another is for the same thing.
UPDATE tasks t SET status = 'ready', version = version + 1, owner = NULL, resolution = NULL, updated_at = $2, due_at = $3
WHERE id = $1 AND status NOT IN ('ready', 'in-progress') AND (
    SELECT o.id FROM tasks o WHERE o.tenant = t.tenant AND o.queue = t.queue AND o.subject = t.subject AND o.code = t.code
    AND o.status IN ('ready', 'in-progress')) IS NULL

-- name: task
-- A task by its id.
SELECT id, tenant, queue, code, subject, title, created_at, status, priority, due_at, updated_at, version, owner,
    resolution, note
FROM tasks WHERE id = $1 AND tenant = $2

-- name: waiting
-- How many tasks are open in each queue; the index holds no others.
SELECT queue, count(*) AS waiting FROM tasks WHERE status IN ('ready', 'in-progress') GROUP BY queue

-- name: about
-- The open tasks about one subject. With all queues by name they are found in tasks_open.
SELECT id, tenant, queue, code, subject, title, created_at, status, priority, due_at, updated_at, version, owner,
    resolution, note
FROM tasks WHERE tenant = $1 AND queue = ANY ($2) AND subject = $3 AND status IN ('ready', 'in-progress')

-- name: change_task
-- A task as a person left it, if nobody else changed it meanwhile.
UPDATE tasks SET queue = $1, code = $2, subject = $3, title = $4, status = $5, priority = $6, due_at = $7,
    updated_at = $8, version = $9, owner = $10, resolution = $11, note = $12
WHERE id = $13 AND tenant = $14 AND version = $15
