"""Four processes that share a workspace's rate admit no more than it, and not much less."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
import uuid
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier

import pytest
from prometheus_client import CollectorRegistry

from convex_common.domain.rate import Rate
from convex_common.errors import RateLimited
from convex_common.metrics import Metrics
from convex_common.redis.rates import SharedRates
from convex_gateway.limits.limiter import RateLimits
from convex_gateway.limits.policies import Kind, Policies, Policy, Scope
from tests.support.valkey import Valkey

pytestmark = pytest.mark.timeout(120)

GATEWAYS = 4
OVER = 1.01
SECONDS = 4.0


@dataclass(frozen=True)
class Flood:
    """What each of the gateways is asked for, by some senders at once, as fast as it answers."""

    url: str
    prefix: str
    workspace_id: uuid.UUID
    rate: Rate
    cost: int


@dataclass(frozen=True)
class Outcome:
    """What a gateway admitted from when to when."""

    admitted: int
    began: float
    ended: float


CASES = {
    "single events": (Rate(1_000, 500), 1),
    "lists of a hundred": (Rate(20_000, 20_000), 100),
    "a small rate": (Rate(20, 20), 1),
}


_together: Barrier


@pytest.mark.parametrize("case", CASES)
def test_four_gateways_admit_what_one_may(valkey: Valkey, queue_prefix: str, case: str) -> None:
    rate, cost = CASES[case]
    flood = Flood(valkey.url, queue_prefix, uuid.uuid4(), rate, cost)
    context = multiprocessing.get_context("spawn")
    with context.Pool(GATEWAYS, _begin_with, (context.Barrier(GATEWAYS),)) as pool:
        outcomes = pool.map(_flood, [flood] * GATEWAYS, chunksize=1)
    seconds = max(one.ended for one in outcomes) - min(one.began for one in outcomes)
    allowed = rate.burst + rate.per_second * seconds
    admitted = [one.admitted for one in outcomes]
    assert sum(admitted) <= OVER * allowed + cost, (admitted, allowed)
    assert sum(admitted) >= 0.85 * (rate.burst + rate.per_second * SECONDS), (admitted, allowed)


def _begin_with(barrier: Barrier) -> None:
    global _together  # noqa: PLW0603 - a pool's processes get a barrier in no other way
    _together = barrier


def _flood(flood: Flood) -> Outcome:
    return asyncio.run(_flooded(flood))


async def _flooded(flood: Flood) -> Outcome:
    policy = Policy(Kind.INGEST, Scope.WORKSPACE, flood.rate)
    shared = SharedRates(flood.url, flood.prefix)
    limits = RateLimits(Policies({Kind.INGEST: (policy,)}), shared, Metrics(CollectorRegistry()), hold=0.005)
    await limits.admit(Kind.INGEST, uuid.uuid4(), "warm")
    _together.wait(60)
    began = time.time()
    admitted = 0

    async def send() -> None:
        nonlocal admitted
        while time.time() < began + SECONDS:
            try:
                await limits.admit(Kind.INGEST, flood.workspace_id, "user", flood.cost)
                admitted += flood.cost
            except RateLimited:
                pass
            await asyncio.sleep(0)

    await asyncio.gather(*(send() for _ in range(16)))
    await limits.aclose()
    return Outcome(admitted, began, time.time())
