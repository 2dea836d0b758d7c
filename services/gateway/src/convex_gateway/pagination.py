"""Pages of lists: a limit, and a cursor that says where the next one starts."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from convex_common.errors import Invalid

MOST = 200
USUAL = 50
LONGEST_CURSOR = 1400
"""Of a user id of 255 characters beyond the Latin ones."""

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """Some items of a list, and where the next ones start."""

    model_config = ConfigDict(from_attributes=True)

    items: list[T]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last one")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page was asked for."""

    limit: int
    cursor: str | None

    @property
    def after(self) -> uuid.UUID | None:
        """The id that the page starts after, in a list ordered by ids; Invalid if the cursor is none of ours."""
        if self.cursor is None:
            return None
        return uuid.UUID(bytes=_decoded(self.cursor, 16))

    @property
    def after_text(self) -> str | None:
        """The text that the page starts after, in a list ordered by texts."""
        if self.cursor is None:
            return None
        try:
            text = _decoded(self.cursor).decode()
        except UnicodeDecodeError:
            raise _foreign() from None
        if "\0" in text:
            raise _foreign()
        return text

    @property
    def after_moment(self) -> tuple[dt.datetime, uuid.UUID] | None:
        """The time and id that the page starts after, in a list ordered by both."""
        if self.cursor is None:
            return None
        raw = _decoded(self.cursor, 24)
        try:
            moment = EPOCH + dt.timedelta(microseconds=int.from_bytes(raw[:8], signed=True))
        except OverflowError:
            raise _foreign() from None
        return moment, uuid.UUID(bytes=raw[8:])

    @property
    def after_sequence(self) -> int | None:
        """The number that the page starts after, in a list ordered by one."""
        return None if self.cursor is None else int.from_bytes(_decoded(self.cursor, 8), signed=True)


def _asked(
    limit: Annotated[int, Query(ge=1, le=MOST, description="Items of a page at most")] = USUAL,
    cursor: Annotated[
        str | None, Query(max_length=LONGEST_CURSOR, description="`next_cursor` of the page before")
    ] = None,
) -> Asked:
    return Asked(limit, cursor)


PageAsked = Annotated[Asked, Depends(_asked)]

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def cut(rows: Sequence[T], limit: int) -> tuple[Sequence[T], T | None]:
    """The page's rows out of up to `limit` + 1, and its last one where more follow."""
    return (rows[:limit], rows[limit - 1]) if len(rows) > limit else (rows, None)


def cursor_of(last: uuid.UUID | None) -> str | None:
    """The cursor of a list ordered by ids."""
    return None if last is None else _encoded(last.bytes)


def text_cursor_of(last: str | None) -> str | None:
    """The cursor of a list ordered by texts."""
    return None if last is None else _encoded(last.encode())


def moment_cursor_of(last: tuple[dt.datetime, uuid.UUID] | None) -> str | None:
    """The cursor of a list ordered by time, then id."""
    if last is None:
        return None
    at, row_id = last
    microseconds = (at - EPOCH) // dt.timedelta(microseconds=1)
    return _encoded(microseconds.to_bytes(8, signed=True) + row_id.bytes)


def sequence_cursor_of(last: int | None) -> str | None:
    """The cursor of a list ordered by a number."""
    return None if last is None else _encoded(last.to_bytes(8, signed=True))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(cursor: str, length: int | None = None) -> bytes:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _foreign() from None
    if length is not None and len(raw) != length:
        raise _foreign()
    return raw


def _foreign() -> Invalid:
    return Invalid("cursor", "is none that this list gave", cure="take `next_cursor` as it is, or leave it out")
