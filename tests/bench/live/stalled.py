"""A thousand sockets of which fifty never read: what the others notice, and what it costs in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from tests.bench import report
from tests.bench.live.figures import Arrivals, Rounds
from tests.bench.live.ground import FRAME_BYTES, Ground
from tests.bench.live.load import Client
from tests.bench.live.machine import Watch, resident_kib
from tests.bench.live.sides import OURS, SIDES
from tests.bench.live.trial import SETTLED, warm
from tests.bench.report import Gate, percentile, spread

SOCKETS, MUTE = 1_000, 50
RATE = 25.0
"""Alerts a second, to everybody."""
EXTRA_BYTES: Final = 32_768
"""Of a notification to the fifty alone beside each alert, whether they read or not: within seconds it fills what the
kernel takes for a socket (4 MiB, as Linux comes) and what our gateway lets wait behind that."""

NOTICED = 15.0
"""Seconds within which who reads again has read what was waiting, and why it was closed."""

ALONE, BESIDE = "all read", f"{MUTE} of them never read"
MEMORY_MIB: Final = MUTE * 1.25
"""A mebibyte may wait for each socket that does not read, and a frame or so more."""


@dataclass(frozen=True)
class Trial:
    """What the sockets that read saw, and the server's memory."""

    arrivals: Arrivals
    growth_mib: float
    """The most that its memory grew by while it told."""
    left_mib: float
    """What of it was left half a minute after, when the sockets were gone."""
    closed: int
    """Sockets that it ended."""
    faults: int
    others: float


class Memory:
    """The most that a process had, looked at ten times a second while it is open."""

    def __init__(self, pid: int) -> None:
        self.most = self.before = resident_kib(pid)
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(timeout=10)

    @property
    def growth_mib(self) -> float:
        return (self.most - self.before) / 1024

    def _look(self) -> None:
        while not self._over.wait(0.1):
            self.most = max(self.most, resident_kib(self._pid))


def run(ground: Ground, *, quick: bool) -> list[Gate]:
    """Print the table; what was demanded of it."""
    number, seconds = (1, 15.0) if quick else (4, 20.0)
    rounds: Rounds[Trial] = Rounds((ALONE, BESIDE))
    for round_ in range(number):
        found = {}
        for side in rounds.order(round_):
            report.say(f"stalled: round {round_ + 1} of {number}, {side} …")
            found[side] = _attempt(ground, MUTE if side == BESIDE else 0, seconds)
        rounds.add(found, {side: trial.others for side, trial in found.items()})
    _print(rounds, seconds)
    return [
        report.at_most(f"p99 beside {MUTE} sockets that never read", rounds.ratios(BESIDE, ALONE, _p99), 1.25, "times"),
        report.at_most(f"memory for {MUTE} sockets that never read", _grown(rounds), MEMORY_MIB, "MiB"),
        report.none(
            "missing, doubled or out of order at those that read", [t.faults for f in rounds.found for t in f.values()]
        ),
    ]


def _attempt(ground: Ground, mute: int, seconds: float) -> Trial:
    """The same sockets are measured with and without: those behind the first fifty."""
    with SIDES[OURS](ground) as server:
        warm(ground, server)
        with Client(server.port, ground.tokens[:SOCKETS], mute=mute) as client:
            time.sleep(SETTLED)
            alerts = int(seconds * RATE)
            client.watch(ground.feed.next_offset, alerts)
            watch, sent = Watch(server.pid), []
            with Memory(server.pid) as memory:
                due = time.monotonic()
                for _ in range(alerts):
                    event = ground.feed.commit(1)[0]
                    ground.feed.notify(ground.users[:MUTE], EXTRA_BYTES)
                    time.sleep(max(0.0, due - time.monotonic()))
                    sent.append(ground.feed.publish(event))
                    due = max(due, time.monotonic() - 1 / RATE) + 1 / RATE
                client.wait(event.offset, within=15)
            others = watch.others()
            seen, faults, ended = _ended(client)
        time.sleep(SETTLED)
        left = resident_kib(server.pid)
    arrivals = Arrivals(sent, [row[MUTE - mute :] for row in seen])
    return Trial(
        arrivals,
        memory.growth_mib,
        (left - memory.before) / 1024,
        ended,
        arrivals.missing + faults["doubled"] + faults["disordered"] + (0 if mute else ended),
        others,
    )


def _ended(client: Client) -> tuple[Sequence[Sequence[int]], dict[str, int], int]:
    """The client's report, and how many sockets the server has ended: who did not read learns of it by reading on."""
    if client.mute:
        client.unmute()
    deadline = time.monotonic() + NOTICED
    while True:
        seen, faults, closed = client.report()
        ended = max(faults["lost"], sum(closed.values()))
        if ended >= client.mute or time.monotonic() >= deadline:
            return seen, faults, ended
        time.sleep(0.5)


def _p99(trial: Trial) -> float:
    return percentile(trial.arrivals.single_ms(), 0.99)


def _grown(rounds: Rounds[Trial]) -> list[float]:
    return rounds.of(BESIDE, lambda trial: trial.growth_mib)


def _print(rounds: Rounds[Trial], seconds: float) -> None:
    report.markdown(
        f"{SOCKETS:,} sockets, {RATE:g} alerts a second for {seconds:g} s",
        (
            "",
            "p50 ms at the others",
            "p99",
            "memory grew by MiB, at most",
            "left when they were gone",
            "closed by us",
            "faults",
        ),
        [
            (
                side,
                spread(rounds.of(side, lambda trial: percentile(trial.arrivals.single_ms(), 0.5))),
                spread(rounds.of(side, _p99)),
                spread(rounds.of(side, lambda trial: trial.growth_mib)),
                spread(rounds.of(side, lambda trial: trial.left_mib)),
                spread(rounds.of(side, lambda trial: trial.closed), 0),
                sum(found[side].faults for found in rounds.found),
            )
            for side in rounds.sides
        ],
        caption=f"{FRAME_BYTES} bytes an alert, and {EXTRA_BYTES:,} more with each to the {MUTE} alone; "
        f"p99 beside over alone, round by round: {spread(rounds.ratios(BESIDE, ALONE, _p99), 2)}. "
        f"{rounds.how_quiet()}",
    )
