"""The pools and a server that hangs up on idle connections, as at a restart, or that does not move any more."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import uuid

import psycopg
import pytest
from sqlalchemy import text

from convex_common.errors import StoreUnavailable
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.bootstrap import ensure_members
from convex_common.postgres.database import Database, Limits
from convex_common.postgres.members import roles_of
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


def test_a_query_in_one_trip_is_its_workspaces_alone_and_leaves_nothing_behind(store: Store) -> None:
    odd = 'o\'neill\\ "%s" ; --'
    ensure_members(store.owner_url, store.workspace_id, [odd], "viewer")

    async def scenario() -> None:
        database = AsyncDatabase(store.url, APPLICATION, size=1)
        try:
            for _ in range(2):
                asked = {odd, "nobody", "'); DROP TABLE members; --"}
                assert await roles_of(database, store.workspace_id, asked) == {odd: "viewer"}
                assert await roles_of(database, uuid.uuid4(), {odd}) == {}, "another workspace's members are not seen"
            assert await database.rows(uuid.uuid4(), "SELECT user_id FROM members", {}) == []
            with pytest.raises(psycopg.errors.UndefinedTable):
                await database.rows(store.workspace_id, "SELECT 1 FROM nowhere", {})
            async with database.transaction() as connection:
                assert (await connection.execute(text("SELECT count(*) FROM members"))).scalar() == 0
            async with database.transaction(store.workspace_id) as connection:
                await connection.execute(text("UPDATE members SET role = 'admin'"))
                await connection.rollback()
            assert await roles_of(database, store.workspace_id, {odd}) == {odd: "viewer"}, "and transactions are whole"
        finally:
            await database.close()

    asyncio.run(scenario())


def test_a_query_in_one_trip_notices_nothing_of_a_restart_and_tells_of_what_is_away(store: Store) -> None:
    async def scenario() -> None:
        database = AsyncDatabase(store.url, APPLICATION, size=SIZE)
        try:
            async with database.transaction(), database.transaction(), database.transaction():
                pass
            await asyncio.to_thread(_hang_up, store)
            assert await database.rows(store.workspace_id, "SELECT count(*) FROM workspaces", {}) == [(1,)]
            with pytest.raises(StoreUnavailable):
                await database.rows(store.workspace_id, "SELECT pg_terminate_backend(pg_backend_pid())", {})
            assert await database.rows(store.workspace_id, "SELECT count(*) FROM workspaces", {}) == [(1,)]
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
