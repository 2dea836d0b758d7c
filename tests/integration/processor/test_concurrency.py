"""Many at once: one alert, one notification, every trigger accounted for, and a feed without gaps."""

from __future__ import annotations

import datetime as dt
import random
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import psycopg
import pytest

from convex_common.domain.severity import Severity
from convex_common.errors import Conflict
from convex_common.ids import Ids
from convex_common.postgres.alert_actions import AlertActions, acknowledging, resolving
from convex_common.postgres.database import Database
from convex_processor.drainer import ClaimLimits
from tests.support.postgres import Store
from tests.support.processing import Bench


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench.of(store)


def together(acts: list[Callable[[], None]]) -> None:
    """All at the same time; the first error, if any."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], None]) -> None:
        try:
            barrier.wait(30)
            act()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert not any(thread.is_alive() for thread in threads), "somebody hangs"
    if errors:
        raise errors[0]


def draining(bench: Bench, done: threading.Event, limits: ClaimLimits | None = None) -> Callable[[], None]:
    """A processor's drainer that looks again and again until it is told that nothing more comes."""

    def drain() -> None:
        drainer = bench.drainer(limits)
        while True:
            last = done.is_set()
            if not drainer.step() and last:
                break
            done.wait(0.002)
        drainer.close()

    return drain


def test_64_threads_trigger_one_rule_through_two_processors(bench: Bench) -> None:
    channel_id = bench.channel()
    rule_id = bench.rule()
    accepted: list[uuid.UUID] = []
    done, mutex, left = threading.Event(), threading.Lock(), list(range(64))

    def trigger() -> None:
        event_id = bench.trigger(rule_id)
        with mutex:
            accepted.append(event_id)
            left.pop()
            if not left:
                done.set()

    together([trigger] * 64 + [draining(bench, done)] * 2)
    alert = bench.alert()
    assert (alert["occurrences"], alert["status"]) == (64, "firing")
    (notification,) = bench.rows("SELECT * FROM notifications")
    assert notification["cause"] == "fired"
    assert [row["channel_id"] for row in bench.rows("SELECT channel_id FROM deliveries")] == [channel_id]
    created, *folds = bench.rows('SELECT * FROM alert_log ORDER BY "offset"')
    assert (created["event"], created["count"], len(created["event_ids"])) == ("created", 1, 1)
    assert {(row["event"], row["reason"]) for row in folds} == {("updated", "duplicate")}
    assert sum(row["count"] for row in folds) == 63
    counted = [event_id for row in (created, *folds) for event_id in row["event_ids"]]
    assert sorted(counted) == sorted(accepted)
    assert bench.rows("SELECT count(*) AS n FROM inbox") == [{"n": 0}]


def test_offsets_have_no_gaps_and_grow_with_every_commit(bench: Bench) -> None:
    """Four processors, many fingerprints; and somebody who reads all the while never sees a later offset first."""
    rule_id = bench.rule()
    chance = random.Random(1)
    rows = [bench.a_trigger(rule_id, n=str(chance.randrange(300))) for _ in range(3000)]
    done, reading = threading.Event(), threading.Event()
    seen: list[int] = []

    def accept() -> None:
        for start in range(0, len(rows), 200):
            bench.accept_many(rows[start : start + 200])
        done.set()

    def read() -> None:
        with psycopg.connect(bench.store.owner_url, autocommit=True) as reader:
            while not reading.is_set():
                found = reader.execute(
                    'SELECT "offset" FROM alert_log WHERE "offset" > %s ORDER BY "offset"', (seen[-1] if seen else 0,)
                ).fetchall()
                seen.extend(row[0] for row in found)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        together([accept] + [draining(bench, done, ClaimLimits(max_rows=60))] * 4)
    finally:
        reading.set()
        reader.join(10)
    log = bench.rows('SELECT "offset", at FROM alert_log ORDER BY "offset"')
    assert [row["offset"] for row in log] == list(range(1, len(log) + 1))
    assert seen == [row["offset"] for row in log][: len(seen)], "a later offset was visible before an earlier one"
    assert bench.rows("SELECT next_offset AS n FROM workspace_feed") == [{"n": len(log) + 1}]
    published = sorted(live.offset for live in bench.outbox.live)
    assert published == [row["offset"] for row in log]
    totals = bench.rows("SELECT sum(occurrences)::int AS n, count(*) AS alerts FROM alerts")
    assert totals == [{"n": 3000, "alerts": len({row[1] for row in rows})}]


