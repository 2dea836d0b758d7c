"""What the processor counts and measures agrees with what it did: in the database, and for each framework."""

from __future__ import annotations

import psycopg
import pytest

from convex_common.domain.fingerprint import fingerprint, shard_of
from convex_common.events import Trigger
from convex_common.measures import ALERT_LATENCY, QUEUE_PROCESSING, QUEUE_WAIT
from convex_common.postgres.database import Database
from convex_common.postgres.history import Done, read_now
from convex_processor.failures import MAX_ATTEMPTS
from convex_scheduler.jobs.cleanup import JobCleanup
from tests.support.postgres import Store
from tests.support.processing import Bench


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench.of(store)


def done(database: Database, bench: Bench) -> Done:
    with database.transaction(bench.store.workspace_id) as connection:
        mine = read_now(connection, bench.store.workspace_id).of("alert")
        assert read_now(connection, None).of("alert") == mine, "there is no other workspace"
    return mine


def poison(bench: Bench) -> None:
    """An event that no attempt can process, and its pauses are over."""
    rule_id = bench.rule()
    key = fingerprint(bench.store.workspace_id, bench.framework_id, rule_id, {"poison": "yes"})
    bench.accept_raw(Trigger.kind, b"{}", key, shard_of(key))


def let_pauses_pass(bench: Bench) -> None:
    with psycopg.connect(bench.store.owner_url) as owner:
        owner.execute("UPDATE inbox SET due_at = '-infinity'")


def test_totals_agree_with_what_happened(bench: Bench, database: Database) -> None:
    rule_id = bench.rule()
    for number in range(7):
        bench.trigger(rule_id, labels={"n": str(number)})
    poison(bench)
    for _ in range(MAX_ATTEMPTS):
        bench.drain()
        let_pauses_pass(bench)
    assert bench.rows("SELECT attempts FROM quarantine") == [{"attempts": MAX_ATTEMPTS}]
    expected = Done(7, 1, MAX_ATTEMPTS, 7, 1, MAX_ATTEMPTS)
    assert done(database, bench) == expected
    assert bench.rows("SELECT count(*) AS n FROM alerts") == [{"n": expected.completed}]


def test_a_worker_that_stops_at_an_event_is_an_error_too(bench: Bench, database: Database) -> None:
    """Three leases run out: the event is under suspicion, and each further lone expiry is an error of its own."""
    bench.trigger(bench.rule())
    claim = "SELECT count(*) FROM claim_events(64, 10, interval '1 minute')"
    for _ in range(3 + MAX_ATTEMPTS):
        with psycopg.connect(bench.store.url) as service:
            service.execute(claim)
        with psycopg.connect(bench.store.owner_url) as owner:
            owner.execute("UPDATE inbox_shards SET lease_until = '-infinity'")
    with psycopg.connect(bench.store.url) as service:
        service.execute(claim)
    assert bench.rows("SELECT attempts FROM quarantine") == [{"attempts": MAX_ATTEMPTS}]
    assert done(database, bench) == Done(0, 1, MAX_ATTEMPTS, 0, 1, MAX_ATTEMPTS)


def test_totals_do_not_fall_when_minutes_are_rolled_up(bench: Bench, database: Database) -> None:
    bench.trigger(bench.rule())
    poison(bench)
    bench.drain()
    before = done(database, bench)
    with psycopg.connect(bench.store.owner_url) as owner:
        owner.execute("UPDATE queue_counters SET minute = minute - interval '3 hours'")

    class Held:
        def hold(self, connection: object) -> None:
            """Nobody takes the run away."""

    assert JobCleanup(database, enabled=True)(Held())["counters"] == 2  # type: ignore[arg-type]  # only `hold` is used
    assert not bench.rows("SELECT FROM queue_counters")
    after = done(database, bench)
    assert (after.completed, after.failed, after.errors) == (before.completed, before.failed, before.errors)
    assert (after.recently_completed, after.recent_errors) == (0, 0)


def test_latencies_by_framework(bench: Bench) -> None:
    for number in range(5):
        bench.trigger(bench.rule(), labels={"n": str(number)})
    bench.observe(50.0)
    bench.drain()
    measured = bench.measures.take().distributions
    of = bench.store.workspace_id
    latency = measured[of, ALERT_LATENCY, str(bench.framework_id)]
    assert latency.count == 6
    assert latency.mean is not None
    assert 0 < latency.mean < 60_000
    wait, processing = measured[of, QUEUE_WAIT, "alert"], measured[of, QUEUE_PROCESSING, "alert"]
    assert wait.count == processing.count >= 1
    assert processing.total_us > 0


def test_what_failed_has_no_latency(bench: Bench) -> None:
    poison(bench)
    bench.drain()
    assert not bench.measures.take()
