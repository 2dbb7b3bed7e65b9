-- The audit chain, and the site files that messages were mapped with.

-- name: head
-- The last link and its number.
SELECT n, link FROM audit_links ORDER BY n DESC LIMIT 1

-- name: last
-- The number of the newest row.
SELECT coalesce(max(n), 0) FROM audit_rows

-- name: add_link
-- One more link.
INSERT INTO audit_links (n, previous, link) VALUES (?, ?, ?)

-- name: add_row
-- A row under its link.
INSERT INTO audit_rows (n, link, at, tenant, actor, action, what, digest, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: rows
-- A tenant's rows after a number.
SELECT n, at, tenant, actor, action, what, digest, body FROM audit_rows WHERE tenant = ? AND n > ? ORDER BY n LIMIT ?

-- name: links
-- Every link with the digests it covers, in order; also one that has lost its rows.
SELECT l.n, l.previous, l.link, r.digest FROM audit_links l LEFT JOIN audit_rows r ON r.link = l.n ORDER BY l.n, r.n

-- name: keep_site
-- The files of a site; the same files are the same row.
INSERT INTO sites (digest, files) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING

-- name: site
-- The files of a site by their hash.
SELECT files FROM sites WHERE digest = ?
