"""Waiting for a condition, never for luck."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

EVERY = 0.01


def eventually(condition: Callable[[], T], *, within: float = 10.0, what: str = "the condition") -> T:
    """The first true answer of `condition`, asked again and again; AssertionError after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        if answer := condition():
            return answer
        assert time.monotonic() < deadline, f"{what} did not come true within {within:g} s"
        time.sleep(EVERY)


async def eventually_async(condition: Callable[[], T], *, within: float = 10.0, what: str = "the condition") -> T:
    """The same without holding up the event loop."""
    deadline = time.monotonic() + within
    while True:
        if answer := condition():
            return answer
        assert time.monotonic() < deadline, f"{what} did not come true within {within:g} s"
        await asyncio.sleep(EVERY)
