"""An issuer's key set: fetched, kept while the issuer is away, and refreshed now and then and for unknown keys."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from convex_common.errors import StoreUnavailable
from convex_gateway.documents import FAILURES
from convex_gateway.jwk import Key, parse

log = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 45.0
"""How often the keys are fetched. A key that the issuer took back stops working within a minute."""

INTERVAL_SECONDS: Final = 3.0
"""How long at least between two fetches, whatever tokens say. Who brings an unknown key waits for the next one."""

ABSENT_SECONDS: Final = 10.0
"""How long a key that the issuer does not have is not asked for again."""

MOST_WAITING: Final = 1000
MOST_ABSENT: Final = 1000
RETRY_AFTER: Final = 5.0

Fetch = Callable[[], Awaitable[bytes]]


class IssuerAway(StoreUnavailable):
    """The issuer's keys cannot be had now, so that nobody can tell whether the token is good."""


class KeySet:
    """Finds keys by their names, and keeps them fresh from `start` to `stop`."""

    def __init__(
        self,
        fetch: Fetch,
        *,
        interval: float = INTERVAL_SECONDS,
        refresh: float = REFRESH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._interval = interval
        self._refresh_every = refresh
        self._clock = clock
        self._keys: tuple[Key, ...] | None = None
        self._valid: frozenset[Key] = frozenset()
        self._absent: OrderedDict[str | None, float] = OrderedDict()
        self._next: asyncio.Task[bool] | None = None
        self._turn = asyncio.Lock()
        self._not_before = 0.0
        self._waiting = 0
        self._told_away = False
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Fetch now, whether or not that succeeds, and again and again."""
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Fetch no more."""
        for task in (self._running, self._next):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})

    def holds(self, key: Key) -> bool:
        """Whether the issuer still has it, as far as was heard."""
        return key in self._valid

    async def find(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """The keys of this name that may verify this algorithm; without a name, all that may. IssuerAway."""
        if found := self._fitting(kid, algorithm):
            return found
        if self._clock() < self._absent.get(kid, 0.0):
            return ()
        if not await self._refreshed():
            raise IssuerAway("the keys of the tokens' issuer cannot be fetched", RETRY_AFTER)
        found = self._fitting(kid, algorithm)
        if not found:
            self._absent[kid] = self._clock() + ABSENT_SECONDS
            self._absent.move_to_end(kid)
            if len(self._absent) > MOST_ABSENT:
                self._absent.popitem(last=False)
        return found

    async def _run(self) -> None:
        """Refresh until cancelled; sooner again while the issuer is away."""
        pause = 1.0
        while True:
            fresh = await self._begin()
            pause = self._refresh_every if fresh else min(self._refresh_every, pause * 2)
            await asyncio.sleep(pause * random.uniform(0.9, 1.1))  # noqa: S311 - spreads the gateways' fetches

    def _fitting(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        return [
            key for key in self._keys or () if algorithm in key.algorithms and (kid is None or key.kid in (kid, None))
        ]

    async def _refreshed(self) -> bool:
        """Wait for a refresh that begins after now, since one under way may have missed what it is wanted for."""
        if self._waiting >= MOST_WAITING:
            raise IssuerAway("too many tokens with unknown keys are waiting", RETRY_AFTER)
        self._waiting += 1
        try:
            return await self._begin()
        finally:
            self._waiting -= 1

    async def _begin(self) -> bool:
        if self._next is None:
            self._next = asyncio.create_task(self._refresh())
        return await asyncio.shield(self._next)

    async def _refresh(self) -> bool:
        """One fetch at a time, the next not before its time; whether it came to anything."""
        async with self._turn:
            await asyncio.sleep(max(0.0, self._not_before - self._clock()))
            self._next = None
            self._not_before = self._clock() + self._interval
            try:
                keys = parse(await self._fetch())
            except FAILURES as error:
                if not self._told_away:
                    log.warning("the issuer's keys cannot be fetched; those that are known stay good: %s", _why(error))
                self._told_away = True
                return False
            self._take(keys)
            return True

    def _take(self, keys: tuple[Key, ...]) -> None:
        valid = frozenset(keys)
        if valid != self._valid or self._told_away:
            log.info("the issuer's keys are fetched", extra={"kids": sorted(str(key.kid) for key in keys)})
        self._keys, self._valid, self._told_away = keys, valid, False


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
