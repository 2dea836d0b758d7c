"""Coming back: exactly what was missed, from memory or from the log, then live; each entry once per socket."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from tests.support.live import Log, live_gateway, publish, token, watcher
from tests.support.postgres import Store
from tests.support.valkey import Valkey


@pytest.mark.parametrize("remembered", [True, False], ids=["from the ring", "from the log"])
def test_resuming(store: Store, valkey: Valkey, queue_prefix: str, *, remembered: bool) -> None:
    log = Log(store)
    shop, bank = log.framework("shop"), log.framework("bank")
    frames: list[str] = []

    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix) as gateway:
            good = token(store.workspace_id)
            if remembered:
                async with watcher(gateway.url, good) as before:
                    await before.subscribe()
                    events = log.append([shop, bank] * 5)
                    with valkey.client() as publisher:
                        publish(publisher, queue_prefix, events)
                    await before.until(lambda w: len(w.offsets) == 10)
            else:
                events = log.append([shop, bank] * 5)
            frames.extend(event.frame.decode() for event in events)
            epoch, _ = log.position()
            async with (
                watcher(gateway.url, good) as whole,
                watcher(gateway.url, good) as of_bank,
                watcher(gateway.url, good) as up_to_date,
            ):
                answer = await whole.subscribe(since=(epoch, 4))
                assert (answer["recovered"], answer["replayed"], answer["offset"]) == (True, 6, 10)
                await whole.has([5, 6, 7, 8, 9, 10])
                assert whole.texts[-6:] == frames[4:], "a replayed frame is the live one, byte by byte"
                answer = await of_bank.subscribe(bank, since=(epoch, 4))
                assert (answer["recovered"], answer["replayed"], answer["offset"]) == (True, 3, 10)
                answer = await up_to_date.subscribe(since=(epoch, 10))
                assert (answer["recovered"], answer["replayed"], answer["offset"]) == (True, 0, 10)
                with valkey.client() as publisher:
                    publish(publisher, queue_prefix, log.append([bank, shop]))
                await whole.has(list(range(5, 13)))
                await of_bank.has([6, 8, 10, 11])
                await up_to_date.has([11, 12])

    asyncio.run(scenario())


def test_each_entry_once_per_socket(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    log = Log(store)
    shop, bank = log.framework("shop"), log.framework("bank")
    epoch, _ = log.position()
    log.append([shop, bank, shop, bank])

    async def scenario() -> None:
        async with (
            live_gateway(store.url, valkey.url, queue_prefix) as gateway,
            watcher(gateway.url, token(store.workspace_id)) as client,
        ):
            assert (await client.subscribe(shop, since=(epoch, 0)))["replayed"] == 2
            assert (await client.subscribe(since=(epoch, 0)))["replayed"] == 2
            assert (await client.subscribe(bank, since=(epoch, 0)))["replayed"] == 0
            assert (await client.subscribe(since=(epoch, 0)))["replayed"] == 0
            with valkey.client() as publisher:
                publish(publisher, queue_prefix, log.append([shop, bank]))
            await client.has([1, 3, 2, 4, 5, 6])
            await client.send(type="unsubscribe")
            await client.send(type="unsubscribe", framework_id=str(shop))
            await client.until(lambda w: len(w.of("unsubscribed")) == 2)
            with valkey.client() as publisher:
                publish(publisher, queue_prefix, log.append([shop, bank]))
            await client.until(lambda w: w.offsets[-1] == 8)
            assert client.offsets == [1, 3, 2, 4, 5, 6, 8]

    asyncio.run(scenario())


def test_a_client_ahead_of_its_gateway(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    """It has read a list by REST, whose offset the gateway has not heard of yet."""
    log = Log(store)
    shop = log.framework("shop")

    async def scenario() -> None:
        async with (
            live_gateway(store.url, valkey.url, queue_prefix) as gateway,
            watcher(gateway.url, token(store.workspace_id)) as first,
            watcher(gateway.url, token(store.workspace_id)) as ahead,
            watcher(gateway.url, token(store.workspace_id)) as beyond,
        ):
            epoch = (await first.subscribe())["epoch"]
            log.append([shop] * 3)
            answer = await ahead.subscribe(since=(epoch, 3))
            assert (answer["recovered"], answer["replayed"], answer["offset"]) == (True, 0, 3)
            answer = await beyond.subscribe(since=(epoch, 99))
            assert (answer["recovered"], answer["replayed"]) == (False, 0)
            await first.has([1, 2, 3])
            with valkey.client() as publisher:
                publish(publisher, queue_prefix, log.append([shop]))
            await ahead.has([4])

    asyncio.run(scenario())


def test_too_old(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    log = Log(store)
    shop = log.framework("shop")
    log.append([shop] * 2, age_seconds=90_000)
    log.append([shop] * 2, age_seconds=3_600)
    epoch, _ = log.position()

    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix) as gateway:
            for framework in (None, shop):
                for since, recovered, offsets in ((0, False, []), (1, False, []), (2, True, [3, 4]), (3, True, [4])):
                    async with watcher(gateway.url, token(store.workspace_id)) as client:
                        answer = await client.subscribe(framework, since=(epoch, since))
                        told = (answer["recovered"], answer["replayed"], answer["offset"])
                        assert told == (recovered, len(offsets), 4), (framework, since)
                        await client.send(type="ping")
                        await client.first("pong")
                        assert client.offsets == offsets
            async with watcher(gateway.url, token(store.workspace_id)) as client:
                answer = await client.subscribe(since=(str(uuid.uuid4()), 3))
                assert (answer["recovered"], answer["epoch"]) == (False, epoch)

    asyncio.run(scenario())


def test_too_many(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    log = Log(store)
    shop, bank = log.framework("shop"), log.framework("bank")
    epoch, _ = log.position()
    for _ in range(5):
        log.append([shop] * 2_000)
    log.append([bank] * 3)

    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix) as gateway:
            good = token(store.workspace_id)
            async with watcher(gateway.url, good) as client:
                answer = await client.subscribe(since=(epoch, 2))
                assert not answer["recovered"]
            async with watcher(gateway.url, good) as client:
                answer = await client.subscribe(since=(epoch, 3))
                assert (answer["recovered"], answer["replayed"], answer["offset"]) == (True, 10_000, 10_003)
                await client.until(lambda w: len(w.offsets) == 10_000, within=30)
                assert client.offsets == list(range(4, 10_004))
            async with watcher(gateway.url, good) as client:
                answer = await client.subscribe(bank, since=(epoch, 0))
                assert (answer["recovered"], answer["replayed"]) == (True, 3)
                await client.has([10_001, 10_002, 10_003])

    asyncio.run(scenario())


def test_resuming_under_load(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    """Clients that drop and resume while events rush in miss none and get none twice."""
    log = Log(store)
    shop = log.framework("shop")
    total = 1_500

    async def commits() -> None:
        with valkey.client() as publisher:
            for _ in range(total // 10):
                publish(publisher, queue_prefix, await asyncio.to_thread(log.append, [shop] * 10))

    async def resumes(url: str, epoch: str) -> list[int]:
        seen: list[int] = []
        while len(seen) < total:
            async with watcher(url, token(store.workspace_id)) as client:
                answer = await client.subscribe(since=(epoch, seen[-1] if seen else 0))
                assert answer["recovered"]
                await client.counts(min(total, len(seen) + 130) - len(seen))
                seen += client.offsets
        return seen

    async def scenario() -> None:
        epoch, _ = log.position()
        async with (
            live_gateway(store.url, valkey.url, queue_prefix) as here,
            live_gateway(store.url, valkey.url, queue_prefix) as there,
        ):
            results = await asyncio.gather(
                commits(), *(resumes(gateway.url, epoch) for gateway in (here, there) for _ in range(3))
            )
            for seen in results[1:]:
                assert seen == list(range(1, total + 1))

    asyncio.run(scenario())
