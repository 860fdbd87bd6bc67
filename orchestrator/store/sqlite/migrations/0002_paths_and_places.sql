-- Agents with what the listing says of where they are. Of runs before this they are not known.

ALTER TABLE agents ADD COLUMN network TEXT;
ALTER TABLE agents ADD COLUMN prefix TEXT;
ALTER TABLE agents ADD COLUMN latitude REAL;
ALTER TABLE agents ADD COLUMN longitude REAL;

-- Answers as a table with row ids: with rows of a kilobyte in a tree by the key, whose order is not the one in
-- which they come, more than half of each page stayed empty. The key is an index; it is still the identity of an
-- answer: a row that is read twice is kept once.

ALTER TABLE answers RENAME TO answers_before;

CREATE TABLE answers (
    n INTEGER PRIMARY KEY,
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
    error_type TEXT,
    error TEXT,
    metrics TEXT NOT NULL,
    paths TEXT,
    link TEXT,
    raw TEXT NOT NULL
);

INSERT INTO answers (
    spec_n, agent_id, layer, server, direction, round_id, agent, country, date, status, error, metrics, link, raw
)
SELECT spec_n, agent_id, layer, server, direction, round_id, agent, country, date, status, error, metrics, link, raw
FROM answers_before ORDER BY spec_n, agent_id, layer, server, direction, round_id;

DROP TABLE answers_before;

CREATE UNIQUE INDEX answers_by_key ON answers (spec_n, agent_id, layer, server, direction, round_id);
