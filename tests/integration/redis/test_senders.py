"""Senders on a real Valkey: never late, never raising, and what they send is what consumers expect."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing, closing
from typing import Any

import pytest

from convex_common.contracts import DELIVERIES_DUE, EVENTS_ACCEPTED, DeliveryIds, EventsAccepted
from convex_common.redis.async_sender import AsyncSender
from convex_common.redis.broker import Sender
from convex_common.redis.dispatch import namespace, wake_key
from tests.support.eventually import eventually, eventually_async
from tests.support.valkey import Valkey

GENEROUS = 1.0  # seconds; a send is promised within 0.05, and this machine may be busy


def waiting(valkey: Valkey, prefix: str, queue: str = "alert") -> list[dict[str, Any]]:
    """The messages in a queue, in order."""
    with valkey.client() as client:
        ids = client.lrange(f"{namespace(prefix)}:{queue}", 0, -1)
        return [json.loads(client.hget(f"{namespace(prefix)}:{queue}.msgs", i) or b"null") for i in ids]


def test_a_message_carries_its_contract_and_trace(valkey: Valkey, queue_prefix: str) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with closing(Sender(valkey.url, queue_prefix, within=5)) as sender:
        assert sender.send(EVENTS_ACCEPTED, EventsAccepted((3, 5)), traceparent)
    (message,) = waiting(valkey, queue_prefix)
    assert message["actor_name"] == "events_accepted"
    assert message["kwargs"] == {"shards": [3, 5]}
    assert message["options"]["traceparent"] == traceparent
    with valkey.client() as client:
        assert client.llen(wake_key(namespace(queue_prefix), "alert")) == 1


def test_a_payload_that_breaks_its_contract_is_not_sent(
    valkey: Valkey, queue_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Sender(valkey.url, queue_prefix, within=5)) as sender:
        assert not sender.send(DELIVERIES_DUE, DeliveryIds(("no id",)))
    assert "breaks its contract" in caplog.text


@pytest.mark.parametrize("frozen", [False, True], ids=["refused", "silent"])
def test_with_redis_away_it_says_no_at_once(own_valkey: Valkey, queue_prefix: str, frozen: bool) -> None:
    with closing(Sender(own_valkey.url, queue_prefix)) as sender:
        assert eventually(lambda: sender.send(EVENTS_ACCEPTED, EventsAccepted((1,))))
        own_valkey.freeze() if frozen else own_valkey.kill()
        for _ in range(5):
            began = time.monotonic()
            assert not sender.send(EVENTS_ACCEPTED, EventsAccepted((2,)))
            assert time.monotonic() - began < GENEROUS
        own_valkey.thaw() if frozen else own_valkey.start()
        eventually(lambda: sender.send(EVENTS_ACCEPTED, EventsAccepted((3,))), what="sending again")


def test_a_name_that_cannot_be_found_holds_nobody_up(queue_prefix: str) -> None:
    with closing(Sender("redis://no-such-host.invalid:6379/0", queue_prefix)) as sender:
        began = time.monotonic()
        assert not sender.send(EVENTS_ACCEPTED, EventsAccepted((1,)))
        assert time.monotonic() - began < GENEROUS


async def _sends(url: str, prefix: str) -> None:
    async with aclosing(AsyncSender(url, prefix, within=5)) as sender:
        assert await sender.send(EVENTS_ACCEPTED, EventsAccepted((1,)))
        assert all(await asyncio.gather(*(sender.send(EVENTS_ACCEPTED, EventsAccepted((n,))) for n in range(9))))


def test_async_sends_reach_the_queue(valkey: Valkey, queue_prefix: str) -> None:
    asyncio.run(_sends(valkey.url, queue_prefix))
    assert len(waiting(valkey, queue_prefix)) == 10


async def _heals(valkey: Valkey, prefix: str, *, frozen: bool) -> None:
    async with aclosing(AsyncSender(valkey.url, prefix)) as sender:

        async def sent() -> bool:
            return await sender.send(EVENTS_ACCEPTED, EventsAccepted((1,)))

        for _ in range(100):
            if await sent():
                break
        valkey.freeze() if frozen else valkey.kill()
        for _ in range(5):
            began = time.monotonic()
            assert not await sent()
            assert time.monotonic() - began < GENEROUS
        valkey.thaw() if frozen else valkey.start()
        deadline = time.monotonic() + 10
        while not await sent():
            assert time.monotonic() < deadline, "sending did not come back"
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("frozen", [False, True], ids=["refused", "silent"])
def test_async_with_redis_away_it_says_no_at_once(own_valkey: Valkey, queue_prefix: str, frozen: bool) -> None:
    asyncio.run(_heals(own_valkey, queue_prefix, frozen=frozen))


async def _hints(url: str, prefix: str) -> None:
    async with aclosing(AsyncSender(url, prefix)) as sender:
        for shard in range(64):
            sender.hint(EVENTS_ACCEPTED, EventsAccepted((shard,)))
        await eventually_async(lambda: not sender._hinting)


def test_hints_gather_while_one_is_under_way(valkey: Valkey, queue_prefix: str) -> None:
    asyncio.run(_hints(valkey.url, queue_prefix))
    messages = waiting(valkey, queue_prefix)
    assert len(messages) == 1, "all were given before the first could leave"
    assert messages[0]["kwargs"]["shards"] == list(range(64))


async def _hints_one_by_one(url: str, prefix: str) -> None:
    async with aclosing(AsyncSender(url, prefix)) as sender:
        for shard in range(10):
            sender.hint(EVENTS_ACCEPTED, EventsAccepted((shard,)))
            await eventually_async(lambda: not sender._hinting)


def test_a_queue_four_hints_deep_takes_no_more(valkey: Valkey, queue_prefix: str) -> None:
    asyncio.run(_hints_one_by_one(valkey.url, queue_prefix))
    assert [m["kwargs"]["shards"] for m in waiting(valkey, queue_prefix)] == [[0], [1], [2], [3]]


async def _hints_into_nothing(url: str, prefix: str) -> None:
    async with aclosing(AsyncSender(url, prefix)) as sender:
        for _ in range(20):
            began = time.monotonic()
            sender.hint(EVENTS_ACCEPTED, EventsAccepted((1,)))
            assert time.monotonic() - began < GENEROUS
            await asyncio.sleep(0)
        await eventually_async(lambda: not sender._hinting)


def test_hints_without_redis_are_dropped_quietly(absent_valkey: Valkey, queue_prefix: str) -> None:
    asyncio.run(_hints_into_nothing(absent_valkey.url, queue_prefix))
