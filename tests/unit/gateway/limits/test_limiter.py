"""Who is admitted, with Redis and without."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from convex_common.domain.rate import Rate, decide, left
from convex_common.errors import RateLimited, StoreUnavailable
from convex_common.metrics import Metrics
from convex_common.redis.rates import Bucket, Granted, RatesUnavailable
from convex_gateway.limits.limiter import REFUSALS_PER_SECOND, RateLimits
from convex_gateway.limits.policies import Kind, Policies, Policy, Scope

ONE, OTHER = uuid.uuid4(), uuid.uuid4()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeShared:
    """Redis by the pure algorithm; `away` as one that is not there; it answers once `late` is set."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.full_at: dict[str, float] = {}
        self.calls = 0
        self.away = False
        self.late = asyncio.Event()
        self.late.set()

    async def take(self, buckets: Sequence[Bucket], need: int, want: int, within: float, *, owed: int = 0) -> Granted:
        self.calls += 1
        await self.late.wait()
        if self.away:
            raise RatesUnavailable("away")
        now = self._clock()
        for bucket in buckets:
            full_at = max(self.full_at.get(bucket.name, 0), now)
            self.full_at[bucket.name] = full_at + owed * bucket.rate.interval
        rooms = [left(bucket.rate, self.full_at.get(bucket.name, 0), now) for bucket in buckets]
        permits = min(want, *(max(int(room), need) for room in rooms))
        decisions = [decide(bucket.rate, self.full_at.get(bucket.name, 0), now, need) for bucket in buckets]
        wait, place = max((decision.wait, place) for place, decision in enumerate(decisions))
        if wait > 0:
            return Granted(0, wait, place)
        for bucket in buckets:
            self.full_at[bucket.name] = decide(bucket.rate, self.full_at.get(bucket.name, 0), now, permits).full_at
        return Granted(permits, 0, -1)

    async def aclose(self) -> None:
        """Nothing to hang up."""


class Limited:
    """A limiter with a user's rate of 10/s (burst 20) and a workspace's of 15/s (burst 30) for writes."""

    def __init__(self, *policies: Policy) -> None:
        self.clock = Clock()
        self.shared = FakeShared(self.clock)
        self.metrics = Metrics(CollectorRegistry())
        of_writes = policies or (
            Policy(Kind.WRITE, Scope.USER, Rate(10, 20)),
            Policy(Kind.WRITE, Scope.WORKSPACE, Rate(15, 30)),
        )
        of_kind = {Kind.WRITE: of_writes, Kind.SIGN_IN: (Policy(Kind.SIGN_IN, Scope.ADDRESS, Rate(0.1, 2)),)}
        self.policies = Policies(of_kind)
        self.limits = RateLimits(self.policies, self.shared, self.metrics, self.clock, hold=0)

    async def admitted(
        self, times: int, user: str = "ada", workspace: uuid.UUID = ONE, cost: int = 1, kind: Kind = Kind.WRITE
    ) -> int:
        count = 0
        for _ in range(times):
            try:
                await self.limits.admit(kind, workspace, user, cost)
                count += 1
            except RateLimited:
                pass
        return count

    def refused(self, scope: Scope) -> float:
        return float(self.metrics.rate_limited.labels(Kind.WRITE, scope)._value.get())


def test_the_users_rate_then_the_workspaces() -> None:
    async def scenario() -> None:
        limited = Limited()
        assert await limited.admitted(50, "ada") == 20
        assert await limited.admitted(50, "bob") == 10
        assert await limited.admitted(50, "bob", OTHER) == 20, "another workspace has its own"
        assert limited.refused(Scope.USER) == 30 + 30
        assert limited.refused(Scope.WORKSPACE) == 40
        limited.clock.now += 1
        assert await limited.admitted(50, "ada") == 10
        assert await limited.admitted(50, "bob") == 5

    asyncio.run(scenario())


def test_kinds_without_a_policy_are_not_limited() -> None:
    async def scenario() -> None:
        limited = Limited()
        assert await limited.admitted(1000, kind=Kind.READ) == 1000
        assert limited.shared.calls == 0

    asyncio.run(scenario())


def test_a_refusal_names_the_limit_and_when_to_come_back() -> None:
    async def scenario() -> None:
        limited = Limited()
        await limited.admitted(20)
        with pytest.raises(RateLimited) as refused:
            await limited.limits.admit(Kind.WRITE, ONE, "ada", 15)
        assert refused.value.retry_after == 2
        assert refused.value.headers["RateLimit"] == '"write-user";r=0;t=2'
        assert "10 a second, 20 at once" in str(refused.value)

    asyncio.run(scenario())


def test_what_is_known_to_be_refused_asks_nobody() -> None:
    async def scenario() -> None:
        limited = Limited()
        await limited.admitted(21)
        calls = limited.shared.calls
        assert await limited.admitted(1000) == 0
        with pytest.raises(RateLimited):
            await limited.limits.check(Kind.WRITE, ONE, "ada")
        await limited.limits.check(Kind.WRITE, ONE, "bob")
        assert limited.shared.calls == calls

    asyncio.run(scenario())


