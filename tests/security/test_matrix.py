"""Who may call what, for every operation that the API describes: a new one is in here by being described."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
import uuid
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.fernet import Fernet

from convex_common.domain.api_key import mint
from convex_common.domain.role import Role, Scope
from convex_common.ids import Ids
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.bootstrap import ensure_members, ensure_workspace
from convex_common.postgres.database import Database
from convex_common.timetable import TIMETABLE
from convex_gateway.app import all_parts
from convex_gateway.ingest.writer import InboxWriter
from convex_gateway.settings import GatewaySettings
from tests.security.operations import Described, guarded, open_to_all
from tests.support.patterns import store_pattern
from tests.support.postgres import Store
from tests.support.rest import NO_REDIS, SECRET, Api, Remembered, claims_of, gateway_of, token_of

pytestmark = pytest.mark.timeout(300)

OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/api/v1/ingest/alertmanager/-/healthy"),
    ("GET", "/api/v1/ingest/alertmanager/-/ready"),
    ("GET", "/auth/session"),
    ("POST", "/auth/session"),
    ("PUT", "/auth/session"),
    ("DELETE", "/auth/session"),
    ("GET", "/auth/oidc/login"),
    ("GET", "/auth/oidc/callback"),
}
"""What takes no role: probes, and signing in, which has credentials of its own."""

OF_THE_INSTALLATION = {"queues.name", "jobs.name"}
"""Names in a path that are no tenant's: the same for everybody."""

WITHOUT_A_GET = {"notification_id": "read_notification", "item_id": "replay_one_quarantined"}
"""Ids that no operation shows one thing by, and one that finds it."""

SOON = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()
BODIES: dict[str, Any] = {
    "create_silence": {"matchers": [{"name": "severity", "value": "info"}], "ends_at": SOON},
    "create_channel": {"kind": "webhook", "name": "hook", "config": {"url": "https://example.com"}},
}
"""For operations whose schema does not say all that a body needs."""


class Hints:
    def hint(self, contract: object, payload: object, traceparent: object = None) -> None:
        """Nobody listens."""


class World(Api):
    """A workspace with one of everything, people in every role, and somebody else's workspace."""

    def __init__(self, store: Store, database: Database) -> None:
        redis = Remembered()
        gateway = gateway_of(AsyncDatabase(store.url, "tests"), database, redis)
        gateway.settings = GatewaySettings(
            database_url=store.url,
            redis_url=NO_REDIS,
            jwt_secret=SECRET,  # type: ignore[arg-type]  # pydantic wraps it
            encryption_keys=Fernet.generate_key().decode(),  # type: ignore[arg-type]
        )
        gateway.writer = InboxWriter(store.url, Ids(), Hints())
        super().__init__(store, gateway, database, redis, parts=all_parts)
        self.run(gateway.writer.start())
        for role in Role:
            ensure_members(store.owner_url, store.workspace_id, [role.value], role.value)
        ensure_members(store.owner_url, store.workspace_id, ["leaver", "removed"], "viewer")
        self.elsewhere = ensure_workspace(store.owner_url, slug="other", name="Other", owner_user="stranger")
        document = self.get("/openapi.json").json()
        self.open = open_to_all(document)
        self.operations = [dataclasses.replace(one, body=BODIES.get(one.id, one.body)) for one in guarded(document)]
        self.real = self._real()

    def _real(self) -> dict[str, str]:
        framework_id = self.framework()
        self.webhook()
        rule = self.rule(framework_id)
        alert = self.alert(framework_id, notified=True)
        (delivery,) = self.rows("SELECT id, notification_id FROM deliveries")
        with self.database.transaction(self.workspace_id) as connection:
            connection.execute(
                "INSERT INTO user_notifications (workspace_id, id, user_id, notification_id, alert_id, cause, title, "
                "data) SELECT workspace_id, id, 'owner', id, alert_id, cause, 'x', data FROM notifications"
            )
        (channel,) = self.rows("SELECT id FROM channels")
        return {
            "framework_id": framework_id,
            "rule_id": rule["id"],
            "channel_id": str(channel[0]),
            "alert_id": str(alert.id),
            "delivery_id": str(delivery[0]),
            "notification_id": str(delivery[1]),
            "user_id": "leaver",
            "key_id": self.key("viewer")["id"],
            "item_id": self._put_aside(),
            "pattern_id": store_pattern(
                self.database, self.workspace_id, rule, {"severity": {"from": rule["severity"], "to": "info"}}
            ),
            "silence_id": self.made("/silences", BODIES["create_silence"])["id"],
            "queues.name": "alert",
            "jobs.name": TIMETABLE.jobs[0].name,
        }

    def _put_aside(self) -> str:
        item_id = str(self.gateway.ids.new())
        with self.database.transaction(self.workspace_id) as connection:
            connection.execute(
                "INSERT INTO quarantine (workspace_id, id, queue, kind, shard, key, payload, attempts, last_error) "
                "VALUES (%s, %s, 'alert', 'trigger', 1, 'k', '{}', 3, 'x')",
                (self.workspace_id, item_id),
            )
        return item_id

    def key(self, role: str, *scopes: str, **more: Any) -> dict[str, Any]:
        return self.made("/api-keys", {"name": role, "role": role, "scopes": scopes, **more}, role="owner")

    def status(self, operation: Described, headers: dict[str, str]) -> int:
        """What it answers to a request that fits."""
        more = {} if operation.body is None else {"json": operation.body}
        answer = self.run(self.client.request(operation.method, operation.at(self.real), headers=headers, **more))
        assert answer.status_code < 500, (operation, answer.text)
        return answer.status_code


