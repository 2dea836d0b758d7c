"""Analytics: what was computed of alerts."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from convex_common.domain import calendar, facets
from convex_common.domain.alert import Status
from convex_common.domain.figures import Figures, health, total
from convex_common.domain.role import Role
from convex_common.domain.severity import Severity
from convex_common.errors import Invalid
from convex_common.postgres import insights, statistics
from convex_common.postgres.positions import position
from convex_common.redis.cache.cache import Answer, Loaded
from convex_common.redis.cache.classes import ALERTS, STATISTICS
from convex_gateway.known import check_framework
from convex_gateway.operations import Authorized, Call, Resource
from convex_gateway.shapes.analytics import Summary

resource = Resource("analytics")

USUAL_DAYS: Final = 7
MOST_DAYS: Final = 366
UTC: Final = ZoneInfo("UTC")
FIRST_DAY: Final = dt.date(2000, 1, 1)
MOST_FRAMEWORKS: Final = 200
OPEN: Final = (Status.FIRING, Status.ACKNOWLEDGED)

Compute = Callable[[AsyncConnection], Awaitable[Mapping[str, Any]]]

_encode = msgspec.json.Encoder().encode


@resource.operation("GET", "/analytics/summary", role=Role.VIEWER, answer=Summary, errors=(404,))
async def get_analytics_summary(
    call: Authorized,
    framework_id: uuid.UUID | None = None,
    first: Annotated[
        dt.date | None, Query(alias="from", description="The first day, in UTC; six days before the last one if absent")
    ] = None,
    last: Annotated[dt.date | None, Query(alias="to", description="The last day, included; today if absent")] = None,
) -> Response:
    """Sum up a period.

    The figures are those of whole days, computed again every half hour for the running one; what is open is counted
    now.
    """
    begin, end = period(first, last, dt.datetime.now(dt.UTC).date())

    async def computed(connection: AsyncConnection) -> dict[str, Any]:
        found = await statistics.figures(connection, call.workspace_id, framework_id, begin, end)
        ends = [calendar.midnight(begin, UTC), calendar.end_of(end, UTC)]
        of_quarters = await insights.counted(connection, call.workspace_id, framework_id, ends)
        if not found:
            await check_framework(connection, call.workspace_id, framework_id)
        return _summed_up(begin, end, found, {one.framework_id: one.figures for one in of_quarters})

    async def counted() -> Loaded:
        async with call.transaction() as connection:
            epoch, offset, _ = await position(connection, call.workspace_id)
            found = await statistics.open_alerts(connection, call.workspace_id, framework_id)
        return Loaded(_encode(_open(found)), epoch, offset)

    find = call.gateway.cache.find
    figures = await of_statistics(call, f"summary {framework_id} {begin} {end}", computed)
    needed = facets.counted(framework_id, OPEN)
    open_now = await find(call.workspace_id, ALERTS, f"open {framework_id}", counted, facets=needed)
    return Response(figures.value[:-1] + b',"open":' + open_now.value + b"}", media_type="application/json")


async def of_statistics(call: Call, asked: str, compute: Compute) -> Answer:
    """What is computed of statistics, unless it is cached: its version is read before it, so it is of that at least."""

    async def load() -> Loaded:
        async with call.transaction() as connection:
            epoch, _, versions = await position(connection, call.workspace_id)
            answer = await compute(connection)
        return Loaded(_encode(answer), epoch, versions[STATISTICS.name])

    return await call.gateway.cache.find(call.workspace_id, STATISTICS, asked, load)


def period(first: dt.date | None, last: dt.date | None, today: dt.date) -> tuple[dt.date, dt.date]:
    """The days asked for, or those that are usual; Invalid where they make no period."""
    last = last or today
    if last < FIRST_DAY:
        raise Invalid("to", f"is before {FIRST_DAY}")
    first = first or max(FIRST_DAY, last - dt.timedelta(days=USUAL_DAYS - 1))
    if first < FIRST_DAY:
        raise Invalid("from", f"is before {FIRST_DAY}")
    if first > last:
        raise Invalid("from", "is after `to`")
    if (last - first).days >= MOST_DAYS:
        raise Invalid("from", f"is more than {MOST_DAYS} days before `to`", cure="ask for a year at a time")
    return first, last


def _summed_up(
    first: dt.date,
    last: dt.date,
    found: Mapping[uuid.UUID, statistics.Figures],
    of_quarters: Mapping[uuid.UUID, Figures],
) -> dict[str, Any]:
    whole = statistics.total(list(found.values()))
    most = list(found.items())[:MOST_FRAMEWORKS]
    return {
        "from": first,
        "to": last,
        "computed_at": whole.computed_at,
        "total": {**_figures(whole), **_how(total(of_quarters.values()))},
        "frameworks": [
            {
                "framework_id": framework_id,
                **_figures(figures),
                **_how(of_quarters.get(framework_id, Figures())),
            }
            for framework_id, figures in most
        ],
    }


def _how(figures: Figures) -> dict[str, Any]:
    return {"rates": figures.rates(), "health": health(figures).as_answer()}


def _figures(figures: statistics.Figures) -> dict[str, Any]:
    return {
        "alerts": figures.alerts,
        "occurrences": figures.occurrences,
        "acknowledged": figures.acknowledged,
        "resolved": figures.resolved,
        "by_severity": {severity.value: figures.by_severity.get(severity.value, 0) for severity in Severity},
        "by_type": figures.by_type,
        "acknowledge_seconds": _times(figures.acknowledge),
        "resolve_seconds": _times(figures.resolve),
    }


def _times(times: statistics.Times) -> dict[str, float | None]:
    return {"mean": times.mean, "worst_day_p95": times.worst_p95}


def _open(found: list[tuple[str, str, int]]) -> dict[str, Any]:
    return {
        "total": sum(count for _, _, count in found),
        "by_status": {status.value: sum(n for _, is_, n in found if is_ == status) for status in OPEN},
        "by_severity": {severity.value: sum(n for is_, _, n in found if is_ == severity) for severity in Severity},
    }
