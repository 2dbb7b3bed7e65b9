-- Who receives events, what is on its way to them, and how each try went.

-- A receiver of events. `cursor` is its place in the feed of events; `failing_since` is the first failure after the
-- last success. `body` holds the rest, sealed: the secrets, the URL, the filter.
CREATE TABLE subscriptions (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    client TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'disabled')),
    cursor INTEGER NOT NULL,
    failing_since INTEGER,
    version INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One event on its way to one subscription. `head` marks the oldest unfinished one of its lane, the only one that may be
-- claimed. `since` is when its schedule of tries began, `spent` the tries made before that.
CREATE TABLE deliveries (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    subscription TEXT NOT NULL,
    seq INTEGER NOT NULL,
    event TEXT NOT NULL,
    type TEXT NOT NULL,
    lane TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'claimed', 'delivered', 'parked', 'cancelled')),
    head INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    spent INTEGER NOT NULL,
    since INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    outcome TEXT,
    traceparent TEXT,
    CHECK (head = 0 OR state IN ('pending', 'claimed')),
    CHECK (state <> 'claimed' OR head = 1)
) STRICT;
-- An event goes to a subscription once; and the list of a subscription's deliveries, newest first.
CREATE UNIQUE INDEX deliveries_once ON deliveries (subscription, seq);
-- The order of a lane: it has one head, so no two of its deliveries are ever under way together.
CREATE UNIQUE INDEX deliveries_head ON deliveries (subscription, lane) WHERE head = 1;
-- What waits behind a head, in its order.
CREATE INDEX deliveries_waiting ON deliveries (subscription, lane, seq) WHERE state = 'pending' AND head = 0;
-- What may be claimed next: due, and under no lease.
CREATE INDEX deliveries_due ON deliveries (subscription, max(due_at, lease_until)) WHERE head = 1;
-- The lists of a tenant's deliveries, newest first; where an event went; what needs a look.
CREATE INDEX deliveries_tenant ON deliveries (tenant, seq);
CREATE INDEX deliveries_event ON deliveries (event);
CREATE INDEX deliveries_parked ON deliveries (tenant, seq) WHERE state = 'parked';

-- One try of a delivery; `answer` is the sealed start of what the receiver said.
CREATE TABLE attempts (
    delivery TEXT NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    took INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    status INTEGER,
    answer BLOB,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- Work over many rows, with the place it has reached.
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    client TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    total INTEGER NOT NULL,
    done INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    state TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_running ON jobs (created_at) WHERE state = 'running';
