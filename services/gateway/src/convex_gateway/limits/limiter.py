"""Rates of requests and events: a local decision where possible, Redis's where not, a local bucket's without Redis."""

from __future__ import annotations

import asyncio
import math
import random
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Final, NoReturn, Protocol

from convex_common.domain import rate as rates
from convex_common.errors import RateLimited, StoreUnavailable
from convex_common.metrics import Metrics
from convex_common.redis.rates import Bucket, Granted, RatesUnavailable
from convex_gateway.limits.permits import permits_of
from convex_gateway.limits.policies import Kind, Policies, Policy, Scope, headers, network_of

ANSWERS_WITHIN: Final = 0.25
"""Seconds after which Redis is taken to be away. Requests wait for a fraction of that, see `Permits.patience`."""

SIGN_IN_WITHIN: Final = 1.0
"""A sign-in can wait: without Redis it is refused."""

REMEMBERED: Final = 10_000
HOLD_SECONDS: Final = 0.1
"""For how long a refusal is held back at least …"""

REFUSALS_PER_SECOND: Final = 50
"""… and at what pace those of one caller are told, …"""

LONGEST_HOLD: Final = 1.0
"""… but no longer than what `Retry-After` asks for at least."""

HELD: Final = 10_000


class Shared(Protocol):
    """Buckets that all gateways share."""

    async def take(
        self, buckets: Sequence[Bucket], need: int, want: int, within: float, *, owed: int = 0
    ) -> Granted: ...

    async def aclose(self) -> None: ...


class _Caller:
    """One user's requests of one kind in one workspace."""

    __slots__ = ("buckets", "held_back", "permits", "policies", "refilling", "waiting")

    def __init__(self, policies: Sequence[Policy], buckets: Sequence[Bucket]) -> None:
        self.policies = policies
        self.buckets = buckets
        self.permits = permits_of(min(policy.rate.per_second for policy in policies))
        self.refilling: asyncio.Task[None] | None = None
        self.waiting = 0
        self.held_back = 0
        """Refusals that are not told yet."""


