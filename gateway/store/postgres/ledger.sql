-- The chains of the audit, and the site files that messages were mapped with.

-- name: add
-- A link and the rows that it covers; the number of the transaction. The rows' numbers are given out as (nearly) the
-- last thing before the commit.
WITH head AS (
    UPDATE heads SET value = value + cardinality($6::bigint[]) WHERE name = 'audit'
    RETURNING value - cardinality($6::bigint[]) AS before
),
linked AS (
    INSERT INTO audit_links (chain, n, previous, link) VALUES ($2, $3, $4, $5)
)
INSERT INTO audit_rows (month, n, chain, link, place, at, tenant, actor, action, what, digest, body)
SELECT $1, head.before + one.place, $2, $3, one.place, one.at, one.tenant, one.actor, one.action, one.what, one.digest,
    one.body
FROM head, unnest($6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bytea[], $12::bytea[])
    WITH ORDINALITY AS one (at, tenant, actor, action, what, digest, body, place)
RETURNING pg_current_xact_id()::text

-- name: rows
-- A tenant's rows after a number.
SELECT n, chain, link, place, at, tenant, actor, action, what, digest, body FROM audit_rows
WHERE tenant = $1 AND n > $2 ORDER BY n LIMIT $3

-- name: links
-- Every link with the digests it covers, chain by chain, in order; also one that has lost its rows, but not those that an
-- anchor stands for.
SELECT l.chain, l.n, l.previous, l.link, r.digest
FROM audit_links l LEFT JOIN audit_rows r ON r.chain = l.chain AND r.link = l.n
WHERE NOT EXISTS (SELECT 1 FROM audit_anchors a WHERE a.chain = l.chain AND a.links >= l.n)
ORDER BY l.chain, l.n, r.place

-- name: keep_site
-- The files of a site; the same files are the same row.
INSERT INTO sites (digest, files) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING

-- name: site
-- The files of a site by their hash.
SELECT files FROM sites WHERE digest = $1
