"""Sockets of those who may no more: closed at once where it was revoked, and within the minute everywhere else."""

from __future__ import annotations

import asyncio
import time
import uuid

import psycopg
import pytest

from convex_common.domain.api_key import mint, principal_of
from convex_common.feed import LiveRevocation
from convex_common.postgres.bootstrap import ensure_member
from convex_gateway import api_keys, memberships
from convex_gateway.live.hub import Timing
from convex_gateway.live.lobby import Terms
from convex_gateway.signin import sessions
from tests.support.live import Log, live_gateway, publish, token, watcher
from tests.support.postgres import Store
from tests.support.valkey import Valkey

WITHIN = 60.0
"""Seconds that the contract gives the slowest of them."""


def make_key(store: Store, *scopes: str) -> tuple[uuid.UUID, str]:
    minted, key_id = mint(), uuid.uuid4()
    with psycopg.connect(store.owner_url) as connection:
        connection.execute(
            "INSERT INTO api_keys (workspace_id, id, name, prefix, digest, role, scopes, created_by) "
            "VALUES (%s, %s, 'k', %s, %s, 'viewer', %s, 'owner')",
            (store.workspace_id, key_id, minted.prefix, minted.digest, list(scopes)),
        )
    return key_id, minted.text


def revoke_key(store: Store, key_id: uuid.UUID) -> None:
    with psycopg.connect(store.owner_url) as connection:
        connection.execute("UPDATE api_keys SET revoked_at = now() WHERE id = %s", (key_id,))


def test_a_key_opens_a_socket_and_one_that_only_sends_does_not(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    key_id, text = make_key(store)
    _, sends = make_key(store, "ingest")

    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix) as gateway:
            async with watcher(gateway.url, text) as client:
                success = await client.first("auth_success")
                assert (success["user_id"], success["expires_at"]) == (principal_of(key_id), None)
                await client.subscribe()
            async with watcher(gateway.url, sends) as client:
                assert await client.closed() == 4403
                assert "scope read" in (await client.first("auth_failed"))["message"]

    asyncio.run(scenario())


def test_the_gateway_that_hears_of_it_closes_at_once(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    """Nothing that is remembered runs out meanwhile: half a minute is still to go."""
    ensure_member(store.owner_url, store.workspace_id, "leaver", "viewer")
    key_id, text = make_key(store)

    async def scenario() -> None:
        async with (
            live_gateway(store.url, valkey.url, queue_prefix) as first,
            live_gateway(store.url, valkey.url, queue_prefix) as second,
            watcher(first.url, token(store.workspace_id, "leaver")) as here,
            watcher(second.url, token(store.workspace_id, "leaver")) as there,
            watcher(second.url, text) as key,
            watcher(second.url, token(store.workspace_id)) as owner,
        ):
            for client in (here, there, key, owner):
                await client.subscribe()
            Log(store).remove_member("leaver")
            revoke_key(store, key_id)
            publisher = valkey.client()
            for user_id in ("leaver", principal_of(key_id)):
                first.hub.revoked(store.workspace_id, user_id)
                await asyncio.to_thread(publish, publisher, queue_prefix, [LiveRevocation(store.workspace_id, user_id)])
            for gone in (here, there, key):
                assert await gone.closed(within=8.0) == 4401
            await owner.send(type="ping")
            await owner.first("pong")

    asyncio.run(scenario())


def test_without_redis_it_takes_no_longer_than_two_looks(
    store: Store, valkey: Valkey, queue_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred times as fast: remembered for 0.3 s, looked at every 0.22 s."""
    monkeypatch.setattr(memberships, "FRESH_SECONDS", memberships.FRESH_SECONDS / 100)
    monkeypatch.setattr(api_keys, "FRESH_SECONDS", api_keys.FRESH_SECONDS / 100)
    ensure_member(store.owner_url, store.workspace_id, "leaver", "viewer")
    key_id, text = make_key(store)

    async def scenario() -> None:
        terms = Terms(recheck=Terms.recheck / 100)
        async with (
            live_gateway(store.url, "redis://127.0.0.1:1/0", queue_prefix, terms=terms) as gateway,
            watcher(gateway.url, token(store.workspace_id, "leaver")) as member,
            watcher(gateway.url, text) as key,
        ):
            for client in (member, key):
                await client.first("auth_success")
            Log(store).remove_member("leaver")
            revoke_key(store, key_id)
            for client in (member, key):
                assert await client.closed() == 4401

    asyncio.run(scenario())


def test_the_longest_that_it_can_take_is_within_the_minute() -> None:
    """Remembered right before the revocation, and looked at for the last time right before that runs out."""
    for fresh in (memberships.FRESH_SECONDS, api_keys.FRESH_SECONDS, sessions.FRESH_SECONDS):
        assert fresh + Terms.recheck * 1.2 + Timing.beat < WITHIN - 2


@pytest.mark.long
@pytest.mark.timeout(180)
def test_in_real_time_without_redis(store: Store, queue_prefix: str) -> None:
    ensure_member(store.owner_url, store.workspace_id, "leaver", "viewer")
    key_id, text = make_key(store)

    async def scenario() -> None:
        async with (
            live_gateway(store.url, "redis://127.0.0.1:1/0", queue_prefix) as gateway,
            watcher(gateway.url, token(store.workspace_id, "leaver")) as member,
            watcher(gateway.url, text) as key,
        ):
            for client in (member, key):
                await client.first("auth_success")
            Log(store).remove_member("leaver")
            revoke_key(store, key_id)
            began = time.monotonic()
            for client in (member, key):
                assert await client.closed(within=WITHIN) == 4401
            assert time.monotonic() - began <= WITHIN

    asyncio.run(scenario())
