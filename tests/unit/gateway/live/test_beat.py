"""The wheel: who is due is ticked, once, and nobody else."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

from convex_gateway.live.beat import Beat, Ticking


class Member:
    def __init__(self, *answers: float | None) -> None:
        self.slot: set[Ticking] | None = None
        self.ticks: list[float] = []
        self.told: list[str] = []
        self._answers = list(answers)

    def tick(self, now: float) -> float | None:
        self.ticks.append(now)
        return self._answers.pop(0) if self._answers else None

    def revoked(self, workspace_id: UUID, user_id: str) -> None:
        self.told.append(user_id)


def turn(beat: Beat, now: float) -> None:
    for member in beat._due(now):
        beat._tick(member, now)


def test_who_is_due_is_ticked_at_the_first_turn_after_it() -> None:
    beat, member = Beat(0.5), Member(10.0, None)
    beat.at(member, 3.2)
    for now in (3.0, 3.4, 3.5, 4.0, 9.9, 10.5, 30.0):
        turn(beat, now)
    assert member.ticks == [3.5, 10.5]
    assert member.slot is None


def test_a_new_time_replaces_the_one_before_and_removal_ends_it() -> None:
    beat, moved, removed = Beat(0.5), Member(), Member()
    beat.at(moved, 100.0)
    beat.at(moved, 1.0)
    beat.at(removed, 1.0)
    beat.watch(removed)
    beat.remove(removed)
    for now in (2.0, 200.0):
        turn(beat, now)
    assert (moved.ticks, removed.ticks) == ([2.0], [])


def test_the_watched_are_ticked_at_every_turn_and_a_fault_ends_nothing() -> None:
    class Faulty(Member):
        def tick(self, now: float) -> float | None:
            super().tick(now)
            raise RuntimeError("by order of the test")

    beat, watched, faulty = Beat(0.5), Member(50.0, 50.0, 50.0), Faulty()
    beat.at(watched, 50.0)
    beat.watch(watched)
    beat.at(faulty, 0.0)
    for now in (1.0, 1.5):
        turn(beat, now)
    beat.unwatch(watched)
    turn(beat, 2.0)
    assert (watched.ticks, len(faulty.ticks)) == ([1.0, 1.5], 3)


def test_everybody_hears_of_a_revocation() -> None:
    beat, members = Beat(0.5), [Member(), Member()]
    for number, member in enumerate(members):
        beat.at(member, 20.0 * number)
    beat.revoked(uuid4(), "ada")
    assert [member.told for member in members] == [["ada"], ["ada"]]


def test_it_turns_by_itself() -> None:
    async def scenario() -> None:
        beat, member = Beat(0.01), Member()
        beat.at(member, 0.0)
        running = asyncio.create_task(beat.run())
        async with asyncio.timeout(5):
            while not member.ticks:
                await asyncio.sleep(0.005)
        running.cancel()

    asyncio.run(scenario())
