-- How often what is computed of a workspace has changed, raised by the transaction that changes it. What the cache
-- keeps of it names the version that it was read at. Alerts have the feed's offsets for this, rules config_version.
CREATE TABLE cache_versions (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    class        text NOT NULL CHECK (class IN ('statistics', 'patterns')),
    version      bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (workspace_id, class)
);
