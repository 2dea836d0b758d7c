"""Predictions on a real PostgreSQL, as the service's role: made once for a slot, and scored by what happened."""

from __future__ import annotations

import datetime as dt
import json
import random
import uuid
from typing import Any

import psycopg
import pytest

from convex_analytics import jobs, predictions
from convex_analytics.predictions import Predictions
from convex_common.ids import Ids, floor
from convex_common.postgres import job_runs
from convex_common.postgres.bootstrap import ensure_workspace
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import JobRunner
from convex_common.postgres.job_runs import Run, RunStatus
from tests.support.jobs import rows
from tests.support.postgres import Store

IDS = Ids()
MADE = dt.datetime(2026, 3, 10, 3, tzinfo=dt.UTC)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
WEEK = 7 * DAY


class Alerts:
    """Writes alerts by hand, and the log of those that became critical."""

    def __init__(self, store: Store, workspace_id: uuid.UUID) -> None:
        self.store = store
        self.workspace_id = workspace_id
        self.random = random.Random(7)
        self.frameworks: dict[str, uuid.UUID] = {}

    def framework(self, name: str) -> uuid.UUID:
        if name not in self.frameworks:
            self.frameworks[name] = IDS.new()
            self.run(
                "INSERT INTO frameworks (workspace_id, id, name, created_at) VALUES (%s, %s, %s, %s)",
                self.workspace_id, self.frameworks[name], name, MADE - 100 * DAY,
            )  # fmt: skip
        return self.frameworks[name]

    def alert(self, name: str, at: dt.datetime, *, critical: dt.datetime | None = None, rule: str = "cpu") -> None:
        framework, alert_id = self.framework(name), self._id(at)
        self.run(
            "INSERT INTO alerts (workspace_id, id, fingerprint, framework_id, rule_name, alert_type, status, severity, "
            "title, occurrences, triggered_at, last_seen_at, suppression_seconds) "
            "VALUES (%s, %s, %s, %s, %s, 'threshold', 'resolved', %s, '', 1, %s, %s, 300)",
            self.workspace_id, alert_id, alert_id.bytes, framework, rule,
            "warning" if critical is None else "critical", at, critical or at,
        )  # fmt: skip
        if critical is not None:
            for when, severity in ((at, "warning"), (critical, "critical"), (critical + HOUR, "critical")):
                self.run(
                    'INSERT INTO alert_log (id, workspace_id, "offset", alert_id, framework_id, event, at, data) '
                    "VALUES (%s, %s, 0, %s, %s, 'updated', %s, convert_to(%s, 'UTF8'))",
                    self._id(when), self.workspace_id, alert_id, framework, when, json.dumps({"severity": severity}),
                )  # fmt: skip

    def run(self, query: str, *values: Any) -> None:
        with psycopg.connect(self.store.owner_url) as owner:
            owner.execute(query, values)

    def _id(self, at: dt.datetime) -> uuid.UUID:
        return uuid.UUID(int=floor(int(at.timestamp() * 1000)).int | self.random.getrandbits(60))


@pytest.fixture
def alerts(store: Store) -> Alerts:
    return Alerts(store, store.workspace_id)


def foretell(database: Database, slot: dt.datetime, *, job: Predictions | None = None) -> Run:
    """The run of a slot; again, if it was run before."""
    with database.transaction() as connection:
        job_runs.request(connection, IDS.new(), predictions.NAME, slot, "prediction")
        connection.execute("UPDATE job_runs SET status = 'pending', due_at = now() WHERE slot = %s", (slot,))
    found = {predictions.NAME: job or Predictions(database)}
    JobRunner(database, "prediction", jobs.prediction(found), 60.0).drain()
    with database.transaction() as connection:
        run = job_runs.find(connection, predictions.NAME, slot)
    assert run is not None
    return run


def of(store: Store, kind: str, made: dt.datetime = MADE) -> list[dict[str, Any]]:
    """By horizon."""
    return rows(store, "SELECT * FROM predictions WHERE kind = %s AND made_at = %s ORDER BY due_at", kind, made)


def test_all_is_foretold_of_each_framework_that_had_alerts(database: Database, store: Store, alerts: Alerts) -> None:
    for day in range(1, 50):
        alerts.alert("shop", MADE - day * DAY + HOUR + dt.timedelta(minutes=30), rule="disk")
    alerts.alert("shop", MADE, rule="in the future")
    alerts.alert("long ago", MADE - 57 * DAY)
    alerts.framework("quiet")
    run = foretell(database, MADE)
    assert (run.status, run.detail) == (
        RunStatus.COMPLETED, {"workspaces": 1, "scored": 0, "frameworks": 1, "predictions": 12},
    )  # fmt: skip
    found = of(store, "next_alert")
    assert [row["due_at"] - MADE for row in found] == [HOUR, 4 * HOUR, DAY, WEEK]
    assert found[0]["probability"] < 0.3 < 0.8 < found[1]["probability"], "it comes between 04:00 and 05:00"
    assert MADE + HOUR <= found[1]["expected_at"] <= MADE + 3 * HOUR
    (report,) = rows(store, "SELECT * FROM prediction_reports")
    assert (report["framework_id"], report["written_by"]) == (alerts.frameworks["shop"], "statistics")
    assert report["evidence"]["alerts"] == 49
    assert report["evidence"]["noisiest"] == [{"name": "disk", "alerts": 7}], "nothing of the future is known"
    assert "disk" in report["actions"][0]["action"]


