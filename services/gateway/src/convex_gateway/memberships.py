"""Roles of workspaces' members, remembered for a short while."""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Final

from convex_common.domain.role import Role
from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.members import roles_of
from convex_common.redis.cache.counts import CacheCounts

FRESH_SECONDS = 30.0
"""How long a member who was removed or lowered may go on."""

ABSENT_SECONDS = 1.0
"""How long somebody who was just added may be refused."""

GATHERED = 0.01
"""For how long more questions are gathered while they come faster than they are answered."""

Key = tuple[uuid.UUID, str]
Ask = Callable[[uuid.UUID, Collection[str]], Awaitable[Mapping[str, str]]]
"""The roles of those of a workspace's users who are members. StoreUnavailable."""


class Memberships:
    """Looks a member's role up once in 30 s, with one query for all who ask at the same time; the latest 10,000."""

    def __init__(
        self,
        ask: Ask,
        metrics: Metrics,
        measures: Measures | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        remembered: int = 10_000,
    ) -> None:
        self._together = Together(ask)
        self._counts = CacheCounts("members", metrics, measures)
        self._clock = clock
        self._remembered = remembered
        self._known: dict[Key, tuple[Role | None, float]] = {}  # the one that was used last is the last one
        self._latest: dict[Role | None, tuple[Role | None, float]] = {}
        self._forgotten = 0

    async def role_of(self, workspace_id: uuid.UUID, user_id: str) -> Role | None:
        """None for somebody who is no member. StoreUnavailable where it has to be looked up and cannot."""
        key = (workspace_id, user_id)
        known = self._known.get(key)
        if known is not None:
            role, until = known
            if self._clock() < until:
                self._known[key] = self._known.pop(key)
                self._counts.hit(workspace_id)
                return role
        self._counts.miss(workspace_id)
        forgotten = self._forgotten
        role = await self._together.role_of(workspace_id, user_id)
        if forgotten == self._forgotten:  # else somebody's has changed meanwhile, perhaps this one's
            self._remember(key, role)
        return role

    def forget(self, workspace_id: uuid.UUID, user_id: str) -> None:
        """Look this one up again when they come next, also where a look-up is under way now."""
        self._forgotten += 1
        self._known.pop((workspace_id, user_id), None)

    def _remember(self, key: Key, role: Role | None) -> None:
        self._known.pop(key, None)
        self._known[key] = self._kept(role)
        if len(self._known) > self._remembered:
            del self._known[next(iter(self._known))]

    def _kept(self, role: Role | None) -> tuple[Role | None, float]:
        """The role and until when it holds, to the second, so that thousands who come at once share a few of them."""
        until = math.floor(self._clock() + FRESH_SECONDS) if role else self._clock() + ABSENT_SECONDS
        before = self._latest.get(role)
        if before is None or before[1] != until:
            before = self._latest[role] = (role, until)
        return before


class Together:
    """Questions about a workspace that come while an earlier one is under way are asked in one, soon after it.

    After a restart everybody comes back within seconds, each with a question about another member; one by one they
    would take more than all the rest of a connection. So who comes first waits for nothing, and who comes behind them
    for `GATHERED` more.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._waiting: dict[uuid.UUID, list[_Question]] = {}
        self._asking: dict[uuid.UUID, asyncio.Task[None]] = {}

    async def role_of(self, workspace_id: uuid.UUID, user_id: str) -> Role | None:
        """As it is at a moment after the question. What `ask` raises is raised for all who asked together."""
        answer: asyncio.Future[Role | None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(workspace_id)
        if waiting is None:
            waiting = self._waiting[workspace_id] = []
        waiting.append((user_id, answer))
        if workspace_id not in self._asking:
            self._asking[workspace_id] = asyncio.create_task(self._work(workspace_id))
        return await answer  # one of its own: who gives up takes nobody's along

    async def _work(self, workspace_id: uuid.UUID) -> None:
        try:
            while waiting := self._waiting.pop(workspace_id, None):
                await self._answer(workspace_id, waiting)
                if workspace_id in self._waiting:
                    await asyncio.sleep(GATHERED)
        finally:
            del self._asking[workspace_id]

    async def _answer(self, workspace_id: uuid.UUID, questions: Sequence[_Question]) -> None:
        try:
            found = await self._ask(workspace_id, {user_id for user_id, _ in questions})
        except Exception as error:
            for _, answer in questions:
                if not answer.done():
                    answer.set_exception(error)
            return
        for user_id, answer in questions:
            if not answer.done():
                answer.set_result(_ROLES[found[user_id]] if user_id in found else None)


_Question = tuple[str, "asyncio.Future[Role | None]"]
_ROLES: Final = {role.value: role for role in Role}


def in_database(database: AsyncDatabase) -> Ask:
    """Looks roles up among the workspace's members."""
    return partial(roles_of, database)
