-- What was foretold of a framework at one moment: the evidence, and in words why and what to do about it. The words are
-- those of the statistics at first; a language model's may take their place, never that of the numbers.
CREATE TABLE prediction_reports (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    framework_id uuid NOT NULL,
    made_at      timestamptz NOT NULL,
    evidence     jsonb NOT NULL,
    reasoning    jsonb NOT NULL,
    actions      jsonb NOT NULL,
    written_by   text NOT NULL DEFAULT 'statistics',
    PRIMARY KEY (workspace_id, made_at, framework_id)
);
COMMENT ON COLUMN prediction_reports.made_at IS 'The slot of the run: nothing that came later was looked at.';
COMMENT ON COLUMN prediction_reports.written_by IS 'Whose words these are: statistics, or the name of a model.';

-- One probability each, and what became of it. Scored only when its time is over; what happened is noted earlier, for
-- the alerts may be gone by then.
CREATE TABLE predictions (
    workspace_id    uuid NOT NULL REFERENCES workspaces,
    framework_id    uuid NOT NULL,
    made_at         timestamptz NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('next_alert', 'anomaly', 'escalation')),
    horizon_seconds integer NOT NULL CHECK (horizon_seconds > 0),
    due_at          timestamptz NOT NULL,
    probability     float8 NOT NULL CHECK (probability BETWEEN 0 AND 1),
    risk            text NOT NULL CHECK (risk IN ('low', 'medium', 'high', 'critical')),
    expected_at     timestamptz,
    expected_from   timestamptz,
    expected_to     timestamptz,
    threshold       integer,
    reason          text NOT NULL,
    happened_at     timestamptz,
    was_accurate    boolean,
    brier           float8,
    scored_at       timestamptz,
    PRIMARY KEY (workspace_id, made_at, framework_id, kind, horizon_seconds)
) WITH (fillfactor = 90);
CREATE INDEX predictions_unscored ON predictions (workspace_id, due_at) WHERE scored_at IS NULL;
COMMENT ON COLUMN predictions.threshold IS 'Of anomaly: alerts of one hour, counted from made_at, that are more than is usual.';
COMMENT ON COLUMN predictions.happened_at IS 'When it came true; an hour''s beginning for an anomaly. NULL: not, so far.';
COMMENT ON COLUMN predictions.was_accurate IS 'Whether the likelier of the two happened. NULL: not scored yet.';

-- Every question to a language model, with what it cost. A question is written down before it is asked, at the most that
-- it may cost, so that a crash, or many workers, cannot spend more than a workspace may.
CREATE TABLE model_calls (
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    id            uuid NOT NULL,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    purpose       text NOT NULL,
    model         text NOT NULL,
    outcome       text NOT NULL,
    input_tokens  bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cost_micros   bigint NOT NULL CHECK (cost_micros >= 0),
    seconds       float8,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX model_calls_of_month ON model_calls (workspace_id, at);
COMMENT ON COLUMN model_calls.outcome IS 'asked, until it is known; then answered, or why not. What is unknown counts in full.';
COMMENT ON COLUMN model_calls.cost_micros IS 'Millionths of a US dollar.';

-- As in 0001: rows of the transaction's workspace only, for everybody but convex_definer.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['prediction_reports', 'predictions', 'model_calls'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY workspace ON %I TO convex_service USING (workspace_id = (SELECT current_workspace())) '
                       'WITH CHECK (workspace_id = (SELECT current_workspace()))', t);
        EXECUTE format('CREATE POLICY across_workspaces ON %I TO convex_definer USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO convex_service, convex_definer', t);
    END LOOP;
END $$;
