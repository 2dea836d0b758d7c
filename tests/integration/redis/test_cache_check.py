"""The look at the cache, on real servers in each state that it names."""

from __future__ import annotations

import asyncio

import pytest

from convex_common.redis.cache.check import check
from tests.support.caching import Gateway, Truth
from tests.support.valkey import Valkey


def test_all_is_well(valkey: Valkey, queue_prefix: str) -> None:
    async def filled() -> None:
        one = Gateway(Truth(), valkey.url, queue_prefix, within=1.0)
        for facet in ("a", "b", "c"):
            await one.read(facet)
        await one.aclose()

    asyncio.run(filled())
    found = check(valkey.url, valkey.url, queue_prefix, {"alerts": 81.5, "statistics": 99.0})
    assert found.reachable
    assert found.keys == {"alerts": 3, "statistics": 0, "patterns": 0, "rules": 0}
    assert found.memory_bytes
    assert found.memory_percent is None
    assert found.eviction_policy == "noeviction"
    assert found.hit_rates == {"alerts": 81.5, "statistics": 99.0}
    assert not [problem for problem in found.problems if "ping" not in problem]  # a busy machine may be slow
    assert found.as_json()["keys"]["alerts"] == 3


def test_nobody_is_there(absent_valkey: Valkey) -> None:
    found = check(absent_valkey.url, absent_valkey.url, "alert")
    assert not found.reachable
    assert [problem.split(" cannot")[0] for problem in found.problems] == ["the cache's Redis", "the queues' Redis"]


@pytest.mark.parametrize(
    ("policy", "limit", "problem"),
    [
        ("noeviction", "1", "raise maxmemory"),
        ("noeviction", "1gb", None),
        ("allkeys-lru", "1gb", "set maxmemory-policy noeviction"),
    ],
)
def test_memory(policy: str, limit: str, problem: str | None, own_valkey: Valkey) -> None:
    with own_valkey.client() as client:
        client.config_set("maxmemory-policy", policy)
        client.config_set("maxmemory", limit)
    found = check(own_valkey.url, own_valkey.url, "alert")
    told = [one for one in found.problems if "memory" in one]
    assert (told == []) if problem is None else [problem in one for one in told] == [True]
    assert found.memory_percent is not None


def test_a_poor_hit_rate_is_named(valkey: Valkey, queue_prefix: str) -> None:
    found = check(valkey.url, valkey.url, queue_prefix, {"alerts": 12.0, "rules": 90.0})
    assert [problem for problem in found.problems if "hit rate" in problem] == [
        "the hit rate of alerts is 12 %: see docs/cache.md on what to look at"
    ]
