"""The wake-up broker on a real Valkey: messages arrive, and nothing that Redis does stops them for good."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker
from prometheus_client import CollectorRegistry

from convex_common.contracts import DELIVERIES_DUE, EVENTS_ACCEPTED, JOB_DUE, Contract, EventsAccepted, JobDue
from convex_common.metrics import Metrics
from convex_common.redis.broker import Sender, WakeBroker, Worker, make_broker, standard_middleware
from convex_common.redis.dispatch import TOKENS, namespace, wake_key
from convex_common.tracing import current_traceparent
from tests.support.eventually import eventually
from tests.support.valkey import Valkey

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


Handler = Callable[[Any], object]


class Seen:
    """A handler that keeps what it was given, and can be told to hold on."""

    def __init__(self) -> None:
        self.payloads: list[Any] = []
        self.free = threading.Event()
        self.free.set()

    def __call__(self, payload: Any) -> None:
        self.payloads.append(payload)
        assert self.free.wait(20)


@contextmanager
def running(
    broker: WakeBroker, handlers: dict[Contract[Any], Callable[[Any], object]], threads: int = 2
) -> Iterator[None]:
    worker = Worker(broker, handlers, threads=threads)
    worker.start()
    try:
        yield
    finally:
        worker.stop(timeout=10)
        broker.close()


@contextmanager
def sending(url: str, prefix: str) -> Iterator[Sender]:
    """Unhurried, where the deadline is not what a test is about."""
    sender = Sender(url, prefix, within=5)
    try:
        yield sender
    finally:
        sender.close()


def stock_broker(valkey: Valkey, prefix: str) -> RedisBroker:
    """Dramatiq's own, on the same keys."""
    return RedisBroker(url=valkey.url, namespace=namespace(prefix), middleware=[])  # type: ignore[no-untyped-call]  # dramatiq leaves it unannotated


def queued(valkey: Valkey, prefix: str, contract: Contract[Any]) -> int:
    with valkey.client() as client:
        return int(client.hlen(f"{namespace(prefix)}:{contract.queue}.msgs"))


def test_a_message_reaches_the_handler_of_its_contract_and_is_gone(valkey: Valkey, queue_prefix: str) -> None:
    events, jobs = Seen(), Seen()
    with running(make_broker(valkey.url, queue_prefix), {EVENTS_ACCEPTED: events, JOB_DUE: jobs}):
        with sending(valkey.url, queue_prefix) as sender:
            assert sender.send(EVENTS_ACCEPTED, EventsAccepted((1, 2)))
            assert sender.send(JOB_DUE, JobDue("cleanup", "2030-01-01T00:00:00Z"))
        eventually(lambda: events.payloads and jobs.payloads)
        eventually(lambda: not queued(valkey, queue_prefix, EVENTS_ACCEPTED), what="the acknowledgement")
    assert events.payloads == [EventsAccepted((1, 2))]
    assert jobs.payloads == [JobDue("cleanup", "2030-01-01T00:00:00Z")]


def test_an_idle_consumer_blocks_on_tokens_instead_of_polling(valkey: Valkey, queue_prefix: str) -> None:
    seen, key = Seen(), wake_key(namespace(queue_prefix), "alert")
    with valkey.client() as client, running(make_broker(valkey.url, queue_prefix), {EVENTS_ACCEPTED: seen}):
        eventually(lambda: any(c["cmd"] == "blpop" for c in client.client_list()), what="a blocked consumer")
        with sending(valkey.url, queue_prefix) as sender:
            for shard in range(5):
                assert sender.send(EVENTS_ACCEPTED, EventsAccepted((shard,)))
        eventually(lambda: len(seen.payloads) == 5)
        eventually(lambda: client.llen(key) == 0, what="consumption of every token")
    assert sorted(p.shards[0] for p in seen.payloads) == [0, 1, 2, 3, 4]


def test_tokens_are_capped_while_nobody_consumes(valkey: Valkey, queue_prefix: str) -> None:
    with sending(valkey.url, queue_prefix) as sender, valkey.client() as client:
        for _ in range(TOKENS + 10):
            assert sender.send(EVENTS_ACCEPTED, EventsAccepted((0,)))
        assert client.llen(wake_key(namespace(queue_prefix), "alert")) == TOKENS
        assert client.llen(f"{namespace(queue_prefix)}:alert") == TOKENS + 10


def test_more_messages_than_threads_are_all_handled(valkey: Valkey, queue_prefix: str) -> None:
    seen = Seen()
    with running(make_broker(valkey.url, queue_prefix), {EVENTS_ACCEPTED: seen}, threads=2):
        with sending(valkey.url, queue_prefix) as sender:
            for n in range(200):
                assert sender.send(EVENTS_ACCEPTED, EventsAccepted((n % 64,)))
        eventually(lambda: len(seen.payloads) == 200)


