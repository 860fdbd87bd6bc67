-- Public snapshots of tests, one of each at most: written before it is asked for, and again when that was answered.
-- What was sent and has no answer may exist. Times are epoch seconds.

CREATE TABLE snapshots (
    spec_n bigint PRIMARY KEY REFERENCES specs (n) ON DELETE CASCADE,
    test_id text NOT NULL,
    state text NOT NULL,
    at double precision NOT NULL,
    id text,
    link text,
    error text
);

CREATE INDEX snapshots_at ON snapshots (at);
