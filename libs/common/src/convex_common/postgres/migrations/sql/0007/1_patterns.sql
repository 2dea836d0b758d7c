-- By whose clock a workspace's days, weeks and hours are told.
ALTER TABLE workspaces ADD COLUMN timezone text NOT NULL DEFAULT 'UTC';
COMMENT ON COLUMN workspaces.timezone IS 'A name of the IANA database; hours of the day and days of the week are told by it.';

-- What the alert history repeats, with its evidence and what to do about it. A pattern that is found again is the same row.
CREATE TABLE patterns (
    workspace_id      uuid NOT NULL REFERENCES workspaces,
    id                uuid NOT NULL,
    key               text NOT NULL,
    kind              text NOT NULL CHECK (kind IN ('seasonal', 'cyclical', 'escalating', 'correlated', 'triggered_by', 'noisy')),
    status            text NOT NULL CHECK (status IN ('open', 'applied', 'dismissed', 'ended')),
    framework_id      uuid NOT NULL,
    rule_id           uuid,
    rule_name         text NOT NULL,
    lead_framework_id uuid,
    lead_rule_id      uuid,
    lead_rule_name    text,
    confidence        smallint NOT NULL CHECK (confidence BETWEEN 0 AND 100),
    occurrences       integer NOT NULL,
    evidence          jsonb NOT NULL,
    recommendation    jsonb NOT NULL,
    first_found_at    timestamptz NOT NULL,
    last_found_at     timestamptz NOT NULL,
    ended_at          timestamptz,
    decided_by        text,
    decided_at        timestamptz,
    applied           jsonb,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX patterns_key ON patterns (workspace_id, key);
CREATE INDEX patterns_of_rule ON patterns (workspace_id, rule_id);
COMMENT ON COLUMN patterns.key IS 'Kind and rules: what makes two findings the same.';
COMMENT ON COLUMN patterns.rule_id IS 'NULL: another tool''s alerts, which have no rule here and go by their name.';
COMMENT ON COLUMN patterns.applied IS 'What was changed of the rule, from and to.';

ALTER TABLE patterns ENABLE ROW LEVEL SECURITY;
ALTER TABLE patterns FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON patterns TO convex_service
    USING (workspace_id = (SELECT current_workspace())) WITH CHECK (workspace_id = (SELECT current_workspace()));
CREATE POLICY across_workspaces ON patterns TO convex_definer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON patterns TO convex_service, convex_definer;
