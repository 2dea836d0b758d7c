"""Sockets that come and go in every way there is, in a process of their own.

    python -m tests.chaos.churn URL SLOTS < TOKEN

Says `churning` once the first are there. A line on stdin ends it, and is answered by how many came and went.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from collections import Counter

import uvloop

from tests.support.frames import CLOSE, PING, TEXT, client_frame
from tests.support.peers import Peer

STAY = (0.5, 8.0)


async def _come_and_go(url: str, token: str, draw: random.Random, ways: Counter[str], over: asyncio.Event) -> None:
    """One socket after the other: subscribed for a while, then gone politely, rudely or for a fault."""
    while not over.is_set():
        way = draw.choice(("close", "vanish", "fault", "half", "malformed", "unopened"))
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, AssertionError, TimeoutError):
            await _once(url, token, way, draw)
            ways[way] += 1
        await asyncio.sleep(0.05)


async def _once(url: str, token: str, way: str, draw: random.Random) -> None:
    if way == "unopened":
        peer = await Peer.connected(url)
        peer.writer.write(peer.head(token)[: draw.randrange(200)])
        await asyncio.sleep(draw.uniform(*STAY))
        peer.vanish()
        return
    peer = await Peer.opened(url, token)
    try:
        await peer.told("auth_success")
        peer.send(type="subscribe")
        await peer.told("subscribed")
        reading = asyncio.create_task(peer.closed())
        await asyncio.wait([reading], timeout=draw.uniform(*STAY))
        peer.writer.write(client_frame(PING, b"?"))
        if way == "close":
            peer.writer.write(client_frame(CLOSE, b"\x03\xe8"))
        elif way == "fault":
            peer.writer.write(client_frame(TEXT, b"\xff"))
        elif way == "malformed":
            peer.writer.write(client_frame(TEXT, json.dumps({"type": "?"}).encode()) * 10)
        elif way == "half":
            peer.writer.write(client_frame(TEXT, b"x" * 500)[:100])
        if way in ("close", "fault", "malformed"):
            await asyncio.wait([reading], timeout=5)
        reading.cancel()
    finally:
        peer.vanish()


async def _churn(url: str, slots: int) -> None:
    token = (await asyncio.to_thread(sys.stdin.readline)).strip()
    ways: Counter[str] = Counter()
    over = asyncio.Event()
    draws = [random.Random(number) for number in range(slots)]
    going = [asyncio.create_task(_come_and_go(url, token, draw, ways, over)) for draw in draws]
    while not ways:
        await asyncio.sleep(0.1)
    print("churning", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    over.set()
    await asyncio.gather(*going)
    print(json.dumps(ways), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_churn(sys.argv[1], int(sys.argv[2])))
