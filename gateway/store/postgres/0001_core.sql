-- What the store keeps of messages, records, events, tasks, clients, audit and sites; see gateway/store/sqlite for what the
-- two have in common. Instants are microseconds since the epoch. A `body` is sealed (gateway/store/vault.py), so it is not
-- compressed. A `digest` is a keyed hash of a search key (gateway/store/keys.py). Text that is compared is of collation "C",
-- which is the order of bytes whatever the database was made with.
--
-- Messages, their keys, events and audit rows are partitioned by month (gateway/store/postgres/partitions.py): a month is the
-- number of months since 1970. What must be unique across months stands in a table of its own.

-- What the store knows of itself: the key of its digests, a sealed proof of the site key, sealed secrets.
CREATE TABLE meta (
    name TEXT COLLATE "C" PRIMARY KEY,
    value BYTEA NOT NULL
);

-- The last number given out in each series that readers follow. Its row is locked from the giving to the end of the commit,
-- the last thing that a transaction does, so that N+1 is never visible before N is decided.
CREATE TABLE heads (
    name TEXT COLLATE "C" PRIMARY KEY,
    value BIGINT NOT NULL
) WITH (fillfactor = 10);
INSERT INTO heads (name, value) VALUES ('audit', 0), ('events', 0);

-- The order in which messages were kept. A message's `n` is its month (of its id's time) times 2^40 and the next of these.
CREATE SEQUENCE messages_order;

-- Messages as received. Columns are what is searched by or counted; `body` is all else, sealed.
CREATE TABLE messages (
    n BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    tenant TEXT COLLATE "C" NOT NULL,
    feed TEXT COLLATE "C" NOT NULL,
    received_at BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    duplicates BIGINT NOT NULL,
    body BYTEA NOT NULL,
    raw BYTEA NOT NULL,
    PRIMARY KEY (n)
) PARTITION BY RANGE (n);
ALTER TABLE messages ALTER body SET STORAGE EXTERNAL, ALTER raw SET STORAGE EXTERNAL;
CREATE INDEX messages_id ON messages (id);
-- The list, newest first, and what it is mostly narrowed by, each in its own order: some of it is rare. The further columns
-- are filtered by in the index.
CREATE INDEX messages_received ON messages (tenant, received_at, n);
CREATE INDEX messages_event ON messages (tenant, event, received_at, n, feed, type);
CREATE INDEX messages_feed ON messages (tenant, feed, received_at, n, event, type);
CREATE INDEX messages_type ON messages (tenant, type, received_at, n);
-- What needs a look is rare, and found without passing what does not.
CREATE INDEX messages_state ON messages (tenant, state, received_at, n) WHERE state <> 'applied';

-- A message is kept once per (dedup key, hash), in whichever month: the answer to a repeat is found here. Ids are unique too.
-- When a message is purged this stays, and is its tombstone.
CREATE TABLE dedup (
    digest BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    received_at BIGINT NOT NULL,
    message TEXT COLLATE "C" NOT NULL UNIQUE,
    n BIGINT NOT NULL,
    tenant TEXT COLLATE "C" NOT NULL,
    feed TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (digest, hash)
);
-- What is forgotten first.
CREATE INDEX dedup_n ON dedup (n);

-- One row per key that a message can be searched by. Digests are random, so that in one tree each would be written to a
-- page of its own: a lot of 1024 messages keeps its keys together, and a search looks into one lot after the other.
CREATE TABLE message_keys (
    lot BIGINT NOT NULL,
    digest BIGINT NOT NULL,
    message BIGINT NOT NULL,
    PRIMARY KEY (lot, digest, message)
) PARTITION BY RANGE (lot);

-- Records as they now stand. `n` counts them in the order in which they were first kept. `start` of what has none is a very
-- low integer, the status of what has none is empty; `replaced_by` is the patient that a merge put in this one's place.
-- `revision` counts writes, also those that make no version: by it a process knows whether what it remembers of a record is
-- what is kept.
CREATE TABLE records (
    n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    tenant TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    start BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    replaced_by TEXT COLLATE "C",
    body BYTEA NOT NULL
) WITH (fillfactor = 80);
ALTER TABLE records ALTER body SET STORAGE EXTERNAL;
-- The lists of a kind in each order, one for each status: few are asked for by none, and some are rare.
CREATE INDEX records_created ON records (tenant, kind, status, n);
CREATE INDEX records_start ON records (tenant, kind, status, start, n);
CREATE INDEX records_updated ON records (tenant, kind, status, updated_at, n);
CREATE INDEX records_replaced ON records (replaced_by) WHERE replaced_by IS NOT NULL;

