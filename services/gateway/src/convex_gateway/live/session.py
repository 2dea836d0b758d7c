"""One connection's conversation: sign in, ask, be told, and be closed with a code that says what to do next."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from convex_common.domain.role import Role, Scope
from convex_common.errors import ConvexError, Forbidden, Invalid, StoreUnavailable, Unauthorized
from convex_gateway.auth import Authenticator
from convex_gateway.live import protocol
from convex_gateway.live.closing import CloseCode
from convex_gateway.live.frames import text_frame
from convex_gateway.live.handshake import Credentials
from convex_gateway.live.hub import Hub
from convex_gateway.live.protocol import Auth, ClientFrame, Ping
from convex_gateway.live.socket import MAX_BACKLOG, Socket
from convex_gateway.live.subscriptions import Subscriptions
from convex_gateway.live.wire import Wire
from convex_gateway.principal import Principal

log = logging.getLogger(__name__)

_MALFORMED_AT_MOST: Final = 10

Receive = Callable[[], Awaitable[Any]]
Ask = Callable[[], Awaitable[Principal]]
"""Asks again who it is: members are removed, keys revoked and sessions ended while sockets are open."""


@dataclass(frozen=True)
class Terms:
    """How long a session waits for what, in seconds, and how much it lets pile up."""

    heartbeat: float = 30.0
    silence: float = 60.0
    auth: float = 5.0
    lag: float = 10.0
    recheck: float = 22.0
    max_backlog: int = MAX_BACKLOG


class Closed(Exception):  # noqa: N818 - the end of a conversation is no error
    """The client is gone, or was told to go."""


class Session:
    """A connection that was accepted. Every fault ends in a close code of the contract."""

    def __init__(
        self, hub: Hub, authenticator: Authenticator, wire: Wire, receive: Receive, terms: Terms, now: float
    ) -> None:
        self.socket: Socket | None = None
        self._hub = hub
        self._authenticator = authenticator
        self._wire = wire
        self._receive = receive
        self._terms = terms
        self._traffic = hub.traffic
        self._ask: Ask | None = None
        self._principal: Principal | None = None
        self._malformed = 0
        self._ping_at = now + terms.heartbeat
        self._recheck_at = now + self._recheck_in()
        self._rechecking: asyncio.Task[None] | None = None

    async def sign_in(self, credentials: Credentials) -> Principal:
        """Who it is. Closed where the credentials do not do, or do not come."""
        if credentials.refusal is not None:
            raise self._refused(CloseCode.CREDENTIALS, credentials.refusal)
        if credentials.session is not None:
            ask = partial(self._authenticator.from_session, credentials.session)
        else:
            ask = partial(self._authenticator.from_token, credentials.token or await self._first_frame())
        try:
            self._principal = await _watching(ask)
        except StoreUnavailable:
            self._send(protocol.error("unavailable", "the store is away: come back later"))
            raise self._closed(CloseCode.STORE_AWAY, "the store is away: come back later") from None
        except Forbidden as error:
            raise self._refused(CloseCode.FORBIDDEN, str(error)) from None
        except ConvexError as error:
            raise self._refused(CloseCode.CREDENTIALS, str(error)) from None
        self._ask = ask
        return self._principal

    async def converse(self, principal: Principal) -> None:
        """From auth_success to the end."""
        socket = self.socket = Socket(
            str(uuid.uuid4()),
            principal.user_id,
            self._wire,
            on_fault=self._fault,
            max_backlog=self._terms.max_backlog,
        )
        self._traffic = self._hub.traffic.of(principal.workspace_id)
        self._traffic.clients(+1)
        feed = self._hub.attach(principal.workspace_id, socket)
        subscriptions = Subscriptions(socket, feed, self._hub.frameworks, self._hub.refresh, self._traffic)
        self._hub.beat.add(self)
        try:
            self._welcome(socket, principal)
            while True:
                frame = await self._next_frame()
                if isinstance(frame, Auth):
                    await self._renew(frame.token)
                elif isinstance(frame, Ping):
                    self._send(protocol.pong())
                elif frame is not None and not subscriptions.submit(frame):
                    self._send(protocol.error("too_many", "too many requests are waiting"))
        finally:
            self._hub.beat.remove(self)
            subscriptions.end()
            self._hub.detach(feed, socket)
            self._traffic.clients(-1)
            if self._rechecking:
                self._rechecking.cancel()

    def tick(self, now: float) -> None:
        """Look at the clock: expiry, silence, slowness, the next ping and the next look at the membership."""
        wire, terms = self._wire, self._terms
        if self._principal is None or wire.closing:
            return
        if time.time() >= self._principal.expires_at:
            self.close(CloseCode.TOKEN_EXPIRED, "the token has expired: come back with a new one")
        elif wire.behind_since is not None and now - wire.behind_since > terms.lag:
            self.close(CloseCode.SLOW_CONSUMER, "reading too slowly: come back and resume")
        elif now - wire.heard_at > terms.silence:
            self.close(CloseCode.IDLE, "no sign of life: come back and resume")
        elif now >= self._ping_at:
            self._ping_at = now + terms.heartbeat
            wire.ping()
        if now >= self._recheck_at and (self._rechecking is None or self._rechecking.done()):
            self._recheck_at = now + self._recheck_in()
            self._rechecking = asyncio.create_task(self._recheck())

    def revoked(self, workspace_id: uuid.UUID, user_id: str) -> None:
        """Look at the membership at the next tick, where this is its own; also where a look is under way."""
        own = self._principal
        if own is not None and (own.workspace_id, own.user_id) == (workspace_id, user_id):
            self._recheck_at = -math.inf

    def close(self, code: CloseCode, reason: str) -> None:
        """Begin to close the connection, once."""
        if self._wire.closing:
            return
        if code.is_fault:
            self._fault(code, reason)
        self._wire.close(code, reason)

    def _fault(self, code: CloseCode, reason: str) -> None:
        self._traffic.failed()
        told: dict[str, object] = {"code": int(code), "reason": reason}
        if self._principal is not None:
            told |= {"workspace_id": str(self._principal.workspace_id), "user_id": self._principal.user_id}
        log.info("socket closed for a fault", extra=told)

    async def _first_frame(self) -> str:
        """The token of the frame `auth` that has to be the first one."""
        try:
            async with asyncio.timeout(self._terms.auth):
                text = await self._next_text()
        except TimeoutError:
            raise self._closed(CloseCode.NO_AUTH_IN_TIME, f"no auth within {self._terms.auth:g} s") from None
        try:
            frame = protocol.parse(text)
        except Invalid as error:
            raise self._refused(CloseCode.CREDENTIALS, str(error)) from None
        if not isinstance(frame, Auth):
            raise self._refused(CloseCode.CREDENTIALS, "the first frame has to be auth")
        return frame.token

    async def _next_frame(self) -> ClientFrame | None:
        """The next frame; None where it was malformed, which the client is told. Closed after the tenth such frame."""
        text = await self._next_text()
        try:
            return protocol.parse(text)
        except Invalid as error:
            self._malformed += 1
            self._send(protocol.error("invalid", str(error)))
            if self._malformed >= _MALFORMED_AT_MOST:
                raise self._closed(CloseCode.MALFORMED, "too many malformed frames") from None
            return None

    async def _next_text(self) -> str:
        message = await self._receive()
        if message["type"] != "websocket.receive":
            raise Closed
        self._traffic.received()
        text = message.get("text")
        if text is None:
            self._send(protocol.error("unsupported", "frames are JSON text, not binary"))
            raise self._closed(CloseCode.UNSUPPORTED, "frames are JSON text, not binary")
        assert isinstance(text, str)
        return text

    async def _renew(self, token: str) -> None:
        """Go on with new credentials of the same person."""
        before = self._principal
        assert before is not None
        assert self.socket is not None
        ask = partial(self._authenticator.from_token, token)
        try:
            after = await _watching(ask)
        except StoreUnavailable:
            self._send(protocol.error("unavailable", "the store is away: the credentials stay as they were"))
            return
        except ConvexError as error:
            raise self._refused(_refusal_code(error), str(error)) from None
        if (after.workspace_id, after.user_id) != (before.workspace_id, before.user_id):
            raise self._refused(CloseCode.FORBIDDEN, "a connection stays with its user and workspace")
        self._principal, self._ask = after, ask
        self._welcome(self.socket, after)

    async def _recheck(self) -> None:
        """Whether it is still a member; a store that is away changes nothing."""
        assert self._ask is not None
        try:
            await _watching(self._ask)
        except StoreUnavailable:
            return
        except ConvexError as error:
            if self._principal is not None and time.time() >= self._principal.expires_at:
                self.close(CloseCode.TOKEN_EXPIRED, "the token has expired: come back with a new one")
            else:
                self._refused(_refusal_code(error), str(error))

    def _recheck_in(self) -> float:
        return self._terms.recheck * random.uniform(0.8, 1.2)  # noqa: S311 - spreads the look-ups

    def _welcome(self, socket: Socket, principal: Principal) -> None:
        self._send(
            protocol.auth_success(
                socket.client_id,
                principal.workspace_id,
                principal.user_id,
                principal.expires_at,
                round(self._terms.heartbeat * 1000),
            )
        )

    def _refused(self, code: CloseCode, message: str) -> Closed:
        self._send(protocol.auth_failed(message))
        return self._closed(code, message)

    def _closed(self, code: CloseCode, reason: str) -> Closed:
        self.close(code, _short(reason))
        return Closed()

    def _send(self, payload: bytes) -> None:
        """Answers count against the same bound as the feed's frames: who asks without reading is slow, too."""
        if self.socket is None:
            self._wire.write(text_frame(payload))
        elif not self.socket.send(text_frame(payload)):
            return
        self._traffic.sent()


async def _watching(ask: Ask) -> Principal:
    """Who it is, if they may watch at all: a key that only sends may not."""
    principal = await ask()
    principal.require(Role.VIEWER, Scope.READ)
    return principal


def _refusal_code(error: ConvexError) -> CloseCode:
    return CloseCode.CREDENTIALS if isinstance(error, Unauthorized) else CloseCode.FORBIDDEN


def _short(reason: str) -> str:
    """RFC 6455 leaves a close frame's reason 123 bytes."""
    return reason.encode()[:120].decode(errors="ignore")