def test_a_stock_consumer_sees_our_messages_and_ours_sees_stock_ones(valkey: Valkey, queue_prefix: str) -> None:
    stock = stock_broker(valkey, queue_prefix)
    shards: list[Any] = []
    actor = dramatiq.Actor(
        lambda shards_=shards, **data: shards_.append(data["shards"]),
        broker=stock,
        actor_name=EVENTS_ACCEPTED.name,
        queue_name="alert",
        priority=0,
        options={},
    )
    worker = dramatiq.Worker(stock, worker_threads=1, worker_timeout=50)
    worker.start()
    with sending(valkey.url, queue_prefix) as sender:
        assert sender.send(EVENTS_ACCEPTED, EventsAccepted((7,)))
    eventually(lambda: shards == [[7]])
    worker.stop()

    actor.send(shards=[9])
    seen = Seen()
    with running(make_broker(valkey.url, queue_prefix), {EVENTS_ACCEPTED: seen}):
        eventually(lambda: seen.payloads == [EventsAccepted((9,))])


def test_a_failing_handler_is_not_retried(valkey: Valkey, queue_prefix: str, caplog: pytest.LogCaptureFixture) -> None:
    calls = []

    def fail(payload: EventsAccepted) -> None:
        calls.append(payload)
        raise RuntimeError("this row is poison")

    with running(make_broker(valkey.url, queue_prefix), {EVENTS_ACCEPTED: fail}):
        with sending(valkey.url, queue_prefix) as sender:
            assert sender.send(EVENTS_ACCEPTED, EventsAccepted((1,)))
        eventually(lambda: calls and not queued(valkey, queue_prefix, EVENTS_ACCEPTED))
    with valkey.client() as client:
        assert not client.exists(f"{namespace(queue_prefix)}:alert", f"{namespace(queue_prefix)}:alert.DQ")
    assert len(calls) == 1
    assert "this row is poison" in caplog.text


