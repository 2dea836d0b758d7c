-- Frameworks, rules and channels are deleted softly: what was accepted before still finds them.
CREATE TABLE frameworks (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    id           uuid NOT NULL,
    name         text NOT NULL,
    description  text NOT NULL DEFAULT '',
    labels       jsonb NOT NULL DEFAULT '{}',
    source       text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    deleted_at   timestamptz,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX frameworks_name ON frameworks (workspace_id, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX frameworks_source ON frameworks (workspace_id, source) WHERE deleted_at IS NULL AND source IS NOT NULL;
COMMENT ON COLUMN frameworks.source IS 'Set where another tool''s alerts made the framework on first use, e.g. alertmanager.';

CREATE TABLE rules (
    workspace_id        uuid NOT NULL REFERENCES workspaces,
    id                  uuid NOT NULL,
    framework_id        uuid NOT NULL,
    name                text NOT NULL,
    alert_type          text NOT NULL CHECK (alert_type IN ('threshold', 'anomaly', 'performance', 'milestone', 'absence', 'forecast')),
    metric              text NOT NULL,
    condition           text NOT NULL CHECK (condition IN ('above', 'below', 'equals', 'changes_by')),
    threshold_value     float8,
    change_percentage   float8,
    window_seconds      integer,
    aggregation         text CHECK (aggregation IN ('avg', 'min', 'max', 'sum', 'count', 'last')),
    for_seconds         integer NOT NULL DEFAULT 0,
    clear_value         float8,
    suppression_seconds integer NOT NULL DEFAULT 300,
    severity            text NOT NULL CHECK (severity IN ('info', 'warning', 'error', 'critical')),
    labels              jsonb NOT NULL DEFAULT '{}',
    channel_ids         uuid[],
    enabled             boolean NOT NULL DEFAULT true,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    deleted_at          timestamptz,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, framework_id) REFERENCES frameworks
);
CREATE INDEX rules_of_framework ON rules (workspace_id, framework_id, id);
COMMENT ON COLUMN rules.channel_ids IS 'NULL: every enabled channel whose matchers fit.';

CREATE TABLE channels (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    id           uuid NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('email', 'slack', 'webhook', 'in_app', 'apprise')),
    name         text NOT NULL,
    config       jsonb NOT NULL DEFAULT '{}',
    secrets      bytea,
    min_severity text NOT NULL DEFAULT 'info' CHECK (min_severity IN ('info', 'warning', 'error', 'critical')),
    matchers     jsonb NOT NULL DEFAULT '[]',
    enabled      boolean NOT NULL DEFAULT true,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    deleted_at   timestamptz,
    PRIMARY KEY (workspace_id, id)
);
COMMENT ON COLUMN channels.secrets IS 'The write-only part of the configuration, encrypted with ENCRYPTION_KEYS.';

CREATE TABLE silences (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    id           uuid NOT NULL,
    matchers     jsonb NOT NULL,
    starts_at    timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    rrule        text,
    timezone     text,
    comment      text NOT NULL DEFAULT '',
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id)
);
