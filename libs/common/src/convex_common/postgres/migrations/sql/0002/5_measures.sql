-- Totals that never fall, counted by the transactions that make them true, so that they agree with the rows.
ALTER TABLE queue_counters ADD COLUMN errors bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN queue_counters.errors IS 'Attempts that failed, whether or not another followed; `failed` is what failed for good.';

CREATE TABLE queue_totals (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    queue        text NOT NULL,
    completed    bigint NOT NULL DEFAULT 0,
    failed       bigint NOT NULL DEFAULT 0,
    errors       bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, queue)
);
COMMENT ON TABLE queue_totals IS 'What queue_counters held before they were rolled up: both together are everything that ever happened.';

CREATE TABLE attempt_totals (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    channel      text NOT NULL,
    outcome      text NOT NULL CHECK (outcome IN ('delivered', 'retry', 'failed', 'quarantined')),
    slot         smallint NOT NULL,
    attempts     bigint NOT NULL,
    PRIMARY KEY (workspace_id, channel, outcome, slot)
) WITH (fillfactor = 50);
COMMENT ON TABLE attempt_totals IS 'Attempts by kind of channel and outcome; a row per writer''s slot, so that writers do not wait for one another.';

-- Errors of events are few, and come about in several places: triggers count them wherever that is.
CREATE FUNCTION count_event_error() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO queue_counters AS c (workspace_id, queue, minute, slot, errors)
    VALUES (NEW.workspace_id, 'alert', date_trunc('minute', clock_timestamp()), 0, 1)
    ON CONFLICT ON CONSTRAINT queue_counters_pkey DO UPDATE SET errors = c.errors + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER inbox_error AFTER UPDATE OF attempts ON inbox
FOR EACH ROW WHEN (NEW.attempts > OLD.attempts) EXECUTE FUNCTION count_event_error();

CREATE FUNCTION count_quarantined() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO queue_counters AS c (workspace_id, queue, minute, slot, failed)
    VALUES (NEW.workspace_id, NEW.queue, date_trunc('minute', clock_timestamp()), 0, 1)
    ON CONFLICT ON CONSTRAINT queue_counters_pkey DO UPDATE SET failed = c.failed + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER quarantine_count AFTER INSERT ON quarantine
FOR EACH ROW EXECUTE FUNCTION count_quarantined();

-- claim_deliveries, as in 0001, and it counts what it quarantines.
CREATE OR REPLACE FUNCTION claim_deliveries(max_rows integer, max_per_target integer, lease interval,
                                            max_attempts integer DEFAULT 5)
