-- What is not over: it waits, or somebody carries it out. For the panels of docs/deploy/report.json.

CREATE VIEW report.queue AS
SELECT queue.run, queue.organization, queue.plan, queue.priority, queue.queued,
    nullif(queue.not_before, '-infinity') AS not_before, queue.expires, queue.begun, queue.attempts, queue.reason,
    runs.owner, coalesce(runs.leased_until > clock_timestamp(), false) AS carried_out
FROM queue JOIN runs ON runs.id = queue.run
WHERE queue.ended IS NULL AND NOT runs.condemned;
