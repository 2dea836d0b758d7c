-- A browser that somebody signed in with. Its cookie holds a random token, this its digest; `role` is the most that it
-- may, whatever the member may. `subject` and `email` (verified) are what the OIDC provider said, to switch workspaces.
CREATE TABLE sessions (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    id           uuid NOT NULL,
    digest       bytea NOT NULL UNIQUE,
    user_id      text NOT NULL,
    key_id       uuid,
    role         text NOT NULL CHECK (role IN ('viewer', 'responder', 'editor', 'admin', 'owner')),
    operator     boolean NOT NULL DEFAULT false,
    way          text NOT NULL CHECK (way IN ('token', 'oidc')),
    subject      text,
    email        text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, key_id) REFERENCES api_keys ON DELETE CASCADE
);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
CREATE INDEX sessions_key ON sessions (workspace_id, key_id) WHERE key_id IS NOT NULL;

-- find_session: who a cookie's token is, in whatever workspace. Only while the session has not expired and what it was
-- made from still holds: the member is one, without a break since then, or the API key has neither ended nor been revoked.
CREATE FUNCTION find_session(given bytea)
RETURNS TABLE (workspace_id uuid, id uuid, user_id text, key_id uuid, role text, granted text, scopes text[],
               operator boolean, way text, subject text, email text, expires_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    UPDATE sessions s SET last_seen_at = clock_timestamp()
    WHERE s.digest = given AND s.last_seen_at < clock_timestamp() - interval '5 minutes';
    RETURN QUERY
    SELECT s.workspace_id, s.id, s.user_id, s.key_id, s.role, coalesce(m.role, k.role), coalesce(k.scopes, '{}'),
           s.operator, s.way, s.subject, s.email, s.expires_at
    FROM sessions s
    LEFT JOIN members m ON s.key_id IS NULL AND m.workspace_id = s.workspace_id AND m.user_id = s.user_id
    LEFT JOIN api_keys k ON k.workspace_id = s.workspace_id AND k.id = s.key_id
    WHERE s.digest = given AND s.expires_at > clock_timestamp()
      AND CASE WHEN s.key_id IS NULL THEN m.created_at <= s.created_at
               ELSE k.revoked_at IS NULL AND coalesce(k.expires_at > clock_timestamp(), true) END;
END $$;

-- memberships_of: the workspaces of a person whom the OIDC provider vouches for, by the subject or the verified address.
CREATE FUNCTION memberships_of(subject text, email text)
RETURNS TABLE (workspace_id uuid, slug text, name text, user_id text, role text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT DISTINCT ON (w.slug) w.id, w.slug, w.name, m.user_id, m.role
    FROM members m JOIN workspaces w ON w.id = m.workspace_id
    WHERE m.user_id = $1 OR lower(m.email) = lower($2)
    ORDER BY w.slug, m.user_id = $1 DESC, m.created_at
$$;
CREATE INDEX members_user ON members (user_id);
CREATE INDEX members_email ON members (lower(email)) WHERE email IS NOT NULL;

-- delete_expired_sessions: at most so many, in every workspace.
CREATE FUNCTION delete_expired_sessions(most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE deleted integer;
BEGIN
    DELETE FROM sessions WHERE (workspace_id, id) IN (
        SELECT s.workspace_id, s.id FROM sessions s WHERE s.expires_at < clock_timestamp() LIMIT most);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END $$;

DO $$
DECLARE f text;
BEGIN
    FOREACH f IN ARRAY ARRAY['find_session(bytea)', 'memberships_of(text, text)', 'delete_expired_sessions(integer)']
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO convex_definer', f);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO convex_service', f);
    END LOOP;
END $$;
