"""The audit log on PostgreSQL: written by every transaction that acts, in one chain, and tampered with by its owner."""

from __future__ import annotations

import asyncio
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, InvalidTextRepresentation

from convex_common.domain.audit import Act, Head, Record, hash_of, verify
from convex_common.postgres import audit
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.bootstrap import ensure_workspace
from convex_common.postgres.database import Database
from tests.support.postgres import Store

WORDS = ("rule.created", "channel.changed", "alert.resolved", "größer „als“ \U0001f600", "a,b:3:c", "")
DETAILS: tuple[dict[str, Any], ...] = (
    {},
    {"changes": {"threshold_value": {"from": 1e300, "to": 0.1 + 0.2}}, "n": 12345678901234567890},
    {"b": [1, 2.50, None, True], "a": "\u2028 \\ \" ' \t é", "": {}},
    {"name": "x" * 5000},
)


def acts(count: int, seed: int = 0) -> list[Act]:
    chosen = random.Random(seed)
    return [
        Act(f"user{n % 7}", chosen.choice(WORDS), f"rule:{n}", chosen.choice(DETAILS), chosen.choice([None, "ab" * 16]))
        for n in range(count)
    ]


def read(database: Database, workspace_id: uuid.UUID) -> tuple[list[Record], Head | None]:
    with database.transaction(workspace_id) as connection:
        return list(audit.chain(connection, workspace_id)), audit.head(connection, workspace_id)


@pytest.fixture
def owner(store: Store) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """One that can do what no service can, with the guard taken away."""
    with psycopg.connect(store.owner_url) as connection:
        connection.execute("ALTER TABLE audit_log DISABLE TRIGGER stays")
        connection.commit()
        yield connection


def test_what_was_recorded_is_there_and_its_hashes_are_those_of_the_domain(database: Database, store: Store) -> None:
    wanted = acts(40)
    with database.transaction(store.workspace_id) as connection:
        audit.record_now(connection, store.workspace_id, *wanted[:15])
    with database.transaction(store.workspace_id) as connection:
        audit.record_now(connection, store.workspace_id, *wanted[15:])
        audit.record_now(connection, store.workspace_id)
    records, head = read(database, store.workspace_id)
    assert [(r.sequence, r.actor, r.action, r.subject, r.trace_id) for r in records] == [
        (n, act.actor, act.action, act.subject, act.trace_id) for n, act in enumerate(wanted, 1)
    ]
    assert all(record.hash == hash_of(record) for record in records)
    assert verify(store.workspace_id, records, head).broken is None


def test_an_event_loop_records_in_its_transaction(database: Database, store: Store) -> None:
    async def act(fail: bool) -> None:
        pool = AsyncDatabase(store.url, "tests")
        try:
            async with pool.transaction(store.workspace_id) as connection:
                await audit.record(connection, store.workspace_id, *acts(3))
                if fail:
                    raise InterruptedError
        finally:
            await pool.close()

    with pytest.raises(InterruptedError):
        asyncio.run(act(fail=True))
    asyncio.run(act(fail=False))
    records, head = read(database, store.workspace_id)
    assert len(records) == 3
    assert verify(store.workspace_id, records, head).broken is None


def test_nobody_records_for_another_workspace(database: Database, store: Store) -> None:
    other = ensure_workspace(store.owner_url, slug="other", name="Other", owner_user="owner")
    before = read(database, other)
    for own in (store.workspace_id, None):
        with pytest.raises(InsufficientPrivilege), database.transaction(own) as connection:
            audit.record_now(connection, other, *acts(1))
    assert read(database, other) == before


def test_a_detail_that_is_no_json_records_nothing(database: Database, store: Store) -> None:
    with pytest.raises(InvalidTextRepresentation), database.transaction(store.workspace_id) as connection:
        connection.execute(
            "SELECT audit_append(%s, '{a,a}', '{b,b}', '{c,c}', %s, '{NULL,NULL}')", (store.workspace_id, ["{}", "{"])
        )
    assert read(database, store.workspace_id)[0] == []


def test_writers_at_once_make_one_chain_each_and_never_wait_for_one_another_in_a_ring(
    database: Database, store: Store
) -> None:
    """As they lock: configuration takes the workspace's row, actions the feed's, all of them the head."""
    other = ensure_workspace(store.owner_url, slug="other", name="Other", owner_user="owner")
    failures: list[BaseException] = []

    def configure(workspace_id: uuid.UUID, n: int) -> None:
        with database.transaction(workspace_id) as connection:
            connection.execute("UPDATE workspaces SET config_version = config_version + 1")
            audit.record_now(connection, workspace_id, *acts(2, n))

    def act(workspace_id: uuid.UUID, n: int) -> None:
        with database.transaction(workspace_id) as connection:
            audit.record_now(connection, workspace_id, *acts(3, n))
            connection.execute("UPDATE workspace_feed SET next_offset = next_offset + 1")

    def work(writer: Callable[[uuid.UUID, int], None], workspace_id: uuid.UUID) -> None:
        try:
            for n in range(20):
                writer(workspace_id, n)
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=work, args=(writer, workspace_id))
        for writer in (configure, act)
        for workspace_id in (store.workspace_id, other)
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for workspace_id in (store.workspace_id, other):
        records, head = read(database, workspace_id)
        assert len(records) == 2 * 20 * (2 + 3)
        assert verify(workspace_id, records, head).broken is None


