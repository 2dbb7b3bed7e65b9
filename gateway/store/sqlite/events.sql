-- The feed of events, and the tasks that wait for a person.

-- name: head
-- The seq of the newest event, also when it was deleted since.
SELECT seq FROM sqlite_sequence WHERE name = 'events'

-- name: types
-- The types of a tenant's events: from each one on to the next greater one.
WITH RECURSIVE had (type) AS (
    SELECT min(type) FROM events WHERE tenant = ?
    UNION ALL
    SELECT (SELECT min(type) FROM events WHERE tenant = ? AND type > had.type) FROM had WHERE had.type IS NOT NULL
)
SELECT type FROM had WHERE type IS NOT NULL

-- name: add
-- An event in its place.
INSERT INTO events (seq, id, tenant, type, subject, at, patient, version, message, feed, traceparent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: add_task
-- A task, unless one is open for the same thing. One that was closed and is raised again is open again.
INSERT INTO tasks (id, tenant, queue, code, subject, title, created_at, status, priority, due_at, updated_at, version,
    owner, resolution, note)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (tenant, queue, subject, code) WHERE status IN ('ready', 'in-progress') DO NOTHING
ON CONFLICT (id) DO UPDATE SET status = 'ready', version = version + 1, owner = NULL, resolution = NULL,
    updated_at = excluded.updated_at, due_at = excluded.due_at
WHERE status NOT IN ('ready', 'in-progress')

-- name: waiting
-- How many tasks are open in each queue; the index holds no others.
SELECT queue, count(*) FROM tasks INDEXED BY tasks_open WHERE status IN ('ready', 'in-progress') GROUP BY queue

-- name: about
-- The open tasks about one subject. With all queues by name they are found in tasks_open.
SELECT id, tenant, queue, code, subject, title, created_at, status, priority, due_at, updated_at, version, owner,
    resolution, note
FROM tasks WHERE tenant = ? AND queue IN (:many) AND subject = ? AND status IN ('ready', 'in-progress')

-- name: change_task
-- A task as a person left it, if nobody else changed it meanwhile.
UPDATE tasks SET queue = ?, code = ?, subject = ?, title = ?, status = ?, priority = ?, due_at = ?, updated_at = ?,
    version = ?, owner = ?, resolution = ?, note = ?
WHERE id = ? AND tenant = ? AND version = ?
