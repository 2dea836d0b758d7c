"""The feed for synchronous code: iterate over it."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from websockets.sync.client import ClientConnection, connect

from convex_alerts.errors import ConvexAlertsError, Unavailable, Unreachable
from convex_alerts.live import sockets
from convex_alerts.live.items import Item, Position, State
from convex_alerts.live.machine import Action, Fail, Give, Machine, Send, Step

if TYPE_CHECKING:
    from convex_alerts.client import Client


class Feed:
    """Gives items as they come, waiting for the next one. Closed by the end of its `with` block, or by `close`."""

    def __init__(self, client: Client, machine: Machine, on_state: Callable[[State, str], None] | None = None) -> None:
        self._client = client
        self._machine = machine
        self._on_state = on_state
        self._told: State | None = None
        self._todo: deque[Action] = deque()
        self._items: deque[Item] = deque()
        self._error: ConvexAlertsError | None = None
        self._socket: ClientConnection | None = None

    @property
    def state(self) -> State:
        """How the connection is."""
        return self._machine.state

    @property
    def position(self) -> Position | None:
        """Where it stands. To go on after a restart of your own, keep the `Change.position` of what you have done."""
        return self._machine.position

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        if self._machine.state is State.IDLE:
            self._todo.extend(self._machine.start())
        while True:
            if self._items:
                return self._items.popleft()
            if self._todo:
                self._carry_out()
            elif self._error:
                raise self._error
            elif self._machine.state is State.CLOSED:
                raise StopIteration
            else:
                self._wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it; iterating over it ends, too."""
        self._items.clear()
        self._machine.stop()
        self._drop()
        self._tell()

    def _carry_out(self) -> None:
        match self._todo.popleft():
            case Give(item):
                self._items.append(item)
            case Send(text):
                self._send(text)
            case Fail(error):
                self._error = error
            case Step.CONNECT:
                self._tell()
                self._connect()
            case Step.DROP:
                self._drop()
            case Step.RENEW:
                self._renew()
            case Step.POLL:
                self._poll()
        self._tell()

    def _wait(self) -> None:
        """Until a frame comes or something is due."""
        at = self._machine.next_at
        left = None if at is None else max(0.0, at - time.monotonic())
        if self._socket is None:
            time.sleep(1.0 if left is None else left)
            self._do(self._machine.due(time.monotonic()))
            return
        try:
            text = self._socket.recv(left)
        except TimeoutError:
            self._do(self._machine.due(time.monotonic()))
        except sockets.LOST as error:
            self._lost(error)
        else:
            self._do(self._machine.received(text, time.monotonic(), time.time()))

    def _connect(self) -> None:
        try:
            token = self._client.token()
        except Exception as error:  # what gives tokens may have a bad moment, too
            self._do(self._machine.lost(time.monotonic(), reason=f"no token: {error}"))
            return
        try:
            opening = connect(sockets.address_of(self._client.url), **sockets.options(token))
            self._socket = opening.__enter__()  # which is closed by `_drop`
        except sockets.LOST as error:
            self._lost(error)
        else:
            self._do(self._machine.opened(time.monotonic()))

    def _send(self, text: str) -> None:
        if self._socket is None:
            return
        with contextlib.suppress(*sockets.LOST):  # reading tells why
            self._socket.send(text)

    def _renew(self) -> None:
        try:
            token = self._client.token()
        except Exception:  # the service has the last word
            self._do(self._machine.not_renewed(time.monotonic()))
        else:
            self._do(self._machine.renewed(token))

    def _poll(self) -> None:
        listing, cursor, pages, seen = sockets.open_alerts(self._machine.framework_id), None, [], 0
        try:
            while True:
                page = self._client.send(listing.page(cursor), tries=1)
                pages.append(page)
                seen, cursor = seen + len(page.items), page.next_cursor
                if cursor is None or seen >= sockets.MOST_OPEN:
                    break
        except (Unavailable, Unreachable) as error:
            self._do(self._machine.polled(None, time.monotonic(), str(error)))
        except ConvexAlertsError as error:
            self._do(self._machine.refused(error))
        else:
            self._do(self._machine.polled(sockets.snapshot_of(pages), time.monotonic()))

    def _lost(self, error: Exception) -> None:
        self._drop()
        self._do(self._machine.lost(time.monotonic(), **sockets.loss_of(error)))

    def _drop(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close()

    def _do(self, actions: Iterable[Action]) -> None:
        self._todo.extend(actions)
        self._tell()

    def _tell(self) -> None:
        if self._told is not self._machine.state:
            self._told = self._machine.state
            if self._on_state:
                self._on_state(self._machine.state, self._machine.reason)
