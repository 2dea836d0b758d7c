"""The daily aggregation on a real PostgreSQL, as the service's role: right, repeatable, one workspace at a time."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings

from convex_analytics import aggregation, refresh
from convex_common.postgres.bootstrap import ensure_workspace
from convex_common.postgres.database import Database
from convex_common.postgres.job_runs import RunStatus
from tests.integration.analytics.alert_log import (
    ALERTS,
    MONDAY,
    SECOND,
    TUESDAY,
    Drawn,
    History,
    aggregate,
    lived,
    monday,
    run_slot,
    tuesday,
)
from tests.support.jobs import rows
from tests.support.postgres import Store
from tests.support.processing import Bench


@pytest.fixture
def history(store: Store) -> History:
    return History(store, store.workspace_id)


def statistics(store: Store, day: dt.date) -> list[dict[str, Any]]:
    return rows(store, "SELECT *, xmin FROM alert_statistics WHERE day = %s ORDER BY framework_id", day)


def test_a_day_in_figures(database: Database, store: Store, history: History) -> None:
    shop, bank, quiet = history.framework("shop"), history.framework("bank"), history.framework("quiet")
    first = history.alert(shop, monday("10:00:00"))
    first("updated", monday("10:00:30"), 41)
    first("acknowledged", monday("10:01:00"), 41)
    first("resolved", monday("11:00:00"), 41)
    second = history.alert(shop, monday("12:00:00"), severity="critical", kind="absence")
    second("acknowledged", monday("12:03:00"), 1)
    second("updated", monday("23:59:59.999"), 5)
    second("updated", tuesday("00:00:00"), 15)
    second("resolved", tuesday("12:00:00"), 15)
    history.alert(bank, monday("00:00:00"))
    history.alert(quiet, monday("00:00:00") - SECOND)
    history.alert(quiet, tuesday("00:00:00"))
    history.write()

    run = aggregate(database, store, MONDAY)
    assert run.status is RunStatus.COMPLETED
    assert run.detail == {"day": "2026-03-09", "workspaces": 1, "frameworks": 2, "alerts": 3}
    of_shop, of_bank = statistics(store, MONDAY)
    assert (of_shop["framework_id"], of_bank["framework_id"]) == (shop, bank)
    assert (of_shop["alerts"], of_shop["occurrences"]) == (2, 46)
    assert (of_shop["acknowledged"], of_shop["resolved"]) == (2, 1)
    assert of_shop["by_severity"] == {"info": 0, "warning": 1, "error": 0, "critical": 1}
    assert of_shop["by_type"] == {"threshold": 1, "absence": 1}
    assert of_shop["acknowledge_seconds"] == {"avg": 120, "p50": 120, "p95": 174}
    assert of_shop["resolve_seconds"] == {"avg": 3600, "p50": 3600, "p95": 3600}
    assert (of_bank["alerts"], of_bank["occurrences"], of_bank["acknowledged"]) == (1, 1, 0)
    assert of_bank["resolve_seconds"] == {"avg": None, "p50": None, "p95": None}

    aggregate(database, store, TUESDAY)
    (of_shop, of_quiet) = statistics(store, TUESDAY)
    assert (of_shop["alerts"], of_shop["occurrences"], of_shop["resolved"]) == (0, 10, 1)
    assert of_shop["resolve_seconds"]["avg"] == 86400
    assert of_quiet["alerts"] == 1


def test_a_day_without_alerts_has_no_rows(database: Database, store: Store) -> None:
    run = aggregate(database, store, MONDAY)
    assert run.detail == {"day": "2026-03-09", "workspaces": 1, "frameworks": 0, "alerts": 0}
    assert statistics(store, MONDAY) == []


def test_computed_again_it_is_the_same_row(database: Database, store: Store, history: History) -> None:
    shop = history.framework("shop")
    for minute in range(50):
        log = history.alert(shop, monday(f"10:{minute:02}:00"))
        log("acknowledged", monday(f"11:{minute:02}:07.123"), 1)
        log("resolved", monday(f"12:{minute:02}:09.456"), 3)
    history.write()
    aggregate(database, store, MONDAY)
    before = statistics(store, MONDAY)
    for _ in range(2):
        aggregate(database, store, MONDAY)
    assert statistics(store, MONDAY) == before, "not even written"


def test_late_rows_are_taken_in(database: Database, store: Store, history: History) -> None:
    shop = history.framework("shop")
    history.alert(shop, monday("10:00:00"))
    history.write()
    aggregate(database, store, MONDAY)
    history.alert(shop, monday("11:00:00"))
    history.write()
    aggregate(database, store, MONDAY)
    (row,) = statistics(store, MONDAY)
    assert row["alerts"] == 2


def test_figures_outlive_the_log(database: Database, store: Store, history: History) -> None:
    history.alert(history.framework("shop"), monday("10:00:00"))
    history.write()
    aggregate(database, store, MONDAY)
    before = statistics(store, MONDAY)
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("DELETE FROM alert_log")
    aggregate(database, store, MONDAY)
    assert statistics(store, MONDAY) == before


def test_an_alert_whose_beginning_is_gone_counts_from_the_days_first_row(
    database: Database, store: Store, history: History
) -> None:
    log = history.alert(history.framework("shop"), monday("10:00:00"))
    history.rows.clear()
    log("updated", tuesday("10:00:00"), 1000)
    log("updated", tuesday("11:00:00"), 1007)
    history.write()
    aggregate(database, store, TUESDAY)
    (row,) = statistics(store, TUESDAY)
    assert row["occurrences"] == 7


def test_workspaces_do_not_see_one_another(database: Database, store: Store, history: History) -> None:
    other = ensure_workspace(store.owner_url, slug="other", name="Other", owner_user="owner")
    theirs = History(store, other)
    history.alert(history.framework("shop"), monday("10:00:00"))
    for minute in range(3):
        theirs.alert(theirs.framework(f"their {minute}"), monday(f"10:{minute:02}:00"))
    history.write()
    theirs.write()
    run = aggregate(database, store, MONDAY)
    assert run.detail == {"day": "2026-03-09", "workspaces": 2, "frameworks": 4, "alerts": 4}
    for workspace_id, frameworks in ((store.workspace_id, 1), (other, 3), (None, 0)):
        with database.transaction(workspace_id) as connection:
            counted = connection.execute("SELECT count(*) FROM alert_statistics").fetchone()
        assert counted == (frameworks,)


def test_a_workspace_that_fails_holds_up_no_other(database: Database, store: Store, history: History) -> None:
    other = ensure_workspace(store.owner_url, slug="other", name="Other", owner_user="owner")
    assert other > store.workspace_id
    history.alert(history.framework("shop"), monday("10:00:00"))
    history.rows[0] = (*history.rows[0][:-1], "no json")
    history.write()
    theirs = History(store, other)
    theirs.alert(theirs.framework("their"), monday("10:00:00"))
    theirs.write()
    run = aggregate(database, store, MONDAY)
    assert (run.status, run.attempts) == (RunStatus.PENDING, 1)
    assert run.last_error == f"WorkspacesFailed: 1 of 2 workspaces failed, the first {store.workspace_id}"
    assert [row["workspace_id"] for row in statistics(store, MONDAY)] == [other]


def test_the_running_day_is_refreshed_and_the_one_before_until_it_is_aggregated(
    database: Database, store: Store, history: History
) -> None:
    shop = history.framework("shop")
    history.alert(shop, monday("23:00:00"))
    history.alert(shop, tuesday("00:10:00"))
    history.write()
    run = run_slot(database, refresh.NAME, tuesday("00:30:00"))
    assert run.detail == {"days": ["2026-03-09", "2026-03-10"], "workspaces": 1, "frameworks": 1, "alerts": 2}

    history.alert(shop, monday("23:30:00"))
    history.alert(shop, tuesday("01:10:00"))
    history.write()
    run_slot(database, aggregation.NAME, tuesday("02:00:00"))
    (of_monday,), (of_tuesday,) = statistics(store, MONDAY), statistics(store, TUESDAY)
    assert (of_monday["alerts"], of_tuesday["alerts"]) == (2, 1)

    history.alert(shop, monday("23:45:00"))
    history.write()
    run = run_slot(database, refresh.NAME, tuesday("02:30:00"))
    assert run.detail == {"days": ["2026-03-10"], "workspaces": 1, "frameworks": 1, "alerts": 2}
    assert statistics(store, MONDAY) == [of_monday], "what is settled is left alone"
    aggregate(database, store, TUESDAY)
    assert statistics(store, TUESDAY)[0]["alerts"] == 2


def test_what_was_cached_of_figures_ends_when_they_change_and_not_before(
    database: Database, store: Store, history: History
) -> None:
    def version() -> int | None:
        found = rows(store, "SELECT version FROM cache_versions WHERE class = 'statistics'")
        return found[0]["version"] if found else None

    aggregate(database, store, MONDAY)
    assert version() is None, "nothing to tell"
    shop = history.framework("shop")
    for expected in (1, 2):
        history.alert(shop, monday("10:00:00"))
        history.write()
        for _ in range(2):
            aggregate(database, store, MONDAY)
            assert version() == expected


# As slowly and as plainly as can be: every row of the log is looked at on its own.
TRUTH = """WITH rows AS (
    SELECT framework_id, alert_id, event, at, id, convert_from(data, 'UTF8')::jsonb AS alert,
           (at AT TIME ZONE 'UTC')::date = %(day)s AS of_day
    FROM alert_log WHERE workspace_id = %(workspace)s),
