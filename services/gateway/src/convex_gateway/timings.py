"""How long requests take and how they end, by what they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client import Histogram

from convex_gateway.body_limit import INGEST_PATHS

ROUTES: Final = ("ingest", "api", "pages")
CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")


def route_of(path: str) -> str:
    """`ingest` takes events, `api` all else that programs ask; `pages` are the dashboard and signing in."""
    if path.startswith(INGEST_PATHS):
        return "ingest"
    return "api" if path.startswith("/api/") else "pages"


class Timings:
    """Observes requests by route and class of status. All series are there from the start, for the sake of rates."""

    def __init__(self, seconds: Histogram | None) -> None:
        self._series: Mapping[tuple[str, int], Histogram] = {}
        if seconds is not None:
            self._series = {
                (route, place): seconds.labels(route, status)
                for route in ROUTES
                for place, status in enumerate(CLASSES, start=2)
            }

    def observe(self, path: str, status: int, seconds: float, exemplar: dict[str, str] | None = None) -> None:
        """One request. Whose caller went away before there was an answer (status 0) is nobody's success or failure."""
        if series := self._series.get((route_of(path), status // 100)):
            series.observe(seconds, exemplar)