class RateLimits:
    """Admits, or raises RateLimited. Belongs to the event loop on which it is used.

    A refusal is held back for a tenth of a second, or longer where others of the same caller are: who sends as fast as
    answers come, by however many connections, is slowed down and leaves the gateway's time to others.
    """

    def __init__(
        self,
        policies: Policies,
        shared: Shared | None,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        hold: float = HOLD_SECONDS,
    ) -> None:
        self._policies = policies
        self._shared = shared
        self._metrics = metrics
        for policy in chain.from_iterable(policies.of_kind.values()):
            metrics.rate_limited.labels(policy.kind, policy.scope)  # from 0 on: no rate sees how a series begins
        self._clock = clock
        self._hold = hold
        self._holding = 0
        self._callers: OrderedDict[tuple[Kind, uuid.UUID, str], _Caller] = OrderedDict()
        self._local: OrderedDict[str, float] = OrderedDict()

    async def admit(self, kind: Kind, workspace_id: uuid.UUID, user_id: str, cost: int = 1) -> None:
        """Count `cost` events or a request against the user's and the workspace's rates; RateLimited."""
        caller = self._caller(kind, workspace_id, user_id)
        if caller is None or cost <= 0:
            return
        permits = caller.permits
        if not permits.take(cost, self._clock()):
            await self._ask(caller, cost)
        if permits.is_low and caller.refilling is None and self._shared is not None:
            self._refill(caller, 1, ahead=True)

    async def check(self, kind: Kind, workspace_id: uuid.UUID, user_id: str) -> None:
        """RateLimited where it is known already that nothing is admitted: before anybody reads the body."""
        caller = self._caller(kind, workspace_id, user_id)
        if caller is not None:
            await self._refuse_if_known(caller)

    async def sign_in(self, address: str) -> None:
        """Count a try to sign in from an address. RateLimited; StoreUnavailable where nobody can count."""
        policies = self._policies.named(Kind.SIGN_IN)
        if not policies:
            return
        (policy,) = policies
        if self._shared is None:
            raise StoreUnavailable("sign-ins cannot be counted without Redis")
        try:
            bucket = Bucket(f"{policy.name}:{network_of(address)}", policy.rate)
            granted = await self._shared.take([bucket], 1, 1, SIGN_IN_WITHIN)
        except RatesUnavailable as error:
            raise StoreUnavailable(f"sign-ins cannot be counted: {error}", 5.0) from error
        if not granted.permits:
            await self._refuse(policies, policy, granted.wait)

    async def aclose(self) -> None:
        """Drop what is under way and hang up."""
        tasks = [caller.refilling for caller in self._callers.values() if caller.refilling is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._shared is not None:
            await self._shared.aclose()

    def _caller(self, kind: Kind, workspace_id: uuid.UUID, user_id: str) -> _Caller | None:
        """The caller's state, of the 10,000 that came last; None where nothing limits it."""
        key = (kind, workspace_id, user_id)
        caller = self._callers.get(key)
        if caller is not None:
            self._callers.move_to_end(key)
            return caller
        policies = self._policies.named(kind)
        if not policies:
            return None
        caller = self._callers[key] = _Caller(
            policies, [Bucket(_name(policy, workspace_id, user_id), policy.rate) for policy in policies]
        )
        if len(self._callers) > REMEMBERED:
            self._callers.popitem(last=False)
        return caller

    async def _ask(self, caller: _Caller, cost: int) -> None:
        """Wait for permits from Redis, together with whoever else of this caller does; else decide here."""
        permits = caller.permits
        deadline = self._clock() + permits.patience(self._clock())
        caller.waiting += cost
        try:
            while self._shared is not None:
                await self._refuse_if_known(caller)
                task = caller.refilling or self._refill(caller, permits.missing(cost, self._clock()))
                await asyncio.wait({task}, timeout=max(0.0, deadline - self._clock()))
                if permits.take(cost, self._clock()):
                    return
                if not task.done() or task.cancelled() or task.exception() is not None:
                    break
        finally:
            caller.waiting -= cost
        await self._decide_here(caller, cost)
        permits.owe(cost)

    def _refill(self, caller: _Caller, need: int, *, ahead: bool = False) -> asyncio.Task[None]:
        """Ask Redis for `need` permits and what the next requests will want; `ahead` of them, it refuses nobody."""
        caller.refilling = task = asyncio.create_task(self._refilled(caller, need, ahead))
        task.add_done_callback(lambda done: self._settled(caller, done))
        return task

    async def _refilled(self, caller: _Caller, need: int, ahead: bool) -> None:
        permits, shared = caller.permits, self._shared
        assert shared is not None
        want = max(permits.wanted(need, self._clock()), caller.waiting - permits.held)
        owed, permits.owed = permits.owed, 0
        try:
            granted = await shared.take(caller.buckets, need, want, ANSWERS_WITHIN, owed=owed)
        except RatesUnavailable:
            permits.owe(owed)
            raise
        if granted.permits:
            permits.refill(granted.permits, self._clock())
        elif not ahead:
            permits.refuse(granted.wait, granted.tightest, self._clock())

    def _settled(self, caller: _Caller, task: asyncio.Task[None]) -> None:
        if caller.refilling is task:
            caller.refilling = None
        if not task.cancelled():
            task.exception()

    async def _decide_here(self, caller: _Caller, cost: int) -> None:
        """By this process's own buckets, at the whole rate: rather too much than nothing."""
        now = self._clock()
        names = [bucket.name for bucket in caller.buckets]
        decisions = [
            rates.decide(bucket.rate, self._local.get(bucket.name, 0.0), now, cost) for bucket in caller.buckets
        ]
        wait, tightest = max((decision.wait, place) for place, decision in enumerate(decisions))
        if wait > 0:
            await self._refuse_caller(caller, tightest, wait)
        for name, decision in zip(names, decisions, strict=True):
            self._local[name] = decision.full_at
            self._local.move_to_end(name)
        while len(self._local) > REMEMBERED:
            self._local.popitem(last=False)

    async def _refuse_if_known(self, caller: _Caller) -> None:
        permits = caller.permits
        wait = permits.refusal(self._clock())
        if wait > 0:
            await self._refuse_caller(caller, permits.tightest, wait)

    async def _refuse_caller(self, caller: _Caller, tightest: int, wait: float) -> NoReturn:
        caller.held_back += 1
        try:
            await self._refuse(caller.policies, caller.policies[tightest], wait, caller.held_back)
        finally:
            caller.held_back -= 1

    async def _refuse(self, policies: Sequence[Policy], reached: Policy, wait: float, held_back: int = 1) -> NoReturn:
        self._metrics.rate_limited.labels(reached.kind, reached.scope).inc()
        if self._holding < HELD:
            self._holding += 1
            try:
                await asyncio.sleep(self._hold_of(held_back))
            finally:
                self._holding -= 1
        unit = "events" if reached.kind is Kind.INGEST else "requests"
        raise RateLimited(
            f"more {unit} ({reached.kind}) than this {reached.scope} may send: {_told(reached)}",
            max(1.0, math.ceil(wait)),
            headers(policies, reached, wait),
        )

    def _hold_of(self, held_back: int) -> float:
        """Seconds, never quite the same, so that those who were refused together do not come back together."""
        paced = min(LONGEST_HOLD, held_back / REFUSALS_PER_SECOND) if self._hold else 0.0
        return max(self._hold, paced) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads, guards nothing


def _name(policy: Policy, workspace_id: uuid.UUID, user_id: str) -> str:
    """The bucket's name. The braces keep a workspace's buckets on one node of a cluster."""
    name = f"{{{workspace_id}}}:{policy.name}"
    return f"{name}:{user_id}" if policy.scope is Scope.USER else name


def _told(policy: Policy) -> str:
    if policy.kind is Kind.SIGN_IN:
        return f"{policy.rate.burst:g} a minute"
    return f"{policy.rate.per_second:g} a second, {policy.rate.burst:g} at once after a pause"
