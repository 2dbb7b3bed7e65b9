-- Who may, what may be used once, what is held, and what is secret.

-- name: client
-- An API consumer by its id.
SELECT client_id, tenant, secret_hash, scopes, name, created_at, revoked_at FROM clients WHERE client_id = $1

-- name: put_client
-- An API consumer, new or changed.
INSERT INTO clients (client_id, tenant, secret_hash, scopes, name, created_at, revoked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (client_id) DO UPDATE SET tenant = excluded.tenant, secret_hash = excluded.secret_hash,
    scopes = excluded.scopes, name = excluded.name, created_at = excluded.created_at, revoked_at = excluded.revoked_at

-- name: nonce
-- A nonce from now on, unless it is remembered still: of many that come together one is first.
INSERT INTO nonces (digest, until) VALUES ($1, $2)
ON CONFLICT (digest) DO UPDATE SET until = excluded.until WHERE nonces.until < $3

-- name: forget_nonces
-- Some of the nonces whose time is over; nobody is waited for.
DELETE FROM nonces WHERE digest = ANY (ARRAY (
    SELECT digest FROM nonces WHERE until < $1 ORDER BY until LIMIT 100 FOR UPDATE SKIP LOCKED))

-- name: switches
-- What is held.
SELECT name, value FROM switches

-- name: hold
-- Hold something.
INSERT INTO switches (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: release
-- Let something go on.
DELETE FROM switches WHERE name = $1

-- name: lease
-- Something is held by one process until then, unless another holds it still.
INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE leases.holder = excluded.holder OR leases.until < $4

-- name: forget_leases
-- Some of the leases whose time is over; nobody is waited for.
DELETE FROM leases WHERE name = ANY (ARRAY (
    SELECT name FROM leases WHERE until < $1 ORDER BY until LIMIT 100 FOR UPDATE SKIP LOCKED))
