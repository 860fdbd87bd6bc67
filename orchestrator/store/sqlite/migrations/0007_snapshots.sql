-- Public snapshots of tests, one of each at most: written before it is asked for, and again when that was answered.
-- What was sent and has no answer may exist. Times are epoch seconds.

CREATE TABLE snapshots (
    spec_n INTEGER PRIMARY KEY REFERENCES specs (n) ON DELETE CASCADE,
    test_id TEXT NOT NULL,
    state TEXT NOT NULL,
    at REAL NOT NULL,
    id TEXT,
    link TEXT,
    error TEXT
);

CREATE INDEX snapshots_at ON snapshots (at);
