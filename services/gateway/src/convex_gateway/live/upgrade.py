"""The opening handshake of a WebSocket (RFC 6455, section 4), without any I/O: a head in, an answer out."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

import httptools

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION: Final = b"13"

Headers = Sequence[tuple[bytes, bytes]]


class Refused(Exception):  # noqa: N818 - the peer's fault, not ours
    """The request is no opening handshake; `status` and the sentence say why."""

    def __init__(self, status: HTTPStatus, reason: str, headers: Headers = ()) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head, names in lower case."""

    raw_path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]

    @property
    def path(self) -> str:
        """The path as ASGI has it."""
        path = self.raw_path.decode("ascii")
        return unquote(path) if "%" in path else path

    def listed(self, name: bytes) -> list[str]:
        """The entries of a comma-separated header, however often it is given."""
        values = b",".join(value for given, value in self.headers if given == name)
        return [entry for entry in (entry.strip() for entry in values.decode("latin-1").split(",")) if entry]


def head_of(target: bytes, headers: Headers) -> Head:
    """The head of a request for this target, names in lower case. Refused where the target is none."""
    try:
        url = httptools.parse_url(target)
        (url.path or b"").decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
        raise Refused(HTTPStatus.BAD_REQUEST, "The address is none.") from None
    return Head(url.path or b"/", url.query or b"", [(name, value.strip()) for name, value in headers])


def key_of(method: bytes, head: Head) -> bytes:
    """The key that the answer has to sign. Refused where it is no handshake that we know."""
    if method != b"GET":
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "A WebSocket is opened by GET.", ((b"allow", b"GET"),))
    versions = [value for name, value in head.headers if name == b"sec-websocket-version"]
    if versions != [_VERSION]:
        known = ((b"sec-websocket-version", _VERSION), (b"upgrade", b"websocket"))
        raise Refused(HTTPStatus.UPGRADE_REQUIRED, "Sec-WebSocket-Version has to be 13.", known)
    keys = [value for name, value in head.headers if name == b"sec-websocket-key"]
    if len(keys) != 1 or not _is_key(keys[0]):
        raise Refused(HTTPStatus.BAD_REQUEST, "Sec-WebSocket-Key has to be 16 bytes in base64.")
    return keys[0]


def accepted(key: bytes, subprotocol: str | None, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """101 Switching Protocols."""
    signed = base64.b64encode(hashlib.sha1(key + _GUID).digest())  # noqa: S324 - as the RFC has it
    lines = [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
        signed,
        b"\r\n",
    ]
    if subprotocol is not None:
        lines += [b"Sec-WebSocket-Protocol: ", subprotocol.encode("ascii"), b"\r\n"]
    lines += [b"%b: %b\r\n" % header for header in headers]
    return b"".join((*lines, b"\r\n"))


def answered(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
    """A whole HTTP answer after which the connection ends."""
    phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else ""
    lines = [f"HTTP/1.1 {int(status)} {phrase}\r\n".encode("ascii")]
    own = (b"content-length", b"connection", b"transfer-encoding")
    lines += [b"%b: %b\r\n" % (name, value) for name, value in headers if name.lower() not in own]
    return b"".join((*lines, b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body), body))


def refused(refusal: Refused) -> bytes:
    """The answer to what is no handshake."""
    text = ((b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff"))
    return answered(refusal.status, (*text, *refusal.headers), f"{refusal.reason}\n".encode())


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == 16
    except binascii.Error:
        return False
