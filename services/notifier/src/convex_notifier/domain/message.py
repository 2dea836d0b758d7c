"""What is delivered, and where to."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One notification on its way to one channel; `alert` is the alert's JSON as it was when this was decided."""

    workspace_id: uuid.UUID
    delivery_id: uuid.UUID
    notification_id: uuid.UUID
    alert_id: uuid.UUID | None
    cause: str
    sequence: int
    reason: str | None
    alert: bytes
    created_at: dt.datetime
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A channel as its sender needs it; `config` has the opened secrets in it and is never logged."""

    channel_id: uuid.UUID
    kind: str
    config: Mapping[str, Any] = field(repr=False)
    concealed: tuple[str, ...] = field(default=(), repr=False)
    """What no answer may tell, the longest first."""
