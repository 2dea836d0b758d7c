"""Measures of several processes in a real Valkey: summed, once, by minute, and gone with what has died."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from convex_common.errors import StoreUnavailable
from convex_common.measures import Deltas, Measures
from convex_common.redis.flusher import Flusher
from convex_common.redis.measures import ALIVE_SECONDS, MINUTES, Batch, MeasureStore
from tests.support.valkey import Valkey

HERE, THERE = uuid.uuid4(), uuid.uuid4()
NOW = 1_900_000_020.0

Make = Callable[[], MeasureStore]


@pytest.fixture
def process(valkey: Valkey, queue_prefix: str) -> Make:
    """A further process's store."""
    return lambda: MeasureStore(valkey.url, queue_prefix, clock=lambda: NOW)


def deltas(**counts: int) -> Deltas:
    measures = Measures()
    for name, by in counts.items():
        measures.count(HERE, name, by=by)
    return measures.take()


def test_processes_are_summed_by_workspace_and_over_all(process: Make) -> None:
    for store, by in ((process(), 1), (process(), 10)):
        measures = Measures()
        measures.count(HERE, "cache_hits", "alerts", by=by)
        measures.count(THERE, "cache_hits", "alerts", by=100 * by)
        measures.observe(HERE, "alert_latency", by, "shop")
        measures.observe(HERE, "alert_latency", 600, "bank")
        store.add(Batch(1, int(NOW // 60), measures.take()))
    here, everywhere = process().read(HERE), process().read(None)
    for tally in (here.recent, here.total):
        assert tally.by_label("cache_hits") == {"alerts": 11}
    for tally in (everywhere.recent, everywhere.total):
        assert tally.by_label("cache_hits") == {"alerts": 1111}
        assert tally.whole("alert_latency").count == 4
    assert {label: one.count for label, one in here.recent.spread("alert_latency").items()} == {"shop": 2, "bank": 2}
    assert here.recent.spread("alert_latency")["shop"].total_us == 11_000
    # Ids are no labels of what is kept for long, or of all workspaces together.
    assert set(here.total.spread("alert_latency")) == set(everywhere.recent.spread("alert_latency")) == {""}


def test_a_batch_counts_once_however_often_it_is_sent(process: Make) -> None:
    store = process()
    first, second = Batch(1, int(NOW // 60), deltas(ws_sent=5)), Batch(2, int(NOW // 60), deltas(ws_sent=7))
    for batch in (first, first, second, first, second):
        store.add(batch)
    process().add(first)  # the same number of another process
    assert store.read(HERE).total.sum("ws_sent") == store.read(None).recent.sum("ws_sent") == 17


def test_what_is_recent_ends_and_totals_do_not(process: Make) -> None:
    store, minute = process(), int(NOW // 60)
    ages = {0: 1, MINUTES - 1: 10, MINUTES: 100, -1: 1000}  # -1: of a process whose clock is ahead
    for number, (age, by) in enumerate(ages.items(), 1):
        store.add(Batch(number, minute - age, deltas(ws_sent=by)))
    measured = store.read(HERE)
    assert measured.recent.sum("ws_sent") == 1011
    assert measured.total.sum("ws_sent") == 1111


def test_every_key_expires(process: Make, valkey: Valkey, queue_prefix: str) -> None:
    store = process()
    store.add(Batch(1, int(NOW // 60), deltas(ws_sent=1)))
    store.beat({(HERE, "ws_clients"): 1})
    client: Any = valkey.client()
    keys = list(client.scan_iter(f"{queue_prefix}:*"))
    assert len(keys) == 7
    assert all(client.ttl(key) > 0 for key in keys)


def test_levels_are_summed_and_end_with_their_process(process: Make, valkey: Valkey, queue_prefix: str) -> None:
    first, second, reader = process(), process(), process()
    first.beat({(HERE, "ws_clients"): 3, (HERE, "ws_subscriptions"): 4, (THERE, "ws_clients"): 1})
    second.beat({(HERE, "ws_clients"): 10})
    assert reader.read(HERE).levels == {"ws_clients": 13, "ws_subscriptions": 4}
    assert reader.read(None).levels == {"ws_clients": 14, "ws_subscriptions": 4}
    second.beat({(HERE, "ws_clients"): 7})
    assert reader.read(HERE).levels["ws_clients"] == 10
    second.beat({})
    assert reader.read(HERE).levels["ws_clients"] == 3
    first.leave()
    assert reader.read(None).levels == {"ws_clients": 0, "ws_subscriptions": 0}
    # One that is killed says nothing more: its levels end by themselves.
    second.beat({(HERE, "ws_clients"): 7})
    client: Any = valkey.client()
    (key,) = client.scan_iter(f"{queue_prefix}:measures:levels:*")
    assert 0 < client.ttl(key) <= ALIVE_SECONDS
    client.delete(key)
    assert reader.read(HERE).levels["ws_clients"] == 0


def test_what_is_not_there_is_nothing(process: Make) -> None:
    measured = process().read(uuid.uuid4())
    assert not measured.recent.counts
    assert measured.recent.whole("alert_latency").quantile(0.95) is None
    assert measured.levels == {"ws_clients": 0, "ws_subscriptions": 0}


def test_redis_killed_frozen_and_back(own_valkey: Valkey, queue_prefix: str) -> None:
    measures = Measures()
    store = MeasureStore(own_valkey.url, queue_prefix)
    flusher = Flusher(measures, store)
    measures.count(HERE, "ws_sent")
    assert flusher.flush()
    own_valkey.freeze()
    measures.count(HERE, "ws_sent")
    assert not flusher.flush()  # it took too long; whether it was added nobody knows yet
    with pytest.raises(StoreUnavailable):
        store.read(HERE)
    own_valkey.thaw()
    measures.count(HERE, "ws_sent")
    assert flusher.flush()
    assert store.read(HERE).total.sum("ws_sent") == 3
    own_valkey.kill()
    measures.count(HERE, "ws_sent")
    assert not flusher.flush()
    with pytest.raises(StoreUnavailable):
        store.read(HERE)
    own_valkey.start()
    assert flusher.flush()
    assert store.read(HERE).total.sum("ws_sent") == 1  # what it held was gone with it