def test_strange_messages_do_not_stop_a_queue(
    valkey: Valkey, queue_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Of an unknown contract, with an unknown field, with no message data at all, and not even JSON."""
    space, seen = namespace(queue_prefix), Seen()
    unknown: Contract[EventsAccepted] = Contract("from_the_future", "alert", EventsAccepted)
    with sending(valkey.url, queue_prefix) as sender, valkey.client() as client:
        assert sender.send(unknown, EventsAccepted((1,)))
        stock = stock_broker(valkey, queue_prefix)
        stock.enqueue(
            dramatiq.Message(
                "alert", EVENTS_ACCEPTED.name, args=(), kwargs={"shards": [1], "colour": "red"}, options={}
            )
        )
        client.rpush(f"{space}:alert", "evicted", "garbled")
        client.hset(f"{space}:alert.msgs", "garbled", "no JSON")
        with running(make_broker(valkey.url, queue_prefix), {EVENTS_ACCEPTED: seen}):
            assert sender.send(EVENTS_ACCEPTED, EventsAccepted((2,)))
            eventually(lambda: seen.payloads == [EventsAccepted((2,))])
            eventually(lambda: client.zcard(f"{space}:alert.XQ") == 1, what="the dead letter")
    assert "unknown field 'colour'" in caplog.text


def test_the_trace_and_the_timings_surround_the_handler(valkey: Valkey, queue_prefix: str) -> None:
    registry, traces = CollectorRegistry(), list[str | None]()
    broker = make_broker(valkey.url, queue_prefix, standard_middleware(Metrics(registry)))

    def handle(payload: EventsAccepted) -> None:
        traces.append(current_traceparent())
        if payload.shards == (2,):
            raise RuntimeError("the second fails")

    with running(broker, {EVENTS_ACCEPTED: handle}, threads=1):
        with sending(valkey.url, queue_prefix) as sender:
            assert sender.send(EVENTS_ACCEPTED, EventsAccepted((1,)), TRACEPARENT)
            assert sender.send(EVENTS_ACCEPTED, EventsAccepted((2,)), TRACEPARENT)
            assert sender.send(EVENTS_ACCEPTED, EventsAccepted((3,)))
        eventually(lambda: len(traces) == 3)
        eventually(
            lambda: registry.get_sample_value("queue_processing_seconds_count", {"queue": "alert"}) == 3, what="timings"
        )
    assert registry.get_sample_value("queue_wait_seconds_count", {"queue": "alert"}) == 3
    ids = [t and t.split("-")[1] for t in traces]
    assert ids[:2] == [TRACEPARENT.split("-")[1]] * 2
    assert ids[2] not in {None, ids[0]}


class TestRedisGoesAway:
    def test_killed_and_back_empty(self, own_valkey: Valkey, queue_prefix: str) -> None:
        seen = Seen()
        with running(make_broker(own_valkey.url, queue_prefix), {EVENTS_ACCEPTED: seen}):
            with sending(own_valkey.url, queue_prefix) as sender:
                assert sender.send(EVENTS_ACCEPTED, EventsAccepted((1,)))
                eventually(lambda: seen.payloads)
                own_valkey.kill()
                assert not sender.send(EVENTS_ACCEPTED, EventsAccepted((2,)))
                own_valkey.start()
                eventually(lambda: sender.send(EVENTS_ACCEPTED, EventsAccepted((3,))), what="sending")
            eventually(lambda: EventsAccepted((3,)) in seen.payloads, what="consuming")

    def test_killed_while_a_handler_works(self, own_valkey: Valkey, queue_prefix: str) -> None:
        seen = Seen()
        seen.free.clear()
        with running(make_broker(own_valkey.url, queue_prefix), {EVENTS_ACCEPTED: seen}, threads=1):
            with sending(own_valkey.url, queue_prefix) as sender:
                assert sender.send(EVENTS_ACCEPTED, EventsAccepted((1,)))
                eventually(lambda: seen.payloads)
                own_valkey.kill()
                seen.free.set()  # its acknowledgement has nowhere to go, and must not hold its thread
                own_valkey.start()
                eventually(lambda: sender.send(EVENTS_ACCEPTED, EventsAccepted((2,))), what="sending")
            eventually(lambda: EventsAccepted((2,)) in seen.payloads, what="consuming")
            eventually(lambda: not queued(own_valkey, queue_prefix, EVENTS_ACCEPTED), what="the acknowledgement")

    def test_frozen_and_thawed(self, own_valkey: Valkey, queue_prefix: str) -> None:
        seen = Seen()
        with running(make_broker(own_valkey.url, queue_prefix), {EVENTS_ACCEPTED: seen}):
            own_valkey.freeze()
            with closing(Sender(own_valkey.url, queue_prefix)) as hurried:
                assert not hurried.send(EVENTS_ACCEPTED, EventsAccepted((1,)))
            own_valkey.thaw()
            with sending(own_valkey.url, queue_prefix) as sender:
                assert sender.send(EVENTS_ACCEPTED, EventsAccepted((2,)))
            eventually(lambda: EventsAccepted((2,)) in seen.payloads)

    @pytest.mark.parametrize("command", ["FLUSHALL", "SCRIPT FLUSH"])
    def test_flushed(self, own_valkey: Valkey, queue_prefix: str, command: str) -> None:
        seen = Seen()
        with running(make_broker(own_valkey.url, queue_prefix), {EVENTS_ACCEPTED: seen}):
            with sending(own_valkey.url, queue_prefix) as sender, own_valkey.client() as client:
                assert sender.send(EVENTS_ACCEPTED, EventsAccepted((1,)))
                eventually(lambda: seen.payloads)
                client.execute_command(command)
                assert sender.send(EVENTS_ACCEPTED, EventsAccepted((2,)))
            eventually(lambda: EventsAccepted((2,)) in seen.payloads)

    def test_not_there_at_the_start(
        self, absent_valkey: Valkey, queue_prefix: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        seen = Seen()
        with running(make_broker(absent_valkey.url, queue_prefix), {EVENTS_ACCEPTED: seen}):
            eventually(lambda: "Redis is away" in caplog.text)
            absent_valkey.start()
            with sending(absent_valkey.url, queue_prefix) as sender:
                eventually(lambda: sender.send(EVENTS_ACCEPTED, EventsAccepted((1,))), what="sending")
            eventually(lambda: seen.payloads)
        assert caplog.text.count("Redis is away") == 1, "one warning per outage"
        assert "Redis is back" in caplog.text


def test_with_another_dramatiq_it_polls_and_says_so_once(
    valkey: Valkey, queue_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    broker = WakeBroker(valkey.url, queue_prefix, script=b"another script")
    assert broker.idle_ms == 20
    assert caplog.text.count("polled each 20 ms") == 1
    seen = Seen()
    with running(broker, {EVENTS_ACCEPTED: seen}):
        with sending(valkey.url, queue_prefix) as sender:
            assert sender.send(EVENTS_ACCEPTED, EventsAccepted((1,)))
        eventually(lambda: seen.payloads)


def test_stopping_gives_back_what_was_not_begun(valkey: Valkey, queue_prefix: str) -> None:
    seen = Seen()
    seen.free.clear()
    broker = make_broker(valkey.url, queue_prefix)
    worker = Worker(broker, {EVENTS_ACCEPTED: seen}, threads=1)
    worker.start()
    with sending(valkey.url, queue_prefix) as sender:
        for shard in range(5):
            assert sender.send(EVENTS_ACCEPTED, EventsAccepted((shard,)))
    eventually(lambda: seen.payloads)
    threading.Timer(0.2, seen.free.set).start()
    worker.stop(timeout=10)
    begun = len(seen.payloads)
    with valkey.client() as client:
        assert client.llen(f"{namespace(queue_prefix)}:alert") == 5 - begun
    broker.close()


def test_delayed_messages_are_refused(valkey: Valkey, queue_prefix: str) -> None:
    broker = make_broker(valkey.url, queue_prefix)
    message: dramatiq.Message[None] = dramatiq.Message("alert", DELIVERIES_DUE.name, args=(), kwargs={}, options={})
    with pytest.raises(NotImplementedError, match="Postgres"):
        broker.enqueue(message, delay=5)
    broker.close()
