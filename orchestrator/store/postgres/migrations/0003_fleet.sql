-- Runs that wait for a worker, what workers leave behind of them, schedules, and the workers themselves.
-- Who has a run says its own row (epoch, owner, leased_until); nothing here does.

-- How a run is to be stopped whose end was asked for.
ALTER TABLE runs ADD COLUMN cancel text;

CREATE TABLE schedules (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    plan text COLLATE "C" NOT NULL,
    bundle text NOT NULL,
    cron text NOT NULL,
    timezone text NOT NULL,
    jitter double precision NOT NULL,
    overlap text NOT NULL,
    catch_up text NOT NULL,
    within double precision NOT NULL,
    priority integer NOT NULL,
    expires double precision,
    paused boolean NOT NULL,
    last_slot double precision NOT NULL,
    next_at double precision,
    UNIQUE (organization, name)
);

CREATE INDEX schedules_due ON schedules (next_at) WHERE NOT paused;

CREATE TABLE queue (
    run text COLLATE "C" PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    organization text COLLATE "C" NOT NULL,
    plan text COLLATE "C" NOT NULL,
    priority integer NOT NULL,
    queued timestamptz NOT NULL DEFAULT clock_timestamp(),
    not_before timestamptz NOT NULL DEFAULT '-infinity',
    expires timestamptz,
    overlap text NOT NULL,
    schedule bigint REFERENCES schedules (n) ON DELETE SET NULL,
    slot double precision,
    -- When an engine was last told of it, and when a worker first took it.
    handed timestamptz,
    begun timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    progress bigint NOT NULL DEFAULT 0,
    ended timestamptz,
    reason text,
    UNIQUE (schedule, slot)
);

CREATE INDEX queue_waiting ON queue (organization, priority DESC, queued, run)
    WHERE ended IS NULL AND begun IS NULL;
CREATE INDEX queue_begun ON queue (organization) WHERE ended IS NULL AND begun IS NOT NULL;
CREATE INDEX queue_handed ON queue (handed) WHERE ended IS NULL AND begun IS NULL AND handed IS NOT NULL;
CREATE INDEX queue_plans ON queue (organization, plan) WHERE ended IS NULL;

-- When an organization was last handed a run: who has waited longest comes first.
CREATE TABLE served (
    organization text COLLATE "C" PRIMARY KEY,
    at timestamptz NOT NULL
);

CREATE TABLE workers (
    name text COLLATE "C" PRIMARY KEY,
    host text NOT NULL,
    version text NOT NULL,
    width integer NOT NULL,
    free integer NOT NULL,
    -- Whose runs it takes; NULL: everybody's.
    organizations text[] COLLATE "C",
    started timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen timestamptz NOT NULL DEFAULT clock_timestamp()
);
