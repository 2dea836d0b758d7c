"""One workspace's feed in this process: what comes in by Redis or from the log goes out to its sockets."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Final
from uuid import UUID

from convex_common.errors import StoreUnavailable
from convex_common.feed import LiveBroadcast, LiveEvent, LiveMessage, LiveNotification
from convex_gateway.live import protocol
from convex_gateway.live.closing import CloseCode
from convex_gateway.live.entry import Entry, Trace
from convex_gateway.live.fanout import FanOut, Round
from convex_gateway.live.frames import text_frame
from convex_gateway.live.history import History, Position
from convex_gateway.live.interests import Scope
from convex_gateway.live.ordering import MAX_AHEAD, Gap, Ordering, Standing
from convex_gateway.live.pages import Pages
from convex_gateway.live.replays import Replays
from convex_gateway.live.ring import Ring
from convex_gateway.live.socket import Socket
from convex_gateway.live.traffic import Traffic

log = logging.getLogger(__name__)

_GAP_WAIT: Final = 0.02
_FILL_RETRY: Final = 0.25
_FILL_AT_ONCE: Final = 500
_EPOCH_CHANGED: Final = text_frame(
    protocol.error("epoch_changed", "the feed was restored from a backup and begins anew: reload by REST")
)


class WorkspaceFeed:
    """Begins when it has learnt its position from PostgreSQL; until then it keeps what Redis brings.

    `check_soon` asks the hub to compare positions now.
    """

    def __init__(
        self,
        workspace_id: UUID,
        history: History,
        pages: Pages,
        *,
        check_soon: Callable[[], None],
        traffic: Traffic,
    ) -> None:
        self.workspace_id = workspace_id
        self.traffic = traffic
        self.sockets: set[Socket] = set()
        self.started = asyncio.Event()
        self.followed = False
        self.stale = False
        self.empty_since: float | None = None
        self._history = history
        self._ring = Ring()
        self.replays = Replays(workspace_id, history, self._ring, pages)
        self._check_soon = check_soon
        self._subscribers: dict[Scope, set[Socket]] = {}
        self._before_start: list[LiveEvent] = []
        self._ordering: Ordering | None = None
        self._fanout = FanOut(0, self._audience, traffic.sent)
        self._filling: asyncio.Task[None] | None = None
        self._recovering = False
        self._subscribed: tuple[tuple[UUID, int], bytes] | None = None

    @property
    def epoch(self) -> UUID:
        """The epoch that its offsets belong to; once started."""
        return self._begun().epoch

    @property
    def position(self) -> int:
        """The last offset in order here; once started."""
        return self._begun().position

    @property
    def known(self) -> int:
        """The last offset that is known to be committed; 0 before the start."""
        return self._ordering.known if self._ordering else 0

    @property
    def subscribed(self) -> bytes:
        """The answer to who follows the whole workspace from now on, as a frame: thousands come between two changes."""
        place, known = (self.epoch, self.position), self._subscribed
        if known is None or known[0] != place:
            told = protocol.subscribed(
                self.workspace_id, None, epoch=place[0], offset=place[1], recovered=True, replayed=0
            )
            known = self._subscribed = (place, text_frame(told))
        return known[1]

    @property
    def written(self) -> int:
        """The last offset that was written to every socket that wants it."""
        return self._fanout.offset

    def attach(self, socket: Socket) -> None:
        """A signed-in socket: gets notifications and broadcasts."""
        self.sockets.add(socket)
        self.empty_since = None

    def detach(self, socket: Socket, now: float) -> None:
        """The socket is gone."""
        self.sockets.discard(socket)
        for scope in socket.interests.scopes:
            self.delist(socket, scope)
        if not self.sockets:
            self.empty_since = now

    def enlist(self, socket: Socket, scope: Scope) -> None:
        """The socket follows a scope from now on."""
        self._subscribers.setdefault(scope, set()).add(socket)

    def delist(self, socket: Socket, scope: Scope) -> None:
        """The socket follows it no more."""
        if members := self._subscribers.get(scope):
            members.discard(socket)
            if not members:
                del self._subscribers[scope]

    def receive(self, message: LiveMessage) -> None:
        """Take what Redis brought."""
        match message:
            case LiveEvent():
                self._offer(message)
            case LiveNotification(user_ids=user_ids, frame=frame):
                self._announce(frame, lambda: self.sockets, lambda s: user_ids is None or s.user_id in user_ids)
            case LiveBroadcast(framework_id=framework_id, client_id=client_id, frame=frame):
                everybody = framework_id is None
                self._announce(
                    frame,
                    lambda: self.sockets if everybody else self._following(framework_id),
                    lambda s: client_id is None or s.client_id == client_id,
                )

    def learn(self, position: Position, seen_before: int) -> None:
        """Take where PostgreSQL stands; `seen_before` is `known` from before the question. Starts, fills, restarts."""
        if self._ordering is None:
            self._start(position)
        else:
            standing = self._ordering.learn(position.epoch, position.offset, seen_before=seen_before)
            if standing is not Standing.SAME_EPOCH:
                self._restart(standing, position)
        if self.stale:
            self.stale, self._recovering = False, True
        self._go_on()

    def go_stale(self) -> None:
        """PostgreSQL is away: tell the subscribers, once."""
        self.stale, self._recovering = True, False
        self._fanout.push(Round(self._everybody, Socket.tell_stale))

    def tell_positions(self) -> None:
        """Tell the subscribers of frameworks where the workspace's feed stands."""
        scopes = [scope for scope in self._subscribers if scope is not None]
        if self._ordering is None or not scopes:
            return
        position = self._ordering.position
        for scope in scopes:
            self._fanout.push(Round(partial(self._following, scope), lambda s: s.tell_position(position)))

    def stop(self) -> None:
        """Send nothing more."""
        self._fanout.stop()
        if self._filling:
            self._filling.cancel()

    def _begun(self) -> Ordering:
        assert self._ordering is not None, "the feed has not learnt its position yet"
        return self._ordering

    def _following(self, scope: Scope) -> Collection[Socket]:
        return self._subscribers.get(scope, set())

    def _everybody(self) -> Collection[Socket]:
        return set().union(*self._subscribers.values())

    def _start(self, position: Position) -> None:
        self._ordering = Ordering(position.epoch, position.offset)
        self._fanout = FanOut(position.offset, self._audience, self.traffic.sent)
        early, self._before_start = self._before_start, []
        self.started.set()
        for event in early:
            self._offer(event)

    def _restart(self, standing: Standing, position: Position) -> None:
        """The log is another one: whoever had the old one must come back and reload."""
        log.warning("live feed: begins anew: %s", standing, extra={"workspace_id": str(self.workspace_id)})
        self.stop()
        self._filling = None
        self._ring.clear()
        self.replays.forget()
        self._ordering = Ordering(position.epoch, position.offset)
        self._fanout = FanOut(position.offset, self._audience, self.traffic.sent)
        self._fanout.push(Round(self._everybody, _tell_epoch_changed))

    def _offer(self, event: LiveEvent) -> None:
        ordering = self._ordering
        if ordering is None:
            if len(self._before_start) < MAX_AHEAD:
                self._before_start.append(event)
        elif event.epoch != ordering.epoch:
            self._check_soon()
        else:
            trace = Trace(event.traceparent, event.accepted_ms) if event.traceparent else None
            self._take(ordering.offer(Entry(event.offset, event.framework_id, event.frame, time.time(), trace)))
            self._go_on()

    def _take(self, entries: Iterable[Entry]) -> None:
        """Entries whose turn has come."""
        for entry in entries:
            self._ring.append(entry)
            self._fanout.change(entry)

    def _audience(self, frameworks: Collection[UUID]) -> Collection[Socket]:
        whole, some = self._following(None), [self._following(framework) for framework in frameworks]
        return set(whole).union(*some) if any(some) else whole

    def _announce(
        self, frame: bytes, audience: Callable[[], Collection[Socket]], concerns: Callable[[Socket], bool]
    ) -> None:
        encoded = text_frame(frame)
        self._fanout.push(Round(audience, lambda s: concerns(s) and s.send(encoded), len(encoded)))

    def _go_on(self) -> None:
        """Fill a gap if there is one; else, after the store was away, tell that all is well."""
        ordering = self._begun()
        if ordering.gap() is not None:
            if self._filling is None or self._filling.done():
                self._filling = asyncio.create_task(self._fill(ordering))
        elif self._recovering:
            self._recovering = False
            position = ordering.position
            self._fanout.push(Round(lambda: self.sockets, lambda s: s.tell_fresh(position)))

    async def _fill(self, ordering: Ordering) -> None:
        """What does not come by itself within 20 ms is read from the log."""
        while (gap := ordering.gap()) is not None:
            await asyncio.sleep(_GAP_WAIT)
            still = ordering.gap()
            if still is None or still.first != gap.first:
                continue
            part = Gap(still.first, min(still.last, still.first + _FILL_AT_ONCE - 1))
            try:
                entries = await self._history.between(self.workspace_id, part.first - 1, part.last)
            except StoreUnavailable:
                if not self.stale:
                    self._check_soon()
                await asyncio.sleep(_FILL_RETRY)
                continue
            if ordering is not self._ordering:
                return
            lost = ordering.lost
            self._take(ordering.fill(part, entries))
            if ordering.lost > lost:
                log.error(
                    "live feed: %d offsets are not in the log",
                    ordering.lost - lost,
                    extra={"workspace_id": str(self.workspace_id)},
                )
        self._filling = None
        self._go_on()


def _tell_epoch_changed(socket: Socket) -> bool:
    told = socket.send(_EPOCH_CHANGED)
    socket.close(CloseCode.EPOCH_CHANGED, "the feed begins anew: come back and reload")
    return told
