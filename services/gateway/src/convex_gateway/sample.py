"""The alert that a channel's test carries."""

from __future__ import annotations

import datetime as dt
import uuid

from convex_common.domain.alert import Alert, Status, as_wire
from convex_common.domain.fingerprint import fingerprint
from convex_common.domain.severity import Severity

NOWHERE = uuid.UUID(int=0)


def sample_alert(
    workspace_id: uuid.UUID, alert_id: uuid.UUID, channel_name: str, user_id: str, now: dt.datetime
) -> bytes:
    """The JSON of an alert that nobody can take for a real one: it says that it is a test, and who asked for it."""
    labels = {"test": "true"}
    return as_wire(
        Alert(
            workspace_id=workspace_id,
            id=alert_id,
            fingerprint=fingerprint(workspace_id, NOWHERE, None, labels),
            framework_id=NOWHERE,
            rule_id=None,
            rule_name="Test",
            alert_type="threshold",
            status=Status.FIRING,
            severity=Severity.INFO,
            title=f"Test of the channel {channel_name}: nothing is wrong",
            labels=labels,
            context={"test": True, "requested_by": user_id},
            current_value=None,
            threshold_value=None,
            occurrences=1,
            triggered_at=now,
            last_seen_at=now,
            suppression_seconds=0,
        )
    )
