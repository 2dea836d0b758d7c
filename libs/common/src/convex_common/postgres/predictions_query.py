"""Reading predictions: the newest of each framework, how good past ones were, and what asking a model cost."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_FRAMEWORK: Final = "(CAST(:framework AS uuid) IS NULL OR p.framework_id = CAST(:framework AS uuid))"

# The frameworks of the newest run of all, or of one framework's newest, and those that somebody still has.
_REPORTS: Final = text(f"""SELECT p.framework_id, f.name AS framework_name, p.made_at, p.written_by, p.reasoning,
    p.actions, p.evidence,
    (SELECT json_agg(json_build_object('kind', q.kind, 'horizon_seconds', q.horizon_seconds,
        'probability', q.probability, 'risk', q.risk, 'expected_at', q.expected_at, 'expected_from', q.expected_from,
        'expected_to', q.expected_to, 'threshold', q.threshold, 'reason', q.reason)
        ORDER BY q.kind = 'next_alert' DESC, q.kind, q.horizon_seconds)
     FROM predictions q WHERE q.workspace_id = p.workspace_id AND q.made_at = p.made_at
        AND q.framework_id = p.framework_id) AS predictions
FROM prediction_reports p JOIN frameworks f ON f.workspace_id = p.workspace_id AND f.id = p.framework_id
WHERE p.workspace_id = :workspace AND f.deleted_at IS NULL AND {_FRAMEWORK} AND p.made_at = (
    SELECT max(p.made_at) FROM prediction_reports p WHERE p.workspace_id = :workspace AND {_FRAMEWORK})
ORDER BY (SELECT max(q.probability) FROM predictions q WHERE q.workspace_id = p.workspace_id AND q.made_at = p.made_at
    AND q.framework_id = p.framework_id AND q.kind <> 'next_alert' AND q.horizon_seconds = 86400) DESC, p.framework_id
LIMIT :most""")  # noqa: S608 - made of our own text

_SCORED: Final = f"""FROM predictions p WHERE p.workspace_id = :workspace AND p.scored_at IS NOT NULL
    AND p.made_at >= :since AND {_FRAMEWORK}"""

# What always saying the share that came would have scored: nobody knew it before, so no rate is harder to beat.
_CALIBRATION: Final = text(f"""SELECT p.kind, count(*), count(*) FILTER (WHERE p.was_accurate), avg(p.brier),
    avg((p.happened_at IS NOT NULL)::int::float8) * (1 - avg((p.happened_at IS NOT NULL)::int::float8))
{_SCORED} GROUP BY GROUPING SETS ((), (p.kind)) ORDER BY p.kind NULLS FIRST""")

_BINS: Final = text(f"""SELECT least(floor(p.probability * 10), 9)::int AS tenth, avg(p.probability),
    avg((p.happened_at IS NOT NULL)::int::float8), count(*) {_SCORED} GROUP BY 1 ORDER BY 1""")

_OUTCOMES: Final = text(f"""SELECT p.framework_id, p.made_at, p.kind, p.horizon_seconds, p.due_at, p.probability,
    p.risk, p.threshold, p.happened_at, p.was_accurate, p.brier
{_SCORED} ORDER BY p.due_at DESC, p.framework_id, p.kind, p.horizon_seconds LIMIT :most""")

_CALLS: Final = text("""SELECT count(*), coalesce(sum(input_tokens), 0)::bigint,
    coalesce(sum(output_tokens), 0)::bigint, coalesce(sum(cost_micros), 0)::bigint FROM model_calls
WHERE workspace_id = :workspace AND at >= date_trunc('month', CAST(:now AS timestamptz), 'UTC')""")


async def newest(
    connection: AsyncConnection, workspace_id: uuid.UUID, framework_id: uuid.UUID | None, most: int
) -> list[Mapping[str, Any]]:
    """Reports with their predictions, the one that should worry most first."""
    which = {"workspace": workspace_id, "framework": framework_id, "most": most}
    return [dict(row) for row in (await connection.execute(_REPORTS, which)).mappings()]


async def calibration(
    connection: AsyncConnection, workspace_id: uuid.UUID, framework_id: uuid.UUID | None, since: dt.datetime
) -> dict[str, Any]:
    """How good those were whose time is over, all together, by kind, and by tenths of the probability."""
    which = {"workspace": workspace_id, "framework": framework_id, "since": since}
    rows = [
        {"kind": kind, "scored": scored, "accurate": accurate, "brier": brier, "base_rate_brier": base}
        for kind, scored, accurate, brier, base in await connection.execute(_CALIBRATION, which)
    ]
    bins = [
        {"foretold": foretold, "came": came, "scored": scored}
        for _, foretold, came, scored in await connection.execute(_BINS, which)
    ]
    whole = next((row for row in rows if row["kind"] is None), {})
    kinds = [row for row in rows if row["kind"] is not None]
    return {**{name: value for name, value in whole.items() if name != "kind"}, "kinds": kinds, "bins": bins}


async def outcomes(
    connection: AsyncConnection, workspace_id: uuid.UUID, framework_id: uuid.UUID | None, since: dt.datetime, most: int
) -> Sequence[Mapping[str, Any]]:
    """What became of the last ones."""
    which = {"workspace": workspace_id, "framework": framework_id, "since": since, "most": most}
    return [dict(row) for row in (await connection.execute(_OUTCOMES, which)).mappings()]


async def model_use(connection: AsyncConnection, workspace_id: uuid.UUID, now: dt.datetime) -> dict[str, Any]:
    """What was asked of a language model in the running UTC month."""
    row = (await connection.execute(_CALLS, {"workspace": workspace_id, "now": now})).one()
    return {"calls": row[0], "input_tokens": row[1], "output_tokens": row[2], "cost_usd": row[3] / 1e6}