def test_done_again_it_is_the_same(database: Database, store: Store, alerts: Alerts) -> None:
    alerts.alert("shop", MADE - DAY)
    foretell(database, MADE)
    before = rows(store, "SELECT *, xmin FROM predictions ORDER BY kind, due_at")
    alerts.alert("shop", MADE - 2 * HOUR)
    assert foretell(database, MADE).detail["predictions"] == 0
    assert rows(store, "SELECT *, xmin FROM predictions ORDER BY kind, due_at") == before


def test_scored_by_what_happened_within_the_time(database: Database, store: Store, alerts: Alerts) -> None:
    alerts.alert("shop", MADE - DAY)
    foretell(database, MADE)
    alerts.alert("shop", MADE + 3 * HOUR)
    alerts.alert("shop", MADE + 5 * HOUR, critical=MADE + 30 * HOUR)
    for minute in range(3):
        alerts.alert("shop", MADE + 26 * HOUR + minute * dt.timedelta(minutes=29))
    alerts.alert("another", MADE + HOUR / 2, critical=MADE + HOUR / 2)

    assert foretell(database, MADE + DAY).detail["scored"] == 9
    within = {kind: of(store, kind) for kind in ("next_alert", "anomaly", "escalation")}
    assert [row["happened_at"] for row in within["next_alert"]] == [None, *[MADE + 3 * HOUR] * 3]
    assert [row["scored_at"] is not None for row in within["next_alert"]] == [True, True, True, False]
    for row in within["next_alert"][:3]:
        came = row["happened_at"] is not None
        assert row["brier"] == pytest.approx((row["probability"] - came) ** 2)
        assert row["was_accurate"] is ((row["probability"] >= 0.5) == came)
    assert all(row["happened_at"] is None for row in within["anomaly"] + within["escalation"])

    scored_before = rows(store, "SELECT *, xmin FROM predictions WHERE scored_at IS NOT NULL ORDER BY kind, due_at")
    foretell(database, MADE + 2 * DAY)
    assert of(store, "anomaly")[3]["happened_at"] == MADE + 26 * HOUR, "three in an hour, noted before it is due"
    assert of(store, "escalation")[3]["happened_at"] == MADE + 30 * HOUR, "when it became so, not when it opened"
    assert of(store, "escalation")[3]["scored_at"] is None
    assert [r for r in rows(store, "SELECT *, xmin FROM predictions WHERE scored_at IS NOT NULL ORDER BY kind, due_at")
            if r["made_at"] == MADE] == scored_before  # fmt: skip

    alerts.run("DELETE FROM alerts")
    alerts.run("DELETE FROM alert_log")
    foretell(database, MADE + WEEK)
    (of_a_week,) = [row for row in of(store, "escalation") if row["due_at"] == MADE + WEEK]
    assert of_a_week["brier"] == pytest.approx((of_a_week["probability"] - 1) ** 2), "though the alerts are gone"
    assert foretell(database, MADE + WEEK).detail["scored"] == 0, "once"


def test_what_was_foretold_of_a_framework_that_is_gone_is_no_score(
    database: Database, store: Store, alerts: Alerts
) -> None:
    alerts.alert("shop", MADE - DAY)
    foretell(database, MADE)
    alerts.run("UPDATE frameworks SET deleted_at = now()")
    assert foretell(database, MADE + DAY).detail["scored"] == 0
    assert rows(store, "SELECT * FROM predictions") == []


def test_a_workspace_that_fails_holds_up_no_other(database: Database, store: Store, alerts: Alerts) -> None:
    other = ensure_workspace(store.owner_url, slug="other", name="Other", owner_user="owner")
    alerts.alert("shop", MADE - DAY, critical=MADE - DAY)
    alerts.run("UPDATE alert_log SET data = 'no json'")
    Alerts(store, other).alert("their", MADE - DAY)
    run = foretell(database, MADE)
    assert (run.status, run.attempts) == (RunStatus.PENDING, 1)
    assert run.last_error == f"WorkspacesFailed: 1 of 2 workspaces failed, the first {store.workspace_id}"
    assert {row["workspace_id"] for row in rows(store, "SELECT workspace_id FROM predictions")} == {other}
