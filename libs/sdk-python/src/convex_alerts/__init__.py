"""Python client and the convex command for Convex Alerts.

    from convex_alerts import Client

    with Client("https://alerts.example.com", token) as client:
        for alert in client.alerts.list(status=["firing"]):
            print(alert.severity, alert.title)

What is named here is imported when it is used, so that the command line starts quickly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convex_alerts.async_client import AsyncClient
    from convex_alerts.client import Client
    from convex_alerts.drafts import Observation, Trigger
    from convex_alerts.errors import (
        ApiError,
        Conflict,
        ConvexAlertsError,
        FeedClosed,
        Forbidden,
        Invalid,
        NotFound,
        Outdated,
        RateLimited,
        Unauthorized,
        Unavailable,
        Unreachable,
    )
    from convex_alerts.live.items import Broadcast, Change, Gap, Notified, Position, Snapshot, State
    from convex_alerts.live.machine import Terms
    from convex_alerts.models import Alert, Channel, Delivery, Framework, Rule

__all__ = [
    "Alert",
    "ApiError",
    "AsyncClient",
    "Broadcast",
    "Change",
    "Channel",
    "Client",
    "Conflict",
    "ConvexAlertsError",
    "Delivery",
    "FeedClosed",
    "Forbidden",
    "Framework",
    "Gap",
    "Invalid",
    "NotFound",
    "Notified",
    "Observation",
    "Outdated",
    "Position",
    "RateLimited",
    "Rule",
    "Snapshot",
    "State",
    "Terms",
    "Trigger",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
]

_MODULES = ("async_client", "client", "drafts", "errors", "live.items", "live.machine", "models")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            found = importlib.import_module(f"convex_alerts.{module}")
            if getattr(getattr(found, name, None), "__module__", "") == found.__name__:
                return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
