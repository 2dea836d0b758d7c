"""Predictions: what is foretold of frameworks, and what became of it."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Final

from fastapi import Query

from convex_common.domain.role import Role
from convex_common.postgres import predictions_query
from convex_gateway.known import check_framework
from convex_gateway.operations import Authorized, Resource
from convex_gateway.shapes.predictions import Predictions

resource = Resource("analytics")

MOST_FRAMEWORKS: Final = 200
MOST_OUTCOMES: Final = 50


@resource.operation("GET", "/analytics/predictions", role=Role.VIEWER, answer=Predictions, errors=(404,))
async def get_analytics_predictions(
    call: Authorized,
    framework_id: uuid.UUID | None = None,
    days: Annotated[int, Query(ge=1, le=366, description="Over how many days past ones are judged")] = 30,
) -> object:
    """Show what is foretold.

    Probabilities are those of statistics; a language model, where one is set up, only writes the reasoning and the
    actions. They are made at 03:00 UTC, and when somebody asks for a run of the job `predictions`.
    """
    now = dt.datetime.now(dt.UTC)
    since = now - dt.timedelta(days=days)
    async with call.transaction() as connection:
        await check_framework(connection, call.workspace_id, framework_id)
        found = await predictions_query.newest(connection, call.workspace_id, framework_id, MOST_FRAMEWORKS)
        scores = await predictions_query.calibration(connection, call.workspace_id, framework_id, since)
        past = await predictions_query.outcomes(connection, call.workspace_id, framework_id, since, MOST_OUTCOMES)
        model = await predictions_query.model_use(connection, call.workspace_id, now)
    return {
        "made_at": found[0]["made_at"] if found else None,
        "frameworks": found,
        "calibration": scores,
        "outcomes": past,
        "model": model,
    }
