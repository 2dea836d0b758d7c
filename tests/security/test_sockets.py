"""Peers as attackers write them: each gets its code, is logged once, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import kosoku
import pytest

from convex_gateway import head_limit
from convex_gateway.head_limit import LARGEST, MOST_HEADERS
from convex_gateway.live import lean
from convex_gateway.live.endpoint import Endpoint
from convex_gateway.live.lean import LeanProtocol
from convex_gateway.live.lobby import Terms
from convex_gateway.live.session import Session
from tests.support.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, client_frame
from tests.support.live import LiveGateway, Log, live_gateway, publish, token, watcher
from tests.support.peers import Peer
from tests.support.postgres import Store
from tests.support.valkey import Valkey

BAD = {
    "unmasked": (client_frame(TEXT, b"{}", mask=None), 1002),
    "an unknown opcode": (client_frame(0x5), 1002),
    "reserved bits": (client_frame(TEXT, b"{}", reserved=4), 1002),
    "nothing to continue": (client_frame(CONTINUATION, b"{}"), 1002),
    "a ping that is too long": (client_frame(PING, b"x" * 126), 1002),
    "a ping in fragments": (client_frame(PING, fin=False), 1002),
    "a close with a code that is none": (client_frame(CLOSE, b"\x03\xee"), 1002),
    "no UTF-8": (client_frame(TEXT, b"\xff"), 1007),
    "a frame that announces too much": (client_frame(TEXT, b"x" * 65_537)[:14], 1009),
    "a frame that is too much": (client_frame(TEXT, b"x" * 1_000_000), 1009),
    "fragments that come to too much": (
        client_frame(TEXT, b"x" * 65_000, fin=False) + client_frame(CONTINUATION, b"x" * 600),
        1009,
    ),
    "binary": (client_frame(BINARY, b"x"), 1003),
    "ten frames that are no JSON": (client_frame(TEXT, b"{") * 10, 4400),
}
NO_ECHO = ("2.5", "3.1", "4.1.1", "4.1.2", "4.2.1", "4.2.2", "5.1", "5.2", "7.1.6", "7.3.*", "7.7.*", "7.9.*")


def held(gateway: LiveGateway) -> dict[str, Any]:
    """What this gateway has of sockets; all of it zero or empty where there are none."""
    endpoint = gateway.server.config.app.routes[0].endpoint  # type: ignore[union-attr]
    assert isinstance(endpoint, Endpoint)
    lobby, state = endpoint._lobby, gateway.server.server_state
    beat = gateway.hub.beat
    return {
        "active": int(gateway.metrics.websocket_connections_active._value.get()),
        "subscriptions": int(gateway.metrics.websocket_subscriptions_active._value.get()),
        "people": sum(counts.total() for counts in lobby.admission._users.values()) + len(lobby.admission._users),
        "workspaces": sum(lobby.admission._workspaces.values()),
        "addresses": sum(lobby.admission._addresses.values()),
        "in feeds": sum(len(feed.sockets) for feed in gateway.hub._feeds.values()),
        "ticking": sum(len(slot) for slot in beat._slots.values()) + len(beat._watched),
        "connections": len(state.connections),
        "tasks": len(state.tasks) + len(lobby._working),
        "objects": sum(type(one) in (Session, LeanProtocol) for one in gc.get_objects()),
    }


@contextlib.asynccontextmanager
async def leaving_nothing(gateway: LiveGateway) -> AsyncIterator[None]:
    """Afterwards there are as many sockets, tasks and objects as before."""
    before, tasks = held(gateway), len(asyncio.all_tasks())
    yield
    deadline = time.monotonic() + 20
    while (now := held(gateway)) != before or len(asyncio.all_tasks()) > tasks:
        more = {what: (before[what], count) for what, count in now.items() if count != before[what]}
        assert time.monotonic() < deadline, f"left behind: {more}, tasks {tasks}: {asyncio.all_tasks()}"
        await asyncio.sleep(0.05)
        gc.collect()


def faults(caplog: pytest.LogCaptureFixture) -> list[int]:
    """The codes that were logged since the last look; anything worse than information fails, of peers at least."""
    records = [record for record in caplog.records if record.name != "convex_gateway.live.hub"]  # which is of stores
    caplog.clear()
    assert [record.getMessage() for record in records if record.levelno > logging.INFO] == []
    return [vars(record)["code"] for record in records if "code" in vars(record)]


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here is waited for as long as in production."""
    monkeypatch.setattr(lean, "CLOSE_WITHIN", 0.5)
    monkeypatch.setattr(head_limit, "SECONDS", 0.5)


def test_bad_frames(store: Store, valkey: Valkey, queue_prefix: str, caplog: pytest.LogCaptureFixture) -> None:
    good = token(store.workspace_id)

    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix) as gateway, leaving_nothing(gateway):
            for name, (data, code) in BAD.items():
                peer = await Peer.opened(gateway.url, good)
                await peer.told("auth_success")
                peer.send(type="subscribe")
                await peer.told("subscribed")
                peer.writer.write(data)
                assert await peer.closed() == code, name
                assert faults(caplog) == [code], name
            assert gateway.metrics.websocket_errors._value.get() == len(BAD)

    asyncio.run(scenario())


def test_autobahns_cases_that_need_no_echo(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix) as gateway, leaving_nothing(gateway):
            results = await kosoku.run_fuzzingclient(gateway.url, cases=NO_ECHO, concurrency=8)
            assert len(results) > 30
            assert {result.behavior.value for result in results} <= {"OK", "INFORMATIONAL"}

    asyncio.run(scenario())


