-- What mail servers said about each recipient for good, where one delivery was taken for some and not for all: those
-- who have it are not sent it again, those who were refused are not asked for again until a person replays it.
CREATE TABLE delivery_recipients (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    delivery_id  uuid NOT NULL,
    address      text NOT NULL,
    code         smallint NOT NULL,
    answer       text NOT NULL,
    PRIMARY KEY (workspace_id, delivery_id, address),
    FOREIGN KEY (workspace_id, delivery_id) REFERENCES deliveries ON DELETE CASCADE
);
COMMENT ON COLUMN delivery_recipients.code IS 'SMTP''s: 2xx has it, 5xx was refused.';
COMMENT ON COLUMN deliveries.target IS
    'What a cap of attempts at once counts: the address''s host, the mail server, the channel''s id.';
