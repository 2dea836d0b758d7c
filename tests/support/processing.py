"""The processor on a real database without its process: rules and channels by SQL, events in, drained at once."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry

from convex_common import events
from convex_common.contracts import Contract
from convex_common.domain.fingerprint import fingerprint, observations_key, series_key, shard_of
from convex_common.domain.severity import Severity
from convex_common.feed import LiveEvent, LiveMessage
from convex_common.ids import Ids
from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.postgres.database import Connection, connect
from convex_common.redis.cache.counts import CacheCounts
from convex_processor.batches import BatchProcessor
from convex_processor.configurations import Configurations
from convex_processor.drainer import ClaimLimits, Drainer
from convex_processor.handler import EventHandler
from tests.support.postgres import Store

IDS = Ids()


@dataclass
class Outbox:
    """A publisher and a sender that keep what they are given."""

    live: list[LiveEvent] = field(default_factory=list)
    sent: list[tuple[str, Any]] = field(default_factory=list)

    def publish(self, messages: Sequence[LiveMessage]) -> bool:
        self.live.extend(message for message in messages if isinstance(message, LiveEvent))
        return True

    def send(self, contract: Contract[Any], payload: Any, traceparent: str | None = None) -> bool:
        self.sent.append((contract.name, payload))
        return True


@dataclass
class Bench:
    """A workspace to process in."""

    store: Store
    outbox: Outbox
    framework_id: uuid.UUID
    measures: Measures = field(default_factory=Measures)

    @classmethod
    def of(cls, store: Store) -> Bench:
        framework_id = IDS.new()
        with psycopg.connect(store.owner_url) as owner:
            owner.execute(
                "INSERT INTO frameworks (workspace_id, id, name) VALUES (%s, %s, 'shop')",
                (store.workspace_id, framework_id),
            )
        return cls(store, Outbox(), framework_id)

    def channel(self, **columns: Any) -> uuid.UUID:
        """A webhook channel, unless told otherwise."""
        channel_id = IDS.new()
        row = {
            "workspace_id": self.store.workspace_id,
            "id": channel_id,
            "kind": "webhook",
            "name": "hook",
            "config": '{"url": "http://hooks.example/x"}',
            **columns,
        }
        self._insert("channels", row)
        return channel_id

    def rule(self, **columns: Any) -> uuid.UUID:
        """A rule on `latency` above 100, unless told otherwise."""
        rule_id = IDS.new()
        row = {
            "workspace_id": self.store.workspace_id,
            "id": rule_id,
            "framework_id": self.framework_id,
            "name": "slow",
            "alert_type": "threshold",
            "metric": "latency",
            "condition": "above",
            "threshold_value": 100.0,
            "severity": "warning",
            **columns,
        }
        self._insert("rules", row)
        return rule_id

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        with psycopg.connect(self.store.owner_url) as owner:
            names = ", ".join(row)
            holes = ", ".join(f"%({name})s" for name in row)
            owner.execute(f"INSERT INTO {table} ({names}) VALUES ({holes})", row)
            owner.execute("UPDATE workspaces SET config_version = config_version + 1")

    def trigger(self, rule_id: uuid.UUID, value: float = 200.0, **fields: Any) -> uuid.UUID:
        """Accept one trigger; its event id."""
        trigger = events.Trigger(rule_id=rule_id, framework_id=self.framework_id, value=value, **fields)
        key = fingerprint(self.store.workspace_id, self.framework_id, rule_id, trigger.labels)
        lane = events.CRITICAL_LANE if trigger.severity == Severity.CRITICAL else events.NORMAL_LANE
        return self.accept(trigger, key, shard_of(key), lane=lane)

    def observe(self, value: float, *, metric: str = "latency", at: dt.datetime | None = None, **labels: str) -> None:
        """Accept one observation."""
        when = at or dt.datetime.now(dt.UTC)
        key = series_key(self.store.workspace_id, self.framework_id, metric, labels)
        item = events.Observation(self.framework_id, metric, value, labels, when)
        shard = shard_of(key)
        self.accept(events.Observations(items=[item]), observations_key(self.store.workspace_id, shard), shard)

    def accept(self, payload: events.Payload, key: bytes, shard: int, *, lane: int = events.NORMAL_LANE) -> uuid.UUID:
        """Put one event into the inbox, as the gateway does."""
        return self.accept_raw(payload.kind, events.encode(payload), key, shard, lane=lane)

    def accept_raw(
        self, kind: str, payload: bytes, key: bytes, shard: int, *, lane: int = events.NORMAL_LANE
    ) -> uuid.UUID:
        event_id = IDS.new()
        with psycopg.connect(self.store.url) as service:
            service.execute(
                "SELECT ingest(%s, %s::uuid[], %s::int2[], %s::int2[], %s::text[], %s::bytea[], %s::bytea[], "
                "%s::text[])",
                (self.store.workspace_id, [event_id], [shard], [lane], [kind], [key], [payload], [None]),
            )
        return event_id

    def accept_many(self, rows: Sequence[tuple[events.Payload, bytes, int]]) -> list[uuid.UUID]:
        """Put (payload, key, lane) into the inbox in one go, in this order; their event ids."""
        ids = IDS.take(len(rows))
        with psycopg.connect(self.store.url) as service:
            service.execute(
                "SELECT ingest(%s, %s::uuid[], %s::int2[], %s::int2[], %s::text[], %s::bytea[], %s::bytea[], "
                "%s::text[])",
                (
                    self.store.workspace_id,
                    ids,
                    [shard_of(key) for _, key, _ in rows],
                    [lane for _, _, lane in rows],
                    [payload.kind for payload, _, _ in rows],
                    [key for _, key, _ in rows],
                    [events.encode(payload) for payload, _, _ in rows],
                    [None] * len(rows),
                ),
            )
        return ids

    def a_trigger(
        self, rule_id: uuid.UUID, lane: int = events.NORMAL_LANE, **labels: str
    ) -> tuple[events.Trigger, bytes, int]:
        """A row for `accept_many`."""
        trigger = events.Trigger(rule_id=rule_id, framework_id=self.framework_id, value=200.0, labels=labels)
        return trigger, fingerprint(self.store.workspace_id, self.framework_id, rule_id, labels), lane

    def drainer(self, limits: ClaimLimits | None = None) -> Drainer:
        """A drainer of its own, as a processor has them."""

        def batches(connection: Connection) -> BatchProcessor:
            metrics = Metrics(CollectorRegistry())
            handler = EventHandler(connection, Configurations(CacheCounts("rules", metrics)), IDS)
            return BatchProcessor(connection, handler, self.outbox, self.outbox, metrics, self.measures)

        return Drainer(
            lambda: connect(self.store.url, "test-processor", repeats=True), batches, limits or ClaimLimits()
        )

    def drain(self) -> None:
        """Process until nothing is due."""
        drainer = self.drainer()
        while drainer.step():
            pass
        drainer.close()

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Rows as dictionaries, read by the owner."""
        with psycopg.connect(self.store.owner_url, row_factory=psycopg.rows.dict_row) as owner:
            return owner.execute(query, values).fetchall()

    def alert(self) -> dict[str, Any]:
        """The only alert."""
        (alert,) = self.rows("SELECT * FROM alerts")
        return alert

    def age(self, seconds: float) -> None:
        """Let time pass for every alert, as if it had been notified that much earlier."""
        with psycopg.connect(self.store.owner_url) as owner:
            owner.execute(
                "UPDATE alerts SET last_notified_at = last_notified_at - make_interval(secs => %s)", (seconds,)
            )
