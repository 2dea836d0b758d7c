"""From a due delivery to its receiver and the ledger, on a real database."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from standardwebhooks import Webhook as Verifier

from convex_notifier.deliveries import Deliveries
from tests.support.eventually import eventually
from tests.support.notifying import ALERT, SECRET, Ledger, notifying, session
from tests.support.postgres import Store
from tests.support.receiver import Receiver, Reply


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store)


def test_a_delivery_reaches_its_receiver_and_the_ledger(ledger: Ledger, receiver: Receiver) -> None:
    delivery_id = ledger.deliver(ledger.webhook(receiver.url()))
    with notifying(ledger.store) as metrics:
        row = ledger.settled(delivery_id, "delivered")
    (request,) = receiver.received
    assert request.id == str(delivery_id)
    body = Verifier(SECRET).verify(request.body, dict(request.headers))
    assert (body["type"], body["data"]["alert"]) == ("alert.fired", ALERT)
    assert (row["attempts"], row["claims"], row["lease_token"], row["last_error"]) == (0, 1, None, None)
    assert row["finished_at"] is not None
    (attempt,) = ledger.attempts(delivery_id)
    assert (attempt["number"], attempt["outcome"], attempt["status_code"]) == (1, "delivered", 200)
    assert (attempt["answer"], attempt["error"]) == ("ok", None)
    (counted,) = ledger.rows("SELECT queue, completed, failed FROM queue_counters")
    assert counted == {"queue": "notification", "completed": 1, "failed": 0}
    sent = {"channel": "webhook", "status": "delivered"}
    assert metrics.registry.get_sample_value("notifications_sent_total", sent) == 1


def test_a_failure_is_repeated_under_the_same_id(ledger: Ledger, receiver: Receiver) -> None:
    receiver.script(Reply(500, body=b"broken\x00"), Reply(disconnect=True))
    delivery_id = ledger.deliver(ledger.webhook(receiver.url()))
    with notifying(ledger.store):
        row = ledger.settled(delivery_id, "delivered")
    assert [request.id for request in receiver.received] == [str(delivery_id)] * 3
    assert len({request.body for request in receiver.received}) == 1
    assert row["attempts"] == 2
    told = [(a["number"], a["outcome"], a["status_code"]) for a in ledger.attempts(delivery_id)]
    assert told == [(1, "retry", 500), (2, "retry", None), (3, "delivered", 200)]
    assert ledger.attempts(delivery_id)[0]["answer"] == "broken\N{REPLACEMENT CHARACTER}"
    assert ledger.rows("SELECT sum(completed) AS c, sum(failed) AS f FROM queue_counters") == [{"c": 1, "f": 0}]


def test_what_the_receiver_asks_to_wait_is_waited(ledger: Ledger, receiver: Receiver) -> None:
    receiver.script(Reply(503, {"Retry-After": "2"}))
    delivery_id = ledger.deliver(ledger.webhook(receiver.url()))
    with notifying(ledger.store):
        receiver.wait_for_count(1)
        eventually(lambda: ledger.delivery(delivery_id)["next_attempt_at"])
        assert ledger.delivery(delivery_id)["delayed_reason"] == "the other side asked to wait 2 s"
        first, second = receiver.wait_for_count(2)
    assert second.at - first.at >= 2


@pytest.mark.parametrize("status", [400, 404, 410, 302])
def test_a_permanent_failure_is_not_repeated(ledger: Ledger, receiver: Receiver, status: int) -> None:
    receiver.script(Reply(status, body=b"no"))
    delivery_id = ledger.deliver(ledger.webhook(receiver.url()))
    with notifying(ledger.store):
        row = ledger.settled(delivery_id, "failed")
        time.sleep(0.3)
    assert len(receiver.received) == 1
    assert row["last_error"].startswith(f"answered {status}")
    assert [a["outcome"] for a in ledger.attempts(delivery_id)] == ["failed"]
    assert ledger.rows("SELECT completed, failed FROM queue_counters") == [{"completed": 0, "failed": 1}]


def test_five_failures_quarantine_and_a_replay_delivers(ledger: Ledger, receiver: Receiver) -> None:
    receiver.script(*[Reply(503)] * 5)
    delivery_id = ledger.deliver(ledger.webhook(receiver.url()))
    with notifying(ledger.store, notifier_backoff_seconds=0.01):
        row = ledger.settled(delivery_id, "quarantined")
        assert (row["attempts"], row["last_error"]) == (5, "answered 503 Service Unavailable")
        assert [a["outcome"] for a in ledger.attempts(delivery_id)] == ["retry"] * 4 + ["quarantined"]
        ledger.replay(delivery_id)
        ledger.settled(delivery_id, "delivered")
    assert [request.id for request in receiver.received] == [str(delivery_id)] * 6
    assert len(ledger.attempts(delivery_id)) == 6


def test_disabled_and_deleted_channels_fail_with_their_reason(ledger: Ledger, receiver: Receiver) -> None:
    disabled = ledger.webhook(receiver.url(), enabled=False)
    deleted = ledger.webhook(receiver.url(), deleted_at="2026-01-01")
    unknown = ledger.channel("apprise", {"url": "json://a.example"})
    ids = {name: ledger.deliver(channel) for name, channel in [("x", disabled), ("y", deleted), ("z", unknown)]}
    test_id = ledger.deliver(disabled, cause="test")
    with notifying(ledger.store):
        told = {name: ledger.settled(delivery_id, "failed")["last_error"] for name, delivery_id in ids.items()}
        ledger.settled(test_id, "delivered")
    assert told == {
        "x": "the channel is disabled",
        "y": "the channel was deleted",
        "z": "channels of kind apprise cannot be sent to by this version",
    }
    assert [request.id for request in receiver.received] == [str(test_id)]
    assert [a["error"] for a in ledger.attempts(ids["x"])] == ["the channel is disabled"]


def test_a_private_address_fails_with_the_cure(ledger: Ledger, receiver: Receiver) -> None:
    delivery_id = ledger.deliver(ledger.webhook(receiver.url()))
    with notifying(ledger.store, egress_allow=""):
        row = ledger.settled(delivery_id, "failed")
    assert "EGRESS_ALLOW" in row["last_error"]
    assert receiver.received == []


def test_a_secret_that_no_key_opens_is_tried_again_with_its_reason(ledger: Ledger, receiver: Receiver) -> None:
    delivery_id = ledger.deliver(ledger.webhook(receiver.url(), key=Fernet.generate_key().decode()))
    with notifying(ledger.store, notifier_backoff_seconds=60):
        eventually(lambda: ledger.delivery(delivery_id)["last_error"])
    assert "ENCRYPTION_KEYS" in ledger.delivery(delivery_id)["last_error"]
    assert ledger.delivery(delivery_id)["status"] == "pending"


class TestLeases:
    @pytest.fixture
    def deliveries(self, store: Store) -> Iterator[Deliveries]:
        with session(store) as connected:
            yield Deliveries(connected, per_target=8, lease_seconds=30)

    def test_giving_back_what_another_worker_claimed_does_nothing(self, ledger: Ledger, deliveries: Deliveries) -> None:
        ledger.deliver(ledger.webhook("http://x/"))
        (mine,) = deliveries.take(5)
        ledger.execute("UPDATE deliveries SET lease_until = now(), due_at = now()")
        (theirs,) = deliveries.take(5)
        deliveries.give_back([mine.claim])
        assert ledger.delivery(theirs.claim.id)["lease_token"] == theirs.claim.token

    def test_what_is_taken_comes_with_its_own_channel(self, ledger: Ledger, deliveries: Deliveries) -> None:
        urls = {ledger.deliver(ledger.webhook(f"http://{name}/")): f"http://{name}/" for name in "abc"}
        taken = {loaded.message.delivery_id: loaded for loaded in deliveries.take(5)}
        assert {one: json.loads(loaded.config)["url"] for one, loaded in taken.items()} == urls
        assert all(loaded.message.delivery_id == loaded.claim.id for loaded in taken.values())

    def test_what_is_given_back_is_due_at_once(self, ledger: Ledger, deliveries: Deliveries) -> None:
        ledger.deliver_many(ledger.webhook("http://x/"), 3)
        mine = [loaded.claim for loaded in deliveries.take(3)]
        assert deliveries.take(3) == []
        deliveries.give_back(mine)
        assert {loaded.claim.id for loaded in deliveries.take(3)} == {claim.id for claim in mine}
        assert {row["expiries"] for row in ledger.rows("SELECT expiries FROM deliveries")} == {0}

    def test_a_target_that_is_full_hides_no_other(self, ledger: Ledger, deliveries: Deliveries) -> None:
        channel_id = ledger.webhook("http://x/")
        ledger.deliver_many(channel_id, 300, target="full")
        other = ledger.deliver(channel_id, target="other")
        assert len(deliveries.take(16)) == 8
        assert [loaded.claim.id for loaded in deliveries.take(16)] == [other]


def test_two_notifiers_share_the_work_without_repeating_any(ledger: Ledger, receiver: Receiver) -> None:
    channel_id = ledger.webhook(receiver.url())
    ids = [one for target in "abcd" for one in ledger.deliver_many(channel_id, 75, target=target)]
    with notifying(ledger.store), notifying(ledger.store):
        eventually(lambda: ledger.count("delivered") == 300, within=30)
    assert Counter(request.id for request in receiver.received) == Counter(map(str, ids))
    assert ledger.rows("SELECT count(*) AS n, max(number) AS number FROM attempts") == [{"n": 300, "number": 1}]
    assert ledger.rows("SELECT sum(completed) AS n FROM queue_counters") == [{"n": 300}]


def test_a_slow_target_delays_no_other_and_gets_eight_at_once(ledger: Ledger, receiver: Receiver) -> None:
    slow = Receiver(Reply(delay=1.0))
    try:
        ledger.deliver_many(ledger.webhook(slow.url()), 200, target="slow")
        quick = ledger.deliver_many(ledger.webhook(receiver.url()), 40, target="quick")
        began = time.monotonic()
        with notifying(ledger.store):
            receiver.wait_for_count(len(quick), deadline=5)
            took = time.monotonic() - began
    finally:
        slow.close()
    assert took < 2.0
    assert slow.most_at_once == 8


def test_a_target_that_keeps_failing_is_left_alone_without_counting_attempts(
    ledger: Ledger, receiver: Receiver
) -> None:
    down = Receiver(Reply(503))
    try:
        bad = ledger.deliver_many(ledger.webhook(down.url()), 30, target="down")
        good = ledger.deliver_many(ledger.webhook(receiver.url()), 10, target="up")
        with notifying(ledger.store, notifier_breaker_seconds=1.0, notifier_backoff_seconds=600):
            receiver.wait_for_count(len(good))
            eventually(lambda: ledger.count("delivered") == len(good))
            waiting = "SELECT * FROM deliveries WHERE delayed_reason LIKE %s"
            put_off = eventually(lambda: ledger.rows(waiting, "its target keeps failing%"))
            assert {(row["attempts"], row["status"], row["lease_token"]) for row in put_off} == {(0, "pending", None)}
            assert len(down.received) <= 5 + 8
            down.default = Reply(200)
            never_tried = {row["id"] for row in put_off}
            eventually(lambda: ledger.count("delivered") >= len(good) + len(never_tried), within=10)
        counted = ledger.rows("SELECT count(*) AS n FROM attempts WHERE delivery_id = ANY(%s)", list(never_tried))
        assert counted == [{"n": len(never_tried)}]
        assert len(bad) == 30
    finally:
        down.close()


def test_what_was_sent_is_saved_when_the_database_is_back(ledger: Ledger, receiver: Receiver) -> None:
    receiver.script(Reply(delay=0.5))
    delivery_id = ledger.deliver(ledger.webhook(receiver.url()))
    with notifying(ledger.store, notifier_lease_seconds=4.0, notifier_attempt_seconds=2.0):
        receiver.wait_for_count(1)
        ledger.store_away()
        time.sleep(2.0)
        ledger.store_back()
        ledger.settled(delivery_id, "delivered")
        time.sleep(0.3)
    assert len(receiver.received) == 1
    assert len(ledger.attempts(delivery_id)) == 1
