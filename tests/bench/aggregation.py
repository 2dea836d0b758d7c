"""Statistics of a month with a million alerts: how long the nightly jobs take for all of it, and again for nothing."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from convex_analytics import aggregation, jobs
from convex_analytics.statistics import Statistics
from convex_common.ids import Ids
from convex_common.postgres import job_runs, migrate, partitions
from convex_common.postgres.bootstrap import ensure_workspace
from convex_common.postgres.database import Database, Limits
from convex_common.postgres.job_runner import JobRunner
from convex_dev.stores.postgres import SERVICE
from tests.bench.report import Gate
from tests.support.postgres import running_server

ALERTS, DAYS, FRAMEWORKS = 1_000_000, 30, 20
TARGET = 60.0
END = dt.datetime(2026, 3, 31, tzinfo=dt.UTC)
DATABASE = "aggregation"

_ID = """(lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0') || '7' || substr(md5({salt}), 1, 3) || '8'
    || substr(md5({salt}), 5, 15))::uuid"""

PLANT = f"""CREATE TEMP TABLE planted AS
SELECT n, f.id AS framework_id, at, {_ID.format(at="at", salt="n::text")} AS id, md5((n %% 200)::text)::uuid AS rule_id,
    (ARRAY['info', 'warning', 'error', 'critical'])[1 + n %% 4] AS severity,
    CASE WHEN n %% 5 > 0 THEN at + interval '1 second' * (30 + n %% 1700) END AS acknowledged_at,
    CASE WHEN n %% 20 > 0 THEN at + interval '1 second' * (600 + (n * 7919::bigint) %% 14000) END AS resolved_at
FROM generate_series(1, %(alerts)s) n
CROSS JOIN LATERAL (SELECT %(start)s::timestamptz + (n * %(apart)s) * interval '1 second' AS at) t
JOIN bench_frameworks f ON f.place = n %% %(frameworks)s"""

ALERT_ROWS = """INSERT INTO alerts (workspace_id, id, fingerprint, framework_id, rule_id, rule_name, alert_type, status,
    severity, title, occurrences, triggered_at, last_seen_at, acknowledged_at, resolved_at, suppression_seconds)
SELECT %(workspace)s, id, decode(md5(n::text), 'hex'), framework_id, rule_id, 'Latency of checkout', 'threshold',
    CASE WHEN resolved_at IS NULL THEN 'firing' ELSE 'resolved' END, severity, 'Latency', 4, at,
    at + interval '20 seconds', acknowledged_at, resolved_at, 300
FROM planted ORDER BY n"""

# In the order of time, and numbered in it: as the product writes it.
LOG_ROWS = f"""INSERT INTO alert_log (id, workspace_id, "offset", alert_id, framework_id, event, reason, count, detail,
    data, at)
SELECT {_ID.format(at="r.at", salt="r.n::text || r.event")}, %(workspace)s,
    row_number() OVER (ORDER BY r.at, r.n, r.place), r.id, r.framework_id, r.event, r.reason, r.count,
    convert_to(r.detail, 'UTF8'), convert_to(json_build_object('severity', r.severity, 'status', 'firing',
        'alert_type', 'threshold', 'rule_id', r.rule_id, 'rule_name', 'Latency of checkout',
        'title', 'Latency of checkout is above 500', 'occurrences', r.occurrences, 'triggered_at', r.triggered_at,
        'labels', json_build_object('region', 'eu', 'service', 'checkout', 'instance', 'web-' || r.n %% 40),
        'context', json_build_object('value', r.n, 'unit', 'ms'), 'current_value', r.n %% 900,
        'version', 1)::text, 'UTF8'), r.at
FROM (SELECT p.n, p.id, p.framework_id, p.severity, p.rule_id, p.at AS triggered_at, e.*
    FROM planted p CROSS JOIN LATERAL (VALUES
        (0, 'created', 'first_trigger', 1, 1, '{{"notified":true}}', p.at),
        (1, 'updated', 'duplicate', 3, 4, '{{"notified":false}}', p.at + interval '20 seconds'),
        (2, 'acknowledged', 'acknowledged_by_person', 1, 4, '{{"notified":false}}', p.acknowledged_at),
        (3, 'resolved', 'condition_cleared', 1, 4, '{{"notified":true}}', p.resolved_at)
    ) AS e(place, event, reason, count, occurrences, detail, at) WHERE e.at IS NOT NULL) r
ORDER BY r.at, r.n, r.place"""

DELIVERY_ROWS = f"""INSERT INTO deliveries (workspace_id, id, notification_id, channel_id, alert_id, target, status,
    finished_at)
SELECT %(workspace)s, {_ID.format(at="at", salt="n::text || 'd'")}, id, md5((n %% 5)::text)::uuid, id, 'hook',
    CASE WHEN n %% 100 > 0 THEN 'delivered' ELSE 'failed' END, at + interval '1 second'
