"""Every offset once and in order at every subscriber, whatever Redis does to what was published."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack

import psycopg
import pytest

from convex_common.errors import StoreUnavailable
from convex_common.feed import LiveEvent
from convex_common.postgres.async_database import AsyncDatabase
from convex_gateway.live.history import History, Position
from convex_gateway.live.hub import Timing
from convex_gateway.live.lobby import Terms
from tests.support.live import Log, Watcher, live_gateway, publish, token, watcher
from tests.support.postgres import Store
from tests.support.valkey import Valkey


class SwitchedHistory(History):
    """PostgreSQL that can be away."""

    away = False

    async def positions(self, workspace_ids: object) -> list[Position]:
        if self.away:
            raise StoreUnavailable("PostgreSQL is unavailable: by order of the test")
        return await super().positions(workspace_ids)  # type: ignore[arg-type]


@pytest.mark.over_both
def test_live_by_framework_and_workspace(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    log = Log(store)
    shop, bank = log.framework("shop"), log.framework("bank")

    async def scenario() -> None:
        async with (
            live_gateway(store.url, valkey.url, queue_prefix) as gateway,
            watcher(gateway.url, token(store.workspace_id)) as whole,
            watcher(gateway.url, token(store.workspace_id)) as of_shop,
            watcher(gateway.url, token(store.workspace_id)) as both,
            watcher(gateway.url, token(store.workspace_id)) as nothing,
        ):
            await whole.subscribe()
            await of_shop.subscribe(shop)
            await both.subscribe(shop)
            await both.subscribe()
            await nothing.first("auth_success")
            events = log.append([shop, bank, shop, bank, bank])
            with valkey.client() as publisher:
                publish(publisher, queue_prefix, events)
            for client, offsets in ((whole, [1, 2, 3, 4, 5]), (both, [1, 2, 3, 4, 5]), (of_shop, [1, 3])):
                await client.has(offsets)
            assert whole.texts[-5:] == [event.frame.decode() for event in events]
            assert (await of_shop.first("position"))["offset"] == 5
            await asyncio.sleep(1.2)
            assert len(of_shop.of("position")) == 1
            assert not whole.of("position")
            assert not nothing.of("alert")

    asyncio.run(scenario())


def test_lost_and_crossed_publishes_are_healed(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    log = Log(store)
    shop = log.framework("shop")

    async def scenario() -> None:
        async with (
            live_gateway(store.url, valkey.url, queue_prefix, timing=Timing(check=0.5)) as gateway,
            watcher(gateway.url, token(store.workspace_id)) as client,
        ):
            await client.subscribe()
            events = log.append([shop] * 6)
            with valkey.client() as publisher:
                publish(publisher, queue_prefix, [events[2], events[0], events[2]])
            began = time.monotonic()
            await client.until(lambda w: len(w.offsets) == 3)
            assert time.monotonic() - began < 0.4, "the gap is filled without waiting for a position check"
            await client.has([1, 2, 3, 4, 5, 6])
            assert client.texts[-6:] == [event.frame.decode() for event in events]

    asyncio.run(scenario())


def test_two_gateways_one_redis_restart_crossing_publishes(store: Store, own_valkey: Valkey, queue_prefix: str) -> None:
    log = Log(store)
    shop, bank = log.framework("shop"), log.framework("bank")
    dice = random.Random(7)
    total = 600

    async def commits(publisher_of: Callable[[list[LiveEvent]], None]) -> None:
        committed = 0
        while committed < total:
            batch = min(dice.randint(1, 12), total - committed)
            events = await asyncio.to_thread(log.append, [dice.choice((shop, bank)) for _ in range(batch)])
            committed += batch
            published = [event for event in events if dice.random() > 0.15]
            published += [event for event in events if dice.random() < 0.2]
            dice.shuffle(published)
            publisher_of(published)
            await asyncio.sleep(dice.uniform(0, 0.012))

    async def scenario() -> None:
        held: list[LiveEvent] = []

        def publish_crossed(events: list[LiveEvent]) -> None:
            """Some of a batch goes out only with the next one."""
            late, now = events[: len(events) // 3], held + events[len(events) // 3 :]
            held[:] = late
            try:
                with own_valkey.client() as publisher:
                    publish(publisher, queue_prefix, now)
            except OSError:
                pass
            except Exception as error:
                if "onnection" not in type(error).__name__:
                    raise

        async def restart() -> None:
            await asyncio.sleep(0.8)
            await asyncio.to_thread(own_valkey.kill)
            await asyncio.sleep(0.7)
            await asyncio.to_thread(own_valkey.start)

        good = token(store.workspace_id)
        async with (
            live_gateway(store.url, own_valkey.url, queue_prefix) as here,
            live_gateway(store.url, own_valkey.url, queue_prefix) as there,
            watcher(here.url, good) as whole_here,
            watcher(there.url, good) as whole_there,
            watcher(here.url, good) as shop_here,
            watcher(there.url, good) as both_there,
        ):
            await whole_here.subscribe()
            await whole_there.subscribe()
            await shop_here.subscribe(shop)
            await both_there.subscribe(bank)
            await both_there.subscribe()
            await asyncio.gather(commits(publish_crossed), restart())
            last = log.append([bank])[0].offset
            for client in (whole_here, whole_there, both_there):
                await client.until(lambda w: len(w.offsets) >= last, within=15)
                assert client.offsets == list(range(1, last + 1))
                assert not client.of("error")
            await shop_here.until(lambda w: w.of("position") and w.of("position")[-1]["offset"] == last)
            assert shop_here.offsets == offsets_of(store, shop)
            positions = [frame["offset"] for frame in shop_here.of("position")]
            assert positions == sorted(set(positions))

    asyncio.run(scenario())


def test_live_from_postgres_while_redis_is_away(store: Store, absent_valkey: Valkey, queue_prefix: str) -> None:
    log = Log(store)
    shop = log.framework("shop")

    async def scenario() -> None:
        async with (
            live_gateway(store.url, absent_valkey.url, queue_prefix) as gateway,
            watcher(gateway.url, token(store.workspace_id)) as client,
        ):
            await client.subscribe()
            for number in range(1, 4):
                began = time.monotonic()
                await asyncio.to_thread(log.append, [shop])
                await client.counts(number)
                assert time.monotonic() - began < 1.0
            assert client.offsets == [1, 2, 3]

    asyncio.run(scenario())


def test_postgres_away(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    log = Log(store)
    shop = log.framework("shop")
    log.append([shop])

    async def scenario() -> None:
        histories: list[SwitchedHistory] = []

        def made(database: AsyncDatabase) -> History:
            histories.append(SwitchedHistory(database))
            return histories[-1]

        async with (
            live_gateway(store.url, valkey.url, queue_prefix, history=made, timing=Timing(check=0.3)) as gateway,
            watcher(gateway.url, token(store.workspace_id)) as client,
            watcher(gateway.url, token(store.workspace_id)) as nothing,
        ):
            await client.subscribe()
            await nothing.first("auth_success")
            histories[0].away = True
            assert (await client.first("error"))["code"] == "stale"
            await asyncio.to_thread(log.append, [shop] * 2)
            await asyncio.sleep(0.6)
            assert len(client.of("error")) == 1
            histories[0].away = False
            assert (await client.first("position"))["offset"] == 3
            assert client.offsets == [2, 3]
            assert [f["type"] for f in client.frames[-3:]] == ["alert", "alert", "position"]
            assert not nothing.of("error")

    asyncio.run(scenario())


class FrozenHistory(History):
    """PostgreSQL that does not move: it neither answers nor hears a cancel."""

    frozen = False
    asked = 0

    async def positions(self, workspace_ids: object) -> list[Position]:
        self.asked += self.frozen
        while self.frozen:
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                continue
        return await super().positions(workspace_ids)  # type: ignore[arg-type]


def test_postgres_frozen(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    async def scenario() -> None:
        histories: list[FrozenHistory] = []

        def made(database: AsyncDatabase) -> History:
            histories.append(FrozenHistory(database))
            return histories[-1]

        timing = Timing(check=0.2, check_within=0.2)
        async with (
            live_gateway(store.url, valkey.url, queue_prefix, history=made, timing=timing) as gateway,
            watcher(gateway.url, token(store.workspace_id)) as client,
        ):
            await client.subscribe()
            histories[0].frozen = True
            try:
                assert (await client.first("error", within=3.0))["code"] == "stale"
                await asyncio.sleep(0.6)
                assert histories[0].asked == 1
            finally:
                histories[0].frozen = False
            await client.first("position")

    asyncio.run(scenario())


def test_a_restore_sends_everybody_back(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    log = Log(store)
    shop = log.framework("shop")
    log.append([shop] * 3)

    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix, timing=Timing(check=0.3)) as gateway:
            async with watcher(gateway.url, token(store.workspace_id)) as client:
                old = (await client.subscribe())["epoch"]
                log.restore()
                assert (await client.first("error"))["code"] == "epoch_changed"
                assert 4500 <= await client.closed() <= 4599
            async with watcher(gateway.url, token(store.workspace_id)) as client:
                answer = await client.subscribe(since=(old, 2))
                assert (answer["recovered"], answer["replayed"], answer["offset"]) == (False, 0, 3)
                assert answer["epoch"] == log.position()[0] != old
                with valkey.client() as publisher:
                    publish(publisher, queue_prefix, log.append([shop]))
                await client.has([4])

    asyncio.run(scenario())


@pytest.mark.over_both
def test_a_slow_consumer_is_let_go_and_delays_nobody(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    log = Log(store)
    shop = log.framework("shop")
    rounds, batch = 60, 50

    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix, terms=Terms(max_backlog=256 << 10)) as gateway:
            good = token(store.workspace_id)
            async with watcher(gateway.url, good) as brisk, watcher(gateway.url, good) as slow:
                await brisk.subscribe()
                await slow.subscribe()
                slow.connection.transport.pause_reading()
                slowest = 0.0
                for number in range(1, rounds + 1):
                    events = await asyncio.to_thread(log.append, [shop] * batch, padding=4000)
                    began = time.monotonic()
                    with valkey.client() as publisher:
                        publish(publisher, queue_prefix, events)
                    await brisk.counts(number * batch)
                    slowest = max(slowest, time.monotonic() - began)
                    if gateway.metrics.websocket_errors._value.get():
                        slow.connection.transport.resume_reading()  # in time for the close frame
                assert slowest < 2.0
                assert brisk.offsets == list(range(1, rounds * batch + 1))
                assert await slow.closed() == 4508
                seen = slow.offsets
                assert seen == list(range(1, len(seen) + 1))
                assert len(seen) < rounds * batch
                epoch = slow.of("subscribed")[0]["epoch"]
            async with watcher(gateway.url, good) as again:
                answer = await again.subscribe(since=(epoch, seen[-1]))
                assert answer["recovered"]
                await again.until(lambda w: len(w.offsets) == rounds * batch - len(seen))
                assert seen + again.offsets == brisk.offsets

    asyncio.run(scenario())


def test_hundreds_of_sockets(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    """More than one slice of the fan-out: everybody gets everything, newcomers in the middle of it too."""
    log = Log(store)
    shop = log.framework("shop")

    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix, ws_max_per_user=0) as gateway:
            good = token(store.workspace_id)
            async with AsyncExitStack() as stack:
                clients: list[Watcher] = []
                for _ in range(300):
                    client = await stack.enter_async_context(watcher(gateway.url, good))
                    clients.append(client)
                    await client.send(type="subscribe")
                for client in clients:
                    await client.first("subscribed")
                epoch, offset = log.position()
                with valkey.client() as publisher:
                    for _ in range(20):
                        publish(publisher, queue_prefix, await asyncio.to_thread(log.append, [shop] * 3))
                        late = await stack.enter_async_context(watcher(gateway.url, good))
                        await late.send(type="subscribe", since={"epoch": epoch, "offset": offset})
                        clients.append(late)
                for client in clients:
                    await client.until(lambda w: len(w.offsets) >= 60)
                    assert client.offsets == list(range(1, 61))

    asyncio.run(scenario())


def offsets_of(store: Store, framework: uuid.UUID) -> list[int]:
    with psycopg.connect(store.url) as connection:
        connection.execute("SELECT set_config('app.workspace_id', %s, true)", (str(store.workspace_id),))
        rows = connection.execute(
            'SELECT "offset" FROM alert_log WHERE framework_id = %s ORDER BY "offset"', (framework,)
        ).fetchall()
    return [row[0] for row in rows]
