"""The cache on a real Valkey: what it may serve, and what it must not."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from convex_common.errors import Invalid, StoreUnavailable
from convex_common.redis.cache import keys
from convex_common.redis.cache.cache import Loaded
from convex_common.redis.cache.classes import ALERTS, RULES, STATISTICS
from convex_common.redis.cache.positions import FRESH_SECONDS, NotedPublisher, Position
from tests.support.caching import Gateway, Truth
from tests.support.eventually import eventually_async
from tests.support.valkey import Valkey


@asynccontextmanager
async def gateways(
    valkey: Valkey, prefix: str, truth: Truth, count: int = 1, *, within: float = 30.0
) -> AsyncIterator[list[Gateway]]:
    """`within` is their patience with Valkey, which is slow on a busy machine: few tests want it to end."""
    made = [Gateway(truth, valkey.url, prefix, within=within) for _ in range(count)]
    try:
        yield made
    finally:
        for gateway in made:
            await gateway.aclose()


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def test_an_answer_is_loaded_once_and_then_served_by_every_gateway(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        truth = Truth()
        truth.commit("a")
        async with gateways(valkey, queue_prefix, truth, 2) as (one, two):
            assert [await one.read("a"), await one.read("a"), await two.read("a")] == ["1", "1", "1"]
            assert (one.loads, two.loads) == (1, 0)
            assert (one.counted("hits"), one.counted("misses"), one.counted("errors")) == (1, 1, 0)
            deltas = two.measures.take().counts
            assert deltas == {(truth.workspace_id, "cache_hits", "alerts"): 1}

    run(test)


def test_a_change_ends_what_it_touched_and_nothing_else(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        truth = Truth()
        async with gateways(valkey, queue_prefix, truth, 2) as (one, two):
            for facets in (("a",), ("b",), ("a", "b")):
                await one.read(*facets)
            loads = one.loads
            assert one.publisher.publish([truth.commit("a")])
            assert await two.read("b") == "0"
            assert two.loads == 0, "the list of b was thrown away for a change of a"
            assert await two.read("a") == "1"
            assert await one.read("a", "b") == "1,0"
            assert (one.loads - loads, two.loads) == (1, 1)

    run(test)


def test_a_cached_answer_is_said_to_be_of_where_the_marks_are(valkey: Valkey, queue_prefix: str) -> None:
    """So that a subscriber who begins there is replayed nothing that the list has already, and has missed nothing."""

    async def test() -> None:
        truth = Truth()
        async with gateways(valkey, queue_prefix, truth) as (one,):
            assert (await one.answer("a")).stamp == 0
            one.publisher.publish([truth.commit("b"), truth.commit("b")])
            answer = await one.answer("a")
            assert (answer.stamp, answer.epoch, one.loads) == (2, truth.epoch, 1)

    run(test)


def test_what_was_loaded_before_a_change_and_stored_after_it_is_not_served(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        truth = Truth()
        async with gateways(valkey, queue_prefix, truth, 2) as (reader, writer):
            await reader.read("warm-up")
            loaded, go_on = asyncio.Event(), asyncio.Event()

            async def slow() -> Loaded:
                old = truth.read(("a",))
                loaded.set()
                await go_on.wait()
                return old

            reading = asyncio.create_task(
                reader.cache.find(truth.workspace_id, ALERTS, str(("a",)), slow, facets=("a",))
            )
            await loaded.wait()
            writer.publisher.publish([truth.commit("a")])
            go_on.set()
            assert (await reading).value == b"0"  # who asked before the change may get what was before it
            assert [await writer.read("a"), await reader.read("a")] == ["1", "1"]

    run(test)


def test_marks_that_come_in_another_order_leave_no_hole(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        truth = Truth()
        async with gateways(valkey, queue_prefix, truth) as (one,):
            await one.read("a"), await one.read("b")
            events = [truth.commit(facet) for facet in ("a", "b", "a", "a")]
            one.seconds += FRESH_SECONDS
            for event in (events[3], events[1], events[2]):
                one.publisher.publish([event])
            assert await one.read("c") == "0"
            loads = one.loads
            await one.read("c")
            assert one.loads == loads + 1, "served although the mark of the first change is missing"
            one.publisher.publish([events[0]])
            await one.read("c")
            await one.read("c")
            assert one.loads == loads + 1
            assert [await one.read("a"), await one.read("b")] == ["3", "1"]

    run(test)


def test_a_lost_mark_is_noticed_within_a_second_and_made_good(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        truth = Truth()
        async with gateways(valkey, queue_prefix, truth) as (one,):
            await one.read("a")
            truth.commit("a")  # and its worker dies
            one.seconds += FRESH_SECONDS
            assert await one.read("a") == "1"
            one.seconds += 0.3
            assert await one.read("a") == "1"  # made good here
            await one.read("a")
            loads = one.loads
            assert await one.read("a") == "1"
            assert one.loads == loads, "never served again"

    run(test)


def test_what_this_gateway_has_changed_itself_it_knows_without_redis(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        truth = Truth()
        async with gateways(valkey, queue_prefix, truth) as (one,):
            await one.read("a")

            class Deaf:
                def publish(self, messages: object) -> bool:
                    return False

            NotedPublisher(Deaf(), one.positions).publish([truth.commit("a")])
            assert await one.read("a") == "1"

    run(test)


def test_a_change_that_comes_late_does_not_open_what_redis_forgot(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        truth = Truth()
        async with gateways(valkey, queue_prefix, truth, 2) as (reader, writer):
            await reader.read("a")
            late = truth.commit("b")
            old = truth.read(("a",))
            writer.publisher.publish([truth.commit("a")])  # and whoever asks is told of it

            async def stored_late() -> Loaded:
                with valkey.client() as client:
                    client.delete(*client.keys(f"{queue_prefix}:*"))
                writer.publisher.publish([late])
                return old

            await reader.cache.find(truth.workspace_id, ALERTS, str(("a",)), stored_late, facets=("a",))
            assert await reader.read("a") == "1"

    run(test)


def test_who_asked_postgres_before_redis_forgot_does_not_open_the_marks(valkey: Valkey, queue_prefix: str) -> None:
    class Slow(Truth):
        answers, go_on = asyncio.Event(), asyncio.Event()

        async def position(self, workspace_id: uuid.UUID) -> Position:
            answer = await super().position(workspace_id)
            self.answers.set()
            await self.go_on.wait()
            return answer

    def forget() -> None:
        with valkey.client() as client:
            client.delete(*client.keys(f"{queue_prefix}:*"))

    async def test() -> None:
        truth = Slow()
        truth.go_on.set()
        async with gateways(valkey, queue_prefix, truth, 2) as (reader, writer):
            await reader.read("warm-up")
            forget()
            truth.answers.clear()
            truth.go_on.clear()
            old = truth.read(("a",))

            async def load() -> Loaded:
                return old

            reading = asyncio.create_task(
                reader.cache.find(truth.workspace_id, ALERTS, str(("a",)), load, facets=("a",))
            )
            await truth.answers.wait()
            writer.publisher.publish([truth.commit("a")])
            forget()
            truth.go_on.set()
            assert (await reading).value == b"0"  # who asked before the change may get what was before it
            assert await reader.read("a") == "1"

    run(test)


def test_a_version_that_is_told_late_does_not_open_what_redis_forgot(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        truth = Truth()

        async def read(gateway: Gateway, version: int) -> bytes:
            async def load() -> Loaded:
                return Loaded(b"%d" % version, truth.epoch, version)

            return (await gateway.cache.find(truth.workspace_id, RULES, "", load)).value

        async with gateways(valkey, queue_prefix, truth, 3) as (reader, one, two):
            truth.versions["rules"] = 2
            assert await read(reader, 2) == b"2"
            truth.versions["rules"] = 3
            await one.cache.changed(truth.workspace_id, RULES, 3)
            with valkey.client() as client:
                client.delete(*client.keys(f"{queue_prefix}:cache:*:marks"))
            await two.cache.changed(truth.workspace_id, RULES, 2)
            assert await read(reader, 3) == b"3"

    run(test)


def test_many_who_ask_at_once_load_once(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        truth = Truth()
        async with gateways(valkey, queue_prefix, truth) as (one,):
            await one.read("warm-up")
            one.loads = 0
            assert await asyncio.gather(*(one.read("a") for _ in range(50))) == ["0"] * 50
            assert one.loads <= 2  # the one under way, and one for those who might have known better

    run(test)


def test_who_knows_of_a_change_does_not_get_a_load_that_began_before_it(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        truth = Truth()
        async with gateways(valkey, queue_prefix, truth) as (one,):
            await one.read("warm-up")
            loaded, go_on = asyncio.Event(), asyncio.Event()

            async def slow() -> Loaded:
                old = truth.read(("a",))
                loaded.set()
                await go_on.wait()
                return old

            first = asyncio.create_task(one.cache.find(truth.workspace_id, ALERTS, str(("a",)), slow, facets=("a",)))
            await loaded.wait()
            one.publisher.publish([truth.commit("a")])
            second = asyncio.create_task(one.read("a"))
            await asyncio.sleep(0.05)  # it waits for the first by now; if not, the test is only easier
            go_on.set()
            assert [(await first).value, await second] == [b"0", "1"]

    run(test)


def test_a_restored_database_has_another_epoch_and_nothing_cached(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        truth = Truth()
        truth.commit("a"), truth.commit("a")
        async with gateways(valkey, queue_prefix, truth) as (one,):
            assert await one.read("a") == "2"
            truth.epoch, truth.offset, truth.facets = uuid.uuid4(), 1, {"a": 1}
            one.seconds += FRESH_SECONDS
            answer = await one.answer("a")
            assert (answer.value, answer.epoch) == (b"1", truth.epoch)

    run(test)


@pytest.mark.parametrize("kind", [STATISTICS, RULES], ids=lambda kind: kind.name)
def test_a_class_with_a_version_ends_with_it(kind, valkey: Valkey, queue_prefix: str) -> None:  # type: ignore[no-untyped-def]
    async def test() -> None:
        truth = Truth()

        async def read(gateway: Gateway) -> bytes:
            async def load() -> Loaded:
                gateway.loads += 1
                version = truth.versions[kind.name]
                return Loaded(b"%d" % version, truth.epoch, version)

            return (await gateway.cache.find(truth.workspace_id, kind, "", load)).value

        async with gateways(valkey, queue_prefix, truth, 2) as (one, two):
            assert [await read(one), await read(one), await read(two)] == [b"1"] * 3
            assert (one.loads, two.loads) == (1, 0)
            truth.versions[kind.name] = 2
            await one.cache.changed(truth.workspace_id, kind, 2)
            assert [await read(two), await read(one)] == [b"2", b"2"]
            truth.versions[kind.name] = 3  # and nobody tells
            two.seconds += FRESH_SECONDS
            assert await read(two) == b"3"

    run(test)


def test_an_answer_ends_with_its_time(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        async with gateways(valkey, queue_prefix, Truth()) as (one,):
            await one.read("a")
            one.seconds += ALERTS.seconds * 0.89
            await one.read("a")
            assert one.loads == 1
            one.seconds += ALERTS.seconds * 0.12
            await one.read("a")
            assert one.loads == 2
            with valkey.client() as client:
                times = [client.pttl(key) for key in client.scan_iter(f"{queue_prefix}:cache:*:alerts:*")]
            assert [0 < time <= ALERTS.seconds * 1000 for time in times] == [True]

    run(test)


def test_workspaces_never_share_an_answer(valkey: Valkey, queue_prefix: str) -> None:
    """Even where somebody copies one tenant's value under another's key: a value is bound to its key."""

    async def test() -> None:
        truth, elsewhere = Truth(), Truth()
        truth.commit("a")
        elsewhere.epoch = truth.epoch
        async with gateways(valkey, queue_prefix, truth) as (one,), gateways(valkey, queue_prefix, elsewhere) as (two,):
            assert [await one.read("a"), await two.read("a")] == ["1", "0"]
            ours, theirs = (
                keys.entry_key(queue_prefix, each.workspace_id, truth.epoch, ALERTS, str(("a",)))
                for each in (truth, elsewhere)
            )
            with valkey.client() as client:
                client.copy(ours, theirs, replace=True)
            assert await two.read("a") == "0"
            assert two.counted("errors") == 1

    run(test)


def test_a_sweep_ends_a_class_and_what_is_being_computed(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        truth = Truth()
        async with gateways(valkey, queue_prefix, truth) as (one,):
            for n in range(30):
                await one.read(f"{n}")
            loaded, go_on = asyncio.Event(), asyncio.Event()

            async def slow() -> Loaded:
                loaded.set()
                await go_on.wait()
                return truth.read(("a",))

            reading = asyncio.create_task(one.cache.find(truth.workspace_id, ALERTS, str(("a",)), slow, facets=("a",)))
            await loaded.wait()
            freeing = await one.cache.sweep(truth.workspace_id, ALERTS)
            one.loads = 0
            await one.read("0")
            assert one.loads == 1, "served after the sweep"
            assert await freeing in (30, 31)  # the one read meanwhile may be among them
            go_on.set()
            await reading
            one.loads = 0
            await one.read("a")
            assert one.loads == 1, "what was loaded before the sweep was served after it"

    run(test)


def test_a_flush_must_name_what_it_flushes(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        async with gateways(valkey, queue_prefix, Truth()) as (one,):
            await one.read("a")
            for wrong in ("", "*", "alert", queue_prefix[:-1]):
                with pytest.raises(Invalid):
                    await one.cache.flush(wrong)
            assert await one.cache.flush(queue_prefix) == 2  # the answer and the marks
            await one.read("a")
            assert one.loads == 2

    run(test)


def test_what_is_too_large_is_not_kept(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        truth = Truth()
        async with gateways(valkey, queue_prefix, truth) as (one,):

            async def load() -> Loaded:
                one.loads += 1
                return Loaded(b"x" * (ALERTS.most_bytes + 1), truth.epoch, 0)

            for _ in range(2):
                await one.cache.find(truth.workspace_id, ALERTS, "large", load, facets=("a",))
            assert one.loads == 2

    run(test)


def test_errors_of_a_load_are_the_callers(valkey: Valkey, queue_prefix: str) -> None:
    async def test() -> None:
        truth = Truth()
        async with gateways(valkey, queue_prefix, truth) as (one,):
            truth.away = True
            with pytest.raises(StoreUnavailable):
                await one.read("a")
            truth.away = False
            assert await one.read("a") == "0"

    run(test)


class TestRedisFails:
    """Killed, frozen, full, lying: the answer is right and soon, and the cache comes back by itself."""

    def test_killed_and_back_empty(self, own_valkey: Valkey, queue_prefix: str) -> None:
        async def test() -> None:
            truth = Truth()
            async with gateways(own_valkey, queue_prefix, truth, within=1.0) as (one,):
                await one.read("a")
                own_valkey.kill()
                one.publisher.publish([truth.commit("a")])
                assert await one.read("a") == "1"
                assert one.counted("errors") >= 1
                own_valkey.start()
                await _serves_again(one, "a", "1")

        run(test)

    def test_frozen(self, own_valkey: Valkey, queue_prefix: str) -> None:
        async def test() -> None:
            truth = Truth()
            async with gateways(own_valkey, queue_prefix, truth, within=1.0) as (one,):
                await one.read("a")
                own_valkey.freeze()
                try:
                    async with asyncio.timeout(20):  # a hundred reads that each waited a second would take longer
                        for n in range(1, 101):
                            truth.commit("a")
                            assert await one.read("a") == str(n)
                finally:
                    own_valkey.thaw()
                await _serves_again(one, "a", "100")

        run(test)

    def test_back_with_what_it_knew_long_ago(self, own_valkey: Valkey, queue_prefix: str) -> None:
        """As after a failover to a replica that lags, or a restart from an old file."""

        async def test() -> None:
            truth = Truth()
            async with gateways(own_valkey, queue_prefix, truth, within=1.0) as (one,):
                assert await one.read("a") == "0"
                with own_valkey.client() as client:
                    saved = {key: client.dump(key) for key in client.keys(f"{queue_prefix}:*")}
                one.publisher.publish([truth.commit("a")])
                own_valkey.kill()
                own_valkey.start()
                with own_valkey.client() as client:
                    for key, value in saved.items():
                        client.restore(key, 0, value)
                link = one.cache._link
                await eventually_async(lambda: link.era > 2 and link._lines, what="a new connection")
                # No time has gone by and nothing was read: the lost connection alone makes it ask anew.
                for _ in range(5):
                    assert await one.read("a") == "1"
                await _serves_again(one, "a", "1")

        run(test)

    def test_full(self, own_valkey: Valkey, queue_prefix: str) -> None:
        async def test() -> None:
            truth = Truth()
            async with gateways(own_valkey, queue_prefix, truth, within=1.0) as (one,):
                await one.read("a")
                with own_valkey.client() as client:
                    client.config_set("maxmemory-policy", "noeviction")
                    client.config_set("maxmemory", "1")
                    one.publisher.publish([truth.commit("a")])
                    one.seconds += FRESH_SECONDS
                    assert [await one.read("a"), await one.read("a")] == ["1", "1"]
                    client.config_set("maxmemory", "0")
                await _serves_again(one, "a", "1")

        run(test)

    @pytest.mark.parametrize("spoilt", ["value", "marks"])
    @pytest.mark.parametrize("by", ["another type", "nonsense", "cut short"])
    def test_lying(self, spoilt: str, by: str, own_valkey: Valkey, queue_prefix: str) -> None:
        async def test() -> None:
            truth = Truth()
            truth.commit("a")
            async with gateways(own_valkey, queue_prefix, truth, within=1.0) as (one,):
                await one.read("a")
                marks = keys.marks_key(queue_prefix, truth.workspace_id, truth.epoch)
                entry = keys.entry_key(queue_prefix, truth.workspace_id, truth.epoch, ALERTS, str(("a",)))
                with own_valkey.client() as client:
                    if by == "another type":
                        client.delete(marks if spoilt == "marks" else entry)
                        client.lpush(marks if spoilt == "marks" else entry, "x")
                    elif spoilt == "marks":
                        client.hset(marks, "floor", "-7x" if by == "nonsense" else "")
                    else:
                        client.set(entry, b"\x80\x04nonsense" if by == "nonsense" else client.get(entry)[:-1])
                assert await one.read("a") == "1"
                assert one.counted("errors") == 1
                await _serves_again(one, "a", "1")
                one.publisher.publish([truth.commit("a")])
                assert await one.read("a") == "2"

        run(test)

    def test_absent_from_the_beginning(self, absent_valkey: Valkey, queue_prefix: str) -> None:
        async def test() -> None:
            truth = Truth()
            async with gateways(absent_valkey, queue_prefix, truth, within=1.0) as (one,):
                assert [await one.read("a"), await one.read("a")] == ["0", "0"]
                await one.cache.changed(truth.workspace_id, RULES, 2)
                absent_valkey.start()
                await _serves_again(one, "a", "0")

        run(test)

    def test_scripts_forgotten(self, own_valkey: Valkey, queue_prefix: str) -> None:
        async def test() -> None:
            truth = Truth()
            async with gateways(own_valkey, queue_prefix, truth, within=1.0) as (one,):
                await one.read("a")
                with own_valkey.client() as client:
                    client.script_flush()
                one.publisher.publish([truth.commit("a")])
                assert await one.read("a") == "1"
                assert await one.read("a") == "1"
                assert one.loads == 2

        run(test)


async def _serves_again(gateway: Gateway, facet: str, value: str) -> None:
    """Until a read is a hit, and every answer until then was right."""

    async def served() -> bool:
        gateway.seconds += 0.3
        before = gateway.counted("hits")
        assert await gateway.read(facet) == value
        return gateway.counted("hits") > before

    for _ in range(500):
        if await served():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the cache did not come back")
