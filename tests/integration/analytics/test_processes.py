"""Analytics as a process: hints, polling without Redis, refusals by name, kills."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest

from convex_common.contracts import JOB_DUE, PREDICTION_DUE, Contract, JobDue
from convex_common.ids import Ids
from convex_common.measures import QUEUE_PROCESSING, QUEUE_WAIT
from convex_common.postgres import job_runs
from convex_common.postgres.database import Database
from convex_common.redis.broker import Sender
from convex_common.redis.measures import MeasureStore
from tests.support import jobs
from tests.support.eventually import eventually
from tests.support.jobs import environment, running
from tests.support.postgres import Store
from tests.support.valkey import Valkey

SLOT = dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC)


def ask(database: Database, job: str, queue: str) -> None:
    with database.transaction() as connection:
        job_runs.request(connection, Ids().new(), job, SLOT, queue)


@pytest.mark.parametrize(
    ("contract", "job", "status", "told"),
    [
        pytest.param(
            JOB_DUE,
            "nonsense",
            "failed",
            "nonsense: there is no such analytics job; known are alert-statistics-refresh, analytics-aggregation, "
            "pattern-detection",
            id="unknown job",
        ),
        pytest.param(
            PREDICTION_DUE,
            "nonsense",
            "failed",
            "nonsense: there is no such prediction job; known are predictions",
            id="unknown prediction",
        ),
    ],
)
def test_what_cannot_be_done_is_on_record(
    store: Store, valkey: Valkey, queue_prefix: str, contract: Contract[JobDue], job: str, status: str, told: str
) -> None:
    sender = Sender(valkey.url, queue_prefix)
    with running("convex-analytics", environment(store, valkey.url, queue_prefix)) as analytics:
        eventually(analytics.ready, within=20)
        eventually(lambda: sender.send(contract, JobDue(job, "2026-03-10T02:00:00Z")))
        run = jobs.when_status(store, job, status)
        refused = status == "failed"
        assert (run["queue"], run["attempts"], run["last_error"] or run["detail"]["skipped"]) == (
            contract.queue,
            refused,
            told,
        )
        for what in ("wait", "processing"):
            timed = f'queue_{what}_seconds_count{{queue="{contract.queue}"}}'
            eventually(lambda timed=timed: analytics.metric(timed) == 1)  # type: ignore[misc]  # bound per turn
        assert analytics.stop() == 0
    measured = MeasureStore(valkey.url, queue_prefix).read(None).recent  # told at the latest when it was stopped
    for name in (QUEUE_WAIT, QUEUE_PROCESSING):
        assert measured.spread(name)[contract.queue].count == 1
    sender.close()


def test_without_redis_the_poller_does_it(
    database: Database, store: Store, absent_valkey: Valkey, queue_prefix: str
) -> None:
    with running("convex-analytics", environment(store, absent_valkey.url, queue_prefix)) as analytics:
        eventually(analytics.ready, within=20)
        ask(database, "analytics-aggregation", "analytics")
        ask(database, "predictions", "prediction")
        assert jobs.when_status(store, "analytics-aggregation", "completed")["claims"] == 1
        assert jobs.when_status(store, "predictions", "completed")["detail"] == {
            "workspaces": 1,
            "scored": 0,
            "frameworks": 0,
            "predictions": 0,
        }
        absent_valkey.start()
        sender = Sender(absent_valkey.url, queue_prefix)
        eventually(lambda: sender.send(JOB_DUE, JobDue("nonsense", "2026-03-10T02:00:00Z")))
        jobs.when_status(store, "nonsense", "failed")
        sender.close()
        assert analytics.stop() == 0


def _running(store: Store) -> list[dict[str, Any]]:
    return jobs.rows(store, "SELECT * FROM job_runs WHERE status = 'running'")


@pytest.mark.parametrize("hard", [pytest.param(True, id="kill -9"), pytest.param(False, id="SIGTERM")])
def test_stopped_midway_another_completes_it(
    database: Database, store: Store, valkey: Valkey, queue_prefix: str, hard: bool
) -> None:
    """Held up by a lock on the log; a worker that has to stop meanwhile does so in time."""
    env = environment(store, valkey.url, queue_prefix, ANALYTICS_LEASE_SECONDS="2")
    ask(database, "analytics-aggregation", "analytics")
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("LOCK TABLE alert_statistics, alert_log IN ACCESS EXCLUSIVE MODE")
        with running("convex-analytics", env) as first:
            eventually(lambda: _running(store), within=20)
            if hard:
                first.kill()
            else:
                assert first.stop() == 0
    with running("convex-analytics", env):
        run = jobs.when_status(store, "analytics-aggregation", "completed", within=30)
    assert run["claims"] == 2
