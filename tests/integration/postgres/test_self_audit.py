"""The self-audit's record, and that its workspace is in no total of the installation."""

from __future__ import annotations

import datetime as dt
import uuid

import psycopg

from convex_common.domain.self_audit import WORKSPACE, Result, SelfAuditStatus, Stage, report
from convex_common.postgres import self_audits
from convex_common.postgres.history import read_now
from tests.support.postgres import Store

EVERY = dt.timedelta(minutes=1)


def test_one_run_a_minute_whoever_asks(store: Store) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    with psycopg.connect(store.url, autocommit=True) as connection:
        assert self_audits.read_now(connection) is None
        assert self_audits.claim(connection, first, EVERY) is None
        wait = self_audits.claim(connection, second, EVERY)
        assert wait is not None
        assert dt.timedelta() < wait <= EVERY
        assert self_audits.claim(connection, second, dt.timedelta()) is None, "its time has come"


def test_the_last_word_is_the_later_runs(store: Store) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    with psycopg.connect(store.url, autocommit=True) as connection:
        self_audits.claim(connection, first, EVERY)
        self_audits.save(connection, first, Result({Stage.PREPARED: 0.25}))
        standing = self_audits.read_now(connection)
        assert standing is not None
        assert (standing.passed, standing.stage, standing.seconds) == (True, None, {"prepared": 0.25})
        passed_at = standing.last_passed_at
        self_audits.claim(connection, second, dt.timedelta())
        self_audits.save(connection, second, Result({}, Stage.STORED, "no alert came"))
        self_audits.save(connection, first, Result({}))
        standing = self_audits.read_now(connection)
        assert standing is not None
        assert (standing.passed, standing.stage, standing.reason) == (False, "stored", "no alert came")
        assert standing.last_passed_at == passed_at is not None


def test_off_is_told_only_where_nobody_makes_runs(store: Store) -> None:
    with psycopg.connect(store.url, autocommit=True) as connection:
        self_audits.switch_off(connection, uuid.uuid4())
        assert report(self_audits.read_now(connection)).status is SelfAuditStatus.OFF, "from the start"
        run = uuid.uuid4()
        assert self_audits.claim(connection, run, dt.timedelta(), within=EVERY) is None
        self_audits.save(connection, run, Result({Stage.PREPARED: 0.25}))
        self_audits.switch_off(connection, uuid.uuid4())
        assert report(self_audits.read_now(connection)).status is SelfAuditStatus.PASSED, "another scheduler makes runs"
        with psycopg.connect(store.owner_url) as owner:
            owner.execute("UPDATE self_audit SET began_at = began_at - interval '61 seconds'")
        assert report(self_audits.read_now(connection)).status is SelfAuditStatus.STALE
        self_audits.switch_off(connection, uuid.uuid4())
        told = report(self_audits.read_now(connection))
        assert (told.status, told.stages[Stage.PREPARED]) == (SelfAuditStatus.OFF, 250)
        assert told.last_passed_at is not None, "what was proved once stays told"


def test_a_run_of_a_scheduler_from_before_this_column_is_not_off(store: Store) -> None:
    with psycopg.connect(store.url, autocommit=True) as connection:
        connection.execute("INSERT INTO self_audit (run, began_at) VALUES (gen_random_uuid(), clock_timestamp())")
        assert report(self_audits.read_now(connection)).status is SelfAuditStatus.NEVER


def test_its_workspace_is_in_no_total(store: Store) -> None:
    with psycopg.connect(store.owner_url, autocommit=True) as owner:
        assert owner.execute("SELECT self_audit_workspace()").fetchone() == (WORKSPACE,)
        for workspace_id in (store.workspace_id, WORKSPACE):
            with owner.transaction():
                owner.execute("SELECT set_config('app.workspace_id', %s, true)", (str(workspace_id),))
                owner.execute(
                    "INSERT INTO workspaces (id, slug, name) VALUES (%s, 'self-audit', '') ON CONFLICT DO NOTHING",
                    (workspace_id,),
                )
                owner.execute(
                    "INSERT INTO queue_counters (workspace_id, queue, minute, slot, completed) "
                    "VALUES (%s, 'alert', date_trunc('minute', clock_timestamp()), 1, 3)",
                    (workspace_id,),
                )
                owner.execute("INSERT INTO queue_totals VALUES (%s, 'alert', 5, 0, 0)", (workspace_id,))
                owner.execute(
                    "INSERT INTO attempt_totals (workspace_id, channel, outcome, slot, attempts) "
                    "VALUES (%s, 'in_app', 'delivered', 1, 4)",
                    (workspace_id,),
                )
    with psycopg.connect(store.url, autocommit=True) as connection:
        for asked in (None, store.workspace_id, WORKSPACE):
            history = read_now(connection, asked)
            assert history.of("alert").completed == 8, asked
            assert history.states("alert")["completed"] == 3, asked
            assert history.attempts == {("in_app", "delivered"): 4}, asked
