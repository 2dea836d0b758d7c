"""From the inbox to alerts, log, notifications and deliveries, on a real database."""

from __future__ import annotations

import datetime as dt
import uuid

import psycopg
import pytest

from convex_common import events
from convex_common.domain.fingerprint import fingerprint, shard_of
from tests.support.postgres import Store
from tests.support.processing import Bench


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench.of(store)


def test_a_first_trigger_opens_notifies_and_leaves_no_inbox_row(bench: Bench) -> None:
    channel_id = bench.channel()
    event_id = bench.trigger(bench.rule(), labels={"host": "a"}, context={"why": "test"})
    bench.drain()
    alert = bench.alert()
    assert (alert["status"], alert["occurrences"], alert["severity"]) == ("firing", 1, "warning")
    assert alert["title"] == "slow: latency above 100"
    (log,) = bench.rows("SELECT * FROM alert_log")
    assert (log["event"], log["reason"], log["offset"], log["event_ids"]) == ("created", "first_trigger", 1, [event_id])
    (delivery,) = bench.rows("SELECT * FROM deliveries")
    assert (delivery["channel_id"], delivery["status"], delivery["target"]) == (channel_id, "pending", "hooks.example")
    assert bench.rows("SELECT count(*) AS n FROM inbox") == [{"n": 0}]
    (name, payload) = bench.outbox.sent[0]
    assert (name, payload.ids) == ("deliveries_due", (str(delivery["id"]),)) or payload.ids == (str(delivery["id"]),)
    (live,) = bench.outbox.live
    assert live.offset == 1
    assert b'"type":"alert","event":"created","offset":1' in live.frame


def test_folds_of_a_batch_are_one_row_with_their_events(bench: Bench) -> None:
    rule_id = bench.rule()
    ids = [bench.trigger(rule_id, value=200 + n) for n in range(5)]
    bench.drain()
    created, folded = bench.rows('SELECT * FROM alert_log ORDER BY "offset"')
    assert created["event_ids"] == ids[:1]
    assert (folded["event"], folded["reason"], folded["count"]) == ("updated", "duplicate", 4)
    assert folded["event_ids"] == ids[1:]
    assert bench.alert()["occurrences"] == 5
    assert bench.alert()["current_value"] == 204
    assert len(bench.rows("SELECT * FROM notifications")) == 1


def test_window_reminder_acknowledge_and_escalation(bench: Bench) -> None:
    bench.channel()
    rule_id = bench.rule()
    bench.trigger(rule_id)
    bench.drain()
    bench.age(301)
    bench.trigger(rule_id)
    bench.drain()
    bench.trigger(rule_id, severity="critical")
    bench.drain()
    causes = [row["cause"] for row in bench.rows("SELECT cause FROM notifications ORDER BY sequence")]
    assert causes == ["fired", "reminder", "escalation"]
    assert bench.alert()["severity"] == "critical"


def test_clear_resolves_and_tells_only_who_was_told(bench: Bench) -> None:
    bench.channel()
    late = bench.channel(enabled=False)
    rule_id = bench.rule(clear_value=80.0)
    for value in (120, 90, 70):
        bench.observe(value, host="a")
        bench.drain()
    assert (bench.alert()["status"], bench.alert()["current_value"]) == ("resolved", 70)
    causes = bench.rows(
        "SELECT n.cause, d.channel_id FROM notifications n JOIN deliveries d ON d.notification_id = n.id"
    )
    assert sorted(row["cause"] for row in causes) == ["fired", "resolved"]
    assert all(row["channel_id"] != late for row in causes)
    assert bench.alert()["rule_id"] == rule_id


