"""Statistics of quarter hours on a real PostgreSQL: equal to a plain query, repeatable, never taken away."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings

from convex_common.domain.durations import bucket_of
from convex_common.postgres.database import Database
from tests.integration.analytics.alert_log import (
    ALERTS,
    MONDAY,
    TUESDAY,
    Drawn,
    History,
    aggregate,
    lived,
    monday,
    tuesday,
)
from tests.support.jobs import rows
from tests.support.postgres import Store
from tests.support.processing import Bench

TRUTH = """SELECT framework_id, date_trunc('hour', at) + floor(extract(minute FROM at) / 15) * interval '15 minutes',
    count(*) FILTER (WHERE event = 'created'),
    count(*) FILTER (WHERE event = 'created' AND convert_from(data, 'UTF8')::jsonb->>'severity' = 'critical'),
    array_remove(array_agg(CASE event WHEN 'resolved' THEN
        extract(epoch FROM at - (convert_from(data, 'UTF8')::jsonb->>'triggered_at')::timestamptz)::float8 END), NULL)
FROM alert_log WHERE event IN ('created', 'acknowledged', 'resolved') GROUP BY 1, 2"""


@pytest.fixture
def history(store: Store) -> History:
    return History(store, store.workspace_id)


def kept(store: Store) -> list[dict[str, Any]]:
    return rows(store, "SELECT *, xmin FROM alert_quarters ORDER BY at, framework_id")


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(ALERTS)
def test_every_quarter_is_that_of_a_slow_and_plain_query(database: Database, store: Store, alerts: Drawn) -> None:
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("TRUNCATE alert_log, alert_statistics, alert_quarters")
        owner.execute("DELETE FROM alerts")
    lived(store, alerts)
    days = [MONDAY + dt.timedelta(days=n) for n in range(-1, 8)]
    for day in days:
        aggregate(database, store, day)
    first = kept(store)
    with psycopg.connect(store.owner_url) as owner:
        truth = owner.execute(TRUTH).fetchall()
    found = {
        (row["framework_id"], row["at"]): (row["alerts"], row["by_severity"].get("critical", 0), row["resolved"])
        for row in first
        if row["alerts"] or row["acknowledged"] or row["resolved"]
    }
    in_days = [row for row in truth if days[0] <= row[1].astimezone(dt.UTC).date() <= days[-1]]
    assert found == {(row[0], row[1]): (row[2], row[3], len(row[4])) for row in in_days}
    for framework_id, at, _, _, seconds in in_days:
        (row,) = [one for one in first if (one["framework_id"], one["at"]) == (framework_id, at)]
        assert row["resolved_total"] == pytest.approx(sum(seconds))
        buckets: dict[str, int] = {}
        for each in seconds:
            buckets[str(bucket_of(each))] = buckets.get(str(bucket_of(each)), 0) + 1
        assert row["resolved_in"] == buckets
    for day in days:
        aggregate(database, store, day)
    assert kept(store) == first, "not even written"


def test_what_becomes_of_alerts_counts_where_they_opened_whenever_that_is(database: Database, store: Store) -> None:
    bench = Bench.of(store)
    bench.channel()
    rule = bench.rule(suppression_seconds=300)
    for _ in range(4):
        bench.trigger(rule)
    bench.drain()
    today = dt.datetime.now(dt.UTC).date()
    aggregate(database, store, today)
    (row,) = kept(store)
    assert (row["alerts"], row["followed"], row["answered"], row["judged"]) == (1, 1, 0, 0)
    assert (row["folded"], row["told"], row["told_again"]) == (3, 1, 0)
    assert (row["withheld"], row["by_rule"]) == ({"duplicate": 3}, {str(rule): 1})
    with psycopg.connect(store.owner_url) as owner:
        owner.execute(
            "UPDATE alerts SET status = 'acknowledged', acknowledged_at = now(), verdicts_false_alarm = 2, "
            "verdicts_useful = 1"
        )
    aggregate(database, store, today)
    (row,) = kept(store)
    assert (row["answered"], row["ended"], row["judged"], row["false_alarms"]) == (1, 0, 1, 1)
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("TRUNCATE alerts, alert_verdicts, notifications, deliveries, delivery_recipients")
    aggregate(database, store, today)
    assert kept(store) == [row], "what was known of an alert that retention took stays"


def test_a_later_day_brings_the_earlier_one_up_to_date(database: Database, store: Store, history: History) -> None:
    shop = history.framework("shop")
    log = history.alert(shop, monday("10:07:00"))
    log("resolved", tuesday("09:00:00"), 1)
    history.write()
    alert_id = rows(store, "SELECT alert_id FROM alert_log LIMIT 1")[0]["alert_id"]
    with psycopg.connect(store.owner_url) as owner:
        owner.execute(
            "INSERT INTO alerts (workspace_id, id, fingerprint, framework_id, rule_name, alert_type, status, severity, "
            "title, occurrences, triggered_at, last_seen_at, suppression_seconds) "
            "VALUES (%s, %s, %s, %s, 'r', 'threshold', 'firing', 'warning', 't', 1, %s, %s, 300)",
            (store.workspace_id, alert_id, b"f", shop, monday("10:07:00"), monday("10:07:00")),
        )
    aggregate(database, store, MONDAY)
    (row,) = kept(store)
    assert (row["at"], row["followed"], row["ended"]) == (monday("10:00:00"), 1, 0)
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("UPDATE alerts SET status = 'resolved', resolved_at = %s", (tuesday("09:00:00"),))
    aggregate(database, store, TUESDAY)
    opened, ended = kept(store)
    assert (opened["ended"], opened["resolved"]) == (1, 0)
    assert (ended["ended"], ended["resolved"], ended["alerts"]) == (0, 1, 0)


def test_figures_outlive_the_log(database: Database, store: Store, history: History) -> None:
    history.alert(history.framework("shop"), monday("10:00:00"))
    history.write()
    aggregate(database, store, MONDAY)
    before = kept(store)
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("DELETE FROM alert_log")
    aggregate(database, store, MONDAY)
    assert kept(store) == before
