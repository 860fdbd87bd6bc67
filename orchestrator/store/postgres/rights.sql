-- What each role may do, where there is such a role (docs/deploy/roles.sql makes them). `store migrate` ends with this.
-- What an earlier version gave is taken first. Rows only: who may give a table a trigger (TRIGGER, and so ALL) has the
-- rights of whoever writes to it next.

DO $$
DECLARE there text[] := ARRAY(SELECT rolname::text FROM pg_roles);
BEGIN
    IF 'orchestrator_worker' = ANY (there) THEN
        GRANT USAGE ON SCHEMA orchestrator TO orchestrator_worker;
        REVOKE ALL ON ALL TABLES IN SCHEMA orchestrator FROM orchestrator_worker;
        REVOKE ALL ON ALL SEQUENCES IN SCHEMA orchestrator FROM orchestrator_worker;
        GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA orchestrator TO orchestrator_worker;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA orchestrator TO orchestrator_worker;
        REVOKE INSERT, UPDATE ON migrations FROM orchestrator_worker;
        -- Whoever writes these says where a worker takes its tokens from.
        REVOKE INSERT, UPDATE ON organizations FROM orchestrator_worker;
        GRANT EXECUTE ON FUNCTION orchestrator.make_parts(integer) TO orchestrator_worker;
        GRANT DELETE ON plan_leases, probe, workers, schedules, baselines TO orchestrator_worker;
        IF to_regnamespace('orchestrator_engine') IS NOT NULL THEN
            GRANT USAGE ON SCHEMA orchestrator_engine TO orchestrator_worker;
            REVOKE ALL ON ALL TABLES IN SCHEMA orchestrator_engine FROM orchestrator_worker;
            REVOKE ALL ON ALL SEQUENCES IN SCHEMA orchestrator_engine FROM orchestrator_worker;
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA orchestrator_engine TO orchestrator_worker;
            GRANT USAGE ON ALL SEQUENCES IN SCHEMA orchestrator_engine TO orchestrator_worker;
        END IF;
    END IF;
    -- Who submits writes new runs and watches them. Nothing that is there is changed, and no answer is seen.
    IF 'orchestrator_submit' = ANY (there) THEN
        GRANT USAGE ON SCHEMA orchestrator TO orchestrator_submit;
        REVOKE ALL ON ALL TABLES IN SCHEMA orchestrator FROM orchestrator_submit;
        REVOKE ALL ON ALL SEQUENCES IN SCHEMA orchestrator FROM orchestrator_submit;
        GRANT SELECT ON migrations, organizations, runs, queue, schedules, agents, specs, cells, left_out, events, late
            TO orchestrator_submit;
        GRANT INSERT ON runs TO orchestrator_submit;
        -- Not what workers note there. Only a run that waits goes in (0012_turns.sql).
        GRANT INSERT (run, organization, plan, priority, not_before, expires, overlap, schedule, slot) ON queue
            TO orchestrator_submit;
        GRANT USAGE ON SEQUENCE numbers TO orchestrator_submit;
        IF to_regnamespace('orchestrator_engine') IS NOT NULL THEN
            GRANT USAGE ON SCHEMA orchestrator_engine TO orchestrator_submit;
            REVOKE ALL ON ALL TABLES IN SCHEMA orchestrator_engine FROM orchestrator_submit;
            REVOKE ALL ON ALL SEQUENCES IN SCHEMA orchestrator_engine FROM orchestrator_submit;
            GRANT SELECT, INSERT ON orchestrator_engine.procrastinate_jobs, orchestrator_engine.procrastinate_events
                TO orchestrator_submit;
            GRANT USAGE ON ALL SEQUENCES IN SCHEMA orchestrator_engine TO orchestrator_submit;
        END IF;
    END IF;
    IF 'orchestrator_reader' = ANY (there) THEN
        GRANT USAGE ON SCHEMA report TO orchestrator_reader;
        REVOKE ALL ON ALL TABLES IN SCHEMA report FROM orchestrator_reader;
        GRANT SELECT ON ALL TABLES IN SCHEMA report TO orchestrator_reader;
    END IF;
END $$;
