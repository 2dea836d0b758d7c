"""What the self-audit stands on: a workspace, a framework, a rule, a channel and a key of its own."""

from __future__ import annotations

import uuid
from typing import Final

from convex_common.domain.api_key import mint
from convex_common.domain.self_audit import WORKSPACE
from convex_common.ids import Ids
from convex_common.postgres.database import Connection, Database

SLUG: Final = "convex-self-audit"
FRAMEWORK: Final = uuid.UUID("5e1fa0d1-0000-8000-8000-000000000002")
RULE: Final = uuid.UUID("5e1fa0d1-0000-8000-8000-000000000003")
CHANNEL: Final = uuid.UUID("5e1fa0d1-0000-8000-8000-000000000004")

# In the order in which they refer to one another. What is there already stays as it is.
ENSURE: Final = (
    """INSERT INTO workspaces (id, slug, name) VALUES (%(workspace)s, %(slug)s, 'Self-audit')
    ON CONFLICT (id) DO NOTHING""",
    "INSERT INTO workspace_feed (workspace_id) VALUES (%(workspace)s) ON CONFLICT DO NOTHING",
    """INSERT INTO workspace_retention (workspace_id, observations_days, log_days, alerts_days, statistics_days)
    VALUES (%(workspace)s, 1, 3, 3, 3) ON CONFLICT DO NOTHING""",
    """INSERT INTO frameworks (workspace_id, id, name, description)
    VALUES (%(workspace)s, %(framework)s, 'self-audit', 'An alert a minute, which proves the whole path')
    ON CONFLICT DO NOTHING""",
    """INSERT INTO channels (workspace_id, id, kind, name) VALUES (%(workspace)s, %(channel)s, 'in_app', 'self-audit')
    ON CONFLICT DO NOTHING""",
    """INSERT INTO rules (workspace_id, id, framework_id, name, alert_type, metric, condition, threshold_value,
        suppression_seconds, severity, channel_ids)
    VALUES (%(workspace)s, %(rule)s, %(framework)s, 'self-audit', 'threshold', 'self_audit', 'above', 0, 60, 'info',
        ARRAY[%(channel)s]::uuid[])
    ON CONFLICT DO NOTHING""",
)
RELOAD: Final = "UPDATE workspaces SET config_version = config_version + 1 WHERE id = %s"
FORGET: Final = "DELETE FROM api_keys WHERE workspace_id = %s AND expires_at < clock_timestamp()"
KEY: Final = """INSERT INTO api_keys (workspace_id, id, name, prefix, digest, role, scopes, created_by, expires_at)
VALUES (%s, %s, 'self-audit', %s, %s, 'responder', '{ingest,read,respond}', 'self-audit',
    clock_timestamp() + make_interval(secs => %s))"""


def prepare(database: Database, ids: Ids, key_seconds: float) -> str:
    """Make what is missing, and a new key that is good for so long; its text, which nothing keeps.

    StoreUnavailable where PostgreSQL is away.
    """
    key = mint()
    with database.transaction(WORKSPACE) as connection:
        if _ensure(connection):
            connection.execute(RELOAD, (WORKSPACE,))
        connection.execute(FORGET, (WORKSPACE,))
        connection.execute(KEY, (WORKSPACE, ids.new(), key.prefix, key.digest, key_seconds))
    return key.text


def _ensure(connection: Connection) -> bool:
    which = {"workspace": WORKSPACE, "slug": SLUG, "framework": FRAMEWORK, "rule": RULE, "channel": CHANNEL}
    return sum(connection.execute(statement, which).rowcount for statement in ENSURE) > 0
