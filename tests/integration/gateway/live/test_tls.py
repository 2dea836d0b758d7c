"""The live feed over TLS that the gateway itself ends: no proxy in front of it."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from tests.support.live import Log, live_gateway, publish, token, watcher
from tests.support.postgres import Store
from tests.support.valkey import Valkey


@pytest.mark.over_both
def test_by_wss(store: Store, valkey: Valkey, queue_prefix: str, tmp_path: Path) -> None:
    """Signed in, told live and from the log, more than a record of TLS holds, and closed with a code that arrives."""
    authority, pem, trusting = trustme.CA(), tmp_path / "server.pem", ssl.create_default_context()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    authority.configure_trust(trusting)
    log = Log(store)
    shop = log.framework("shop")
    epoch, _ = log.position()
    before = log.append([shop] * 20, padding=30_000)

    async def scenario() -> None:
        async with (
            live_gateway(store.url, valkey.url, queue_prefix, certificate=pem) as gateway,
            watcher(gateway.url, token(store.workspace_id), ssl=trusting) as client,
            watcher(gateway.url, ssl=trusting) as stranger,
            watcher(gateway.url, token(store.workspace_id), ssl=trusting) as binary,
        ):
            assert gateway.url.startswith("wss://")
            answer = await client.subscribe(since=(epoch, 0))
            assert (answer["recovered"], answer["replayed"]) == (True, 20)
            await client.has(list(range(1, 21)))
            with valkey.client() as publisher:
                publish(publisher, queue_prefix, log.append([shop] * 3, padding=30_000))
            await client.has(list(range(1, 24)))
            assert client.texts[-23].encode() == before[0].frame
            await stranger.send(type="auth", token="nonsense")
            assert await stranger.closed() == 4401
            await binary.first("auth_success")
            await binary.connection.send(b"bytes")
            assert await binary.closed() == 1003

    asyncio.run(scenario())
