"""Pattern detection on a real PostgreSQL, as the service's role."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg.types.json import Jsonb

from convex_analytics import jobs, pattern_detection
from convex_analytics.domain.patterns.find import find
from convex_analytics.pattern_detection import PatternDetection
from convex_common.ids import Ids, floor
from convex_common.postgres import job_runs
from convex_common.postgres.bootstrap import ensure_workspace
from convex_common.postgres.configuration import load
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import JobRunner
from convex_common.postgres.job_runs import Run, RunStatus
from tests.support.eventually import eventually
from tests.support.jobs import rows
from tests.support.planted import SINCE, UNTIL, anytime
from tests.support.postgres import Store

IDS = Ids()
SLOT = UNTIL


class Past:
    """Writes rules and their alerts by hand."""

    def __init__(self, store: Store, workspace_id: uuid.UUID) -> None:
        self.store, self.workspace_id = store, workspace_id
        self.random = np.random.default_rng(11)
        self.framework_id = IDS.new()
        self.run(
            "INSERT INTO frameworks (workspace_id, id, name) VALUES (%s, %s, %s)",
            [(workspace_id, self.framework_id, "shop")],
        )

    def run(self, statement: str, of: list[tuple[Any, ...]]) -> None:
        with psycopg.connect(self.store.owner_url) as owner:
            owner.cursor().executemany(statement, of)

    def rule(self, name: str) -> uuid.UUID:
        rule_id = IDS.new()
        self.run(
            "INSERT INTO rules (workspace_id, id, framework_id, name, alert_type, metric, condition, threshold_value, "
            "severity) VALUES (%s, %s, %s, %s, 'threshold', 'm', 'above', 1, 'error')",
            [(self.workspace_id, rule_id, self.framework_id, name)],
        )
        return rule_id

    def alerts(self, rule_id: uuid.UUID, name: str, onsets: Any, minutes: float = 30.0) -> None:
        made = []
        for at in onsets[(onsets >= 0) & (onsets < 55 * 86400)]:
            began = SINCE + dt.timedelta(seconds=float(at))
            alert_id = uuid.UUID(int=floor(int(began.timestamp() * 1000)).int | int(self.random.integers(1 << 60)))
            made.append(
                (self.workspace_id, alert_id, rule_id.bytes, self.framework_id, rule_id, name, began, began,
                 began + dt.timedelta(minutes=minutes))
            )  # fmt: skip
        self.run(
            "INSERT INTO alerts (workspace_id, id, fingerprint, framework_id, rule_id, rule_name, alert_type, status, "
            "severity, title, occurrences, suppression_seconds, triggered_at, last_seen_at, resolved_at, resolution) "
            "VALUES (%s, %s, %s, %s, %s, %s, 'threshold', 'resolved', 'error', 't', 1, 300, %s, %s, %s, 'automatic')",
            made,
        )

    def lead_and_follower(self) -> tuple[uuid.UUID, uuid.UUID]:
        onsets = anytime(self.random, 60)
        lead, follower = self.rule("database"), self.rule("checkout")
        self.alerts(lead, "database", onsets)
        self.alerts(follower, "checkout", onsets + 240)
        return lead, follower


@pytest.fixture
def past(store: Store) -> Past:
    return Past(store, store.workspace_id)


def detect(database: Database, slot: dt.datetime = SLOT, *, lease: float = 60.0) -> Run:
    with database.transaction() as connection:
        job_runs.request(connection, IDS.new(), pattern_detection.NAME, slot, "analytics")
    found = {pattern_detection.NAME: PatternDetection(database, IDS)}
    JobRunner(database, "analytics", jobs.analytics(found), lease).drain()
    with database.transaction() as connection:
        run = job_runs.find(connection, pattern_detection.NAME, slot)
    assert run is not None
    return run


def test_the_lease_is_kept_while_it_computes(
    database: Database, store: Store, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Computing takes as long as it takes: here, until the lease was renewed three times."""
    past.lead_and_follower()

    def slow(history: Any) -> Any:
        seen = set()

        def renewed() -> bool:
            (run,) = rows(store, "SELECT lease_until FROM job_runs")
            seen.add(run["lease_until"])
            return len(seen) > 3

        eventually(renewed, within=60)
        return find(history)

    monkeypatch.setattr(pattern_detection, "find", slow)
    run = detect(database, lease=2.0)
    assert (run.status, run.attempts) == (RunStatus.COMPLETED, 0)
    assert patterns(store)


