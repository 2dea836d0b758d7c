"""The dead man's ping: an address outside is told that all is well, and complains when it is not told any more."""

from __future__ import annotations

import logging
from typing import Final

import httpx

from convex_common.metrics import Metrics

log = logging.getLogger(__name__)

PATIENCE: Final = 10.0


class Deadman:
    """Asks the address once; what fails is counted, and the next run tries again. HTTPS_PROXY is heeded.

    Who knows the address can say that all is well: it is in no log.
    """

    def __init__(self, url: str | None, metrics: Metrics) -> None:
        self._url = url
        self._metrics = metrics
        if url is not None:
            for outcome in ("told", "failed"):
                metrics.deadman_pings.labels(outcome)

    def tell(self) -> None:
        """All is well."""
        if self._url is None:
            return
        error = self._failure(self._url)
        self._metrics.deadman_pings.labels("told" if error is None else "failed").inc()
        if error is not None:
            log.warning("the dead man's switch was not told: %s", error)

    @staticmethod
    def _failure(url: str) -> str | None:
        try:
            answer = httpx.get(url, timeout=PATIENCE, headers={"user-agent": "convex-alerts"})
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return type(error).__name__
        return None if answer.is_success else f"it answered {answer.status_code}"
