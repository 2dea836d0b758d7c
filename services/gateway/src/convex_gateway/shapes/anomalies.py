"""Anomalies on the wire."""

from __future__ import annotations

import datetime as dt
import uuid

from pydantic import Field

from convex_common.domain.alert import Status
from convex_gateway.pagination import Page
from convex_gateway.shapes.body import Answer


class Anomaly(Answer):
    """What was unusual, and why. Of an alert that was sent in, only what its sender told is there."""

    alert_id: uuid.UUID
    rule_id: uuid.UUID | None
    rule_name: str
    framework_id: uuid.UUID
    metric: str | None
    labels: dict[str, str]
    at: dt.datetime
    status: Status
    value: float | None
    score: float | None = Field(description="From 0 to 1; 0.5 is what a person wants to know of")
    expected: float | None
    low: float | None = Field(description="From here to `high` would have been usual")
    high: float | None
    confidence: float | None = Field(description="Grows from 0 to 1 over the first two weeks of a series")
    reason: str | None
    why: str | None = Field(description="The reason in words")


class AnomalyPage(Page[Anomaly]):
    """Anomalies, the newest first."""
