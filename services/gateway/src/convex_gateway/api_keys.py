"""API keys' principals, remembered for a short while."""

from __future__ import annotations

import asyncio
import logging
import math
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

from convex_common.domain import api_key
from convex_common.errors import StoreUnavailable
from convex_common.metrics import Metrics
from convex_common.postgres import api_keys as rows
from convex_common.postgres.api_keys import UsableKey
from convex_common.postgres.async_database import AsyncDatabase
from convex_gateway.principal import Principal

log = logging.getLogger(__name__)

FRESH_SECONDS: Final = 30.0
"""How long a key that was revoked elsewhere may go on."""

ABSENT_SECONDS: Final = 1.0
"""How long a key that was just made may be refused."""

BATCH: Final = 500

Find = Callable[[Collection[bytes]], Awaitable[Sequence[UsableKey]]]
Use = Callable[[Collection[uuid.UUID]], Awaitable[None]]


class ApiKeys:
    """Finds a key once in 30 s; the latest 10,000, and apart from them the latest 10,000 that were none.

    One query at a time: those who come while it is under way share the next one. So a flood of invented keys takes one
    connection and no more, and pushes no good key out.
    """

    def __init__(
        self,
        find: Find,
        use: Use,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        remembered: int = 10_000,
    ) -> None:
        self._find = find
        self._use = use
        self._hits = metrics.cache_hits.labels("api_keys")
        self._misses = metrics.cache_misses.labels("api_keys")
        self._clock = clock
        self._remembered = remembered
        self._known: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()
        self._absent: OrderedDict[bytes, float] = OrderedDict()
        self._asked: dict[bytes, asyncio.Future[Principal | None]] = {}
        self._waiting: list[tuple[bytes, asyncio.Future[Principal | None]]] = []
        self._asking: asyncio.Task[None] | None = None
        self._telling: set[asyncio.Task[None]] = set()
        self._forgotten = 0

    async def find(self, text: str) -> Principal | None:
        """Whose a key is; None for one that is unknown or revoked. StoreUnavailable where it cannot be looked up."""
        if len(text) > api_key.LONGEST:
            return None
        digest = api_key.digest_of(text)
        known = self._known.get(digest)
        if known is not None and self._clock() < known[1]:
            self._hits.inc()
            self._known.move_to_end(digest)
            return known[0]
        if self._clock() < self._absent.get(digest, -math.inf):
            self._hits.inc()
            return None
        self._misses.inc()
        asked = self._asked.get(digest)
        if asked is None:
            asked = self._asked[digest] = asyncio.get_running_loop().create_future()
            self._waiting.append((digest, asked))
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(asked)

    def forget(self, key_id: uuid.UUID) -> None:
        """Look this key up again at its next use, also where a look-up is under way now."""
        self._forgotten += 1
        self._asked.clear()
        for digest in [digest for digest, (principal, _) in self._known.items() if principal.key_id == key_id]:
            del self._known[digest]

    async def _ask(self) -> None:
        """Until nobody waits."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                await self._answer(batch)
        finally:
            self._asking = None

    async def _answer(self, batch: Sequence[tuple[bytes, asyncio.Future[Principal | None]]]) -> None:
        forgotten = self._forgotten
        try:
            found = {key.digest: key for key in await self._find({digest for digest, _ in batch})}
        except Exception as error:
            for digest, asked in batch:
                self._answered(digest, asked)
                asked.set_exception(error)
                asked.exception()  # looked at, also where everybody who asked has gone
            return
        for digest, asked in batch:
            key = found.get(digest)
            principal = None if key is None else _principal(key)
            if forgotten == self._forgotten:
                self._remember(digest, principal)
            self._answered(digest, asked)
            asked.set_result(principal)
        if untold := [key.id for key in found.values() if key.untold]:
            task = asyncio.create_task(self._tell(untold))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def _answered(self, digest: bytes, asked: asyncio.Future[Principal | None]) -> None:
        if self._asked.get(digest) is asked:
            del self._asked[digest]

    def _remember(self, digest: bytes, principal: Principal | None) -> None:
        now = self._clock()
        if principal is None:
            self._known.pop(digest, None)
            self._absent[digest] = now + ABSENT_SECONDS
            self._absent.move_to_end(digest)
        else:
            self._absent.pop(digest, None)
            self._known[digest] = (principal, now + FRESH_SECONDS)
            self._known.move_to_end(digest)
        for remembered in (self._known, self._absent):
            if len(remembered) > self._remembered:
                remembered.popitem(last=False)

    async def _tell(self, key_ids: Collection[uuid.UUID]) -> None:
        """Best effort: a use that could not be written down is told at the next look-up."""
        try:
            await self._use(key_ids)
        except StoreUnavailable as error:
            log.info("the last use of %d API keys was not written down: %s", len(key_ids), error)


def _principal(key: UsableKey) -> Principal:
    return Principal(
        workspace_id=key.workspace_id,
        user_id=api_key.principal_of(key.id),
        role=key.role,
        expires_at=math.inf if key.expires_at is None else key.expires_at.timestamp(),
        operator=False,
        key_id=key.id,
        scopes=key.scopes,
    )


def in_database(database: AsyncDatabase, metrics: Metrics) -> ApiKeys:
    """Those of the installation's database."""

    async def find(digests: Collection[bytes]) -> Sequence[UsableKey]:
        async with database.transaction() as connection:
            return await rows.usable(connection, digests)

    async def use(key_ids: Collection[uuid.UUID]) -> None:
        async with database.transaction() as connection:
            await rows.use(connection, key_ids)

    return ApiKeys(find, use, metrics)
