"""Bodies of the hot routes: bytes to checked items, and what is wrong with which field where they are none."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec
from msgspec import Meta

from convex_common.errors import Invalid
from convex_gateway import non_finite
from convex_gateway.problems import Malformed

MAX_AHEAD: Final = dt.timedelta(minutes=5)
"""How far a sender's clock may be ahead of ours."""

EARLIEST: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
TURN: Final = 250
"""Items worked on before the event loop has its turn: about 2 ms."""

LabelName = Annotated[str, Meta(min_length=1, max_length=256)]
LabelValue = Annotated[str, Meta(max_length=1024)]
Labels = Annotated[dict[LabelName, LabelValue], Meta(max_length=64)]
Time = Annotated[dt.datetime, Meta(tz=True, description="RFC 3339 with a zone, 5 minutes ahead at most")]

T = TypeVar("T")

_ESCAPED_NUL: Final = b"\\u0000"
_AT: Final = re.compile(r"`(?:key` in `)?\$(?P<path>[^`]*)`")
_NAMED: Final = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Items(Generic[T]):
    """The decoded items; `listed` says whether the body was a list, or one item alone."""

    items: Sequence[T]
    listed: bool

    def path(self, index: int, name: str) -> str:
        """The path of an item's field from the body's root: `[3].current_value`, or alone `current_value`."""
        return f"[{index}].{name}" if self.listed else name


class ItemsDecoder(Generic[T]):
    """Decodes one object or a list of up to `most`, strictly by the struct's types and bounds."""

    def __init__(self, item: type[T], most: int) -> None:
        self._one: msgspec.json.Decoder[T] = msgspec.json.Decoder(item)
        self._many: msgspec.json.Decoder[list[T]] = msgspec.json.Decoder(
            Annotated[list[item], Meta(max_length=most)]  # type: ignore[valid-type]  # known when it runs
        )

    def decode(self, body: bytes) -> Items[T]:
        """The items. Malformed where the body is no JSON; Invalid naming the first field that is wrong, or NaN."""
        listed = body.lstrip(b" \t\r\n")[:1] == b"["
        try:
            items = Items(self._many.decode(body) if listed else [self._one.decode(body)], listed)
        except msgspec.ValidationError as error:
            raise _invalid(str(error)) from None
        except UnicodeDecodeError as error:
            raise Malformed(f"it is not UTF-8 at byte {error.start}") from None
        except RecursionError:
            raise Malformed("it is nested too deeply") from None
        except msgspec.DecodeError as error:
            if (field := non_finite.field_of(body)) is not None:
                raise Invalid(field, non_finite.MESSAGE) from None
            raise Malformed(_position(str(error), len(body))) from None
        if _ESCAPED_NUL in body:
            _refuse_nul(items)
        return items


def check_time(at: dt.datetime, now: dt.datetime, path: str) -> None:
    """Invalid for a time before 1970 or more than five minutes in the future."""
    if at > now + MAX_AHEAD:
        raise Invalid(path, "is more than 5 minutes in the future")
    if at < EARLIEST:
        raise Invalid(path, "is before 1970")


async def in_turns(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """Slices of the items; between them others get the event loop, so that a large body delays no small one."""
    for start in range(0, len(items), TURN):
        if start:
            await asyncio.sleep(0)
        yield items[start : start + TURN]


def _invalid(message: str) -> Invalid:
    """msgspec's sentence as a field and what is wrong with it: `Expected `float`, got `str` - at `$[3].value``."""
    what, separator, where = message.rpartition(" - at ")
    at = _AT.fullmatch(where)
    if not separator or at is None:
        what, path = message, ""
    else:
        path = at["path"].replace("[...]", "").removeprefix(".")
    named = _NAMED.fullmatch(what)
    if named:
        path = f"{path}.{named['name']}" if path else named["name"]
        return Invalid(path, "is missing" if named["what"].startswith("missing") else "is unknown here")
    return Invalid(path, what[:1].lower() + what[1:])


def _position(message: str, length: int) -> str:
    told = message.removeprefix("JSON is malformed: ")
    return f"it ends too early, at byte {length}" if told == "Input data was truncated" else told[:1].lower() + told[1:]


def _refuse_nul(items: Items[Any]) -> None:
    """PostgreSQL keeps no NUL in text."""
    for index, item in enumerate(items.items):
        for name, value in msgspec.to_builtins(item).items():
            if _has_nul(value):
                raise Invalid(items.path(index, name), "has a NUL character, which no text may have")


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return any(map(_has_nul, value))
    return False
