"""Our bodies and signatures as the `standardwebhooks` package verifies them."""

from __future__ import annotations

import datetime as dt
import json
import uuid

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from convex_common.errors import Invalid
from convex_notifier.domain import standard_webhook
from tests.unit.notifier.messages import a_message

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_")])
def test_the_signature_is_verified_by_the_package(secret: str) -> None:
    content = standard_webhook.body(a_message())
    headers = standard_webhook.headers(uuid.uuid4(), content, secret, dt.datetime.now(dt.UTC))
    assert Webhook(SECRET).verify(content, headers)["type"] == "alert.fired"


def test_a_changed_body_is_noticed() -> None:
    content = standard_webhook.body(a_message())
    headers = standard_webhook.headers(uuid.uuid4(), content, SECRET, dt.datetime.now(dt.UTC))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(content.replace(b"fired", b"tired"), headers)


def test_without_a_secret_nothing_is_signed() -> None:
    headers = standard_webhook.headers(uuid.uuid4(), b"{}", None, dt.datetime.now(dt.UTC))
    assert set(headers) == {"webhook-id", "webhook-timestamp"}


def test_a_malformed_secret_is_told_without_being_shown() -> None:
    with pytest.raises(Invalid) as raised:
        standard_webhook.headers(uuid.uuid4(), b"{}", "whsec_ÿ!not-base64", dt.datetime.now(dt.UTC))
    assert "not-base64" not in str(raised.value)


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        ("fired", "alert.fired"),
        ("reminder", "alert.reminder"),
        ("escalation", "alert.escalated"),
        ("resolved", "alert.resolved"),
        ("test", "test"),
    ],
)
def test_the_type_tells_the_cause(cause: str, kind: str) -> None:
    assert json.loads(standard_webhook.body(a_message(cause=cause)))["type"] == kind


def test_the_body_holds_the_stored_alert_and_the_notification() -> None:
    message = a_message(alert=b'{"id":"1","title":"caf\xc3\xa9 \\u0000"}', reason="first_trigger")
    body = json.loads(standard_webhook.body(message))
    assert body["timestamp"] == "2026-03-01T12:00:00Z"
    assert body["data"]["alert"] == {"id": "1", "title": "café \x00"}
    assert body["data"]["notification"] == {
        "id": str(message.notification_id),
        "cause": "fired",
        "sequence": 1,
        "reason": "first_trigger",
    }
