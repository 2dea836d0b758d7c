"""One connection's conversation: sign in, ask, be told, and be closed with a code that says what to do next."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import sys
import time
import uuid
from collections.abc import Awaitable
from typing import Final

from convex_common.domain.role import Role, Scope
from convex_common.errors import ConvexError, Forbidden, Invalid, StoreUnavailable, Unauthorized
from convex_gateway.auth import Proof, SessionToken
from convex_gateway.live import protocol
from convex_gateway.live.beat import Ticking
from convex_gateway.live.closing import CloseCode
from convex_gateway.live.feed import WorkspaceFeed
from convex_gateway.live.frames import text_frame
from convex_gateway.live.handshake import Credentials
from convex_gateway.live.lobby import Lobby
from convex_gateway.live.protocol import Auth, Ping, Subscribe, Unsubscribe
from convex_gateway.live.socket import Socket
from convex_gateway.live.subscriptions import Subscriptions, at_once
from convex_gateway.live.traffic import Traffic
from convex_gateway.live.wire import Wire
from convex_gateway.principal import Principal

log = logging.getLogger(__name__)

_MALFORMED_AT_MOST: Final = 10
_EARLY_AT_MOST: Final = 1_000


class Session(Socket):
    """A connection that was accepted. Every fault ends in a close code of the contract.

    It is told of frames as they come and answers at once; there is no task that waits for them. What takes a look into
    a store is done beside it, and frames that come meanwhile wait in `_early` (which is None when nothing is awaited),
    so that they are answered in their order.
    """

    __slots__ = (
        "_address",
        "_arrived",
        "_ask_at",
        "_early",
        "_ended",
        "_expires_at",
        "_feed",
        "_lobby",
        "_malformed",
        "_proof",
        "_recheck_at",
        "_rechecking",
        "_subscriptions",
        "slot",
    )

    def __init__(self, lobby: Lobby, wire: Wire, address: str) -> None:
        super().__init__(wire)
        self.slot: set[Ticking] | None = None
        self._lobby = lobby
        self._address = sys.intern(address)
        self._arrived = False
        self._ended = False
        self._feed: WorkspaceFeed | None = None
        self._proof: Proof | None = None
        self._expires_at = math.inf
        self._early: list[str | None] | None = []
        self._subscriptions: Subscriptions | None = None
        self._malformed = 0
        self._ask_at = 0.0  # for a sign of life; until it has signed in, when that is overdue
        self._recheck_at = math.inf
        self._rechecking = False

    @property
    def max_backlog(self) -> int:
        """As the terms have it."""
        return self._lobby.terms.max_backlog

    async def begin(self, given: Credentials) -> None:
        """Let it in, and sign it in where the opening request says who it is."""
        if self._ended:
            return
        now = _now()
        refusal = self._lobby.admission.arrive(self._address, now)
        if refusal is not None:
            self.close(CloseCode.TOO_MANY, refusal)
            return
        self._arrived = True
        self._lobby.active.inc()
        if given.refusal is not None:
            self._refuse(CloseCode.CREDENTIALS, given.refusal)
        elif given.session is not None:
            await self._worked(self._sign_in(self._by_session(given.session)))
        elif given.token is not None:
            await self._worked(self._sign_in(self._lobby.authenticator.admit(given.token)))
        else:
            self._ask_at = now + self._lobby.terms.auth
            self._lobby.hub.beat.at(self, self._ask_at)
            self._go_on()

    def text(self, text: str) -> None:
        """A text message came."""
        self._take(text)

    def binary(self) -> None:
        """A binary message came."""
        self._take(None)

    def behind(self, *, is_behind: bool) -> None:
        """The peer reads slower than we write, or keeps up again."""
        beat = self._lobby.hub.beat
        if is_behind and not self._ended:
            beat.watch(self)
        else:
            beat.unwatch(self)

    def gone(self) -> None:
        """The peer is gone, or is being closed: nothing of it stays anywhere."""
        if self._ended:
            return
        self._ended = True
        self._early = None
        hub, admission, feed = self._lobby.hub, self._lobby.admission, self._feed
        hub.beat.remove(self)
        if feed is not None:
            if self._subscriptions is not None:
                self._subscriptions.end()
                self._subscriptions = None
            feed.traffic.subscriptions(-len(self.interests))
            hub.detach(feed, self)
            feed.traffic.clients(-1)
            admission.sign_out(feed.workspace_id, self.user_id)
        if self._arrived:
            self._lobby.active.dec()
            admission.leave(self._address)

    def tick(self, now: float) -> float | None:
        """Look at the clock: expiry, silence, slowness, the next ping and the next look at the membership."""
        wire, terms = self.wire, self._lobby.terms
        if self._ended or wire.closing:
            return None
        if self._feed is None:
            if self._early is None and now >= self._ask_at:
                self.close(CloseCode.NO_AUTH_IN_TIME, f"no auth within {terms.auth:g} s")
                return None
            return max(now, self._ask_at)
        expires_in = self._expires_at - time.time()
        if expires_in <= 0:
            self.close(CloseCode.TOKEN_EXPIRED, "the token has expired: come back with a new one")
        elif wire.behind_since is not None and now - wire.behind_since > terms.lag:
            self.close(CloseCode.SLOW_CONSUMER, "reading too slowly: come back and resume")
        elif now - wire.heard_at > terms.silence:
            self.close(CloseCode.IDLE, "no sign of life: come back and resume")
        elif now >= self._ask_at:
            self._ask_at = now + terms.heartbeat
            wire.ping()
        if self._ended:
            return None
        if now >= self._recheck_at and not self._rechecking:
            self._recheck_at = now + self._recheck_in()
            self._rechecking = True
            self._lobby.spawn(self._recheck())
        return max(now, min(now + expires_in, wire.heard_at + terms.silence, self._ask_at, self._recheck_at))

    def revoked(self, workspace_id: uuid.UUID, user_id: str) -> None:
        """Look at the membership at the next tick, where this is its own; also where a look is under way."""
        if self._feed is not None and (self._feed.workspace_id, self.user_id) == (workspace_id, user_id):
            self._recheck_at = -math.inf
            self._lobby.hub.beat.at(self, _now())

    def close(self, code: CloseCode, reason: str) -> None:
        """Begin to close the connection, once."""
        if self._ended or self.wire.closing:
            return
        self.fault(code, reason)
        self.wire.close(code, _short(reason))
        self.gone()

    def fault(self, code: CloseCode, reason: str) -> None:
        """Count and log what was somebody's fault."""
        if not code.is_fault:
            return
        self._traffic.failed()
        told: dict[str, object] = {"code": int(code), "reason": reason}
        if self._feed is not None:
            told |= {"workspace_id": str(self._feed.workspace_id), "user_id": self.user_id}
        log.info("socket closed for a fault", extra=told)

    def _take(self, text: str | None) -> None:
        if self._ended:
            return
        self._traffic.received()
        if self._early is None:
            self._answer(text)
        elif len(self._early) < _EARLY_AT_MOST:
            self._early.append(text)
            self.wire.pause()
        else:
            self.close(CloseCode.TOO_MANY, "too many frames at once: come back and wait for answers")

    def _answer(self, text: str | None) -> None:
        if text is None:
            self._send(protocol.error("unsupported", "frames are JSON text, not binary"))
            self.close(CloseCode.UNSUPPORTED, "frames are JSON text, not binary")
            return
        feed = self._feed
        try:
            frame = protocol.parse(text)
        except Invalid as error:
            self._malformed_frame(error)
            return
        match frame:
            case Auth(token) if feed is None:
                self._beside(self._sign_in(self._lobby.authenticator.admit(token)))
            case Auth(token):
                self._beside(self._renew(token))
            case _ if feed is None:
                self._refuse(CloseCode.CREDENTIALS, "the first frame has to be auth")
            case Ping():
                self._send(protocol.pong())
            case Subscribe() | Unsubscribe():
                self._submit(feed, frame)

    def _malformed_frame(self, error: Invalid) -> None:
        """The client is told; it is closed where it was to sign in, and after the tenth such frame."""
        if self._feed is None:
            self._refuse(CloseCode.CREDENTIALS, str(error))
            return
        self._malformed += 1
        self._send(protocol.error("invalid", str(error)))
        if self._malformed >= _MALFORMED_AT_MOST:
            self.close(CloseCode.MALFORMED, "too many malformed frames")

    def _submit(self, feed: WorkspaceFeed, frame: Subscribe | Unsubscribe) -> None:
        if self._subscriptions is None:
            if isinstance(frame, Subscribe) and at_once(self, feed, frame):
                return
            hub = self._lobby.hub
            self._subscriptions = Subscriptions(self, feed, hub.frameworks, hub.refresh, self._idle)
        if not self._subscriptions.submit(frame):
            self._send(protocol.error("too_many", "too many requests are waiting"))

    def _idle(self) -> None:
        """Nothing is asked for any more."""
        self._subscriptions = None

    def _beside(self, work: Awaitable[None]) -> None:
        """Do this while what comes waits."""
        self._early = []
        self._lobby.spawn(self._worked(work))

    async def _worked(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            log.exception("live feed: a socket could not be signed in")
            self.close(CloseCode.INTERNAL, "something went wrong inside: come back and resume")
        self._go_on()

    def _go_on(self) -> None:
        """Answer what has come meanwhile."""
        early, self._early = self._early, None
        if self._ended or not early:
            return
        self.wire.resume()
        for text in early:
            if self._early is not None:
                self._early.append(text)
            elif not self._ended:
                self._answer(text)

    async def _by_session(self, token: str) -> tuple[Principal, Proof]:
        return await self._lobby.authenticator.from_session(token), SessionToken(token)

    async def _sign_in(self, who: Awaitable[tuple[Principal, Proof]]) -> None:
        """From credentials to auth_success, or closed where they do not do."""
        try:
            principal, proof = await who
            _require_reading(principal)
        except StoreUnavailable:
            self._send(protocol.error("unavailable", "the store is away: come back later"))
            self.close(CloseCode.STORE_AWAY, "the store is away: come back later")
        except Forbidden as error:
            self._refuse(CloseCode.FORBIDDEN, str(error))
        except ConvexError as error:
            self._refuse(CloseCode.CREDENTIALS, str(error))
        else:
            if not self._ended:
                self._join(principal, proof)

    def _join(self, principal: Principal, proof: Proof) -> None:
        lobby, now = self._lobby, _now()
        refusal = lobby.admission.sign_in(principal.workspace_id, principal.user_id)
        if refusal is not None:
            self.close(CloseCode.TOO_MANY, refusal)
            return
        self.client_id = str(uuid.uuid4())
        self.user_id = principal.user_id
        self._proof, self._expires_at = proof, principal.expires_at
        feed = self._feed = lobby.hub.attach(principal.workspace_id, self)
        feed.traffic.clients(+1)
        self._welcome(feed)
        self._ask_at = now + lobby.terms.heartbeat
        self._recheck_at = now + self._recheck_in()
        lobby.hub.beat.at(self, min(self._ask_at, self._recheck_at, now + self._expires_at - time.time()))

    async def _renew(self, token: str) -> None:
        """Go on with new credentials of the same person."""
        feed = self._feed
        assert feed is not None
        try:
            after, proof = await self._lobby.authenticator.admit(token)
            _require_reading(after)
        except StoreUnavailable:
            self._send(protocol.error("unavailable", "the store is away: the credentials stay as they were"))
            return
        except ConvexError as error:
            self._refuse(_refusal_code(error), str(error))
            return
        if (after.workspace_id, after.user_id) != (feed.workspace_id, self.user_id):
            self._refuse(CloseCode.FORBIDDEN, "a connection stays with its user and workspace")
        elif not self._ended:
            self._proof, self._expires_at = proof, after.expires_at
            self._welcome(feed)
            self._lobby.hub.beat.at(self, _now())

    async def _recheck(self) -> None:
        """Whether it is still a member; a store that is away changes nothing."""
        proof = self._proof
        assert proof is not None
        try:
            _require_reading(await self._lobby.authenticator.again(proof))
        except StoreUnavailable:
            pass
        except ConvexError as error:
            if time.time() >= self._expires_at:
                self.close(CloseCode.TOKEN_EXPIRED, "the token has expired: come back with a new one")
            elif proof is self._proof:
                self._refuse(_refusal_code(error), str(error))
        finally:
            self._rechecking = False

    def _recheck_in(self) -> float:
        return self._lobby.terms.recheck * random.uniform(0.8, 1.2)  # noqa: S311 - spreads the look-ups

    def _welcome(self, feed: WorkspaceFeed) -> None:
        heartbeat = round(self._lobby.terms.heartbeat * 1000)
        self._send(protocol.auth_success(self.client_id, feed.workspace_id, self.user_id, self._expires_at, heartbeat))

    def _refuse(self, code: CloseCode, message: str) -> None:
        if not self._ended:
            self._send(protocol.auth_failed(message))
            self.close(code, message)

    def _send(self, payload: bytes) -> None:
        """Answers count against the same bound as the feed's frames: who asks without reading is slow, too."""
        if self.send(text_frame(payload)):
            self._traffic.sent()

    @property
    def _traffic(self) -> Traffic:
        return self._lobby.hub.traffic if self._feed is None else self._feed.traffic


def _require_reading(principal: Principal) -> None:
    """Whoever may watch at all: a key that only sends may not."""
    principal.require(Role.VIEWER, Scope.READ)


def _refusal_code(error: ConvexError) -> CloseCode:
    return CloseCode.CREDENTIALS if isinstance(error, Unauthorized) else CloseCode.FORBIDDEN


def _short(reason: str) -> str:
    """RFC 6455 leaves a close frame's reason 123 bytes."""
    return reason.encode()[:120].decode(errors="ignore")


def _now() -> float:
    return asyncio.get_running_loop().time()
