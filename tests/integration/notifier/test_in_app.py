"""In-app notifications: rows in inboxes, and frames on the live feed."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from convex_common.feed import LiveNotification, channel, decode
from convex_common.postgres.bootstrap import ensure_members
from tests.support.eventually import eventually
from tests.support.notifying import ALERT, Ledger, notifying
from tests.support.postgres import Store
from tests.support.valkey import Valkey


@pytest.fixture
def ledger(store: Store) -> Ledger:
    ensure_members(store.owner_url, store.workspace_id, ["ann", "bob"], "viewer")
    return Ledger(store)


def inboxes(ledger: Ledger) -> list[dict[str, Any]]:
    return ledger.rows("SELECT * FROM user_notifications ORDER BY user_id")


@pytest.mark.parametrize(
    ("user_ids", "reached"),
    [(None, ["ann", "bob", "owner"]), (["bob"], ["bob"]), (["bob", "gone"], ["bob"])],
    ids=["all", "named", "one who left"],
)
def test_each_person_gets_a_row(ledger: Ledger, user_ids: list[str] | None, reached: list[str]) -> None:
    delivery_id = ledger.deliver(ledger.channel("in_app", {"user_ids": user_ids}), cause="resolved")
    with notifying(ledger.store):
        row = ledger.settled(delivery_id, "delivered")
    rows = inboxes(ledger)
    assert [one["user_id"] for one in rows] == reached
    assert {(one["notification_id"], one["alert_id"], one["cause"], one["title"]) for one in rows} == {
        (row["notification_id"], row["alert_id"], "resolved", ALERT["title"])
    }
    assert json.loads(bytes(rows[0]["data"])) == ALERT


def test_a_repetition_adds_no_row(ledger: Ledger) -> None:
    delivery_id = ledger.deliver(ledger.channel("in_app", {}))
    with notifying(ledger.store):
        ledger.settled(delivery_id, "delivered")
        ledger.replay(delivery_id)
        ledger.settled(delivery_id, "delivered")
    assert len(inboxes(ledger)) == 3
    assert len(ledger.attempts(delivery_id)) == 2


def test_who_is_there_is_told_at_once(ledger: Ledger, valkey: Valkey, queue_prefix: str) -> None:
    name = channel(queue_prefix, ledger.store.workspace_id)
    with redis.Redis.from_url(valkey.url).pubsub() as subscriber:  # type: ignore[no-untyped-call]  # redis leaves it so
        subscriber.subscribe(name)
        assert subscriber.get_message(timeout=5) is not None
        with notifying(ledger.store, redis_url=valkey.url, queue_prefix=queue_prefix):
            delivery_id = ledger.deliver(ledger.channel("in_app", {"user_ids": ["ann"]}))
            message = eventually(lambda: subscriber.get_message(timeout=0.1))
            row = ledger.settled(delivery_id, "delivered")
    live = decode(ledger.store.workspace_id, message["data"])
    assert isinstance(live, LiveNotification)
    assert live.user_ids == ("ann",)
    frame = json.loads(live.frame)
    assert frame["type"] == "notification"
    assert frame["data"]["notification_id"] == str(row["notification_id"])
    assert (frame["data"]["title"], frame["data"]["data"]) == (ALERT["title"], ALERT)
    assert len(inboxes(ledger)) == 1
