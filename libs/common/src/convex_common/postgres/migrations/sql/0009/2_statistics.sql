-- Figures of a framework in a quarter of an hour: any period of any time zone is made of whole ones, and every column can
-- be summed. Nothing happened: no row.
CREATE TABLE alert_quarters (
    workspace_id       uuid NOT NULL REFERENCES workspaces,
    framework_id       uuid NOT NULL,
    at                 timestamptz NOT NULL,
    alerts             integer NOT NULL DEFAULT 0,
    by_severity        jsonb NOT NULL DEFAULT '{}',
    by_type            jsonb NOT NULL DEFAULT '{}',
    by_rule            jsonb NOT NULL DEFAULT '{}',
    folded             integer NOT NULL DEFAULT 0,
    told               integer NOT NULL DEFAULT 0,
    told_again         integer NOT NULL DEFAULT 0,
    withheld           jsonb NOT NULL DEFAULT '{}',
    acknowledged       integer NOT NULL DEFAULT 0,
    acknowledged_total float8 NOT NULL DEFAULT 0,
    acknowledged_in    jsonb NOT NULL DEFAULT '{}',
    resolved           integer NOT NULL DEFAULT 0,
    resolved_total     float8 NOT NULL DEFAULT 0,
    resolved_in        jsonb NOT NULL DEFAULT '{}',
    deliveries         jsonb NOT NULL DEFAULT '{}',
    followed           integer NOT NULL DEFAULT 0,
    answered           integer NOT NULL DEFAULT 0,
    ended              integer NOT NULL DEFAULT 0,
    judged             integer NOT NULL DEFAULT 0,
    false_alarms       integer NOT NULL DEFAULT 0,
    computed_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, at, framework_id)
);
COMMENT ON COLUMN alert_quarters.at IS 'Its beginning: a whole quarter of an hour, UTC.';
COMMENT ON COLUMN alert_quarters.folded IS 'Triggers that an alert was there for already.';
COMMENT ON COLUMN alert_quarters.told_again IS 'Of those that people were told of, the ones that did not open an alert.';
COMMENT ON COLUMN alert_quarters.told IS 'Changes of alerts, but their ends, that people were notified of.';
COMMENT ON COLUMN alert_quarters.withheld IS 'Triggers that nobody was notified of, by reason.';
COMMENT ON COLUMN alert_quarters.acknowledged_in IS 'How many took how long: by the number of a logarithmic bucket.';
COMMENT ON COLUMN alert_quarters.deliveries IS 'What became final: by channel and status, as "channel/status".';
COMMENT ON COLUMN alert_quarters.followed IS 'Of the alerts that opened here, those of which it is known what became of them since.';
COMMENT ON COLUMN alert_quarters.answered IS 'Of those, the acknowledged.';
COMMENT ON COLUMN alert_quarters.ended IS 'Of those, the resolved.';
COMMENT ON COLUMN alert_quarters.judged IS 'Of those, the ones that somebody has given a verdict on.';

ALTER TABLE alert_quarters ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_quarters FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON alert_quarters TO convex_service
    USING (workspace_id = (SELECT current_workspace())) WITH CHECK (workspace_id = (SELECT current_workspace()));
CREATE POLICY across_workspaces ON alert_quarters TO convex_definer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON alert_quarters TO convex_service, convex_definer;
