"""PostgreSQL and Valkey die in the middle of each job of analytics and come back: it ends right, or says why not.

The middle is where the first workspace is done and the second is being written: its row is locked here until the store
has died. What is there afterwards is what a run that nobody disturbed has left.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from convex_analytics import aggregation, pattern_detection, predictions, refresh
from convex_common.contracts import JOB_DUE, JobDue
from convex_common.ids import Ids
from convex_common.postgres import job_runs, migrate
from convex_common.postgres.bootstrap import ensure_workspace
from convex_common.redis.broker import Sender
from convex_dev.stores.postgres import SERVICE
from tests.support.eventually import eventually
from tests.support.jobs import environment, job_run, rows, running, when_status
from tests.support.postgres import OwnServer, Store, own_server
from tests.support.valkey import Valkey

SLOT = dt.datetime(2026, 3, 10, 3, tzinfo=dt.UTC)
IDS = Ids()

STATISTICS = (
    "SELECT to_jsonb(s) - 'computed_at' FROM alert_statistics s UNION ALL "
    "SELECT to_jsonb(q) - 'computed_at' FROM alert_quarters q"
)
LEFT = {
    aggregation.NAME: STATISTICS,
    refresh.NAME: STATISTICS,
    pattern_detection.NAME: "SELECT to_jsonb(p) - 'id' FROM patterns p",
    predictions.NAME: "SELECT to_jsonb(p) - 'id' - 'report_id' - 'scored_at' FROM predictions p",
}
"""What each job leaves behind, but for ids and the time of writing."""

WAITING = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'convex-analytics'"
PREFIX = "restarts"

TABLES = "alert_statistics, alert_quarters, patterns, predictions, prediction_reports, job_runs, cache_versions"

ALERTS = """INSERT INTO alerts (workspace_id, id, fingerprint, framework_id, rule_name, alert_type, status, severity,
    title, occurrences, triggered_at, last_seen_at, resolved_at, resolution, suppression_seconds)
SELECT f.workspace_id, (lpad(to_hex((extract(epoch FROM d.at) * 1000)::bigint), 12, '0') || '7000'
        || '8' || substr(md5(f.id::text || d.day), 1, 15))::uuid, decode(md5(f.id::text || d.day), 'hex'), f.id, 'cpu',
    'threshold', 'resolved', 'warning', 't', 1, d.at, d.at, d.at + interval '5 minutes', 'automatic', 300
FROM frameworks f, (SELECT n AS day, %(slot)s - n * interval '1 day' + interval '7 hours' AS at
    FROM generate_series(1, 50) n) d"""

LOG = """INSERT INTO alert_log (id, workspace_id, "offset", alert_id, framework_id, event, reason, at, data)
SELECT (left(replace(a.id::text, '-', ''), 31) || e.place)::uuid, a.workspace_id,
    2 * row_number() OVER (PARTITION BY a.workspace_id ORDER BY a.id) + e.place, a.id, a.framework_id, e.event,
    e.reason, e.at, convert_to(json_build_object('severity', a.severity, 'alert_type', a.alert_type, 'occurrences', 1,
        'triggered_at', a.triggered_at)::text, 'UTF8')
