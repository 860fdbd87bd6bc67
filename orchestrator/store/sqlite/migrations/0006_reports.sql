-- Views for people and their tools: what SQL may rely on, documented in docs/analysis.md, with the same names and
-- columns in PostgreSQL. Columns are added, never renamed. No plan's text and no raw row is in them: both may hold
-- passwords of tests. Times are ISO 8601 in UTC, and epoch seconds in columns whose names end with _s.

CREATE VIEW report_runs AS
SELECT id AS run, plan, '' AS organization, api, origin, account, parent,
    strftime('%Y-%m-%dT%H:%M:%SZ', CAST(started AS INTEGER), 'unixepoch') AS started, started AS started_s,
    strftime('%Y-%m-%dT%H:%M:%SZ', CAST(finished AS INTEGER), 'unixepoch') AS finished, finished AS finished_s,
    strftime('%Y-%m-%d', CAST(started AS INTEGER), 'unixepoch') AS day,
    CAST(json_extract(f, '$.seconds') AS REAL) AS seconds, state, exit_code,
    coalesce(json_extract(s, '$.simulated'), 0) AS simulated,
    coalesce(json_extract(s, '$.partial'), 0) AS partial,
    json_extract(f, '$.planned.tests') AS tests_planned, json_extract(f, '$.planned.cells') AS cells_planned,
    CAST(json_extract(f, '$.units.estimated') AS REAL) AS units,
    json_extract(f, '$.requests.creations') AS creations, json_extract(f, '$.requests.reruns') AS reruns,
    json_extract(f, '$.requests.reads') AS reads, json_extract(f, '$.requests.refused_429') AS refused_429,
    json_extract(f, '$.requests.errors') AS errors,
    coalesce(json_array_length(f, '$.silent_agents'), 0) AS silent_agents,
    json_extract(f, '$.headline') AS headline
FROM (
    SELECT *, CASE WHEN json_valid(facts) THEN facts ELSE '{}' END AS f,
        CASE WHEN json_valid(settings) THEN settings ELSE '{}' END AS s
    FROM runs WHERE NOT condemned
);

-- A cell that was left out before anything was created has no spec, as in `results --cells`.
CREATE VIEW report_cells AS
SELECT runs.id AS run, runs.plan, '' AS organization,
    strftime('%Y-%m-%dT%H:%M:%SZ', CAST(runs.started AS INTEGER), 'unixepoch') AS started, runs.started AS started_s,
    strftime('%Y-%m-%d', CAST(runs.started AS INTEGER), 'unixepoch') AS day,
    specs.key AS spec, specs.test, specs.type, specs.target, specs.test_id, cells.agent_id,
    coalesce(agents.name, cells.agent_id) AS agent, agents.type AS agent_type, agents.country, agents.location,
    cells.state, cells.verdict,
    CASE WHEN json_valid(cells.reasons) THEN (
        SELECT group_concat(value, '; ') FROM json_each(cells.reasons)
    ) END AS reasons
FROM cells JOIN specs ON specs.n = cells.spec_n JOIN runs ON runs.n = specs.run_n
LEFT JOIN agents ON agents.run_n = runs.n AND agents.id = cells.agent_id
WHERE NOT runs.condemned
UNION ALL
SELECT runs.id, runs.plan, '', strftime('%Y-%m-%dT%H:%M:%SZ', CAST(runs.started AS INTEGER), 'unixepoch'),
    runs.started, strftime('%Y-%m-%d', CAST(runs.started AS INTEGER), 'unixepoch'),
    NULL, left_out.test, left_out.type, left_out.target, NULL, left_out.agent_id,
    coalesce(agents.name, left_out.agent_id), agents.type, agents.country, agents.location,
    'not_run', 'not-run', left_out.reason
FROM left_out JOIN runs ON runs.n = left_out.run_n
LEFT JOIN agents ON agents.run_n = runs.n AND agents.id = left_out.agent_id
WHERE NOT runs.condemned;

