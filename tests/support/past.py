"""Eight weeks of alerts of a shop, made up; its statistics, patterns and predictions by the product's own jobs."""

from __future__ import annotations

import datetime as dt
import json
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from convex_analytics import day_log, quarter_log
from convex_analytics.domain.patterns.history import DAY, DAYS, SPAN, Episode, Subject
from convex_analytics.domain.quarters import Facts, quarters
from convex_analytics.pattern_detection import PatternDetection
from convex_analytics.predictions import Predictions
from convex_common.domain.alert import Reason
from convex_common.domain.severity import Severity
from convex_common.ids import Ids, floor_at
from convex_common.postgres.database import Connection, Database
from convex_common.postgres.job_runner import Lease
from tests.support.installation import Workspace
from tests.support.planted import UNTIL, anytime, episodes

SEED = 7
ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Past:
    """Ids of its frameworks and rules, by name."""

    frameworks: Mapping[str, str]
    rules: Mapping[str, str]


def give_past(workspace: Workspace, now: dt.datetime, *, counted_days: int = DAYS, foretold_days: int = 10) -> Past:
    """Frameworks, rules, the alerts of eight weeks that ended a day before `now`, and what analytics makes of them.

    `counted_days` of statistics; predictions of each of `foretold_days` before, and of `now`.
    """
    frameworks = {name: workspace.framework(name) for name in ("Checkout", "Order pipeline", "Warehouse")}
    rules: dict[str, str] = {}

    def rule(framework: str, name: str, severity: Severity) -> Subject:
        rules[name] = workspace.rule(frameworks[framework], name=name, severity=severity)
        return Subject(uuid.UUID(frameworks[framework]), uuid.UUID(rules[name]), name)

    draw = np.random.default_rng(SEED)
    found: list[Episode] = []
    noisy = rule("Checkout", "Response time jitters", Severity.WARNING)
    found += episodes(noisy, anytime(draw, 150), draw, minutes=3, by_itself=True, acknowledged=0.02)
    slow = rule("Checkout", "Payments are slow", Severity.CRITICAL)
    of_slow = anytime(draw, 60)
    found += episodes(slow, of_slow, draw, minutes=25, severities=[Severity.CRITICAL] * len(of_slow))
    carts = rule("Checkout", "Carts are given up", Severity.ERROR)
    follows = (of_slow + np.abs(draw.normal(240, 60, len(of_slow))))[draw.random(len(of_slow)) < 0.8]
    found += episodes(carts, follows, draw, severities=[Severity.ERROR] * len(follows))
    nightly = rule("Order pipeline", "Import of prices fails", Severity.WARNING)
    nights = np.flatnonzero(draw.random(DAYS) < 0.85) * DAY
    found += episodes(nightly, nights + 20.25 * 3600 + draw.normal(0, 500, len(nights)), draw, minutes=50)
    disk = rule("Warehouse", "Disk is filling", Severity.ERROR)
    found += episodes(disk, SPAN * draw.beta(2.6, 1, 90), draw, minutes=90)

    with psycopg.connect(workspace.stack.owner_url) as owner:
        _write(owner, _workspace_id(workspace), found, (now - UNTIL).days * ONE_DAY)
    with _database(workspace) as database:
        _count(database, _workspace_id(workspace), [now.date() - ago * ONE_DAY for ago in range(counted_days)])
        PatternDetection(database, Ids())(Run(now))
        for ago in range(foretold_days, -1, -1):
            Predictions(database)(Run(now - ago * ONE_DAY))
    return Past(frameworks, rules)


class Run(Lease):
    """A job's run that nobody else knows of, and that nobody can take over."""

    def __init__(self, slot: dt.datetime) -> None:
        self._slot = slot

    @property
    def slot(self) -> dt.datetime:
        return self._slot

    @contextmanager
    def kept(self, database: Database) -> Iterator[None]:
        yield

    def hold(self, connection: Connection, progress: Mapping[str, Any] | None = None) -> None:
        """It is held."""


@contextmanager
def _database(workspace: Workspace) -> Iterator[Database]:
    database = Database(workspace.stack.database_url, "tests", size=1)
    database.open()
    try:
        yield database
    finally:
        database.close()


def _workspace_id(workspace: Workspace) -> uuid.UUID:
    return uuid.UUID(workspace.get("/api/v1/me")["workspace_id"])


def _count(database: Database, workspace_id: uuid.UUID, days: Sequence[dt.date]) -> None:
    for day in days:
        with database.transaction(workspace_id) as connection:
            found = day_log.load(connection, workspace_id, day)
            facts = Facts(found.opened, found.responses, found.decisions, [])
            quarter_log.save(connection, workspace_id, quarters(facts))


def _write(owner: Connection, workspace_id: uuid.UUID, found: Sequence[Episode], by: dt.timedelta) -> None:
    """The alerts, and of their log the beginning, what was kept quiet, and the ends; all of it `by` later."""
    draw = random.Random(SEED)

    def id_of(at: dt.datetime) -> uuid.UUID:
        return uuid.UUID(int=floor_at(at).int | draw.getrandbits(60))

    with owner.cursor() as cursor:
        first = UNTIL + by - (DAYS + 1) * ONE_DAY
        cursor.execute("UPDATE frameworks SET created_at = %s WHERE workspace_id = %s", (first, workspace_id))
        log: list[tuple[Any, ...]] = []
        with cursor.copy(ALERTS) as rows:
            for one in found:
                began, ended = one.triggered_at + by, (one.resolved_at or UNTIL) + by
                answered = began + draw.betavariate(2, 5) * (ended - began) if one.acknowledged else None
                alert, framework = id_of(began), one.subject.framework_id
                rows.write_row(
                    (workspace_id, alert, alert.bytes, framework, one.subject.rule_id, one.subject.name, "threshold",
                     "resolved", one.severity, one.subject.name, 2, began, ended, answered and "ann", answered, ended,
                     "automatic" if one.by_itself else "manual", 300)
                )  # fmt: skip
                told = {"severity": one.severity, "alert_type": "threshold", "rule_id": str(one.subject.rule_id),
                        "triggered_at": began.isoformat()}  # fmt: skip
                for event, at, reason in (
                    ("created", began, None),
                    ("suppressed", began + dt.timedelta(seconds=30), Reason.DUPLICATE),
                    ("acknowledged", answered, None),
                    ("resolved", ended, None),
                ):
                    if at is not None:
                        detail = json.dumps({"notified": event == "created"}).encode()
                        log.append((id_of(at), workspace_id, 0, alert, framework, event, reason, detail,
                                    json.dumps(told).encode(), at))  # fmt: skip
        with cursor.copy(LOG) as rows:
            for row in log:
                rows.write_row(row)


ALERTS = """COPY alerts (workspace_id, id, fingerprint, framework_id, rule_id, rule_name, alert_type, status, severity,
    title, occurrences, triggered_at, last_seen_at, acknowledged_by, acknowledged_at, resolved_at, resolution,
    suppression_seconds) FROM STDIN"""
LOG = """COPY alert_log (id, workspace_id, "offset", alert_id, framework_id, event, reason, detail, data, at)
    FROM STDIN"""
