-- The journal: runs, the agents as they were seen, specs with their states, cells, answers, events.

CREATE TABLE runs (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    plan TEXT NOT NULL,
    plan_path TEXT,
    plan_text TEXT NOT NULL,
    plan_hash TEXT NOT NULL,
    api TEXT NOT NULL,
    origin TEXT NOT NULL,
    account TEXT,
    parent TEXT,
    started REAL NOT NULL,
    finished REAL,
    state TEXT NOT NULL,
    exit_code INTEGER,
    settings TEXT NOT NULL,
    facts TEXT NOT NULL
);

CREATE INDEX runs_by_plan ON runs (plan, n);

CREATE TABLE agents (
    run_n INTEGER NOT NULL REFERENCES runs (n) ON DELETE CASCADE,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    country TEXT,
    location TEXT,
    state TEXT NOT NULL,
    labels TEXT NOT NULL,
    target_only INTEGER NOT NULL,
    PRIMARY KEY (run_n, id)
) WITHOUT ROWID;

CREATE TABLE specs (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    run_n INTEGER NOT NULL REFERENCES runs (n) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    test TEXT NOT NULL,
    type TEXT NOT NULL,
    target TEXT NOT NULL,
    content TEXT NOT NULL,
    state TEXT NOT NULL,
    name TEXT,
    test_id TEXT,
    links TEXT NOT NULL DEFAULT '{}',
    baseline TEXT,
    intended REAL,
    created REAL,
    closed REAL,
    error TEXT,
    given_up INTEGER NOT NULL DEFAULT 0,
    UNIQUE (run_n, key),
    UNIQUE (run_n, position)
);

CREATE INDEX specs_by_test ON specs (test_id) WHERE test_id IS NOT NULL;

CREATE TABLE cells (
    spec_n INTEGER NOT NULL REFERENCES specs (n) ON DELETE CASCADE,
    agent_id TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    verdict TEXT,
    reasons TEXT,
    PRIMARY KEY (spec_n, agent_id)
) WITHOUT ROWID;

-- Cells that were planned and left out before anything was created, with the reason.
CREATE TABLE left_out (
    n INTEGER PRIMARY KEY,
    run_n INTEGER NOT NULL REFERENCES runs (n) ON DELETE CASCADE,
    test TEXT NOT NULL,
    type TEXT NOT NULL,
    target TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    reason TEXT NOT NULL
);

CREATE INDEX left_out_by_run ON left_out (run_n, n);

-- The primary key is the identity of an answer: a row that is read twice is kept once.
CREATE TABLE answers (
    spec_n INTEGER NOT NULL REFERENCES specs (n) ON DELETE CASCADE,
    agent_id TEXT NOT NULL,
    layer TEXT NOT NULL,
    server TEXT NOT NULL,
    direction TEXT NOT NULL,
    round_id INTEGER NOT NULL,
    agent TEXT NOT NULL,
    country TEXT,
    date TEXT,
    status TEXT NOT NULL,
    error TEXT,
    metrics TEXT NOT NULL,
    link TEXT,
    raw TEXT NOT NULL,
    PRIMARY KEY (spec_n, agent_id, layer, server, direction, round_id)
) WITHOUT ROWID;

CREATE TABLE events (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    run_n INTEGER NOT NULL REFERENCES runs (n) ON DELETE CASCADE,
    spec TEXT,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    facts TEXT NOT NULL
);

CREATE INDEX events_by_run ON events (run_n, spec, n);

-- Learned latencies, seconds, by API origin and test type.
CREATE TABLE latencies (
    origin TEXT NOT NULL,
    type TEXT NOT NULL,
    samples TEXT NOT NULL,
    PRIMARY KEY (origin, type)
) WITHOUT ROWID;