def patterns(store: Store, kind: str = "triggered_by") -> list[dict[str, Any]]:
    return rows(store, "SELECT * FROM patterns WHERE kind = %s ORDER BY first_found_at", kind)


def test_what_is_found_is_stored_with_what_to_do(database: Database, store: Store, past: Past) -> None:
    lead, follower = past.lead_and_follower()
    run = detect(database)
    assert run.status is RunStatus.COMPLETED
    (pattern,) = patterns(store)
    assert (pattern["lead_rule_id"], pattern["rule_id"], pattern["status"]) == (lead, follower, "open")
    assert pattern["recommendation"]["change"] == {"severity": {"from": "error", "to": "warning"}}
    expected = pattern["recommendation"]["expected"]
    assert expected["before"]["fired"] == expected["after"]["fired"] == pattern["evidence"]["of_this"]
    assert run.detail is not None
    assert run.detail["alerts"] == len(rows(store, "SELECT FROM alerts"))


def test_short_ones_are_held_back_by_a_longer_hold(database: Database, store: Store, past: Past) -> None:
    past.alerts(past.rule("flaky"), "flaky", anytime(past.random, 60), minutes=2.0)
    detect(database)
    (noisy,) = patterns(store, "noisy")
    assert noisy["recommendation"]["change"] == {"for_seconds": {"from": 0, "to": 120}}
    assert noisy["recommendation"]["expected"]["after"]["fired"] == 0


def test_found_again_it_is_the_same_and_what_people_decided_stays(database: Database, store: Store, past: Past) -> None:
    past.lead_and_follower()
    detect(database)
    (first,) = patterns(store)
    again = SLOT + dt.timedelta(hours=6)
    detect(database, again)
    (second,) = patterns(store)
    assert (second["id"], second["first_found_at"], second["last_found_at"]) == (first["id"], SLOT, again)
    past.run("UPDATE patterns SET status = 'dismissed' WHERE id = %s", [(first["id"],)])
    detect(database, SLOT + dt.timedelta(hours=12))
    (third,) = patterns(store)
    assert (third["id"], third["status"]) == (first["id"], "dismissed")


def test_what_is_gone_ends_and_an_older_slot_changes_nothing(database: Database, store: Store, past: Past) -> None:
    past.lead_and_follower()
    detect(database)
    later = SLOT + dt.timedelta(days=50)
    detect(database, later)
    (ended,) = patterns(store)
    assert (ended["status"], ended["ended_at"]) == ("ended", later)
    detect(database, later + dt.timedelta(hours=6))
    detect(database, SLOT - dt.timedelta(hours=6))
    assert patterns(store) == [ended]


def test_a_workspace_that_fails_holds_up_no_other(database: Database, store: Store, past: Past) -> None:
    other = ensure_workspace(store.owner_url, slug="other", name="Other", owner_user="bob")
    broken = Past(store, other)
    past.lead_and_follower()
    broken.alerts(broken.rule("x"), "x", anytime(broken.random, 20))
    broken.run("UPDATE workspaces SET timezone = %s WHERE id = %s", [("Nowhere/None", other)])
    assert detect(database).status is RunStatus.COMPLETED, "an unknown timezone is UTC"
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("ALTER TABLE alerts DROP CONSTRAINT alerts_severity_check")
        owner.execute("UPDATE alerts SET severity = 'odd' WHERE workspace_id = %s", (other,))
    run = detect(database, SLOT + dt.timedelta(hours=6))
    assert run.status is not RunStatus.COMPLETED
    assert run.last_error is not None
    assert str(other) in run.last_error
    assert patterns(store)[0]["last_found_at"] == SLOT + dt.timedelta(hours=6)


