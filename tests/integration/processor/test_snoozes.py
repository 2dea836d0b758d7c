"""Snoozes on the real stores: what they withhold, and that their end is told once, whoever dies meanwhile."""

from __future__ import annotations

import datetime as dt
import uuid

import psycopg
import pytest

from convex_common.postgres.alert_actions import AlertActions, Decide, acknowledging, snoozing
from convex_common.postgres.database import Database
from tests.integration.processor.test_silences import causes, log, settled, silence
from tests.support.postgres import Store
from tests.support.processing import IDS, Bench

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench.of(store)


def snooze(bench: Bench, **ahead: float) -> None:
    """By a person, through the gateway's part; without a time it is ended."""
    now = dt.datetime.now(dt.UTC)
    act(bench, snoozing("ann", now + dt.timedelta(**ahead) if ahead else None, now), now)


def act(bench: Bench, decide: Decide, now: dt.datetime) -> None:
    database = Database(bench.store.url, "test", size=2)
    database.open()
    try:
        actions = AlertActions(database, IDS, bench.outbox, bench.outbox)
        actions.one(bench.store.workspace_id, bench.alert()["id"], decide, if_match=None, now=now)
    finally:
        database.close()


def is_over(bench: Bench) -> None:
    """As if the time had passed."""
    with psycopg.connect(bench.store.owner_url) as owner:
        owner.execute("UPDATE alerts SET snoozed_until = now() - interval '1 second' WHERE snoozed_until IS NOT NULL")
        owner.execute("UPDATE timers SET due_at = now() WHERE kind = 'snooze_end'")


def fired(bench: Bench) -> uuid.UUID:
    bench.channel()
    rule_id = bench.rule()
    bench.trigger(rule_id)
    settled(bench)
    return rule_id


def test_nobody_is_told_until_its_end_and_then_once(bench: Bench) -> None:
    rule_id = fired(bench)
    snooze(bench, hours=1)
    bench.age(400)
    for severity in ("warning", "critical", "critical"):
        bench.trigger(rule_id, severity=severity)
    settled(bench)
    assert causes(bench) == ["fired"]
    assert ("escalated", "snoozed") in log(bench)
    assert (bench.alert()["severity"], bench.alert()["occurrences"]) == ("critical", 4)
    is_over(bench)
    settled(bench)
    settled(bench)
    assert causes(bench) == ["fired", "escalation"]
    assert log(bench)[-1] == ("updated", "snooze_ended")
    assert (bench.alert()["snoozed_by"], bench.alert()["snoozed_until"]) == (None, None)
    assert bench.rows("SELECT reason FROM notifications ORDER BY id DESC LIMIT 1") == [{"reason": "snooze_ended"}]


def test_an_end_that_a_dead_processor_had_taken_up_is_told_all_the_same(bench: Bench) -> None:
    fired(bench)
    snooze(bench, hours=1)
    is_over(bench)
    with psycopg.connect(bench.store.owner_url) as owner:  # a poller made it an event, and then it was killed
        owner.execute("SELECT fire_timers(100)")
    assert bench.rows("SELECT 1 FROM timers WHERE kind = 'snooze_end'") == []
    assert causes(bench) == ["fired"]
    settled(bench)
    assert causes(bench) == ["fired", "reminder"]


def test_another_snooze_outdoes_an_end_that_is_on_its_way(bench: Bench) -> None:
    fired(bench)
    snooze(bench, hours=1)
    is_over(bench)
    with psycopg.connect(bench.store.owner_url) as owner:
        owner.execute("SELECT fire_timers(100)")
    snooze(bench, hours=2)
    settled(bench)
    assert causes(bench) == ["fired"]
    (timer,) = bench.rows("SELECT due_at FROM timers WHERE kind = 'snooze_end'")
    assert timer["due_at"] == bench.alert()["snoozed_until"]


def test_a_snooze_that_is_ended_early_tells_what_it_withheld_and_nothing_else(bench: Bench) -> None:
    rule_id = fired(bench)
    snooze(bench, hours=1)
    snooze(bench)
    settled(bench)
    assert causes(bench) == ["fired"], "nothing was withheld"
    snooze(bench, hours=1)
    bench.age(400)
    bench.trigger(rule_id)
    settled(bench)
    snooze(bench)
    settled(bench)
    assert causes(bench) == ["fired", "reminder"]


def test_who_acknowledges_ends_it_and_only_a_severity_that_rose_is_told(bench: Bench) -> None:
    rule_id = fired(bench)
    snooze(bench, hours=1)
    bench.trigger(rule_id, severity="critical")
    settled(bench)
    assert causes(bench) == ["fired"]
    now = dt.datetime.now(dt.UTC)
    act(bench, acknowledging("ben", now), now)
    settled(bench)
    assert causes(bench) == ["fired", "escalation"]


def test_an_end_within_a_silence_waits_for_it(bench: Bench) -> None:
    fired(bench)
    silence(bench, "rule_name", "slow")
    settled(bench)
    snooze(bench, hours=1)
    is_over(bench)
    settled(bench)
    assert (causes(bench), log(bench)[-1]) == (["fired"], ("updated", "silenced"))
    with psycopg.connect(bench.store.owner_url) as owner:
        owner.execute("UPDATE silences SET expired_at = now(), over_at = now()")
        owner.execute("UPDATE workspaces SET config_version = config_version + 1")
        owner.execute("UPDATE timers SET due_at = now() WHERE kind = 'silence_end'")
    settled(bench)
    assert causes(bench) == ["fired", "reminder"]
    assert bench.alert()["snoozed_until"] is None


def test_an_alert_that_has_ended_meanwhile_wakes_nobody(bench: Bench) -> None:
    rule_id = fired(bench)
    snooze(bench, hours=1)
    bench.trigger(rule_id, resolved=True)
    settled(bench)
    assert causes(bench) == ["fired", "resolved"]
    assert bench.rows("SELECT 1 FROM timers WHERE kind = 'snooze_end'") == []
    assert bench.alert()["snoozed_until"] is None
