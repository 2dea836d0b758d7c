"""Workspaces take turns: order within each, and nobody waits for all of another's."""

from __future__ import annotations

import asyncio
import uuid

from hypothesis import given
from hypothesis import strategies as st

from convex_gateway.ingest.connection import InboxRow
from convex_gateway.ingest.turns import TURN_ROWS, Submission, Turns

NOISY, QUIET = uuid.UUID(int=1), uuid.UUID(int=2)
BYTES = 1 << 30


def row(payload: bytes = b"12345678") -> InboxRow:
    return InboxRow(kind="k", key=b"k", shard=0, lane=1, payload=payload, traceparent="t")


def submission(workspace: uuid.UUID, rows: int) -> Submission:
    async def made() -> Submission:
        return Submission(workspace, [row()] * rows)

    return asyncio.run(made())


def test_one_workspace_alone_fills_a_batch() -> None:
    turns = Turns()
    for _ in range(4):
        turns.add(submission(NOISY, TURN_ROWS))
    assert not turns.is_shared
    assert [len(one.rows) for one in turns.take(3 * TURN_ROWS, BYTES)] == [TURN_ROWS] * 3
    assert (turns.rows, bool(turns)) == (TURN_ROWS, True)


def test_a_quiet_one_is_in_the_next_batch_whatever_waits_before_it() -> None:
    turns = Turns()
    for _ in range(100):
        turns.add(submission(NOISY, TURN_ROWS))
    turns.add(submission(QUIET, 1))
    assert turns.is_shared
    assert QUIET in {one.workspace_id for one in turns.take(2 * TURN_ROWS, BYTES)}


def test_turns_go_on_where_the_last_batch_ended() -> None:
    turns = Turns()
    workspaces = [uuid.UUID(int=n) for n in range(1, 6)]
    for workspace in workspaces:
        for _ in range(2):
            turns.add(submission(workspace, TURN_ROWS))
    taken = [turns.take(TURN_ROWS, BYTES)[0].workspace_id for _ in range(10)]
    assert taken == workspaces * 2
    assert not turns


def test_bytes_end_a_batch_too() -> None:
    turns = Turns()
    for _ in range(3):
        turns.add(submission(NOISY, 10))
    assert len(turns.take(1000, 81)) == 2, "what goes beyond is the last"


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 700)), max_size=30), st.integers(1, 2000))
def test_all_that_waits_is_taken_once_and_in_its_workspaces_order(sent: list[tuple[int, int]], most: int) -> None:
    turns = Turns()
    submissions = [submission(uuid.UUID(int=workspace), rows) for workspace, rows in sent]
    for one in submissions:
        turns.add(one)
    taken: list[Submission] = []
    while turns:
        batch = turns.take(most, BYTES)
        if len(taken) % 3 == 1:
            turns.put_back(batch)
            batch = turns.take(most, BYTES)
        taken += batch
    assert (turns.rows, turns.size) == (0, 0)
    assert sorted(map(id, taken)) == sorted(map(id, submissions))
    for workspace in {one.workspace_id for one in submissions}:
        ours = [one for one in submissions if one.workspace_id == workspace]
        assert [one for one in taken if one.workspace_id == workspace] == ours
