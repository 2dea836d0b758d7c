"""Sockets that a page opens: let in by the session's cookie, and only for pages of ours."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from websockets.exceptions import InvalidStatus

from convex_common.domain.role import Role
from convex_common.ids import Ids
from convex_common.metrics import Metrics
from convex_common.postgres.async_database import AsyncDatabase
from convex_gateway.live.lobby import Terms
from convex_gateway.origins import Site
from convex_gateway.principal import Principal
from convex_gateway.signin.sessions import Sessions
from tests.support.live import LiveGateway, live_gateway, watcher
from tests.support.postgres import Store
from tests.support.valkey import Valkey

pytestmark = pytest.mark.timeout(120)


@contextlib.asynccontextmanager
async def signed_in(store: Store) -> AsyncIterator[tuple[Sessions, str]]:
    """The sessions as another gateway has them, and the token of the owner's."""
    database = AsyncDatabase(store.url, "other", size=2)
    sessions = Sessions(database, Metrics(CollectorRegistry()), Ids(), Site())
    try:
        owner = Principal(store.workspace_id, "owner", Role.OWNER, time.time() + 3600, operator=False)
        yield sessions, (await sessions.begin(owner, "token")).token
    finally:
        await database.close()


def page(gateway: LiveGateway, token: str, **changed: str | None) -> dict[str, Any]:
    """The headers of a page of the gateway's own, unless changed."""
    own = gateway.url.replace("ws", "http", 1).removesuffix("/ws")
    headers = {"Origin": own, "Cookie": f"convex_session={token}"} | changed
    return {"headers": {name: value for name, value in headers.items() if value is not None}}


def test_our_page_is_let_in_by_its_cookie(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    async def scenario() -> None:
        async with signed_in(store) as (_, token), live_gateway(store.url, valkey.url, queue_prefix) as gateway:
            async with watcher(gateway.url, **page(gateway, token), subprotocols=["convex.v1"]) as client:
                assert (await client.first("auth_success"))["user_id"] == "owner"
                await client.subscribe()
            async with watcher(gateway.url, "nonsense", **page(gateway, token)) as client:
                assert await client.closed() == 4401, "a token that is given counts, not the cookie"

    asyncio.run(scenario())


def test_nobody_elses_page_is_let_in_by_it(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    terms = Terms(auth=0.2)

    async def scenario() -> None:
        async with signed_in(store) as (_, token):
            async with live_gateway(store.url, valkey.url, queue_prefix, terms=terms) as gateway:
                with pytest.raises(InvalidStatus):
                    async with watcher(gateway.url, **page(gateway, token, Origin="http://evil.example")):
                        pass
                own = page(gateway, token)["headers"]["Origin"]
                for name, origin in {"no browser": None, "another scheme": own.replace("http", "https", 1)}.items():
                    async with watcher(gateway.url, **page(gateway, token, Origin=origin)) as client:
                        assert await client.closed() == 4408, name
                for name, cookie in {
                    "unknown": "convex_session=" + "x" * 43,
                    "nonsense": "convex_session=;",
                    "two": f"convex_session={token}; convex_session=planted",
                }.items():
                    async with watcher(gateway.url, **page(gateway, token, Cookie=cookie)) as client:
                        assert await client.closed() == 4401, name
            async with (
                live_gateway(store.url, valkey.url, queue_prefix, ws_allowed_origins="https://a.example") as gateway,
                watcher(gateway.url, **page(gateway, token, Origin="https://a.example")) as client,
            ):
                assert await client.first("auth_success")
            async with (
                live_gateway(store.url, valkey.url, queue_prefix, terms=terms, ws_allowed_origins="*") as gateway,
                watcher(gateway.url, **page(gateway, token, Origin="http://evil.example")) as client,
            ):
                assert await client.closed() == 4408, "`*` lets tokens in, and never a cookie"

    asyncio.run(scenario())


def test_a_session_that_ends_closes_its_sockets(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    async def scenario() -> None:
        async with (
            signed_in(store) as (sessions, token),
            live_gateway(store.url, valkey.url, queue_prefix, terms=Terms(recheck=0.1)) as gateway,
            watcher(gateway.url, **page(gateway, token)) as client,
        ):
            await client.first("auth_success")
            assert await sessions.end(token)
            gateway.sessions._known.clear()  # its 20 seconds are over
            assert await client.closed() == 4401

    asyncio.run(scenario())


def test_the_terms_of_a_minute_hold() -> None:
    """A session that ended elsewhere is remembered for a while, and sockets look now and then."""
    from convex_gateway.signin.sessions import FRESH_SECONDS

    assert FRESH_SECONDS + 1.2 * Terms().recheck < 60
