"""Channels and due deliveries by SQL, and notifiers that carry them out: in the test's process, or in their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from convex_common.ids import Ids
from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.postgres.database import connect
from convex_common.secretbox import SecretBox
from convex_notifier.main import Notifier
from convex_notifier.session import Session
from convex_notifier.settings import NotifierSettings
from tests.support.eventually import eventually
from tests.support.postgres import Store

IDS = Ids()
KEY = Fernet.generate_key().decode()
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOWHERE = "redis://127.0.0.1:9/0"
ALERT = {"id": "a", "title": "slow: latency above 100", "status": "firing"}

QUICK: Mapping[str, Any] = {
    "egress_allow": "127.0.0.0/8 ::1",
    "notifier_poll_seconds": 0.05,
    "notifier_backoff_seconds": 0.2,
    "notifier_breaker_seconds": 0.3,
    "notifier_attempt_seconds": 2.0,
    "notifier_lease_seconds": 5.0,
    "redis_url": NOWHERE,
}


@dataclass
class Ledger:
    """A workspace's channels and deliveries."""

    store: Store
    sequence: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))

    def webhook(self, url: str, *, secret: str | None = SECRET, key: str = KEY, **columns: Any) -> uuid.UUID:
        """A webhook channel."""
        secrets = SecretBox([key]).seal({"secret": secret}) if secret else None
        return self.channel("webhook", {"url": url}, secrets=secrets, **columns)

    def channel(self, kind: str, config: Mapping[str, Any], **columns: Any) -> uuid.UUID:
        """A channel of any kind."""
        channel_id = IDS.new()
        self._insert(
            "channels", {"id": channel_id, "kind": kind, "name": kind, "config": json.dumps(config), **columns}
        )
        return channel_id

    def deliver(self, channel_id: uuid.UUID, *, cause: str = "fired", target: str = "t", **columns: Any) -> uuid.UUID:
        """A due delivery of a new notification."""
        return self.deliver_many(channel_id, 1, cause=cause, target=target, **columns)[0]

    def deliver_many(
        self, channel_id: uuid.UUID, count: int, *, cause: str = "fired", target: str = "t", **columns: Any
    ) -> list[uuid.UUID]:
        """Due deliveries, each of a notification of its own, in one transaction."""
        made = []
        with self._connected() as connection:
            for _ in range(count):
                notification_id, delivery_id, alert_id = IDS.take(3)
                told = {"id": notification_id, "alert_id": alert_id, "cause": cause, "sequence": next(self.sequence)}
                _insert(connection, "notifications", {**self._mine(), **told, "data": json.dumps(ALERT).encode()})
                due = {"id": delivery_id, "notification_id": notification_id, "channel_id": channel_id}
                _insert(
                    connection,
                    "deliveries",
                    {**self._mine(), **due, "alert_id": alert_id, "target": target, **columns},
                )
                made.append(delivery_id)
        return made

    def delivery(self, delivery_id: uuid.UUID) -> dict[str, Any]:
        """A delivery's row."""
        (row,) = self.rows("SELECT * FROM deliveries WHERE id = %s", delivery_id)
        return row

    def attempts(self, delivery_id: uuid.UUID) -> list[dict[str, Any]]:
        """A delivery's ledger."""
        return self.rows("SELECT * FROM attempts WHERE delivery_id = %s ORDER BY id", delivery_id)

    def settled(self, delivery_id: uuid.UUID, status: str, within: float = 10.0) -> dict[str, Any]:
        """The delivery once it has that status."""
        eventually(lambda: self.delivery(delivery_id)["status"] == status, within=within, what=f"status {status}")
        return self.delivery(delivery_id)

    def count(self, status: str) -> int:
        """How many deliveries have a status."""
        return int(self.rows("SELECT count(*) AS n FROM deliveries WHERE status = %s", status)[0]["n"])

    def replay(self, delivery_id: uuid.UUID) -> None:
        """What a person's replay does."""
        self.execute(
            "UPDATE deliveries SET status = 'pending', attempts = 0, expiries = 0, due_at = now(), lease_token = NULL, "
            "lease_until = NULL, finished_at = NULL WHERE id = %s",
            delivery_id,
        )

    def store_away(self) -> None:
        """Take the database away from everybody but the server's owner, and cut every connection."""
        with self._maintaining() as owner:
            owner.execute(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
            owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (self._name,))

    def store_back(self) -> None:
        """Give it back."""
        with self._maintaining() as owner:
            owner.execute(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Rows as dictionaries, read by the owner."""
        with psycopg.connect(self.store.owner_url, row_factory=psycopg.rows.dict_row) as owner:
            return owner.execute(query, values).fetchall()

    def execute(self, statement: str, *values: Any) -> None:
        with self._connected() as connection:
            connection.execute(statement, values)

    def _insert(self, table: str, row: Mapping[str, Any]) -> None:
        with self._connected() as connection:
            _insert(connection, table, {**self._mine(), **row})

    def _mine(self) -> dict[str, Any]:
        return {"workspace_id": self.store.workspace_id}

    @property
    def _name(self) -> str:
        return self.store.owner_url.rpartition("/")[2]

    def _maintaining(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.store.owner_url.rpartition("/")[0] + "/postgres", autocommit=True)

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.store.owner_url) as owner:
            yield owner


def _insert(connection: psycopg.Connection[Any], table: str, row: Mapping[str, Any]) -> None:
    names = ", ".join(row)
    holes = ", ".join(f"%({name})s" for name in row)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({holes})", row)


@contextmanager
def session(store: Store) -> Iterator[Session]:
    """A connection as the notifier's threads keep one."""
    kept = Session(lambda: connect(store.url, "tests"))
    try:
        yield kept
    finally:
        kept.close()


@contextmanager
def notifying(store: Store, **settings: Any) -> Iterator[Metrics]:
    """A notifier within this process, quick in everything unless told otherwise."""
    metrics = Metrics(CollectorRegistry())
    notifier = Notifier(NotifierSettings(**_settings(store, settings)), metrics, Measures())
    notifier.start()
    try:
        yield metrics
    finally:
        notifier.stop()


class NotifierProcess:
    """A notifier of its own, to be killed."""

    def __init__(self, store: Store, port: int, **settings: Any) -> None:
        given = {**_settings(store, settings), "metrics_host": "127.0.0.1", "prometheus_port": port}
        self._told = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read at the end; an unread pipe would block it
        self._process = subprocess.Popen(
            [sys.executable, "-m", "convex_notifier.main"],
            env={"PATH": os.environ["PATH"], **{name.upper(): str(value) for name, value in given.items()}},
            stderr=self._told,
        )

    def kill(self) -> None:
        """By SIGKILL."""
        self._process.kill()
        self._process.wait(timeout=10)

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def ended(self, within: float = 15.0) -> tuple[int, str]:
        """The exit code and what it wrote."""
        code = self._process.wait(timeout=within)
        self._told.seek(0)
        return code, self._told.read()

    def is_alive(self) -> bool:
        return self._process.poll() is None


def _settings(store: Store, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"database_url": store.url, "encryption_keys": KEY, **QUICK, **settings}
