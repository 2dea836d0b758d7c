"""What was computed of alerts, on the wire."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated

from pydantic import Field

from convex_common.domain.alert import Status
from convex_common.domain.severity import Severity
from convex_gateway.shapes.body import Answer
from convex_gateway.shapes.statistics import Health, Rates


class Times(Answer):
    """How long it took, in seconds. Percentiles of several days cannot be put together, so the worst day stands."""

    mean: float | None
    worst_day_p95: float | None


class Figures(Answer):
    """What happened in the period. An alert counts on the day it fired, its end on the day it ended."""

    alerts: int
    occurrences: int = Field(description="Triggers, those that were folded into an alert included")
    acknowledged: int
    resolved: int
    by_severity: dict[str, int]
    by_type: dict[str, int]
    acknowledge_seconds: Times = Field(description="From the firing to a person's acknowledgement")
    resolve_seconds: Times = Field(description="From the firing to the end, by a person or by itself")
    rates: Rates
    health: Health


class FrameworkFigures(Figures):
    """The same of one framework."""

    framework_id: uuid.UUID


class OpenAlerts(Answer):
    """Alerts that are open at this moment."""

    total: int
    by_status: dict[Status, int]
    by_severity: dict[Severity, int]


class Summary(Answer):
    """A period in figures, as of the last time they were computed, and what is open now."""

    first_day: Annotated[dt.date, Field(alias="from")]
    last_day: Annotated[dt.date, Field(alias="to")]
    computed_at: dt.datetime | None = Field(description="null where nothing happened, or nothing was computed yet")
    total: Figures
    frameworks: list[FrameworkFigures] = Field(description="The 200 with the most alerts; `total` is of all")
    open: OpenAlerts
