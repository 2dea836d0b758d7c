"""One connection to Redis for callers who cannot wait: every call ends within its time."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import Future
from typing import Final

from convex_common.redis.address import Address
from convex_common.redis.resp import Replies, Reply, ReplyError
from convex_common.stores import UNWATCHED, Watch

_CONNECT_TIMEOUT = 1.0
_READ_SIZE = 65536
_USELESS: Final = (
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "MISCONF",
    "OOM",
    "NOAUTH",
    "WRONGPASS",
    "NOPERM",
)
"""How a server refuses that is there and of no use."""


class Link:
    """Sends pipelines and reads their replies on the caller's thread; connects on a thread of its own.

    So neither a name look-up nor a slow handshake can hold up a caller, and a handshake that takes longer than a call
    may is there for the next one. Calls take turns. A call whose connection turns out to be closed is sent once more
    on a new one: what it does must bear being done twice.
    """

    def __init__(self, url: str, watch: Watch = UNWATCHED) -> None:
        self._watch = watch
        self._address = Address.parse(url)
        self._turn = threading.Lock()
        self._socket: socket.socket | None = None
        self._opening: Future[socket.socket] | None = None

    def call(self, commands: bytes, replies: int, within: float) -> list[Reply]:
        """The replies to a pipeline; OSError (TimeoutError after `within` seconds) if they did not come."""
        deadline = time.monotonic() + within
        if not self._turn.acquire(timeout=within):
            raise TimeoutError("another call is under way")
        try:
            answer = self._answer(commands, replies, deadline)
        except OSError:
            self._watch.failed()
            raise
        finally:
            self._turn.release()
        if any(isinstance(reply, ReplyError) and str(reply).startswith(_USELESS) for reply in answer):
            self._watch.failed()
        else:
            self._watch.answered()
        return answer

    def close(self) -> None:
        """Close the connection; a later call opens a new one."""
        with self._turn:
            self._drop()

    def _answer(self, commands: bytes, replies: int, deadline: float) -> list[Reply]:
        if self._socket:
            try:
                return self._exchanged(self._socket, commands, replies, deadline)
            except ConnectionError:
                pass  # it was closed while nobody looked
        self._socket = self._opened(deadline)
        return self._exchanged(self._socket, commands, replies, deadline)

    def _exchanged(self, connection: socket.socket, commands: bytes, count: int, deadline: float) -> list[Reply]:
        parser, replies = Replies(), list[Reply]()
        try:
            connection.settimeout(_left(deadline))
            connection.sendall(commands)
            while len(replies) < count:
                connection.settimeout(_left(deadline))
                data = connection.recv(_READ_SIZE)
                if not data:
                    raise ConnectionResetError("Redis closed the connection")
                replies += parser.feed(data)
        except OSError:
            self._drop()  # what is still to come on it belongs to no later call
            raise
        return replies

    def _opened(self, deadline: float) -> socket.socket:
        if self._opening is None:
            self._opening = Future()
            threading.Thread(
                target=_open, args=(self._address, self._opening), name="redis-connect", daemon=True
            ).start()
        opening = self._opening
        try:
            return opening.result(timeout=_left(deadline))
        finally:
            if opening.done():
                self._opening = None

    def _drop(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("Redis took too long")
    return left


def _open(address: Address, opening: Future[socket.socket]) -> None:
    try:
        opening.set_result(address.connect(_CONNECT_TIMEOUT))
    except OSError as error:
        opening.set_exception(error)
    except Exception as error:  # such as a host name that cannot be encoded: callers know OSError only
        opening.set_exception(ConnectionError(str(error)))
