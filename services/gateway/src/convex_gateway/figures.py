"""The figures behind `/api/metrics`: what the database counted, and what all processes measured, of one moment."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from uuid import UUID

from convex_common.contracts import EVENTS_ACCEPTED, QUEUES
from convex_common.domain.distribution import Distribution
from convex_common.domain.health import Health, assess, queues_healthy
from convex_common.domain.self_audit import Standing
from convex_common.errors import Forbidden, StoreUnavailable
from convex_common.postgres import history, self_audits
from convex_common.postgres.history import History
from convex_common.redis.measures import Measured
from convex_common.vitals import vitals_of

if TYPE_CHECKING:
    from convex_gateway.context import Gateway
    from convex_gateway.principal import Principal

log = logging.getLogger(__name__)

ALERTS: Final = EVENTS_ACCEPTED.queue


class FigureScope(StrEnum):
    """Whose figures: the caller's workspace's, or all workspaces', for operators."""

    WORKSPACE = "workspace"
    INSTALLATION = "installation"


@dataclass(frozen=True)
class Figures:
    """Of a workspace or the installation; `measured` is None while Redis is away."""

    history: History
    measured: Measured | None
    self_audit: Standing | None = None

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
        return assess(vitals_of(self.history, self.measured))


def latency(distribution: Distribution) -> dict[str, float | None]:
    """A distribution's figures as they are told."""
    told = {
        "mean": distribution.mean,
        **{f"p{percent}": distribution.quantile(percent / 100) for percent in (50, 95, 99)},
    }
    return {"count": distribution.count, **{name: None if it is None else round(it, 3) for name, it in told.items()}}


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
            standing = await self_audits.read(connection)
    finally:
        measured = await measuring
    return Figures(done, measured, standing)


def _measured(gateway: Gateway, workspace_id: UUID | None) -> Measured | None:
    try:
        return gateway.measure_store.read(workspace_id)
    except StoreUnavailable as error:
        log.info("figures without what processes measured: %s", error)
        return None
