-- The self-audit sends an alert of its own through the whole path each minute, in a workspace of its own. Its last run is
-- one row of the installation's, and whoever sets `began_at` first makes the run of that minute.
CREATE TABLE self_audit (
    only_one     boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    run          uuid NOT NULL,
    began_at     timestamptz NOT NULL,
    ended_at     timestamptz,
    passed       boolean,
    stage        text,
    reason       text,
    seconds      jsonb NOT NULL DEFAULT '{}',
    last_passed_at timestamptz
);
COMMENT ON COLUMN self_audit.run IS 'Of whoever began last; the other columns are of the run that ended last.';
COMMENT ON COLUMN self_audit.stage IS 'How far it did not come, where it did not pass.';
GRANT SELECT, INSERT, UPDATE ON self_audit TO convex_service;

CREATE FUNCTION self_audit_workspace() RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT '5e1fa0d1-0000-8000-8000-000000000001'::uuid $$;
COMMENT ON FUNCTION self_audit_workspace IS 'Whose figures are in no total of the installation: nobody sent what is there.';

-- What is stuck or failed counts, whoever sent it; what was done counts only where it was done for somebody.
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
    WHERE c.minute > clock_timestamp() - interval '1 hour'
    AND (workspace IS NULL AND c.workspace_id <> self_audit_workspace() OR c.workspace_id = workspace) GROUP BY 1
    UNION ALL
    SELECT j.queue, CASE WHEN j.status = 'running' THEN 'active'
                         WHEN j.status = 'pending' AND j.due_at > clock_timestamp() THEN 'delayed'
                         WHEN j.status = 'pending' THEN 'waiting'
                         WHEN j.status IN ('completed', 'skipped') THEN 'completed' ELSE 'failed' END, count(*)
    FROM job_runs j WHERE workspace IS NULL GROUP BY 1, 2
$$;

CREATE OR REPLACE FUNCTION queue_history(workspace uuid DEFAULT NULL, recently interval DEFAULT '15 minutes')
RETURNS TABLE (queue text, completed bigint, failed bigint, errors bigint,
               recently_completed bigint, recently_failed bigint, recent_errors bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT h.queue, sum(h.completed)::bigint, sum(h.failed)::bigint, sum(h.errors)::bigint,
           coalesce(sum(h.completed) FILTER (WHERE h.recent), 0)::bigint,
           coalesce(sum(h.failed) FILTER (WHERE h.recent), 0)::bigint,
           coalesce(sum(h.errors) FILTER (WHERE h.recent), 0)::bigint
    FROM (
        SELECT c.queue, c.completed, c.failed, c.errors, c.minute > clock_timestamp() - recently AS recent
        FROM queue_counters c
        WHERE workspace IS NULL AND c.workspace_id <> self_audit_workspace() OR c.workspace_id = workspace
        UNION ALL
        SELECT t.queue, t.completed, t.failed, t.errors, false
        FROM queue_totals t
        WHERE workspace IS NULL AND t.workspace_id <> self_audit_workspace() OR t.workspace_id = workspace) h
    GROUP BY h.queue
$$;

CREATE OR REPLACE FUNCTION attempt_history(workspace uuid DEFAULT NULL)
RETURNS TABLE (channel text, outcome text, attempts bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.channel, t.outcome, sum(t.attempts)::bigint FROM attempt_totals t
    WHERE workspace IS NULL AND t.workspace_id <> self_audit_workspace() OR t.workspace_id = workspace
    GROUP BY t.channel, t.outcome
$$;
