"""What a process counts: nothing lost between takers and threads, and a bound on what nobody takes."""

from __future__ import annotations

import threading
import uuid

from convex_common.measures import Deltas, Measures

HERE, THERE = uuid.uuid4(), uuid.uuid4()


def test_what_was_counted_is_taken_once() -> None:
    measures = Measures()
    measures.count(HERE, "cache_hits", "alerts")
    measures.count(HERE, "cache_hits", "alerts", by=2)
    measures.count(THERE, "ws_sent", by=5)
    measures.observe(HERE, "alert_latency", 12, "shop")
    measures.observe_all(HERE, "alert_latency", [("shop", 13.0), ("bank", 700.0)])
    taken = measures.take()
    assert taken.counts == {(HERE, "cache_hits", "alerts"): 3, (THERE, "ws_sent", ""): 5}
    counts = {label: one.count for (_, _, label), one in taken.distributions.items()}
    assert counts == {"shop": 2, "bank": 1}
    assert taken.distributions[HERE, "alert_latency", "shop"].total_us == 25_000
    assert not measures.take()


def test_what_is_not_taken_has_a_bound_and_nothing_is_lost() -> None:
    measures = Measures(most=10)
    for number in range(1000):
        measures.count(HERE, "ws_sent", str(number))
        measures.observe(HERE, "alert_latency", 1.0, str(number))
    taken = measures.take()
    assert len(taken.counts) == len(taken.distributions) == 11
    assert taken.counts.total() == sum(one.count for one in taken.distributions.values()) == 1000


def test_merging_adds() -> None:
    first, second = Measures(), Measures()
    for measures, by in ((first, 1), (second, 10)):
        measures.count(HERE, "ws_sent", by=by)
        measures.observe(HERE, "alert_latency", by)
    both = Deltas()
    for measures in (first, second):
        both.merge(measures.take())
    assert both.counts == {(HERE, "ws_sent", ""): 11}
    assert both.distributions[HERE, "alert_latency", ""].total_us == 11_000


def test_levels_stand_until_they_fall() -> None:
    measures = Measures()
    measures.rise(HERE, "ws_clients")
    measures.rise(HERE, "ws_clients")
    measures.rise(THERE, "ws_clients")
    measures.rise(THERE, "ws_clients", -1)
    measures.take()
    assert measures.levels() == {(HERE, "ws_clients"): 2}


def test_threads_lose_nothing_to_a_taker() -> None:
    measures, taken, rounds = Measures(), Deltas(), 5_000

    def work() -> None:
        for _ in range(rounds):
            measures.count(HERE, "ws_sent")
            measures.observe(HERE, "alert_latency", 1.0)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken.merge(measures.take())
    taken.merge(measures.take())
    assert taken.counts[HERE, "ws_sent", ""] == 3 * rounds
    assert taken.distributions[HERE, "alert_latency", ""].count == 3 * rounds
