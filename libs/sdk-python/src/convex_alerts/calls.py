"""Requests as values: what to ask, and how to read the answer. Both clients send them; nothing here does any I/O."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeAlias, TypeVar, cast
from urllib.parse import quote

import msgspec

from convex_alerts.models import Page

T = TypeVar("T")

PREFIX = "/api/v1"
PAGE = 200
Value: TypeAlias = str | int | float | bool | datetime | None
Filter: TypeAlias = Value | Iterable[str]
Query: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request below `/api/v1`. A write is sent with an Idempotency-Key: this one, or one made for it."""

    method: str
    path: str
    read: Callable[[bytes], T]
    query: Query = ()
    body: bytes | None = None
    if_match: int | None = None
    idempotency_key: str | None = None

    @property
    def writes(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list, read page by page."""

    path: str
    kind: Callable[[bytes], Page[T]]
    query: Query = ()

    def page(self, cursor: str | None = None, limit: int = PAGE) -> Call[Page[T]]:
        """The request for one page; the first without a cursor."""
        more = (("limit", str(limit)), *((("cursor", cursor),) if cursor else ()))
        return Call("GET", self.path, self.kind, (*self.query, *more))


def get(kind: type[T], *path: str, query: Query = ()) -> Call[T]:
    """Ask for one thing."""
    return Call("GET", _path(path), reader(kind), query)


def write(kind: type[T], method: str, *path: str, body: object = None, if_match: int | None = None) -> Call[T]:
    """Change something, and be told what it is then."""
    return Call(method, _path(path), reader(kind), body=None if body is None else encoded(body), if_match=if_match)


def remove(*path: str, if_match: int | None = None) -> Call[None]:
    """Delete one thing."""
    return Call("DELETE", _path(path), lambda _: None, if_match=if_match)


def listing(kind: type[T], *path: str, query: Query = ()) -> Listing[T]:
    """Ask for a list."""
    return Listing(_path(path), reader(Page[kind]), query)  # type: ignore[valid-type]  # known when it runs


def once(call: Call[T], idempotency_key: str | None) -> Call[T]:
    """The same under a key of the caller's, so that it may be sent again after a crash of the sender as well."""
    return replace(call, idempotency_key=idempotency_key) if idempotency_key else call


def asked(**filters: Filter) -> Query:
    """A query string's pairs: nothing for None, one pair for each of several."""
    pairs: list[tuple[str, str]] = []
    for name, value in filters.items():
        if value is None:
            continue
        if isinstance(value, str | int | float | bool | datetime):
            pairs.append((name, _text(value)))
        else:
            pairs.extend((name, one) for one in value)
    return tuple(pairs)


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A body without what was not said."""
    return {name: value for name, value in fields.items() if value is not None}


def reader(kind: type[T]) -> Callable[[bytes], T]:
    """Reads an answer of this kind."""
    decode: Callable[[bytes], T] = _decoder(cast(Any, kind))
    return decode


@functools.cache
def _decoder(kind: Any) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(kind).decode


def encoded(body: object) -> bytes:
    """A body as JSON; times in UTC."""
    return msgspec.json.encode(body, enc_hook=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


def _text(value: str | float | bool | datetime) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return moment(value) if isinstance(value, datetime) else str(value)


def moment(at: datetime) -> str:
    """A time in UTC, to the millisecond; without a zone it is of this machine."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _path(parts: Iterable[str]) -> str:
    return "/".join((PREFIX, *(quote(part, safe="") for part in parts)))
