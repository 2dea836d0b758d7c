CREATE TABLE notifications (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    id           uuid NOT NULL,
    alert_id     uuid,
    cause        text NOT NULL CHECK (cause IN ('fired', 'reminder', 'escalation', 'resolved', 'digest', 'test')),
    sequence     integer NOT NULL,
    reason       text,
    data         bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, alert_id, cause, sequence)
);
COMMENT ON COLUMN notifications.data IS 'The alert as in REST, JSON, as it was when this was decided.';

CREATE TABLE deliveries (
    workspace_id    uuid NOT NULL REFERENCES workspaces,
    id              uuid NOT NULL,
    notification_id uuid NOT NULL,
    channel_id      uuid NOT NULL,
    alert_id        uuid,
    target          text NOT NULL,
    status          text NOT NULL DEFAULT 'pending'
                    CHECK (status IN ('pending', 'delivered', 'failed', 'quarantined')),
    attempts        smallint NOT NULL DEFAULT 0,
    claims          integer NOT NULL DEFAULT 0,
    expiries        smallint NOT NULL DEFAULT 0,
    due_at          timestamptz NOT NULL DEFAULT now(),
    next_attempt_at timestamptz,
    lease_token     bigint,
    lease_until     timestamptz,
    delayed_reason  text,
    last_error      text,
    traceparent     text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, notification_id, channel_id),
    FOREIGN KEY (workspace_id, notification_id) REFERENCES notifications,
    FOREIGN KEY (workspace_id, channel_id) REFERENCES channels
) WITH (fillfactor = 70);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE status = 'pending';
CREATE INDEX deliveries_leased ON deliveries (target) WHERE status = 'pending' AND lease_token IS NOT NULL;
CREATE INDEX deliveries_of_alert ON deliveries (workspace_id, alert_id, id);
CREATE INDEX deliveries_of_channel ON deliveries (workspace_id, channel_id, id);
CREATE INDEX deliveries_quarantined ON deliveries (workspace_id, id) WHERE status = 'quarantined';
COMMENT ON COLUMN deliveries.due_at IS 'When it may be claimed: the next attempt''s time, or the running lease''s end.';
COMMENT ON COLUMN deliveries.target IS 'What a cap of attempts at once counts: the webhook''s host, the channel''s id.';

CREATE TABLE attempts (
    id            uuid NOT NULL,
    workspace_id  uuid NOT NULL,
    delivery_id   uuid NOT NULL,
    number        smallint NOT NULL,
    outcome       text NOT NULL CHECK (outcome IN ('delivered', 'retry', 'failed', 'quarantined')),
    status_code   integer,
    error         text,
    answer        text,
    started_at    timestamptz NOT NULL,
    duration_ms   float8 NOT NULL
) PARTITION BY RANGE (id);
CREATE INDEX attempts_of_delivery ON attempts (workspace_id, delivery_id, id);

-- A person's in-app inbox.
CREATE TABLE user_notifications (
    workspace_id    uuid NOT NULL REFERENCES workspaces,
    id              uuid NOT NULL,
    user_id         text NOT NULL,
    notification_id uuid NOT NULL,
    alert_id        uuid,
    cause           text NOT NULL,
    title           text NOT NULL,
    data            bytea NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    read_at         timestamptz,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, notification_id, user_id)
);
CREATE INDEX user_notifications_of_user ON user_notifications (workspace_id, user_id, id DESC);
