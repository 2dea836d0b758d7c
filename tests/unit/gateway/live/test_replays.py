"""Replays out of memory and out of the log: exactly what was missed, read once for all, and little of it held."""

from __future__ import annotations

import asyncio
import gc
import uuid
import weakref
from collections import Counter
from collections.abc import Sequence
from typing import cast

import pytest

from convex_common.errors import StoreUnavailable
from convex_gateway.live.entry import Entry
from convex_gateway.live.history import History
from convex_gateway.live.interests import Interests, Scope
from convex_gateway.live.pages import PAGE, Pages
from convex_gateway.live.replays import MAX_REPLAYED, MAX_SCANNED, Missed, Replays
from convex_gateway.live.ring import Ring

WORKSPACE, SHOP, BANK = uuid.UUID(int=9), uuid.UUID(int=1), uuid.UUID(int=2)
FRAME = 1_000


class Watched(Entry):
    """An entry that can be counted while it is alive."""

    __slots__ = ("__weakref__",)
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class Log:
    """A workspace's log without a database: each tenth offset is the bank's, all others the shop's."""

    def __init__(self, *, oldest: int = 1, away: int = 0) -> None:
        self.reads: Counter[tuple[int, int]] = Counter()
        self.held: weakref.WeakSet[Watched] = weakref.WeakSet()
        self.most_at_once = 0
        self._at_once = 0
        self._oldest = oldest
        self._away = away

    async def between(self, workspace_id: uuid.UUID, after: int, upto: int) -> list[Entry]:
        self.reads[after, upto] += 1
        return await self._found(range(max(after + 1, self._oldest), upto + 1))

    async def of_framework(
        self, workspace_id: uuid.UUID, framework_id: uuid.UUID, after: int, upto: int, limit: int
    ) -> list[Entry]:
        return await self._found([n for n in range(after + 1, upto + 1) if framework_of(n) == framework_id][:limit])

    async def count_of_framework(
        self, workspace_id: uuid.UUID, framework_id: uuid.UUID, after: int, upto: int, limit: int
    ) -> int:
        return min(limit, sum(framework_of(n) == framework_id for n in range(after + 1, upto + 1)))

    async def is_kept(self, workspace_id: uuid.UUID, offset: int) -> bool:
        return offset >= self._oldest

    def within_term(self, entry: Entry) -> bool:
        return True

    async def _found(self, offsets: Sequence[int]) -> list[Entry]:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(0)
        self._at_once -= 1
        if self._away:
            self._away -= 1
            raise StoreUnavailable("by order of the test")
        rows = [Watched(offset, framework_of(offset), bytes(FRAME), 0.0) for offset in offsets]
        self.held.update(rows)
        return list(rows)


def framework_of(offset: int) -> uuid.UUID:
    return SHOP if offset % 10 else BANK


def entry(offset: int) -> Entry:
    return Entry(offset, framework_of(offset), bytes(FRAME), 0.0)


def replays_of(log: Log, pages: Pages | None = None, ring: Sequence[int] = ()) -> Replays:
    history, remembered = cast(History, log), Ring()
    for offset in ring:
        remembered.append(entry(offset))
    return Replays(WORKSPACE, history, remembered, pages or Pages(history))


async def walked(replays: Replays, missed: Missed) -> list[int] | None:
    """The offsets that a client gets; None where it has to reload."""
    announced = await replays.count(missed)
    if announced is None:
        return None
    found, at = [], missed.after
    while at < missed.upto:
        entries, at = await replays.part(missed, at)
        found += [entry.offset for entry in entries if missed.takes(entry)]
    assert len(found) == announced
    return found


@pytest.mark.parametrize(
    ("scope", "after", "upto", "had"),
    [
        pytest.param(None, 0, 1_234, {}, id="all from the beginning"),
        pytest.param(None, 499, 501, {}, id="beside the edge of a page"),
        pytest.param(None, 500, 1_000, {}, id="a page"),
        pytest.param(None, 700, 700, {}, id="nothing"),
        pytest.param(BANK, 3, 1_777, {}, id="a framework's"),
        pytest.param(None, 3, 1_777, {BANK: 900}, id="without what it had of a framework"),
        pytest.param(BANK, 3, 1_777, {None: 900}, id="a framework's without what it had of all"),
        pytest.param(BANK, 0, MAX_REPLAYED + 500, {}, id="a framework's from far"),
        pytest.param(BANK, 0, MAX_REPLAYED + 500, {None: 5_000}, id="a framework's from far, without what it had"),
    ],
)
@pytest.mark.parametrize("ring", [range(0), range(600, 20_000)], ids=["from the log", "the ring has the newest"])
def test_just_what_was_missed(scope: Scope, after: int, upto: int, had: dict[Scope, int], ring: range) -> None:
    interests = Interests()
    for known, since in had.items():
        interests.add(known, since)
    kept = [offset for offset in ring if offset <= upto]
    found = asyncio.run(walked(replays_of(Log(), ring=kept), Missed(scope, after, upto, interests)))
    assert found == [
        n
        for n in range(after + 1, upto + 1)
        if scope in (None, framework_of(n)) and not interests.wants(framework_of(n), n)
    ]


