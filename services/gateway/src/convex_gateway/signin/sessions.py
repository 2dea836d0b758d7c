"""Sessions: who a cookie is, remembered for a short while."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import re
import secrets
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.types import Scope

from convex_common.domain.audit import Act
from convex_common.domain.role import Role
from convex_common.domain.role import Scope as KeyScope
from convex_common.errors import Unauthorized
from convex_common.postgres import audit
from convex_common.postgres import sessions as rows
from convex_gateway.origins import Site
from convex_gateway.principal import Principal
from convex_gateway.signin import cookies, csrf

if TYPE_CHECKING:
    from convex_common.ids import Ids
    from convex_common.metrics import Metrics
    from convex_common.postgres.async_database import AsyncDatabase

FRESH_SECONDS: Final = 20.0
"""How long a session that was ended elsewhere may go on."""

LONGEST: Final = dt.timedelta(hours=12)
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_AT_A_TIME: Final = 2
"""Look-ups on the pool's connections, so that a flood of invented cookies leaves the others alone."""


@dataclass(frozen=True, slots=True)
class Session:
    """A live session: who it is, and by which way it began."""

    id: uuid.UUID
    principal: Principal
    way: str
    subject: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Begun:
    """A new session's cookie, told once."""

    token: str
    expires_at: dt.datetime


class Sessions:
    """Finds a session once in 20 s, with one query for all who ask at the same time; the latest 10,000."""

    def __init__(
        self,
        database: AsyncDatabase,
        metrics: Metrics,
        ids: Ids,
        site: Site,
        *,
        lifetime: dt.timedelta = LONGEST,
        clock: Callable[[], float] = time.monotonic,
        remembered: int = 10_000,
    ) -> None:
        self.site = site
        self._database = database
        self._hits = metrics.cache_hits.labels("sessions")
        self._misses = metrics.cache_misses.labels("sessions")
        self._ids = ids
        self._lifetime = lifetime
        self._clock = clock
        self._remembered = remembered
        self._known: OrderedDict[bytes, tuple[Session, float]] = OrderedDict()
        self._asked: dict[bytes, asyncio.Task[Session | None]] = {}
        self._turn = asyncio.Semaphore(_AT_A_TIME)
        self._forgotten = 0

    def cookie_name(self, scope: Scope) -> str:
        """Of the session's cookie, for the browser that sends this."""
        return cookies.name_of(cookies.SESSION, secure=self.site.secure(scope))

    def token_in(self, scope: Scope) -> str | None:
        """What the request's cookie holds, None without one. Unauthorized where there are two."""
        return cookies.read(scope, self.cookie_name(scope))

    async def caller(self, scope: Scope) -> Principal | None:
        """Who makes this request by a cookie, None without one. Unauthorized, Forbidden, StoreUnavailable."""
        token = self.token_in(scope)
        if token is None:
            return None
        csrf.check(scope, token, self.site)
        return await self.principal(token)

    async def principal(self, token: str) -> Principal:
        """Of a session's token alone. Unauthorized where the session has ended, StoreUnavailable."""
        session = await self.find(token)
        if session is None:
            raise Unauthorized("the session has ended", cure="sign in again")
        return session.principal

    async def find(self, token: str) -> Session | None:
        """The live session of a token. StoreUnavailable where it has to be looked up and cannot."""
        if not _TOKEN.fullmatch(token):
            return None
        digest = _digest(token)
        known = self._known.get(digest)
        if known is not None and self._clock() < known[1]:
            self._hits.inc()
            self._known.move_to_end(digest)
            return known[0] if known[0].principal.expires_at > time.time() else None
        self._misses.inc()
        task = self._asked.get(digest)
        if task is None:
            task = self._asked[digest] = asyncio.create_task(self._look_up(digest))
            task.add_done_callback(lambda done: self._answered(digest, done))
        return await asyncio.shield(task)

    async def begin(
        self, principal: Principal, way: str, *, subject: str | None = None, email: str | None = None
    ) -> Begun:
        """A new session that may what the principal may, for no longer than its credentials hold."""
        token = secrets.token_urlsafe(32)
        now = dt.datetime.now(dt.UTC)
        expires_at = now + self._lifetime
        if principal.expires_at < expires_at.timestamp():
            expires_at = dt.datetime.fromtimestamp(principal.expires_at, dt.UTC)
        draft = rows.Draft(
            workspace_id=principal.workspace_id,
            id=self._ids.new(),
            digest=_digest(token),
            user_id=principal.user_id,
            key_id=principal.key_id,
            role=principal.role.value,
            operator=principal.operator,
            way=way,
            subject=subject,
            email=email,
            expires_at=expires_at,
        )
        async with self._database.transaction(principal.workspace_id) as connection:
            await rows.add(connection, draft)
            act = Act(principal.user_id, "session.started", f"session:{draft.id}", {"way": way})
            await audit.record(connection, principal.workspace_id, act)
        return Begun(token, expires_at)

    async def end(self, token: str) -> bool:
        """End the token's session, here at once and elsewhere within 20 s; False where there was none."""
        session = await self.find(token)
        if session is None:
            return False
        workspace_id = session.principal.workspace_id
        async with self._database.transaction(workspace_id) as connection:
            ended = await rows.remove(connection, workspace_id, session.id)
            if ended:
                act = Act(session.principal.user_id, "session.ended", f"session:{session.id}", {})
                await audit.record(connection, workspace_id, act)
        self._known.pop(_digest(token), None)
        return ended

    def forget(self, workspace_id: uuid.UUID, user_id: str) -> None:
        """Look the sessions of this member or key up again when they come next, also those being looked up now."""
        self._forgotten += 1
        self._asked.clear()
        for digest, (session, _) in tuple(self._known.items()):
            if (session.principal.workspace_id, session.principal.user_id) == (workspace_id, user_id):
                del self._known[digest]

    def _answered(self, digest: bytes, task: asyncio.Task[Session | None]) -> None:
        if self._asked.get(digest) is task:
            del self._asked[digest]
        if not task.cancelled():
            task.exception()  # looked at, also where everybody who asked has gone

    async def _look_up(self, digest: bytes) -> Session | None:
        async with self._turn, self._database.transaction() as connection:
            forgotten = self._forgotten
            found = await rows.find(connection, digest)
        self._known.pop(digest, None)
        if found is None:
            return None
        session = _session(found)
        if forgotten != self._forgotten:
            return session  # somebody's has changed meanwhile, perhaps this one's
        self._known[digest] = (session, self._clock() + FRESH_SECONDS)
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return session


def _session(found: rows.Found) -> Session:
    principal = Principal(
        workspace_id=found.workspace_id,
        user_id=found.user_id,
        role=Role(found.role).at_most(Role(found.granted)),
        expires_at=found.expires_at.timestamp(),
        operator=found.operator,
        key_id=found.key_id,
        scopes=frozenset(map(KeyScope, found.scopes)),
    )
    return Session(found.id, principal, found.way, found.subject, found.email)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
