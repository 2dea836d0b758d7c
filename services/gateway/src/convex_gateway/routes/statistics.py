"""Statistics of alerts in any time zone's periods: in one answer, as series, and as a CSV file."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from fastapi import Depends, Query
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import PlainTextResponse, Response

from convex_common.domain import calendar
from convex_common.domain.calendar import Bucket
from convex_common.domain.figures import Figures, health, total
from convex_common.domain.role import Role
from convex_common.domain.severity import Severity
from convex_common.errors import Invalid
from convex_common.postgres import insights
from convex_gateway.known import check_framework
from convex_gateway.operations import Authorized, Call, Resource
from convex_gateway.routes.analytics import Compute, of_statistics, period
from convex_gateway.series import PARTS, Metric, as_csv, series, unit
from convex_gateway.shapes.silences import Timezone
from convex_gateway.shapes.statistics import Statistics, Timeseries

resource = Resource("analytics")

MOST_HOURLY_DAYS: Final = 62
MOST_FRAMEWORKS: Final = 200
NOISIEST: Final = 10


class Asked:
    """Whose figures, of which days, by whose clock."""

    def __init__(
        self,
        framework_id: uuid.UUID | None = None,
        first: Annotated[
            dt.date | None, Query(alias="from", description="The first day; six days before the last one if absent")
        ] = None,
        last: Annotated[
            dt.date | None, Query(alias="to", description="The last day, included; today if absent")
        ] = None,
        tz: Annotated[
            Timezone | None, Query(description="Whose days they are, such as Europe/Berlin; the workspace's if absent")
        ] = None,
    ) -> None:
        self.framework_id = framework_id
        self.first = first
        self.last = last
        self.tz = tz

    async def on(self, connection: AsyncConnection, workspace_id: uuid.UUID) -> Period:
        """The days that it comes to."""
        where = ZoneInfo(self.tz or await insights.timezone(connection, workspace_id))
        first, last = period(self.first, self.last, dt.datetime.now(where).date())
        return Period(self.framework_id, first, last, where)

    def spelled(self) -> str:
        """For the cache; what it leaves to the day changes with the day."""
        return f"{self.framework_id} {self.first} {self.last} {self.tz}"


class Period(msgspec.Struct, frozen=True):
    """Days of a time zone."""

    framework_id: uuid.UUID | None
    first: dt.date
    last: dt.date
    where: ZoneInfo

    def told(self) -> dict[str, Any]:
        """As answers begin."""
        return {"from": self.first, "to": self.last, "timezone": self.where.key}


PeriodAsked = Annotated[Asked, Depends(Asked)]


@resource.operation("GET", "/analytics/statistics", role=Role.VIEWER, answer=Statistics, errors=(404,))
async def get_statistics(call: Authorized, asked: PeriodAsked) -> Response:
    """Tell how alerts went in a period, and in the one before.

    Counts, rates, times, the health of each framework, how alerts are spread over the hours of the week, and the rules
    that fire most. Computed every half hour.
    """

    async def compute(connection: AsyncConnection) -> dict[str, Any]:
        of = await asked.on(connection, call.workspace_id)
        hours = calendar.bounds(Bucket.HOUR, of.first, of.last, of.where)
        ends = [hours[0], hours[-1]]
        found = await insights.counted(connection, call.workspace_id, of.framework_id, ends)
        if not found:
            await check_framework(connection, call.workspace_id, of.framework_id)
        begun, ended = calendar.before(of.first, of.last)
        earlier = [calendar.midnight(begun, of.where), calendar.end_of(ended, of.where)]
        previous = await insights.counted(connection, call.workspace_id, of.framework_id, earlier)
        spread = await insights.counted(connection, call.workspace_id, of.framework_id, hours, parts=())
        whole = total(one.figures for one in found)
        most = sorted(found, key=lambda one: (-one.figures.alerts, one.framework_id))[:MOST_FRAMEWORKS]
        return {
            **of.told(),
            "computed_at": max((one.computed_at for one in found), default=None),
            "total": _figures(whole),
            "previous": _figures(total(one.figures for one in previous)),
            "frameworks": [{"framework_id": one.framework_id, **_figures(one.figures)} for one in most],
            "by_hour": _by_hour(spread, hours, of.where),
            "noisiest": await _noisiest(connection, call.workspace_id, whole),
        }

    return await _cached(call, f"statistics {asked.spelled()}", compute)


@resource.operation("GET", "/analytics/timeseries", role=Role.VIEWER, answer=Timeseries, errors=(404,))
async def get_timeseries(
    call: Authorized, asked: PeriodAsked, metric: Metric = Metric.ALERTS, bucket: Bucket = Bucket.DAY
) -> Response:
    """Tell how a metric went, hour by hour, or by days, weeks (from Monday) or months of a time zone.

    Days are 23 or 25 hours long where clocks change. Hours for up to 62 days at once.
    """

    async def compute(connection: AsyncConnection) -> dict[str, Any]:
        of = await asked.on(connection, call.workspace_id)
        instants = _bounds(bucket, of)
        parts = PARTS.get(metric, ())
        found = await insights.counted(connection, call.workspace_id, of.framework_id, instants, parts)
        if not found:
            await check_framework(connection, call.workspace_id, of.framework_id)
        return {
            **of.told(),
            "metric": metric,
            "unit": unit(metric),
            "bucket": bucket,
            "times": instants[:-1],
            "series": series(metric, _in_buckets(found, len(instants) - 1)),
        }

    return await _cached(call, f"timeseries {metric} {bucket} {asked.spelled()}", compute)


class Csv(PlainTextResponse):
    """A table; its first line names the columns."""

    media_type = "text/csv"


@resource.operation(
    "GET", "/analytics/export", role=Role.VIEWER, text=Csv, errors=(404,), headers={"Content-Disposition": "A name"}
)
async def export_statistics(call: Authorized, asked: PeriodAsked, bucket: Bucket = Bucket.DAY) -> Response:
    """Get the statistics as CSV: a line for each framework and bucket in which anything happened."""
    async with call.transaction() as connection:
        of = await asked.on(connection, call.workspace_id)
        instants = _bounds(bucket, of)
        found = await insights.counted(connection, call.workspace_id, of.framework_id, instants)
        if not found:
            await check_framework(connection, call.workspace_id, of.framework_id)
        names = await insights.framework_names(connection, call.workspace_id)
    found.sort(key=lambda one: (one.bucket, names.get(one.framework_id, ""), one.framework_id))
    text = as_csv(
        (instants[one.bucket].astimezone(of.where), one.framework_id, names.get(one.framework_id, ""), one.figures)
        for one in found
    )
    name = f"statistics-{of.first}-{of.last}-{bucket}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Csv(text, headers=headers)


async def _cached(call: Call, key: str, compute: Compute) -> Response:
    today = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H")  # days of all zones begin and end with an hour, nearly
    found = await of_statistics(call, f"{key} {today}", compute)
    return Response(found.value, media_type="application/json")


def _bounds(bucket: Bucket, of: Period) -> list[dt.datetime]:
    if bucket is Bucket.HOUR and (of.last - of.first).days >= MOST_HOURLY_DAYS:
        raise Invalid("from", f"is more than {MOST_HOURLY_DAYS} days before `to`", cure="ask for days, or for less")
    return calendar.bounds(bucket, of.first, of.last, of.where)


def _in_buckets(found: Sequence[insights.Counted], buckets: int) -> list[Figures]:
    of: list[list[Figures]] = [[] for _ in range(buckets)]
    for one in found:
        of[one.bucket].append(one.figures)
    return [total(each) for each in of]


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "alerts": figures.alerts,
        "folded": figures.folded,
        "told": figures.told,
        "acknowledged": figures.acknowledged.count,
        "resolved": figures.resolved.count,
        "judged": figures.judged,
        "false_alarms": figures.false_alarms,
        "by_severity": {each.value: figures.by_severity.get(each.value, 0) for each in Severity},
        "by_type": figures.by_type,
        "withheld": figures.withheld,
        "deliveries": _deliveries(figures.deliveries),
        "time_to_acknowledge": figures.acknowledged.as_answer(),
        "time_to_resolve": figures.resolved.as_answer(),
        "rates": figures.rates(),
        "health": health(figures).as_answer(),
    }


def _deliveries(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    by_channel: dict[str, dict[str, int]] = {}
    for key, count in counts.items():
        channel, _, status = key.partition("/")
        by_channel.setdefault(channel, {})[status] = count
    return [
        {
            "channel_id": channel,
            **{status: of.get(status, 0) for status in ("delivered", "failed", "quarantined")},
        }
        for channel, of in sorted(by_channel.items())
    ]


def _by_hour(spread: Sequence[insights.Counted], hours: Sequence[dt.datetime], where: ZoneInfo) -> list[list[int]]:
    """Monday first; 24 hours of each weekday by that zone's clock."""
    table = [[0] * 24 for _ in range(7)]
    clocks = [at.astimezone(where) for at, _ in pairwise(hours)]
    for one in spread:
        clock = clocks[one.bucket]
        table[clock.weekday()][clock.hour] += one.figures.alerts
    return table


async def _noisiest(connection: AsyncConnection, workspace_id: uuid.UUID, whole: Figures) -> list[dict[str, Any]]:
    most = sorted(whole.by_rule.items(), key=lambda one: (-one[1], one[0]))[:NOISIEST]
    names = await insights.rule_names(connection, workspace_id, [uuid.UUID(rule_id) for rule_id, _ in most])
    return [
        {
            "rule_id": rule_id,
            "rule_name": names.get(uuid.UUID(rule_id), (None, ""))[1],
            "framework_id": names.get(uuid.UUID(rule_id), (None, ""))[0],
            "alerts": alerts,
            "share": round(alerts / whole.alerts, 4) if whole.alerts else None,
        }
        for rule_id, alerts in most
    ]
