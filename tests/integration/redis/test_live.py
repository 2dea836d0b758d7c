"""The live feed on a real Valkey: what is published arrives in order, and a lost connection is told and mended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from uuid import UUID, uuid4

from convex_common.feed import (
    LiveBroadcast,
    LiveEvent,
    LiveMessage,
    LiveNotification,
    channel,
    event_frame,
    message_frame,
    notification_frame,
)
from convex_common.redis.live import AsyncLiveSubscriber, LivePublisher
from tests.support.eventually import eventually, eventually_async
from tests.support.valkey import Valkey

HERE, THERE = uuid4(), uuid4()
EPOCH, FRAMEWORK = uuid4(), uuid4()


def event(offset: int, workspace_id: UUID = HERE, size: int = 10) -> LiveEvent:
    frame = event_frame("created", offset, b'{"title":"%b"}' % (b"x" * size))
    return LiveEvent(workspace_id, offset, FRAMEWORK, EPOCH, frame)


class Reader:
    """Reads a subscriber in the background and keeps what came and what it was told."""

    def __init__(self, url: str, prefix: str) -> None:
        self.got: list[LiveMessage] = []
        self.told: list[str] = []
        self.subscriber = AsyncLiveSubscriber(
            url,
            prefix,
            on_disconnect=lambda: self.told.append("lost"),
            on_reconnect=lambda: self.told.append("back"),
            ping_after=0.3,
        )

    async def read(self) -> None:
        async for workspace_id, message in self.subscriber:
            assert workspace_id == message.workspace_id
            self.got.append(message)

    @property
    def offsets(self) -> list[int]:
        return [m.offset for m in self.got if isinstance(m, LiveEvent)]


@asynccontextmanager
async def reading(url: str, prefix: str) -> AsyncIterator[Reader]:
    reader = Reader(url, prefix)
    task = asyncio.create_task(reader.read())
    try:
        yield reader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def followed(reader: Reader, *workspaces: UUID) -> None:
    await eventually_async(lambda: reader.subscriber.connected, what="the connection")
    for workspace_id in workspaces:
        assert await reader.subscriber.subscribe(workspace_id)


def test_a_subscriber_gets_its_workspaces_messages_in_order(valkey: Valkey, queue_prefix: str) -> None:
    sent: list[LiveMessage] = [
        *(event(n, size=n * 7) for n in range(1, 300)),
        LiveNotification(HERE, ("ann", "bob"), notification_frame(b'{"text":"\\n"}')),
        LiveBroadcast(HERE, None, None, message_frame(b'"hello"')),
    ]

    async def scenario() -> None:
        async with reading(valkey.url, queue_prefix) as reader:
            await followed(reader, HERE)
            with closing(LivePublisher(valkey.url, queue_prefix, within=5)) as publisher:
                assert publisher.publish([event(1, THERE)]), "nobody listens, and that is fine"
                assert publisher.publish(sent)
                assert publisher.publish([])
            await eventually_async(lambda: len(reader.got) >= len(sent))
            assert reader.got == sent

            reader.subscriber.unsubscribe(HERE)
            await followed(reader, THERE)
            with closing(LivePublisher(valkey.url, queue_prefix, within=5)) as publisher:
                assert publisher.publish([event(301), event(2, THERE)])
            await eventually_async(lambda: len(reader.got) > len(sent))
            assert reader.got[len(sent) :] == [event(2, THERE)]
            assert reader.told == ["back"]

    asyncio.run(scenario())


def test_a_lost_connection_is_told_and_mended(own_valkey: Valkey, queue_prefix: str) -> None:
    async def scenario() -> None:
        async with reading(own_valkey.url, queue_prefix) as reader:
            await followed(reader, HERE)
            own_valkey.kill()
            await eventually_async(lambda: reader.told == ["back", "lost"])
            assert not await reader.subscriber.subscribe(THERE), "followed from the next connection on"
            own_valkey.start()
            await eventually_async(lambda: reader.told == ["back", "lost", "back"])
            with closing(LivePublisher(own_valkey.url, queue_prefix, within=5)) as publisher:
                assert publisher.publish([event(7), event(8, THERE)])
            await eventually_async(lambda: reader.offsets == [7, 8])

    asyncio.run(scenario())


def test_garbage_on_a_channel_is_passed_over(valkey: Valkey, queue_prefix: str) -> None:
    async def scenario() -> None:
        async with reading(valkey.url, queue_prefix) as reader:
            await followed(reader, HERE)
            with valkey.client() as client:
                client.publish(channel(queue_prefix, HERE), b"what is this")
            with closing(LivePublisher(valkey.url, queue_prefix, within=5)) as publisher:
                assert publisher.publish([event(1)])
            await eventually_async(lambda: reader.offsets == [1])

    asyncio.run(scenario())


def test_publishing_without_redis_says_no_and_holds_nobody_up(own_valkey: Valkey, queue_prefix: str) -> None:
    with closing(LivePublisher(own_valkey.url, queue_prefix)) as publisher:
        eventually(lambda: publisher.publish([event(1)]))
        for away, back in ((own_valkey.kill, own_valkey.start), (own_valkey.freeze, own_valkey.thaw)):
            away()
            for _ in range(4):
                began = time.monotonic()
                assert not publisher.publish([event(2)])
                assert time.monotonic() - began < 1.0
            back()
            eventually(lambda: publisher.publish([event(3)]), what="publishing again")


def test_a_connection_that_went_silent_is_given_up(own_valkey: Valkey, queue_prefix: str) -> None:
    async def scenario() -> None:
        async with reading(own_valkey.url, queue_prefix) as reader:
            await followed(reader, HERE)
            own_valkey.freeze()
            await eventually_async(lambda: "lost" in reader.told)
            own_valkey.thaw()
            await eventually_async(lambda: reader.told[-1] == "back")

    asyncio.run(scenario())


def test_a_password_and_a_database_are_honoured(own_valkey: Valkey, queue_prefix: str) -> None:
    with own_valkey.client() as client:
        client.config_set("requirepass", "p@ss")
    url = f"redis://:p%40ss@127.0.0.1:{own_valkey.port}/3"

    async def scenario() -> None:
        async with reading(url, queue_prefix) as reader:
            await followed(reader, HERE)
            with closing(LivePublisher(url, queue_prefix, within=5)) as publisher:
                assert publisher.publish([event(1)])
            await eventually_async(lambda: reader.offsets == [1])

    asyncio.run(scenario())
    with closing(LivePublisher(own_valkey.url, queue_prefix, within=5)) as stranger:
        assert not stranger.publish([event(2)])
