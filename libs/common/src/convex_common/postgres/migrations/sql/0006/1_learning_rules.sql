-- What rules of the types anomaly and forecast say besides what all rules do. NULL: of another type.
ALTER TABLE rules ADD COLUMN sensitivity float8, ADD COLUMN horizon_seconds integer, ADD COLUMN probability float8;
COMMENT ON COLUMN rules.sensitivity IS 'Of anomaly: above 0 and below 1; a value needs a score of 1 - sensitivity.';
COMMENT ON COLUMN rules.horizon_seconds IS 'Of forecast: how far ahead a breach is looked for.';
COMMENT ON COLUMN rules.probability IS 'Of forecast: how probable the breach has to be.';

-- What is known of the series that anomaly rules look at. It can be learnt anew from the observations that are kept, so
-- a state that cannot be read, or that missed values, costs no more than that.
CREATE TABLE detector_states (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    series       bytea NOT NULL,
    framework_id uuid NOT NULL,
    metric       text NOT NULL,
    state        bytea NOT NULL,
    tail         bytea NOT NULL,
    learnt_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, series)
) WITH (fillfactor = 70);
ALTER TABLE detector_states ALTER COLUMN state SET STORAGE EXTERNAL; -- compressed already
CREATE INDEX detector_states_of_metric ON detector_states (workspace_id, framework_id, metric);
COMMENT ON COLUMN detector_states.tail IS 'The values since the state was packed, as pairs of doubles: time and value.';
COMMENT ON COLUMN detector_states.learnt_at IS 'The last value that it knows; older than the series'' last one: it missed some.';

ALTER TABLE detector_states ENABLE ROW LEVEL SECURITY;
ALTER TABLE detector_states FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON detector_states TO convex_service
    USING (workspace_id = (SELECT current_workspace())) WITH CHECK (workspace_id = (SELECT current_workspace()));
CREATE POLICY across_workspaces ON detector_states TO convex_definer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON detector_states TO convex_service, convex_definer;
