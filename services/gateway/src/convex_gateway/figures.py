"""The figures behind `/api/metrics`: what the database counted, and what all processes measured, of one moment."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from uuid import UUID

from convex_common.contracts import QUEUES
from convex_common.domain.distribution import Distribution
from convex_common.domain.health import Health, Vitals, assess, queues_healthy
from convex_common.errors import Forbidden, StoreUnavailable
from convex_common.measures import ALERT_LATENCY, CACHE_ERRORS, CACHE_HITS, CACHE_MISSES
from convex_common.postgres import history
from convex_common.postgres.history import History
from convex_common.redis.measures import Measured, Tally

if TYPE_CHECKING:
    from convex_gateway.auth import Principal
    from convex_gateway.context import Gateway

log = logging.getLogger(__name__)

ALERTS: Final = "alert"


class FigureScope(StrEnum):
    """Whose figures: the caller's workspace's, or all workspaces', for operators."""

    WORKSPACE = "workspace"
    INSTALLATION = "installation"


@dataclass(frozen=True)
class Figures:
    """Of a workspace or the installation; `measured` is None while Redis is away."""

    history: History
    measured: Measured | None

    @property
    def failed_jobs(self) -> int:
        """Over all queues, what waits for a person."""
        return self.history.in_state("failed")

    @property
    def delayed_jobs(self) -> int:
        """Over all queues, what is due later."""
        return self.history.in_state("delayed")

    @property
    def queues_healthy(self) -> bool:
        """Whether few are failed and few delayed."""
        return queues_healthy(self.failed_jobs, self.delayed_jobs)

    @property
    def success_rate(self) -> float | None:
        """Of what the queues finished in the last 15 minutes, the percentage that ended well."""
        done = [self.history.of(queue) for queue in QUEUES]
        well, badly = sum(one.recently_completed for one in done), sum(one.recently_failed for one in done)
        return 100 * well / (well + badly) if well + badly else None

    @property
    def health(self) -> Health:
        """The health that follows from them."""
        return assess(vitals(self.history, self.measured))


@dataclass(frozen=True, slots=True)
class Lookups:
    """Of a cache, or of a class of it; `hit_rate` in percent of all look-ups, 0 where there were none."""

    hits: int
    misses: int
    errors: int

    @property
    def hit_rate(self) -> float:
        """A look-up that failed is a miss to whoever asked."""
        asked = self.hits + self.misses
        return round(100 * self.hits / asked, 2) if asked else 0.0


def lookups(tally: Tally) -> Lookups:
    """Over all classes."""
    return Lookups(*(tally.sum(name) for name in (CACHE_HITS, CACHE_MISSES, CACHE_ERRORS)))


def lookups_by_class(tally: Tally) -> dict[str, Lookups]:
    """By class, in the order of their names."""
    counted = [tally.by_label(name) for name in (CACHE_HITS, CACHE_MISSES, CACHE_ERRORS)]
    classes = sorted({label for counts in counted for label in counts})
    return {label: Lookups(*(counts.get(label, 0) for counts in counted)) for label in classes}


def latency(distribution: Distribution) -> dict[str, float | None]:
    """A distribution's figures as they are told."""
    told = {
        "mean": distribution.mean,
        **{f"p{percent}": distribution.quantile(percent / 100) for percent in (50, 95, 99)},
    }
    return {"count": distribution.count, **{name: None if it is None else round(it, 3) for name, it in told.items()}}


def vitals(history_: History, measured: Measured | None) -> Vitals:
    """What the health score is made of."""
    done = history_.of(ALERTS)
    seen = None if measured is None else lookups(measured.recent)
    return Vitals(
        latency_p95_ms=None if measured is None else measured.recent.whole(ALERT_LATENCY).quantile(0.95),
        processed=done.recently_completed,
        errors=done.recent_errors,
        failed_jobs=history_.in_state("failed"),
        delayed_jobs=history_.in_state("delayed"),
        cache_lookups=0 if seen is None else seen.hits + seen.misses,
        cache_errors=0 if seen is None else seen.errors,
        redis=measured is not None,
    )


def whose(principal: Principal, scope: FigureScope) -> UUID | None:
    """The workspace whose figures are meant, None for all. Forbidden without the claim `operator`."""
    if scope is FigureScope.WORKSPACE:
        return principal.workspace_id
    if not principal.operator:
        raise Forbidden("figures of the installation take a token with the claim operator")
    return None


async def figures_of(gateway: Gateway, workspace_id: UUID | None) -> Figures:
    """From both stores at once. StoreUnavailable without PostgreSQL; without Redis they are fewer."""
    measuring = asyncio.create_task(asyncio.to_thread(_measured, gateway, workspace_id))
    try:
        async with gateway.database.transaction(workspace_id) as connection:
            done = await history.read(connection, workspace_id)
    finally:
        measured = await measuring
    return Figures(done, measured)


def _measured(gateway: Gateway, workspace_id: UUID | None) -> Measured | None:
    try:
        return gateway.measure_store.read(workspace_id)
    except StoreUnavailable as error:
        log.info("figures without what processes measured: %s", error)
        return None