def test_a_byte_at_a_time(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    good = token(store.workspace_id)

    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix) as gateway, leaving_nothing(gateway):
            peer = await Peer.connected(gateway.url)

            async def trickle(data: bytes) -> None:
                for at in range(len(data)):
                    peer.writer.write(data[at : at + 1])
                    await asyncio.sleep(0)

            await trickle(peer.head(good))
            assert (await peer.answer())[0] == 101
            await peer.told("auth_success")
            await trickle(client_frame(TEXT, b'{"type":', fin=False) + client_frame(PING, b"?"))
            await trickle(client_frame(CONTINUATION, b'"subscribe"}'))
            await peer.told("subscribed")
            peer.vanish()

    asyncio.run(scenario())


@pytest.mark.usefixtures("brief")
def test_peers_that_vanish_or_stand_still(
    store: Store, valkey: Valkey, queue_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A stopped process and a cable that was cut look the same: nothing comes, and nothing says so."""
    good = token(store.workspace_id)

    async def scenario() -> None:
        async with live_gateway(
            store.url, valkey.url, queue_prefix, ws_heartbeat_interval=200, ws_timeout=2400
        ) as gateway:
            async with leaving_nothing(gateway):
                still = [await Peer.opened(gateway.url, good) for _ in range(5)]
                for peer in still:
                    await peer.told("auth_success")
                    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
            assert faults(caplog) == [4509] * 5
            for peer in still:
                peer.vanish()
        async with (
            live_gateway(store.url, valkey.url, queue_prefix) as patient,  # who comes slowly is not taken for gone
            leaving_nothing(patient),
        ):
            for number in range(5):
                peer = await Peer.opened(patient.url, good)
                if number % 2:
                    await peer.told("auth_success")
                peer.vanish()
        assert faults(caplog) == []

    asyncio.run(scenario())


def test_who_never_reads_is_let_go(
    store: Store, valkey: Valkey, queue_prefix: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean, "CLOSE_WITHIN", 0.5)
    good, log = token(store.workspace_id), Log(store)
    shop = log.framework("shop")

    async def scenario() -> None:
        terms = Terms(max_backlog=64 << 10)
        async with (
            live_gateway(store.url, valkey.url, queue_prefix, terms=terms) as gateway,
            watcher(gateway.url, good) as brisk,
        ):
            await brisk.subscribe()
            async with leaving_nothing(gateway):
                deaf = [await Peer.opened(gateway.url, good) for _ in range(10)]
                for peer in deaf:
                    peer.send(type="subscribe")
                    await peer.told("subscribed")
                    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
                waiting, sent = [0], 0
                with valkey.client() as publisher:
                    while gateway.metrics.websocket_errors._value.get() < len(deaf):
                        events = await asyncio.to_thread(log.append, [shop] * 40, padding=20_000)
                        publish(publisher, queue_prefix, events)
                        sent += len(events)
                        await brisk.counts(sent)
                        waiting += [one.backlog for one in tuple(gateway.server.server_state.connections)]  # type: ignore[union-attr]
                        assert sent < 4_000
                assert max(waiting) < terms.max_backlog + 100_000
            assert faults(caplog) == [4508] * 10
            assert brisk.offsets == list(range(1, sent + 1))
            for peer in deaf:
                peer.vanish()

    asyncio.run(scenario())


def test_a_flood_of_connections(
    store: Store, valkey: Valkey, queue_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    good, many, at_once = token(store.workspace_id), 150, 20

    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix, ws_max_per_address=at_once) as gateway:
            async with leaving_nothing(gateway):
                peers = await asyncio.gather(*(Peer.opened(gateway.url, good) for _ in range(many)))
                assert held(gateway)["addresses"] == at_once

                async def outcome(peer: Peer) -> int:
                    opcode, payload = await peer.frame()
                    return int.from_bytes(payload[:2], "big") if opcode == CLOSE else 0

                codes = Counter(await asyncio.gather(*(outcome(peer) for peer in peers)))
                assert codes == {0: at_once, 4510: many - at_once}
                for peer in peers:
                    peer.vanish()
            assert faults(caplog) == [4510] * (many - at_once)

    asyncio.run(scenario())


def test_a_token_in_the_query_is_refused_and_written_nowhere(
    store: Store, valkey: Valkey, queue_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = token(store.workspace_id)

    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix) as gateway, leaving_nothing(gateway):
            for name in ("token", "access_token", "authorization"):
                peer = await Peer.opened(f"{gateway.url}?{name}={good}", good)
                assert good not in (await peer.told("auth_failed"))["message"]
                assert await peer.closed() == 4401
                assert good not in caplog.text
                assert faults(caplog) == [4401]

    asyncio.run(scenario())


@pytest.mark.usefixtures("brief")
def test_heads_that_are_too_large_too_many_or_too_slow(
    store: Store, valkey: Valkey, queue_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    many = {f"X-{number}": "a" for number in range(MOST_HEADERS)}
    large: list[dict[str, str]] = [
        {"Cookie": "a" * LARGEST},
        {"Sec-WebSocket-Protocol": "a," * (LARGEST // 2)},
        {"Authorization": "Bearer " + "a" * LARGEST},
        many,
    ]

    async def scenario() -> None:
        async with live_gateway(store.url, valkey.url, queue_prefix) as gateway, leaving_nothing(gateway):
            for headers in large:
                peer = await Peer.connected(gateway.url)
                peer.writer.write(peer.head(**headers))
                assert (await peer.answer())[0] == 431
                peer.vanish()
            slow = [await Peer.connected(gateway.url) for _ in range(5)]
            for peer in slow:
                peer.writer.write(peer.head()[:-2])
            assert [(await peer.answer())[0] for peer in slow] == [408] * 5
            silent = await Peer.connected(gateway.url)
            assert await silent.reader.read() == b""
            for peer in (*slow, silent):
                peer.vanish()
            assert faults(caplog) == []

    asyncio.run(scenario())
