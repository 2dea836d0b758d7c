"""Observations as they are read back."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated

from pydantic import Field

from convex_gateway.pagination import Page
from convex_gateway.shapes.body import Answer


class Point(Answer):
    """What a series did from `at` on, for one step; steps without an observation are left out."""

    at: dt.datetime
    min: float
    max: float
    avg: float
    last: float
    count: int


class ObservedSeries(Answer):
    """The observations of one set of labels."""

    labels: dict[str, str]
    last_at: dt.datetime = Field(description="Of its last observation, in the period or not")
    last_value: float
    points: list[Point] = Field(description="The oldest first")
    cut: bool = Field(description="It has more than 100,000 observations in the period: the oldest are left out")


class ObservedMetric(Answer):
    """A metric over a period, one series for each set of labels."""

    framework_id: uuid.UUID
    metric: str
    first: Annotated[dt.datetime, Field(alias="from")]
    last: Annotated[dt.datetime, Field(alias="to")]
    step_seconds: float = Field(description="How long a point's span is")
    series: list[ObservedSeries] = Field(description="Those observed last first")
    more: bool = Field(description="There are more series; ask for some labels, or with a greater `limit`")


class MetricSeen(Answer):
    """A metric that was observed."""

    metric: str
    series: int = Field(description="How many sets of labels it was observed with")
    last_at: dt.datetime
    label_sets: list[dict[str, str]] = Field(description="Up to 20 of them, those observed last first")


class MetricPage(Page[MetricSeen]):
    """A framework's metrics, by name."""
