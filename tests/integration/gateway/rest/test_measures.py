"""`/api/metrics`: the database's truth and what processes measured, for a workspace, for all, and without Redis."""

from __future__ import annotations

import datetime as dt
import subprocess
import time
import uuid
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from convex_common.domain.self_audit import Result, Stage
from convex_common.job_timings import JobTimings
from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.postgres import self_audits
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.database import Limits
from convex_common.redis.measures import Batch, MeasureStore
from tests.support.debian import program_or_skip
from tests.support.rest import Api, token_of
from tests.support.valkey import Valkey

STAGES = ["prepared", "connected", "accepted", "stored", "seen", "notified", "resolved"]
PATHS = ["health", "alerts", "cache", "queue", "websocket", "prometheus"]
EXEMPT = {
    "alert_processing_latency_ms metric names should not contain abbreviated units",
    'queue_job_count non-histogram and non-summary metrics should not have "_count" suffix',
}
"""The specification's names, which stay as they are."""


class Figures:
    """The API on a real Valkey, and what processes have told."""

    def __init__(self, api: Api, valkey: Valkey, prefix: str) -> None:
        self.api = api
        self.store = api.gateway.measure_store = MeasureStore(valkey.url, prefix)
        self.framework_id = str(uuid.uuid4())
        self._told = 0

    def get(self, name: str, **more: Any) -> Any:
        return self.get_from(f"/api/metrics/{name}", **more)

    def get_from(self, path: str, **more: Any) -> Any:
        answer = self.api.get(path, role="viewer", **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def of_all(self, name: str) -> Any:
        token = token_of(self.api.workspace_id, "viewer", "viewer", operator=True)
        return self.get(name, params={"scope": "installation"}, token=token)

    def tell(self, workspace_id: uuid.UUID | None = None) -> None:
        """A process's measures: ten latencies of 60 ms and one of a second, look-ups and frames."""
        of, measures = workspace_id or self.api.workspace_id, Measures()
        measures.observe_all(of, "alert_latency", [(self.framework_id, 60.0)] * 10 + [("", 1000.0)])
        measures.observe(of, "queue_wait", 3.0, "alert")
        for name, label, by in (
            ("cache_hits", "alerts", 8),
            ("cache_misses", "alerts", 1),
            ("cache_misses", "rules", 1),
            ("cache_errors", "rules", 1),
            ("ws_sent", "", 7),
            ("ws_received", "", 5),
            ("ws_errors", "", 1),
        ):
            measures.count(of, name, label, by)
        self._told += 1
        self.store.add(Batch(self._told, int(time.time() // 60), measures.take()))

    def counted(self, workspace_id: uuid.UUID, **columns: int) -> None:
        """A minute's counter, as the processor writes it."""
        row = {"completed": 0, "failed": 0, "errors": 0, "slot": 0, "age": 0, "queue": "alert", **columns}
        with psycopg.connect(self.api.store.owner_url) as owner:
            owner.execute(
                "INSERT INTO queue_counters (workspace_id, queue, minute, slot, completed, failed, errors) VALUES "
                "(%(workspace)s, %(queue)s, now() - make_interval(mins => %(age)s), %(slot)s, %(completed)s, "
                "%(failed)s, %(errors)s)",
                {**row, "workspace": workspace_id},
            )


@pytest.fixture
def figures(api: Api, valkey: Valkey, queue_prefix: str) -> Figures:
    return Figures(api, valkey, queue_prefix)


def test_alerts(figures: Figures, elsewhere: uuid.UUID) -> None:
    mine = figures.api.workspace_id
    figures.counted(mine, completed=90, errors=4, failed=1)
    figures.counted(mine, completed=10, age=600, slot=1)
    figures.counted(elsewhere, completed=1000)
    with psycopg.connect(figures.api.store.owner_url) as owner:
        owner.execute("INSERT INTO queue_totals VALUES (%s, 'alert', 900, 0, 6)", (mine,))
        for workspace_id, channel, outcome, slot, attempts in (
            (mine, "webhook", "delivered", 0, 3),
            (mine, "webhook", "delivered", 1, 4),
            (mine, "webhook", "retry", 0, 50),
            (mine, "email", "delivered", 0, 2),
            (elsewhere, "email", "delivered", 0, 1),
        ):
            owner.execute(
                "INSERT INTO attempt_totals VALUES (%s, %s, %s, %s, %s)",
                (workspace_id, channel, outcome, slot, attempts),
            )
    figures.tell()
    figures.tell(elsewhere)
    told = figures.get("alerts")
    latency = told.pop("latency")
    assert told.pop("by_framework") == {
        figures.framework_id: {"count": 10, "mean": 60.0, "p50": 62.5, "p95": 73.75, "p99": 74.75}
    }
    assert told == {
        "processed": 1000,
        "errors": 10,
        "notifications_sent": {"webhook": 7, "email": 2},
        "window_seconds": 900,
    }
    assert (latency["count"], latency["mean"]) == (11, pytest.approx(1600 / 11, abs=0.001))
    assert 50 < latency["p50"] <= 75
    assert 500 < latency["p95"] <= latency["p99"] <= 1000
    everywhere = figures.of_all("alerts")
    assert (everywhere["processed"], everywhere["notifications_sent"]) == (2000, {"webhook": 7, "email": 3})
    assert everywhere["latency"]["count"] == 22
    assert everywhere["by_framework"] == {}


def test_how_long_jobs_wait_and_take_is_the_installations(figures: Figures) -> None:
    measures = Measures()
    timings = JobTimings(Metrics(CollectorRegistry()), measures)
    timings("analytics", 2.0, 0.25)
    timings("prediction", 0.5, 0.125)
    figures.store.add(Batch(1, int(time.time() // 60), measures.take()))
    token = token_of(figures.api.workspace_id, "viewer", "viewer", operator=True)
    whole: dict[str, Any] = {"params": {"scope": "installation"}, "token": token}

    def mean(queue: str, figure: str, **asked: Any) -> float | None:
        items = {item["name"]: item for item in figures.get_from("/queues", **asked)["items"]}
        found: float | None = items[queue][figure]["mean"]
        return found

    assert (mean("analytics", "wait", **whole), mean("analytics", "processing", **whole)) == (2000, 250)
    assert (mean("prediction", "wait", **whole), mean("prediction", "processing", **whole)) == (500, 125)
    assert mean("analytics", "wait") is None, "jobs are no workspace's"
    text = figures.api.get("/api/metrics/prometheus", **whole).text
    assert 'queue_wait_seconds_sum{queue="analytics"} 2.0\n' in text
    assert 'queue_processing_seconds_sum{queue="prediction"} 0.125\n' in text


def test_cache_and_sockets(figures: Figures) -> None:
    figures.tell()
    cache = figures.get("cache")
    assert (cache["hits"], cache["misses"], cache["errors"], cache["hit_rate"]) == (8, 2, 1, 80.0)
    assert cache["recent"] == {"hits": 8, "misses": 2, "errors": 1, "hit_rate": 80.0}
    assert cache["classes"] == {
        "alerts": {"hits": 8, "misses": 1, "errors": 0, "hit_rate": 88.89},
        "rules": {"hits": 0, "misses": 1, "errors": 1, "hit_rate": 0.0},
    }
    mine = figures.api.workspace_id
    figures.store.beat({(mine, "ws_clients"): 3, (mine, "ws_subscriptions"): 4, (uuid.uuid4(), "ws_clients"): 9})
    told = {"connected_clients": 3, "active_subscriptions": 4, "messages_sent": 7, "messages_received": 5, "errors": 1}
    assert figures.get("websocket") == told
    assert figures.of_all("websocket") == told | {"connected_clients": 12}


def test_queues_and_health(figures: Figures) -> None:
    mine = figures.api.workspace_id
    figures.tell()
    states = {"active": 0, "waiting": 0, "delayed": 0, "completed": 0, "failed": 0}
    queue = figures.get("queue")
    assert {name: queue[name] for name in ("alert", "analytics", "prediction", "notification")} == dict.fromkeys(
        ("alert", "analytics", "prediction", "notification"), states
    )
    assert (queue["healthy"], queue["failed_jobs"], queue["delayed_jobs"], queue["success_rate"]) == (True, 0, 0, None)
    figures.counted(mine, completed=199, failed=1, errors=3)
    figures.counted(mine, completed=5, age=30)
    with psycopg.connect(figures.api.store.owner_url) as owner:
        for _ in range(10):
            owner.execute(
                "INSERT INTO quarantine (workspace_id, id, queue, kind, shard, key, payload, attempts, last_error) "
                "VALUES (%s, gen_random_uuid(), 'alert', 'trigger', 0, '', '', 3, 'poison')",
                (mine,),
            )
        owner.execute("UPDATE queue_counters SET failed = 1 WHERE workspace_id = %s AND failed > 1", (mine,))
    queue = figures.get("queue")
    assert queue["alert"] == states | {"completed": 204, "failed": 10}
    assert (queue["healthy"], queue["failed_jobs"]) == (False, 10)
    health = figures.get("health")
    assert {name: part["score"] for name, part in health["components"].items()} == {
        "latency": 75,  # the eleventh of the latencies is a second, and p95 lies there
        "errors": pytest.approx(100 - 10 * 100 * 3 / 202),
        "queues": 75,
        "cache": 95,  # one of ten look-ups failed
        "stores": 100,
    }
    assert health["status"] == "degraded"
    assert health["score"] == pytest.approx((75 + 100 - 3000 / 202) / 2 * 0.75 * 0.95, abs=0.01)


def test_health_tells_of_the_self_audit(figures: Figures) -> None:
    assert figures.get("health")["self_audit"] == {
        "status": "never",
        "about": "no scheduler has made a run yet",
        "last_passed_at": None,
        "last_run_at": None,
        "failed_stage": None,
        "reason": None,
        "stages": dict.fromkeys(STAGES),
    }
    run, minute = uuid.uuid4(), dt.timedelta(minutes=1)
    with psycopg.connect(figures.api.store.url, autocommit=True) as connection:
        self_audits.claim(connection, run, minute)
        self_audits.save(connection, run, Result({Stage.PREPARED: 0.0021, Stage.CONNECTED: 0.013}))
        told = figures.get("health")["self_audit"]
        assert (told["status"], told["failed_stage"], told["last_passed_at"]) == ("passed", None, told["last_run_at"])
        assert dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(told["last_run_at"]) < minute
        assert list(told["stages"]) == STAGES
        assert told["stages"] == dict.fromkeys(STAGES) | {"prepared": 2.1, "connected": 13.0}
        exposed = figures.api.get("/api/metrics/prometheus", role="viewer").text
        assert "\nconvex_self_audit_last_success_timestamp_seconds 1." in exposed
        self_audits.save(connection, run, Result({}, Stage.ACCEPTED, "POST /triggers answered 503"))
    failed = figures.get("health")["self_audit"]
    assert (failed["status"], failed["failed_stage"], failed["reason"]) == ("failed", "accepted", None)
    assert failed["last_passed_at"] == told["last_passed_at"]
    assert figures.of_all("health")["self_audit"]["reason"] == "POST /triggers answered 503", "operators are told why"


def test_without_redis_the_databases_figures_stay(api: Api) -> None:
    api.gateway.measure_store.close()
    told = {name: api.get(f"/api/metrics/{name}", role="viewer") for name in PATHS}
    assert {answer.status_code for answer in told.values()} == {200}
    assert told["alerts"].json() | {"window_seconds": 0} == {
        "processed": 0,
        "errors": 0,
        "latency": None,
        "by_framework": None,
        "notifications_sent": {},
        "window_seconds": 0,
    }
    assert {value for name, value in told["cache"].json().items() if name != "window_seconds"} == {None}
    assert set(told["websocket"].json().values()) == {None}
    health = told["health"].json()
    assert (health["score"], health["status"]) == (75, "degraded")
    assert health["components"]["stores"] == {"score": 75, "reason": "Redis is away"}
    assert "queue_job_count" in told["prometheus"].text
    assert "websocket" not in told["prometheus"].text


def test_without_postgres_the_score_is_told_all_the_same(api: Api) -> None:
    assert api.get("/api/metrics/health", role="viewer").json()["components"]["stores"]["score"] == 75
    away = AsyncDatabase("postgresql://nobody@127.0.0.1:1/none", "tests", limits=Limits(connect=1, checkout=1))
    api.gateway.database, there = away, api.gateway.database
    try:  # who asks is remembered
        health = api.get("/api/metrics/health", role="viewer").json()
        assert (health["score"], health["status"]) == (0, "unhealthy")
        assert health["self_audit"]["status"] == "unknown"
        assert health["components"]["stores"] == {"score": 0, "reason": "PostgreSQL is away"}
        assert api.get("/api/metrics/alerts", role="viewer").status_code == 503
    finally:
        api.gateway.database = there


@pytest.mark.parametrize("name", PATHS)
def test_the_installations_figures_are_for_operators(api: Api, name: str) -> None:
    answer = api.get(f"/api/metrics/{name}", params={"scope": "installation"}, role="owner")
    assert answer.status_code == 403
    assert "operator" in answer.json()["detail"]
    token = token_of(api.workspace_id, "viewer", "viewer", operator=True)
    assert api.get(f"/api/metrics/{name}", params={"scope": "installation"}, token=token).status_code == 200
    assert api.get(f"/api/metrics/{name}", params={"scope": "galaxy"}).status_code == 422
    assert api.anonymous(f"/api/metrics/{name}").status_code == 401


def test_exposition(figures: Figures) -> None:
    figures.counted(figures.api.workspace_id, completed=200, errors=3)
    figures.tell()
    answer = figures.api.get("/api/metrics/prometheus", role="viewer")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    values = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert values["alerts_processed_total",] == 200
    assert values["alert_processing_errors_total",] == 3
    assert values["alert_processing_latency_ms_count",] == 11
    assert values["alert_processing_latency_ms_sum",] == 1600
    assert values["alert_processing_latency_ms_bucket", "75.0"] == 10
    assert values["queue_wait_seconds_bucket", "0.005", "alert"] == 1
    assert values["queue_wait_seconds_sum", "alert"] == 0.003
    assert values["cache_hits_total", "alerts"] == 8
    assert values["cache_hit_rate_percent",] == 80
    assert values["websocket_messages_sent_total",] == 7
    assert values["queue_job_count", "alert", "completed"] == 200
    assert 0 < values["system_health_score",] < 100
    assert figures.framework_id not in answer.text
    promtool = program_or_skip("promtool")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=answer.text, capture_output=True, text=True, timeout=30, check=False
    )
    assert set(done.stderr.splitlines()) <= EXEMPT, done.stderr
