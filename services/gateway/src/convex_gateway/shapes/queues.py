"""Queues and what was put aside from them, on the wire."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from convex_gateway.pagination import Page
from convex_gateway.shapes.body import Answer, Body
from convex_gateway.shapes.measures import Latency, QueueStates

MOST = 500


class QueueName(StrEnum):
    """A queue; `scheduler` are the jobs that the scheduler does itself."""

    ALERT = "alert"
    NOTIFICATION = "notification"
    ANALYTICS = "analytics"
    PREDICTION = "prediction"
    SCHEDULER = "scheduler"


class Queue(QueueStates):
    """What is in a queue, and how quick it is: in milliseconds over the last 15 minutes, null while Redis is away."""

    name: QueueName
    wait: Latency | None
    processing: Latency | None


class Queues(Answer):
    """Every queue. Jobs belong to the installation: in a workspace's view those queues are empty."""

    items: list[Queue]


class Quarantined(Answer):
    """Something that failed too often and waits for a person."""

    id: uuid.UUID
    queue: QueueName
    kind: str = Field(description="The event's kind, the kind of channel, or the job's name")
    reason: str = Field(description="How the last attempt failed")
    attempts: int
    quarantined_at: dt.datetime
    payload: str = Field(description="The start of what it was about, without what looks like a secret")


class QuarantinedPage(Page[Quarantined]):
    """What waits, the newest first."""


class Chosen(Body):
    """Which of them; without ids the oldest 500."""

    ids: Annotated[list[uuid.UUID], Field(min_length=1, max_length=MOST)] | None = None


class Moved(Answer):
    """What was taken out of quarantine, and how much is left. Ids that were not there are passed over."""

    ids: list[uuid.UUID]
    remaining: int
