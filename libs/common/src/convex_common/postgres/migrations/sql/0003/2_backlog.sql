-- due_rows: how much of a queue is due or under way, counted up to `most`: what an autoscaler asks every few seconds,
-- with the services' role, and must not make a long queue longer.
CREATE FUNCTION due_rows(wanted text, most integer DEFAULT 100000) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT CASE wanted
        WHEN 'alert' THEN (SELECT count(*) FROM (
            SELECT FROM inbox i WHERE i.due_at <= clock_timestamp() LIMIT most) due)
        WHEN 'notification' THEN (SELECT count(*) FROM (
            SELECT FROM deliveries d WHERE d.status = 'pending'
            AND (d.due_at <= clock_timestamp() OR d.lease_until > clock_timestamp()) LIMIT most) due)
        ELSE (SELECT count(*) FROM (
            SELECT FROM job_runs j WHERE j.queue = wanted
            AND (j.status = 'running' OR j.status = 'pending' AND j.due_at <= clock_timestamp()) LIMIT most) due)
    END
$$;
ALTER FUNCTION due_rows(text, integer) OWNER TO convex_definer;
REVOKE ALL ON FUNCTION due_rows(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION due_rows(text, integer) TO convex_service;
