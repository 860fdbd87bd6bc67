-- The roles of a shared database. Once, as one who may make roles:
--
--     psql -v ON_ERROR_STOP=1 -d orchestrator -f docs/deploy/roles.sql
--
-- then `orchestrator store migrate` as orchestrator_owner, which gives the others their rights. Passwords are given
-- with \password, or none where certificates or peers prove who connects.

DO $$
DECLARE one text;
BEGIN
    FOREACH one IN ARRAY ARRAY['orchestrator_owner', 'orchestrator_worker', 'orchestrator_submit',
        'orchestrator_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = one) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', one);
        END IF;
    END LOOP;
    -- The owner makes tables, and parts of them; nobody else does.
    EXECUTE format('GRANT CREATE, TEMPORARY ON DATABASE %I TO orchestrator_owner', current_database());
    -- Answers come by way of a temporary table.
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO orchestrator_worker', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO orchestrator_submit, orchestrator_reader', current_database());
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- Every role may make temporary tables, by default. Where nothing else uses this database, take that away too: who
-- needs it has it above.
--
--     REVOKE TEMPORARY ON DATABASE orchestrator FROM PUBLIC;
--
-- Every role may take advisory locks too, and nothing takes that away. No version stops for them that takes turns by
-- the table `turns`; workers of an earlier one hand nothing out while a reader holds the lock `orchestrator.feed`, and
-- `store migrate` waits for one who holds `orchestrator.migrations` in a database that has no tables yet.

-- A connection sets these too; behind a pool of connections only what belongs to the role is sure. Who stays idle in a
-- transaction holds up who takes over.
ALTER ROLE orchestrator_owner SET search_path = orchestrator;
ALTER ROLE orchestrator_worker SET search_path = orchestrator, orchestrator_engine;
ALTER ROLE orchestrator_worker SET statement_timeout = '20s';
ALTER ROLE orchestrator_worker SET lock_timeout = '10s';
ALTER ROLE orchestrator_worker SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE orchestrator_submit SET search_path = orchestrator, orchestrator_engine;
ALTER ROLE orchestrator_submit SET statement_timeout = '20s';
ALTER ROLE orchestrator_submit SET lock_timeout = '10s';
ALTER ROLE orchestrator_submit SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE orchestrator_reader SET search_path = report;
ALTER ROLE orchestrator_reader SET statement_timeout = '60s';
ALTER ROLE orchestrator_reader SET default_transaction_read_only = on;
