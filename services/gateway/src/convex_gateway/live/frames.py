"""WebSocket frames (RFC 6455) without any I/O: a client's bytes in, events out; payloads in, a server's frames out.

No extensions, so no reserved bits. An idle parser holds nothing but its limit, and need not be kept. What was announced
is never allocated before it comes, and whatever the cuts between two reads, a byte costs the same.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Final, TypeAlias

NORMAL: Final = 1000
PROTOCOL_ERROR: Final = 1002
NO_CODE: Final = 1005
INVALID_DATA: Final = 1007
TOO_BIG: Final = 1009

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_FIN, _MASKED, _RESERVED, _CONTROL = 0x80, 0x80, 0x70, 0x08
_OPCODES: Final = frozenset((_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG))
_CODES: Final = frozenset((*range(1000, 1004), *range(1007, 1015)))
"""The close codes below 3000 that may be sent: section 7.4.1 and IANA's registry."""
_CONTROL_AT_MOST: Final = 125


@dataclass(frozen=True, slots=True)
class Text:
    """A whole text message."""

    text: str


@dataclass(frozen=True, slots=True)
class Binary:
    """A whole binary message."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """To be answered by a pong with the same payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """An answer to a ping, or a sign of life."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The peer's last frame; `code` is 1005 where it gave none. What it sends afterwards is not looked at."""

    code: int
    reason: str


Event: TypeAlias = Text | Binary | Ping | Pong | Close


class FrameFault(Exception):  # noqa: N818 - the peer's fault, not ours
    """What came is no WebSocket, or too much: close with this code. `events` came whole before it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.events: list[Event] = []


class _Message:
    """A data message that is not complete, and where in its present frame the reader is."""

    __slots__ = ("_checked", "_mask", "data", "final", "is_text", "left")

    def __init__(self, *, is_text: bool) -> None:
        self.is_text = is_text
        self.data = bytearray()
        self.final = False
        self.left = 0
        self._mask = b""
        self._checked = 0

    def begin(self, mask: bytes, length: int, *, final: bool) -> None:
        """A frame of it begins."""
        self._mask = mask
        self.left = length
        self.final = final

    def take(self, masked: bytes) -> None:
        """Some more of the frame's payload, text checked as far as it has come."""
        self.data += _unmasked(masked, self._mask)
        self.left -= len(masked)
        turn = len(masked) & 3
        self._mask = self._mask[turn:] + self._mask[:turn]
        if self.is_text:
            self._check()

    def whole(self) -> Text | Binary:
        """The message."""
        if not self.is_text:
            return Binary(bytes(self.data))
        self._check(final=True)
        return Text(self.data.decode())

    def _check(self, *, final: bool = False) -> None:
        try:
            _, used = codecs.utf_8_decode(self.data[self._checked :], "strict", final)
        except UnicodeDecodeError:
            raise _not_utf8() from None
        self._checked += used


