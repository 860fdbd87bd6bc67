-- Before anything is handed out, whatever has waited beyond its time is found, however much else waits.
CREATE INDEX queue_expiring ON queue (expires) WHERE ended IS NULL AND begun IS NULL AND expires IS NOT NULL;
