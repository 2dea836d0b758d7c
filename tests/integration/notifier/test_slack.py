"""From a due delivery to Slack and the ledger."""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any

import pytest

from convex_common.secretbox import SecretBox
from tests.support.notifying import ALERT, KEY, Ledger, notifying
from tests.support.postgres import Store
from tests.support.receiver import Receiver, Reply
from tests.support.slack import check

PATH = "/services/T0/B0/aVerySecretPath"


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store)


def channel(ledger: Ledger, url: str) -> uuid.UUID:
    sealed = SecretBox([KEY]).seal({"webhook_url": url})
    return ledger.channel("slack", {"host": "127.0.0.1"}, secrets=sealed)


def test_a_message_reaches_slack_and_the_ledger(ledger: Ledger, receiver: Receiver) -> None:
    delivery_id = ledger.deliver(channel(ledger, receiver.url(PATH)))
    with notifying(ledger.store, public_url="https://alerts.example.com") as metrics:
        ledger.settled(delivery_id, "delivered")
    (request,) = receiver.at(PATH)
    assert request.headers["content-type"] == "application/json"
    alert_id = ledger.delivery(delivery_id)["alert_id"]
    payload = check(request.body, f"https://alerts.example.com/alerts/{alert_id}")
    assert ALERT["title"] in payload["blocks"][0]["text"]["text"]
    sent = {"channel": "slack", "status": "delivered"}
    assert metrics.registry.get_sample_value("notifications_sent_total", sent) == 1


@pytest.mark.parametrize(
    ("reply", "status", "told"),
    [
        (Reply(404, body=b"no_service"), "failed", "the webhook does not exist any more"),
        (Reply(410, body=b"channel_is_archived"), "failed", "the Slack channel was archived"),
        (Reply(302, {"Location": "/elsewhere"}), "failed", "give the channel the final address"),
    ],
    ids=["gone", "archived", "moved"],
)
def test_what_will_never_be_taken_fails_with_its_cure(
    ledger: Ledger, receiver: Receiver, reply: Reply, status: str, told: str
) -> None:
    receiver.script(reply)
    delivery_id = ledger.deliver(channel(ledger, receiver.url(PATH)))
    with notifying(ledger.store):
        row = ledger.settled(delivery_id, status)
    assert told in row["last_error"]
    assert len(receiver.received) == 1


def test_to_be_asked_to_wait_holds_up_nobody_else(ledger: Ledger, receiver: Receiver) -> None:
    busy = Receiver(Reply(429, {"Retry-After": "30"}, b"rate_limited"))
    try:
        ledger.deliver_many(channel(ledger, busy.url(PATH)), 10, target="127.0.0.1")
        with notifying(ledger.store, notifier_breaker_seconds=60):
            busy.wait_for_count(10)
            ledger.settled(ledger.deliver(channel(ledger, receiver.url(PATH)), target="127.0.0.1"), "delivered")
        (reason,) = ledger.rows("SELECT DISTINCT delayed_reason FROM deliveries WHERE status = 'pending'")
    finally:
        busy.close()
    assert reason == {"delayed_reason": "the other side asked to wait 30 s"}


@pytest.mark.parametrize("url", ["http://[::1" + PATH, "gopher://127.0.0.1" + PATH, "http://nowhere.invalid" + PATH])
def test_nothing_tells_the_address(ledger: Ledger, url: str, caplog: pytest.LogCaptureFixture) -> None:
    delivery_id = ledger.deliver(channel(ledger, url))
    with caplog.at_level(logging.DEBUG), notifying(ledger.store, notifier_backoff_seconds=0.01):
        ledger.settled(delivery_id, "quarantined" if "invalid" in url else "failed")
    told: list[Any] = [
        ledger.delivery(delivery_id),
        ledger.attempts(delivery_id),
        [vars(one) for one in caplog.records],
    ]
    assert "aVerySecretPath" not in json.dumps(told, default=str)


def test_the_egress_rules_hold(ledger: Ledger, receiver: Receiver) -> None:
    delivery_id = ledger.deliver(channel(ledger, receiver.url(PATH)))
    with notifying(ledger.store, egress_allow=""):
        row = ledger.settled(delivery_id, "failed")
    assert "EGRESS_ALLOW" in row["last_error"]
    assert receiver.received == []
