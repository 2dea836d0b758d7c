"""Readers and writers at once on several gateways, with Redis misbehaving: nobody reads what was before what he
could know of."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from functools import partial

import pytest

from convex_common.redis.cache.cache import Loaded
from convex_common.redis.cache.classes import ALERTS
from convex_common.redis.cache.positions import NotedPublisher
from tests.support.caching import Gateway, Truth
from tests.support.valkey import Valkey

FACETS = ("a", "b", "c")
LISTS = (("a",), ("b",), ("a", "b"), ("c",), FACETS)
GATEWAYS = 3
ROUNDS = 300


class Race:
    """A reader remembers what was answered to writers before he asked: `told`."""

    def __init__(self, valkey: Valkey, prefix: str, seed: int) -> None:
        self.random = random.Random(seed)
        self.truth = Truth()
        self.gateways = [Gateway(self.truth, valkey.url, prefix, within=1.0) for _ in range(GATEWAYS)]
        self.told: Counter[str] = Counter()
        self.read = 0

    async def reader(self, gateway: Gateway) -> None:
        for _ in range(ROUNDS):
            facets = self.random.choice(LISTS)
            told = dict(self.told)
            found = await gateway.cache.find(
                self.truth.workspace_id, ALERTS, str(facets), partial(self._load, facets), facets=facets
            )
            for facet, value in zip(facets, found.value.decode().split(","), strict=True):
                assert int(value) >= told.get(facet, 0), f"{facet} was {value} after {told[facet]} had been told"
            assert found.stamp <= self.truth.offset
            self.read += 1
            await self._pause()

    async def writer(self, gateway: Gateway) -> None:
        publisher = NotedPublisher(gateway.publisher, gateway.positions)
        for _ in range(ROUNDS // 3):
            facets = self.random.sample(FACETS, self.random.randint(1, 2))
            event = self.truth.commit(*facets)
            values = {facet: self.truth.facets[facet] for facet in facets}
            await self._pause()
            # Where a mark was lost, whoever asks may be told of the change a second later: nobody was told yet.
            if await asyncio.to_thread(publisher.publish, [event]):
                for facet, value in values.items():
                    self.told[facet] = max(self.told[facet], value)
            await self._pause()

    async def _load(self, facets: tuple[str, ...]) -> Loaded:
        await self._pause()
        found = self.truth.read(facets)
        await self._pause()
        return found

    async def _pause(self) -> None:
        if self.random.random() < 0.5:
            await asyncio.sleep(self.random.choice((0, 0.0005, 0.003)))


@pytest.mark.parametrize("fault", ["none", "flush", "eviction of marks", "connections cut", "scripts forgotten"])
def test_nobody_reads_what_was_before(fault: str, own_valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        race = Race(own_valkey, queue_prefix, seed=7)

        async def misbehave() -> None:
            with own_valkey.client() as client:
                while True:
                    await asyncio.sleep(0.02)
                    if fault == "flush":
                        client.flushall()
                    elif fault == "eviction of marks":
                        client.delete(*(client.keys("*:marks") or ["nothing"]))
                    elif fault == "connections cut":
                        client.client_kill_filter(_type="normal", skipme=True)
                    elif fault == "scripts forgotten":
                        client.script_flush()

        misbehaving = asyncio.create_task(misbehave())
        readers = [race.reader(gateway) for gateway in race.gateways for _ in range(4)]
        await asyncio.gather(*readers, *(race.writer(gateway) for gateway in race.gateways))
        misbehaving.cancel()
        hits = sum(gateway.counted("hits") for gateway in race.gateways)
        assert race.read == GATEWAYS * 4 * ROUNDS
        assert fault != "none" or hits > race.read / 20, "nearly nothing was served by the cache: nothing was tried"
        for gateway in race.gateways:
            await gateway.aclose()

    asyncio.run(test())