@pytest.mark.parametrize(
    ("scope", "after", "upto"),
    [
        pytest.param(None, 0, MAX_REPLAYED + 1, id="too many"),
        pytest.param(None, 100, 2_000, id="older than what is left"),
        pytest.param(BANK, 100, 2_000, id="a framework's, older than what is left"),
        pytest.param(BANK, 100, MAX_REPLAYED + 200, id="a framework's, from far, older than what is left"),
        pytest.param(BANK, 1_000, MAX_SCANNED + 1_001, id="a framework's, from too far"),
        pytest.param(SHOP, 1_000, MAX_REPLAYED * 2 + 1_000, id="too many of a framework"),
    ],
)
def test_too_much_or_too_old(scope: Scope, after: int, upto: int) -> None:
    assert asyncio.run(walked(replays_of(Log(oldest=500)), Missed(scope, after, upto, Interests()))) is None


def test_a_page_that_grew_is_read_again() -> None:
    log = Log()
    replays = replays_of(log)

    async def scenario() -> None:
        assert await walked(replays, Missed(None, 0, 100, Interests())) == list(range(1, 101))
        assert await walked(replays, Missed(None, 50, 300, Interests())) == list(range(51, 301))
        assert await walked(replays, Missed(None, 0, 200, Interests())) == list(range(1, 201))

    asyncio.run(scenario())
    assert log.reads == {(0, 100): 1, (0, 300): 1}


def test_after_a_restore_nothing_is_remembered() -> None:
    log = Log()
    replays = replays_of(log)

    async def scenario() -> None:
        await walked(replays, Missed(None, 0, 100, Interests()))
        replays.forget()
        await walked(replays, Missed(None, 0, 100, Interests()))

    asyncio.run(scenario())
    assert log.reads == {(0, 100): 2}


def test_a_failure_is_everybody_s_and_the_next_one_asks_again() -> None:
    log = Log(away=1)
    replays = replays_of(log)

    async def scenario() -> None:
        missed = Missed(None, 0, 100, Interests())
        failed = await asyncio.gather(*(replays.count(missed) for _ in range(3)), return_exceptions=True)
        assert [type(of) for of in failed] == [StoreUnavailable] * 3
        assert await replays.count(missed) == 100

    asyncio.run(scenario())
    assert log.reads == {(0, 100): 2}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("later", range(8))
def test_who_wants_more_of_a_page_gets_it_whenever_they_come(later: int) -> None:
    """Also in the very turn of the event loop in which the page has just been read, and is about to be put down."""
    replays = replays_of(Log())

    async def scenario() -> None:
        first = asyncio.create_task(replays.count(Missed(None, 0, 10, Interests())))
        for _ in range(later):
            await asyncio.sleep(0)
        assert await replays.count(Missed(None, 0, 20, Interests())) == 20
        assert await first == 10

    asyncio.run(scenario())


def test_one_client_s_end_is_no_other_s() -> None:
    replays = replays_of(Log())

    async def scenario() -> None:
        missed = Missed(None, 0, 100, Interests())
        impatient, patient = (asyncio.create_task(replays.count(missed)) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient == 100

    asyncio.run(scenario())


def test_two_thousand_that_come_back_from_far_hold_little() -> None:
    """Each at a place of its own and at its own pace: what is alive is what is kept, and each page was read once."""
    log = Log()
    pages = Pages(cast(History, log))
    replays = replays_of(log, pages)
    total, most = MAX_REPLAYED, 0

    async def client(after: int) -> None:
        nonlocal most
        missed, at, got = Missed(None, after, total, Interests()), after, 0
        while at < total:
            entries, at = await replays.part(missed, at)
            got += len(entries)
            del entries
            await asyncio.sleep(0)  # it waits for whoever reads slowly
            most = max(most, len(log.held))
        assert got == total - after

    async def scenario() -> None:
        await asyncio.gather(*(client(total * number // 2_000) for number in range(2_000)))

    asyncio.run(scenario())
    assert set(log.reads.values()) == {1}
    assert len(log.reads) == total // PAGE
    assert most <= total
    assert log.most_at_once <= 4


def test_what_is_kept_is_bounded_over_all_workspaces() -> None:
    log = Log()
    pages = Pages(cast(History, log), max_bytes=3 * PAGE * (FRAME + 256), at_once=2)

    async def scenario() -> None:
        everybody = [replays_of(log, pages) for _ in range(8)]
        missed = Missed(None, 0, 5 * PAGE, Interests())
        for found in await asyncio.gather(*(walked(replays, missed) for replays in everybody)):
            assert found == list(range(1, 5 * PAGE + 1))

    asyncio.run(scenario())
    gc.collect()
    assert len(log.held) <= 3 * PAGE
    assert log.most_at_once <= 2