def test_reopened_silently_and_told_at_the_windows_end(bench: Bench) -> None:
    bench.rule()
    for value in (120, 70, 130):
        bench.observe(value, host="a")
        bench.drain()
    assert [row["event"] for row in bench.rows('SELECT event FROM alert_log ORDER BY "offset"')] == [
        "created",
        "resolved",
        "reopened",
    ]
    (timer,) = bench.rows("SELECT * FROM timers")
    assert timer["kind"] == "window_end"
    bench.age(301)
    with psycopg.connect(bench.store.owner_url) as owner:
        owner.execute("UPDATE timers SET due_at = now()")
        owner.execute("SELECT fire_timers(10)")
    bench.drain()
    notifications = bench.rows("SELECT cause, reason, sequence FROM notifications ORDER BY sequence")
    assert [(row["cause"], row["reason"]) for row in notifications] == [
        ("fired", "first_trigger"),
        ("resolved", "condition_cleared"),
        ("fired", "window_ended"),
    ]


def test_hold_time_fires_by_its_timer(bench: Bench) -> None:
    bench.rule(for_seconds=60)
    bench.observe(120, host="a")
    bench.drain()
    assert bench.rows("SELECT * FROM alerts") == []
    with psycopg.connect(bench.store.owner_url) as owner:
        owner.execute("UPDATE timers SET due_at = now()")
        owner.execute("SELECT fire_timers(10)")
    bench.drain()
    assert bench.alert()["status"] == "firing"
    assert bench.rows("SELECT * FROM inbox") == []


def test_a_poisonous_event_is_put_aside_alone(bench: Bench) -> None:
    rule_id = bench.rule()
    poison = fingerprint(bench.store.workspace_id, bench.framework_id, rule_id, {"host": "poison"})
    for n in range(99):
        bench.trigger(rule_id, labels={"host": str(n)})
    bench.accept_raw("trigger", b'{"rule_id": 1}', poison, shard_of(poison))
    for _ in range(3):
        bench.drain()
        with psycopg.connect(bench.store.owner_url) as owner:
            owner.execute("UPDATE inbox SET due_at = now()")
    assert bench.rows("SELECT count(*) AS n FROM alerts") == [{"n": 99}]
    (put_aside,) = bench.rows("SELECT * FROM quarantine")
    assert (put_aside["attempts"], put_aside["queue"]) == (3, "alert")
    assert "rule_id" in put_aside["last_error"]


def test_a_row_that_postgres_refuses_is_found_by_halving(bench: Bench) -> None:
    rule_id = bench.rule()
    for n in range(20):
        bench.trigger(rule_id, labels={"host": str(n)})
    bench.trigger(rule_id, labels={"host": "nul"}, context={"text": "a\x00b"})
    for _ in range(3):
        bench.drain()
        with psycopg.connect(bench.store.owner_url) as owner:
            owner.execute("UPDATE inbox SET due_at = now()")
    assert bench.rows("SELECT count(*) AS n FROM alerts") == [{"n": 20}]
    assert len(bench.rows("SELECT * FROM quarantine")) == 1


def test_a_failed_event_holds_its_key_and_no_other(bench: Bench) -> None:
    rule_id = bench.rule()
    key = fingerprint(bench.store.workspace_id, bench.framework_id, rule_id, {})
    bench.accept_raw("trigger", b"broken", key, shard_of(key))
    behind = bench.trigger(rule_id)
    bench.trigger(rule_id, labels={"host": "other"})
    bench.drain()
    assert [row["labels"] for row in bench.rows("SELECT labels FROM alerts")] == [{"host": "other"}]
    assert behind in [row["id"] for row in bench.rows("SELECT id FROM inbox")]


def test_alertmanager_resends_are_no_occurrence_and_expire(bench: Bench) -> None:
    now = dt.datetime.now(dt.UTC)
    labels = {"alertname": "Down", "severity": "critical"}
    key = fingerprint(bench.store.workspace_id, bench.framework_id, None, labels)

    def send(ends: dt.datetime, *, resolved: bool = False) -> uuid.UUID:
        alert = events.SourceAlert(
            source="alertmanager",
            framework_id=bench.framework_id,
            labels=labels,
            starts_at=now,
            ends_at=ends,
            resolved=resolved,
        )
        return bench.accept(alert, key, shard_of(key))

    for minutes in (4, 5, 6):
        send(now + dt.timedelta(minutes=minutes))
        bench.drain()
    assert bench.alert()["occurrences"] == 1
    (timer,) = bench.rows("SELECT due_at FROM timers")
    assert timer["due_at"] == now + dt.timedelta(minutes=6)
    send(now, resolved=True)
    bench.drain()
    assert (bench.alert()["status"], bench.alert()["resolution"]) == ("resolved", "automatic")
    assert bench.rows("SELECT * FROM timers") == []


