"""Telling what happened: in order, once, in one write where one will do, and never for long at a time."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Sequence

import pytest

from convex_gateway.live import fanout
from convex_gateway.live.entry import Entry
from convex_gateway.live.fanout import BATCH_BYTES, SLICE, FanOut, Round
from convex_gateway.live.frames import text_frame
from convex_gateway.live.socket import Socket
from convex_gateway.live.wire import Flow

SHOP, BANK = uuid.UUID(int=1), uuid.UUID(int=2)


class Wire:
    """A connection that notes each write."""

    def __init__(self, *, behind: bool = False, backlog: int = 0, broken: bool = False) -> None:
        self.writes: list[bytes] = []
        self.heard_at, self.backlog, self.closing = 0.0, backlog, False
        self.behind_since = 1.0 if behind else None
        self.broken = broken
        self.codes: list[int] = []

    @property
    def flow(self) -> Flow | None:
        return self if self.behind_since is None and not self.closing else None

    def write(self, data: bytes, /) -> None:
        if self.broken:
            raise OSError("broken")
        self.writes.append(data)

    def close(self, code: int, reason: str) -> None:
        self.closing = True
        self.codes.append(code)


def socket_of(wire: Wire, *scopes: uuid.UUID | None, after: int = 0, cursor: int = 0) -> Socket:
    socket = Socket(wire)  # type: ignore[arg-type]  # what the fan-out uses of it
    for scope in scopes:
        socket.interests.add(scope, after)
    socket.live, socket.cursor = True, cursor
    return socket


def entries(first: int, *frameworks: uuid.UUID, size: int = 10) -> list[Entry]:
    return [Entry(first + n, framework, b"%d" % (first + n) * size, 0.0) for n, framework in enumerate(frameworks)]


def framed(*told: Entry) -> bytes:
    return b"".join(text_frame(entry.frame) for entry in told)


class Told:
    """A fan-out to these sockets, and how many frames it counted."""

    def __init__(self, sockets: Sequence[Socket]) -> None:
        self.sent = 0
        self.asked: list[set[uuid.UUID]] = []
        self._sockets = sockets
        self.fanout = FanOut(0, self._audience, self._count)

    def _audience(self, frameworks: Collection[uuid.UUID]) -> Collection[Socket]:
        self.asked.append(set(frameworks))
        return self._sockets

    def _count(self, sent: int) -> None:
        self.sent += sent


def tell(sockets: Sequence[Socket], changes: Sequence[Entry]) -> Told:
    """All at once, as they come in a burst."""
    told = Told(sockets)

    async def scenario() -> None:
        for entry in changes:
            told.fanout.change(entry)
        while told.fanout.offset < changes[-1].offset:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(scenario(), 20))
    return told


def test_a_burst_is_one_write_to_who_wants_all_of_it() -> None:
    wires = [Wire() for _ in range(3)]
    changes = entries(1, SHOP, BANK, SHOP)
    told = tell([socket_of(wire, None) for wire in wires], changes)
    assert [wire.writes for wire in wires] == [[framed(*changes)]] * 3
    assert told.sent == 9
    assert told.asked == [{SHOP, BANK}]


@pytest.mark.parametrize(
    ("scopes", "after", "cursor", "wanted"),
    [
        pytest.param([SHOP], 0, 0, [1, 3], id="a framework's"),
        pytest.param([None], 2, 0, [3], id="what began later"),
        pytest.param([None], 0, 2, [3], id="what it has not got"),
        pytest.param([None, SHOP], 0, 0, [1, 2, 3], id="by two scopes, once"),
        pytest.param([None], 0, 3, [], id="nothing that it has got"),
    ],
)
def test_of_a_burst_each_gets_what_it_wants(
    scopes: list[uuid.UUID | None], after: int, cursor: int, wanted: list[int]
) -> None:
    wire, changes = Wire(), entries(1, SHOP, BANK, SHOP)
    told = tell([socket_of(wire, *scopes, after=after, cursor=cursor)], changes)
    assert b"".join(wire.writes) == framed(*(entry for entry in changes if entry.offset in wanted))
    assert told.sent == len(wanted)


def test_who_is_being_brought_up_to_date_is_passed_by() -> None:
    wire = Wire()
    socket = socket_of(wire, None)
    socket.live = False
    assert tell([socket], entries(1, SHOP)).sent == 0
    assert (wire.writes, socket.cursor) == ([], 0)


def test_a_burst_is_cut_where_it_is_large_and_stays_in_order() -> None:
    wire, changes = Wire(), entries(1, *[SHOP] * 40, size=2_000)
    tell([socket_of(wire, None)], changes)
    assert b"".join(wire.writes) == framed(*changes)
    assert len(wire.writes) > 1
    assert max(map(len, wire.writes)) <= BATCH_BYTES + 4_100


def test_who_is_behind_is_looked_at_and_closed_beyond_the_bound() -> None:
    slow, stuck = Wire(behind=True, backlog=100), Wire(behind=True, backlog=2 << 20)
    changes = entries(1, SHOP, SHOP)
    tell([socket_of(slow, None), socket_of(stuck, None)], changes)
    assert slow.writes == [framed(changes[0]), framed(changes[1])]
    assert (stuck.writes, stuck.codes) == ([], [4508])


def test_a_fault_of_one_socket_is_no_other_s() -> None:
    broken, well = Wire(broken=True), Wire()
    changes = entries(1, SHOP)
    assert tell([socket_of(broken, None), socket_of(well, None)], changes).sent == 1
    assert well.writes == [framed(*changes)]


def test_changes_and_other_rounds_stay_in_their_order() -> None:
    wire = Wire()
    socket = socket_of(wire, None)
    told = Told([socket])
    first, second = entries(1, SHOP, SHOP)

    async def scenario() -> None:
        told.fanout.change(first)
        told.fanout.push(Round(lambda: [socket], lambda s: s.send(b"between")))
        told.fanout.change(second)
        while told.fanout.offset < 2:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(scenario(), 20))
    assert wire.writes == [framed(first), b"between", framed(second)]
    assert told.sent == 3


@pytest.mark.parametrize(
    ("size", "at_once"),
    [
        pytest.param(100, SLICE, id="small frames"),
        pytest.param(64 << 10, 2 << 20 >> 16, id="large ones: fewer sockets"),
    ],
)
def test_the_loop_turns_between_slices(size: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The most that is written in one turn of the loop is a slice, over rounds as well."""
    wires = [Wire() for _ in range(SLICE + 100)]
    told = Told([socket_of(wire, None) for wire in wires])
    changes = [Entry(n, SHOP, bytes(size), 0.0) for n in (1, 2)]
    monkeypatch.setattr(fanout, "BATCH_BYTES", 0)  # each change is a round
    turns: list[int] = []

    async def scenario() -> None:
        for entry in changes:
            told.fanout.change(entry)
        written = 0
        while told.fanout.offset < 2:
            await asyncio.sleep(0)
            now = sum(len(wire.writes) for wire in wires)
            turns.append(now - written)
            written = now

    asyncio.run(asyncio.wait_for(scenario(), 20))
    assert sum(turns) == 2 * len(wires)
    assert max(turns) <= at_once
    assert max(turns) > at_once // 2
