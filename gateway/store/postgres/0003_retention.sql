-- What is kept aside from all that a site's retention takes away.

-- What must be kept for a court or an inquiry, until somebody releases it. `body` says what, why and by whom, sealed.
CREATE TABLE holds (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT COLLATE "C" NOT NULL,
    body BYTEA NOT NULL
);

-- Whole messages under a hold, copied before they were taken away.
CREATE TABLE held_messages (
    message TEXT COLLATE "C" NOT NULL,
    hold TEXT COLLATE "C" NOT NULL,
    tenant TEXT COLLATE "C" NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (message, hold)
);
CREATE INDEX held_messages_hold ON held_messages (hold);
