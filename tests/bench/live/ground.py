"""What all sides stand on: stores with a workspace and its members, and alerts told as a processor tells them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

import msgspec
import psycopg

from convex_common import feed
from convex_common.feed import LiveEvent, LiveMessage, LiveNotification
from convex_common.ids import Ids
from convex_common.postgres import migrate
from convex_common.postgres.bootstrap import ensure_members
from convex_common.redis.live import LivePublisher
from convex_dev.stores.postgres import SERVICE
from tests.support import rest
from tests.support.postgres import Store, fresh_store, running_server
from tests.support.valkey import Valkey

PREFIX: Final = "alert"
FRAME_BYTES: Final = 532
"""Of an alert as the sockets get it, without padding; about what a rule with two labels makes."""


@dataclass
class Ground:
    """Stores, a workspace, tokens of so many members, and the workspace's feed."""

    store: Store
    cache_url: str
    users: list[str]
    tokens: list[str]
    """One of each user."""
    feed: Feed


class Feed:
    """Commits changes of an alert to the workspace's log, and publishes them."""

    def __init__(self, store: Store, cache_url: str) -> None:
        self._workspace_id = store.workspace_id
        self._ids = Ids()
        self._connection: psycopg.Connection[Any] = psycopg.connect(store.url, autocommit=True)
        self._publisher = LivePublisher(cache_url, PREFIX, within=5.0)
        self._alert_id, self._framework_id = self._ids.new(), self._ids.new()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._publisher.close()
        self._connection.close()

    @property
    def next_offset(self) -> int:
        """That of the next change."""
        with self._transaction():
            row = self._connection.execute("SELECT next_offset FROM workspace_feed").fetchone()
        assert row is not None
        return int(row[0])

    def commit(self, changes: int, frame_bytes: int = FRAME_BYTES) -> list[LiveEvent]:
        """So many changes, in the log and nowhere else yet."""
        with self._transaction():
            row = self._connection.execute(
                "UPDATE workspace_feed SET next_offset = next_offset + %s RETURNING next_offset - %s, epoch",
                (changes, changes),
            ).fetchone()
            assert row is not None
            offsets, epoch = range(row[0], row[0] + changes), row[1]
            made = [(offset, *self._change(offset, frame_bytes)) for offset in offsets]
            with self._connection.cursor() as cursor:
                cursor.executemany(
                    'INSERT INTO alert_log (id, workspace_id, "offset", alert_id, framework_id, event, data, at) '
                    "VALUES (%s, %s, %s, %s, %s, 'updated', %s, now())",
                    [
                        (self._ids.new(), self._workspace_id, offset, self._alert_id, self._framework_id, data)
                        for offset, data, _ in made
                    ],
                )
        return [self._event(offset, epoch, frame) for offset, _, frame in made]

    def publish(self, event: LiveEvent) -> int:
        """Publish a change; when that began, in nanoseconds of the monotonic clock."""
        began = time.monotonic_ns()
        self._publish(event)
        return began

    def notify(self, users: Sequence[str], frame_bytes: int) -> None:
        """An in-app notification of that size, more or less, for these users alone."""
        frame = feed.notification_frame(msgspec.json.encode({"title": "x" * frame_bytes}))
        self._publish(LiveNotification(self._workspace_id, tuple(users), frame))

    def _publish(self, message: LiveMessage) -> None:
        if not self._publisher.publish([message]):
            raise ConnectionError("Valkey took no message")

    def _change(self, offset: int, frame_bytes: int) -> tuple[bytes, bytes]:
        """An alert's JSON, and its frame of just so many bytes."""
        alert = {
            "id": str(self._alert_id),
            "status": "firing",
            "severity": "critical",
            "rule_name": "Checkout latency",
            "framework_id": str(self._framework_id),
            "title": "Checkout latency: latency_ms above 500",
            "current_value": 742.5,
            "threshold_value": 500,
            "labels": {"host": "web-17", "region": "eu-central-1"},
            "occurrences": offset,
            "context": {"note": ""},
        }
        short = frame_bytes - len(feed.event_frame("updated", offset, msgspec.json.encode(alert)))
        data = msgspec.json.encode({**alert, "context": {"note": "x" * max(0, short)}})
        return data, feed.event_frame("updated", offset, data)

    def _event(self, offset: int, epoch: UUID, frame: bytes) -> LiveEvent:
        return LiveEvent(self._workspace_id, offset, self._framework_id, epoch, frame)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._connection.transaction():
            self._connection.execute("SELECT set_config('app.workspace_id', %s, true)", (str(self._workspace_id),))
            yield


@contextmanager
def ground(members: int) -> Iterator[Ground]:
    """Stores of its own on this machine; each token is another member's."""
    with tempfile.TemporaryDirectory(prefix="convex-live-") as folder, running_server() as server:
        valkey = Valkey(Path(folder))
        valkey.start()
        try:
            with psycopg.connect(server.owner_url("postgres"), autocommit=True) as owner:
                owner.execute("CREATE DATABASE template_convex")
            migrate.upgrade(server.owner_url("template_convex"), SERVICE)
            with fresh_store(server) as store:
                users = [f"member-{number}" for number in range(members)]
                ensure_members(store.owner_url, store.workspace_id, users, "owner")
                tokens = [
                    rest.token_of(store.workspace_id, user, "owner", exp=int(time.time()) + 86_400) for user in users
                ]
                with Feed(store, valkey.url) as made:
                    yield Ground(store, valkey.url, users, tokens, made)
        finally:
            valkey.kill()
