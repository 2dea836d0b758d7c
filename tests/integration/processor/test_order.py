"""Order under kills: series through three processes that die again and again, beside one drainer that never does."""

from __future__ import annotations

import datetime as dt
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from convex_common import events
from convex_common.domain.fingerprint import observations_key, series_key, shard_of
from tests.support.eventually import eventually
from tests.support.postgres import Server, Store
from tests.support.processing import IDS, Bench, Outbox
from tests.support.processors import Processor, processors

Row = tuple[uuid.UUID, int, bytes, bytes]  # event id, shard, key, payload

# The window is wider than any run, so that what comes of the events does not depend on when they are processed.
RULES: tuple[dict[str, Any], ...] = (
    {
        "name": "jumps",
        "condition": "changes_by",
        "threshold_value": None,
        "change_percentage": 40.0,
        "clear_value": 15.0,
    },
    {"name": "high", "threshold_value": 120.0, "clear_value": 80.0},
    {"name": "held", "threshold_value": 110.0, "for_seconds": 7200},
    {"name": "trend", "window_seconds": 14400, "aggregation": "avg", "threshold_value": 110.0, "severity": "error"},
)
LEASE_SECONDS = 3.0

ALERTS = """SELECT rule_name, labels->>'host' AS host, occurrences, status, severity, current_value, threshold_value,
    announced, resolution, cleared, notifications_sent FROM alerts ORDER BY 1, 2"""
TIMELINE = """SELECT a.rule_name, a.labels->>'host' AS host, l.event, l.reason, l.event_ids, l.count FROM alert_log l
    JOIN alerts a ON a.id = l.alert_id ORDER BY l."offset" """
NOTIFICATIONS = """SELECT a.rule_name, a.labels->>'host' AS host, n.sequence, n.cause, n.reason FROM notifications n
    JOIN alerts a ON a.id = n.alert_id ORDER BY 1, 2, 3"""
SERIES = "SELECT series, last_value, last_at, state FROM series_state ORDER BY 1"
OBSERVATIONS = "SELECT series, at, value FROM observations ORDER BY 1, 2, 3"
HOLDS = "SELECT subject, payload FROM timers WHERE kind = 'hold_end' ORDER BY 1"
WINDOWS = """SELECT a.rule_name, a.labels->>'host' AS host, t.kind FROM timers t
    JOIN alerts a ON a.id::text = t.subject ORDER BY 1, 2"""


@dataclass(frozen=True)
class Size:
    """How much is observed, and how often processors are killed."""

    series: int
    steps: int
    kills: int


@pytest.fixture
def copy(store: Store, postgres_server: Server) -> Iterator[Store]:
    """A second database, to be filled with the same rules as the first."""
    name = f"c_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.owner_url("postgres"), autocommit=True) as owner:
        owner.execute(f'CREATE DATABASE "{name}" TEMPLATE template_convex STRATEGY FILE_COPY')
        yield Store(postgres_server.service_url(name), postgres_server.owner_url(name), store.workspace_id)
        owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def copy_configuration(source: Store, target: Store) -> None:
    with psycopg.connect(source.owner_url) as reader, psycopg.connect(target.owner_url) as writer:
        for table in ("workspaces", "workspace_feed", "frameworks", "rules"):
            with (
                reader.cursor().copy(f"COPY {table} TO STDOUT") as out,
                writer.cursor().copy(f"COPY {table} FROM STDIN") as into,
            ):
                for data in out:
                    into.write(data)


def observed(bench: Bench, size: Size) -> list[Row]:
    """The inbox rows of all steps, in order: a step's observations of one shard are one row, as the gateway has it."""
    chance = random.Random(7)
    workspace_id, start = bench.store.workspace_id, dt.datetime.now(dt.UTC) - dt.timedelta(hours=size.steps + 1)
    values = [chance.uniform(60, 140) for _ in range(size.series)]
    rows: list[Row] = []
    for step in range(size.steps):
        by_shard: dict[int, list[events.Observation]] = defaultdict(list)
        for n in range(size.series):
            values[n] = min(300.0, max(5.0, values[n] * chance.choice((0.5, 0.8, 0.95, 1.0, 1.02, 1.2, 1.7))))
            labels = {"host": f"h{n}"}
            shard = shard_of(series_key(workspace_id, bench.framework_id, "latency", labels))
            late = dt.timedelta(hours=3) if chance.random() < 0.02 else dt.timedelta(0)
            at = start + dt.timedelta(hours=step) - late
            by_shard[shard].append(events.Observation(bench.framework_id, "latency", values[n], labels, at))
        for shard, items in sorted(by_shard.items()):
            payload = events.encode(events.Observations(items=items))
            rows.append((IDS.new(), shard, observations_key(workspace_id, shard), payload))
    return rows