# -- Tampering ----------------------------------------------------------------------------------------------------

EDITABLE: tuple[str, ...] = ("at", "actor", "action", "subject", "detail", "trace_id", "previous_hash", "hash")


def _edited(record: Record, chosen: random.Random) -> Record:
    field = chosen.choice(EDITABLE)
    value = getattr(record, field)
    if field == "at":
        changed: object = value.replace(microsecond=(value.microsecond + 1) % 1_000_000)
    elif isinstance(value, bytes):
        place = chosen.randrange(len(value) or 1)
        changed = (
            value[:place] + bytes([(value[place] if value else 0) ^ 1 << chosen.randrange(8)]) + value[place + 1 :]
        )
    else:
        changed = (value or "") + "x"
    different: dict[str, Any] = {field: changed}
    edited = replace(record, **different)
    return replace(edited, hash=hash_of(edited)) if field != "hash" and chosen.random() < 0.3 else edited


def _tampered(records: list[Record], chosen: random.Random) -> list[Record]:
    """One random edit, deletion, or reordering; a third of the edits with a hash that fits."""
    copy, place = list(records), chosen.randrange(len(records))
    match chosen.choice(("edit", "delete", "cut", "swap", "exchange")):
        case "edit":
            copy[place] = _edited(copy[place], chosen)
        case "delete":
            del copy[place]
        case "cut":
            del copy[place:]
        case "swap":  # the rows' order
            other = chosen.choice([n for n in range(len(records)) if n != place])
            copy[place], copy[other] = copy[other], copy[place]
        case "exchange":  # what the rows say, their numbers staying in order
            other = chosen.choice([n for n in range(len(records)) if n != place])
            copy[place], copy[other] = (
                replace(copy[other], sequence=copy[place].sequence),
                replace(copy[place], sequence=copy[other].sequence),
            )
    return copy


def test_a_thousand_of_a_thousand_random_tamperings_are_found(database: Database, store: Store) -> None:
    with database.transaction(store.workspace_id) as connection:
        audit.record_now(connection, store.workspace_id, *acts(120))
    records, head = read(database, store.workspace_id)
    assert verify(store.workspace_id, records, head).broken is None
    found = 0
    for seed in range(1000):
        tampered = _tampered(records, random.Random(seed))
        assert tampered != records, seed
        found += verify(store.workspace_id, tampered, head).broken is not None
    assert found == 1000


STATEMENTS: dict[str, str] = {
    "actor": "UPDATE audit_log SET actor = 'eve' WHERE sequence = %(one)s",
    "action": "UPDATE audit_log SET action = action || '!' WHERE sequence = %(one)s",
    "subject": "UPDATE audit_log SET subject = 'nothing' WHERE sequence = %(one)s",
    "detail": "UPDATE audit_log SET detail = detail || '{\"x\": 1}' WHERE sequence = %(one)s",
    "time": "UPDATE audit_log SET at = at + interval '1 microsecond' WHERE sequence = %(one)s",
    "trace": "UPDATE audit_log SET trace_id = 'x' WHERE sequence = %(one)s",
    "hash": "UPDATE audit_log SET hash = '\\x00' WHERE sequence = %(one)s",
    "edited with its hash": "UPDATE audit_log SET actor = 'eve', hash = audit_hash(workspace_id, sequence, at, 'eve', "
    "action, subject, detail, trace_id, previous_hash) WHERE sequence = %(one)s",
    "deleted": "DELETE FROM audit_log WHERE sequence = %(one)s",
    "cut off": "DELETE FROM audit_log WHERE sequence >= %(one)s",
    "renumbered": "UPDATE audit_log SET sequence = sequence + 1000 WHERE sequence >= %(one)s",
    "exchanged": "UPDATE audit_log a SET actor = b.actor, action = b.action, subject = b.subject, detail = b.detail, "
    "at = b.at, hash = b.hash FROM audit_log b WHERE a.sequence IN (%(one)s, %(two)s) "
    "AND b.sequence IN (%(one)s, %(two)s) AND a.sequence <> b.sequence",
    "emptied": "DELETE FROM audit_log",
}


def test_what_the_tables_owner_does_to_the_rows_is_found(
    database: Database, store: Store, owner: psycopg.Connection[tuple[Any, ...]]
) -> None:
    workspace_id = store.workspace_id
    with database.transaction(workspace_id) as connection:
        audit.record_now(connection, workspace_id, *acts(30))
    for name, statement in STATEMENTS.items():
        for one, two in ((1, 2), (7, 30), (30, 7)):
            owner.execute(statement, {"one": one, "two": two})
            records, head = list(audit.chain(owner, workspace_id)), audit.head(owner, workspace_id)
            broken = verify(workspace_id, records, head).broken
            assert broken is not None, name
            assert broken.sequence in {one, one + 1, min(one, two), 1, 30}, name
            owner.rollback()
    records, head = read(database, workspace_id)
    assert verify(workspace_id, records, head).broken is None


def test_the_owner_does_not_change_it_by_accident(store: Store, database: Database) -> None:
    with database.transaction(store.workspace_id) as connection:
        audit.record_now(connection, store.workspace_id, *acts(1))
    with psycopg.connect(store.owner_url, autocommit=True) as owner:
        for statement in ("UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"):
            with pytest.raises(InsufficientPrivilege, match="only ever added to"):
                owner.execute(statement)
