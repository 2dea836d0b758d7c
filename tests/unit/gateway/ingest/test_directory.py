"""What is remembered, for how long, and who asks."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Mapping

import pytest
from prometheus_client import CollectorRegistry

from convex_common.errors import StoreUnavailable
from convex_common.metrics import Metrics
from convex_common.redis.cache.counts import CacheCounts
from convex_gateway.ingest.directory import Directory

HERE, THERE = uuid.UUID(int=1), uuid.UUID(int=2)


class Store:
    """Holds values by workspace and key, and counts who asks; may be slow or away."""

    def __init__(self) -> None:
        self.values: dict[tuple[uuid.UUID, str], str] = {}
        self.asked: list[list[str]] = []
        self.gate: asyncio.Event | None = None
        self.away = False

    async def load(self, workspace_id: uuid.UUID, keys: Collection[str]) -> Mapping[str, str]:
        self.asked.append(sorted(keys))
        found = {key: self.values[workspace_id, key] for key in keys if (workspace_id, key) in self.values}
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise StoreUnavailable
        return found


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def directory(store: Store, clock: Clock) -> Directory[str, str]:
    metrics = Metrics(CollectorRegistry())
    return Directory(
        store.load,
        counts=CacheCounts("rules", metrics),
        lasting=lambda value: value != "fleeting",
        clock=clock,
        remembered=3,
    )


def test_what_is_found_is_fresh_for_five_seconds_in_its_workspace() -> None:
    async def scenario() -> None:
        store, clock = Store(), Clock()
        store.values = {(HERE, "a"): "1", (THERE, "a"): "2"}
        found = directory(store, clock)
        assert await found.find(HERE, {"a"}) == {"a": "1"}
        assert await found.find(THERE, {"a"}) == {"a": "2"}
        store.values[HERE, "a"] = "changed"
        clock.now += 4.9
        assert await found.find(HERE, {"a"}) == {"a": "1"}
        clock.now += 0.2
        assert await found.find(HERE, {"a"}) == {"a": "changed"}
        assert len(store.asked) == 3

    asyncio.run(scenario())


def test_what_is_absent_or_fleeting_is_asked_for_each_time() -> None:
    async def scenario() -> None:
        store = Store()
        store.values[HERE, "disabled"] = "fleeting"
        found = directory(store, Clock())
        assert await found.find(HERE, ["none", "disabled"]) == {"disabled": "fleeting"}
        store.values |= {(HERE, "none"): "made", (HERE, "disabled"): "enabled"}
        assert await found.find(HERE, ["none", "disabled"]) == {"none": "made", "disabled": "enabled"}

    asyncio.run(scenario())


def test_one_asks_for_all_and_a_late_comer_asks_again_for_what_was_not_found() -> None:
    async def scenario() -> None:
        store = Store()
        store.values[HERE, "a"] = "1"
        store.gate = asyncio.Event()
        found = directory(store, Clock())
        first = [asyncio.create_task(found.find(HERE, ["a", "b"])) for _ in range(50)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        store.values[HERE, "b"] = "made after it was asked for"
        late = asyncio.create_task(found.find(HERE, ["b"]))
        await asyncio.sleep(0)
        store.gate.set()
        assert (await late) == {"b": "made after it was asked for"}
        assert all("a" in answer for answer in await asyncio.gather(*first))
        assert store.asked[0] == ["a", "b"]
        assert len([keys for keys in store.asked if "a" in keys]) == 1

    asyncio.run(scenario())


def test_a_store_that_is_away_is_told_and_asked_again() -> None:
    async def scenario() -> None:
        store = Store()
        store.values[HERE, "a"] = "1"
        store.away = True
        found = directory(store, Clock())
        with pytest.raises(StoreUnavailable):
            await found.find(HERE, ["a"])
        store.away = False
        assert await found.find(HERE, ["a"]) == {"a": "1"}

    asyncio.run(scenario())


def test_somebody_who_leaves_takes_nobody_along() -> None:
    async def scenario() -> None:
        store = Store()
        store.values[HERE, "a"] = "1"
        store.gate = asyncio.Event()
        found = directory(store, Clock())
        leaving, staying = (asyncio.create_task(found.find(HERE, ["a"])) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        store.gate.set()
        assert await staying == {"a": "1"}

    asyncio.run(scenario())


def test_the_oldest_are_forgotten() -> None:
    async def scenario() -> None:
        store = Store()
        store.values = {(HERE, key): key for key in "abcd"}
        found = directory(store, Clock())
        for key in "abcda":
            await found.find(HERE, [key])
        assert store.asked == [["a"], ["b"], ["c"], ["d"], ["a"]]

    asyncio.run(scenario())
