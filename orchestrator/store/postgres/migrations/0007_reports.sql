-- Views with the names and columns that those of a store in a file have: one query does for both (docs/analysis.md).
-- Columns are added, never renamed. Times are ISO 8601 in UTC, and epoch seconds in columns whose names end with _s.

CREATE FUNCTION report.iso(at double precision) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT to_char(to_timestamp(floor(at)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
$$;

-- A value of an object by its name, if it is of that type. What is too large for a double has no number.
CREATE FUNCTION report.number(told jsonb, name text) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(told -> name) = 'number' AND abs((told ->> name)::numeric) < 1e300
        THEN (told ->> name)::double precision END
$$;
CREATE FUNCTION report.words(told jsonb, name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(told -> name) = 'string' THEN told ->> name END
$$;
CREATE FUNCTION report.flag(told jsonb, name text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(told -> name) = 'boolean' THEN (told ->> name)::boolean END
$$;

-- A list, or none.
CREATE FUNCTION report.list(told text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(report.as_json(told)) = 'array' THEN report.as_json(told) END
$$;

CREATE VIEW report.report_runs AS
SELECT id AS run, plan, organization, api, origin, account, parent, report.iso(started) AS started,
    started AS started_s, report.iso(finished) AS finished, finished AS finished_s,
    left(report.iso(started), 10) AS day, report.number(f, 'seconds') AS seconds, state, exit_code,
    coalesce(report.flag(s, 'simulated'), false) AS simulated, coalesce(report.flag(s, 'partial'), false) AS partial,
    report.number(f -> 'planned', 'tests')::bigint AS tests_planned,
    report.number(f -> 'planned', 'cells')::bigint AS cells_planned,
    report.number(f -> 'units', 'estimated') AS units,
    report.number(f -> 'requests', 'creations')::bigint AS creations,
    report.number(f -> 'requests', 'reruns')::bigint AS reruns,
    report.number(f -> 'requests', 'reads')::bigint AS reads,
    report.number(f -> 'requests', 'refused_429')::bigint AS refused_429,
    report.number(f -> 'requests', 'errors')::bigint AS errors,
    CASE WHEN jsonb_typeof(f -> 'silent_agents') = 'array'
        THEN jsonb_array_length(f -> 'silent_agents') ELSE 0 END AS silent_agents,
    f ->> 'headline' AS headline
FROM (
    SELECT *, report.as_json(facts) AS f, report.as_json(settings) AS s FROM runs WHERE NOT condemned OFFSET 0
) AS runs;

-- A cell that was left out before anything was created has no spec, as in `results --cells`.
CREATE VIEW report.report_cells AS
SELECT runs.id AS run, runs.plan, runs.organization, report.iso(runs.started) AS started, runs.started AS started_s,
    left(report.iso(runs.started), 10) AS day, specs.key AS spec, specs.test, specs.type, specs.target, specs.test_id,
    cells.agent_id, coalesce(agents.name, cells.agent_id) AS agent, agents.type AS agent_type, agents.country,
    agents.location, cells.state, cells.verdict,
    (SELECT string_agg(value, '; ' ORDER BY place)
        FROM jsonb_array_elements_text(report.list(cells.reasons)) WITH ORDINALITY AS told (value, place)) AS reasons
FROM runs JOIN specs ON specs.run_n = runs.n JOIN cells ON cells.spec_n = specs.n
LEFT JOIN agents ON agents.run_n = runs.n AND agents.id = cells.agent_id
WHERE NOT runs.condemned
UNION ALL
SELECT runs.id, runs.plan, runs.organization, report.iso(runs.started), runs.started,
    left(report.iso(runs.started), 10), NULL, left_out.test, left_out.type, left_out.target, NULL, left_out.agent_id,
    coalesce(agents.name, left_out.agent_id), agents.type, agents.country, agents.location,
    'not_run', 'not-run', left_out.reason
FROM left_out JOIN runs ON runs.n = left_out.run_n
LEFT JOIN agents ON agents.run_n = runs.n AND agents.id = left_out.agent_id
WHERE NOT runs.condemned;

-- A metric is in the column of its name (which is written without quotes), as a number, a text or a truth; one that
-- is of another type is in none. JSON is read once for a row, and not at all where no metric is asked for.
CREATE VIEW report.report_answers AS
SELECT run, plan, organization, started, started_s, day, spec, test, type, target, test_id, layer, agent_id, agent,
    country, server, direction, round_id, date, status, error_type, error, verdict, link, metrics,
    report.number(m, 'loss') AS loss, report.number(m, 'minLatency') AS minLatency,
    report.number(m, 'avgLatency') AS avgLatency, report.number(m, 'maxLatency') AS maxLatency,
    report.number(m, 'jitter') AS jitter, report.number(m, 'availableBandwidth') AS availableBandwidth,
    report.number(m, 'capacity') AS capacity, report.number(m, 'bandwidth') AS bandwidth,
    report.number(m, 'proxyLoss') AS proxyLoss, report.number(m, 'proxyMinLatency') AS proxyMinLatency,
    report.number(m, 'proxyAverageLatency') AS proxyAverageLatency,
    report.number(m, 'proxyMaxLatency') AS proxyMaxLatency, report.number(m, 'proxyJitter') AS proxyJitter,
    report.number(m, 'healthScore') AS healthScore, report.words(m, 'serverIp') AS serverIp,
    report.number(m, 'numberOfHops') AS numberOfHops, report.number(m, 'responseTime') AS responseTime,
    report.number(m, 'pathTraces') AS pathTraces, report.number(m, 'responseCode') AS responseCode,
    report.number(m, 'dnsTime') AS dnsTime, report.number(m, 'connectTime') AS connectTime,
    report.number(m, 'sslTime') AS sslTime, report.number(m, 'waitTime') AS waitTime,
    report.number(m, 'receiveTime') AS receiveTime, report.number(m, 'redirectTime') AS redirectTime,
    report.number(m, 'totalTime') AS totalTime, report.number(m, 'wireSize') AS wireSize,
    report.number(m, 'throughput') AS throughput, report.number(m, 'numRedirects') AS numRedirects,
    report.words(m, 'sslVersion') AS sslVersion, report.words(m, 'sslCipher') AS sslCipher,
    report.number(m, 'domLoadTime') AS domLoadTime, report.number(m, 'pageLoadTime') AS pageLoadTime,
    report.number(m, 'totalSize') AS totalSize, report.number(m, 'numObjects') AS numObjects,
    report.number(m, 'numErrors') AS numErrors, report.number(m, 'transactionTime') AS transactionTime,
    report.number(m, 'componentErrors') AS componentErrors,
    report.number(m, 'apiTransactionTime') AS apiTransactionTime, report.number(m, 'completion') AS completion,
    report.number(m, 'negotiationTime') AS negotiationTime, report.number(m, 'transferTime') AS transferTime,
    report.number(m, 'resolutionTime') AS resolutionTime, report.words(m, 'mappings') AS mappings,
    report.words(m, 'serverId') AS serverId, report.number(m, 'finalQueryTime') AS finalQueryTime,
    report.number(m, 'queries') AS queries, report.number(m, 'failedQueries') AS failedQueries,
    report.words(m, 'finalServerQueried') AS finalServerQueried, report.words(m, 'output') AS output,
    report.flag(m, 'isValid') AS isValid, report.number(m, 'availability') AS availability,
    report.number(m, 'registerTime') AS registerTime, report.number(m, 'inviteTime') AS inviteTime,
    report.number(m, 'optionsTime') AS optionsTime, report.number(m, 'mos') AS mos,
    report.number(m, 'codecMaxMos') AS codecMaxMos, report.number(m, 'discards') AS discards,
    report.number(m, 'latency') AS latency, report.number(m, 'pdv') AS pdv, report.words(m, 'dscp') AS dscp,
    report.words(m, 'dscpName') AS dscpName, report.words(m, 'codecName') AS codecName
FROM (
    SELECT runs.id AS run, runs.plan, runs.organization, report.iso(runs.started) AS started,
        runs.started AS started_s, left(report.iso(runs.started), 10) AS day, specs.key AS spec, specs.test,
        specs.type, specs.target, specs.test_id, answers.layer, answers.agent_id, answers.agent, answers.country,
        nullif(answers.server, '') AS server, nullif(answers.direction, '') AS direction, answers.round_id,
        answers.date, answers.status, answers.error_type, report.as_json(answers.error) #>> '{}' AS error,
        cells.verdict, answers.link, answers.metrics, read.m
    FROM runs JOIN specs ON specs.run_n = runs.n JOIN answers ON answers.spec_n = specs.n
    LEFT JOIN cells ON cells.spec_n = answers.spec_n AND cells.agent_id = answers.agent_id
    CROSS JOIN LATERAL (SELECT report.as_json(answers.metrics) AS m OFFSET 0) AS read
    WHERE NOT runs.condemned
) AS told;
