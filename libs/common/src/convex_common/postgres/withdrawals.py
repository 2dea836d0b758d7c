"""Open alerts whose rule or framework ends: no observation will clear them, so they are resolved with it."""

from __future__ import annotations

import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.domain.alert import Reason
from convex_common.events import Withdrawn, encode

WITHDRAW = """INSERT INTO timers (workspace_id, kind, subject, due_at, shard, key, payload)
SELECT workspace_id, 'withdrawn', id::text, now(), get_byte(fingerprint, 0) % 64, fingerprint, :payload
FROM alerts WHERE workspace_id = :workspace AND status <> 'resolved' AND {column} = :ended
ON CONFLICT (workspace_id, kind, subject) DO UPDATE SET due_at = excluded.due_at, payload = excluded.payload"""

OF_RULE = text(WITHDRAW.format(column="rule_id"))
OF_FRAMEWORK = text(WITHDRAW.format(column="framework_id"))


async def withdraw_rule(
    connection: AsyncConnection, workspace_id: uuid.UUID, rule_id: uuid.UUID, reason: Reason
) -> None:
    """Let the processors resolve the rule's open alerts, each in the order of its own events, after the commit."""
    payload = encode(Withdrawn(rule_id=rule_id, reason=reason.value))
    await connection.execute(OF_RULE, {"workspace": workspace_id, "ended": rule_id, "payload": payload})


async def withdraw_framework(connection: AsyncConnection, workspace_id: uuid.UUID, framework_id: uuid.UUID) -> None:
    """The same for all of a framework's alerts, other tools' among them."""
    payload = encode(Withdrawn(rule_id=None, reason=Reason.FRAMEWORK_DELETED.value))
    await connection.execute(OF_FRAMEWORK, {"workspace": workspace_id, "ended": framework_id, "payload": payload})
