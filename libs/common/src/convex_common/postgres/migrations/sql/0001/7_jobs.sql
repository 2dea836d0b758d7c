-- Of the installation, not of a workspace. A slot of a job runs once, whoever asks how often.
CREATE TABLE job_runs (
    id          uuid PRIMARY KEY,
    job         text NOT NULL,
    slot        timestamptz NOT NULL,
    queue       text NOT NULL,
    status      text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'completed', 'failed', 'quarantined')),
    attempts    smallint NOT NULL DEFAULT 0,
    claims      integer NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL DEFAULT now(),
    lease_token bigint,
    lease_until timestamptz,
    last_error  text,
    detail      jsonb NOT NULL DEFAULT '{}',
    traceparent text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    finished_at timestamptz,
    UNIQUE (job, slot)
);
CREATE INDEX job_runs_due ON job_runs (queue, due_at) WHERE status IN ('pending', 'running');
GRANT SELECT, INSERT, UPDATE, DELETE ON job_runs TO convex_service;
