-- What is kept aside from all that a site's retention takes away.

-- What must be kept for a court or an inquiry, until somebody releases it. `body` says what, why and by whom, sealed.
CREATE TABLE holds (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Whole messages under a hold, copied before they were taken away.
CREATE TABLE held_messages (
    message TEXT NOT NULL,
    hold TEXT NOT NULL,
    tenant TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (message, hold)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_messages_hold ON held_messages (hold);
