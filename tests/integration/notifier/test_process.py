"""The notifier as a process: killed, stopped, woken, and started with its stores away."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from convex_common.contracts import DELIVERIES_DUE, DeliveryIds
from convex_common.redis.broker import Sender
from tests.support.eventually import eventually
from tests.support.notifying import Ledger, NotifierProcess
from tests.support.ports import free_port
from tests.support.postgres import Store
from tests.support.receiver import Receiver, Reply
from tests.support.valkey import Valkey


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store)


@pytest.fixture
def port() -> int:
    return free_port()


@contextmanager
def process(store: Store, port: int, **settings: Any) -> Iterator[NotifierProcess]:
    running = NotifierProcess(store, port, **settings)
    try:
        yield running
    finally:
        running.kill()


def status(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


def is_ready(port: int) -> bool:
    return status(port, "/readyz")[0] == 200


def test_an_attempt_cut_off_by_a_kill_is_repeated_under_the_same_id(
    ledger: Ledger, receiver: Receiver, port: int
) -> None:
    receiver.script(Reply(delay=5))
    delivery_id = ledger.deliver(ledger.webhook(receiver.url()))
    with process(ledger.store, port, notifier_lease_seconds=3, notifier_attempt_seconds=1.5) as first:
        (cut,) = receiver.wait_for_count(1, deadline=20)
        first.kill()
    claimed = ledger.delivery(delivery_id)
    assert (claimed["status"], claimed["claims"]) == ("pending", 1)
    with process(ledger.store, port, notifier_lease_seconds=3, notifier_attempt_seconds=1.5):
        row = ledger.settled(delivery_id, "delivered", within=20)
    requests = receiver.received
    assert [request.id for request in requests] == [str(delivery_id)] * 2
    assert requests[1].at - cut.at > 2
    assert (row["claims"], row["expiries"], row["attempts"]) == (2, 1, 0)
    assert [a["outcome"] for a in ledger.attempts(delivery_id)] == ["delivered"]


def test_sigterm_finishes_what_is_under_way_and_leaves_the_rest_unclaimed(
    ledger: Ledger, receiver: Receiver, port: int
) -> None:
    receiver.default = Reply(delay=1.0)
    ledger.deliver_many(ledger.webhook(receiver.url()), 30)
    with process(ledger.store, port, notifier_threads=4) as running:
        receiver.wait_for_count(4, deadline=20)
        running.terminate()
        code, told = running.ended()
    assert code == 0, told
    assert ledger.count("delivered") == len(receiver.received) <= 8
    left = ledger.rows("SELECT * FROM deliveries WHERE status = 'pending'")
    assert {row["lease_token"] for row in left} == {None}
    assert len(left) + ledger.count("delivered") == 30
    for line in told.splitlines():
        assert json.loads(line)["service"] == "notifier"


def test_it_starts_without_its_stores_and_heals(
    ledger: Ledger, receiver: Receiver, absent_valkey: Valkey, port: int, queue_prefix: str
) -> None:
    delivery_id = ledger.deliver(ledger.webhook(receiver.url()))
    ledger.store_away()
    settings = {"redis_url": absent_valkey.url, "queue_prefix": queue_prefix, "notifier_poll_seconds": 30}
    with process(ledger.store, port, **settings) as running:
        eventually(lambda: status(port, "/healthz")[0] == 200, within=60)
        assert status(port, "/readyz")[0] == 503
        time.sleep(1)
        ledger.store_back()
        ledger.settled(delivery_id, "delivered", within=15)
        assert is_ready(port)
        assert 'notifications_sent_total{channel="webhook",status="delivered"} 1.0' in status(port, "/metrics")[1]

        absent_valkey.start()
        second = ledger.deliver(ledger.webhook(receiver.url()))
        sender = Sender(absent_valkey.url, queue_prefix)
        eventually(
            lambda: (
                sender.send(DELIVERIES_DUE, DeliveryIds((str(second),)))
                and ledger.delivery(second)["status"] == "delivered"
            ),
            within=10,
        )
        sender.close()
        assert running.is_alive()


def test_a_hint_is_followed_at_once(
    ledger: Ledger, receiver: Receiver, valkey: Valkey, port: int, queue_prefix: str
) -> None:
    settings = {"redis_url": valkey.url, "queue_prefix": queue_prefix, "notifier_poll_seconds": 60}
    sender = Sender(valkey.url, queue_prefix)
    channel_id = ledger.webhook(receiver.url())
    took = []
    with process(ledger.store, port, **settings):
        eventually(lambda: is_ready(port), within=60)
        for _ in range(5):
            delivery_id = ledger.deliver(channel_id)
            began = time.monotonic()
            eventually(lambda: sender.send(DELIVERIES_DUE, DeliveryIds((str(delivery_id),))))  # noqa: B023
            (request,) = receiver.wait_for(lambda all_: [r for r in all_ if r.id == str(delivery_id)])  # noqa: B023
            took.append(request.at - began)
            ledger.settled(delivery_id, "delivered")
    sender.close()
    assert sorted(took)[2] < 0.5, took


def test_a_database_that_comes_and_goes_kills_no_thread(ledger: Ledger, receiver: Receiver, port: int) -> None:
    channel_id = ledger.webhook(receiver.url())
    with process(ledger.store, port) as running:
        eventually(lambda: is_ready(port), within=60)
        for _ in range(3):
            ledger.store_away()
            time.sleep(0.5)
            ledger.store_back()
            ids = ledger.deliver_many(channel_id, 20)
            eventually(lambda: all(ledger.delivery(one)["status"] == "delivered" for one in ids), within=15)  # noqa: B023
        assert status(port, "/healthz")[0] == 200
        assert running.is_alive()
    assert len({request.id for request in receiver.received}) == len(receiver.received) == 60


def test_a_wrong_setting_is_one_line_and_exit_2(store: Store, port: int) -> None:
    code, said = NotifierProcess(store, port, encryption_keys="short").ended()
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith("ENCRYPTION_KEYS: ")
