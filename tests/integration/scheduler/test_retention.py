"""Retention on a real PostgreSQL with rows of long ago: what is over its term goes, and nothing else."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import threading
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql

from convex_common.domain.retention import Terms
from convex_common.domain.self_audit import WORKSPACE
from convex_common.errors import LeaseLost
from convex_common.ids import Ids, floor
from convex_common.postgres import job_runs, partitions, retention
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.bootstrap import ensure_workspace
from convex_common.postgres.database import Database, Limits
from convex_common.postgres.job_runner import JobRunner
from convex_common.postgres.job_runs import Run, RunStatus
from convex_common.timetable import LOCAL_QUEUE
from convex_gateway.live.history import History
from convex_gateway.live.interests import Interests
from convex_gateway.live.pages import Pages
from convex_gateway.live.replays import Missed, Replays
from convex_gateway.live.ring import Ring
from convex_scheduler.jobs.retention import NAME, Retention
from convex_scheduler.self_audit import ground
from tests.support import jobs
from tests.support.jobs import environment, run_job
from tests.support.postgres import Store
from tests.support.valkey import Valkey

IDS = Ids()
TERMS = Terms(observations=30, log=90, alerts=365, statistics=1095)
NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0, microsecond=0)


def days_ago(days: float) -> dt.datetime:
    """Counted from midnight, so that `days_ago(30)` is the first moment that a term of 30 days keeps."""
    return MIDNIGHT - days * DAY


def id_of(at: dt.datetime) -> uuid.UUID:
    return uuid.UUID(int=floor(int(at.timestamp() * 1000)).int | IDS.new().int & ((1 << 61) - 1))


class Past:
    """Writes what happened long ago, as the owner."""

    def __init__(self, store: Store, workspace_id: uuid.UUID | None = None) -> None:
        self.store = store
        self.workspace_id = workspace_id or store.workspace_id
        self.framework = IDS.new()
        self.channel = IDS.new()
        self.insert("frameworks", id=self.framework, name="shop")
        self.insert("channels", id=self.channel, kind="webhook", name="hook")

    def insert(self, table: str, **row: Any) -> None:
        row = {"workspace_id": self.workspace_id, **row}
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        )
        with psycopg.connect(self.store.owner_url) as owner:
            owner.execute(statement, [*row.values()])

    def observation(self, at: dt.datetime) -> None:
        self.insert("observations", series=b"s", framework_id=self.framework, metric="m", value=1.0, at=at)

    def log(self, at: dt.datetime, offset: int = 1) -> None:
        self.insert(
            "alert_log", id=id_of(at), offset=offset, alert_id=IDS.new(), framework_id=self.framework,
            event="updated", data=json.dumps({"id": "x"}).encode(), at=at,
        )  # fmt: skip

    def attempt(self, at: dt.datetime) -> None:
        self.insert(
            "attempts", id=id_of(at), delivery_id=IDS.new(), number=1, outcome="delivered", started_at=at, duration_ms=1
        )

    def alert(
        self, at: dt.datetime, *, status: str = "resolved", ended: dt.datetime | None = None, **more: Any
    ) -> uuid.UUID:
        alert_id = id_of(at)
        over = ended or at
        self.insert(
            "alerts", id=alert_id, fingerprint=uuid.uuid4().bytes, framework_id=self.framework, rule_name="slow",
            alert_type="threshold", status=status, severity="warning", title="slow", occurrences=1, triggered_at=at,
            last_seen_at=over, resolved_at=over if status == "resolved" else None, suppression_seconds=300,
            **more,
        )  # fmt: skip
        return alert_id

    def notification(self, at: dt.datetime, alert_id: uuid.UUID | None = None) -> uuid.UUID:
        notification_id = id_of(at)
        self.insert(
            "notifications", id=notification_id, alert_id=alert_id or IDS.new(), cause="fired", sequence=1, data=b"{}",
            created_at=at,
        )  # fmt: skip
        return notification_id

    def delivery(self, at: dt.datetime, status: str, notification_id: uuid.UUID, **more: Any) -> None:
        self.insert(
            "deliveries", id=id_of(at), notification_id=notification_id, channel_id=self.channel, target="t",
            status=status, created_at=at, finished_at=None if status == "pending" else at, **more,
        )  # fmt: skip

    def notice(self, at: dt.datetime) -> None:
        self.insert(
            "user_notifications", id=id_of(at), user_id="ada", notification_id=IDS.new(), cause="fired", title="slow",
            data=b"{}", created_at=at,
        )  # fmt: skip

    def statistics(self, day: dt.date) -> None:
        self.insert(
            "alert_statistics", framework_id=self.framework, day=day, alerts=1, occurrences=1, acknowledged=0,
            resolved=0, by_severity="{}", by_type="{}", acknowledge_seconds="{}", resolve_seconds="{}",
        )  # fmt: skip

    def learnt(self, at: dt.datetime) -> None:
        self.insert(
            "detector_states", series=b"s", framework_id=self.framework, metric="latency", state=b"", tail=b"",
            learnt_at=at,
        )  # fmt: skip

    def pattern(self, found: dt.datetime) -> None:
        self.insert(
            "patterns", id=IDS.new(), key="noisy", kind="noisy", status="open", framework_id=self.framework,
            rule_name="r", confidence=90, occurrences=9, evidence="{}", recommendation="{}", first_found_at=found,
            last_found_at=found,
        )  # fmt: skip

    def prediction(self, due: dt.datetime) -> None:
        self.insert(
            "predictions", framework_id=self.framework, made_at=due - dt.timedelta(days=7), kind="next_alert",
            horizon_seconds=7 * 86400, due_at=due, probability=0.5, risk="medium", reason="",
        )  # fmt: skip

    def report(self, made: dt.datetime) -> None:
        self.insert(
            "prediction_reports", framework_id=self.framework, made_at=made, evidence="{}", reasoning="[]", actions="[]"
        )

    def model_call(self, at: dt.datetime) -> None:
        self.insert("model_calls", id=IDS.new(), at=at, purpose="", model="", outcome="answered", cost_micros=1)

    def count(self, table: str) -> int:
        query = f"SELECT FROM {table} WHERE workspace_id = %s"
        return len(jobs.rows(self.store, query, self.workspace_id))


@pytest.fixture
def past(store: Store) -> Past:
    return Past(store)


def the_job(database: Database, store: Store, *, terms: Terms = TERMS, batch: int = 1000) -> Retention:
    return Retention(database, store.owner_url, Limits(), terms, batch=batch)


def retain(database: Database, store: Store, *, terms: Terms = TERMS, batch: int = 1000) -> Run:
    slot = dt.datetime.now(dt.UTC)
    with database.transaction() as connection:
        job_runs.request(connection, IDS.new(), NAME, slot, LOCAL_QUEUE)
    job = the_job(database, store, terms=terms, batch=batch)
    assert JobRunner(database, LOCAL_QUEUE, lambda name: job, 60.0).drain() == 1
    with database.transaction() as connection:
        run = job_runs.find(connection, NAME, slot)
    assert run is not None
    assert run.status is RunStatus.COMPLETED, run.last_error
    return run


def gone(run: Run) -> dict[str, int]:
    return {table: rows for table, rows in run.detail["rows"].items() if rows}


def slice_of(store: Store, table: str, at: dt.datetime) -> str:
    """A partition of long ago, as it was made in its time."""
    of_table = next(one for one in partitions.TABLES if one.name == table)
    partition = partitions.wanted(of_table, at)[0]
    bounds = [partition.start, partition.end]
    if of_table.by == "id":
        limits = [str(floor(int(bound.timestamp() * 1000))) for bound in bounds]
    else:
        limits = [bound.isoformat() for bound in bounds]
    with psycopg.connect(store.owner_url) as owner:
        owner.execute(
            sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                sql.Identifier(partition.name), sql.Identifier(table), sql.Literal(limits[0]), sql.Literal(limits[1])
            )
        )
    return partition.name


def exists(store: Store, name: str) -> bool:
    return bool(jobs.rows(store, "SELECT to_regclass(%s) IS NOT NULL AS there", name)[0]["there"])


@pytest.mark.parametrize(("table", "write", "term", "length"), [
    ("observations", Past.observation, 30, 1), ("alert_log", Past.log, 90, 7), ("attempts", Past.attempt, 90, 7),
])  # fmt: skip
def test_partitions_go_whole(
    database: Database, store: Store, past: Past, table: str, write: Callable[..., None], term: int, length: int
) -> None:
    old, straddling = slice_of(store, table, days_ago(term + length)), slice_of(store, table, days_ago(term))
    for at in (days_ago(term + length), days_ago(term), NOW):
        write(past, at)
    run = retain(database, store)
    assert run.detail["dropped"] == [old]
    assert (exists(store, old), exists(store, straddling)) == (False, True)
    assert past.count(table) == 2
    again = retain(database, store)
    assert (again.detail["dropped"], gone(again)) == ([], {})


def test_what_lies_in_default_partitions_goes_by_its_time(database: Database, store: Store, past: Past) -> None:
    second = dt.timedelta(seconds=1)
    for write, term in ((past.observation, 30), (past.log, 90), (past.attempt, 90)):
        for age in range(5):
            write(days_ago(term + age) - second)
        write(days_ago(term))
    run = retain(database, store, batch=2)
    assert gone(run) == {"observations": 5, "alert_log": 5, "attempts": 5}
    assert [past.count(table) for table in ("observations", "alert_log", "attempts")] == [1, 1, 1]


def test_what_is_accepted_and_not_processed_never_goes(database: Database, store: Store, past: Past) -> None:
    empty, waiting = slice_of(store, "inbox", days_ago(60)), slice_of(store, "inbox", days_ago(100))
    for at in (days_ago(100), days_ago(200)):
        past.insert("inbox", id=id_of(at), shard=1, kind="trigger", key=b"k", payload=b"{}")
    run = retain(database, store)
    assert empty in run.detail["dropped"]
    assert exists(store, waiting)
    assert past.count("inbox") == 2, "in its partition, and in the default one"


OLD, YOUNG = days_ago(91), days_ago(89)


@pytest.mark.parametrize(
    ("write", "table", "stays"),
    [
        pytest.param(lambda past: past.notice(OLD), "user_notifications", False, id="an old notice"),
        pytest.param(lambda past: past.notice(YOUNG), "user_notifications", True, id="a young notice"),
        pytest.param(
            lambda past: past.delivery(OLD, "delivered", past.notification(OLD)), "deliveries", False, id="delivered"
        ),
        pytest.param(
            lambda past: past.delivery(OLD, "delivered", past.notification(OLD)), "notifications", False,
            id="and its notification",
        ),
        pytest.param(
            lambda past: past.delivery(OLD, "failed", past.notification(OLD)), "deliveries", False, id="failed for good"
        ),
        pytest.param(
            lambda past: past.delivery(OLD, "pending", past.notification(OLD)), "deliveries", True, id="undelivered"
        ),
        pytest.param(
            lambda past: past.delivery(OLD, "pending", past.notification(OLD)), "notifications", True,
            id="and its notification too",
        ),
        pytest.param(
            lambda past: past.delivery(OLD, "quarantined", past.notification(OLD)), "deliveries", True,
            id="waits for a person",
        ),
        pytest.param(
            lambda past: past.delivery(YOUNG, "delivered", past.notification(YOUNG)), "deliveries", True,
            id="delivered not long ago",
        ),
        pytest.param(lambda past: past.notification(OLD), "notifications", False, id="a notification for nobody"),
        pytest.param(
            lambda past: past.notification(OLD, past.alert(OLD, status="firing")), "notifications", True,
            id="a notification of an open alert",
        ),
        pytest.param(lambda past: past.alert(days_ago(366)), "alerts", False, id="an old alert"),
        pytest.param(lambda past: past.alert(days_ago(364)), "alerts", True, id="a young alert"),
        pytest.param(
            lambda past: past.alert(days_ago(500), ended=days_ago(1)), "alerts", True, id="old, resolved yesterday"
        ),
        pytest.param(lambda past: past.alert(days_ago(500), status="firing"), "alerts", True, id="still firing"),
        pytest.param(
            lambda past: past.alert(days_ago(500), status="acknowledged"), "alerts", True, id="still acknowledged"
        ),
        pytest.param(
            lambda past: past.delivery(
                days_ago(400), "quarantined", past.notification(days_ago(400)), alert_id=past.alert(days_ago(400))
            ),
            "alerts", True, id="an alert of which something is undelivered",
        ),
        pytest.param(
            # Of the moment itself: the module may be minutes old.
            lambda past: past.alert(days_ago(400), last_notified_at=dt.datetime.now(dt.UTC)),
            "alerts",
            True,
            id="its window still runs",
        ),
        pytest.param(lambda past: past.learnt(days_ago(31)), "detector_states", False, id="of a series that is gone"),
        pytest.param(lambda past: past.learnt(days_ago(29)), "detector_states", True, id="of a series that lives"),
        pytest.param(lambda past: past.pattern(days_ago(1097)), "patterns", False, id="a pattern not found for long"),
        pytest.param(lambda past: past.pattern(days_ago(1094)), "patterns", True, id="a pattern that is kept"),
        pytest.param(
            lambda past: past.statistics(days_ago(1096).date()), "alert_statistics", False, id="figures of long ago"
        ),
        pytest.param(
            lambda past: past.statistics(days_ago(1095).date()), "alert_statistics", True, id="figures that are kept"
        ),
        pytest.param(lambda past: past.prediction(days_ago(91)), "predictions", False, id="settled long ago"),
        pytest.param(lambda past: past.prediction(days_ago(89)), "predictions", True, id="settled not so long ago"),
        pytest.param(lambda past: past.report(days_ago(91)), "prediction_reports", False, id="an old report"),
        pytest.param(lambda past: past.report(days_ago(89)), "prediction_reports", True, id="a newer report"),
        pytest.param(lambda past: past.model_call(days_ago(1096)), "model_calls", False, id="costs of long ago"),
        pytest.param(lambda past: past.model_call(days_ago(1094)), "model_calls", True, id="costs that are kept"),
    ],
)  # fmt: skip
def test_plain_tables(
    database: Database, store: Store, past: Past, write: Callable[[Past], object], table: str, stays: bool
) -> None:
    write(past)
    would = the_job(database, store).preview(NOW)["would_delete"]
    assert past.count(table) == 1, "a preview changes nothing"
    run = retain(database, store)
    assert past.count(table) == stays
    assert gone(run).get(table, 0) == (not stays)
    if table != "notifications":
        assert would.get(table, 0) == (not stays)


def test_what_says_itself_when_it_is_over_goes(database: Database, store: Store, past: Past) -> None:
    for expires_at in (NOW - dt.timedelta(hours=1), NOW + DAY):
        past.insert(
            "sessions", id=IDS.new(), digest=uuid.uuid4().bytes, user_id="ada", role="viewer", way="token",
            expires_at=expires_at,
        )  # fmt: skip
    for created_at in (NOW - dt.timedelta(hours=25), NOW - dt.timedelta(hours=23)):
        past.insert("idempotency_keys", scope=uuid.uuid4().bytes, request=b"r", answer=b"a", created_at=created_at)
    assert gone(retain(database, store)) == {"sessions": 1, "idempotency_keys": 1}
    assert (past.count("sessions"), past.count("idempotency_keys")) == (1, 1)


def test_batches_go_on_behind_what_stays(database: Database, store: Store, past: Past) -> None:
    for number in range(12):
        past.alert(days_ago(400 - number), status="firing" if number % 4 else "resolved")
    run = retain(database, store, batch=2)
    assert gone(run) == {"alerts": 3}
    assert past.count("alerts") == 9


def test_a_workspaces_shorter_terms_are_its_own(database: Database, store: Store, past: Past) -> None:
    other = Past(store, ensure_workspace(store.owner_url, slug="other", name="Other", owner_user="owner"))
    with psycopg.connect(store.owner_url) as owner:
        retention.change(owner, past.workspace_id, {"observations": 2, "log": 5, "alerts": 10, "statistics": 400})
    for one in (past, other):
        for age in (1, 3, 4, 9):
            one.observation(days_ago(age))
            one.log(days_ago(age))
            one.attempt(days_ago(age))
            one.notice(days_ago(age))
            one.alert(days_ago(age * 3))
    run = retain(database, store, batch=1)
    assert gone(run) == {"observations": 3, "alert_log": 1, "attempts": 1, "user_notifications": 1, "alerts": 2}
    for table, left in (
        ("observations", 1),
        ("alert_log", 3),
        ("attempts", 3),
        ("user_notifications", 3),
        ("alerts", 2),
    ):
        assert (past.count(table), other.count(table)) == (left, 4), table


def test_what_the_self_audit_leaves_is_gone_after_three_days(database: Database, store: Store, past: Past) -> None:
    ground.prepare(database, IDS, key_seconds=-1.0)
    ground.prepare(database, IDS, key_seconds=60.0)
    ours = Past(store, WORKSPACE)
    for one in (ours, past):
        for age in (2, 4):
            one.alert(days_ago(age))
            one.log(days_ago(age))
            one.attempt(days_ago(age))
            one.notice(days_ago(age))
            one.delivery(days_ago(age), "delivered", one.notification(days_ago(age)))
            one.statistics(days_ago(age).date())
    retain(database, store)
    left = ("alerts", "alert_log", "attempts", "user_notifications", "notifications", "deliveries", "alert_statistics")
    assert {table: (ours.count(table), past.count(table)) for table in left} == dict.fromkeys(left, (1, 2))
    assert ours.count("api_keys") == 1, "a key that has ended goes when the next one is made"


def test_a_row_that_is_in_use_stays_and_nobody_waits(database: Database, store: Store, past: Past) -> None:
    held, free = past.alert(days_ago(400)), past.alert(days_ago(401))
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("SELECT FROM alerts WHERE id = %s FOR UPDATE", (held,))
        assert gone(retain(database, store)) == {"alerts": 1}
        assert [row["id"] for row in jobs.rows(store, "SELECT id FROM alerts")] == [held]
        assert free != held
    assert gone(retain(database, store)) == {"alerts": 1}


def test_a_partition_in_use_stays_until_the_next_run(database: Database, store: Store, past: Past) -> None:
    name = slice_of(store, "observations", days_ago(40))
    with psycopg.connect(store.owner_url) as reader:
        reader.execute("SELECT FROM observations")
        run = retain(database, store)
        assert (run.detail["dropped"], run.detail["busy"]) == ([], [name])
    assert retain(database, store).detail["dropped"] == [name]


def test_writers_go_on_while_partitions_are_dropped(database: Database, store: Store, past: Past) -> None:
    names = [slice_of(store, "alert_log", days_ago(100 + 7 * number)) for number in range(12)]
    stop, written, errors = threading.Event(), [0] * 3, list[Exception]()

    def write(number: int) -> None:
        try:
            with psycopg.connect(store.url) as connection:
                while not stop.is_set():
                    at = dt.datetime.now(dt.UTC)
                    with connection.transaction():
                        connection.execute("SELECT set_config('app.workspace_id', %s, true)", (str(past.workspace_id),))
                        connection.execute(
                            'INSERT INTO alert_log (id, workspace_id, "offset", alert_id, framework_id, event, data, '
                            "at) VALUES (%s, %s, 1, %s, %s, 'updated', '{}', %s)",
                            (IDS.new(), past.workspace_id, IDS.new(), past.framework, at),
                        )
                        connection.execute("SELECT count(*) FROM alert_log").fetchone()
                    written[number] += 1
        except Exception as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    try:
        dropped = set(retain(database, store).detail["dropped"])
    finally:
        stop.set()
        for writer in writers:
            writer.join(30)
    assert errors == []
    assert dropped | set(retain(database, store).detail["dropped"]) >= set(names)
    assert past.count("alert_log") == sum(written) > 0


class Dying:
    """A lease that is lost after so many slices."""

    def __init__(self, slices: int) -> None:
        self.slot = NOW
        self.left = slices

    def hold(self, connection: object, progress: object = None) -> None:
        self.left -= 1
        if self.left < 0:
            raise LeaseLost("somebody else has it")


@pytest.mark.parametrize("slices", range(0, 16, 3))
def test_ended_anywhere_the_next_run_does_the_rest(database: Database, store: Store, past: Past, slices: int) -> None:
    name = slice_of(store, "observations", days_ago(40))
    for age in range(6):
        past.observation(days_ago(50 + age))
        past.notice(days_ago(100 + age))
        past.delivery(days_ago(100 + age), "delivered", past.notification(days_ago(100 + age)))
    job = the_job(database, store, batch=2)
    with pytest.raises(LeaseLost):
        job(Dying(slices))  # type: ignore[arg-type]  # only `slot` and `hold` are used
    retain(database, store)
    assert not exists(store, name)
    for table in ("observations", "user_notifications", "deliveries", "notifications"):
        assert past.count(table) == 0


def test_a_replay_from_before_says_so_and_has_no_gap(database: Database, store: Store, past: Past) -> None:
    for offset in range(1, 11):
        past.log(days_ago(11) if offset <= 5 else NOW, offset)  # its week is over on whatever day this is
    retain(database, store, terms=Terms(log=3))
    assert past.count("alert_log") == 5

    async def replayed(after: int) -> tuple[bool, list[int]]:
        other = AsyncDatabase(store.url, "tests")
        try:
            history = History(other, term_seconds=10 * 86_400)
            replays = Replays(past.workspace_id, history, Ring(), Pages(history))
            missed = Missed(None, after, 10, Interests())
            if await replays.count(missed) is None:
                return False, []
            entries, _ = await replays.part(missed, after)
            return True, [entry.offset for entry in entries]
        finally:
            await other.close()

    assert asyncio.run(replayed(5)) == (True, [6, 7, 8, 9, 10])
    assert asyncio.run(replayed(4)) == (False, [])
    assert asyncio.run(replayed(0)) == (False, [])


def test_by_the_command(store: Store, past: Past, valkey: Valkey, queue_prefix: str) -> None:
    env = environment(store, valkey.url, queue_prefix, RETENTION_OBSERVATIONS_DAYS="7")
    name = slice_of(store, "observations", days_ago(9))
    past.notice(days_ago(91))
    code, line = run_job(env, "retention", "--dry-run")
    assert (code, jobs.detail_of(line)) == (0, {"would_drop": [name], "would_delete": {"user_notifications": 1}})
    assert exists(store, name)
    assert jobs.rows(store, "SELECT FROM job_runs") == []
    code, line = run_job(env, "retention", "--at", NOW.isoformat())
    assert code == 0, line
    assert jobs.detail_of(line)["dropped"] == [name]
    assert run_job(env, "job-cleanup", "--dry-run") == (2, "")
