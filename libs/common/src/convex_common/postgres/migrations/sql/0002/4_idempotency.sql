-- The first answers to writes that came with an Idempotency-Key, stored by the transactions that made them.
CREATE TABLE idempotency_keys (
    workspace_id uuid NOT NULL,
    scope        bytea NOT NULL,
    request      bytea NOT NULL,
    answer       bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, scope)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
COMMENT ON COLUMN idempotency_keys.scope IS 'SHA-256 of who sent what method to which path under which key.';
COMMENT ON COLUMN idempotency_keys.request IS 'SHA-256 of the query, If-Match and body that the key was first sent with.';
COMMENT ON COLUMN idempotency_keys.answer IS 'Sealed: status, headers and body; an answer may tell a secret once.';

-- claim_idempotency_key: the answer that there is, or the right to make it until the end of this transaction.
-- Two statements on purpose: whoever gets the lock after another transaction's end must see what that one has stored.
CREATE FUNCTION claim_idempotency_key(workspace uuid, wanted bytea,
                                      OUT claimed boolean, OUT request bytea, OUT answer bytea)
LANGUAGE plpgsql AS $$
BEGIN
    claimed := pg_try_advisory_xact_lock(('x' || encode(substring(wanted FROM 1 FOR 8), 'hex'))::bit(64)::bigint);
    SELECT k.request, k.answer INTO request, answer FROM idempotency_keys k
    WHERE k.workspace_id = workspace AND k.scope = wanted AND k.created_at > now() - interval '24 hours';
END $$;

-- keep_idempotency_keys: stores answers; the positions of those whose place was taken by somebody who was quicker.
-- In the order of their scopes, so that two gateways with the same keys do not wait for one another in a circle.
CREATE FUNCTION keep_idempotency_keys(workspace uuid, scopes bytea[], requests bytea[], answers bytea[])
RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE late integer[];
BEGIN
    WITH kept AS (
        INSERT INTO idempotency_keys AS k (workspace_id, scope, request, answer)
        SELECT workspace, u.scope, u.request, u.answer
        FROM unnest(scopes, requests, answers) AS u(scope, request, answer) ORDER BY u.scope
        ON CONFLICT (workspace_id, scope) DO UPDATE
            SET request = excluded.request, answer = excluded.answer, created_at = excluded.created_at
            WHERE k.created_at <= now() - interval '24 hours'
        RETURNING k.scope)
    SELECT coalesce(array_agg(u.place::integer), '{}') INTO late
    FROM unnest(scopes) WITH ORDINALITY AS u(scope, place) WHERE NOT EXISTS (SELECT FROM kept WHERE kept.scope = u.scope);
    RETURN late;
END $$;

-- ingest_once: ingest, together with the answers of requests that came with a key. `answer_of` says for each row which
-- answer it stands or falls with, 0 for none. The positions of the answers that were there already, whose rows are left out.
CREATE FUNCTION ingest_once(workspace uuid, ids uuid[], shards smallint[], lanes smallint[], kinds text[], keys bytea[],
                            payloads bytea[], traceparents text[], answer_of smallint[], scopes bytea[], requests bytea[],
                            answers bytea[]) RETURNS integer[]
LANGUAGE plpgsql AS $$
DECLARE late integer[];
BEGIN
    PERFORM set_config('app.workspace_id', workspace::text, true);
    late := keep_idempotency_keys(workspace, scopes, requests, answers);
    INSERT INTO inbox (id, workspace_id, shard, lane, kind, key, payload, traceparent)
    SELECT u.id, workspace, u.shard, u.lane, u.kind, u.key, u.payload, u.traceparent
    FROM unnest(ids, shards, lanes, kinds, keys, payloads, traceparents, answer_of)
         AS u(id, shard, lane, kind, key, payload, traceparent, answer)
    WHERE u.answer <> ALL (late);
    RETURN late;
END $$;

-- delete_idempotency_keys: up to `most` that are older than a day, of all workspaces; how many went.
CREATE FUNCTION delete_idempotency_keys(most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE gone integer;
BEGIN
    DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
        SELECT k.ctid FROM idempotency_keys k WHERE k.created_at <= now() - interval '24 hours'
        ORDER BY k.created_at LIMIT most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
ALTER FUNCTION delete_idempotency_keys(integer) OWNER TO convex_definer;
REVOKE ALL ON FUNCTION delete_idempotency_keys(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION delete_idempotency_keys(integer) TO convex_service;