RETURNS TABLE (id uuid, workspace_id uuid, token bigint, attempts smallint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE new_token bigint := 1 + floor(random() * 9e18)::bigint;
BEGIN
    RETURN QUERY
    WITH busy AS MATERIALIZED (
        SELECT d.target, count(*) AS n FROM deliveries d
        WHERE d.status = 'pending' AND d.lease_token IS NOT NULL AND d.lease_until > clock_timestamp() GROUP BY d.target),
    due AS ( -- without the full targets: their backlog would hide everybody else's
        SELECT d.workspace_id, d.id, d.target, d.due_at FROM deliveries d
        WHERE d.status = 'pending' AND d.due_at <= clock_timestamp()
          AND d.target NOT IN (SELECT b.target FROM busy b WHERE b.n >= max_per_target)
        ORDER BY d.due_at LIMIT greatest(max_rows * 8, 64) FOR UPDATE SKIP LOCKED),
    fair AS (
        SELECT due.*, row_number() OVER (PARTITION BY due.target ORDER BY due.due_at) + coalesce(busy.n, 0) AS place
        FROM due LEFT JOIN busy ON busy.target = due.target),
    chosen AS (SELECT f.workspace_id, f.id FROM fair f WHERE f.place <= max_per_target ORDER BY f.due_at LIMIT max_rows),
    claimed AS (
        UPDATE deliveries d SET
            claims = d.claims + 1,
            expiries = d.expiries + (d.lease_token IS NOT NULL)::integer,
            attempts = d.attempts + (d.lease_token IS NOT NULL AND d.expiries >= 2)::integer,
            last_error = CASE WHEN d.lease_token IS NOT NULL THEN 'the worker stopped during an attempt' ELSE d.last_error END,
            status = CASE WHEN d.lease_token IS NOT NULL AND d.expiries >= 2 AND d.attempts + 1 >= max_attempts
                          THEN 'quarantined' ELSE d.status END,
            finished_at = CASE WHEN d.lease_token IS NOT NULL AND d.expiries >= 2 AND d.attempts + 1 >= max_attempts
                          THEN clock_timestamp() END,
            lease_token = new_token, lease_until = clock_timestamp() + lease, due_at = clock_timestamp() + lease
        FROM chosen c WHERE d.workspace_id = c.workspace_id AND d.id = c.id
        RETURNING d.id, d.workspace_id, d.attempts, d.status),
    counted AS (
        INSERT INTO queue_counters AS c (workspace_id, queue, minute, slot, failed)
        SELECT q.workspace_id, 'notification', date_trunc('minute', clock_timestamp()), 0, count(*)
        FROM claimed q WHERE q.status = 'quarantined' GROUP BY q.workspace_id
        ON CONFLICT ON CONSTRAINT queue_counters_pkey DO UPDATE SET failed = c.failed + excluded.failed)
    SELECT c.id, c.workspace_id, new_token, c.attempts FROM claimed c WHERE c.status = 'pending';
END $$;

-- settle_deliveries, as in 0001, and it counts every attempt by kind of channel and outcome.
CREATE OR REPLACE FUNCTION settle_deliveries(workspace uuid, counter smallint, ids uuid[], tokens bigint[],
    statuses text[], errors text[], reasons text[], waits float8[], attempt_ids uuid[], numbers smallint[],
    status_codes integer[], answers text[], started timestamptz[], durations_ms float8[])
RETURNS TABLE (id uuid, token bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE at timestamptz := clock_timestamp();
BEGIN
    PERFORM set_config('app.workspace_id', workspace::text, true);
    RETURN QUERY
    WITH held AS (
        UPDATE deliveries d SET status = u.status,
            attempts = d.attempts + (u.attempt IS NOT NULL AND u.status <> 'delivered')::integer,
            last_error = CASE WHEN u.attempt IS NULL THEN d.last_error ELSE u.error END,
            delayed_reason = u.reason, lease_token = NULL, lease_until = NULL,
            due_at = coalesce(at + make_interval(secs => u.wait), d.due_at),
            next_attempt_at = at + make_interval(secs => u.wait),
            finished_at = CASE WHEN u.wait IS NULL THEN at END
        FROM unnest(ids, tokens, statuses, errors, reasons, waits, attempt_ids, numbers, status_codes, answers, started,
                    durations_ms)
             AS u(id, token, status, error, reason, wait, attempt, number, status_code, answer, started_at, duration_ms)
        WHERE d.workspace_id = workspace AND d.id = u.id AND d.lease_token = u.token
        RETURNING u.*, d.channel_id, CASE u.status WHEN 'pending' THEN 'retry' ELSE u.status END AS outcome),
    recorded AS (
        INSERT INTO attempts (id, workspace_id, delivery_id, number, outcome, status_code, error, answer, started_at,
                              duration_ms)
        SELECT h.attempt, workspace, h.id, h.number, h.outcome, h.status_code, h.error, h.answer, h.started_at,
               h.duration_ms
        FROM held h WHERE h.attempt IS NOT NULL),
    tallied AS (
        INSERT INTO attempt_totals AS t (workspace_id, channel, outcome, slot, attempts)
        SELECT workspace, c.kind, h.outcome, counter, count(*)
        FROM held h JOIN channels c ON c.workspace_id = workspace AND c.id = h.channel_id
        WHERE h.attempt IS NOT NULL GROUP BY c.kind, h.outcome
        ON CONFLICT ON CONSTRAINT attempt_totals_pkey DO UPDATE SET attempts = t.attempts + excluded.attempts),
    counted AS (
        INSERT INTO queue_counters AS c (workspace_id, queue, minute, slot, completed, failed, errors)
        SELECT workspace, 'notification', date_trunc('minute', at), counter,
               count(*) FILTER (WHERE h.status = 'delivered'),
               count(*) FILTER (WHERE h.status NOT IN ('pending', 'delivered')),
               count(*) FILTER (WHERE h.attempt IS NOT NULL AND h.status <> 'delivered')
        FROM held h WHERE h.attempt IS NOT NULL OR h.status <> 'pending' HAVING count(*) > 0
        ON CONFLICT ON CONSTRAINT queue_counters_pkey
        DO UPDATE SET completed = c.completed + excluded.completed, failed = c.failed + excluded.failed,
                      errors = c.errors + excluded.errors)
    SELECT h.id, h.token FROM held h;
END $$;

-- queue_history: what was ever finished, and what in the last minutes; of one workspace, or of all where it is NULL.
CREATE FUNCTION queue_history(workspace uuid DEFAULT NULL, recently interval DEFAULT '15 minutes')
RETURNS TABLE (queue text, completed bigint, failed bigint, errors bigint,
               recently_completed bigint, recently_failed bigint, recent_errors bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT h.queue, sum(h.completed)::bigint, sum(h.failed)::bigint, sum(h.errors)::bigint,
           coalesce(sum(h.completed) FILTER (WHERE h.recent), 0)::bigint,
           coalesce(sum(h.failed) FILTER (WHERE h.recent), 0)::bigint,
           coalesce(sum(h.errors) FILTER (WHERE h.recent), 0)::bigint
    FROM (
        SELECT c.queue, c.completed, c.failed, c.errors, c.minute > clock_timestamp() - recently AS recent
        FROM queue_counters c WHERE workspace IS NULL OR c.workspace_id = workspace
        UNION ALL
        SELECT t.queue, t.completed, t.failed, t.errors, false
        FROM queue_totals t WHERE workspace IS NULL OR t.workspace_id = workspace) h
    GROUP BY h.queue
$$;

-- attempt_history: every attempt ever made, by kind of channel and outcome.
CREATE FUNCTION attempt_history(workspace uuid DEFAULT NULL)
RETURNS TABLE (channel text, outcome text, attempts bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.channel, t.outcome, sum(t.attempts)::bigint FROM attempt_totals t
    WHERE workspace IS NULL OR t.workspace_id = workspace GROUP BY t.channel, t.outcome
$$;

DO $$
DECLARE f text;
BEGIN
    FOREACH f IN ARRAY ARRAY['queue_history(uuid, interval)', 'attempt_history(uuid)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO convex_definer', f);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO convex_service', f);
    END LOOP;
END $$;
