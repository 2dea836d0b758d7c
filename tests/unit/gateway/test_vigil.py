"""A silent store is asked, one that has work is not."""

from __future__ import annotations

import asyncio

from convex_common.stores import StoreWatch
from convex_gateway.vigil import Vigil


def test_only_the_silent_are_asked() -> None:
    silent, busy = StoreWatch(lambda: None), StoreWatch(lambda: None)
    asked: list[str] = []

    async def ask_silent() -> bool:
        asked.append("silent")
        raise RuntimeError("not foreseen")

    async def ask_busy() -> bool:
        asked.append("busy")
        return True

    async def keep() -> None:
        vigil = Vigil({silent: ask_silent, busy: ask_busy}, every=0.2)
        busy.answered()
        await vigil.start()
        for _ in range(25):
            busy.answered()
            await asyncio.sleep(0.02)
        await vigil.stop()

    asyncio.run(keep())
    assert asked.count("silent") >= 2, "one failure does not end it"
    assert "busy" not in asked
