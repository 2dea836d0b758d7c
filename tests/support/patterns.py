"""A pattern as analytics would have stored it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from convex_common.ids import Ids
from convex_common.postgres.database import Database


def store_pattern(
    database: Database,
    workspace_id: uuid.UUID,
    rule: Mapping[str, Any],
    change: Mapping[str, Any],
    *,
    kind: str = "noisy",
    confidence: int = 90,
) -> str:
    """Its id. `rule` is as REST answers it."""
    pattern_id = Ids().new()
    told = {"action": "Let it hold for 2 minutes.", "change": change, "expected": None}
    with database.transaction(workspace_id) as connection:
        connection.execute(
            "INSERT INTO patterns (workspace_id, id, key, kind, status, framework_id, rule_id, rule_name, confidence, "
            "occurrences, evidence, recommendation, first_found_at, last_found_at) "
            "VALUES (%s, %s, %s, %s, 'open', %s, %s, %s, %s, 40, '{}', %s, now(), now())",
            (workspace_id, pattern_id, str(pattern_id), kind, rule["framework_id"], rule["id"], rule["name"],
             confidence, json.dumps(told)),
        )  # fmt: skip
    return str(pattern_id)
