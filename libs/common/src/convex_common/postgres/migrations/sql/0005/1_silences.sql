-- What a silence needs besides what it says: when it is over for good, and who ended it before that.
ALTER TABLE silences ADD COLUMN over_at timestamptz, ADD COLUMN expired_at timestamptz, ADD COLUMN expired_by text;
COMMENT ON COLUMN silences.over_at IS 'The end of its last time, or when it was expired. NULL: ends_at.';
COMMENT ON COLUMN silences.expired_at IS 'Set where a person ended it early; the row is kept as history.';

-- What an alert shows: the silence that keeps people from being told of it, and until when.
ALTER TABLE alerts ADD COLUMN silenced_by uuid, ADD COLUMN silenced_until timestamptz;
