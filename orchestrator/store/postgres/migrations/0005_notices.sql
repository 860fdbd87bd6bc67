-- What is known of a plan (in a world) on a channel, and what the channel is told: the outbox. A notice is written
-- with the state that it tells, in one transaction; tries are counted before they are made, and what is under way
-- when its process dies may have arrived. Times are epoch seconds.

CREATE TABLE notice_states (
    plan text COLLATE "C" NOT NULL,
    world text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    state text NOT NULL,
    PRIMARY KEY (plan, world, channel)
);

CREATE TABLE notices (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    event text NOT NULL,
    run text COLLATE "C",
    at double precision NOT NULL,
    document text NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    under_way integer NOT NULL DEFAULT 0,
    doubtful integer NOT NULL DEFAULT 0,
    sent double precision,
    error text,
    given_up double precision,
    UNIQUE (plan, channel, number)
);

CREATE INDEX notices_pending ON notices (n) WHERE sent IS NULL AND given_up IS NULL;
CREATE INDEX notices_run ON notices (run);
