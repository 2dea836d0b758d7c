"""The pools and a server that hangs up on idle connections, as at a restart, or that does not move any more."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import psycopg
import pytest
from sqlalchemy import text

from convex_common.errors import StoreUnavailable
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.database import Database, Limits
from tests.support.eventually import eventually
from tests.support.postgres import Store

APPLICATION = "pool-tests"
SIZE = 3


def test_threads_notice_nothing(store: Store) -> None:
    database = Database(store.url, APPLICATION, size=SIZE)
    database.open()
    try:
        with database.transaction(), database.transaction(), database.transaction() as connection:
            connection.execute("SELECT 1")
        _hang_up(store)
        for _ in range(SIZE):
            with database.transaction(store.workspace_id) as connection:
                assert connection.execute("SELECT count(*) FROM workspaces").fetchone() == (1,)
    finally:
        database.close()


def test_the_event_loop_notices_nothing(store: Store) -> None:
    async def scenario() -> None:
        database = AsyncDatabase(store.url, APPLICATION, size=SIZE)
        try:
            async with database.transaction(), database.transaction(), database.transaction() as connection:
                await connection.execute(text("SELECT 1"))
            await asyncio.to_thread(_hang_up, store)
            for _ in range(SIZE):
                async with database.transaction(store.workspace_id) as connection:
                    assert (await connection.execute(text("SELECT count(*) FROM workspaces"))).scalar() == 1
        finally:
            await database.close()

    asyncio.run(scenario())


def test_a_frozen_server_is_given_up_on(store: Store) -> None:
    async def scenario() -> None:
        database = AsyncDatabase(store.url, APPLICATION, size=SIZE, limits=Limits(statement=0.2))
        try:
            async with database.transaction() as connection:
                pid = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            os.kill(pid, signal.SIGSTOP)
            try:
                began = time.monotonic()
                with pytest.raises(StoreUnavailable):
                    async with database.transaction() as connection:
                        await connection.execute(text("SELECT 1"))
                assert time.monotonic() - began < 4.0
                assert await database.reachable()
            finally:
                os.kill(pid, signal.SIGCONT)
        finally:
            await database.close()

    asyncio.run(scenario())


def _hang_up(store: Store) -> None:
    with psycopg.connect(store.owner_url, autocommit=True) as owner:
        backends = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
        count = len(owner.execute(f"SELECT pg_terminate_backend(pid) {backends}", (APPLICATION,)).fetchall())
        assert count == SIZE
        eventually(lambda: not owner.execute(f"SELECT 1 {backends}", (APPLICATION,)).fetchall(), what="their end")
