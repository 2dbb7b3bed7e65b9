-- Records: as they stand, as they were, and what they are found by.

-- name: record
-- A record by its id.
SELECT id, version, body FROM records WHERE id = ? AND tenant = ?

-- name: replaced
-- A version that a newer one has replaced.
SELECT v.body FROM records r JOIN record_versions v ON v.record = r.n WHERE r.id = ? AND r.tenant = ? AND v.version = ?

-- name: history
-- Every version that newer ones have replaced, oldest first.
SELECT v.version, v.body FROM records r JOIN record_versions v ON v.record = r.n
WHERE r.id = ? AND r.tenant = ? ORDER BY v.version

-- name: find
-- The ids of the records under one key.
SELECT r.id FROM record_keys k JOIN records r ON r.n = k.record WHERE k.digest = ? ORDER BY k.start, k.record

-- name: statuses
-- The statuses that records of a kind have: from each one on to the next greater one.
WITH RECURSIVE had (status) AS (
    SELECT min(status) FROM records WHERE tenant = ? AND kind = ?
    UNION ALL
    SELECT (SELECT min(status) FROM records WHERE tenant = ? AND kind = ? AND status > had.status)
    FROM had WHERE had.status IS NOT NULL
)
SELECT status FROM had WHERE status IS NOT NULL

-- name: survivor
-- The patient that a merge put in this one's place.
SELECT replaced_by FROM records WHERE id = ? AND tenant = ?

-- name: aliases
-- A patient's survivor, then all that were merged into it, directly or through others.
WITH RECURSIVE
up (id, replaced_by, depth) AS (
    SELECT id, replaced_by, 0 FROM records WHERE id = ? AND tenant = ?
    UNION ALL
    SELECT r.id, r.replaced_by, up.depth + 1 FROM up JOIN records r ON r.id = up.replaced_by WHERE up.depth < 1000
),
down (id) AS (
    SELECT id FROM (SELECT id FROM up ORDER BY depth DESC LIMIT 1)
    UNION
    SELECT r.id FROM down JOIN records r ON r.replaced_by = down.id
)
SELECT id FROM down

-- name: place
-- Where a record stands in the order of first keeping.
SELECT n FROM records WHERE id = ?

-- name: last
-- The newest row number.
SELECT coalesce(max(n), 0) FROM records

-- name: loaded
-- The records under many keys.
SELECT k.digest, r.id FROM record_keys k JOIN records r ON r.n = k.record WHERE k.digest IN (:many)

-- name: bodies
-- Many records by their ids.
SELECT n, id, version, body FROM records WHERE id IN (:many)

-- name: places
-- The row numbers of many records.
SELECT id, n FROM records WHERE id IN (:many)

-- name: add
-- A record heard of for the first time.
INSERT INTO records (n, id, tenant, kind, status, start, updated_at, created_at, version, replaced_by, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: archive
-- The version that is about to be replaced, moved as it is.
INSERT INTO record_versions (record, version, body) SELECT n, version, body FROM records WHERE n = ?

-- name: add_version
-- A version that was replaced within one commit.
INSERT INTO record_versions (record, version, body) VALUES (?, ?, ?)

-- name: renew
-- A new version of a record; it must follow on the one that was loaded.
UPDATE records SET status = ?, start = ?, updated_at = ?, version = ?, replaced_by = ?, body = ?
WHERE n = ? AND version = ?

-- name: touch
-- The same version of a record with newer clocks.
UPDATE records SET body = ? WHERE n = ? AND version = ?

-- name: add_key
-- One more key of a record.
INSERT INTO record_keys (digest, start, record) VALUES (?, ?, ?)

-- name: drop_key
-- A key that a record no longer has.
DELETE FROM record_keys WHERE digest = ? AND start = ? AND record = ?
