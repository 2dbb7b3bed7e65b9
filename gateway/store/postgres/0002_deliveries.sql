-- Who receives events, what is on its way to them, and how each try went.

-- A receiver of events. `cursor` is its place in the feed of events; `failing_since` is the first failure after the
-- last success. `body` holds the rest, sealed: the secrets, the URL, the filter. Who changes what is on its way to a
-- receiver holds its row: so the heads of lanes are decided by one at a time.
CREATE TABLE subscriptions (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT COLLATE "C" NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'disabled')),
    cursor BIGINT NOT NULL,
    failing_since BIGINT,
    version BIGINT NOT NULL,
    body BYTEA NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX subscriptions_tenant ON subscriptions (tenant, id);
ALTER TABLE subscriptions ALTER body SET STORAGE EXTERNAL;

-- One event on its way to one subscription. `head` marks the oldest unfinished one of its lane, the only one that may be
-- claimed. `since` is when its schedule of tries began, `spent` the tries made before that. `fence` is the last lease that
-- was given: each is later than the one before, whatever the clocks of the processes say.
CREATE TABLE deliveries (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT COLLATE "C" NOT NULL,
    subscription TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    lane TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'claimed', 'delivered', 'parked', 'cancelled')),
    head BOOLEAN NOT NULL,
    attempts BIGINT NOT NULL,
    spent BIGINT NOT NULL,
    since BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    outcome TEXT,
    traceparent TEXT,
    CHECK (NOT head OR state IN ('pending', 'claimed')),
    CHECK (state <> 'claimed' OR head)
) WITH (fillfactor = 70);
-- An event goes to a subscription once; and the list of a subscription's deliveries, newest first.
CREATE UNIQUE INDEX deliveries_once ON deliveries (subscription, seq);
-- The order of a lane: it has one head, so no two of its deliveries are ever under way together.
CREATE UNIQUE INDEX deliveries_head ON deliveries (subscription, lane) WHERE head;
-- What waits behind a head, in its order.
CREATE INDEX deliveries_waiting ON deliveries (subscription, lane, seq) WHERE state = 'pending' AND NOT head;
-- What may be claimed next: due, and under no lease. That heads are of these states is said here and below so that nobody
-- who asks for the head of a lane is led by any index but that of lanes.
CREATE INDEX deliveries_due ON deliveries (subscription, greatest(due_at, lease_until))
    WHERE head AND state IN ('pending', 'claimed');
-- The heads by state and when they are due, and since when they wait: what the backlog counts.
CREATE INDEX deliveries_heads ON deliveries (state, due_at) INCLUDE (since) WHERE head AND state IN ('pending', 'claimed');
-- The lists of a tenant's deliveries, newest first, and those of a type or a rare state; where an event went; what needs a
-- look.
CREATE INDEX deliveries_tenant ON deliveries (tenant, seq, id);
CREATE INDEX deliveries_event ON deliveries (event, seq, id);
CREATE INDEX deliveries_type ON deliveries (tenant, type, seq, id);
CREATE INDEX deliveries_state ON deliveries (tenant, state, seq, id) WHERE state IN ('pending', 'claimed', 'cancelled');
CREATE INDEX deliveries_parked ON deliveries (tenant, seq, id) WHERE state = 'parked';

-- One try of a delivery; `answer` is the sealed start of what the receiver said.
CREATE TABLE attempts (
    delivery TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    took BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    status BIGINT,
    answer BYTEA,
    PRIMARY KEY (delivery, number)
);

-- Work over many rows, with the place it has reached.
CREATE TABLE jobs (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT COLLATE "C" NOT NULL,
    client TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    total BIGINT NOT NULL,
    done BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    state TEXT NOT NULL,
    body BYTEA NOT NULL
);
CREATE INDEX jobs_running ON jobs (created_at) WHERE state = 'running';