def test_a_steady_sender_asks_for_few_of_its_requests() -> None:
    async def scenario() -> None:
        limited = Limited(Policy(Kind.WRITE, Scope.WORKSPACE, Rate(10_000, 20_000)))
        for _ in range(2000):
            assert await limited.admitted(1) == 1
            limited.clock.now += 0.001
            await asyncio.sleep(0)
        assert limited.shared.calls < 60

    asyncio.run(scenario())


def test_requests_at_once_ask_together() -> None:
    async def scenario() -> None:
        limited = Limited(Policy(Kind.WRITE, Scope.WORKSPACE, Rate(1, 70)))
        admitted = await asyncio.gather(*(limited.admitted(1) for _ in range(100)))
        assert sum(admitted) == 70
        assert limited.shared.calls <= 40

    asyncio.run(scenario())


def test_without_redis_this_process_decides_alone_and_redis_is_heeded_again() -> None:
    async def scenario() -> None:
        limited = Limited()
        limited.shared.away = True
        assert await limited.admitted(50) == 20
        limited.clock.now += 1
        assert await limited.admitted(50) == 10
        limited.shared.away = False
        assert await limited.admitted(50) == 10, "of Redis's full bucket, less the second's worth that is owed"

    asyncio.run(scenario())


def test_a_late_answer_is_not_waited_for_and_what_was_used_meanwhile_is_owed() -> None:
    async def scenario() -> None:
        limited = Limited(Policy(Kind.WRITE, Scope.WORKSPACE, Rate(20, 20)))
        limited.shared.late.clear()
        began = time.perf_counter()
        waiting = asyncio.create_task(limited.admitted(12))
        while not waiting.done():
            limited.clock.now += 0.001
            await asyncio.sleep(0.001)
        assert await waiting == 12
        assert time.perf_counter() - began < 5
        limited.shared.late.set()
        await asyncio.sleep(0.01)
        assert 7 <= await limited.admitted(50) <= 9, "of 20, those that were used while it was late are gone"

    asyncio.run(scenario())


def test_who_is_at_the_limit_waits_for_a_late_answer() -> None:
    async def scenario() -> None:
        limited = Limited(Policy(Kind.WRITE, Scope.WORKSPACE, Rate(10, 20)))
        assert await limited.admitted(30) == 20
        limited.clock.now += 1
        limited.shared.late.clear()
        waiting = asyncio.create_task(limited.admitted(1))
        for _ in range(20):
            await asyncio.sleep(0.001)
            limited.clock.now += 0.001
        assert not waiting.done()
        limited.shared.late.set()
        assert await waiting == 1

    asyncio.run(scenario())


def test_refusals_of_one_caller_are_told_at_a_pace_whatever_its_connections() -> None:
    async def scenario() -> None:
        limited = Limited(Policy(Kind.WRITE, Scope.WORKSPACE, Rate(1e-3, 1)))
        limited.limits = RateLimits(limited.policies, limited.shared, limited.metrics, limited.clock, hold=0.01)
        assert await limited.admitted(1) == 1
        told: list[float] = []

        async def refused() -> None:
            assert await limited.admitted(1) == 0
            told.append(loop.time())

        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(refused() for _ in range(40)))
        assert max(told) - began >= 0.5 * 40 / REFUSALS_PER_SECOND
        assert await limited.admitted(1, workspace=OTHER) == 1

    asyncio.run(scenario())


def test_a_large_request_is_not_starved_by_small_ones() -> None:
    async def scenario() -> None:
        limited = Limited(Policy(Kind.WRITE, Scope.WORKSPACE, Rate(10, 20)))
        assert await limited.admitted(1, cost=20) == 1
        assert await limited.admitted(1, cost=15) == 0
        for _ in range(14):
            limited.clock.now += 0.1
            assert await limited.admitted(1, cost=1) == 0
        limited.clock.now += 0.11
        assert await limited.admitted(1, cost=15) == 1

    asyncio.run(scenario())


def test_a_sign_in_is_refused_without_redis() -> None:
    async def scenario() -> None:
        limited = Limited()
        await limited.limits.sign_in("192.0.2.1")
        await limited.limits.sign_in("192.0.2.1")
        with pytest.raises(RateLimited, match="2 a minute"):
            await limited.limits.sign_in("192.0.2.1")
        await limited.limits.sign_in("192.0.2.2")
        limited.shared.away = True
        with pytest.raises(StoreUnavailable):
            await limited.limits.sign_in("192.0.2.3")

    asyncio.run(scenario())


def test_what_may_be_refused_is_counted_from_zero() -> None:
    """A rate over a counter does not see the increment with which the counter appears."""
    registry = Limited().metrics.registry
    for kind, scope in ((Kind.WRITE, Scope.USER), (Kind.WRITE, Scope.WORKSPACE), (Kind.SIGN_IN, Scope.ADDRESS)):
        assert registry.get_sample_value("rate_limited_total", {"class": kind, "scope": scope}) == 0
    assert registry.get_sample_value("rate_limited_total", {"class": Kind.READ, "scope": Scope.USER}) is None
