"""Statistics of alerts on the wire."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated

from pydantic import Field

from convex_common.domain.calendar import Bucket
from convex_gateway.series import Metric
from convex_gateway.shapes.body import Answer


class Durations(Answer):
    """How long it took, in seconds: percentiles within 1 %, the average exactly; null where nothing was measured."""

    avg: float | None
    p50: float | None
    p95: float | None


class Rates(Answer):
    """From 0 to 1; null where there is nothing to tell of."""

    acknowledged: float | None = Field(description="Of the alerts that opened, how many somebody acknowledged")
    resolved: float | None = Field(description="Of the alerts that opened, how many are over")
    false_positive: float | None = Field(description="Of the alerts with a verdict, how many are false alarms")
    suppression_effectiveness: float | None = Field(
        description="Of the triggers that could have disturbed somebody once more, how many did not"
    )


class Health(Answer):
    """0 to 100: 25 points for each rate that meets its target, fewer in proportion. What is not known is left out."""

    score: float | None
    parts: dict[str, float | None]


class DeliveriesOfChannel(Answer):
    """Deliveries of a channel that became final."""

    channel_id: uuid.UUID
    delivered: int
    failed: int
    quarantined: int


class PeriodFigures(Answer):
    """What happened in the period, and what became of the alerts that opened in it."""

    alerts: int
    folded: int = Field(description="Triggers for which an alert was there already")
    told: int = Field(description="How often people were notified, ends of alerts aside")
    acknowledged: int
    resolved: int
    judged: int = Field(description="Alerts of the period that somebody gave a verdict on")
    false_alarms: int = Field(description="Those that more people called a false alarm than useful")
    by_severity: dict[str, int]
    by_type: dict[str, int]
    withheld: dict[str, int] = Field(description="Triggers that nobody was notified of, by reason")
    deliveries: list[DeliveriesOfChannel]
    time_to_acknowledge: Durations = Field(description="From the firing to a person's acknowledgement")
    time_to_resolve: Durations = Field(description="From the firing to the end, by a person or by itself")
    rates: Rates
    health: Health


class FrameworkPeriod(PeriodFigures):
    """The same of one framework."""

    framework_id: uuid.UUID


class NoisyRule(Answer):
    """A rule that fires much."""

    rule_id: uuid.UUID
    rule_name: str = Field(description="Empty where the rule is no longer known")
    framework_id: uuid.UUID | None
    alerts: int
    share: float | None = Field(description="Of all alerts of the period")


class Days(Answer):
    """Days of a time zone."""

    first_day: Annotated[dt.date, Field(alias="from")]
    last_day: Annotated[dt.date, Field(alias="to")]
    timezone: str


class Statistics(Days):
    """How alerts went in a period."""

    computed_at: dt.datetime | None = Field(description="null where nothing happened, or nothing was computed yet")
    total: PeriodFigures
    previous: PeriodFigures = Field(description="Of as many days right before")
    frameworks: list[FrameworkPeriod] = Field(description="The 200 with the most alerts")
    by_hour: list[list[int]] = Field(description="Alerts by weekday, Monday first, and hour of the day")
    noisiest: list[NoisyRule] = Field(description="The ten that opened the most alerts")


class Series(Answer):
    """A value for each of the times; null where there is nothing to tell of."""

    name: str
    values: list[float | None]


class Timeseries(Days):
    """How a metric went."""

    metric: Metric
    unit: str = Field(description="count, seconds, share (0 to 1) or points")
    bucket: Bucket
    times: list[dt.datetime] = Field(description="When each bucket begins")
    series: list[Series]
