"""The Redis protocol (RESP 2) without I/O: commands to bytes, bytes to replies."""

from __future__ import annotations

from typing import Final, TypeAlias

Part: TypeAlias = bytes | str | int
Reply: TypeAlias = "int | bytes | ReplyError | list[Reply] | None"

_INT: Final = ord(":")
_SIMPLE: Final = ord("+")
_ERROR: Final = ord("-")
_BULK: Final = ord("$")
_ARRAY: Final = ord("*")


class ReplyError(Exception):
    """The server refused a command; returned among the replies, not raised."""


class ProtocolError(ConnectionError):
    """The peer does not speak RESP 2."""


class _Incomplete(Exception):  # noqa: N818 - control flow of the parser
    """The reply goes on beyond the bytes that are here."""


def command(*parts: Part) -> bytes:
    """A command as it goes onto the wire; commands may be joined into a pipeline."""
    chunks = [b"*%d\r\n" % len(parts)]
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        chunks.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(chunks)


class Replies:
    """Turns the bytes of a connection into replies, however they were cut into pieces."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that these bytes complete; ProtocolError if they are none."""
        buffer = self._buffer + data if self._buffer else data
        replies: list[Reply] = []
        start = 0
        try:
            while start < len(buffer):
                reply, start = _parsed(buffer, start)
                replies.append(reply)
        except _Incomplete:
            pass
        self._buffer = buffer[start:]
        return replies


def _parsed(buffer: bytes, start: int) -> tuple[Reply, int]:
    """The reply at `start` and where the next one begins."""
    end = buffer.find(b"\r\n", start)
    if end < 0:
        raise _Incomplete
    kind, line, after = buffer[start], buffer[start + 1 : end], end + 2
    if kind == _SIMPLE:
        return line, after
    if kind == _ERROR:
        return ReplyError(line.decode(errors="replace")), after
    number = _number(line)
    if kind == _INT:
        return number, after
    if kind == _BULK:
        return _bulk(buffer, after, number)
    if kind == _ARRAY:
        return _array(buffer, after, number)
    raise ProtocolError(f"a reply cannot begin with {bytes([kind])!r}")


def _number(line: bytes) -> int:
    try:
        return int(line)
    except ValueError:
        raise ProtocolError(f"{line[:32]!r} is no number") from None


def _bulk(buffer: bytes, start: int, length: int) -> tuple[bytes | None, int]:
    if length < 0:
        return None, start
    end = start + length
    if len(buffer) < end + 2:
        raise _Incomplete
    return buffer[start:end], end + 2


def _array(buffer: bytes, start: int, length: int) -> tuple[list[Reply] | None, int]:
    if length < 0:
        return None, start
    items: list[Reply] = []
    for _ in range(length):
        item, start = _parsed(buffer, start)
        items.append(item)
    return items, start
