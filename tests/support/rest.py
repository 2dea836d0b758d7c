"""The gateway's REST in process, on a real database, with senders that only remember."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import httpx
import jwt
import psycopg
import pytest
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry

from convex_common.contracts import Contract
from convex_common.domain.alert import Alert, Event, Reason, Status
from convex_common.domain.change import Cause, Changes, Entry, Notice
from convex_common.domain.channel import Channel
from convex_common.domain.role import Role
from convex_common.domain.severity import Severity
from convex_common.feed import LiveMessage
from convex_common.ids import Ids
from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.ports import FeedPublisher
from convex_common.postgres.alert_actions import AlertActions
from convex_common.postgres.alert_store import save
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.bootstrap import ensure_members, ensure_workspace
from convex_common.postgres.configuration import load_channels
from convex_common.postgres.database import Database
from convex_common.redis.cache.cache import Cache
from convex_common.redis.cache.positions import NotedPublisher, Positions
from convex_common.redis.measures import MeasureStore
from convex_common.secretbox import SecretBox
from convex_gateway import api_keys
from convex_gateway.app import Parts, create_app
from convex_gateway.auth import Authenticator
from convex_gateway.context import Gateway
from convex_gateway.documents import Documents
from convex_gateway.limits.limiter import RateLimits
from convex_gateway.limits.policies import Policies
from convex_gateway.limits.quotas import Quotas
from convex_gateway.memberships import Memberships, in_database
from convex_gateway.origins import Site
from convex_gateway.positions import in_database as positions_in
from convex_gateway.signin.sessions import Sessions
from convex_gateway.tokens import SecretSource, TokenReader
from tests.support.postgres import Store
from tests.support.valkey import Valkey

T = TypeVar("T")

SECRET = "a secret that is only good for tests, 32 bytes and more"
NO_REDIS = "redis://127.0.0.1:1/0"
"""Nobody listens there."""
MEMBERS = {"viewer": Role.VIEWER, "responder": Role.RESPONDER, "editor": Role.EDITOR, "owner": Role.OWNER}


def claims_of(workspace_id: uuid.UUID, user: str, role: str, **changed: Any) -> dict[str, Any]:
    """Of a token that is good for a minute; a claim changed to None is left out."""
    now = int(time.time())
    claims = {
        "sub": user,
        "workspace_id": str(workspace_id),
        "role": role,
        "iat": now,
        "exp": now + 60,
        "iss": "convex",
        "aud": "convex",
    }
    return {name: value for name, value in (claims | changed).items() if value is not None}


def token_of(workspace_id: uuid.UUID, user: str, role: str, **changed: Any) -> str:
    return jwt.encode(claims_of(workspace_id, user, role, **changed), SECRET, algorithm="HS256")


@dataclass
class Remembered:
    """Stands for Redis: keeps what was sent, or is away."""

    hints: list[Any] = field(default_factory=list)
    published: list[LiveMessage] = field(default_factory=list)
    away: bool = False

    async def send(self, contract: Contract[Any], payload: Any, traceparent: str | None = None) -> bool:
        if not self.away:
            self.hints.append((contract.name, payload))
        return not self.away

    def publish(self, messages: Sequence[LiveMessage]) -> bool:
        if not self.away:
            self.published.extend(messages)
        return not self.away


class Sent:
    """The same for threads."""

    def __init__(self, redis: Remembered) -> None:
        self._redis = redis

    def send(self, contract: Contract[Any], payload: Any, traceparent: str | None = None) -> bool:
        self._redis.hints.append((contract.name, payload))
        return True


class Api:
    """Calls the application as a member of the store's workspace, the editor unless told otherwise."""

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        database: Database,
        redis: Remembered,
        parts: Callable[[Gateway], Parts] = lambda _: Parts(),
    ) -> None:
        self.store = store
        self.gateway = gateway
        self.database = database
        self.redis = redis
        self.ids = Ids()
        self.workspace_id = store.workspace_id
        self._runner = asyncio.Runner()
        self.transport = httpx.ASGITransport(create_app(gateway, parts=parts(gateway)), raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=self.transport, base_url="http://gateway")

    def call(
        self, method: str, path: str, *, role: str = "editor", token: str | None = None, **more: Any
    ) -> httpx.Response:
        return self.run(self.request(method, path, role=role, token=token, **more))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """On the loop that everything of this gateway lives on."""
        return self._runner.run(work)

    async def request(
        self, method: str, path: str, *, role: str = "editor", token: str | None = None, **more: Any
    ) -> httpx.Response:
        token = token or token_of(self.workspace_id, role, role)
        headers = {"Authorization": f"Bearer {token}"} | more.pop("headers", {})
        address = path if path.startswith(("/api/", "/healthz", "/readyz", "/openapi")) else f"/api/v1{path}"
        return await self.client.request(method, address, headers=headers, **more)

    def at_once(self, requests: Sequence[Coroutine[Any, Any, httpx.Response]]) -> list[httpx.Response]:
        """The answers to requests that are all under way at the same time."""

        async def gathered() -> list[httpx.Response]:
            return await asyncio.gather(*requests)

        return self._runner.run(gathered())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.call("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return self.call("POST", path, **({"json": json} if json is not None else {}), **more)

    def patch(self, path: str, json: Any, **more: Any) -> httpx.Response:
        return self.call("PATCH", path, json=json, **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        return self.call("DELETE", path, **more)

    def anonymous(self, path: str, **headers: str) -> httpx.Response:
        return self._runner.run(self.client.get(path, headers=headers))

    def made(self, path: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
        answer = self.post(path, body, **more)
        assert answer.status_code == 201, answer.text
        return cast("dict[str, Any]", answer.json())

    def framework(self, name: str = "checkout", **more: Any) -> str:
        return str(self.made("/frameworks", {"name": name}, **more)["id"])

    def webhook(self, name: str = "hook", **more: Any) -> str:
        config = {"url": "https://example.com/hook"}
        return str(self.made("/channels", {"kind": "webhook", "name": name, "config": config}, **more)["id"])

    def rule(self, framework_id: str, **changed: Any) -> dict[str, Any]:
        body = {"framework_id": framework_id, "name": "slow", "metric": "latency", "condition": "above",
                "threshold_value": 10} | changed  # fmt: skip
        return self.made("/rules", body)

    def alert(self, framework_id: str, *, notified: bool = False, **changed: Any) -> Alert:
        """One as the processor saves it, with its log row; `notified` on every channel."""
        now = dt.datetime.now(dt.UTC)
        fields: dict[str, Any] = {
            "workspace_id": self.workspace_id,
            "id": self.ids.new(),
            "fingerprint": uuid.uuid4().bytes * 2,
            "framework_id": uuid.UUID(framework_id),
            "rule_id": None,
            "rule_name": "slow",
            "alert_type": "threshold",
            "status": Status.FIRING,
            "severity": Severity.WARNING,
            "title": "slow: latency above 10",
            "labels": {"team": "payments"},
            "context": {"runbook": "https://example.com"},
            "current_value": 12.5,
            "threshold_value": 10.0,
            "occurrences": 1,
            "triggered_at": now,
            "last_seen_at": now,
            "suppression_seconds": 300,
        }
        alert = Alert(**(fields | changed))
        with self.database.transaction(self.workspace_id) as connection:
            channels: tuple[Channel, ...] = load_channels(connection) if notified else ()
            notice = Notice(alert=alert, cause=Cause.FIRED, reason=Reason.FIRST_TRIGGER, sequence=1, channels=channels)
            entry = Entry(alert=alert, event=Event.CREATED, reason=Reason.FIRST_TRIGGER, event_ids=(self.ids.new(),))
            changes = Changes(created=(alert,), entries=(entry,), notices=(notice,) if notified else ())
            save(connection, self.workspace_id, changes, self.ids, now)
        return alert

    def config_version(self) -> int:
        with self.database.transaction(self.workspace_id) as connection:
            row = connection.execute("SELECT config_version FROM workspaces").fetchone()
        assert row is not None
        return int(row[0])

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.database.transaction(self.workspace_id) as connection:
            return connection.execute(cast("Any", query), parameters).fetchall()

    def close(self) -> None:
        self._runner.run(self.client.aclose())
        self._runner.run(self.gateway.cache.aclose())
        self._runner.run(self.gateway.database.close())
        self._runner.close()


def add_members(store: Store, workspace_id: uuid.UUID | None = None) -> None:
    """One member of each role, called like it, in the store's workspace or another."""
    workspace_id = workspace_id or store.workspace_id
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("SELECT set_config('app.workspace_id', %s, true)", (str(workspace_id),))
        owner.execute(
            "INSERT INTO members (workspace_id, user_id, role, name) "
            "SELECT %s, user_id, role, user_id FROM unnest(%s::text[], %s::text[]) each (user_id, role) "
            "ON CONFLICT (workspace_id, user_id) DO NOTHING",
            (workspace_id, list(MEMBERS), [role.value for role in MEMBERS.values()]),
        )


@pytest.fixture
def api(store: Store, database: Database, valkey: Valkey, queue_prefix: str) -> Iterator[Api]:
    add_members(store)
    redis = Remembered()
    gateway = gateway_of(
        AsyncDatabase(store.url, "tests"), database, redis, cache_url=valkey.url, queue_prefix=queue_prefix
    )
    made = Api(store, gateway, database, redis)
    yield made
    made.close()


@pytest.fixture
def elsewhere(store: Store) -> uuid.UUID:
    """Another workspace of the same database, with an editor of the same name."""
    workspace_id = ensure_workspace(store.owner_url, slug="other", name="Other", owner_user="owner")
    ensure_members(store.owner_url, workspace_id, ["editor"], "editor")
    return workspace_id


def gateway_of(
    database: AsyncDatabase,
    threads: Database,
    redis: Remembered,
    *,
    publisher: FeedPublisher | None = None,
    cache_url: str = NO_REDIS,
    queue_prefix: str = "tests",
    fresh: float = 0,
) -> Gateway:
    """What REST needs; the live feed and the inbox are others'.

    The cache asks PostgreSQL each time unless told otherwise, since what tests write on their own is marked nowhere.
    """
    ids, metrics, measures = Ids(), Metrics(CollectorRegistry()), Measures()
    publisher = publisher or redis
    positions = Positions(positions_in(database), fresh=fresh)
    tokens = TokenReader(SecretSource(SECRET, algorithms=["HS256"], issuer="convex"), audience="convex")
    absent = cast("Any", SimpleNamespace())
    sessions = Sessions(database, metrics, ids, Site())
    authenticator = Authenticator(
        tokens, Memberships(in_database(database), metrics), api_keys.in_database(database, metrics), sessions
    )
    return Gateway(
        settings=cast("Any", SimpleNamespace(smtp_host="mail.example.com", cors_origins=())),
        database=database,
        authenticator=authenticator,
        actions=AlertActions(threads, ids, NotedPublisher(publisher, positions), Sent(redis)),
        metrics=metrics,
        measures=measures,
        measure_store=MeasureStore(NO_REDIS, "tests"),
        cache=Cache(cache_url, queue_prefix, positions, metrics, measures, within=1.0),
        ids=ids,
        sender=cast("Any", redis),
        writer=absent,
        hub=cast("Any", SimpleNamespace(revoked=authenticator.forget)),
        publisher=publisher,
        limits=RateLimits(Policies(), None, metrics),
        quotas=Quotas(),
        secrets=SecretBox([Fernet.generate_key().decode()]),
        sessions=sessions,
        documents=Documents(),
    )
