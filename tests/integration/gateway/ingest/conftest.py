"""The hot routes in process, on a real database; hints are only remembered."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Iterator
from typing import Any, TypeVar, cast

import httpx
import msgspec
import psycopg
import pytest

from convex_common import events
from convex_common.contracts import Contract, EventsAccepted
from convex_common.ids import Ids
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.bootstrap import ensure_workspace
from convex_common.postgres.database import Database
from convex_common.secretbox import SecretBox
from convex_gateway.app import Parts, create_app
from convex_gateway.ingest.openapi import COMPONENTS, PATHS
from convex_gateway.ingest.routes import routes
from convex_gateway.ingest.writer import InboxWriter
from convex_gateway.limits.limiter import RateLimits
from tests.support.postgres import Store
from tests.support.rest import Remembered, add_members, gateway_of, token_of

T = TypeVar("T")


class Hints:
    """Keeps what was hinted."""

    def __init__(self) -> None:
        self.shards: list[tuple[int, ...]] = []

    def hint(self, contract: Contract[EventsAccepted], payload: EventsAccepted, traceparent: str | None = None) -> None:
        self.shards.append(payload.shards)


class Ingest:
    """Calls the gateway as a member of a workspace, and looks into the inbox behind it."""

    def __init__(
        self, store: Store, database: Database, limits: RateLimits | None = None, secrets: SecretBox | None = None
    ) -> None:
        self.store = store
        self.workspace_id = store.workspace_id
        self.hints = Hints()
        self.database = database
        self._runner = asyncio.Runner()
        self._pool = AsyncDatabase(store.url, "tests")
        self.writer = InboxWriter(store.url, Ids(), self.hints)
        gateway = gateway_of(self._pool, database, Remembered())
        gateway.writer = self.writer
        gateway.limits = limits or gateway.limits
        self.secrets = gateway.secrets = secrets or gateway.secrets
        self.app = create_app(gateway, parts=Parts(first=routes(gateway), paths=PATHS, components=COMPONENTS))
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://gateway")
        self.run(self.writer.start())

    def run(self, work: Awaitable[T]) -> T:
        async def waited() -> T:
            return await work

        return self._runner.run(waited())

    async def request(
        self, method: str, path: str, body: Any = None, *, role: str = "responder", workspace: uuid.UUID | None = None,
        headers: dict[str, str] | None = None, **more: Any,
    ) -> httpx.Response:  # fmt: skip
        token = token_of(workspace or self.workspace_id, role, role)
        content = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} | (headers or {})
        return await self._client.request(method, f"/api/v1{path}", content=content, headers=sent, **more)

    def post(self, path: str, body: Any, **more: Any) -> httpx.Response:
        return self.run(self.request("POST", path, body, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.run(self.request("GET", path, **more))

    def framework(self, name: str = "checkout") -> str:
        answer = self.post("/frameworks", {"name": name}, role="editor")
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def rule(self, framework_id: str, **changed: Any) -> str:
        body = {"framework_id": framework_id, "name": uuid.uuid4().hex, "metric": "latency", "condition": "above",
                "threshold_value": 10, "alert_type": "threshold", "severity": "warning"} | changed  # fmt: skip
        answer = self.post("/rules", body, role="editor")
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def rows(self, query: str, *parameters: Any, workspace: uuid.UUID | None = None) -> list[tuple[Any, ...]]:
        with self.database.transaction(workspace or self.workspace_id) as connection:
            return connection.execute(cast("Any", query), parameters).fetchall()

    def inbox(self, workspace: uuid.UUID | None = None) -> list[tuple[Any, ...]]:
        """Its rows in the order of their ids: id, shard, lane, kind, key, payload, traceparent."""
        return self.rows(
            "SELECT id, shard, lane, kind, key, payload, traceparent FROM inbox ORDER BY id", workspace=workspace
        )

    def events(self, workspace: uuid.UUID | None = None) -> list[Any]:
        return [events.decode(row[3], bytes(row[5])) for row in self.inbox(workspace)]

    def disconnect(self) -> int:
        """Ends the writer's connection as an administrator does; how many there were."""
        with psycopg.connect(self.store.owner_url, autocommit=True) as owner:
            ended = owner.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE application_name = 'gateway inbox' AND datname = current_database()"
            ).fetchall()
        return int(ended[0][0])

    def close(self) -> None:
        self.run(self.writer.stop())
        self.run(self._client.aclose())
        self.run(self._pool.close())
        self._runner.close()


@pytest.fixture
def ingest(store: Store, database: Database) -> Iterator[Ingest]:
    add_members(store)
    made = Ingest(store, database)
    yield made
    made.close()


@pytest.fixture
def elsewhere(store: Store) -> uuid.UUID:
    """Another workspace of the same database, with members of the same names."""
    workspace_id = ensure_workspace(store.owner_url, slug="other", name="Other", owner_user="owner")
    add_members(store, workspace_id)
    return workspace_id
