-- What each role may do, where there is such a role (docs/deploy/roles.sql makes them). `store migrate` ends with this.

DO $$
DECLARE there text[] := ARRAY(SELECT rolname::text FROM pg_roles);
BEGIN
    IF 'orchestrator_worker' = ANY (there) THEN
        GRANT USAGE ON SCHEMA orchestrator TO orchestrator_worker;
        GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA orchestrator TO orchestrator_worker;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA orchestrator TO orchestrator_worker;
        REVOKE INSERT, UPDATE ON migrations FROM orchestrator_worker;
        -- Whoever writes these says where a worker takes its tokens from.
        REVOKE INSERT, UPDATE ON organizations FROM orchestrator_worker;
        GRANT EXECUTE ON FUNCTION orchestrator.make_parts(integer) TO orchestrator_worker;
        GRANT DELETE ON plan_leases, probe, workers, schedules, baselines TO orchestrator_worker;
        IF to_regnamespace('orchestrator_engine') IS NOT NULL THEN
            GRANT USAGE ON SCHEMA orchestrator_engine TO orchestrator_worker;
            GRANT ALL ON ALL TABLES IN SCHEMA orchestrator_engine TO orchestrator_worker;
            GRANT ALL ON ALL SEQUENCES IN SCHEMA orchestrator_engine TO orchestrator_worker;
        END IF;
    END IF;
    IF 'orchestrator_reader' = ANY (there) THEN
        GRANT USAGE ON SCHEMA report TO orchestrator_reader;
        GRANT SELECT ON ALL TABLES IN SCHEMA report TO orchestrator_reader;
    END IF;
END $$;
