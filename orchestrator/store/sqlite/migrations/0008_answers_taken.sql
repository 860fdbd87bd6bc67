-- When the answers of a run were taken away, while the run with its cells stays (epoch seconds); they are gone once
-- `thinning` says no more that it is under way.

ALTER TABLE runs ADD COLUMN answers_pruned REAL;

CREATE INDEX runs_thinning ON runs (n) WHERE thinning;
