-- What is known of a plan (in a world) on a channel, and what the channel is told: the outbox. A notice is written
-- with the state that it tells, in one transaction; tries are counted before they are made, and what is under way
-- when its process dies may have arrived. Times are epoch seconds.

CREATE TABLE notice_states (
    plan TEXT NOT NULL,
    world TEXT NOT NULL,
    channel TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (plan, world, channel)
) WITHOUT ROWID;

CREATE TABLE notices (
    n INTEGER PRIMARY KEY,
    plan TEXT NOT NULL,
    channel TEXT NOT NULL,
    number INTEGER NOT NULL,
    event TEXT NOT NULL,
    run TEXT,
    at REAL NOT NULL,
    document TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    under_way INTEGER NOT NULL DEFAULT 0,
    doubtful INTEGER NOT NULL DEFAULT 0,
    sent REAL,
    error TEXT,
    given_up REAL,
    UNIQUE (plan, channel, number)
);

CREATE INDEX notices_pending ON notices (n) WHERE sent IS NULL AND given_up IS NULL;
CREATE INDEX notices_run ON notices (run);
