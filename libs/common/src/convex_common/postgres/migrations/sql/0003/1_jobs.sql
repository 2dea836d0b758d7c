-- Of the installation, all of it. What a person has ordered about a job's timetable. Suspended holds until it is taken
-- back, whatever the cluster's CronJob says meanwhile; resumed is done once (done_at), and then the order is over.
CREATE TABLE job_orders (
    job        text PRIMARY KEY,
    suspended  boolean NOT NULL,
    ordered_by text NOT NULL,
    ordered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at    timestamptz
);
GRANT SELECT, INSERT, UPDATE, DELETE ON job_orders TO convex_service;

-- What the scheduler saw of the cluster when it last looked: a copy for those who may not ask the cluster themselves.
CREATE TABLE cron_jobs (
    job              text PRIMARY KEY,
    name             text NOT NULL,
    schedule         text NOT NULL,
    time_zone        text,
    suspended        boolean NOT NULL,
    by_values        boolean NOT NULL,
    active           integer NOT NULL,
    last_schedule_at timestamptz,
    last_success_at  timestamptz,
    newest_jobs      jsonb NOT NULL DEFAULT '[]',
    error            text
);
COMMENT ON COLUMN cron_jobs.by_values IS 'Whether the chart''s values suspend it.';
COMMENT ON COLUMN cron_jobs.error IS 'Why the last order about it could not be carried out.';
GRANT SELECT, INSERT, UPDATE, DELETE ON cron_jobs TO convex_service;

CREATE TABLE cluster_sight (
    only_one  boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    namespace text NOT NULL,
    reachable boolean NOT NULL,
    since     timestamptz NOT NULL,
    error     text,
    looked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE cluster_sight IS 'Whether the cluster''s API answers the scheduler; no row: no scheduler asks it.';
GRANT SELECT, INSERT, UPDATE, DELETE ON cluster_sight TO convex_service;

-- A run by hand, and one that is replayed, is done by a Kubernetes Job of its own, or by the scheduler itself once it is
-- known why there is none.
ALTER TABLE job_runs ADD COLUMN kubernetes_job text, ADD COLUMN no_kubernetes_job text,
    ADD COLUMN replays smallint NOT NULL DEFAULT 0;
COMMENT ON COLUMN job_runs.kubernetes_job IS 'The Job in the cluster that does this run.';
COMMENT ON COLUMN job_runs.no_kubernetes_job IS 'Why none could be made for it.';
COMMENT ON COLUMN job_runs.replays IS 'How often it came back from quarantine: each time it takes a new Job.';
