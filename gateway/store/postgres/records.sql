-- Records: as they stand, as they were, and what they are found by.

-- name: record
-- A record by its id.
SELECT id, version, body FROM records WHERE id = $1 AND tenant = $2

-- name: replaced
-- A version that a newer one has replaced.
SELECT v.body FROM records r JOIN record_versions v ON v.record = r.n WHERE r.id = $1 AND r.tenant = $2 AND v.version = $3

-- name: history
-- Every version of a record, oldest first; the last is as it stands. One statement, so that none comes twice.
SELECT v.version, v.body FROM records r JOIN record_versions v ON v.record = r.n WHERE r.id = $1 AND r.tenant = $2
UNION ALL SELECT version, body FROM records WHERE id = $1 AND tenant = $2 ORDER BY version

-- name: find
-- The ids of the records under one key.
SELECT r.id FROM record_keys k JOIN records r ON r.n = k.record WHERE k.digest = ANY ($1) ORDER BY k.start, k.record

-- name: bodies
-- Many records by their ids.
SELECT id, version, body FROM records WHERE id = ANY ($1) AND tenant = $2

-- name: aliases
-- A patient's survivor, then all that were merged into it, directly or through others.
WITH RECURSIVE
up (id, replaced_by, depth) AS (
    SELECT id, replaced_by, 0 FROM records WHERE id = $1 AND tenant = $2
    UNION ALL
    SELECT r.id, r.replaced_by, up.depth + 1
    FROM up CROSS JOIN LATERAL (SELECT id, replaced_by FROM records WHERE id = up.replaced_by OFFSET 0) AS r
    WHERE up.depth < 1000
),
down (id, depth) AS (
    (SELECT id, 0 FROM up ORDER BY up.depth DESC LIMIT 1)
    UNION
    SELECT r.id, down.depth + 1
    FROM down CROSS JOIN LATERAL (SELECT id FROM records WHERE replaced_by = down.id OFFSET 0) AS r
    WHERE down.depth < 1000
)
SELECT id FROM down ORDER BY depth

-- name: survivor
-- The patient that stands for this one after all merges.
WITH RECURSIVE up (id, replaced_by, depth) AS (
    SELECT id, replaced_by, 0 FROM records WHERE id = $1 AND tenant = $2
    UNION ALL
    SELECT r.id, r.replaced_by, up.depth + 1
    FROM up CROSS JOIN LATERAL (SELECT id, replaced_by FROM records WHERE id = up.replaced_by OFFSET 0) AS r
    WHERE up.depth < 1000
)
SELECT id FROM up ORDER BY depth DESC LIMIT 1

-- name: statuses
-- The statuses that records of a kind have: from each one on to the next greater one.
WITH RECURSIVE had (status) AS (
    (SELECT status FROM records WHERE tenant = $1 AND kind = $2 ORDER BY status LIMIT 1)
    UNION ALL
    SELECT (SELECT r.status FROM records r WHERE r.tenant = $1 AND r.kind = $2 AND r.status > had.status
            ORDER BY r.status LIMIT 1)
    FROM had WHERE had.status IS NOT NULL
)
SELECT status FROM had WHERE status IS NOT NULL

-- name: place
-- Where a record stands in the order of first keeping.
SELECT n FROM records WHERE id = $1

-- name: share
-- A unit of few numbers works beside others of its kind.
SELECT pg_advisory_xact_lock_shared($1)

-- name: alone
-- A unit of very many numbers works alone in its tenant.
SELECT pg_advisory_xact_lock($1)

-- name: lock
-- Numbers, in their order, held by nobody or not: what a unit looks for is its own until it ends.
SELECT count(pg_advisory_xact_lock(number)) FROM unnest($1::bigint[]) AS wanted (number)

-- name: holders
-- Which records have these numbers.
SELECT k.digest, r.id FROM unnest($1::bigint[]) AS wanted (digest)
JOIN record_keys k ON k.digest = wanted.digest JOIN records r ON r.n = k.record

-- name: take
-- Records for a unit that may change them, each waited for in the order given. What is remembered need not be sent again.
SELECT r.n, r.id, r.version, r.revision, CASE WHEN r.revision = wanted.revision THEN NULL ELSE r.body END AS body
FROM unnest($1::text[], $2::bigint[]) AS wanted (id, revision)
CROSS JOIN LATERAL (SELECT * FROM records WHERE id = wanted.id AND tenant = $3 FOR UPDATE) AS r

-- name: take_now
-- The same for those that came to light later: out of order, nobody is waited for.
SELECT r.n, r.id, r.version, r.revision, CASE WHEN r.revision = wanted.revision THEN NULL ELSE r.body END AS body
FROM unnest($1::text[], $2::bigint[]) AS wanted (id, revision)
CROSS JOIN LATERAL (SELECT * FROM records WHERE id = wanted.id AND tenant = $3 FOR UPDATE NOWAIT) AS r

-- name: add
-- Records heard of for the first time, in their order.
INSERT INTO records (id, tenant, kind, status, start, updated_at, created_at, version, revision, replaced_by, body)
SELECT id, tenant, kind, status, start, updated_at, created_at, version, 1, replaced_by, body
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::text[], $10::bytea[]) WITH ORDINALITY
    AS one (id, tenant, kind, status, start, updated_at, created_at, version, replaced_by, body, place)
ORDER BY place RETURNING id, revision

-- name: archive
-- The versions that are about to be replaced, as they are.
INSERT INTO record_versions (record, version, body) SELECT n, version, body FROM records WHERE id = ANY ($1)

-- name: add_versions
-- Versions that were replaced within one commit.
INSERT INTO record_versions (record, version, body)
SELECT r.n, one.version, one.body FROM unnest($1::text[], $2::bigint[], $3::bytea[]) AS one (id, version, body)
JOIN records r ON r.id = one.id

-- name: renew
-- New versions of records; each must follow on the one that was loaded.
UPDATE records r SET status = one.status, start = one.start, updated_at = one.updated_at, version = one.version,
    revision = r.revision + 1, replaced_by = one.replaced_by, body = one.body
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bytea[])
    AS one (id, known, status, start, updated_at, version, replaced_by, body)
WHERE r.id = ANY ($1) AND r.id = one.id AND r.version = one.known RETURNING r.id, r.revision

-- name: touch
-- The same versions of records with newer clocks.
UPDATE records r SET body = one.body, revision = r.revision + 1
FROM unnest($1::text[], $2::bigint[], $3::bytea[]) AS one (id, version, body)
WHERE r.id = ANY ($1) AND r.id = one.id AND r.version = one.version RETURNING r.id, r.revision

-- name: drop_keys
-- Keys that records no longer have.
DELETE FROM record_keys k USING unnest($1::text[], $2::bigint[], $3::bigint[]) AS one (id, digest, start), records r
WHERE r.id = one.id AND k.digest = one.digest AND k.start = one.start AND k.record = r.n

-- name: add_keys
-- Keys that records have from now on.
INSERT INTO record_keys (digest, start, record)
SELECT one.digest, one.start, r.n FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS one (id, digest, start)
JOIN records r ON r.id = one.id
