-- What is left of what was purged, and what is kept in spite of its days.

-- A message that was purged, in its place: `n` is never given to another. Its dedup key still recognises it.
CREATE TABLE purged (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    feed TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    type TEXT NOT NULL,
    event TEXT NOT NULL,
    dedup INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX purged_dedup ON purged (dedup, hash);
CREATE INDEX purged_received ON purged (received_at);

-- A message that was purged while a hold covered it, whole.
CREATE TABLE aside_messages (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    feed TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    duplicates INTEGER NOT NULL,
    body BLOB NOT NULL,
    raw BLOB NOT NULL
) STRICT;

-- Legal holds; `body` is all else, sealed.
CREATE TABLE holds (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    released_at INTEGER,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Where the chain of the audit begins since its first links were purged.
CREATE TABLE audit_anchors (
    chain TEXT PRIMARY KEY,
    links INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    head BLOB NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
