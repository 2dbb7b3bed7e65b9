-- What is kept in spite of its days, and what is left of the audit that was purged. What is left of a message that was
-- purged stands in dedup.

-- A message that was purged while a hold covered it, whole.
CREATE TABLE aside_messages (
    n BIGINT PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    tenant TEXT COLLATE "C" NOT NULL,
    feed TEXT COLLATE "C" NOT NULL,
    received_at BIGINT NOT NULL,
    duplicates BIGINT NOT NULL,
    body BYTEA NOT NULL,
    raw BYTEA NOT NULL
);
ALTER TABLE aside_messages ALTER body SET STORAGE EXTERNAL, ALTER raw SET STORAGE EXTERNAL;

-- Legal holds; `body` is all else, sealed.
CREATE TABLE holds (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT COLLATE "C" NOT NULL,
    released_at BIGINT,
    body BYTEA NOT NULL
);

-- Where each chain of the audit begins since its first links were purged: how many those were is the number of the last.
CREATE TABLE audit_anchors (
    chain TEXT COLLATE "C" PRIMARY KEY,
    links BIGINT NOT NULL,
    rows BIGINT NOT NULL,
    head BYTEA NOT NULL,
    until BIGINT NOT NULL
);
