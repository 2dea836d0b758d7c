-- What people's verdicts have made of an anomaly rule's bar. NULL: heeds them, and is where its sensitivity puts it.
ALTER TABLE rules ADD COLUMN heeds_verdicts boolean, ADD COLUMN raised jsonb;
COMMENT ON COLUMN rules.heeds_verdicts IS 'Of anomaly: false alarms may raise the score that a value needs.';
COMMENT ON COLUMN rules.raised IS 'By how much it is raised, after how many false alarms of how many verdicts, and when it was moved last.';
