-- The audit log as one chain per workspace: numbered without a gap, each record's hash over its fields and the hash
-- before it. Nobody wrote to the table before this revision. Only audit_append adds to it, also for the services' role,
-- whose other rights to it end in 9_tenancy_policies.sql.
ALTER TABLE audit_log
    DROP CONSTRAINT audit_log_pkey,
    DROP COLUMN id,
    ADD COLUMN sequence bigint NOT NULL,
    ADD COLUMN trace_id text,
    ALTER COLUMN at DROP DEFAULT,
    ALTER COLUMN detail DROP DEFAULT,
    ALTER COLUMN previous_hash SET NOT NULL,
    ALTER COLUMN hash SET NOT NULL,
    ADD PRIMARY KEY (workspace_id, sequence);
CREATE INDEX audit_log_subject ON audit_log (workspace_id, subject, sequence);

-- The last record of each chain. Its row's lock makes a chain serial, and a chain cut off at its end is found by it.
CREATE TABLE audit_head (
    workspace_id uuid PRIMARY KEY REFERENCES workspaces,
    sequence     bigint NOT NULL,
    hash         bytea NOT NULL
) WITH (fillfactor = 50);

-- audit_hash: SHA-256 over the fields as netstrings (`LENGTH:BYTES,`), which no two different records share; the time in
-- microseconds since 1970. convex_common.domain.audit computes the same.
CREATE FUNCTION audit_hash(workspace uuid, sequence bigint, at timestamptz, actor text, action text, subject text,
                           detail jsonb, trace_id text, previous_hash bytea) RETURNS bytea
LANGUAGE sql STABLE AS $$
    SELECT sha256(convert_to(string_agg(octet_length(convert_to(f, 'UTF8')) || ':' || f || ',', '' ORDER BY place), 'UTF8'))
    FROM unnest(ARRAY['convex-audit-1', workspace::text, sequence::text,
                      trunc(extract(epoch FROM at) * 1000000)::bigint::text, actor, action, subject, detail::text,
                      coalesce(trace_id, ''), encode(previous_hash, 'hex')]) WITH ORDINALITY AS u(f, place)
$$;

-- audit_append: adds the acts of one transaction, for its own workspace. The head stays locked until the commit: call it
-- last, and where the transaction also takes offsets of the feed, right before that.
CREATE FUNCTION audit_append(workspace uuid, actors text[], actions text[], subjects text[], details text[],
                             trace_ids text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE last_sequence bigint; last_hash bytea; new_hash bytea; told jsonb; moment timestamptz;
BEGIN
    IF workspace IS DISTINCT FROM current_workspace() THEN
        RAISE EXCEPTION 'an act belongs into the audit log of its transaction''s own workspace'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    LOOP
        SELECT h.sequence, h.hash INTO last_sequence, last_hash
        FROM audit_head h WHERE h.workspace_id = workspace FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO audit_head (workspace_id, sequence, hash) VALUES (workspace, 0, '') ON CONFLICT DO NOTHING;
    END LOOP;
    FOR place IN 1 .. cardinality(actions) LOOP
        moment := clock_timestamp();
        told := details[place]::jsonb;
        last_sequence := last_sequence + 1;
        new_hash := audit_hash(workspace, last_sequence, moment, actors[place], actions[place], subjects[place], told,
                               trace_ids[place], last_hash);
        INSERT INTO audit_log (workspace_id, sequence, at, actor, action, subject, detail, trace_id, previous_hash, hash)
        VALUES (workspace, last_sequence, moment, actors[place], actions[place], subjects[place], told,
                trace_ids[place], last_hash, new_hash);
        last_hash := new_hash;
    END LOOP;
    UPDATE audit_head h SET sequence = last_sequence, hash = last_hash WHERE h.workspace_id = workspace;
    RETURN last_sequence;
END $$;
ALTER FUNCTION audit_append(uuid, text[], text[], text[], text[], text[]) OWNER TO convex_definer;
REVOKE ALL ON FUNCTION audit_append(uuid, text[], text[], text[], text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_append(uuid, text[], text[], text[], text[], text[]) TO convex_service;

-- Against accidents of those whom no grant binds, the tables' owner and superusers; who means to change a record can
-- take the trigger away, and it is the chain that tells.
CREATE FUNCTION audit_log_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_stays();
