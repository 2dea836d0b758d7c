"""API keys in memory: found once in 30 s, many in one query, and floods that cost little."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Collection, Sequence

import pytest
from prometheus_client import CollectorRegistry

from convex_common.domain import api_key
from convex_common.domain.role import Role, Scope
from convex_common.errors import StoreUnavailable
from convex_common.metrics import Metrics
from convex_common.postgres.api_keys import UsableKey
from convex_gateway.api_keys import ABSENT_SECONDS, BATCH, FRESH_SECONDS, ApiKeys

WORKSPACE = uuid.uuid4()


class Store:
    """Keys by their digests, with the queries that were asked and a clock."""

    def __init__(self) -> None:
        self.keys: dict[bytes, UsableKey] = {}
        self.queries: list[list[bytes]] = []
        self.used: list[uuid.UUID] = []
        self.now = 0.0
        self.away = False
        self.answer = asyncio.Event()
        self.answer.set()
        self.metrics = Metrics(CollectorRegistry())

    def make(self, text: str, *, untold: bool = False, expires_at: dt.datetime | None = None) -> uuid.UUID:
        digest, key_id = api_key.digest_of(text), uuid.uuid4()
        self.keys[digest] = UsableKey(
            digest, WORKSPACE, key_id, Role.EDITOR, frozenset({Scope.READ}), expires_at, untold
        )
        return key_id

    async def find(self, digests: Collection[bytes]) -> Sequence[UsableKey]:
        self.queries.append(list(digests))
        found = [self.keys[digest] for digest in digests if digest in self.keys]
        await self.answer.wait()
        if self.away:
            raise StoreUnavailable
        return found

    async def use(self, key_ids: Collection[uuid.UUID]) -> None:
        if self.away:
            raise StoreUnavailable
        self.used.extend(key_ids)

    def api_keys(self, remembered: int = 10) -> ApiKeys:
        return ApiKeys(self.find, self.use, self.metrics, clock=lambda: self.now, remembered=remembered)


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_key_says_whose_it_is() -> None:
    async def scenario() -> None:
        store = Store()
        expires = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
        key_id = store.make("cvx_a", expires_at=expires)
        found = await store.api_keys().find("cvx_a")
        assert found is not None
        assert (found.workspace_id, found.user_id, found.key_id) == (WORKSPACE, f"key:{key_id}", key_id)
        assert (found.role, found.scopes, found.operator) == (Role.EDITOR, frozenset({Scope.READ}), False)
        assert found.expires_at == expires.timestamp()

    asyncio.run(scenario())


def test_a_key_is_looked_up_once_in_30_seconds() -> None:
    async def scenario() -> None:
        store = Store()
        store.make("cvx_a")
        keys = store.api_keys()
        together = await asyncio.gather(*(keys.find("cvx_a") for _ in range(5)))
        assert None not in together
        assert len(store.queries) == 1
        store.keys.clear()
        store.now = FRESH_SECONDS - 0.1
        assert await keys.find("cvx_a") is not None
        store.now = FRESH_SECONDS
        assert await keys.find("cvx_a") is None, "revoked elsewhere"
        store.make("cvx_a")
        assert await keys.find("cvx_a") is None
        store.now += ABSENT_SECONDS
        assert await keys.find("cvx_a") is not None, "who was just made waits a second only"
        assert len(store.queries) == 3
        assert store.metrics.registry.get_sample_value("cache_hits_total", {"class": "api_keys"}) == 2

    asyncio.run(scenario())


def test_a_flood_takes_one_query_at_a_time_and_pushes_no_good_key_out() -> None:
    async def scenario() -> None:
        store = Store()
        store.make("cvx_good")
        keys = store.api_keys(remembered=10)
        await keys.find("cvx_good")
        store.queries.clear()
        store.answer.clear()
        flood = [asyncio.create_task(keys.find(f"cvx_{number}")) for number in range(3 * BATCH)]
        await settled()
        assert len(store.queries) == 1, "the others wait for it"
        store.answer.set()
        assert set(await asyncio.gather(*flood)) == {None}
        assert sum(map(len, store.queries)) == 3 * BATCH
        assert max(map(len, store.queries)) <= BATCH
        assert len(store.queries) <= 4
        store.queries.clear()
        assert await keys.find("cvx_good") is not None
        assert store.queries == []

    asyncio.run(scenario())


def test_what_is_too_long_to_be_a_key_is_not_asked_for() -> None:
    async def scenario() -> None:
        store = Store()
        assert await store.api_keys().find("cvx_" + "x" * 10_000) is None
        assert store.queries == []

    asyncio.run(scenario())


@pytest.mark.parametrize("under_way", [False, True], ids=["remembered", "a look-up under way"])
def test_a_key_that_is_forgotten_is_looked_up_again(under_way: bool) -> None:
    async def scenario() -> None:
        store = Store()
        key_id = store.make("cvx_a")
        keys = store.api_keys()
        if under_way:
            store.answer.clear()
            asked = asyncio.create_task(keys.find("cvx_a"))
            await settled()
            keys.forget(key_id)
            store.answer.set()
            await asked
        else:
            await keys.find("cvx_a")
            keys.forget(key_id)
        store.keys.clear()
        assert await keys.find("cvx_a") is None

    asyncio.run(scenario())


def test_its_use_is_told_where_that_is_due_and_a_failure_of_it_is_nobodys() -> None:
    async def scenario() -> None:
        store = Store()
        told, untold = store.make("cvx_told"), store.make("cvx_untold", untold=True)
        keys = store.api_keys()
        await asyncio.gather(keys.find("cvx_told"), keys.find("cvx_untold"))
        await settled()
        assert store.used == [untold]
        assert told not in store.used

    asyncio.run(scenario())


def test_without_the_store_what_is_fresh_goes_on_and_it_heals() -> None:
    async def scenario() -> None:
        store = Store()
        store.make("cvx_a")
        keys = store.api_keys()
        await keys.find("cvx_a")
        store.away = True
        assert await keys.find("cvx_a") is not None
        store.now = FRESH_SECONDS
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await keys.find("cvx_a")
        store.away = False
        assert await keys.find("cvx_a") is not None

    asyncio.run(scenario())


def test_a_caller_who_goes_away_takes_nobody_along() -> None:
    async def scenario() -> None:
        store = Store()
        store.make("cvx_a")
        keys = store.api_keys()
        first, second = (asyncio.create_task(keys.find("cvx_a")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second is not None

    asyncio.run(scenario())
