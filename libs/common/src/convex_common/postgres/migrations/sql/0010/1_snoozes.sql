-- What people say about when and whose: the end of an alert's snooze and who asked for it, and who is to look after it.
ALTER TABLE alerts ADD COLUMN snoozed_by text, ADD COLUMN snoozed_until timestamptz, ADD COLUMN assigned_to text;
COMMENT ON COLUMN alerts.snoozed_until IS 'Nobody is told of it until its timer has ended the snooze.';
COMMENT ON COLUMN alerts.assigned_to IS 'The member who is to look after it.';