def feed(store: Store, rows: list[Row]) -> None:
    ids, shards, keys, payloads = (list(column) for column in zip(*rows, strict=True))
    with psycopg.connect(store.url) as service:
        service.execute(
            "SELECT ingest(%s, %s::uuid[], %s::int2[], array_fill(1::int2, ARRAY[%s]), "
            "array_fill('observations'::text, ARRAY[%s]), %s::bytea[], %s::bytea[], array_fill(NULL::text, ARRAY[%s]))",
            (store.workspace_id, ids, shards, len(rows), len(rows), keys, payloads, len(rows)),
        )


class Killer:
    """Kills some or all of the processors while they hold leases, and starts them again."""

    def __init__(self, store: Store, victims: list[Processor], kills: int) -> None:
        self._owner = psycopg.connect(store.owner_url, autocommit=True)
        self._victims = victims
        self._chance = random.Random(3)
        self._rounds = kills
        self.killed = 0
        self.interrupted = 0

    def count(self, query: str) -> int:
        row = self._owner.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    @property
    def waiting(self) -> int:
        return self.count("SELECT count(*) FROM inbox")

    @property
    def leased(self) -> int:
        return self.count("SELECT count(*) FROM inbox_shards WHERE lease_token <> 0")

    def strike(self) -> None:
        """One round, in the middle of the work."""
        if not self._rounds:
            return
        everybody = self._rounds % 2 == 1
        doomed = self._victims if everybody else self._chance.sample(self._victims, 2)
        if everybody:
            self.interrupted += eventually(self._caught, within=30, what="processors at work")
        else:
            eventually(lambda: self.leased, within=30, what="a lease")
        for one in doomed:
            one.kill()
        self.killed += len(doomed)
        self._rounds -= 1
        for one in doomed:
            one.start()

    def _caught(self) -> int:
        """All stand still, and so many leases are held; with none, they go on: between a look and a kill work ends."""
        for one in self._victims:
            one.freeze()
        held = self.leased
        if not held:
            for one in self._victims:
                one.thaw()
        return held

    def close(self) -> None:
        self._owner.close()


def run_under_kills(store: Store, rows: list[Row], size: Size, folder: Path) -> Killer:
    settings = {"PROCESSOR_BATCH": "60", "PROCESSOR_LEASE_SECONDS": str(LEASE_SECONDS)}
    with processors(store.url, folder, 3, **settings) as started:
        killer = Killer(store, started, size.kills)
        portion = len(rows) // (size.kills + 1) + 1
        for begin in range(0, len(rows), portion):
            feed(store, rows[begin : begin + portion])
            killer.strike()
        eventually(lambda: not killer.waiting, within=60 + 10 * LEASE_SECONDS, what="an empty inbox")
        time.sleep(0.1)
        assert all(one.alive for one in started)
        killer.close()
    return killer


def timeline(bench: Bench) -> dict[tuple[str, str], list[tuple[str, str, uuid.UUID]]]:
    """What happened to each alert, event by event: how folds share rows is a matter of batches."""
    found: dict[tuple[str, str], list[tuple[str, str, uuid.UUID]]] = defaultdict(list)
    for row in bench.rows(TIMELINE):
        assert row["count"] == len(row["event_ids"])
        found[row["rule_name"], row["host"]].extend(
            (row["event"], row["reason"], event_id) for event_id in row["event_ids"]
        )
    return found


def compare_with_a_sequential_run(store: Store, copy: Store, size: Size, folder: Path) -> None:
    bench = Bench.of(store)
    for rule in RULES:
        bench.rule(suppression_seconds=86400, **rule)
    copy_configuration(store, copy)
    rows = observed(bench, size)
    sequential = Bench(copy, Outbox(), bench.framework_id)
    feed(copy, rows)
    sequential.drain()

    killer = run_under_kills(store, rows, size, folder)
    assert killer.killed >= 3
    assert killer.interrupted > 0, "no kill met anybody at work"

    for query in (ALERTS, NOTIFICATIONS, SERIES, OBSERVATIONS, HOLDS, WINDOWS):
        assert bench.rows(query) == sequential.rows(query), query
    assert timeline(bench) == timeline(sequential)
    events_seen = {row["event"] for row in bench.rows("SELECT DISTINCT event FROM alert_log")}
    assert events_seen == {"created", "updated", "resolved", "reopened"}, "the run was too tame"
    assert {row["rule_name"] for row in bench.rows("SELECT rule_name FROM alerts")} == {rule["name"] for rule in RULES}
    assert bench.rows("SELECT count(*) AS n FROM observations") == [{"n": size.series * size.steps}]
    assert bench.rows("SELECT * FROM quarantine") == []
    offsets = [row["offset"] for row in bench.rows('SELECT "offset" FROM alert_log ORDER BY "offset"')]
    assert offsets == list(range(1, len(offsets) + 1))


def test_series_keep_their_order_through_processors_that_die(store: Store, copy: Store, tmp_path: Path) -> None:
    compare_with_a_sequential_run(store, copy, Size(series=40, steps=60, kills=2), tmp_path)


@pytest.mark.long
def test_series_keep_their_order_through_processors_that_die_at_length(
    store: Store, copy: Store, tmp_path: Path
) -> None:
    compare_with_a_sequential_run(store, copy, Size(series=200, steps=200, kills=9), tmp_path)
