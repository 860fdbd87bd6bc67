-- Whoever carries out runs makes room for the days to come, so that no installation stops because nobody called
-- `store maintain`. To make parts, with these bounds and no others, is all that a worker may do to tables.
--
-- A part is made beside its table and attached then: that waits for nobody who reads or writes, and nobody for it.

CREATE OR REPLACE FUNCTION make_parts(ahead integer) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = orchestrator, pg_temp AS $$
DECLARE
    today bigint := day_today();
    one record;
BEGIN
    -- Rights that are given to a table of which a part is made fail.
    PERFORM pg_advisory_xact_lock(hashtext('orchestrator.migrations'));
    PERFORM pg_advisory_xact_lock(hashtext('orchestrator.parts'));
    FOR one IN
        SELECT DISTINCT whole, days, day - day % days AS first, format('%s_%s', whole, day - day % days) AS part
        FROM (VALUES ('answers', 1), ('events', 1), ('cells', 7)) AS wholes (whole, days),
            generate_series(today, today + least(greatest(ahead, 0), 400)) AS day
        ORDER BY 3, 1
    LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM pg_inherits
            WHERE inhparent = to_regclass(one.whole) AND inhrelid = to_regclass(one.part)
        );
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING IDENTITY)', one.part, one.whole);
        EXECUTE format(
            'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
            one.whole, one.part, one.first << 40, (one.first + one.days) << 40
        );
        RETURN NEXT one.part;
    END LOOP;
END $$;

REVOKE ALL ON FUNCTION make_parts(integer) FROM PUBLIC;