-- One row per search key of a record, with its start, so that a key, a range of time and their order are one range.
CREATE TABLE record_keys (
    digest BIGINT NOT NULL,
    start BIGINT NOT NULL,
    record BIGINT NOT NULL,
    PRIMARY KEY (digest, start, record)
);

-- The versions that a newer one has replaced.
CREATE TABLE record_versions (
    record BIGINT NOT NULL,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (record, version)
);
ALTER TABLE record_versions ALTER body SET STORAGE EXTERNAL;

-- The feed of events, by the month in which they came to it. `seq` grows by one with each and is never used again.
CREATE TABLE events (
    month INTEGER NOT NULL,
    seq BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    tenant TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    patient TEXT COLLATE "C",
    version BIGINT NOT NULL,
    message TEXT COLLATE "C",
    feed TEXT COLLATE "C",
    traceparent TEXT COLLATE "C",
    PRIMARY KEY (month, seq)
) PARTITION BY RANGE (month);
CREATE INDEX events_seq ON events (seq);
CREATE INDEX events_tenant ON events (tenant, seq);
-- The feed of one type, which may be rare.
CREATE INDEX events_type ON events (tenant, type, seq);

-- Work that waits for a person.
CREATE TABLE tasks (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT COLLATE "C" NOT NULL,
    queue TEXT COLLATE "C" NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    title TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    priority BIGINT NOT NULL,
    due_at BIGINT,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    owner TEXT,
    resolution BYTEA,
    note BYTEA
);
-- One open task per queue, subject and code.
CREATE UNIQUE INDEX tasks_open ON tasks (tenant, queue, subject, code) WHERE status IN ('ready', 'in-progress');
CREATE INDEX tasks_created ON tasks (tenant, created_at, id, status, queue);
CREATE INDEX tasks_status ON tasks (tenant, status, created_at, id, queue);

-- API consumers created through the API or the demo.
CREATE TABLE clients (
    client_id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT COLLATE "C" NOT NULL,
    secret_hash TEXT NOT NULL,
    scopes TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

-- What may be used once: token ids, idempotency keys, webhook ids.
CREATE TABLE nonces (
    digest BIGINT PRIMARY KEY,
    until BIGINT NOT NULL
);
CREATE INDEX nonces_until ON nonces (until);

-- What is paused, since when and by whom.
CREATE TABLE switches (
    name TEXT COLLATE "C" PRIMARY KEY,
    value TEXT NOT NULL
);

-- What one process does for all, who that is, and until when.
CREATE TABLE leases (
    name TEXT COLLATE "C" PRIMARY KEY,
    holder TEXT NOT NULL,
    until BIGINT NOT NULL
);
CREATE INDEX leases_until ON leases (until);

-- The chains of the audit, one for each process that ever ran: a link for every group of rows, over their digests.
CREATE TABLE audit_links (
    chain TEXT COLLATE "C" NOT NULL,
    n BIGINT NOT NULL,
    previous BYTEA NOT NULL,
    link BYTEA NOT NULL,
    PRIMARY KEY (chain, n)
);
-- What the links cover, by the month in which it was kept; `place` is the order within a link.
CREATE TABLE audit_rows (
    month INTEGER NOT NULL,
    n BIGINT NOT NULL,
    chain TEXT COLLATE "C" NOT NULL,
    link BIGINT NOT NULL,
    place INTEGER NOT NULL,
    at BIGINT NOT NULL,
    tenant TEXT COLLATE "C" NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    what TEXT NOT NULL,
    digest BYTEA NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (month, n)
) PARTITION BY RANGE (month);
CREATE INDEX audit_rows_tenant ON audit_rows (tenant, n);
CREATE INDEX audit_rows_chain ON audit_rows (chain, link, place);

-- The site files that messages were mapped with, by the hash of their content.
CREATE TABLE sites (
    digest TEXT COLLATE "C" PRIMARY KEY,
    files BYTEA NOT NULL
);
