"""Deliveries on the wire."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum

from pydantic import Field

from convex_gateway.pagination import Page
from convex_gateway.shapes.body import Answer


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    QUARANTINED = "quarantined"


class Attempt(Answer):
    """One try of a delivery."""

    id: uuid.UUID
    number: int = Field(description="Counted anew when it is replayed")
    outcome: str
    status_code: int | None
    error: str | None
    answer: str | None = Field(description="The start of what the other side answered")
    started_at: dt.datetime
    duration_ms: float


class Delivery(Answer):
    """One notification to one channel, with its ledger of attempts."""

    id: uuid.UUID
    notification_id: uuid.UUID
    cause: str
    alert_id: uuid.UUID | None
    channel_id: uuid.UUID
    channel_name: str
    channel_kind: str
    status: DeliveryStatus
    failures: int = Field(description="Failed attempts since it was made or replayed")
    next_attempt_at: dt.datetime | None
    delayed_reason: str | None
    last_error: str | None
    created_at: dt.datetime
    finished_at: dt.datetime | None
    attempts: list[Attempt] = Field(description="The ledger, the oldest first")


class DeliveryPage(Page[Delivery]):
    """Deliveries, the newest first."""
