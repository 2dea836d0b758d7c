"""The live feed's frames, where they are read by REST."""

from __future__ import annotations

import uuid
from typing import Literal

from pydantic import Field

from convex_common.domain.alert import Event
from convex_gateway.shapes.alerts import Alert
from convex_gateway.shapes.body import Answer


class AlertFrame(Answer):
    """A change of an alert, and the alert after it."""

    type: Literal["alert"]
    event: Event
    offset: int
    data: Alert


class FeedPage(Answer):
    """What came after a position; ask for what comes after this page with its `epoch` and `offset`."""

    epoch: uuid.UUID
    offset: int
    recovered: bool
    more: bool = Field(description="Whether the next page can be read right away")
    items: list[AlertFrame]
