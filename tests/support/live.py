"""Gateways with nothing but the live feed, changes of alerts as a processor commits them, and clients that watch."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jwt
import psycopg
import redis
import uvicorn
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from convex_common import feed
from convex_common.feed import LiveEvent
from convex_common.ids import Ids, floor
from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.database import Limits
from convex_gateway import api_keys
from convex_gateway.auth import Authenticator
from convex_gateway.context import Gateway
from convex_gateway.head_limit import HeadLimit
from convex_gateway.live.endpoint import routes
from convex_gateway.live.history import History
from convex_gateway.live.hub import Hub, Timing
from convex_gateway.live.lobby import Terms
from convex_gateway.live.server import DrainingServer, options
from convex_gateway.memberships import Memberships, in_database
from convex_gateway.origins import Site
from convex_gateway.settings import GatewaySettings
from convex_gateway.signin.sessions import Sessions
from convex_gateway.tokens import SecretSource, TokenReader
from tests.support.postgres import Store

WS_SERVER: ContextVar[str] = ContextVar("WS_SERVER", default="lean")
"""Whose WebSocket protocol a test's gateways speak, unless it says so itself."""

SECRET = "a secret of thirty-two bytes or more"


def token(workspace_id: uuid.UUID, user: str = "owner", *, ttl: float = 3600, **claims: object) -> str:
    now = time.time()
    payload = {
        "sub": user,
        "workspace_id": str(workspace_id),
        "role": "owner",
        "iat": now - 1,
        "exp": now + ttl,
        "iss": "convex",
        "aud": "convex",
        **claims,
    }
    return jwt.encode(payload, SECRET, algorithm="HS256")


@dataclass
class LiveGateway:
    """One gateway of its own hub and pool, served by uvicorn on this event loop."""

    url: str
    hub: Hub
    database: AsyncDatabase
    metrics: Metrics
    sessions: Sessions
    server: DrainingServer
    serving: asyncio.Task[None]

    async def stop(self) -> None:
        self.server.should_exit = True
        await self.serving
        await self.hub.stop()
        await self.database.close()


@contextlib.asynccontextmanager
async def live_gateway(
    database_url: str,
    redis_url: str,
    prefix: str,
    *,
    terms: Terms | None = None,
    timing: Timing | None = None,
    history: Callable[[AsyncDatabase], History] = History,
    certificate: Path | None = None,
    **settings: Any,
) -> AsyncIterator[LiveGateway]:
    """With a `certificate` (its key and itself, in one file) it speaks TLS."""
    database = AsyncDatabase(database_url, "live-tests", size=4, limits=Limits(connect=2, statement=3, checkout=2))
    metrics = Metrics(CollectorRegistry())
    measures = Measures()
    tokens = TokenReader(SecretSource(SECRET, algorithms=["HS256"], issuer="convex"), audience="convex")
    sessions = Sessions(database, metrics, Ids(), Site())
    settings.setdefault("ws_server", WS_SERVER.get())
    authenticator = Authenticator(
        tokens, Memberships(in_database(database), metrics), api_keys.in_database(database, metrics), sessions
    )
    hub = Hub(
        database,
        redis_url,
        prefix,
        metrics,
        measures,
        forget=authenticator.forget,
        timing=timing,
        history=history(database),
    )
    gateway = SimpleNamespace(
        settings=GatewaySettings(
            database_url=database_url,
            redis_url=redis_url,
            jwt_secret=SECRET,  # type: ignore[arg-type]  # pydantic wraps it
            encryption_keys=Fernet.generate_key().decode(),  # type: ignore[arg-type]
            **settings,
        ),
        authenticator=authenticator,
        sessions=sessions,
        hub=hub,
        metrics=metrics,
    )
    app = Starlette(routes=routes(cast(Gateway, gateway), terms))
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        http=HeadLimit,
        log_level="warning",
        lifespan="off",
        ssl_certfile=certificate,
        **options(gateway.settings.ws_server),
    )
    server = DrainingServer(config, hub.drain)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    await hub.start()
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    scheme = "ws" if certificate is None else "wss"
    running = LiveGateway(f"{scheme}://127.0.0.1:{port}/ws", hub, database, metrics, sessions, server, serving)
    try:
        yield running
    finally:
        await running.stop()


