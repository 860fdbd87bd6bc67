-- Runs that later ones are compared with, by a name. While one is named here, its run is not taken away.

CREATE TABLE baselines (
    name TEXT PRIMARY KEY,
    run_n INTEGER NOT NULL REFERENCES runs (n) ON DELETE RESTRICT,
    note TEXT,
    pinned REAL NOT NULL
) WITHOUT ROWID;
