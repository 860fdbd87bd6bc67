-- Views for people and dashboards, in a schema of their own. No plan's text, no bundle, no content of specs and no
-- raw row is in them: plans may carry passwords of tests.

DO $$ BEGIN
    IF to_regnamespace('report') IS NULL THEN CREATE SCHEMA report; END IF;
END $$;

-- JSON as text may hold what jsonb refuses (\u0000, half a surrogate): then there is nothing.
CREATE FUNCTION report.as_json(told text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN told::jsonb;
EXCEPTION WHEN others THEN
    RETURN NULL;
END $$;

CREATE VIEW report.runs AS
SELECT id AS run, organization, plan, api, origin, account, parent, to_timestamp(started) AS started,
    to_timestamp(finished) AS finished, state, exit_code, owner, leased_until,
    (report.as_json(facts) #>> '{units,estimated}')::double precision AS units,
    report.as_json(facts) ->> 'headline' AS headline
FROM runs WHERE NOT condemned;

CREATE VIEW report.cells AS
SELECT runs.id AS run, runs.organization, runs.plan, to_timestamp(runs.started) AS started, specs.key AS spec,
    specs.test, specs.type, specs.target, cells.agent_id, agents.name AS agent, agents.country, cells.state,
    cells.verdict, report.as_json(cells.reasons) AS reasons
FROM runs JOIN specs ON specs.run_n = runs.n JOIN cells ON cells.spec_n = specs.n
LEFT JOIN agents ON agents.run_n = runs.n AND agents.id = cells.agent_id
WHERE NOT runs.condemned;

CREATE VIEW report.answers AS
SELECT runs.id AS run, runs.organization, runs.plan, specs.key AS spec, specs.test, specs.type, specs.target,
    specs.test_id, answers.agent_id, answers.agent, answers.country, answers.layer, answers.server,
    answers.direction, answers.round_id, to_timestamp(answers.round_id) AS measured, answers.status,
    answers.error_type, report.as_json(answers.metrics) AS metrics
FROM runs JOIN specs ON specs.run_n = runs.n JOIN answers ON answers.spec_n = specs.n
WHERE NOT runs.condemned;

CREATE VIEW report.spend_per_day AS
SELECT date_trunc('day', started) AS day, organization, plan, count(*) AS runs, sum(units) AS units
FROM report.runs GROUP BY 1, 2, 3;

CREATE VIEW report.worst_cells AS
SELECT organization, plan, target, agent, count(*) AS cells,
    count(*) FILTER (WHERE verdict IN ('fail', 'no-answer')) AS bad, max(started) AS newest
FROM report.cells WHERE started > now() - interval '7 days' AND verdict IS NOT NULL
GROUP BY 1, 2, 3, 4 HAVING count(*) FILTER (WHERE verdict IN ('fail', 'no-answer')) > 0;
