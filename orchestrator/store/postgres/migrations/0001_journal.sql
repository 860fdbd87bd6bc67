-- Runs with whose they are, their specs, cells, answers and events.
--
-- Numbers begin with the day on which they were drawn: what is kept in parts by the day is found by its number
-- alone, and a finished part can be taken away at once. Keys are compared by bytes, in the same order everywhere.
-- JSON is kept as text: jsonb refuses what the API may send (\u0000, half a surrogate).

CREATE SEQUENCE numbers;

CREATE FUNCTION day_today() RETURNS bigint LANGUAGE sql STABLE
    AS $$ SELECT floor(extract(epoch FROM now()) / 86400)::bigint $$;

CREATE FUNCTION new_number() RETURNS bigint LANGUAGE sql VOLATILE
    AS $$ SELECT (floor(extract(epoch FROM now()) / 86400)::bigint << 40) + nextval('orchestrator.numbers') $$;

CREATE TABLE runs (
    n bigint PRIMARY KEY DEFAULT new_number(),
    id text COLLATE "C" NOT NULL UNIQUE,
    organization text COLLATE "C" NOT NULL DEFAULT '',
    plan text COLLATE "C" NOT NULL,
    plan_path text,
    plan_text text NOT NULL,
    plan_hash text NOT NULL,
    api text NOT NULL,
    origin text COLLATE "C" NOT NULL,
    account text,
    parent text COLLATE "C",
    started double precision NOT NULL,
    finished double precision,
    state text COLLATE "C" NOT NULL,
    exit_code integer,
    settings text NOT NULL,
    facts text NOT NULL,
    raw_pruned double precision,
    thinning boolean NOT NULL DEFAULT FALSE,
    condemned boolean NOT NULL DEFAULT FALSE,
    -- Whose it is: who holds the epoch may write, as long as the lease lasts or nobody else has taken it.
    epoch bigint NOT NULL DEFAULT 0,
    owner text,
    leased_until timestamptz,
    -- What waits: the larger its priority, the earlier.
    priority integer NOT NULL DEFAULT 0,
    queued timestamptz,
    bundle text,
    cancel_asked boolean NOT NULL DEFAULT FALSE,
    attempts integer NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

CREATE INDEX runs_by_plan ON runs (plan, n);
CREATE INDEX runs_condemned ON runs (n) WHERE condemned;
CREATE INDEX runs_open ON runs (organization, priority DESC, n) WHERE state IN ('queued', 'running');

CREATE TABLE agents (
    run_n bigint NOT NULL REFERENCES runs (n) ON DELETE CASCADE,
    id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    type text NOT NULL,
    country text,
    location text,
    state text NOT NULL,
    labels text NOT NULL,
    target_only boolean NOT NULL,
    network text,
    prefix text,
    latitude double precision,
    longitude double precision,
    PRIMARY KEY (run_n, id)
);

CREATE TABLE specs (
    n bigint PRIMARY KEY DEFAULT new_number(),
    run_n bigint NOT NULL REFERENCES runs (n) ON DELETE CASCADE,
    position integer NOT NULL,
    key text COLLATE "C" NOT NULL,
    test text NOT NULL,
    type text NOT NULL,
    target text NOT NULL,
    content text NOT NULL,
    state text COLLATE "C" NOT NULL,
    name text,
    test_id text COLLATE "C",
    links text NOT NULL DEFAULT '{}',
    baseline text,
    intended double precision,
    created double precision,
    closed double precision,
    error text,
    given_up boolean NOT NULL DEFAULT FALSE,
    UNIQUE (run_n, key),
    UNIQUE (run_n, position)
) WITH (fillfactor = 70);

CREATE INDEX specs_by_test ON specs (test_id) WHERE test_id IS NOT NULL;

-- In parts of a week. No part takes what fits nowhere: parts could not be taken away beside it.
CREATE TABLE cells (
    spec_n bigint NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'pending',
    verdict text COLLATE "C",
    reasons text,
    PRIMARY KEY (spec_n, agent_id)
) PARTITION BY RANGE (spec_n);

-- Cells that were planned and left out before anything was created, with the reason.
CREATE TABLE left_out (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_n bigint NOT NULL REFERENCES runs (n) ON DELETE CASCADE,
    test text NOT NULL,
    type text NOT NULL,
    target text NOT NULL,
    agent_id text NOT NULL,
    reason text NOT NULL
);

CREATE INDEX left_out_by_run ON left_out (run_n, n);

-- The primary key is the identity of an answer: a row that is read twice is kept once. In parts of a day.
CREATE TABLE answers (
    spec_n bigint NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    layer text COLLATE "C" NOT NULL,
    server text COLLATE "C" NOT NULL,
    direction text COLLATE "C" NOT NULL,
    round_id bigint NOT NULL,
    agent text NOT NULL,
    country text,
    date text,
    status text COLLATE "C" NOT NULL,
    error_type text,
    error text,
    metrics text NOT NULL,
    paths text,
    link text,
    raw text NOT NULL,
    PRIMARY KEY (spec_n, agent_id, layer, server, direction, round_id)
) PARTITION BY RANGE (spec_n);

-- A quicker compression, where the server was built with it.
DO $$ BEGIN
    ALTER TABLE answers ALTER COLUMN raw SET COMPRESSION lz4, ALTER COLUMN paths SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$;

-- In parts of a day.
CREATE TABLE events (
    run_n bigint NOT NULL,
    n bigint GENERATED ALWAYS AS IDENTITY,
    spec text COLLATE "C",
    at double precision NOT NULL,
    kind text COLLATE "C" NOT NULL,
    facts text NOT NULL,
    PRIMARY KEY (run_n, n)
) PARTITION BY RANGE (run_n);

-- Learned latencies, seconds, by API origin and test type.
CREATE TABLE latencies (
    origin text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    samples text NOT NULL,
    PRIMARY KEY (origin, type)
);

-- Runs that later ones are compared with, by a name. While one is named here, its run is not taken away.
CREATE TABLE baselines (
    name text COLLATE "C" PRIMARY KEY,
    run_n bigint NOT NULL REFERENCES runs (n) ON DELETE RESTRICT,
    note text,
    pinned double precision NOT NULL
);

-- Ids of paid tests that came when the run was somebody else's already; its owner adopts them.
CREATE TABLE late (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_n bigint NOT NULL REFERENCES runs (n) ON DELETE CASCADE,
    key text COLLATE "C" NOT NULL,
    test_id text NOT NULL,
    links text NOT NULL,
    at double precision NOT NULL,
    adopted boolean NOT NULL DEFAULT FALSE
);

CREATE INDEX late_open ON late (run_n) WHERE NOT adopted;

-- One run of a plan at a time in each organization.
CREATE TABLE plan_leases (
    organization text COLLATE "C" NOT NULL,
    plan text COLLATE "C" NOT NULL,
    owner text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    since timestamptz NOT NULL,
    leased_until timestamptz NOT NULL,
    PRIMARY KEY (organization, plan)
) WITH (fillfactor = 50);

CREATE TABLE probe (x integer);
