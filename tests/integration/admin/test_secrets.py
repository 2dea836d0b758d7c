"""`convex admin secrets`: from an old key to a new one, while everything runs."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet

from convex_common.domain.audit import verify
from convex_common.ids import Ids
from convex_common.postgres import audit
from convex_common.postgres.database import Database
from convex_common.postgres.sealed import SEALED
from convex_common.secretbox import SecretBox, id_of, key_id_of
from tests.support.admin import Ran, admin_of
from tests.support.postgres import Store

pytestmark = pytest.mark.timeout(120)

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))
IDS = Ids()


def add(store: Store, sealed: bytes, n: int = 1) -> list[uuid.UUID]:
    ids = IDS.take(n)
    with psycopg.connect(store.owner_url) as owner:
        for channel_id in ids:
            owner.execute(
                "INSERT INTO channels (workspace_id, id, kind, name, config, secrets) VALUES (%s, %s, 'webhook', 'x', "
                "'{}', %s)",
                (store.workspace_id, channel_id, sealed),
            )
    return list(ids)


def sealed_of(store: Store) -> dict[uuid.UUID, bytes]:
    with psycopg.connect(store.owner_url) as owner:
        return dict(owner.execute("SELECT id, secrets FROM channels").fetchall())


def rotate(store: Store, *keys: str, batch: int = 200) -> Ran:
    return admin_of(store, "secrets", "rotate", "--batch", str(batch), ENCRYPTION_KEYS=",".join(keys))


def status(store: Store, *keys: str) -> dict[str, dict[str, Any]]:
    ran = admin_of(store, "secrets", "status", "--json", ENCRYPTION_KEYS=", ".join(keys))
    return {row["key"]: row for row in ran.json}


def test_the_registry_names_every_sealed_column(store: Store) -> None:
    with psycopg.connect(store.owner_url) as owner:
        commented = owner.execute(
            "SELECT c.relname || '.' || a.attname FROM pg_description d JOIN pg_class c ON c.oid = d.objoid "
            "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid WHERE d.description LIKE 'Sealed%'"
        ).fetchall()
    assert {row[0] for row in commented} == set(map(str, SEALED))


def test_everything_moves_to_the_newest_key(store: Store, database: Database) -> None:
    old = SecretBox([OLD])
    before_ids = old.seal({"secret": "x"}).rpartition(b":")[2]
    add(store, old.seal({"secret": "x"}), 7)
    add(store, before_ids)
    with psycopg.connect(store.owner_url) as owner:
        for n in range(3):
            owner.execute(
                "INSERT INTO idempotency_keys (workspace_id, scope, request, answer) VALUES (%s, %s, 'r', %s)",
                (store.workspace_id, bytes([n]), old.seal({"status": n})),
            )
    found = status(store, NEW, OLD)
    assert found[id_of(NEW)]["state"] == "seals"
    assert found[id_of(OLD)] == {
        "key": id_of(OLD),
        "state": "in use: rotate",
        "sealed": {"channels.secrets": 7, "idempotency_keys.answer": 3},
    }
    assert found["without an id"]["sealed"] == {"channels.secrets": 1}

    ran = rotate(store, NEW, OLD, batch=2)
    assert ran.code == 0
    assert ran.out.splitlines() == [
        f"11 sealed anew with {id_of(NEW)}, 0 that no key of ENCRYPTION_KEYS opens",
        f"{id_of(OLD)}: unused; it may be removed once no service seals with it any more",
    ]
    assert [SecretBox([NEW]).open(sealed) for sealed in sealed_of(store).values()] == [{"secret": "x"}] * 8
    assert status(store, NEW, OLD)[id_of(OLD)]["state"] == "unused: may be removed"

    before = sealed_of(store)
    assert rotate(store, NEW, OLD).out.startswith("0 sealed anew"), "it is done"
    assert sealed_of(store) == before
    with database.transaction(store.workspace_id) as connection:
        chain = list(audit.chain(connection, store.workspace_id))
        assert verify(store.workspace_id, chain, audit.head(connection, store.workspace_id)).broken is None
    assert [(r.actor, r.action) for r in chain if r.action.startswith("secrets")] == [
        ("convex admin", "secrets.rotated")
    ]


def test_what_no_key_opens_is_left_and_told(store: Store) -> None:
    lost = SecretBox([LOST]).seal({"secret": "x"})
    add(store, lost)
    add(store, SecretBox([OLD]).seal({"secret": "y"}), 3)
    ran = rotate(store, NEW, OLD, batch=1)
    assert (ran.code, "1 that no key" in ran.out) == (1, True)
    assert sorted(key_id_of(sealed) or "" for sealed in sealed_of(store).values()) == sorted(
        [id_of(LOST)] + [id_of(NEW)] * 3
    )
    ran = admin_of(store, "secrets", "status", ENCRYPTION_KEYS=NEW)
    assert ran.code == 1
    assert f"{id_of(LOST)}  not in ENCRYPTION_KEYS" in ran.out
    assert rotate(store, NEW, LOST).code == 0, "with its key it can be had"


def test_an_interrupted_rotation_goes_on_and_changes_at_the_same_time_stay(store: Store) -> None:
    """Channels get new secrets all the time, sealed with the old key and with the new one."""
    ids = add(store, SecretBox([OLD]).seal({"secret": 0}), 200)
    boxes = [SecretBox([OLD, NEW]), SecretBox([NEW, OLD])]
    latest = dict.fromkeys(ids, 0)
    stop = threading.Event()

    def change() -> None:
        with psycopg.connect(store.owner_url, autocommit=True) as owner:
            n = 0
            while not stop.is_set():
                n += 1
                channel_id = ids[n * 7 % len(ids)]
                sealed = boxes[n % 2].seal({"secret": n})
                owner.execute("UPDATE channels SET secrets = %s WHERE id = %s", (sealed, channel_id))
                latest[channel_id] = n

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(3):
            assert rotate(store, NEW, OLD, batch=5).code == 0
    finally:
        stop.set()
        thread.join()
    assert max(latest.values()) > 20
    assert rotate(store, NEW, OLD).code == 0
    newest = SecretBox([NEW])
    assert {channel_id: newest.open(sealed)["secret"] for channel_id, sealed in sealed_of(store).items()} == latest
