-- Columns whose comments begin with `Sealed` are those that `convex admin secrets rotate` seals anew.
COMMENT ON COLUMN channels.secrets IS 'Sealed: what a channel''s kind keeps secret of its config.';
