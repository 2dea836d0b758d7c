-- Of a key only its digest is kept. A key's user id is `key:<id>`, so no member's may look like one.
ALTER TABLE members ADD CONSTRAINT members_are_no_keys CHECK (user_id NOT LIKE 'key:%');
ALTER TABLE api_keys ADD CONSTRAINT api_keys_scopes_are_known
    CHECK (scopes <@ ARRAY['ingest', 'read', 'respond', 'configure', 'admin']);

-- find_api_keys: the keys of these digests, whosever they are: a key says which workspace it is of. Many in one round
-- trip, since a flood of invented keys must not take a connection each. `untold`: its last use is due to be written.
CREATE FUNCTION find_api_keys(digests bytea[])
RETURNS TABLE (digest bytea, workspace_id uuid, id uuid, role text, scopes text[], expires_at timestamptz, untold boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT k.digest, k.workspace_id, k.id, k.role, k.scopes, k.expires_at,
           k.last_used_at IS NULL OR k.last_used_at < clock_timestamp() - interval '1 minute'
    FROM api_keys k WHERE k.digest = ANY(digests) AND k.revoked_at IS NULL
$$;

-- use_api_keys: writes down that keys are used, at most once a minute each, whichever gateway says so. A row that
-- somebody else holds is left out: it is told the next time.
CREATE FUNCTION use_api_keys(used uuid[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    UPDATE api_keys k SET last_used_at = clock_timestamp()
    FROM (SELECT a.workspace_id, a.id FROM api_keys a
          WHERE a.id = ANY(used) AND (a.last_used_at IS NULL OR a.last_used_at < clock_timestamp() - interval '1 minute')
          FOR UPDATE SKIP LOCKED) due
    WHERE k.workspace_id = due.workspace_id AND k.id = due.id
$$;

DO $$
DECLARE f text;
BEGIN
    FOREACH f IN ARRAY ARRAY['find_api_keys(bytea[])', 'use_api_keys(uuid[])'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO convex_definer', f);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO convex_service', f);
    END LOOP;
END $$;
