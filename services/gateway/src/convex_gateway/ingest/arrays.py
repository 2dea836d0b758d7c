"""Arrays for PostgreSQL, encoded here: psycopg's own dumpers look at every element, which is most of a batch's cost."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from typing import Final

import psycopg
from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

_HEADER: Final = struct.Struct("!iiIii")
_LENGTH: Final = struct.Struct("!i")
_SMALLINT: Final = struct.Struct("!ih")


class UuidArray(bytes):
    """A `uuid[]` in PostgreSQL's binary form."""


class SmallintArray(bytes):
    """A `smallint[]`."""


class TextArray(bytes):
    """A `text[]`."""


class ByteaArray(bytes):
    """A `bytea[]`."""


_ELEMENTS: Final[dict[type[bytes], str]] = {
    UuidArray: "uuid",
    SmallintArray: "int2",
    TextArray: "text",
    ByteaArray: "bytea",
}


def uuids(values: Sequence[uuid.UUID]) -> UuidArray:
    """Ids, as an array."""
    return UuidArray(_array("uuid", [value.bytes for value in values]))


def smallints(values: Sequence[int]) -> SmallintArray:
    """Whole numbers of 16 bits, as an array."""
    packed = b"".join([_SMALLINT.pack(2, value) for value in values])
    return SmallintArray(_header("int2", len(values)) + packed)


def texts(values: Sequence[str]) -> TextArray:
    """Texts, as an array."""
    return TextArray(_array("text", [value.encode() for value in values]))


def byteas(values: Sequence[bytes]) -> ByteaArray:
    """Bytes, as an array."""
    return ByteaArray(_array("bytea", values))


def register(adapters: AdaptersMap) -> None:
    """Let a connection send these arrays as what they are."""
    for array, element in _ELEMENTS.items():
        oid = psycopg.adapters.types[element].array_oid
        adapters.register_dumper(array, type(f"{array.__name__}Dumper", (_AsItIs,), {"oid": oid}))


class _AsItIs(Dumper):
    """The bytes are the value."""

    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return bytes(obj)


def _array(element: str, values: Sequence[bytes]) -> bytes:
    parts = [_header(element, len(values))]
    for value in values:
        parts.append(_LENGTH.pack(len(value)))
        parts.append(value)
    return b"".join(parts)


def _header(element: str, count: int) -> bytes:
    """One dimension, no NULLs, the element's type, the count, and 1 as the first index."""
    return _HEADER.pack(1, 0, psycopg.adapters.types[element].oid, count, 1)
