"""Detectors' states as bytes: small, the same on every machine, and refused where they are not ours."""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Sequence
from typing import Final

_MAGIC: Final = b"CXD"
_ON_WIRE: Final = {"L": "I"}


class NotAState(ValueError):  # noqa: N818 - reads as what is wrong with the bytes
    """The bytes are no state of this detector: begin a new one."""


class Packer:
    """Numbers and arrays one after the other, little-endian, compressed at the end."""

    def __init__(self, kind: int, version: int) -> None:
        self._head = _MAGIC + bytes((kind, version))
        self._parts: list[bytes] = []

    def floats(self, *numbers: float) -> None:
        """Eight bytes each."""
        self._parts.append(struct.pack(f"<{len(numbers)}d", *numbers))

    def whole(self, *numbers: int) -> None:
        """Eight bytes each."""
        self._parts.append(struct.pack(f"<{len(numbers)}q", *numbers))

    def numbers(self, values: Sequence[float] | array[float] | array[int], typecode: str) -> None:
        """An array of `d`, `f` or `L` (four bytes), with its length."""
        self._parts.append(struct.pack(f"<H{len(values)}{_ON_WIRE.get(typecode, typecode)}", len(values), *values))

    def packed(self) -> bytes:
        """All of it."""
        return self._head + zlib.compress(b"".join(self._parts), 6)


class Unpacker:
    """Reads what a `Packer` of the same kind and version wrote, in the same order. NotAState."""

    def __init__(self, data: bytes, kind: int, version: int) -> None:
        if data[:5] != _MAGIC + bytes((kind, version)):
            raise NotAState("another detector's or another version's state")
        try:
            self._data = zlib.decompress(data[5:])
        except zlib.error:
            raise NotAState("damaged") from None
        self._at = 0

    def floats(self, count: int) -> tuple[float, ...]:
        """`count` floats."""
        return self._take(f"<{count}d")

    def whole(self, count: int) -> tuple[int, ...]:
        """`count` integers."""
        return self._take(f"<{count}q")

    def numbers(self, typecode: str) -> array[float]:
        """An array that `Packer.numbers` wrote."""
        (length,) = self._take("<H")
        return array(typecode, self._take(f"<{length}{_ON_WIRE.get(typecode, typecode)}"))

    def end(self) -> None:
        """Nothing may be left."""
        if self._at != len(self._data):
            raise NotAState("longer than it should be")

    def _take(self, layout: str) -> tuple:  # type: ignore[type-arg]  # what the layout says
        try:
            found = struct.unpack_from(layout, self._data, self._at)
        except struct.error:
            raise NotAState("cut off") from None
        self._at += struct.calcsize(layout)
        return found
