-- oldest_due: for how many seconds the oldest work of each queue has been due that nobody has taken; absent where none is.
-- Each is a probe of an index, whatever the backlog: 64 for the inbox, whose events' age is the time in their ids.
CREATE FUNCTION oldest_due() RETURNS TABLE (queue text, seconds float8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT 'alert', extract(epoch FROM clock_timestamp())::float8
                    - ('x' || left(replace(min(first.id::text), '-', ''), 12))::bit(48)::bigint / 1000.0
    FROM inbox_shards s CROSS JOIN LATERAL (
        SELECT i.id FROM inbox i WHERE i.shard = s.shard AND i.due_at <= clock_timestamp() ORDER BY i.id LIMIT 1) first
    HAVING count(*) > 0
    UNION ALL
    SELECT 'notification', extract(epoch FROM clock_timestamp() - min(d.due_at))::float8
    FROM deliveries d WHERE d.status = 'pending' AND d.due_at <= clock_timestamp() HAVING count(*) > 0
    UNION ALL
    SELECT 'timer', extract(epoch FROM clock_timestamp() - min(t.due_at))::float8
    FROM timers t WHERE t.due_at <= clock_timestamp() HAVING count(*) > 0
    UNION ALL
    SELECT j.queue, extract(epoch FROM clock_timestamp() - min(j.due_at))::float8
    FROM job_runs j WHERE j.status = 'pending' AND j.due_at <= clock_timestamp() GROUP BY j.queue
$$;
ALTER FUNCTION oldest_due() OWNER TO convex_definer;
REVOKE ALL ON FUNCTION oldest_due() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION oldest_due() TO convex_service;
