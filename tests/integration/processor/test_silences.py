"""Silences on the real stores: whom they concern, what they withhold, and that it is told once when they end."""

from __future__ import annotations

import datetime as dt
import json
import uuid

import psycopg
import pytest

from convex_common import events
from convex_common.domain.fingerprint import shard_of
from convex_common.domain.silence import silence_key
from tests.support.postgres import Store
from tests.support.processing import IDS, Bench

pytestmark = pytest.mark.timeout(120)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench.of(store)


def silence(bench: Bench, name: str, value: str) -> uuid.UUID:
    """One of this hour, with what the gateway writes beside it."""
    now = dt.datetime.now(dt.UTC)
    silence_id = IDS.new()
    bench._insert(
        "silences",
        {
            "workspace_id": bench.store.workspace_id,
            "id": silence_id,
            "matchers": json.dumps([{"name": name, "op": "=", "value": value}]),
            "starts_at": now - HOUR,
            "ends_at": now + HOUR,
            "over_at": now + HOUR,
            "created_by": "ann",
        },
    )
    look(bench, silence_id)
    return silence_id


def look(bench: Bench, silence_id: uuid.UUID) -> None:
    key = silence_key(silence_id)
    bench.accept(events.SilenceDue(silence_id=silence_id), key, shard_of(key))


def settled(bench: Bench) -> None:
    """Everything due is done, and what that sets."""
    for _ in range(3):
        bench.drain()
        with psycopg.connect(bench.store.owner_url) as owner:
            owner.execute("SELECT fire_timers(100)")
    bench.drain()


def causes(bench: Bench) -> list[str]:
    return [row["cause"] for row in bench.rows("SELECT cause FROM notifications ORDER BY id")]


def log(bench: Bench) -> list[tuple[str, str]]:
    return [
        (row["event"], row["reason"]) for row in bench.rows('SELECT event, reason FROM alert_log ORDER BY "offset"')
    ]


def test_a_silenced_alert_opens_is_shown_and_told_once_when_the_silence_is_ended(bench: Bench) -> None:
    bench.channel()
    rule_id = bench.rule()
    silence_id = silence(bench, "host", "a")
    for _ in range(3):
        bench.trigger(rule_id, labels={"host": "a"})
    bench.trigger(rule_id, labels={"host": "b"})
    settled(bench)
    silenced, loud = bench.rows("SELECT * FROM alerts ORDER BY labels->>'host'")
    assert (silenced["silenced_by"], silenced["announced"], silenced["occurrences"]) == (silence_id, False, 3)
    assert (loud["silenced_by"], loud["announced"]) == (None, True)
    assert ("created", "silenced") in log(bench)
    assert causes(bench) == ["fired"]
    (shown,) = (
        json.loads(bytes(row["data"]))
        for row in bench.rows("SELECT data FROM alert_log WHERE event = 'created' AND reason = 'silenced'")
    )
    assert (shown["silenced_by"], shown["silenced_until"] is not None) == (str(silence_id), True)
    (timer,) = bench.rows("SELECT due_at FROM timers WHERE kind = 'silence_end'")
    assert timer["due_at"] == silenced["silenced_until"]

    with psycopg.connect(bench.store.owner_url) as owner:
        owner.execute("UPDATE silences SET expired_at = now(), over_at = now()")
        owner.execute("UPDATE workspaces SET config_version = config_version + 1")
    look(bench, silence_id)
    settled(bench)
    look(bench, silence_id)
    settled(bench)
    assert causes(bench) == ["fired", "fired"]
    assert log(bench)[-1] == ("updated", "silence_ended")
    assert [row["silenced_by"] for row in bench.rows("SELECT silenced_by FROM alerts")] == [None, None]


def test_a_silence_over_a_firing_alert_withholds_its_reminders(bench: Bench) -> None:
    bench.channel()
    rule_id = bench.rule()
    bench.trigger(rule_id)
    settled(bench)
    silence_id = silence(bench, "rule_name", "slow")
    settled(bench)
    assert bench.alert()["silenced_by"] == silence_id
    assert log(bench)[-1] == ("suppressed", "silenced")
    bench.age(400)
    bench.trigger(rule_id)
    settled(bench)
    assert (causes(bench), log(bench)[-1]) == (["fired"], ("updated", "silenced"))


def test_what_was_never_told_is_not_taken_back(bench: Bench) -> None:
    bench.channel()
    rule_id = bench.rule()
    silence(bench, "alertname", "slow")
    bench.trigger(rule_id)
    bench.trigger(rule_id, resolved=True)
    settled(bench)
    assert causes(bench) == []
    assert (bench.alert()["status"], bench.alert()["silenced_by"]) == ("resolved", None)
    assert bench.rows("SELECT 1 FROM timers WHERE kind = 'silence_end'") == []