class Parser:
    """A server's reader of frames.

    A message of more than `max_message` bytes is refused when a frame's header announces it.
    """

    __slots__ = ("_max", "_message", "_rest")

    def __init__(self, max_message: int) -> None:
        self._max = max_message
        self._message: _Message | None = None
        self._rest: bytes | None = b""  # a header's or a control frame's beginning; None after the end

    @property
    def idle(self) -> bool:
        """Whether it is between two messages, and another one could go on in its place."""
        return self._message is None and self._rest == b""

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete. Raises `FrameFault` once; after that or a close nothing is taken."""
        events: list[Event] = []
        if self._rest is None:
            return events
        if self._rest:
            data = self._rest + data
            self._rest = b""
        at = 0
        try:
            while at < len(data):
                message = self._message
                if message is not None and message.left:
                    part = data[at : at + message.left]
                    message.take(part)
                    self._complete(message, events)
                    at += len(part)
                    continue
                after = self._frame(data, at, events)
                if self._rest is None:
                    break
                if after == at:
                    self._rest = data[at:]
                    break
                at = after
        except FrameFault as fault:
            self._end()
            fault.events = events
            raise
        return events

    def _frame(self, data: bytes, at: int, events: list[Event]) -> int:
        """Read a header, and the whole frame where that is all here. Where to go on; `at` if more is needed first."""
        have = len(data) - at
        if have < 2:
            return at
        first, length = data[at], data[at + 1] & 0x7F
        self._check_head(first, data[at + 1])
        body = at + 6
        if length > _CONTROL_AT_MOST:
            wide = 2 if length == 126 else 8
            if have < 2 + wide:
                return at
            length = int.from_bytes(data[at + 2 : at + 2 + wide], "big")
            body += wide
        opcode = first & 0x0F
        if not opcode & _CONTROL:
            self._check_length(length)
        if len(data) < body:
            return at
        mask, upto = data[body - 4 : body], body + length
        if opcode & _CONTROL:
            if len(data) < upto:
                return at
            self._control(opcode, _unmasked(data[body:upto], mask), events)
            return upto
        if opcode == _TEXT and first & _FIN and len(data) >= upto:
            events.append(Text(_decoded(_unmasked(data[body:upto], mask))))
            return upto
        message = self._message = self._message or _Message(is_text=opcode == _TEXT)
        message.begin(mask, length, final=bool(first & _FIN))
        self._complete(message, events)
        return body

    def _check_head(self, first: int, second: int) -> None:
        opcode = first & 0x0F
        if first & _RESERVED:
            raise FrameFault(PROTOCOL_ERROR, "reserved bits are set")
        if opcode not in _OPCODES:
            raise FrameFault(PROTOCOL_ERROR, f"unknown opcode {opcode}")
        if not second & _MASKED:
            raise FrameFault(PROTOCOL_ERROR, "frames of a client are masked")
        if opcode & _CONTROL:
            if not first & _FIN:
                raise FrameFault(PROTOCOL_ERROR, "control frames are not fragmented")
            if second & 0x7F > _CONTROL_AT_MOST:
                raise FrameFault(PROTOCOL_ERROR, "control frames have at most 125 bytes")
        elif opcode == _CONTINUATION and self._message is None:
            raise FrameFault(PROTOCOL_ERROR, "there is nothing to continue")
        elif opcode != _CONTINUATION and self._message is not None:
            raise FrameFault(PROTOCOL_ERROR, "the message before is not complete")

    def _check_length(self, length: int) -> None:
        if length >> 63:
            raise FrameFault(PROTOCOL_ERROR, "a length has at most 63 bits")
        before = len(self._message.data) if self._message is not None else 0
        if before + length > self._max:
            raise FrameFault(TOO_BIG, f"a message has at most {self._max} bytes")

    def _complete(self, message: _Message, events: list[Event]) -> None:
        if message.final and not message.left:
            events.append(message.whole())
            self._message = None

    def _control(self, opcode: int, payload: bytes, events: list[Event]) -> None:
        if opcode == _PING:
            events.append(Ping(payload))
        elif opcode == _PONG:
            events.append(Pong(payload))
        else:
            events.append(_close(payload))
            self._end()

    def _end(self) -> None:
        self._rest = self._message = None


def text_frame(payload: bytes) -> bytes:
    """A text message as a server's frame: final, unmasked."""
    return _encoded(_TEXT, payload)


def binary_frame(payload: bytes) -> bytes:
    """A binary message as a server's frame."""
    return _encoded(_BINARY, payload)


def ping_frame(payload: bytes = b"") -> bytes:
    """A ping of at most 125 bytes."""
    return _control_frame(_PING, payload)


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping."""
    return _control_frame(_PONG, payload)


def close_frame(code: int = NO_CODE, reason: str = "") -> bytes:
    """A close; without a payload for 1005, which means that. A reason of more than 123 bytes is cut."""
    if code == NO_CODE:
        return _control_frame(_CLOSE, b"")
    cut = reason.encode()[: _CONTROL_AT_MOST - 2].decode(errors="ignore").encode()
    return _control_frame(_CLOSE, code.to_bytes(2, "big") + cut)


def _control_frame(opcode: int, payload: bytes) -> bytes:
    if len(payload) > _CONTROL_AT_MOST:
        raise ValueError("a control frame has at most 125 bytes")
    return _encoded(opcode, payload)


def _encoded(opcode: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        return bytes((_FIN | opcode, length)) + payload
    if length < 65_536:
        return bytes((_FIN | opcode, 126)) + length.to_bytes(2, "big") + payload
    return bytes((_FIN | opcode, 127)) + length.to_bytes(8, "big") + payload


def _unmasked(data: bytes, mask: bytes) -> bytes:
    """XOR with the repeated mask, as one big integer: many times faster than byte by byte."""
    length = len(data)
    key = (mask * ((length >> 2) + 1))[:length]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(length, "little")


def _close(payload: bytes) -> Close:
    if len(payload) == 1:
        raise FrameFault(PROTOCOL_ERROR, "a close code has two bytes")
    code, reason = int.from_bytes(payload[:2], "big") if payload else NO_CODE, _decoded(payload[2:])
    if payload and code not in _CODES and not 3000 <= code < 5000:
        raise FrameFault(PROTOCOL_ERROR, f"{code} is no close code that may be sent")
    return Close(code, reason)


def _decoded(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise _not_utf8() from None


def _not_utf8() -> FrameFault:
    return FrameFault(INVALID_DATA, "text is UTF-8")
