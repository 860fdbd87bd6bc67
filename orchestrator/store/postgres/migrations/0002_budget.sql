-- What all hosts of an organization count together, and what is known of the organizations themselves.

-- Written for every request and worth nothing after a crash, so it is kept out of the log: whoever finds no row
-- begins a new era. A row is rewritten in its page, which is mostly free for that (HOT); the body is kept in it.
CREATE UNLOGGED TABLE budget (
    key text COLLATE "C" PRIMARY KEY,
    era text NOT NULL,
    updated double precision NOT NULL,
    body text NOT NULL
) WITH (fillfactor = 30, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE budget ALTER COLUMN body SET STORAGE MAIN;
-- A server may be built without it; then bodies are compressed as everything else.
DO $$ BEGIN
    ALTER TABLE budget ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END $$;

-- Never a token: where each worker finds it (env:NAME, file:NAME, credential:NAME).
CREATE TABLE organizations (
    name text COLLATE "C" PRIMARY KEY,
    origin text NOT NULL,
    called text, -- by the API, where that is another name
    account_groups text NOT NULL DEFAULT '[]', -- JSON: the ids that runs may name; empty: any
    token text,
    most_runs integer NOT NULL DEFAULT 10 CHECK (most_runs > 0), -- under way at once
    most_workers integer NOT NULL DEFAULT 8 CHECK (most_workers > 0), -- that carry out its runs at once
    answers_kept double precision, -- seconds; NULL: for ever
    raw_kept double precision,
    runs_kept double precision,
    paused boolean NOT NULL DEFAULT false,
    paused_reason text,
    changed double precision NOT NULL
);
