"""Alert logs that are written by hand or drawn, and the runs that go through them."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
from hypothesis import strategies as st

from convex_analytics import aggregation, jobs, refresh
from convex_analytics.statistics import Statistics
from convex_common.ids import Ids, floor_at
from convex_common.postgres import job_runs
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import Job, JobRunner
from convex_common.postgres.job_runs import Run
from tests.support.postgres import Store

IDS = Ids()
MONDAY, TUESDAY = dt.date(2026, 3, 9), dt.date(2026, 3, 10)
SECOND = dt.timedelta(seconds=1)


def monday(clock: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{MONDAY}T{clock}+00:00")


def tuesday(clock: str) -> dt.datetime:
    return monday(clock) + dt.timedelta(days=1)


class History:
    """Writes an alert log by hand."""

    def __init__(self, store: Store, workspace_id: uuid.UUID) -> None:
        self.store = store
        self.workspace_id = workspace_id
        self.rows: list[tuple[Any, ...]] = []
        self.alerts: dict[uuid.UUID, dict[str, Any]] = {}
        self.random = random.Random(7)
        self.made = itertools.count()
        self.numbered = itertools.count()

    def framework(self, name: str) -> uuid.UUID:
        framework_id = IDS.new()
        with psycopg.connect(self.store.owner_url) as owner:
            owner.execute(
                "INSERT INTO frameworks (workspace_id, id, name) VALUES (%s, %s, %s)",
                (self.workspace_id, framework_id, name),
            )
        return framework_id

    def alert(
        self,
        framework_id: uuid.UUID,
        opened: dt.datetime,
        *,
        severity: str = "warning",
        kind: str = "threshold",
        kept: bool = False,
    ) -> Callable[[str, dt.datetime, int], None]:
        """Opens an alert; what it gives back logs what happens to it, with its occurrences afterwards. Of one that is
        `kept` there is more than its log: retention has not taken the alert."""
        alert_id = IDS.new()
        if kept:
            self.alerts[alert_id] = {
                "framework": framework_id, "severity": severity, "kind": kind, "opened": opened,
                "occurrences": 0, "seen": opened, "status": "firing",
            }  # fmt: skip

        def log(event: str, at: dt.datetime, occurrences: int) -> None:
            known = self.alerts.get(alert_id)
            if known is not None:
                if occurrences > known["occurrences"]:
                    known.update(occurrences=occurrences, seen=at)
                if event in ("created", "acknowledged", "resolved", "reopened"):
                    known["status"] = event if event in ("acknowledged", "resolved") else "firing"
            # In the order in which they are logged, as the product's own ids are, also within a millisecond.
            made = floor_at(at).int | next(self.made) << 40 | self.random.getrandbits(40)
            alert = {
                "severity": severity,
                "alert_type": kind,
                "occurrences": occurrences,
                "triggered_at": opened.isoformat().replace("+00:00", "Z"),
            }
            self.rows.append(
                (
                    uuid.UUID(int=made),
                    self.workspace_id,
                    alert_id,
                    framework_id,
                    event,
                    at,
                    json.dumps(alert),
                )
            )

        log("created", opened, 1)
        return log

    def write(self) -> None:
        """Numbered in the order of time, as the product does."""
        self.rows.sort(key=lambda row: row[0])
        with psycopg.connect(self.store.owner_url) as owner:
            owner.cursor().executemany(
                'INSERT INTO alert_log (id, workspace_id, alert_id, framework_id, event, at, data, "offset") '
                "VALUES (%s, %s, %s, %s, %s, %s, convert_to(%s, 'UTF8'), %s)",
                [(*row, next(self.numbered)) for row in self.rows],
            )
            owner.cursor().executemany(
                "INSERT INTO alerts (workspace_id, id, fingerprint, framework_id, rule_name, alert_type, status, "
                "severity, title, occurrences, triggered_at, last_seen_at, suppression_seconds) VALUES (%(workspace)s, "
                "%(id)s, %(fingerprint)s, %(framework)s, 'r', %(kind)s, %(status)s, %(severity)s, 't', "
                "%(occurrences)s, %(opened)s, %(seen)s, 300)",
                [
                    {"workspace": self.workspace_id, "id": alert_id, "fingerprint": alert_id.bytes, **known}
                    for alert_id, known in self.alerts.items()
                ],
            )
        self.rows, self.alerts = [], {}


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["updated", "acknowledged", "unacknowledged", "resolved", "reopened", "suppressed"]),
        st.integers(1, 40 * 3600),
        st.integers(0, 50),
    ),
    max_size=8,
)
ALERTS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(-30 * 3600, 26 * 3600),
        st.sampled_from(["info", "warning", "error", "critical"]),
        st.sampled_from(["threshold", "absence"]),
        EVENTS,
        st.booleans(),
    ),
    max_size=12,
)

Drawn = list[tuple[int, int, str, str, list[tuple[str, int, int]], bool]]


def lived(store: Store, alerts: Drawn) -> None:
    """Writes the log of the alerts that were drawn, of three frameworks of the workspace, and those that are kept."""
    history = History(store, store.workspace_id)
    frameworks = [history.framework(uuid.uuid4().hex) for _ in range(3)]
    for framework, start, severity, kind, events, kept in alerts:
        at, occurrences = monday("00:00:00") + start * SECOND, 1
        log = history.alert(frameworks[framework], at, severity=severity, kind=kind, kept=kept)
        for event, after, more in sorted(events, key=lambda one: one[1]):
            occurrences += more
            log(event, at + after * SECOND, occurrences)
    history.write()


def run_slot(database: Database, name: str, slot: dt.datetime) -> Run:
    statistics = Statistics(database)
    found: dict[str, Job] = {
        aggregation.NAME: aggregation.DailyAggregation(statistics),
        refresh.NAME: refresh.StatisticsRefresh(database, statistics),
    }
    with database.transaction() as connection:
        job_runs.request(connection, IDS.new(), name, slot, "analytics")
    JobRunner(database, "analytics", jobs.analytics(found), 60.0).drain()
    with database.transaction() as connection:
        run = job_runs.find(connection, name, slot)
    assert run is not None
    return run


def aggregate(database: Database, store: Store, day: dt.date) -> Run:
    """Run the slot that comes after a day; again, if it was run before."""
    slot = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(2), dt.UTC)
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("DELETE FROM job_runs")
    return run_slot(database, aggregation.NAME, slot)