FROM planted ORDER BY n"""

INDEXES = """SELECT indexrelid::regclass::text, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
FROM pg_index WHERE indrelid = ANY (ARRAY['alerts', 'alert_log', 'deliveries']::regclass[]) AND NOT indisprimary
    AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = indexrelid)"""


def run(*, quick: bool) -> list[Gate]:
    """Plant, compute every day, compute every day again."""
    alerts = ALERTS // 20 if quick else ALERTS
    with running_server(large=True) as server:
        owner_url = server.owner_url(DATABASE)
        with psycopg.connect(server.owner_url("postgres"), autocommit=True) as owner:
            owner.execute(f"CREATE DATABASE {DATABASE}")
        migrate.upgrade(owner_url, SERVICE)
        workspace_id = ensure_workspace(owner_url, slug="bench", name="Bench", owner_user="owner")
        rows = _plant(owner_url, {"workspace": workspace_id, "alerts": alerts})
        print(f"{alerts:,} alerts, {rows:,} rows of the log, {DAYS} days, {FRAMEWORKS} frameworks", flush=True)
        database = Database(server.service_url(DATABASE), "bench", size=4, limits=Limits(statement=30.0))
        database.open()
        try:
            took = _compute(database, "computed")
            before = _kept(owner_url)
            again = _compute(database, "computed again")
            same = before == _kept(owner_url)
        finally:
            database.close()
    counted = sum(row[2] for row in before)
    return [
        Gate(
            f"statistics of {DAYS} days, {alerts:,} alerts",
            f"≤ {TARGET:.0f} s" if not quick else "shown",
            f"{took:.1f} s",
            None if quick else took <= TARGET,
        ),
        Gate("alerts counted", f"{alerts:,}", f"{counted:,}", counted == alerts),
        Gate("computed again, rows written", "0", "0" if same else "some", same),
        Gate("computed again", "shown", f"{again:.1f} s", None),
    ]


def _plant(owner_url: str, which: Mapping[str, Any]) -> int:
    start = END - dt.timedelta(days=DAYS)
    given = {
        **which,
        "start": start,
        "apart": (DAYS * 86400 - 20_000) / which["alerts"],
        "frameworks": FRAMEWORKS,
    }
    slices = [
        f"alert_log_{(partitions.EPOCH + dt.timedelta(days=7 * n)):%Y%m%d}"
        for n in range((start - partitions.EPOCH).days // 7, (END - partitions.EPOCH).days // 7 + 1)
    ]
    with psycopg.connect(owner_url) as owner:
        partitions.make_named(owner, slices)
        owner.execute("SET session_replication_role = replica")  # no notifications behind the deliveries
        owner.execute("CREATE TEMP TABLE bench_frameworks (place integer, id uuid)")
        for place in range(FRAMEWORKS):
            framework_id = Ids().new()
            owner.execute(
                "INSERT INTO frameworks (workspace_id, id, name) VALUES (%s, %s, %s)",
                (which["workspace"], framework_id, f"framework {place}"),
            )
            owner.execute("INSERT INTO bench_frameworks VALUES (%s, %s)", (place, framework_id))
        owner.execute(PLANT, given)
        indexes = owner.execute(INDEXES).fetchall()  # a sorted table's are made in a third of the time of kept ones
        for name, _ in indexes:
            owner.execute(f"DROP INDEX {name}")
        for statement in (ALERT_ROWS, DELIVERY_ROWS):
            owner.execute(statement, given)
        rows = owner.execute(LOG_ROWS, given).rowcount
        for _, definition in indexes:
            owner.execute(definition)
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
    return rows


def _compute(database: Database, what: str) -> float:
    """Each day's run, as the timetable asks for them."""
    found = {aggregation.NAME: aggregation.DailyAggregation(Statistics(database))}
    runner = JobRunner(database, "analytics", jobs.analytics(found), 60.0)
    ids, began = Ids(), time.perf_counter()
    for day in range(DAYS):
        slot = END - dt.timedelta(days=DAYS - 1 - day) + dt.timedelta(hours=2)
        with database.transaction() as connection:
            connection.execute("DELETE FROM job_runs")
            job_runs.request(connection, ids.new(), aggregation.NAME, slot, "analytics")
        runner.drain()
        with database.transaction() as connection:
            run = job_runs.find(connection, aggregation.NAME, slot)
        if run is None or run.status is not job_runs.RunStatus.COMPLETED:
            raise RuntimeError(f"{slot.date()}: {run.last_error if run else 'no run'}")
        print(f"  {what}: day {day + 1} of {DAYS}, {time.perf_counter() - began:.1f} s", flush=True)
    return time.perf_counter() - began


def _kept(owner_url: str) -> Sequence[tuple[Any, ...]]:
    with psycopg.connect(owner_url) as owner:
        return owner.execute("SELECT at, framework_id, alerts, xmin::text FROM alert_quarters ORDER BY 1, 2").fetchall()
