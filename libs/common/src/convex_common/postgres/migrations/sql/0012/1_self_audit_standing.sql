-- Whoever reads the record can tell a self-audit that is switched off from one that stands still.
ALTER TABLE self_audit ADD COLUMN next_within interval DEFAULT interval '5 minutes';
COMMENT ON COLUMN self_audit.next_within IS 'So soon after began_at the next run begins; NULL where it is switched off.';
