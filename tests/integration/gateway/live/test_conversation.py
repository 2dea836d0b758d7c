"""What a client can say and is told, on a real gateway: signing in, subscribing, faults and close codes."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from functools import partial
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from convex_common import feed
from convex_common.feed import LiveBroadcast, LiveNotification
from convex_common.postgres.bootstrap import ensure_member, ensure_workspace
from convex_gateway.live.lobby import Terms
from tests.support.live import Log, Watcher, live_gateway, publish, token, watcher
from tests.support.postgres import Store
from tests.support.valkey import Valkey


@pytest.mark.over_both
def test_signing_in(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    good = token(store.workspace_id)
    told = {"workspace_id": str(store.workspace_id), "user_id": "owner", "heartbeat_interval": 30_000}

    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix) as gateway:
            async with watcher(gateway.url, good) as client:
                success = await client.first("auth_success")
                assert success.items() >= told.items()
                assert success["expires_at"].endswith("Z")
                assert uuid.UUID(success["client_id"])
            async with watcher(gateway.url, subprotocols=["convex.v1", f"bearer.{good}"]) as client:
                assert (await client.first("auth_success")).items() >= told.items()
                assert client.connection.subprotocol == "convex.v1"
                assert good not in str(client.connection.response.headers if client.connection.response else "")
            async with watcher(gateway.url) as client:
                await client.send(type="auth", token=good)
                assert (await client.first("auth_success")).items() >= told.items()
                assert gateway.metrics.websocket_connections_active._value.get() == 1

    asyncio.run(scenario())


@pytest.mark.over_both
def test_refused_credentials(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    good = token(store.workspace_id)
    cases: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = [
        ("in the query", {"query": f"?token={good}", "credentials": good}, None),
        ("expired", {"credentials": token(store.workspace_id, ttl=-20)}, None),
        ("forged", {"credentials": good[:-4] + "AAAA"}, None),
        ("no member", {"credentials": token(store.workspace_id, "stranger")}, None),
        ("another scheme", {"headers": {"Authorization": "Basic dTpw"}}, None),
        ("by subprotocol", {"subprotocols": ["convex.v1", "bearer.nonsense"]}, None),
        ("by frame", {}, {"type": "auth", "token": "nonsense"}),
        ("frame without a token", {}, {"type": "auth"}),
        ("another frame first", {}, {"type": "ping"}),
    ]

    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix) as gateway:
            for name, how, frame in cases:
                credentials = how.pop("credentials", None)
                async with watcher(gateway.url + how.pop("query", ""), credentials, **how) as client:
                    if frame:
                        await client.connection.send(json.dumps(frame))
                    assert (await client.first("auth_failed"))["message"], name
                    assert await client.closed() == 4401, name
                    assert not client.of("auth_success"), name

    asyncio.run(scenario())


@pytest.mark.over_both
def test_origins(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    good = token(store.workspace_id)

    async def scenario() -> None:
        async with live_gateway(
            store.url, valkey.url, queue_prefix, ws_allowed_origins="https://alerts.example, https://b.example"
        ) as gateway:
            own = gateway.url.replace("ws://", "http://").removesuffix("/ws")
            for origin in (own, "https://b.example"):
                async with watcher(gateway.url, good, headers={"Origin": origin}) as client:
                    await client.first("auth_success")
            for origin in ("https://evil.example", "null"):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(gateway.url, additional_headers={"Origin": origin})
                assert refused.value.response.status_code == 403

    asyncio.run(scenario())


@pytest.mark.over_both
def test_plain_http_is_told_what_to_do(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix) as gateway, httpx.AsyncClient() as client:
            answer = await client.get(gateway.url.replace("ws://", "http://"))
        assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
        assert answer.headers["content-type"] == "application/problem+json"

    asyncio.run(scenario())


@pytest.mark.over_both
def test_faults_are_logged_with_who_it_was(
    store: Store, valkey: Valkey, queue_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="convex_gateway.live.session")

    async def scenario() -> None:
        async with (
            live_gateway(store.url, valkey.url, queue_prefix) as gateway,
            watcher(gateway.url, token(store.workspace_id)) as client,
        ):
            await client.connection.send(b"binary")
            assert await client.closed() == 1003
            assert gateway.metrics.websocket_errors._value.get() == 1

    asyncio.run(scenario())
    (record,) = caplog.records
    told = {"code": 1003, "user_id": "owner", "workspace_id": str(store.workspace_id)}
    assert vars(record).items() >= told.items()


@pytest.mark.over_both
def test_silence_before_auth(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    async def scenario() -> None:
        async with (
            live_gateway(store.url, valkey.url, queue_prefix, terms=Terms(auth=0.2)) as gateway,
            watcher(gateway.url) as client,
        ):
            assert await client.closed() == 4408

    asyncio.run(scenario())


@pytest.mark.over_both
def test_expiry_and_renewal(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    ensure_member(store.owner_url, store.workspace_id, "other", "viewer")

    async def scenario() -> None:
        async with (
            live_gateway(store.url, valkey.url, queue_prefix) as gateway,
            watcher(gateway.url, token(store.workspace_id, ttl=2)) as let_go,
            watcher(gateway.url, token(store.workspace_id, ttl=2)) as renewed,
            watcher(gateway.url, token(store.workspace_id)) as changed,
            watcher(gateway.url, token(store.workspace_id)) as spoiled,
        ):
            first = await renewed.first("auth_success")
            await renewed.send(type="auth", token=token(store.workspace_id, ttl=600))
            await renewed.until(lambda w: len(w.of("auth_success")) == 2)
            assert renewed.of("auth_success")[1]["expires_at"] > first["expires_at"]
            assert renewed.of("auth_success")[1]["client_id"] == first["client_id"]

            await changed.send(type="auth", token=token(store.workspace_id, "other"))
            assert await changed.closed() == 4403
            assert changed.of("auth_failed")
            await spoiled.send(type="auth", token="nonsense")
            assert await spoiled.closed() == 4401
            assert spoiled.of("auth_failed")

            assert await let_go.closed() == 4501
            await renewed.send(type="ping")
            await renewed.first("pong")

    asyncio.run(scenario())


def test_a_member_who_was_removed(
    store: Store, valkey: Valkey, queue_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convex_gateway.memberships.FRESH_SECONDS", 0.2)
    ensure_member(store.owner_url, store.workspace_id, "leaver", "viewer")

    async def scenario() -> None:
        async with (
            live_gateway(store.url, valkey.url, queue_prefix, terms=Terms(recheck=0.3)) as gateway,
            watcher(gateway.url, token(store.workspace_id, "leaver")) as leaver,
            watcher(gateway.url, token(store.workspace_id)) as owner,
        ):
            await leaver.subscribe()
            Log(store).remove_member("leaver")
            assert await leaver.closed() == 4401
            assert leaver.of("auth_failed")
            await owner.send(type="ping")
            await owner.first("pong")

    asyncio.run(scenario())


@pytest.mark.over_both
def test_malformed_frames(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix) as gateway:
            good = token(store.workspace_id)
            async with watcher(gateway.url, good) as client:
                await client.send(type="subscribe", framework_id=7)
                refusal = await client.first("error")
                assert refusal["code"] == "invalid"
                assert refusal["message"].startswith("framework_id:")
                await client.send(type="ping")
                await client.first("pong")
                for _ in range(9):
                    await client.connection.send("{")
                assert await client.closed() == 4400
            async with watcher(gateway.url, good) as client:
                await client.connection.send(b"{}")
                assert await client.closed() == 1003
            async with watcher(gateway.url, good) as client:
                await client.connection.send('{"type":"ping","x":"' + "x" * 65_536 + '"}')
                assert await client.closed() == 1009
            async with watcher(gateway.url, good) as client:
                await client.connection.send(" " * (65_536 - 15) + '{"type":"ping"}')
                await client.first("pong")

    asyncio.run(scenario())


@pytest.mark.over_both
def test_subscribing(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    log = Log(store)
    shop = log.framework("shop")
    log.append([shop] * 3)

    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix) as gateway:
            async with watcher(gateway.url, token(store.workspace_id)) as client:
                epoch, _ = log.position()
                assert await client.subscribe() == {
                    "type": "subscribed",
                    "channel": f"alerts:{store.workspace_id}",
                    "framework_id": None,
                    "epoch": epoch,
                    "offset": 3,
                    "recovered": True,
                    "replayed": 0,
                }
                answer = await client.subscribe(shop)
                assert answer["channel"] == f"alerts:{store.workspace_id}:{shop}"
                assert answer["framework_id"] == str(shop)
                assert gateway.metrics.websocket_subscriptions_active._value.get() == 2
                await client.send(type="unsubscribe", framework_id=str(shop))
                assert await client.first("unsubscribed") == {"type": "unsubscribed", "channel": answer["channel"]}
                assert gateway.metrics.websocket_subscriptions_active._value.get() == 1
                nowhere = str(uuid.uuid4())
                await client.send(type="subscribe", framework_id=nowhere)
                refusal = await client.first("error")
                assert refusal["code"] == "not_found"
                assert nowhere in refusal["message"]
            async with asyncio.timeout(5):
                while gateway.metrics.websocket_subscriptions_active._value.get():
                    await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_a_framework_of_another_workspace_is_not_found(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    other = ensure_workspace(store.owner_url, slug="other", name="Other", owner_user="owner")
    foreign = Log(Store(store.url, store.owner_url, other)).framework("theirs")

    async def scenario() -> None:
        async with (
            live_gateway(store.url, valkey.url, queue_prefix) as gateway,
            watcher(gateway.url, token(store.workspace_id)) as client,
        ):
            await client.send(type="subscribe", framework_id=str(foreign))
            assert (await client.first("error"))["code"] == "not_found"

    asyncio.run(scenario())


def test_limits(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    ensure_member(store.owner_url, store.workspace_id, "other", "viewer")

    async def scenario() -> None:
        async with (
            live_gateway(store.url, valkey.url, queue_prefix, ws_max_per_user=1, ws_max_per_address=2) as gateway,
            watcher(gateway.url, token(store.workspace_id)) as first,
        ):
            await first.first("auth_success")
            async with watcher(gateway.url, token(store.workspace_id)) as second:
                assert await second.closed() == 4510
            async with watcher(gateway.url, token(store.workspace_id, "other")) as other:
                await other.first("auth_success")
                async with watcher(gateway.url, token(store.workspace_id, "third")) as third:
                    assert await third.closed() == 4510
        async with live_gateway(store.url, valkey.url, queue_prefix, ws_connect_rate=2) as gateway:
            codes = []
            for _ in range(3):
                async with watcher(gateway.url, token(store.workspace_id)) as client:
                    await client.until(lambda w: w.code or w.of("auth_success"))
                    codes.append(client.code)
            assert codes == [None, None, 4510]

    asyncio.run(scenario())


@pytest.mark.over_both
def test_heartbeat(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    async def scenario() -> None:
        async with live_gateway(
            store.url, valkey.url, queue_prefix, ws_heartbeat_interval=200, ws_timeout=2_000
        ) as gateway:
            good = token(store.workspace_id)
            async with watcher(gateway.url, good, ping_interval=None) as lively:
                assert (await lively.first("auth_success"))["heartbeat_interval"] == 200
                async with connect(gateway.url, additional_headers={"Authorization": f"Bearer {good}"}) as deaf:
                    deaf.transport.pause_reading()
                    began = time.monotonic()
                    while gateway.metrics.websocket_connections_active._value.get() == 2:
                        assert time.monotonic() - began < 15
                        await asyncio.sleep(0.05)
                        if gateway.metrics.websocket_errors._value.get():
                            deaf.transport.resume_reading()
                    await deaf.wait_closed()
                    assert deaf.close_code == 4509
                assert lively.code is None

    asyncio.run(scenario())


def test_notifications_and_broadcasts(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    ensure_member(store.owner_url, store.workspace_id, "other", "viewer")
    log = Log(store)
    shop, bank = log.framework("shop"), log.framework("bank")
    workspace = store.workspace_id

    async def scenario() -> None:
        async with (
            live_gateway(store.url, valkey.url, queue_prefix) as here,
            live_gateway(store.url, valkey.url, queue_prefix) as there,
            watcher(here.url, token(workspace)) as owner,
            watcher(there.url, token(workspace, "other")) as other,
        ):
            await owner.subscribe(shop)
            await other.subscribe(bank)
            client_id = other.of("auth_success")[0]["client_id"]
            frame = feed.notification_frame
            with valkey.client() as publisher:
                publish(
                    publisher,
                    queue_prefix,
                    [
                        LiveNotification(workspace, ("other",), frame(b'"other"')),
                        LiveNotification(workspace, None, frame(b'"all"')),
                        LiveBroadcast(workspace, shop, None, feed.message_frame(b'"shop"')),
                        LiveBroadcast(workspace, None, client_id, feed.message_frame(b'"one"')),
                        LiveBroadcast(workspace, None, None, feed.message_frame(b'"workspace"')),
                    ],
                )
            for client, notes, messages in (
                (owner, ["all"], ["shop", "workspace"]),
                (other, ["other", "all"], ["one", "workspace"]),
            ):
                await client.until(partial(_has_messages, messages))
                assert [f["data"] for f in client.of("notification")] == notes

    asyncio.run(scenario())


@pytest.mark.over_both
def test_drain(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    async def scenario() -> None:
        async with (
            live_gateway(store.url, valkey.url, queue_prefix) as gateway,
            watcher(gateway.url, token(store.workspace_id)) as client,
        ):
            await client.subscribe()
            gateway.server.should_exit = True
            assert await client.closed() == 1012

    asyncio.run(scenario())


def _has_messages(data: list[str], client: Watcher) -> bool:
    return [frame["data"] for frame in client.of("message")] == data