grown AS (
    SELECT r.*, (alert->>'occurrences')::bigint - coalesce(lag((alert->>'occurrences')::bigint)
        OVER (PARTITION BY alert_id ORDER BY at, id), 0) AS more FROM rows r)
SELECT framework_id, count(*) FILTER (WHERE event = 'created'), sum(more)::bigint,
    count(*) FILTER (WHERE event = 'acknowledged'), count(*) FILTER (WHERE event = 'resolved'),
    count(*) FILTER (WHERE event = 'created' AND alert->>'severity' = 'critical'),
    count(*) FILTER (WHERE event = 'created' AND alert->>'alert_type' = 'absence'),
    avg(extract(epoch FROM at - (alert->>'triggered_at')::timestamptz)) FILTER (WHERE event = 'resolved'),
    percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM at - (alert->>'triggered_at')::timestamptz))
        FILTER (WHERE event = 'resolved')
FROM grown WHERE of_day GROUP BY 1 HAVING
    count(*) FILTER (WHERE event IN ('created', 'acknowledged', 'resolved')) > 0 OR sum(more) > 0"""


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(ALERTS)
@example([(0, n, "info", "threshold", [("updated", 10, 1), ("suppressed", 10, 1)], False) for n in range(6)])
def test_any_days_figures_are_those_of_a_slow_and_plain_query(database: Database, store: Store, alerts: Drawn) -> None:
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("TRUNCATE alert_log, alert_statistics")
        owner.execute("DELETE FROM alerts")
    lived(store, alerts)
    for day in (MONDAY, TUESDAY):
        aggregate(database, store, day)
        first = statistics(store, day)
        with psycopg.connect(store.owner_url) as owner:
            truth = owner.execute(TRUTH, {"workspace": store.workspace_id, "day": day}).fetchall()
        assert {
            row["framework_id"]: (
                row["alerts"],
                row["occurrences"],
                row["acknowledged"],
                row["resolved"],
                row["by_severity"].get("critical", 0),
                row["by_type"].get("absence", 0),
                pytest.approx(row["resolve_seconds"]["avg"]),
                pytest.approx(row["resolve_seconds"]["p95"]),
            )
            for row in first
        } == {row[0]: (*row[1:7], *(None if one is None else float(one) for one in row[7:])) for row in truth}
        aggregate(database, store, day)
        assert statistics(store, day) == first, "not even written"


def test_every_trigger_that_was_processed_is_an_occurrence(database: Database, store: Store) -> None:
    bench = Bench.of(store)
    bench.channel()
    today = dt.datetime.now(dt.UTC).date()
    rule = bench.rule(suppression_seconds=300)
    sent = 0

    def trigger(times: int, **fields: Any) -> None:
        nonlocal sent
        for _ in range(times):
            bench.trigger(rule, **fields)
        bench.drain()
        sent += times

    def clear() -> None:
        bench.trigger(rule, resolved=True)
        bench.drain()

    trigger(5)
    trigger(1, severity="critical")
    bench.age(400)
    trigger(3)
    clear()
    trigger(2)
    bench.age(400)
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("UPDATE timers SET due_at = now()")
        owner.execute("SELECT fire_timers(100)")
    bench.drain()
    clear()
    bench.age(400)
    trigger(1)
    for day in {today, dt.datetime.now(dt.UTC).date()}:
        aggregate(database, store, day)
    (totals,) = rows(
        store, "SELECT sum(occurrences)::int AS occurrences, sum(alerts)::int AS alerts FROM alert_statistics"
    )
    (alerts,) = rows(store, "SELECT sum(occurrences)::int AS occurrences, count(*)::int AS alerts FROM alerts")
    assert totals == alerts
    assert totals["occurrences"] == sent
