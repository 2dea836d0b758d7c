"""The writer against a real server that comes and goes."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import uuid
from collections.abc import Sequence

import psycopg
import pytest

from convex_common.errors import StoreUnavailable
from convex_common.ids import Ids
from convex_common.postgres.database import Limits
from convex_gateway.ingest import arrays
from convex_gateway.ingest.connection import InboxRow
from convex_gateway.ingest.writer import Bounds, InboxWriter
from tests.integration.gateway.ingest.conftest import Hints, Ingest
from tests.support.postgres import Store


def row(number: int = 0, **changed: object) -> InboxRow:
    fields = {
        "kind": "test",
        "key": b"k",
        "shard": number % 64,
        "lane": 1,
        "payload": b"%d" % number,
        "traceparent": "t",
    }
    return InboxRow(**(fields | changed))  # type: ignore[arg-type]  # a table of fields


def test_arrays_arrive_as_they_left(store: Store) -> None:
    ids = Ids().take(3)
    with psycopg.connect(store.url) as connection:
        arrays.register(connection.adapters)
        found = connection.execute(
            "SELECT %b, %b, %b, %b",
            (
                arrays.uuids(ids),
                arrays.smallints([0, -1, 32_767]),
                arrays.texts(["", "ä\n", "x"]),
                arrays.byteas([b"\0\xff"]),
            ),
        ).fetchone()
    assert found == (ids, [0, -1, 32_767], ["", "ä\n", "x"], [b"\0\xff"])


def test_ids_are_in_the_order_of_acceptance(ingest: Ingest) -> None:
    async def accepted() -> list[uuid.UUID]:
        answers = await asyncio.gather(
            *(ingest.writer.write(ingest.workspace_id, [row(n), row(n)]) for n in range(500))
        )
        return [id_ for ids in answers for id_ in ids]

    ids = ingest.run(accepted())
    assert ids == sorted(ids)
    assert [bytes(found[5]) for found in ingest.inbox()] == [b"%d" % n for n in range(500) for _ in range(2)]


def test_a_workspace_at_fault_fails_alone(ingest: Ingest, elsewhere: uuid.UUID) -> None:
    async def written() -> Sequence[object]:
        return await asyncio.gather(
            ingest.writer.write(ingest.workspace_id, [row(1)]),
            ingest.writer.write(ingest.workspace_id, [row(2, traceparent="\0")]),
            ingest.writer.write(ingest.workspace_id, [row(3)]),
            ingest.writer.write(elsewhere, [row(4)]),
            return_exceptions=True,
        )

    ids = ingest.run(written())
    assert [isinstance(answer, list) for answer in ids] == [True, False, True, True]
    assert isinstance(ids[1], psycopg.Error)
    assert len(ingest.inbox()) == 2
    assert len(ingest.inbox(elsewhere)) == 1


def test_a_connection_ended_while_idle_costs_nobody_anything(ingest: Ingest) -> None:
    ingest.run(ingest.writer.write(ingest.workspace_id, [row()]))
    assert ingest.disconnect() == 1
    time.sleep(0.2)
    ingest.run(ingest.writer.write(ingest.workspace_id, [row()]))
    assert len(ingest.inbox()) == 2


def test_a_connection_ended_in_a_commit_is_refused_and_heals(ingest: Ingest) -> None:
    async def cut() -> Sequence[object]:
        await ingest.writer.write(ingest.workspace_id, [row()])
        with psycopg.connect(ingest.store.owner_url, autocommit=False) as owner:
            owner.execute("LOCK TABLE inbox IN EXCLUSIVE MODE")  # the commit stands still
            under_way = asyncio.create_task(ingest.writer.write(ingest.workspace_id, [row(1)]))
            await asyncio.sleep(0.2)
            behind = asyncio.create_task(ingest.writer.write(ingest.workspace_id, [row(2)]))
            await asyncio.sleep(0)
            assert ingest.disconnect() == 1
            owner.rollback()
            return await asyncio.gather(under_way, behind, return_exceptions=True)

    refused, written = ingest.run(cut())
    assert isinstance(refused, StoreUnavailable)
    assert isinstance(written, list)
    assert [bytes(found[5]) for found in ingest.inbox()] == [b"0", b"2"]


def test_a_statement_that_takes_too_long_is_refused_and_the_next_goes_on(store: Store) -> None:
    async def scenario() -> None:
        writer = InboxWriter(store.url, Ids(), Hints(), limits=Limits(statement=0.5))
        await writer.start()
        with psycopg.connect(store.owner_url) as owner:
            owner.execute("LOCK TABLE inbox IN EXCLUSIVE MODE")
            with pytest.raises(StoreUnavailable, match="timeout"):
                await writer.write(store.workspace_id, [row()])
        assert len(await writer.write(store.workspace_id, [row()])) == 1
        await writer.stop()

    asyncio.run(scenario())


def test_a_frozen_server_is_given_up_on_and_comes_back(store: Store) -> None:
    async def scenario() -> None:
        writer = InboxWriter(store.url, Ids(), Hints(), limits=Limits(statement=0.2))
        await writer.start()
        await writer.write(store.workspace_id, [row()])
        with psycopg.connect(store.owner_url, autocommit=True) as owner:
            pid: int = owner.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'gateway inbox' "
                "AND datname = current_database()"
            ).fetchall()[0][0]
        os.kill(pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            with pytest.raises(StoreUnavailable, match="no answer"):
                await writer.write(store.workspace_id, [row(1)])
            assert time.monotonic() - started < 3
            assert len(await _patiently(writer, store.workspace_id)) == 1
        finally:
            os.kill(pid, signal.SIGCONT)
        await writer.stop()

    asyncio.run(scenario())


async def _patiently(writer: InboxWriter, workspace_id: uuid.UUID) -> list[uuid.UUID]:
    for _ in range(100):
        try:
            return await writer.write(workspace_id, [row()])
        except StoreUnavailable:
            await asyncio.sleep(0.05)
    raise AssertionError("it does not heal")


def test_without_a_server_everybody_is_refused_at_once(store: Store) -> None:
    async def scenario() -> None:
        writer = InboxWriter("postgresql://convex@127.0.0.1:1/none", Ids(), Hints())
        await writer.start()
        answers = await asyncio.gather(
            *(writer.write(store.workspace_id, [row(n)]) for n in range(50)), return_exceptions=True
        )
        assert all(isinstance(answer, StoreUnavailable) for answer in answers)
        started = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await writer.write(store.workspace_id, [row()])
        assert time.monotonic() - started < 0.1
        await writer.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize("bounds", [Bounds(waiting_rows=10), Bounds(waiting_bytes=10)])
def test_only_so_much_may_wait(store: Store, bounds: Bounds) -> None:
    async def scenario() -> None:
        writer = InboxWriter(store.url, Ids(), Hints(), bounds=bounds)
        await writer.start()
        answers = await asyncio.gather(
            *(writer.write(store.workspace_id, [row(n % 10)]) for n in range(30)), return_exceptions=True
        )
        assert [isinstance(answer, list) for answer in answers] == [True] * 10 + [False] * 20
        assert all(isinstance(answer, StoreUnavailable) for answer in answers[10:])
        await writer.stop()

    asyncio.run(scenario())


def test_stopping_commits_what_waits_and_refuses_what_comes(store: Store) -> None:
    async def scenario() -> None:
        writer = InboxWriter(store.url, Ids(), Hints())
        await writer.start()
        waiting = [asyncio.create_task(writer.write(store.workspace_id, [row(n)])) for n in range(20)]
        await asyncio.sleep(0)
        await writer.stop()
        assert all(len(ids) == 1 for ids in await asyncio.gather(*waiting))
        with pytest.raises(StoreUnavailable, match="stopping"):
            await writer.write(store.workspace_id, [row()])

    asyncio.run(scenario())
