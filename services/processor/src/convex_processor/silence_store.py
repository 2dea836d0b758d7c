"""What silences may be about: every open alert, with the labels that their matchers see."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from convex_common.domain.silence import with_alertname
from convex_common.postgres.database import Connection
from convex_processor.domain.silencing import OpenAlert

# The names of the labels are those of `matched_labels`.
OPEN = """SELECT id, fingerprint, labels || jsonb_build_object('severity', severity, 'alert_type', alert_type,
    'framework_id', framework_id, 'rule_id', coalesce(rule_id::text, ''), 'rule_name', rule_name), silenced_by
FROM alerts WHERE workspace_id = %(workspace)s AND status <> 'resolved'"""


def open_alerts(connection: Connection, workspace_id: uuid.UUID) -> Sequence[OpenAlert]:
    """All of them, as they are in this transaction's eyes; none is locked."""
    rows = connection.execute(OPEN, {"workspace": workspace_id}, binary=True).fetchall()
    return [OpenAlert(row[0], bytes(row[1]), with_alertname(row[2]), row[3]) for row in rows]
