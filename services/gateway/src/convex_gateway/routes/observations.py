"""Observations read back: what a chart and the editor of a rule show. They are sent in by `ingest.observations`."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec
from fastapi import Query
from pydantic import StringConstraints
from starlette.responses import Response

from convex_common.domain.role import Role
from convex_common.errors import Invalid
from convex_common.postgres import observations as rows
from convex_gateway.known import check_framework
from convex_gateway.operations import Authorized, Resource
from convex_gateway.pagination import PageAsked, cut, text_cursor_of
from convex_gateway.problems import NO_NUL, FieldError, Problems
from convex_gateway.shapes.body import Moment
from convex_gateway.shapes.observations import MetricPage, ObservedMetric

resource = Resource("observations")

USUAL_PERIOD: Final = dt.timedelta(hours=6)
LONGEST_PERIOD: Final = dt.timedelta(days=400)
MOST_POINTS: Final = 1000
MOST_SERIES: Final = 20
SHORTEST_STEP_MS: Final = 1
NEVER: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
"""Nothing was observed before."""

MetricName = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=NO_NUL)]
LabelTest = Annotated[str, StringConstraints(min_length=2, max_length=2200, pattern=NO_NUL)]
_encode = msgspec.json.Encoder().encode


@resource.operation("GET", "/observations", role=Role.VIEWER, answer=ObservedMetric, errors=(404,))
async def get_observations(
    call: Authorized,
    framework_id: uuid.UUID,
    metric: MetricName,
    label: Annotated[
        list[LabelTest] | None, Query(max_length=64, description="`name=value`, several times: labels to be there")
    ] = None,
    begin: Annotated[Moment | None, Query(alias="from", description="Six hours before `to` if absent")] = None,
    end: Annotated[Moment | None, Query(alias="to", description="Not included; now if absent")] = None,
    points: Annotated[int, Query(ge=1, le=MOST_POINTS, description="Of each series at most")] = 300,
    limit: Annotated[int, Query(ge=1, le=MOST_SERIES, description="Series at most")] = 10,
) -> Response:
    """Look at a metric over a period.

    Observations are put together over equal spans of time, so that a chart of any period has as many points as it can
    show and no more.
    """
    labels = _labels(label or ())
    first, last = _period(begin, end, dt.datetime.now(dt.UTC))
    step = _step(last - first, points)
    async with call.transaction() as connection:
        found = await rows.series(
            connection,
            call.workspace_id,
            framework_id,
            metric,
            labels,
            begin=first,
            end=last,
            step=step,
            count=limit + 1,
        )
        if not found:
            await check_framework(connection, call.workspace_id, framework_id)
    told = {
        "framework_id": framework_id,
        "metric": metric,
        "from": first,
        "to": last,
        "step_seconds": step.total_seconds(),
        "series": found[:limit],
        "more": len(found) > limit,
    }
    return Response(_encode(told), media_type="application/json")


@resource.operation("GET", "/observations/metrics", role=Role.VIEWER, answer=MetricPage, errors=(404,))
async def list_metrics(call: Authorized, asked: PageAsked, framework_id: uuid.UUID) -> object:
    """List the metrics that a framework was observed by, by name."""
    async with call.transaction() as connection:
        found = await rows.metrics(
            connection, call.workspace_id, framework_id, after=asked.after_text, count=asked.limit + 1
        )
        if not found:
            await check_framework(connection, call.workspace_id, framework_id)
    items, last = cut(found, asked.limit)
    return {"items": items, "next_cursor": text_cursor_of(last.metric if last else None)}


def _labels(tests: Sequence[str]) -> Mapping[str, str]:
    labels: dict[str, str] = {}
    for place, test in enumerate(tests):
        name, equals, value = test.partition("=")
        if not name or not equals:
            raise Problems([FieldError(field=f"label[{place}]", message="should be of the form name=value")])
        labels[name] = value
    return labels


def _period(begin: dt.datetime | None, end: dt.datetime | None, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    last = end or now
    if last <= NEVER:
        raise Invalid("to", "is before anything was observed")
    first = begin or last - USUAL_PERIOD
    if first >= last:
        raise Invalid("from", "must be before `to`")
    if last - first > LONGEST_PERIOD:
        raise Invalid("from", f"may be {LONGEST_PERIOD.days} days before `to` at most")
    return first, last


def _step(period: dt.timedelta, points: int) -> dt.timedelta:
    """The span of a point: whole milliseconds, as many as make `points` of the period at most."""
    milliseconds = period / dt.timedelta(milliseconds=1)
    return dt.timedelta(milliseconds=max(SHORTEST_STEP_MS, math.ceil(milliseconds / points)))
