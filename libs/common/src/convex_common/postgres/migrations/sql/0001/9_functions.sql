-- ingest: the gateway's whole write in one round trip. Invoker's rights: the policies apply.
CREATE FUNCTION ingest(workspace uuid, ids uuid[], shards smallint[], lanes smallint[], kinds text[], keys bytea[],
                       payloads bytea[], traceparents text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.workspace_id', workspace::text, true);
    INSERT INTO inbox (id, workspace_id, shard, lane, kind, key, payload, traceparent)
    SELECT u.id, workspace, u.shard, u.lane, u.kind, u.key, u.payload, u.traceparent
    FROM unnest(ids, shards, lanes, kinds, keys, payloads, traceparents)
         AS u(id, shard, lane, kind, key, payload, traceparent);
END $$;

-- expect: makes a short row count an error of the statement itself, so that a pipelined COMMIT cannot follow it.
-- CX001: the lease was lost, others work on it. CX002: somebody else was quicker, load and decide again.
CREATE FUNCTION expect(actual bigint, wanted bigint, code text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF actual <> wanted THEN
        RAISE EXCEPTION 'expected % rows, found %', wanted, actual USING ERRCODE = code;
    END IF;
    RETURN actual;
END $$;

-- claim_events: leases up to max_shards free shards that have due rows and returns their rows in id order.
-- Separate statements on purpose: each sees a fresh snapshot, so a shard that was emptied meanwhile is not leased.
-- A key whose event waits for a retry is held whole. Keys with a critical event go first; a quarter of every claim stays
-- with the others, and a quarter of the claims goes to the shards that have waited longest.
-- A lease that ran out counts. With the third in a row the rows that it was given for come under suspicion: each of them
-- is claimed alone, no other row of any shard beside it, until all of them are through. Only such a lone expiry raises
-- the row's attempts, until it is quarantined.
CREATE FUNCTION claim_events(max_shards integer, max_rows integer, lease interval, max_attempts integer DEFAULT 3,
                             backlog boolean DEFAULT true)
RETURNS TABLE (id uuid, workspace_id uuid, shard smallint, kind text, key bytea, attempts smallint, payload bytea,
               traceparent text, token bigint, config_version bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    picked smallint[]; critical smallint[]; favoured smallint[]; held bytea[]; urgent bytea[];
    urgent_until uuid; alone uuid; per_shard integer; new_token bigint := 1 + floor(random() * 9e18)::bigint;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true); -- a lease lost with the server is only claimed again
    critical := '{}';
    IF backlog THEN -- where everything fits into one claim, nothing needs to go first
        WITH RECURSIVE c AS (
            (SELECT i.shard FROM inbox i WHERE i.lane = 0 ORDER BY i.shard LIMIT 1)
            UNION ALL
            SELECT (SELECT i.shard FROM inbox i WHERE i.lane = 0 AND i.shard > c.shard ORDER BY i.shard LIMIT 1)
            FROM c WHERE c.shard IS NOT NULL)
        SELECT coalesce(array_agg(c.shard), '{}') INTO critical FROM c WHERE c.shard IS NOT NULL;
    END IF;
    favoured := CASE WHEN random() < 0.25 THEN '{}' ELSE critical END;

    SELECT array_agg(x.shard) INTO picked FROM (
        WITH RECURSIVE d AS (
            (SELECT i.shard FROM inbox i ORDER BY i.shard LIMIT 1)
            UNION ALL
            SELECT (SELECT i.shard FROM inbox i WHERE i.shard > d.shard ORDER BY i.shard LIMIT 1)
            FROM d WHERE d.shard IS NOT NULL)
        SELECT s.shard FROM inbox_shards s JOIN d ON d.shard = s.shard
        WHERE s.lease_until < clock_timestamp()
        ORDER BY s.shard = ANY(favoured) DESC, s.lease_until LIMIT max_shards
        FOR UPDATE OF s SKIP LOCKED) x;
    IF picked IS NULL THEN RETURN; END IF;

    IF EXISTS (SELECT FROM inbox_shards s WHERE s.shard = ANY(picked) AND s.lease_token <> 0) THEN
        UPDATE inbox i SET attempts = i.attempts + 1, last_error = 'the worker stopped while it processed this event'
        FROM inbox_shards s
        WHERE s.shard = ANY(picked) AND s.lease_token <> 0 AND i.shard = s.shard AND i.id = s.alone_id;
        UPDATE inbox_shards s SET expiries = least(s.expiries + 1, 1000), lease_token = 0, alone_id = NULL,
            alone_until = CASE WHEN s.alone_until IS NOT NULL OR s.expiries < 2 THEN s.alone_until ELSE greatest(
                (SELECT b.id FROM (SELECT i.id FROM inbox i WHERE i.shard = s.shard AND i.due_at <= clock_timestamp()
                                   ORDER BY i.id LIMIT s.lease_rows) b ORDER BY b.id DESC LIMIT 1),
                (SELECT b.id FROM (SELECT i.id FROM inbox i WHERE i.shard = s.shard AND i.lane = 0
                                   ORDER BY i.id LIMIT 200) b ORDER BY b.id DESC LIMIT 1)) END
        WHERE s.shard = ANY(picked) AND s.lease_token <> 0;
        WITH gone AS (
            DELETE FROM inbox i WHERE i.shard = ANY(picked) AND i.attempts > 0 AND i.attempts >= max_attempts RETURNING i.*)
        INSERT INTO quarantine (workspace_id, id, queue, kind, shard, lane, key, payload, attempts, last_error, traceparent)
        SELECT g.workspace_id, g.id, 'alert', g.kind, g.shard, g.lane, g.key, g.payload, g.attempts,
               coalesce(g.last_error, 'unknown'), g.traceparent FROM gone g;
    END IF;

    SELECT array_agg(DISTINCT i.key) INTO held FROM inbox i
    WHERE i.shard = ANY(picked) AND i.attempts > 0 AND i.due_at > clock_timestamp();

    IF EXISTS (SELECT FROM inbox_shards s WHERE s.shard = ANY(picked) AND s.alone_until IS NOT NULL) THEN
        -- A suspect at a shard's head is taken by itself if its shard comes first, else left for another claim.
        WITH heads AS (
            SELECT p.n AS shard, p.place, h.id, coalesce(h.id <= s.alone_until, false) AS suspect
            FROM unnest(picked) WITH ORDINALITY p(n, place) JOIN inbox_shards s ON s.shard = p.n CROSS JOIN LATERAL (
                SELECT i.id FROM inbox i WHERE i.shard = s.shard AND i.due_at <= clock_timestamp()
                AND (held IS NULL OR i.key <> ALL(held)) ORDER BY i.id LIMIT 1) h),
        foremost AS (SELECT * FROM heads ORDER BY place LIMIT 1)
        SELECT array_agg(h.shard), (array_agg(f.id) FILTER (WHERE f.suspect))[1] INTO picked, alone
        FROM heads h CROSS JOIN foremost f WHERE CASE WHEN f.suspect THEN h.shard = f.shard ELSE NOT h.suspect END;
        UPDATE inbox_shards s SET expiries = 0, alone_until = NULL -- the suspects are through
        WHERE alone IS NULL AND s.shard = ANY(picked) AND s.alone_until IS NOT NULL;
    ELSE
        SELECT array_agg(s.shard) INTO picked FROM inbox_shards s
        WHERE s.shard = ANY(picked) AND EXISTS (
            SELECT FROM inbox i WHERE i.shard = s.shard AND i.due_at <= clock_timestamp()
            AND (held IS NULL OR i.key <> ALL(held)));
    END IF;
    IF picked IS NULL THEN RETURN; END IF;

    per_shard := CASE WHEN alone IS NULL THEN greatest(1, max_rows / cardinality(picked)) ELSE 1 END;
    UPDATE inbox_shards s SET lease_until = clock_timestamp() + lease, lease_token = new_token, lease_rows = per_shard,
        alone_id = alone
    WHERE s.shard = ANY(picked);

    IF alone IS NULL AND critical && picked THEN
        SELECT array_agg(DISTINCT u.key), max(u.id::text)::uuid INTO urgent, urgent_until FROM (
            SELECT i.key, i.id FROM inbox i WHERE i.lane = 0 AND i.shard = ANY(picked) ORDER BY i.shard, i.id LIMIT 200) u;
    END IF;

    -- s.alone_id rather than `alone`: a condition on a variable alone would have the statement planned anew each time.
    IF urgent IS NULL THEN
        RETURN QUERY
            SELECT r.id, r.workspace_id, s.shard, r.kind, r.key, r.attempts, r.payload, r.traceparent, new_token,
                   w.config_version
            FROM inbox_shards s CROSS JOIN LATERAL (
                SELECT i.* FROM inbox i
                WHERE i.shard = s.shard AND i.due_at <= clock_timestamp() AND (held IS NULL OR i.key <> ALL(held))
                ORDER BY i.id LIMIT CASE WHEN s.alone_id IS NOT NULL THEN 1 ELSE per_shard END) r
            JOIN workspaces w ON w.id = r.workspace_id
            WHERE s.shard = ANY(picked) ORDER BY r.id;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT r.id, r.workspace_id, s.shard, r.kind, r.key, r.attempts, r.payload, r.traceparent, new_token, w.config_version
        FROM inbox_shards s CROSS JOIN LATERAL (
            SELECT i.* FROM inbox i
            WHERE i.shard = s.shard AND i.due_at <= clock_timestamp() AND (held IS NULL OR i.key <> ALL(held))
            ORDER BY i.id LIMIT greatest(1, per_shard / 4)) r
        JOIN workspaces w ON w.id = r.workspace_id
        WHERE s.shard = ANY(picked)
        UNION
        SELECT r.id, r.workspace_id, s.shard, r.kind, r.key, r.attempts, r.payload, r.traceparent, new_token, w.config_version
        FROM inbox_shards s CROSS JOIN LATERAL (
            SELECT i.* FROM inbox i
            WHERE i.shard = s.shard AND i.key = ANY(urgent) AND i.id <= urgent_until AND i.due_at <= clock_timestamp()
              AND (held IS NULL OR i.key <> ALL(held))
            ORDER BY i.id LIMIT per_shard) r
        JOIN workspaces w ON w.id = r.workspace_id
        WHERE s.shard = ANY(picked)
        ORDER BY 1;
END $$;

-- release_shards: how many of them were still held under the token. A short count means that a lease was lost.
CREATE FUNCTION release_shards(held_token bigint, held smallint[]) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH released AS (
        UPDATE inbox_shards SET lease_until = clock_timestamp(), lease_token = 0, alone_id = NULL,
            expiries = CASE WHEN alone_until IS NULL THEN 0 ELSE expiries END
        WHERE shard = ANY(held) AND lease_token = held_token AND lease_until > clock_timestamp() RETURNING 1)
    SELECT count(*)::integer FROM released
$$;

-- fire_timers: turns due timers into events of their key, atomically; returns the shards that got one.
CREATE FUNCTION fire_timers(max_timers integer) RETURNS smallint[]
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH due AS (
        SELECT workspace_id, kind, subject FROM timers WHERE due_at <= clock_timestamp()
        ORDER BY due_at LIMIT max_timers FOR UPDATE SKIP LOCKED),
    fired AS (
        DELETE FROM timers t USING due d
        WHERE t.workspace_id = d.workspace_id AND t.kind = d.kind AND t.subject = d.subject RETURNING t.*),
    events AS (
        INSERT INTO inbox (id, workspace_id, shard, lane, kind, key, payload, traceparent)
        SELECT uuid_v7(), f.workspace_id, f.shard, 1, 'timer:' || f.kind, f.key, f.payload, f.traceparent
        FROM fired f ORDER BY f.due_at
        RETURNING shard)
    SELECT coalesce(array_agg(DISTINCT shard), '{}') FROM events
$$;

-- claim_deliveries: due deliveries for free threads, at most max_per_target at once for one target over all workers.
-- An expired lease counts; from the third on it is a failure, and after max_attempts failures the delivery is quarantined.
CREATE FUNCTION claim_deliveries(max_rows integer, max_per_target integer, lease interval, max_attempts integer DEFAULT 5)
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
        RETURNING d.id, d.workspace_id, d.attempts, d.status)
    SELECT c.id, c.workspace_id, new_token, c.attempts FROM claimed c WHERE c.status = 'pending';
END $$;

-- take_deliveries: claims and reads what there is to send, in one round trip. Invoker's rights: what is read of each
-- workspace is read under its own policies, one workspace after the other.
CREATE FUNCTION take_deliveries(max_rows integer, max_per_target integer, lease interval, max_attempts integer)
RETURNS TABLE (id uuid, workspace_id uuid, token bigint, attempts smallint, target text, alert_id uuid, traceparent text,
               age float8, notification_id uuid, cause text, sequence integer, reason text, data bytea,
               created_at timestamptz, channel_id uuid, kind text, config text, secrets bytea, enabled boolean,
               deleted boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE ids uuid[]; workspaces uuid[]; workspace uuid;
BEGIN
    SELECT array_agg(c.id), array_agg(DISTINCT c.workspace_id) INTO ids, workspaces
    FROM claim_deliveries(max_rows, max_per_target, lease, max_attempts) c;
    FOREACH workspace IN ARRAY coalesce(workspaces, '{}') LOOP
        PERFORM set_config('app.workspace_id', workspace::text, true);
        RETURN QUERY
            SELECT d.id, d.workspace_id, d.lease_token, d.attempts, d.target, d.alert_id, d.traceparent,
                   extract(epoch FROM clock_timestamp() - d.created_at)::float8,
                   n.id, n.cause, n.sequence, n.reason, n.data, n.created_at,
                   c.id, c.kind, c.config::text, c.secrets, c.enabled, c.deleted_at IS NOT NULL
            FROM unnest(ids) u(id)
            JOIN deliveries d ON d.workspace_id = workspace AND d.id = u.id
            JOIN notifications n ON n.workspace_id = d.workspace_id AND n.id = d.notification_id
            JOIN channels c ON c.workspace_id = d.workspace_id AND c.id = d.channel_id;
    END LOOP;
END $$;

-- settle_deliveries: what became of claimed deliveries, set-wise; returns those that were still held under their tokens.
-- The token alone says whose a delivery is: a lease that ran out while PostgreSQL was away is still its worker's until
-- another claims the delivery, and settling it then is what keeps it from being sent twice. Without an attempt it is put off.
CREATE FUNCTION settle_deliveries(workspace uuid, counter smallint, ids uuid[], tokens bigint[], statuses text[],
    errors text[], reasons text[], waits float8[], attempt_ids uuid[], numbers smallint[], status_codes integer[],
    answers text[], started timestamptz[], durations_ms float8[])
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
        RETURNING u.*),
    recorded AS (
        INSERT INTO attempts (id, workspace_id, delivery_id, number, outcome, status_code, error, answer, started_at,
                              duration_ms)
        SELECT h.attempt, workspace, h.id, h.number, CASE h.status WHEN 'pending' THEN 'retry' ELSE h.status END,
               h.status_code, h.error, h.answer, h.started_at, h.duration_ms
        FROM held h WHERE h.attempt IS NOT NULL),
    counted AS (
        INSERT INTO queue_counters AS c (workspace_id, queue, minute, slot, completed, failed)
        SELECT workspace, 'notification', date_trunc('minute', at), counter,
               count(*) FILTER (WHERE h.status = 'delivered'), count(*) FILTER (WHERE h.status <> 'delivered')
        FROM held h WHERE h.status <> 'pending' HAVING count(*) > 0
        ON CONFLICT ON CONSTRAINT queue_counters_pkey
        DO UPDATE SET completed = c.completed + excluded.completed, failed = c.failed + excluded.failed)
    SELECT h.id, h.token FROM held h;
END $$;

-- feed_positions: where each workspace's feed stands; the gateway compares it with what it has seen.
CREATE FUNCTION feed_positions(workspaces uuid[])
RETURNS TABLE (workspace_id uuid, epoch uuid, last_offset bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT f.workspace_id, f.epoch, f.next_offset - 1 FROM workspace_feed f WHERE f.workspace_id = ANY(workspaces)
$$;

-- queue_counts: rows per queue and state; of one workspace, or of all where it is NULL.
CREATE FUNCTION queue_counts(workspace uuid DEFAULT NULL)
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
    SELECT j.queue, CASE j.status WHEN 'running' THEN 'active' WHEN 'pending' THEN
                    CASE WHEN j.due_at > clock_timestamp() THEN 'delayed' ELSE 'waiting' END
                    WHEN 'completed' THEN 'completed' ELSE 'failed' END, count(*)
    FROM job_runs j WHERE workspace IS NULL GROUP BY 1, 2
$$;

-- workspace_ids: every workspace, for jobs that work through them one by one.
CREATE FUNCTION workspace_ids() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT id FROM workspaces ORDER BY id
$$;

DO $$
DECLARE f text;
BEGIN
    FOREACH f IN ARRAY ARRAY['claim_events(integer, integer, interval, integer, boolean)', 'release_shards(bigint, smallint[])',
        'fire_timers(integer)', 'claim_deliveries(integer, integer, interval, integer)', 'feed_positions(uuid[])',
        'queue_counts(uuid)', 'workspace_ids()']
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO convex_definer', f);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO convex_service', f);
    END LOOP;
END $$;
GRANT SELECT ON job_runs TO convex_definer;
