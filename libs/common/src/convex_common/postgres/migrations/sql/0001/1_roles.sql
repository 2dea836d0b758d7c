-- Two roles without a login. Services log in as members of convex_service, which owns nothing and is bound by every
-- policy. convex_definer owns the few functions that must look across workspaces; policies let it through by name.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'convex_service') THEN
        CREATE ROLE convex_service NOLOGIN NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'convex_definer') THEN
        CREATE ROLE convex_definer NOLOGIN NOBYPASSRLS;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; -- roles are the cluster's: another database was quicker
END $$;
DO $$ BEGIN
    IF NOT pg_has_role(current_user, 'convex_definer', 'USAGE') THEN -- who made a role is a member that may not act as it
        EXECUTE format('GRANT convex_definer TO %I', current_user);
    END IF;
END $$;
GRANT USAGE ON SCHEMA public TO convex_service, convex_definer;
GRANT CREATE ON SCHEMA public TO convex_definer;

CREATE FUNCTION current_workspace() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT NULLIF(current_setting('app.workspace_id', true), '')::uuid $$;
COMMENT ON FUNCTION current_workspace IS 'The workspace of this transaction; NULL (no rows) outside of one.';

CREATE FUNCTION uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
        substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
        52, 1), 53, 1), 'hex')::uuid
$$;
COMMENT ON FUNCTION uuid_v7 IS 'A time-ordered id by the database clock (RFC 9562), for rows that SQL makes.';
