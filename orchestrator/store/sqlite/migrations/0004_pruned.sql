-- What was taken away of a run. Of one whose raw rows are gone: when (epoch seconds), and whether that is still
-- under way. A condemned run is gone for everybody; what it still holds is cleared piece by piece.

ALTER TABLE runs ADD COLUMN raw_pruned REAL;
ALTER TABLE runs ADD COLUMN thinning INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN condemned INTEGER NOT NULL DEFAULT 0;

CREATE INDEX runs_condemned ON runs (n) WHERE condemned;