def test_log_rows_of_an_alert_are_in_the_order_of_its_events(bench: Bench) -> None:
    rule_id = bench.rule()
    rows = [bench.a_trigger(rule_id, n=str(n % 10)) for n in range(600)]
    done = threading.Event()

    def accept() -> None:
        for start in range(0, len(rows), 50):
            bench.accept_many(rows[start : start + 50])
        done.set()

    together([accept] + [draining(bench, done, ClaimLimits(max_rows=40))] * 3)
    for alert in bench.rows("SELECT id FROM alerts"):
        log = bench.rows('SELECT event_ids, at FROM alert_log WHERE alert_id = %s ORDER BY "offset"', alert["id"])
        ids = [event_id for row in log for event_id in row["event_ids"]]
        assert ids == sorted(ids)
        assert len(ids) == 60
        assert all(a["at"] <= b["at"] for a, b in pairwise(log))


def test_a_series_and_triggers_of_one_fingerprint_meet_in_one_alert(bench: Bench) -> None:
    """They come by different shards, so two processors work on one fingerprint at the same time."""
    rule_id = bench.rule()
    done = threading.Event()

    def observe() -> None:
        for n in range(40):
            bench.observe(150.0 + n, host="a")

    def trigger() -> None:
        for _ in range(8):
            bench.accept_many([bench.a_trigger(rule_id, host="a")] * 5)

    def accept() -> None:
        together([observe, trigger])
        done.set()

    together([accept] + [draining(bench, done, ClaimLimits(max_rows=4))] * 2)
    alert = bench.alert()
    assert alert["occurrences"] == 80
    assert bench.rows("SELECT sum(count)::int AS n FROM alert_log") == [{"n": 80}]
    assert len(bench.rows("SELECT * FROM notifications")) == 1
    assert bench.rows("SELECT count(*) AS n FROM quarantine") == [{"n": 0}]


def test_people_and_processors_at_one_alert(bench: Bench, database: Database) -> None:
    """Acknowledge and resolve among triggers: nothing is counted twice, nothing lost, versions only grow."""
    rule_id = bench.rule()
    done = threading.Event()
    actions = AlertActions(database, Ids(), bench.outbox, bench.outbox)
    acted: list[str] = []

    def trigger() -> None:
        for _ in range(20):
            bench.accept_many([bench.a_trigger(rule_id)] * 3)
        done.set()

    def act() -> None:
        workspace_id = bench.store.workspace_id
        while not done.is_set():
            for row in bench.rows("SELECT id FROM alerts WHERE status <> 'resolved'"):
                now = dt.datetime.now(dt.UTC)
                with suppress(Conflict):
                    actions.one(workspace_id, row["id"], acknowledging("ann", now), if_match=None, now=now)
                    acted.append("acknowledged")
                with suppress(Conflict):
                    actions.one(workspace_id, row["id"], resolving("ann", None, now), if_match=None, now=now)
                    acted.append("resolved")
            bench.trigger(rule_id, severity=Severity.CRITICAL.value)
            bench.age(301)

    together([trigger, act, *[draining(bench, done)] * 2])
    bench.drain()
    triggers = bench.rows("SELECT sum(count)::int AS n FROM alert_log WHERE actor IS NULL")[0]["n"]
    assert bench.rows("SELECT sum(occurrences)::int AS n FROM alerts") == [{"n": triggers}]
    assert bench.rows("SELECT count(*) AS n FROM alert_log WHERE actor = 'ann'") == [{"n": len(acted)}]
    assert len(bench.rows("SELECT 1 FROM alerts WHERE status <> 'resolved'")) <= 1
    for alert in bench.rows("SELECT id, version FROM alerts"):
        log = bench.rows('SELECT data FROM alert_log WHERE alert_id = %s ORDER BY "offset"', alert["id"])
        versions = [int(bytes(row["data"]).rsplit(b'"version":', 1)[1].rstrip(b"}")) for row in log]
        assert versions == list(range(1, alert["version"] + 1))
    assert bench.rows("SELECT count(*) AS n FROM quarantine") == [{"n": 0}]
