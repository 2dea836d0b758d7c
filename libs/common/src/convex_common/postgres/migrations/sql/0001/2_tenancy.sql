CREATE TABLE workspaces (
    id             uuid PRIMARY KEY,
    slug           text NOT NULL UNIQUE,
    name           text NOT NULL,
    config_version bigint NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN workspaces.config_version IS 'Raised with every change of rules, channels or frameworks: tells the processors to reload.';

CREATE TABLE workspace_feed (
    workspace_id uuid PRIMARY KEY REFERENCES workspaces,
    epoch        uuid NOT NULL DEFAULT gen_random_uuid(),
    next_offset  bigint NOT NULL DEFAULT 1
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

CREATE TABLE members (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    user_id      text NOT NULL,
    role         text NOT NULL CHECK (role IN ('viewer', 'responder', 'editor', 'admin', 'owner')),
    name         text NOT NULL DEFAULT '',
    email        text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, user_id)
);

CREATE TABLE api_keys (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    id           uuid NOT NULL,
    name         text NOT NULL,
    prefix       text NOT NULL,
    digest       bytea NOT NULL UNIQUE,
    role         text NOT NULL CHECK (role IN ('viewer', 'responder', 'editor', 'admin', 'owner')),
    scopes       text[] NOT NULL DEFAULT '{}',
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    PRIMARY KEY (workspace_id, id)
);

CREATE TABLE audit_log (
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    id            uuid NOT NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    actor         text NOT NULL,
    action        text NOT NULL,
    subject       text NOT NULL,
    detail        jsonb NOT NULL DEFAULT '{}',
    previous_hash bytea,
    hash          bytea,
    PRIMARY KEY (workspace_id, id)
);
