"""The pools after the server has hung up on their idle connections, as it does when it is started again."""

from __future__ import annotations

import asyncio

import psycopg
from sqlalchemy import text

from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.database import Database
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


def _hang_up(store: Store) -> None:
    with psycopg.connect(store.owner_url, autocommit=True) as owner:
        backends = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
        count = len(owner.execute(f"SELECT pg_terminate_backend(pid) {backends}", (APPLICATION,)).fetchall())
        assert count == SIZE
        eventually(lambda: not owner.execute(f"SELECT 1 {backends}", (APPLICATION,)).fetchall(), what="their end")
