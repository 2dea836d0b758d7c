"""Finds what JSON does not have in a body that is JSON otherwise: NaN, Infinity, a number beyond a float.

Many senders write them (Python and JavaScript programs by default), and whoever does wants to know which value it was.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any, Final

from convex_gateway.problems import path_of

MESSAGE: Final = "must be a finite number"

_POSSIBLE: Final = re.compile(rb"NaN|Infinity|\d[eE]\+?\d")
_FOUND: Final = object()

Location = tuple[str | int, ...]


def field_of(body: bytes) -> str | None:
    """The path of the first such value; None where there is none, or the body is broken in another way too."""
    if not _POSSIBLE.search(body):
        return None
    try:
        value = json.loads(body.decode(), parse_constant=lambda _: _FOUND, parse_float=_finite)
        location = _locate(value, ())
    except (ValueError, RecursionError):
        return None
    return None if location is None else path_of(location)


def _finite(text: str) -> object:
    value = float(text)
    return value if math.isfinite(value) else _FOUND


def _locate(value: Any, at: Location) -> Location | None:
    if value is _FOUND:
        return at
    parts: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    return next((found for name, part in parts if (found := _locate(part, (*at, name))) is not None), None)
