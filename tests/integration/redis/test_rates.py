"""Shared buckets on a real Valkey: exact among many, quick to give up on a server that is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from convex_common.domain.rate import Rate
from convex_common.redis.rates import Bucket, RatesUnavailable, SharedRates
from tests.support.valkey import Valkey

pytestmark = pytest.mark.timeout(60)

NEVER = 1e-3
"""Permits a second that do not come back while a test runs."""


def running(server: Valkey, prefix: str, scenario: Callable[[SharedRates], Awaitable[None]]) -> None:
    async def run() -> None:
        shared = SharedRates(server.url, prefix)
        try:
            await scenario(shared)
        finally:
            await shared.aclose()

    asyncio.run(run())


def test_many_at_once_get_exactly_the_burst(valkey: Valkey, queue_prefix: str) -> None:
    async def scenario(shared: SharedRates) -> None:
        bucket = Bucket("b", Rate(NEVER, 500))
        granted = await asyncio.gather(*(shared.take([bucket], 1, 7, 1.0) for _ in range(200)))
        assert sum(one.permits for one in granted) == 500
        refused = [one for one in granted if not one.permits]
        assert refused
        assert all(900 < one.wait <= 1000 for one in refused), "a thousand seconds for the next one"

    running(valkey, queue_prefix, scenario)


def test_a_permit_is_taken_of_every_bucket_or_of_none(valkey: Valkey, queue_prefix: str) -> None:
    async def scenario(shared: SharedRates) -> None:
        small, large = Bucket("small", Rate(NEVER, 3)), Bucket("large", Rate(NEVER, 10))
        assert (await shared.take([small, large], 1, 5, 1.0)).permits == 3, "as many as there are of both"
        refused = await shared.take([large, small], 1, 1, 1.0)
        assert (refused.permits, refused.tightest) == (0, 1)
        assert (await shared.take([large], 1, 100, 1.0)).permits == 7, "the refused one took nothing"

    running(valkey, queue_prefix, scenario)


def test_what_is_owed_is_taken_in_any_case(valkey: Valkey, queue_prefix: str) -> None:
    async def scenario(shared: SharedRates) -> None:
        bucket = Bucket("b", Rate(NEVER, 10))
        assert (await shared.take([bucket], 5, 5, 1.0, owed=3)).permits == 5
        refused = await shared.take([bucket], 3, 3, 1.0, owed=7)
        assert (refused.permits, round(refused.wait / 1000)) == (0, 8), "ten and five are gone, three are wanted"

    running(valkey, queue_prefix, scenario)


def test_permits_come_back_at_the_rate_by_the_servers_clock(valkey: Valkey, queue_prefix: str) -> None:
    async def scenario(shared: SharedRates) -> None:
        bucket = Bucket("b", Rate(1000, 100))
        assert (await shared.take([bucket], 100, 100, 1.0)).permits == 100
        began, total = time.monotonic(), 0
        while time.monotonic() - began < 0.5:
            total += (await shared.take([bucket], 1, 100, 1.0)).permits
        took = time.monotonic() - began
        assert 0.9 * 1000 * took - 10 <= total <= 1000 * took + 20

    running(valkey, queue_prefix, scenario)


def test_more_than_the_burst_is_granted_when_full_and_paid_off(valkey: Valkey, queue_prefix: str) -> None:
    async def scenario(shared: SharedRates) -> None:
        bucket = Bucket("b", Rate(10, 5))
        assert (await shared.take([bucket], 50, 50, 1.0)).permits == 50
        refused = await shared.take([bucket], 1, 1, 1.0)
        assert refused.wait == pytest.approx(4.6, abs=0.3)

    running(valkey, queue_prefix, scenario)


def test_a_full_bucket_leaves_no_key(valkey: Valkey, queue_prefix: str) -> None:
    async def scenario(shared: SharedRates) -> None:
        await shared.take([Bucket("b", Rate(10_000, 100))], 1, 1, 1.0)
        await asyncio.sleep(0.1)
        assert valkey.client().keys(f"{queue_prefix}:*") == []

    running(valkey, queue_prefix, scenario)


def test_it_survives_a_server_that_forgot_the_script_and_its_keys(own_valkey: Valkey) -> None:
    async def scenario(shared: SharedRates) -> None:
        bucket = Bucket("b", Rate(NEVER, 1))
        assert (await shared.take([bucket], 1, 1, 1.0)).permits == 1
        own_valkey.client().script_flush()
        own_valkey.client().flushall()
        assert (await shared.take([bucket], 1, 1, 1.0)).permits == 1

    running(own_valkey, "p", scenario)


def test_what_lies_in_its_place_is_a_failure_and_not_a_crash(valkey: Valkey, queue_prefix: str) -> None:
    async def scenario(shared: SharedRates) -> None:
        valkey.client().lpush(f"{queue_prefix}:limit:b", "x")
        with pytest.raises(RatesUnavailable):
            await shared.take([Bucket("b", Rate(1, 1))], 1, 1, 1.0)

    running(valkey, queue_prefix, scenario)


def test_a_frozen_server_is_given_up_on_in_time_and_heeded_again(own_valkey: Valkey) -> None:
    async def scenario(shared: SharedRates) -> None:
        bucket = Bucket("b", Rate(NEVER, 10))
        await shared.take([bucket], 1, 1, 1.0)
        own_valkey.freeze()
        waited = []
        for _ in range(20):
            began = time.perf_counter()
            with pytest.raises(RatesUnavailable):
                await shared.take([bucket], 1, 1, 0.005)
            waited.append(time.perf_counter() - began)
        assert sorted(waited)[10] < 0.005, "most of them are not even tried"
        own_valkey.thaw()
        assert await _heeded(shared, bucket)

    running(own_valkey, "p", scenario)


def test_a_killed_server_is_found_again(own_valkey: Valkey) -> None:
    async def scenario(shared: SharedRates) -> None:
        bucket = Bucket("b", Rate(NEVER, 10))
        await shared.take([bucket], 1, 1, 1.0)
        own_valkey.kill()
        with pytest.raises(RatesUnavailable):
            await shared.take([bucket], 1, 1, 1.0)
        own_valkey.start()
        assert await _heeded(shared, bucket)

    running(own_valkey, "p", scenario)


async def _heeded(shared: SharedRates, bucket: Bucket) -> bool:
    for _ in range(200):
        try:
            return (await shared.take([bucket], 1, 1, 0.2)).permits == 1
        except RatesUnavailable:
            await asyncio.sleep(0.05)
    return False
