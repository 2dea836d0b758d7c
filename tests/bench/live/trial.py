"""One side in one round: it starts, so many connect, alerts are told, and everything about it is noted."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.live.figures import Arrivals, Connects
from tests.bench.live.ground import FRAME_BYTES, Ground
from tests.bench.live.load import Client
from tests.bench.live.machine import Watch, resident_kib
from tests.bench.live.sides import SIDES, Server

WARM_SOCKETS, WARM_ALERTS = 20, 30
SETTLED = 2.0
PATIENCE = 15.0


@dataclass(frozen=True)
class Plan:
    """What one side goes through: `alerts` one after the other has arrived, then `burst` at once."""

    sockets: int
    alerts: int
    burst: int
    at_once: int = 50


@dataclass(frozen=True)
class Trial:
    """What it showed."""

    connects: Connects
    connect_cpu_ms: float
    """The server's CPU for each socket, from the first packet until it is subscribed."""
    one_by_one: Arrivals
    burst: Arrivals
    cpu_us: float
    """The server's CPU for each message one after the other, in microseconds."""
    burst_cpu_us: float
    kib: float
    """Memory for each socket that is subscribed and was written to."""
    idle_share: float
    """Percent of a core that the server takes with these sockets and nothing to tell."""
    client_share: float
    faults: int
    """Messages that were missing, came twice or out of order, and sockets that were lost."""
    others: float


def attempt(ground: Ground, side: str, plan: Plan) -> Trial:
    """A fresh process of this side, and what it showed."""
    with SIDES[side](ground) as server:
        warm(ground, server)
        before = resident_kib(server.pid)
        connecting = Watch(server.pid)
        with Client(server.port, ground.tokens[: plan.sockets], at_once=plan.at_once) as client:
            connect_cpu, others = connecting.used(), [connecting.others()]
            time.sleep(SETTLED)
            idle = Watch(server.pid)
            time.sleep(SETTLED)
            idle_share = idle.share()
            first = ground.feed.next_offset
            client.watch(first, plan.alerts + plan.burst)
            told, theirs = Watch(server.pid), Watch(client.pid)
            sent = one_by_one(ground, client, plan.alerts)
            cpu, client_share = told.used(), theirs.share()
            others.append(told.others())
            resident = resident_kib(server.pid)
            told = Watch(server.pid)
            sent_at_once = at_once(ground, client, plan.burst)
            burst_cpu = told.used()
            others.append(told.others())
            seen, faults, _ = client.report()
    arrivals = Arrivals(sent, seen[: plan.alerts])
    burst = Arrivals(sent_at_once, seen[plan.alerts :])
    return Trial(
        connects=client.connects,
        connect_cpu_ms=1e3 * connect_cpu / plan.sockets,
        one_by_one=arrivals,
        burst=burst,
        cpu_us=1e6 * cpu / max(1, arrivals.messages),
        burst_cpu_us=1e6 * burst_cpu / max(1, burst.messages),
        kib=(resident - before) / plan.sockets,
        idle_share=idle_share,
        client_share=client_share,
        faults=arrivals.missing + burst.missing + faults["doubled"] + faults["disordered"] + faults["lost"],
        others=max(others),
    )


def warm(ground: Ground, server: Server) -> None:
    """A few sockets come and go, so that what is measured is no first time. AssertionError if nothing reaches them."""
    with Client(server.port, ground.tokens[-WARM_SOCKETS:]) as client:
        for number in range(WARM_ALERTS):
            event = ground.feed.commit(1)[0]
            client.watch(event.offset, 1)
            ground.feed.publish(event)
            got = client.wait(event.offset, within=2.0)
            assert got or number < 10, "what is published does not reach the sockets"
    time.sleep(0.5)


def one_by_one(ground: Ground, client: Client, alerts: int, frame_bytes: int = FRAME_BYTES) -> list[int]:
    """Tell each once the one before has reached everybody, and a moment later: when each was published."""
    sent = []
    for _ in range(alerts):
        event = ground.feed.commit(1, frame_bytes)[0]
        sent.append(ground.feed.publish(event))
        client.wait(event.offset, PATIENCE)
        time.sleep(random.uniform(0.005, 0.015))
    return sent


def at_once(ground: Ground, client: Client, alerts: int) -> Sequence[int]:
    """Tell all without waiting."""
    events = ground.feed.commit(alerts)
    sent = [ground.feed.publish(event) for event in events]
    client.wait(events[-1].offset, 4 * PATIENCE)
    return sent