-- A metric is in the column of its name, as a number, a text or 0 and 1; one that is of another type is in none.
CREATE VIEW report_answers AS
SELECT run, plan, organization, started, started_s, day, spec, test, type, target, test_id, layer, agent_id, agent,
    country, server, direction, round_id, date, status, error_type, error, verdict, link, metrics,
    CASE WHEN json_type(m, '$.loss') IN ('integer', 'real') THEN json_extract(m, '$.loss') END AS loss,
    CASE WHEN json_type(m, '$.minLatency') IN ('integer', 'real')
        THEN json_extract(m, '$.minLatency') END AS minLatency,
    CASE WHEN json_type(m, '$.avgLatency') IN ('integer', 'real')
        THEN json_extract(m, '$.avgLatency') END AS avgLatency,
    CASE WHEN json_type(m, '$.maxLatency') IN ('integer', 'real')
        THEN json_extract(m, '$.maxLatency') END AS maxLatency,
    CASE WHEN json_type(m, '$.jitter') IN ('integer', 'real') THEN json_extract(m, '$.jitter') END AS jitter,
    CASE WHEN json_type(m, '$.availableBandwidth') IN ('integer', 'real')
        THEN json_extract(m, '$.availableBandwidth') END AS availableBandwidth,
    CASE WHEN json_type(m, '$.capacity') IN ('integer', 'real')
        THEN json_extract(m, '$.capacity') END AS capacity,
    CASE WHEN json_type(m, '$.bandwidth') IN ('integer', 'real')
        THEN json_extract(m, '$.bandwidth') END AS bandwidth,
    CASE WHEN json_type(m, '$.proxyLoss') IN ('integer', 'real')
        THEN json_extract(m, '$.proxyLoss') END AS proxyLoss,
    CASE WHEN json_type(m, '$.proxyMinLatency') IN ('integer', 'real')
        THEN json_extract(m, '$.proxyMinLatency') END AS proxyMinLatency,
    CASE WHEN json_type(m, '$.proxyAverageLatency') IN ('integer', 'real')
        THEN json_extract(m, '$.proxyAverageLatency') END AS proxyAverageLatency,
    CASE WHEN json_type(m, '$.proxyMaxLatency') IN ('integer', 'real')
        THEN json_extract(m, '$.proxyMaxLatency') END AS proxyMaxLatency,
    CASE WHEN json_type(m, '$.proxyJitter') IN ('integer', 'real')
        THEN json_extract(m, '$.proxyJitter') END AS proxyJitter,
    CASE WHEN json_type(m, '$.healthScore') IN ('integer', 'real')
        THEN json_extract(m, '$.healthScore') END AS healthScore,
    CASE WHEN json_type(m, '$.serverIp') IN ('text') THEN json_extract(m, '$.serverIp') END AS serverIp,
    CASE WHEN json_type(m, '$.numberOfHops') IN ('integer', 'real')
        THEN json_extract(m, '$.numberOfHops') END AS numberOfHops,
    CASE WHEN json_type(m, '$.responseTime') IN ('integer', 'real')
        THEN json_extract(m, '$.responseTime') END AS responseTime,
    CASE WHEN json_type(m, '$.pathTraces') IN ('integer', 'real')
        THEN json_extract(m, '$.pathTraces') END AS pathTraces,
    CASE WHEN json_type(m, '$.responseCode') IN ('integer', 'real')
        THEN json_extract(m, '$.responseCode') END AS responseCode,
    CASE WHEN json_type(m, '$.dnsTime') IN ('integer', 'real') THEN json_extract(m, '$.dnsTime') END AS dnsTime,
    CASE WHEN json_type(m, '$.connectTime') IN ('integer', 'real')
        THEN json_extract(m, '$.connectTime') END AS connectTime,
    CASE WHEN json_type(m, '$.sslTime') IN ('integer', 'real') THEN json_extract(m, '$.sslTime') END AS sslTime,
    CASE WHEN json_type(m, '$.waitTime') IN ('integer', 'real')
        THEN json_extract(m, '$.waitTime') END AS waitTime,
    CASE WHEN json_type(m, '$.receiveTime') IN ('integer', 'real')
        THEN json_extract(m, '$.receiveTime') END AS receiveTime,
    CASE WHEN json_type(m, '$.redirectTime') IN ('integer', 'real')
        THEN json_extract(m, '$.redirectTime') END AS redirectTime,
    CASE WHEN json_type(m, '$.totalTime') IN ('integer', 'real')
        THEN json_extract(m, '$.totalTime') END AS totalTime,
    CASE WHEN json_type(m, '$.wireSize') IN ('integer', 'real')
        THEN json_extract(m, '$.wireSize') END AS wireSize,
    CASE WHEN json_type(m, '$.throughput') IN ('integer', 'real')
        THEN json_extract(m, '$.throughput') END AS throughput,
    CASE WHEN json_type(m, '$.numRedirects') IN ('integer', 'real')
        THEN json_extract(m, '$.numRedirects') END AS numRedirects,
    CASE WHEN json_type(m, '$.sslVersion') IN ('text') THEN json_extract(m, '$.sslVersion') END AS sslVersion,
    CASE WHEN json_type(m, '$.sslCipher') IN ('text') THEN json_extract(m, '$.sslCipher') END AS sslCipher,
    CASE WHEN json_type(m, '$.domLoadTime') IN ('integer', 'real')
        THEN json_extract(m, '$.domLoadTime') END AS domLoadTime,
    CASE WHEN json_type(m, '$.pageLoadTime') IN ('integer', 'real')
        THEN json_extract(m, '$.pageLoadTime') END AS pageLoadTime,
    CASE WHEN json_type(m, '$.totalSize') IN ('integer', 'real')
        THEN json_extract(m, '$.totalSize') END AS totalSize,
    CASE WHEN json_type(m, '$.numObjects') IN ('integer', 'real')
        THEN json_extract(m, '$.numObjects') END AS numObjects,
    CASE WHEN json_type(m, '$.numErrors') IN ('integer', 'real')
        THEN json_extract(m, '$.numErrors') END AS numErrors,
    CASE WHEN json_type(m, '$.transactionTime') IN ('integer', 'real')
        THEN json_extract(m, '$.transactionTime') END AS transactionTime,
    CASE WHEN json_type(m, '$.componentErrors') IN ('integer', 'real')
        THEN json_extract(m, '$.componentErrors') END AS componentErrors,
    CASE WHEN json_type(m, '$.apiTransactionTime') IN ('integer', 'real')
        THEN json_extract(m, '$.apiTransactionTime') END AS apiTransactionTime,
    CASE WHEN json_type(m, '$.completion') IN ('integer', 'real')
        THEN json_extract(m, '$.completion') END AS completion,
    CASE WHEN json_type(m, '$.negotiationTime') IN ('integer', 'real')
        THEN json_extract(m, '$.negotiationTime') END AS negotiationTime,
    CASE WHEN json_type(m, '$.transferTime') IN ('integer', 'real')
        THEN json_extract(m, '$.transferTime') END AS transferTime,
    CASE WHEN json_type(m, '$.resolutionTime') IN ('integer', 'real')
        THEN json_extract(m, '$.resolutionTime') END AS resolutionTime,
    CASE WHEN json_type(m, '$.mappings') IN ('text') THEN json_extract(m, '$.mappings') END AS mappings,
    CASE WHEN json_type(m, '$.serverId') IN ('text') THEN json_extract(m, '$.serverId') END AS serverId,
    CASE WHEN json_type(m, '$.finalQueryTime') IN ('integer', 'real')
        THEN json_extract(m, '$.finalQueryTime') END AS finalQueryTime,
    CASE WHEN json_type(m, '$.queries') IN ('integer', 'real') THEN json_extract(m, '$.queries') END AS queries,
    CASE WHEN json_type(m, '$.failedQueries') IN ('integer', 'real')
        THEN json_extract(m, '$.failedQueries') END AS failedQueries,
    CASE WHEN json_type(m, '$.finalServerQueried') IN ('text')
        THEN json_extract(m, '$.finalServerQueried') END AS finalServerQueried,
    CASE WHEN json_type(m, '$.output') IN ('text') THEN json_extract(m, '$.output') END AS output,
    CASE WHEN json_type(m, '$.isValid') IN ('true', 'false') THEN json_extract(m, '$.isValid') END AS isValid,
    CASE WHEN json_type(m, '$.availability') IN ('integer', 'real')
        THEN json_extract(m, '$.availability') END AS availability,
    CASE WHEN json_type(m, '$.registerTime') IN ('integer', 'real')
        THEN json_extract(m, '$.registerTime') END AS registerTime,
    CASE WHEN json_type(m, '$.inviteTime') IN ('integer', 'real')
        THEN json_extract(m, '$.inviteTime') END AS inviteTime,
    CASE WHEN json_type(m, '$.optionsTime') IN ('integer', 'real')
        THEN json_extract(m, '$.optionsTime') END AS optionsTime,
    CASE WHEN json_type(m, '$.mos') IN ('integer', 'real') THEN json_extract(m, '$.mos') END AS mos,
    CASE WHEN json_type(m, '$.codecMaxMos') IN ('integer', 'real')
        THEN json_extract(m, '$.codecMaxMos') END AS codecMaxMos,
    CASE WHEN json_type(m, '$.discards') IN ('integer', 'real')
        THEN json_extract(m, '$.discards') END AS discards,
    CASE WHEN json_type(m, '$.latency') IN ('integer', 'real') THEN json_extract(m, '$.latency') END AS latency,
    CASE WHEN json_type(m, '$.pdv') IN ('integer', 'real') THEN json_extract(m, '$.pdv') END AS pdv,
    CASE WHEN json_type(m, '$.dscp') IN ('text') THEN json_extract(m, '$.dscp') END AS dscp,
    CASE WHEN json_type(m, '$.dscpName') IN ('text') THEN json_extract(m, '$.dscpName') END AS dscpName,
    CASE WHEN json_type(m, '$.codecName') IN ('text') THEN json_extract(m, '$.codecName') END AS codecName
FROM (
    SELECT runs.id AS run, runs.plan, '' AS organization,
        strftime('%Y-%m-%dT%H:%M:%SZ', CAST(runs.started AS INTEGER), 'unixepoch') AS started,
        runs.started AS started_s, strftime('%Y-%m-%d', CAST(runs.started AS INTEGER), 'unixepoch') AS day,
        specs.key AS spec, specs.test, specs.type, specs.target, specs.test_id, answers.layer, answers.agent_id,
        answers.agent, answers.country, nullif(answers.server, '') AS server,
        nullif(answers.direction, '') AS direction, answers.round_id, answers.date, answers.status,
        answers.error_type, CASE WHEN json_valid(answers.error) THEN json_extract(answers.error, '$') END AS error,
        cells.verdict, answers.link, answers.metrics,
        CASE WHEN json_valid(answers.metrics) THEN answers.metrics END AS m
    FROM answers JOIN specs ON specs.n = answers.spec_n JOIN runs ON runs.n = specs.run_n
    LEFT JOIN cells ON cells.spec_n = answers.spec_n AND cells.agent_id = answers.agent_id
    WHERE NOT runs.condemned
);