def _withdraw(bench: Bench, rule_id: uuid.UUID, reason: str) -> None:
    key = fingerprint(bench.store.workspace_id, bench.framework_id, rule_id, {})
    bench.accept(events.Withdrawn(rule_id=rule_id, reason=reason), key, shard_of(key))
    bench.drain()


def _configure(bench: Bench, change: str) -> None:
    with psycopg.connect(bench.store.owner_url) as owner:
        owner.execute(f"UPDATE rules SET {change}")
        owner.execute("UPDATE workspaces SET config_version = config_version + 1")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param("enabled = false", "rule_disabled", id="disabled"),
        pytest.param("deleted_at = now()", "rule_deleted", id="deleted"),
        pytest.param("metric = 'errors'", "rule_changed", id="another metric"),
    ],
)
def test_what_nothing_can_clear_any_more_is_resolved_with_its_reason(bench: Bench, change: str, reason: str) -> None:
    bench.channel()
    rule_id = bench.rule()
    bench.trigger(rule_id)
    bench.drain()
    _configure(bench, change)
    _withdraw(bench, rule_id, reason)
    assert (bench.alert()["status"], bench.alert()["resolution"]) == ("resolved", "automatic")
    last = bench.rows('SELECT event, reason FROM alert_log ORDER BY "offset" DESC LIMIT 1')
    assert last == [{"event": "resolved", "reason": reason}]
    causes = bench.rows("SELECT cause FROM notifications ORDER BY sequence")
    assert [row["cause"] for row in causes] == ["fired", "resolved"], "who was told of it is told of its end"


def test_a_rule_that_was_enabled_again_meanwhile_keeps_its_alert(bench: Bench) -> None:
    rule_id = bench.rule()
    bench.trigger(rule_id)
    bench.drain()
    _withdraw(bench, rule_id, "rule_disabled")
    assert bench.alert()["status"] == "firing"


def test_a_trigger_from_before_its_rules_end_leaves_nothing_open(bench: Bench) -> None:
    bench.trigger(bench.rule())
    _configure(bench, "enabled = false")
    bench.drain()
    assert (bench.alert()["status"], bench.alert()["occurrences"]) == ("resolved", 1)
    log = bench.rows('SELECT event, reason FROM alert_log ORDER BY "offset"')
    assert [(row["event"], row["reason"]) for row in log] == [
        ("created", "first_trigger"), ("resolved", "rule_disabled")
    ]  # fmt: skip


def test_a_windowed_rule_shows_the_aggregate_and_a_change_its_percentage(bench: Bench) -> None:
    bench.rule(name="sum", condition="above", threshold_value=10.0, window_seconds=60, aggregation="sum")
    bench.rule(name="jump", condition="changes_by", threshold_value=None, change_percentage=50.0)
    for value in (6, 9):
        bench.observe(value)
        bench.drain()
    shown = {row["rule_name"]: row for row in bench.rows("SELECT * FROM alerts")}
    assert shown["sum"]["current_value"] == 15
    assert shown["jump"]["current_value"] == 9
    assert shown["jump"]["context"] == {
        "metric": "latency",
        "change_percentage": 50.0,
        "change_percentage_limit": 50.0,
    }


def test_a_triggers_own_threshold_is_in_its_title(bench: Bench) -> None:
    bench.trigger(bench.rule(), threshold=90.0)
    bench.drain()
    assert bench.alert()["title"] == "slow: latency above 90"