FROM alerts a CROSS JOIN LATERAL (VALUES (0, 'created', 'first_trigger', a.triggered_at),
    (1, 'resolved', 'condition_cleared', a.resolved_at)) e(place, event, reason, at)"""


@dataclass(frozen=True)
class Stores:
    """Stores of this module's own, with two workspaces' history, and analytics at work on them."""

    postgres: OwnServer
    valkey: Valkey
    store: Store
    second: uuid.UUID

    def forget(self, job: str) -> None:
        """What jobs have left; but for predictions of the day before yesterday, which are there to be scored."""
        with psycopg.connect(self.store.owner_url) as owner:
            owner.execute(f"TRUNCATE {TABLES}")
        if job != predictions.NAME:
            return
        self.run_undisturbed(predictions.NAME, SLOT - dt.timedelta(days=2))
        with psycopg.connect(self.store.owner_url) as owner:
            owner.execute("TRUNCATE job_runs")

    def run_undisturbed(self, job: str, slot: dt.datetime = SLOT) -> None:
        self.ask(job, slot)
        when_status(self.store, job, "completed", within=60)

    def ask(self, job: str, slot: dt.datetime = SLOT) -> None:
        with psycopg.connect(self.store.owner_url) as owner:
            job_runs.request(owner, IDS.new(), job, slot, self.queue(job))

    @staticmethod
    def queue(job: str) -> str:
        return "prediction" if job == predictions.NAME else "analytics"

    def left_undisturbed(self, job: str) -> list[Any]:
        """What a run leaves that is left alone; all is forgotten afterwards."""
        self.forget(job)
        self.run_undisturbed(job)
        found = self.left(job)
        self.forget(job)
        return found

    def try_again_at_once(self, job: str, failures: int = 1) -> None:
        """Once it has failed so often, without the rest that a run takes then."""

        def is_known() -> bool:
            if job_run(self.store, job)["attempts"] < failures:
                return False
            with psycopg.connect(self.store.owner_url) as owner:
                owner.execute("UPDATE job_runs SET due_at = clock_timestamp() WHERE status = 'pending'")
            return True

        eventually(is_known, within=60, what="the failure on record")

    def left(self, job: str) -> list[Any]:
        found = [next(iter(row.values())) for row in rows(self.store, LEFT[job])]
        return sorted(found, key=str)

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """Within a transaction that the second workspace waits for, until it is over or the server is gone."""
        owner = psycopg.connect(self.store.owner_url)
        owner.execute("SELECT FROM workspaces WHERE id = %s FOR UPDATE", (self.second,))
        try:
            yield
        finally:
            owner.close()

    def is_midway(self) -> bool:
        return bool(rows(self.store, f"SELECT pid {WAITING}"))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    valkey = Valkey(tmp_path_factory.mktemp("valkey"))
    valkey.start()
    with own_server() as postgres:
        owner_url = postgres.server.owner_url("restarts")
        with psycopg.connect(postgres.server.owner_url("postgres"), autocommit=True) as owner:
            owner.execute("CREATE DATABASE restarts")
        migrate.upgrade(owner_url, SERVICE)
        first, second = (ensure_workspace(owner_url, slug=name, name=name, owner_user="owner") for name in ("a", "b"))
        assert first < second
        with psycopg.connect(owner_url) as owner:
            for workspace_id in (first, second):
                owner.execute(
                    "INSERT INTO frameworks (workspace_id, id, name, created_at) VALUES (%s, %s, 'shop', %s)",
                    (workspace_id, IDS.new(), SLOT - dt.timedelta(days=60)),
                )
            owner.execute(ALERTS, {"slot": SLOT})
            owner.execute(LOG)
        store = Store(postgres.server.service_url("restarts"), owner_url, first)
        env = environment(store, valkey.url, PREFIX, ANALYTICS_LEASE_SECONDS="2")
        with running("convex-analytics", env) as analytics:
            eventually(analytics.ready, within=60)
            yield Stores(postgres, valkey, store, second)
    valkey.kill()


def each_job(soon: str) -> pytest.MarkDecorator:
    """All of them; but for `soon`, in the long suite."""
    return pytest.mark.parametrize(
        "job", [pytest.param(job, marks=[] if job == soon else pytest.mark.long) for job in LEFT]
    )


@each_job(aggregation.NAME)
def test_postgres_dies_midway_and_comes_back(stores: Stores, job: str) -> None:
    undisturbed = stores.left_undisturbed(job)
    assert {row["workspace_id"] for row in undisturbed} == {str(stores.store.workspace_id), str(stores.second)}
    stores.ask(job)
    with stores.held_up():
        eventually(stores.is_midway, within=30)
        stores.postgres.kill()
    stores.postgres.start()
    stores.try_again_at_once(job)
    run = when_status(stores.store, job, "completed", within=60)
    assert (run["claims"], run["attempts"]) == (2, 1)
    assert stores.left(job) == undisturbed


@each_job(pattern_detection.NAME)
def test_valkey_dies_midway_and_comes_back(stores: Stores, job: str) -> None:
    """Only hints go through it, and nothing waits for them."""
    undisturbed = stores.left_undisturbed(job)
    stores.ask(job)
    with stores.held_up():
        eventually(stores.is_midway, within=30)
        stores.valkey.kill()
    run = when_status(stores.store, job, "completed", within=60)
    assert (run["claims"], run["attempts"]) == (1, 0)
    assert stores.left(job) == undisturbed
    stores.valkey.start()
    sender = Sender(stores.valkey.url, PREFIX)
    eventually(lambda: sender.send(JOB_DUE, JobDue("nonsense", "2026-03-10T02:00:00Z")), within=30)
    when_status(stores.store, "nonsense", "failed", within=60)
    sender.close()


@each_job(predictions.NAME)
def test_a_database_that_fails_it_each_time_is_what_the_run_says(stores: Stores, job: str) -> None:
    stores.forget(job)
    stores.ask(job)
    attempts = job_runs.max_attempts(stores.queue(job))
    with stores.held_up():
        for attempt in range(1, attempts + 1):
            eventually(stores.is_midway, within=30)
            rows(stores.store, f"SELECT pg_terminate_backend(pid) {WAITING}")
            stores.try_again_at_once(job, attempt)
    run = job_run(stores.store, job)
    assert (run["status"], run["attempts"], run["finished_at"] is not None) == ("quarantined", attempts, True)
    assert run["last_error"].startswith("StoreUnavailable: PostgreSQL is unavailable: ")
    written = {row["workspace_id"] for row in stores.left(job)}
    assert str(stores.store.workspace_id) in written, "what was done before is kept"
