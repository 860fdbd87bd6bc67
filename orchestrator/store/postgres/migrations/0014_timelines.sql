-- When each timeline of the server was first met by somebody who would take a run. A failover may have lost who holds
-- what; so for the time of a lease nobody takes what somebody may hold (docs/decisions/0048).
CREATE TABLE timelines (
    name text COLLATE "C" PRIMARY KEY,
    seen timestamptz NOT NULL
);
