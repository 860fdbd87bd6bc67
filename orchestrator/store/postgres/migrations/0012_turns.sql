-- What a role that only looks on, or only submits, could do to others with what every role may do: take advisory
-- locks, and put somebody's run, which was stopped on purpose, into the queue.

-- Turns that one process takes at a time, by locking the row: that takes the right to write it.
CREATE TABLE turns (name text COLLATE "C" PRIMARY KEY);

INSERT INTO turns (name) VALUES ('feed');

-- Runs come into the queue with their records, and at no other time.
CREATE FUNCTION only_what_waits() RETURNS trigger LANGUAGE plpgsql SET search_path = orchestrator, pg_temp AS $$
DECLARE
    there record;
BEGIN
    SELECT state, organization INTO there FROM runs WHERE id = NEW.run;
    IF there.state <> 'queued' THEN
        RAISE EXCEPTION 'run % does not wait, it is %', NEW.run, there.state USING ERRCODE = 'check_violation';
    END IF;
    IF there.organization <> NEW.organization THEN
        RAISE EXCEPTION 'run % is of another organization', NEW.run USING ERRCODE = 'check_violation';
    END IF;
    -- A slot that is taken does not fire.
    IF NEW.schedule IS NOT NULL AND NOT has_table_privilege(current_user, 'schedules', 'UPDATE') THEN
        RAISE EXCEPTION 'a slot is for who fires its schedule' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER only_what_waits BEFORE INSERT ON queue FOR EACH ROW EXECUTE FUNCTION only_what_waits();

-- As in 0008, but for the lock: that of a table that only its owner writes, which `store migrate` takes too.
CREATE OR REPLACE FUNCTION make_parts(ahead integer) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = orchestrator, pg_temp AS $$
DECLARE
    today bigint := day_today();
    one record;
BEGIN
    -- Rights that are given to a table of which a part is made fail.
    LOCK TABLE migrations IN SHARE ROW EXCLUSIVE MODE;
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
