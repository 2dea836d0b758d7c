"""What both shells need of a socket: where it is, and why it was lost."""

from __future__ import annotations

from typing import Any, Final, TypedDict

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from convex_alerts import calls, models
from convex_alerts.answers import seconds_of
from convex_alerts.calls import Listing
from convex_alerts.live.items import Position, Snapshot

LOST: Final = (OSError, EOFError, TimeoutError, InvalidHandshake, ConnectionClosed)
"""What says that there is no socket, or none any more."""
OPEN: Final = ("firing", "acknowledged")
MOST_OPEN: Final = 1_000
"""Open alerts that are read while no socket can be had."""


class Loss(TypedDict, total=False):
    """Why, as `Machine.lost` wants it."""

    code: int | None
    reason: str
    retry_after: float | None


def options(token: str) -> dict[str, Any]:
    """How a connection is opened. Pings are the machine's: they show that the service answers, not only its socket."""
    return {
        "additional_headers": {"Authorization": f"Bearer {token}"},
        "compression": None,
        "ping_interval": None,
        "open_timeout": 10,
        "close_timeout": 1,
        "max_size": 1 << 22,
    }


def address_of(url: str) -> str:
    """Where an installation's feed is."""
    return url.replace("http", "ws", 1) + "/ws"


def loss_of(error: Exception) -> Loss:
    """Why a socket was lost, or could not be had."""
    match error:
        case ConnectionClosed(rcvd=received) if received is not None:
            return {"code": received.code, "reason": received.reason}
        case InvalidStatus(response=response):
            asked = seconds_of(response.headers.get("Retry-After", ""))
            return {"reason": f"no socket, but HTTP {response.status_code}", "retry_after": asked}
    return {"reason": str(error) or type(error).__name__}


def open_alerts(framework_id: str | None) -> Listing[models.Alert]:
    """The list that stands for the feed while no socket can be had."""
    return calls.listing(models.Alert, "alerts", query=calls.asked(framework_id=framework_id, status=OPEN))


def snapshot_of(pages: list[models.Page[models.Alert]]) -> Snapshot:
    """What these pages show; the feed goes on from where it stood as the first was read."""
    alerts = {alert.id: alert for page in reversed(pages) for alert in page.items}
    first = pages[0]
    stood = Position(first.epoch, first.offset) if first.epoch is not None and first.offset is not None else None
    return Snapshot(tuple(alerts.values()), stood)