class TestBars:
    """False alarms raise the bars of anomaly rules, as the job of patterns finds them."""

    def test_a_bar_is_raised_once_a_day_and_every_move_is_on_record(
        self, database: Database, store: Store, past: Past
    ) -> None:
        rule_id = self._rule(past)
        self._judged(past, rule_id, [(0.68, False)] * 6 + [(0.9, True)] * 4)
        assert self._moved(database, SLOT) == 1
        (rule,) = self._bars(store)
        first = rule["raised"]
        assert (first["by"], first["false_alarms"], first["judged"]) == (0.05, 6, 10)
        version = self._version(store)
        for later in (dt.timedelta(hours=6), dt.timedelta(hours=18)):
            assert self._moved(database, SLOT + later) == 0
        assert (self._bars(store)[0]["raised"], self._version(store)) == (first, version), "nothing is written"
        assert self._moved(database, SLOT + dt.timedelta(days=1)) == 1
        assert self._bars(store)[0]["raised"]["by"] == 0.1
        assert self._version(store) == version + 1, "processors read it anew"
        acts = rows(
            store, "SELECT actor, subject, detail FROM audit_log WHERE action = 'rule.bar_moved' ORDER BY sequence"
        )
        assert [(act["actor"], act["subject"]) for act in acts] == [("analytics", f"rule:{rule_id}")] * 2
        assert [act["detail"]["from"] and act["detail"]["from"]["by"] for act in acts] == [None, 0.05]
        with database.transaction(store.workspace_id) as connection:
            decided = load(connection).rules[rule_id]
        assert decided.bar.words == "threshold 0.60 instead of 0.50 after 6 false alarms of 10"

    def test_rules_that_it_must_not_touch_stay(self, database: Database, store: Store, past: Past) -> None:
        for fields in ({"severity": "critical"}, {"heeds_verdicts": False}, {"alert_type": "threshold"}):
            self._judged(past, self._rule(past, **fields), [(0.68, False)] * 9)
        self._judged(past, self._rule(past), [(0.68, False)] * 3 + [(None, False)] * 9)
        assert self._moved(database, SLOT) == 0
        assert [rule["raised"] for rule in self._bars(store)] == [None] * 4
        assert rows(store, "SELECT FROM audit_log") == []

    def _moved(self, database: Database, slot: dt.datetime) -> int:
        detail = detect(database, slot).detail
        assert detail is not None
        return int(detail["bars_moved"])

    def _rule(self, past: Past, **fields: Any) -> uuid.UUID:
        told = {"alert_type": "anomaly", "severity": "warning", "heeds_verdicts": None} | fields
        rule_id = IDS.new()
        past.run(
            "INSERT INTO rules (workspace_id, id, framework_id, name, alert_type, metric, condition, severity, "
            "heeds_verdicts, sensitivity) VALUES (%s, %s, %s, 'odd', %s, 'm', 'changes_by', %s, %s, 0.5)",
            [(past.workspace_id, rule_id, past.framework_id, told["alert_type"], told["severity"],
              told["heeds_verdicts"])],
        )  # fmt: skip
        return rule_id

    def _judged(self, past: Past, rule_id: uuid.UUID, said: Sequence[tuple[float | None, bool]]) -> None:
        alert_type = rows(past.store, "SELECT alert_type FROM rules WHERE id = %s", rule_id)[0]["alert_type"]
        made = []
        for n, (score, useful) in enumerate(said):
            began = SLOT - dt.timedelta(days=2, minutes=n)
            made.append(
                (past.workspace_id, uuid.UUID(int=floor(int(began.timestamp() * 1000)).int | IDS.new().int >> 68),
                 rule_id.bytes + bytes([n]), past.framework_id, rule_id, alert_type, Jsonb({"score": score}), began,
                 began, int(useful), int(not useful))
            )  # fmt: skip
        past.run(
            "INSERT INTO alerts (workspace_id, id, fingerprint, framework_id, rule_id, rule_name, alert_type, status, "
            "severity, title, occurrences, suppression_seconds, context, triggered_at, last_seen_at, resolved_at, "
            "resolution, verdicts_useful, verdicts_false_alarm) VALUES (%s, %s, %s, %s, %s, 'odd', %s, 'resolved', "
            "'warning', 't', 1, 300, %s, %s, %s, now(), 'automatic', %s, %s)",
            made,
        )

    def _bars(self, store: Store) -> list[dict[str, Any]]:
        return rows(store, "SELECT raised FROM rules ORDER BY id")

    def _version(self, store: Store) -> int:
        return int(
            rows(store, "SELECT config_version FROM workspaces WHERE id = %s", store.workspace_id)[0]["config_version"]
        )
