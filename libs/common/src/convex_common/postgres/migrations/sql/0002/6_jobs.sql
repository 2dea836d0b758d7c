-- A run that had nothing to do here is skipped: over, and nobody's failure. Who asked for a run by hand is on record;
-- the timetable's own slots have nobody, and only they say how far the timetable was kept.
ALTER TABLE job_runs DROP CONSTRAINT job_runs_status_check;
ALTER TABLE job_runs ADD CONSTRAINT job_runs_status_check
    CHECK (status IN ('pending', 'running', 'completed', 'skipped', 'failed', 'quarantined'));
ALTER TABLE job_runs ADD COLUMN requested_by text;
CREATE UNIQUE INDEX job_runs_by_hand ON job_runs (job) WHERE requested_by IS NOT NULL AND status IN ('pending', 'running');

-- What became of each job's runs, for ever: runs are removed, their number is not.
CREATE TABLE job_totals (
    job              text PRIMARY KEY,
    completed        bigint NOT NULL DEFAULT 0,
    skipped          bigint NOT NULL DEFAULT 0,
    failed           bigint NOT NULL DEFAULT 0,
    quarantined      bigint NOT NULL DEFAULT 0,
    last_run_at      timestamptz,
    last_status      text,
    last_seconds     float8,
    last_error       text,
    last_success_at  timestamptz
) WITH (fillfactor = 50);
COMMENT ON COLUMN job_totals.last_run_at IS 'When the newest run ended.';
GRANT SELECT, INSERT, UPDATE ON job_totals TO convex_service;

-- The totals are kept by the statement that ends a run, whichever it is: they are the runs' truth, not a second one.
-- Not by one that inserts: a run is asked for before it ends, and what a back-up restores is counted already.
CREATE FUNCTION count_job_run() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE at timestamptz := coalesce(NEW.finished_at, clock_timestamp());
BEGIN
    INSERT INTO job_totals AS t (job, completed, skipped, failed, quarantined, last_run_at, last_status, last_seconds,
                                 last_error, last_success_at)
    VALUES (NEW.job, (NEW.status = 'completed')::int, (NEW.status = 'skipped')::int, (NEW.status = 'failed')::int,
            (NEW.status = 'quarantined')::int, at, NEW.status, extract(epoch FROM at - NEW.started_at), NEW.last_error,
            CASE NEW.status WHEN 'completed' THEN at END)
    ON CONFLICT (job) DO UPDATE SET
        completed = t.completed + excluded.completed, skipped = t.skipped + excluded.skipped,
        failed = t.failed + excluded.failed, quarantined = t.quarantined + excluded.quarantined,
        last_success_at = greatest(t.last_success_at, excluded.last_success_at);
    UPDATE job_totals SET last_run_at = at, last_status = NEW.status, last_error = NEW.last_error,
        last_seconds = extract(epoch FROM at - NEW.started_at)
    WHERE job = NEW.job AND last_run_at < at;
    RETURN NULL;
END $$;
CREATE TRIGGER counted_when_over AFTER UPDATE OF status ON job_runs FOR EACH ROW
    WHEN (NEW.status <> OLD.status AND NEW.status IN ('completed', 'skipped', 'failed', 'quarantined'))
    EXECUTE FUNCTION count_job_run();

INSERT INTO job_totals (job, completed, failed, quarantined, last_run_at, last_status, last_seconds, last_error, last_success_at)
SELECT r.job, count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'failed'),
       count(*) FILTER (WHERE status = 'quarantined'), max(finished_at),
       (array_agg(status ORDER BY finished_at DESC))[1],
       (array_agg(extract(epoch FROM finished_at - started_at) ORDER BY finished_at DESC))[1],
       (array_agg(last_error ORDER BY finished_at DESC))[1], max(finished_at) FILTER (WHERE status = 'completed')
FROM job_runs r WHERE finished_at IS NOT NULL AND status IN ('completed', 'failed', 'quarantined') GROUP BY r.job;

-- queue_counts: a run that was skipped is over and counts in no failure.
CREATE OR REPLACE FUNCTION queue_counts(workspace uuid DEFAULT NULL)
RETURNS TABLE (queue text, state text, jobs bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT 'alert', CASE WHEN i.due_at > clock_timestamp() THEN 'delayed'
                         WHEN s.lease_until > clock_timestamp() AND s.lease_token <> 0 THEN 'active' ELSE 'waiting' END, count(*)
    FROM inbox i JOIN inbox_shards s ON s.shard = i.shard WHERE workspace IS NULL OR i.workspace_id = workspace GROUP BY 1, 2
    UNION ALL
    SELECT 'notification', CASE WHEN d.lease_token IS NOT NULL AND d.lease_until > clock_timestamp() THEN 'active'
                                WHEN d.due_at > clock_timestamp() THEN 'delayed' ELSE 'waiting' END, count(*)
    FROM deliveries d WHERE d.status = 'pending' AND (workspace IS NULL OR d.workspace_id = workspace) GROUP BY 1, 2
    UNION ALL
    SELECT q.queue, 'failed', count(*) FROM quarantine q WHERE workspace IS NULL OR q.workspace_id = workspace GROUP BY 1
    UNION ALL
    SELECT 'notification', 'failed', count(*) FROM deliveries d
    WHERE d.status = 'quarantined' AND (workspace IS NULL OR d.workspace_id = workspace)
    UNION ALL
    SELECT c.queue, 'completed', coalesce(sum(c.completed), 0)::bigint FROM queue_counters c
    WHERE c.minute > clock_timestamp() - interval '1 hour' AND (workspace IS NULL OR c.workspace_id = workspace) GROUP BY 1
    UNION ALL
    SELECT j.queue, CASE WHEN j.status = 'running' THEN 'active'
                         WHEN j.status = 'pending' AND j.due_at > clock_timestamp() THEN 'delayed'
                         WHEN j.status = 'pending' THEN 'waiting'
                         WHEN j.status IN ('completed', 'skipped') THEN 'completed' ELSE 'failed' END, count(*)
    FROM job_runs j WHERE workspace IS NULL GROUP BY 1, 2
$$;

-- A workspace's own terms, in days; NULL and no row: the installation's.
CREATE TABLE workspace_retention (
    workspace_id      uuid PRIMARY KEY REFERENCES workspaces,
    observations_days integer CHECK (observations_days >= 1),
    log_days          integer CHECK (log_days >= 3),
    alerts_days       integer CHECK (alerts_days >= 3),
    statistics_days   integer CHECK (statistics_days >= 3)
);
COMMENT ON TABLE workspace_retention IS 'Only what is shorter than the installation''s terms has an effect.';
