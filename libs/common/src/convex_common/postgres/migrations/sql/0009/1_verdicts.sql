-- What people say of an alert afterwards: the last word of each.
CREATE TABLE alert_verdicts (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    alert_id     uuid NOT NULL,
    user_id      text NOT NULL,
    verdict      text NOT NULL CHECK (verdict IN ('useful', 'false_alarm')),
    at           timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, alert_id, user_id),
    FOREIGN KEY (workspace_id, alert_id) REFERENCES alerts ON DELETE CASCADE
);

-- How many say so, beside the alert itself: it is what everybody sees of it, and what statistics read.
ALTER TABLE alerts ADD COLUMN verdicts_useful integer NOT NULL DEFAULT 0,
    ADD COLUMN verdicts_false_alarm integer NOT NULL DEFAULT 0;

ALTER TABLE alert_verdicts ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_verdicts FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON alert_verdicts TO convex_service
    USING (workspace_id = (SELECT current_workspace())) WITH CHECK (workspace_id = (SELECT current_workspace()));
CREATE POLICY across_workspaces ON alert_verdicts TO convex_definer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON alert_verdicts TO convex_service, convex_definer;
