"""Patterns as rows: what is found again stays the row that it is, with what people decided of it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from psycopg.types.json import Jsonb

from convex_analytics.domain.patterns.advice import Advice
from convex_analytics.domain.patterns.pattern import Pattern
from convex_common.ids import Ids
from convex_common.postgres.database import Connection

# A run for an older slot changes nothing that a newer one has found.
SAVE: Final = """INSERT INTO patterns AS p (workspace_id, id, key, kind, status, framework_id, rule_id, rule_name,
    lead_framework_id, lead_rule_id, lead_rule_name, confidence, occurrences, evidence, recommendation,
    first_found_at, last_found_at)
VALUES (%(workspace)s, %(id)s, %(key)s, %(kind)s, 'open', %(framework)s, %(rule)s, %(name)s,
    %(lead_framework)s, %(lead_rule)s, %(lead_name)s, %(confidence)s, %(occurrences)s, %(evidence)s,
    %(recommendation)s, %(slot)s, %(slot)s)
ON CONFLICT (workspace_id, key) DO UPDATE SET
    status = CASE p.status WHEN 'ended' THEN 'open' ELSE p.status END,
    recommendation = CASE WHEN p.status IN ('open', 'ended') THEN excluded.recommendation ELSE p.recommendation END,
    rule_name = excluded.rule_name, lead_rule_name = excluded.lead_rule_name, confidence = excluded.confidence,
    occurrences = excluded.occurrences, evidence = excluded.evidence, last_found_at = excluded.last_found_at,
    ended_at = NULL
WHERE p.last_found_at <= excluded.last_found_at"""

END: Final = """UPDATE patterns SET status = 'ended', ended_at = %(slot)s
WHERE workspace_id = %(workspace)s AND status = 'open' AND last_found_at < %(slot)s AND key <> ALL (%(keys)s)"""


@dataclass(frozen=True, slots=True)
class Saved:
    """How many were found, and how many have ended with this run."""

    found: int
    ended: int


def save(
    connection: Connection,
    workspace_id: uuid.UUID,
    found: Sequence[tuple[Pattern, Advice]],
    slot: dt.datetime,
    ids: Ids,
) -> Saved:
    """Store what was found for the slot; what is open and was not found has ended."""
    with connection.cursor() as cursor:
        if found:
            cursor.executemany(
                SAVE,
                [
                    {
                        "workspace": workspace_id,
                        "id": ids.new(),
                        "key": pattern.key,
                        "kind": pattern.kind.value,
                        "framework": pattern.subject.framework_id,
                        "rule": pattern.subject.rule_id,
                        "name": pattern.subject.name,
                        "lead_framework": pattern.lead.framework_id if pattern.lead else None,
                        "lead_rule": pattern.lead.rule_id if pattern.lead else None,
                        "lead_name": pattern.lead.name if pattern.lead else None,
                        "confidence": pattern.confidence,
                        "occurrences": pattern.occurrences,
                        "evidence": Jsonb(dict(pattern.evidence)),
                        "recommendation": Jsonb(advice.as_json()),
                        "slot": slot,
                    }
                    for pattern, advice in found
                ],
            )
        keys = [pattern.key for pattern, _ in found]
        cursor.execute(END, {"workspace": workspace_id, "slot": slot, "keys": keys})
        return Saved(len(found), cursor.rowcount)
