"""Every dashboard, and the file that the chart has it in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from charts.dashboards import (
    alert_processing,
    cache_performance,
    overview,
    queue_status,
    system_health,
    websocket_connections,
)
from charts.dashboards.frame import Board

FILES: Final = Path(__file__).resolve().parents[1] / "convex-alerts" / "files" / "dashboards"


def boards() -> list[Board]:
    """All of them, the one to begin with first."""
    of = (overview, alert_processing, queue_status, websocket_connections, cache_performance, system_health)
    return [module.board() for module in of]


def contents() -> Mapping[Path, str]:
    """What each file has to say."""
    return {FILES / f"{board.name}.json": board.as_json() for board in boards()}
