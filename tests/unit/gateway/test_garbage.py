"""What is frozen, and when it thaws."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from convex_gateway.garbage import WAVE, YOUNG, Garbage


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_a_wave_is_frozen_once_it_has_settled_and_thawed_when_it_has_gone() -> None:
    sockets = 0
    garbage = Garbage(lambda: sockets)
    frozen: list[int] = []

    def look() -> int:
        garbage.look()
        frozen.append(gc.get_freeze_count())
        return frozen[-1]

    assert look() == 0, "nobody is there"
    sockets = 4 * WAVE
    assert look() == 0, "they may still be coming"
    held = [[] for _ in range(10_000)]  # type: ignore[var-annotated]
    assert look() >= len(held), "they have come"
    sockets += WAVE // 20
    assert look() == frozen[-2], "a few more are no wave"
    del held
    sockets = WAVE
    assert look() < frozen[-2] - 9_000, "they have gone: what they left is nowhere"


def test_the_young_are_looked_through_seldom_while_it_runs() -> None:
    async def scenario() -> None:
        before = gc.get_threshold()
        garbage = Garbage(lambda: 0)
        garbage.start()
        assert gc.get_threshold() == (YOUNG, *before[1:])
        await garbage.stop()
        assert gc.get_threshold() == before

    asyncio.run(scenario())
