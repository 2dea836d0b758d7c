"""The last metre: WebSocket frames straight into a connection's transport.

uvicorn's own way (`await send`) encodes a frame anew for every socket and waits for the slowest of them. Here a frame
is encoded once and written to each transport, and what is still waiting there is known before the next write.
"""

from __future__ import annotations

from typing import Final, Protocol

from convex_gateway.live.closing import CloseCode

EXTENSION: Final = "convex.wire"
"""The key of `scope["extensions"]` under which an endpoint finds its wire."""

CLOSE_WITHIN: Final = 10.0
"""Seconds that a peer has to answer a close, and to read what is left; then the connection is cut."""


class Listener(Protocol):
    """Who is told what the peer does. Nothing here waits."""

    def text(self, text: str) -> None:
        """A text message came."""

    def binary(self) -> None:
        """A binary message came."""

    def behind(self, *, is_behind: bool) -> None:
        """The peer reads slower than we write, or keeps up again."""

    def fault(self, code: CloseCode, reason: str) -> None:
        """The wire closes because the peer breaks the protocol."""

    def gone(self) -> None:
        """The peer is gone or about to be; nothing comes after this."""


class Flow(Protocol):
    """Where bytes go at once."""

    def write(self, data: bytes, /) -> None:
        """Write; never waits."""


class Wire(Protocol):
    """An accepted WebSocket connection as the hub sees it. Times are the event loop's."""

    @property
    def heard_at(self) -> float:
        """When the peer last sent anything, a pong included."""

    @property
    def behind_since(self) -> float | None:
        """Since when the peer reads slower than we write; None while it keeps up."""

    @property
    def backlog(self) -> int:
        """Bytes written that the kernel has not taken yet."""

    @property
    def closing(self) -> bool:
        """Whether nothing can be written any more."""

    @property
    def flow(self) -> Flow | None:
        """Where encoded frames may be written without another look: the peer keeps up and nothing is closing. None
        where it has to be looked at, or always."""

    def attach(self, listener: Listener) -> None:
        """Tell this one from now on."""

    async def attend(self) -> None:
        """Until the wire does without the endpoint that accepted it: at once, or at the connection's end."""

    def write(self, frame: bytes) -> None:
        """Write an encoded frame; never waits."""

    def ping(self) -> None:
        """Ask the peer for a sign of life."""

    def pause(self) -> None:
        """Read nothing more until `resume`, as far as the wire can."""

    def resume(self) -> None:
        """Read on."""

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; the connection is cut where the peer does not answer in time."""

    async def drained(self) -> None:
        """Wait until the peer keeps up again, or is gone."""
