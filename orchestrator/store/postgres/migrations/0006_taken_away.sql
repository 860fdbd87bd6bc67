-- A run that is to go has another id from then on: its place in the queue goes with it.

ALTER TABLE queue DROP CONSTRAINT queue_run_fkey;
ALTER TABLE queue ADD CONSTRAINT queue_run_fkey FOREIGN KEY (run) REFERENCES runs (id)
    ON UPDATE CASCADE ON DELETE CASCADE;
