-- What was accepted and is not finished. A row is deleted by the transaction that finishes it.
CREATE TABLE inbox (
    id           uuid NOT NULL,
    workspace_id uuid NOT NULL,
    shard        smallint NOT NULL,
    lane         smallint NOT NULL DEFAULT 1,
    kind         text NOT NULL,
    key          bytea NOT NULL,
    due_at       timestamptz NOT NULL DEFAULT '-infinity',
    attempts     smallint NOT NULL DEFAULT 0,
    last_error   text,
    payload      bytea NOT NULL,
    traceparent  text
) PARTITION BY RANGE (id);
CREATE INDEX inbox_shard ON inbox (shard, id);
CREATE INDEX inbox_critical ON inbox (shard, id) WHERE lane = 0;
CREATE INDEX inbox_retrying ON inbox (shard, key) WHERE attempts > 0;
COMMENT ON COLUMN inbox.key IS 'The fingerprint or series whose events are processed in the order of their ids.';
COMMENT ON COLUMN inbox.lane IS '0 critical, 1 normal.';
COMMENT ON COLUMN inbox.due_at IS 'In the future only while a failed event waits for its next attempt.';

-- The unit of claiming: whoever leases a shard processes its rows in id order.
CREATE TABLE inbox_shards (
    shard       smallint PRIMARY KEY,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    lease_token bigint NOT NULL DEFAULT 0,
    lease_rows  integer NOT NULL DEFAULT 0,
    expiries    smallint NOT NULL DEFAULT 0,
    alone_id    uuid,
    alone_until uuid
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
COMMENT ON COLUMN inbox_shards.lease_token IS '0: released. Else the token of the claim that holds it or let it expire.';
COMMENT ON COLUMN inbox_shards.lease_rows IS 'How many rows the lease was given for, the urgent ones aside.';
COMMENT ON COLUMN inbox_shards.expiries IS 'Leases in a row that ran out; from the third on rows are claimed alone.';
COMMENT ON COLUMN inbox_shards.alone_until IS 'The last of the rows under suspicion: up to it they are claimed alone.';
INSERT INTO inbox_shards (shard) SELECT generate_series(0, 63);

CREATE TABLE quarantine (
    workspace_id   uuid NOT NULL REFERENCES workspaces,
    id             uuid NOT NULL,
    queue          text NOT NULL,
    kind           text NOT NULL,
    shard          smallint NOT NULL,
    lane           smallint NOT NULL DEFAULT 1,
    key            bytea NOT NULL,
    payload        bytea NOT NULL,
    attempts       smallint NOT NULL,
    last_error     text NOT NULL,
    traceparent    text,
    quarantined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id)
);

-- Everything that is due later. When it is, fire_timers turns it into an event of its key, so that it is ordered,
-- claimed and retried like every other event. Moving a timer is an upsert of (kind, subject).
CREATE TABLE timers (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    kind         text NOT NULL,
    subject      text NOT NULL,
    due_at       timestamptz NOT NULL,
    shard        smallint NOT NULL,
    key          bytea NOT NULL,
    payload      bytea NOT NULL,
    traceparent  text,
    PRIMARY KEY (workspace_id, kind, subject)
);
CREATE INDEX timers_due ON timers (due_at);

CREATE TABLE series_state (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    series       bytea NOT NULL,
    framework_id uuid NOT NULL,
    metric       text NOT NULL,
    labels       jsonb NOT NULL DEFAULT '{}',
    last_value   float8 NOT NULL,
    last_at      timestamptz NOT NULL,
    state        bytea NOT NULL,
    PRIMARY KEY (workspace_id, series)
) WITH (fillfactor = 70);
COMMENT ON COLUMN series_state.state IS 'JSON: recent values within the widest window, and per rule what is pending or firing.';

CREATE TABLE observations (
    workspace_id uuid NOT NULL,
    series       bytea NOT NULL,
    framework_id uuid NOT NULL,
    metric       text NOT NULL,
    value        float8 NOT NULL,
    at           timestamptz NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX observations_series ON observations (workspace_id, series, at);

-- How much was finished, a minute and queue; a row per writer's slot, so that writers do not wait for one another.
CREATE TABLE queue_counters (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    queue        text NOT NULL,
    minute       timestamptz NOT NULL,
    slot         smallint NOT NULL,
    completed    bigint NOT NULL DEFAULT 0,
    failed       bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, queue, minute, slot)
) WITH (fillfactor = 50);
