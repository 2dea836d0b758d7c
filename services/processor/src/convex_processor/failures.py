"""Events that failed alone: put off with a growing pause, and after the third failure put aside."""

from __future__ import annotations

import logging

from convex_common.logging import bound, redacted
from convex_common.metrics import Metrics
from convex_common.postgres.database import Connection
from convex_common.tracing import trace_id_of
from convex_processor.claims import ClaimedEvent

MAX_ATTEMPTS = 3
PAUSES = (1.0, 5.0)
MAX_ERROR = 2000

PUT_OFF = """UPDATE inbox SET attempts = attempts + 1, last_error = %(error)s,
    due_at = clock_timestamp() + make_interval(secs => %(pause)s) WHERE shard = %(shard)s AND id = %(id)s"""
QUARANTINE = """WITH gone AS (DELETE FROM inbox WHERE shard = %(shard)s AND id = %(id)s RETURNING *)
INSERT INTO quarantine (workspace_id, id, queue, kind, shard, lane, key, payload, attempts, last_error, traceparent)
SELECT g.workspace_id, g.id, 'alert', g.kind, g.shard, g.lane, g.key, g.payload, g.attempts, g.last_error,
    g.traceparent
FROM gone g"""

log = logging.getLogger(__name__)


def record(connection: Connection, event: ClaimedEvent, error: Exception, metrics: Metrics) -> None:
    """One lone failure more. Later events of its key wait until it has succeeded or is put aside."""
    message = redacted(str(error))[:MAX_ERROR] or type(error).__name__
    final = event.attempts + 1 >= MAX_ATTEMPTS
    pause = PAUSES[min(event.attempts, len(PAUSES) - 1)]
    values: dict[str, object] = {"error": message, "shard": event.shard, "id": event.id, "pause": pause}
    with connection.transaction():
        connection.execute("SELECT set_config('app.workspace_id', %s, true)", (str(event.workspace_id),))
        connection.execute(PUT_OFF, values)  # which counts the error
        if final:
            connection.execute(QUARANTINE, values)
    metrics.alert_processing_errors.inc()
    _tell(event, message, final=final)


def _tell(event: ClaimedEvent, message: str, *, final: bool) -> None:
    with bound(workspace_id=event.workspace_id, trace_id=trace_id_of(event.traceparent)):
        said = "event put aside in quarantine" if final else "event failed and is put off"
        log.error(said, extra={"event_id": str(event.id), "attempts": event.attempts + 1, "error": message})