@pytest.fixture
def world(store: Store, database: Database) -> Iterator[World]:
    made = World(store, database)
    yield made
    made.run(made.gateway.writer.stop())
    made.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def refused_credentials(world: World) -> dict[str, dict[str, str]]:
    """Headers of everybody who is nobody here."""
    ws = world.workspace_id
    revoked, expired, forgotten = (world.key("owner") for _ in range(3))
    for key in (revoked, expired):
        assert world.get("/me", token=key["key"]).status_code == 200, "good until now"
    assert world.get("/me", token=token_of(ws, "removed", "viewer")).status_code == 200
    assert world.delete(f"/api-keys/{revoked['id']}", role="owner").status_code == 204
    assert world.delete("/members/removed", role="owner").status_code == 204
    with world.database.transaction(ws) as connection:
        connection.execute("UPDATE api_keys SET expires_at = now() WHERE id = %s", (expired["id"],))
    world.gateway.authenticator.keys.forget(uuid.UUID(expired["id"]))
    claims = claims_of(ws, "owner", "owner")
    unsigned = jwt.encode(claims, "", algorithm="none")
    return {
        "nobody": {},
        "an empty token": {"Authorization": "Bearer"},
        "another scheme": {"Authorization": "Basic b3duZXI6b3duZXI="},
        "garbage": bearer("garbage"),
        "a forged signature": bearer(jwt.encode(claims, "another secret of thirty-two bytes or more", "HS256")),
        "no signature": bearer(unsigned),
        "another algorithm": bearer(jwt.encode(claims, SECRET, "HS384")),
        "an expired token": bearer(token_of(ws, "owner", "owner", exp=int(time.time()) - 1)),
        "another audience": bearer(token_of(ws, "owner", "owner", aud="grafana")),
        "another issuer": bearer(token_of(ws, "owner", "owner", iss="https://issuer.example")),
        "no expiry": bearer(token_of(ws, "owner", "owner", exp=None)),
        "a role that is none": bearer(token_of(ws, "owner", "root")),
        "no member": bearer(token_of(ws, "stranger", "owner")),
        "a member of elsewhere": bearer(token_of(world.elsewhere, "owner", "owner")),
        "a workspace that is none": bearer(token_of(uuid.uuid4(), "owner", "owner")),
        "a removed member": bearer(token_of(ws, "removed", "viewer")),
        "a revoked key": bearer(revoked["key"]),
        "an expired key": bearer(expired["key"]),
        "an invented key": bearer(mint().text),
        "a key cut short": bearer(forgotten["key"][:-1]),
        "a key's prefix": bearer(forgotten["prefix"]),
    }


def test_what_takes_no_role_is_known(world: World) -> None:
    assert world.open == OPEN
    assert len(world.operations) >= 40


def test_nobody_is_let_in_without_valid_credentials(world: World) -> None:
    for name, headers in refused_credentials(world).items():
        for operation in world.operations:
            assert world.status(operation, headers) == 401, (name, operation.id)


def test_what_is_anothers_is_not_there(world: World) -> None:
    """The ids are those of real things, as our own owner finds them; another workspace's owner does not."""
    stranger, owner = (
        bearer(token_of(workspace_id, user, "owner"))
        for workspace_id, user in ((world.elsewhere, "stranger"), (world.workspace_id, "owner"))
    )
    shown: set[str] = set()
    for operation in world.operations:
        names = operation.parameters - OF_THE_INSTALLATION
        assert names <= world.real.keys(), f"{operation.id}: tell the matrix a real {names - world.real.keys()}"
        if names:
            assert world.status(operation, stranger) == 404, operation.id
        if names and operation.method == "GET":
            assert world.status(operation, owner) == 200, operation.id
            shown |= names
    for name, operation_id in WITHOUT_A_GET.items():
        (operation,) = (one for one in world.operations if one.id == operation_id)
        assert world.status(operation, owner) in (200, 202), operation_id
        shown.add(name)
    assert world.real.keys() - OF_THE_INSTALLATION == shown


def test_each_role_may_what_it_may(world: World) -> None:
    for role in Role:
        for name, credentials in (
            ("a token", token_of(world.workspace_id, role.value, role.value)),
            ("a token that claims more", token_of(world.workspace_id, role.value, "owner")),
            ("an owner's token that claims less", token_of(world.workspace_id, "owner", role.value)),
            ("a key", world.key(role.value)["key"]),
        ):
            for operation in world.operations:
                status = world.status(operation, bearer(credentials))
                assert status != 401, (name, role, operation.id)
                assert (status == 403) is not role.allows(operation.role), (name, role, operation.id, status)


def test_each_scope_allows_its_own_operations_and_no_others(world: World) -> None:
    for scope in Scope:
        soon = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()
        key = world.key("owner", scope.value, expires_at=soon)["key"]
        for operation in world.operations:
            status = world.status(operation, bearer(key))
            assert status != 401, (scope, operation.id)
            if operation.scope is not scope:
                assert status == 403, (scope, operation.id)
            elif operation.id != "create_api_key":  # a key with scopes makes none without
                assert status != 403, (scope, operation.id)
