-- What the store keeps of messages, records, events, tasks, clients, audit and sites.
-- Instants are microseconds since the epoch. A `body` is sealed (gateway/store/vault.py). A `digest` is a keyed hash of a
-- search key (gateway/store/keys.py): nothing that was searched for can be read from it.

-- What the store knows of itself: the key of its digests, a sealed proof of the site key, sealed secrets.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Messages as received. Columns are what is searched by or counted; `body` is all else, sealed, and `raw` stands last, so
-- that lists never read it. `dedup` is the digest of the dedup key; `digests` are those of all that it is found by.
CREATE TABLE messages (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    feed TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    type TEXT NOT NULL,
    event TEXT NOT NULL,
    duplicates INTEGER NOT NULL,
    dedup INTEGER NOT NULL,
    hash BLOB NOT NULL,
    digests BLOB NOT NULL,
    body BLOB NOT NULL,
    raw BLOB NOT NULL
) STRICT;
-- A message is kept once per (dedup key, hash): the answer to a repeat is found here.
CREATE UNIQUE INDEX messages_dedup ON messages (dedup, hash);
-- The list, newest first.
CREATE INDEX messages_received ON messages (tenant, received_at, n);

-- What a message can be searched by, or a list narrowed by, in lots of 1024 messages: a search looks into one lot after the
-- other. `messages` are those of the lot that have the key, two bytes each. A lot is written when the next one begins
-- (gateway/store/sqlite/lot.py).
CREATE TABLE message_keys (
    lot INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    messages BLOB NOT NULL,
    PRIMARY KEY (lot, digest)
) STRICT, WITHOUT ROWID;

-- Records as they now stand. `n` counts them in the order in which they were first kept. `start` of what has none is the
-- least integer, the status of what has none is empty; `replaced_by` is the patient that a merge put in this one's place.
CREATE TABLE records (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    start INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    replaced_by TEXT,
    body BLOB NOT NULL
) STRICT;
-- The lists of a kind in each order, one for each status: few are asked for by none, and some are rare.
CREATE INDEX records_created ON records (tenant, kind, status, n);
CREATE INDEX records_start ON records (tenant, kind, status, start, n);
CREATE INDEX records_updated ON records (tenant, kind, status, updated_at, n);
-- What a search under a key is narrowed by, without a record's body: a busy place has many records.
CREATE INDEX records_now ON records (n, status, updated_at);
CREATE INDEX records_replaced ON records (replaced_by) WHERE replaced_by IS NOT NULL;

-- One row per search key of a record, with its start, so that a key, a range of time and their order are one range.
CREATE TABLE record_keys (
    digest INTEGER NOT NULL,
    start INTEGER NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (digest, start, record)
) STRICT, WITHOUT ROWID;

-- The versions that a newer one has replaced.
CREATE TABLE record_versions (
    record INTEGER NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (record, version)
) STRICT, WITHOUT ROWID;

-- The feed of events. `seq` grows by one with each and is never used again.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    at INTEGER NOT NULL,
    patient TEXT,
    version INTEGER NOT NULL,
    message TEXT,
    feed TEXT,
    traceparent TEXT
) STRICT;
CREATE INDEX events_tenant ON events (tenant, seq);
-- The feed of one type, which may be rare.
CREATE INDEX events_type ON events (tenant, type, seq);

-- Work that waits for a person. `owner` is a login name; what people wrote, resolution and note, is sealed.
CREATE TABLE tasks (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    queue TEXT NOT NULL,
    code TEXT NOT NULL,
    subject TEXT NOT NULL,
    title TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    priority INTEGER NOT NULL,
    due_at INTEGER,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    owner TEXT,
    resolution BLOB,
    note BLOB
) STRICT;
-- One open task per queue, subject and code.
CREATE UNIQUE INDEX tasks_open ON tasks (tenant, queue, subject, code) WHERE status IN ('ready', 'in-progress');
CREATE INDEX tasks_created ON tasks (tenant, created_at, id, status, queue);
CREATE INDEX tasks_status ON tasks (tenant, status, created_at, id, queue);

-- API consumers created through the API or the demo.
CREATE TABLE clients (
    client_id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    scopes TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

-- What may be used once: token ids, idempotency keys, webhook ids.
CREATE TABLE nonces (
    digest INTEGER PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT;
CREATE INDEX nonces_until ON nonces (until);

-- What is paused, since when and by whom.
CREATE TABLE switches (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What one process does for all, who that is, and until when.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_until ON leases (until);

-- The chain of the audit: one link for every group of rows, over their digests.
CREATE TABLE audit_links (
    n INTEGER PRIMARY KEY,
    previous BLOB NOT NULL,
    link BLOB NOT NULL
) STRICT;
CREATE TABLE audit_rows (
    n INTEGER PRIMARY KEY,
    link INTEGER NOT NULL,
    at INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    what TEXT NOT NULL,
    digest BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX audit_rows_tenant ON audit_rows (tenant, n);

-- The site files that messages were mapped with, by the hash of their content.
CREATE TABLE sites (
    digest TEXT PRIMARY KEY,
    files BLOB NOT NULL
) STRICT, WITHOUT ROWID;