@dataclass
class Log:
    """Appends to a workspace's alert log as a processor does: offsets last, rows with them, one transaction."""

    store: Store
    ids: Ids = field(default_factory=Ids)

    def framework(self, name: str) -> uuid.UUID:
        framework_id = self.ids.new()
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO frameworks (workspace_id, id, name) VALUES (%s, %s, %s)",
                (self.store.workspace_id, framework_id, name),
            )
        return framework_id

    def append(self, frameworks: Sequence[uuid.UUID], *, age_seconds: float = 0, padding: int = 0) -> list[LiveEvent]:
        """One change for each of `frameworks`; returns what is to be published. Older rows get older ids."""
        workspace_id, count = self.store.workspace_id, len(frameworks)
        row_ids = self.ids.take(count)
        if age_seconds:
            oldest = floor(int((time.time() - age_seconds) * 1000)).int
            row_ids = [uuid.UUID(int=oldest + number) for number in range(count)]
        alert_id = self.ids.new()
        with self._transaction() as connection:
            row = connection.execute(
                "UPDATE workspace_feed SET next_offset = next_offset + %s RETURNING next_offset - %s, epoch",
                (count, count),
            ).fetchone()
            assert row is not None
            first, epoch = row
            data = [
                json.dumps({"id": str(alert_id), "n": first + n, "context": {"pad": "x" * padding}}).encode()
                for n in range(count)
            ]
            with connection.cursor() as cursor:
                cursor.executemany(
                    'INSERT INTO alert_log (id, workspace_id, "offset", alert_id, framework_id, event, data, at) '
                    "VALUES (%s, %s, %s, %s, %s, 'updated', %s, now())",
                    [
                        (row_ids[n], workspace_id, first + n, alert_id, framework, data[n])
                        for n, framework in enumerate(frameworks)
                    ],
                )
        return [
            LiveEvent(workspace_id, first + n, framework, epoch, feed.event_frame("updated", first + n, data[n]))
            for n, framework in enumerate(frameworks)
        ]

    def position(self) -> tuple[str, int]:
        with self._transaction() as connection:
            row = connection.execute("SELECT epoch, next_offset - 1 FROM workspace_feed").fetchone()
        assert row is not None
        return str(row[0]), row[1]

    def restore(self) -> None:
        """What a restore from a backup does to the feed."""
        with self._transaction() as connection:
            connection.execute("UPDATE workspace_feed SET epoch = gen_random_uuid()")

    def remove_member(self, user: str) -> None:
        with self._transaction() as connection:
            connection.execute("DELETE FROM members WHERE user_id = %s", (user,))

    @contextlib.contextmanager
    def _transaction(self) -> Any:
        with psycopg.connect(self.store.url) as connection:
            connection.execute("SELECT set_config('app.workspace_id', %s, true)", (str(self.store.workspace_id),))
            yield connection


def publish(client: redis.Redis, prefix: str, events: Sequence[feed.LiveMessage]) -> None:
    pipeline = client.pipeline(transaction=False)
    for event in events:
        pipeline.publish(feed.channel(prefix, event.workspace_id), feed.encode(event))
    pipeline.execute()


@dataclass
class Watcher:
    """A client that keeps every frame it gets."""

    connection: ClientConnection
    frames: list[dict[str, Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    code: int | None = None

    async def watch(self) -> None:
        try:
            async for text in self.connection:
                self.texts.append(str(text))
                self.frames.append(json.loads(text))
        except ConnectionClosed:
            pass
        self.code = self.connection.close_code

    async def send(self, **frame: Any) -> None:
        await self.connection.send(json.dumps(frame))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["type"] == kind]

    @property
    def offsets(self) -> list[int]:
        return [frame["offset"] for frame in self.of("alert")]

    async def until(self, condition: Callable[[Watcher], Any], within: float = 10.0) -> Any:
        deadline = time.monotonic() + within
        while not (answer := condition(self)):
            seen = [text[:160] for text in self.texts[-8:]]
            assert time.monotonic() < deadline, f"waited {within:g} s in vain, code {self.code}, last frames: {seen}"
            await asyncio.sleep(0.005)
        return answer

    async def has(self, offsets: list[int], within: float = 10.0) -> None:
        """Exactly these alerts' offsets, in this order."""
        await self.until(lambda w: w.offsets == offsets, within)

    async def counts(self, alerts: int, within: float = 10.0) -> None:
        """At least so many alerts."""
        await self.until(lambda w: len(w.offsets) >= alerts, within)

    async def first(self, kind: str, within: float = 10.0) -> dict[str, Any]:
        frames: list[dict[str, Any]] = await self.until(lambda w: w.of(kind), within)
        return frames[0]

    async def closed(self, within: float = 10.0) -> int:
        code: int = await self.until(lambda w: w.code, within)
        return code

    async def subscribe(
        self, framework: uuid.UUID | None = None, since: tuple[str, int] | None = None
    ) -> dict[str, Any]:
        """Ask, and return the answer."""
        before = len(self.of("subscribed"))
        frame: dict[str, Any] = {"type": "subscribe"}
        if framework is not None:
            frame["framework_id"] = str(framework)
        if since is not None:
            frame["since"] = {"epoch": since[0], "offset": since[1]}
        await self.connection.send(json.dumps(frame))
        await self.until(lambda w: len(w.of("subscribed")) > before)
        return self.of("subscribed")[before]


@contextlib.asynccontextmanager
async def watcher(url: str, credentials: str | None = None, **options: Any) -> AsyncIterator[Watcher]:
    """A connection that is signed in by the header where `credentials` are given."""
    headers = {"Authorization": f"Bearer {credentials}"} if credentials else {}
    headers.update(options.pop("headers", {}))
    async with connect(url, additional_headers=headers, max_size=None, **options) as connection:
        client = Watcher(connection)
        watching = asyncio.create_task(client.watch())
        try:
            yield client
        finally:
            watching.cancel()
            connection.transport.abort()
