"""A cached value as it lies in Redis: a header that says what it is worth, and the bytes themselves."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final
from zlib import crc32

# Format, sweep, stamp, expiry in Unix milliseconds, checksum over the key and all of it.
_HEADER: Final = struct.Struct(">BIQQI")
_FORMAT: Final = 1


class Corrupt(ValueError):  # noqa: N818 - named like the tree of errors in common
    """What lies at the key is not what was put there."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`stamp` is the position or version that the value was read at, `sweep` the class's last sweep before that."""

    sweep: int
    stamp: int
    expires_ms: int
    value: bytes


def encode(key: str, entry: Entry) -> bytes:
    """The entry as it is stored. No pickle: a value is bytes that the caller made, such as JSON."""
    head = (_FORMAT, entry.sweep, entry.stamp, entry.expires_ms)
    return _HEADER.pack(*head, _checksum(key, head, entry.value)) + entry.value


def decode(key: str, raw: bytes) -> Entry:
    """The entry back; Corrupt if it was damaged, or was stored under another key."""
    if len(raw) < _HEADER.size:
        raise Corrupt(f"{len(raw)} bytes are no entry")
    *head, checksum = _HEADER.unpack_from(raw)
    value = raw[_HEADER.size :]
    if head[0] != _FORMAT or checksum != _checksum(key, tuple(head), value):
        raise Corrupt("the checksum does not fit")
    return Entry(head[1], head[2], head[3], value)


def _checksum(key: str, head: tuple[int, ...], value: bytes) -> int:
    return crc32(value, crc32(repr(head).encode(), crc32(key.encode())))
