CREATE TABLE alerts (
    workspace_id           uuid NOT NULL REFERENCES workspaces,
    id                     uuid NOT NULL,
    fingerprint            bytea NOT NULL,
    framework_id           uuid NOT NULL,
    rule_id                uuid,
    rule_name              text NOT NULL,
    alert_type             text NOT NULL,
    status                 text NOT NULL CHECK (status IN ('firing', 'acknowledged', 'resolved')),
    severity               text NOT NULL CHECK (severity IN ('info', 'warning', 'error', 'critical')),
    title                  text NOT NULL,
    labels                 jsonb NOT NULL DEFAULT '{}',
    context                jsonb NOT NULL DEFAULT '{}',
    current_value          float8,
    threshold_value        float8,
    occurrences            bigint NOT NULL,
    triggered_at           timestamptz NOT NULL,
    last_seen_at           timestamptz NOT NULL,
    acknowledged_by        text,
    acknowledged_at        timestamptz,
    resolved_by            text,
    resolved_at            timestamptz,
    resolution             text CHECK (resolution IN ('automatic', 'manual', 'expired')),
    resolution_notes       text,
    cleared                boolean NOT NULL DEFAULT false,
    suppression_seconds    integer NOT NULL,
    last_notified_at       timestamptz,
    last_notified_severity text,
    announced              boolean NOT NULL DEFAULT false,
    announced_channels     uuid[] NOT NULL DEFAULT '{}',
    notifications_sent     integer NOT NULL DEFAULT 0,
    source                 text,
    source_starts_at       timestamptz,
    source_ends_at         timestamptz,
    version                bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, framework_id) REFERENCES frameworks
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX alerts_open ON alerts (workspace_id, fingerprint) WHERE status <> 'resolved';
CREATE INDEX alerts_latest ON alerts (workspace_id, fingerprint, id DESC);
CREATE INDEX alerts_of_framework ON alerts (workspace_id, framework_id, id DESC);
COMMENT ON COLUMN alerts.announced IS 'The firing was notified and not yet taken back by a resolve.';
COMMENT ON COLUMN alerts.cleared IS 'After a resolve by a person: the condition has cleared once since.';
COMMENT ON COLUMN alerts.last_notified_at IS 'Start of the suppression window, of the fingerprint: a new episode carries it on.';

-- The timeline, the reasons and the live feed''s history: one row per change, numbered without gaps in commit order.
CREATE TABLE alert_log (
    id           uuid NOT NULL,
    workspace_id uuid NOT NULL,
    "offset"     bigint NOT NULL,
    alert_id     uuid NOT NULL,
    framework_id uuid NOT NULL,
    event        text NOT NULL,
    reason       text,
    count        integer NOT NULL DEFAULT 1,
    actor        text,
    event_ids    uuid[] NOT NULL DEFAULT '{}',
    detail       bytea NOT NULL DEFAULT '{}',
    data         bytea NOT NULL,
    at           timestamptz NOT NULL,
    traceparent  text
) PARTITION BY RANGE (id);
CREATE INDEX alert_log_feed ON alert_log (workspace_id, "offset");
CREATE INDEX alert_log_timeline ON alert_log (workspace_id, alert_id, id);
COMMENT ON COLUMN alert_log.data IS 'The alert as in REST, JSON, as it was after this change: what a subscriber is sent.';

CREATE TABLE alert_statistics (
    workspace_id       uuid NOT NULL REFERENCES workspaces,
    framework_id       uuid NOT NULL,
    day                date NOT NULL,
    alerts             bigint NOT NULL,
    occurrences        bigint NOT NULL,
    acknowledged       bigint NOT NULL,
    resolved           bigint NOT NULL,
    by_severity        jsonb NOT NULL,
    by_type            jsonb NOT NULL,
    acknowledge_seconds jsonb NOT NULL,
    resolve_seconds    jsonb NOT NULL,
    computed_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, framework_id, day)
);
