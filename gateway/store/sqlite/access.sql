-- Who may, what may be used once, what is held, and what is secret.

-- name: client
-- An API consumer by its id.
SELECT client_id, tenant, secret_hash, scopes, name, created_at, revoked_at FROM clients WHERE client_id = ?

-- name: put_client
-- An API consumer, new or changed.
INSERT INTO clients (client_id, tenant, secret_hash, scopes, name, created_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (client_id) DO UPDATE SET tenant = excluded.tenant, secret_hash = excluded.secret_hash,
    scopes = excluded.scopes, name = excluded.name, created_at = excluded.created_at, revoked_at = excluded.revoked_at

-- name: nonce
-- A nonce that is still remembered.
SELECT until FROM nonces WHERE digest = ? AND until >= ?

-- name: put_nonce
-- A nonce from now on.
INSERT INTO nonces (digest, until) VALUES (?, ?) ON CONFLICT (digest) DO UPDATE SET until = excluded.until

-- name: forget_nonces
-- Some of the nonces whose time is over.
DELETE FROM nonces WHERE digest IN (SELECT digest FROM nonces WHERE until < ? LIMIT 100)

-- name: switches
-- What is held.
SELECT name, value FROM switches

-- name: hold
-- Hold something.
INSERT INTO switches (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: release
-- Let something go on.
DELETE FROM switches WHERE name = ?

-- name: meta
-- A value that the store keeps for itself.
SELECT value FROM meta WHERE name = ?

-- name: put_meta
-- A value that the store keeps for itself, new or changed.
INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: lease
-- Something is held by one process until then, unless another holds it still.
INSERT INTO leases (name, holder, until) VALUES (?1, ?2, ?3)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE holder = excluded.holder OR until < ?4

-- name: forget_leases
-- This process owns the database, so every lease found at its start belonged to one that is gone.
DELETE FROM leases

-- name: forget_ended
-- Leases whose time is over.
DELETE FROM leases WHERE until < ?
