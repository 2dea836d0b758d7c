"""Migrations: once, twice, two at once, by an owner without superpowers; and the partitions they make."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from convex_common.errors import SettingsError
from convex_common.ids import floor
from convex_common.postgres import migrate
from convex_common.postgres.bootstrap import ensure_workspace
from convex_common.postgres.partitions import TABLES, make_ahead, wanted
from convex_common.postgres.standing import Standing, note_oldest
from convex_common.postgres.urls import sqlalchemy_url
from convex_dev.stores.postgres import SERVICE
from tests.support.postgres import PASSWORD, Store, running_server

Owner = psycopg.Connection[tuple[Any, ...]]

SCHEMA = """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0
UNION ALL SELECT p.oid::regprocedure::text, md5(p.prosrc), p.proacl::text FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace ORDER BY 1, 2, 3"""


def schema(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as owner:
        return owner.execute(SCHEMA).fetchall()


def together(*acts: Callable[[], object]) -> list[BaseException]:
    errors: list[BaseException] = []

    def run(act: Callable[[], object]) -> None:
        try:
            act()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


def test_a_second_upgrade_changes_nothing(store: Store) -> None:
    before = schema(store.owner_url)
    migrate.upgrade(store.owner_url, SERVICE)
    assert schema(store.owner_url) == before
    assert migrate.standing(store.owner_url) is Standing.CURRENT
    assert migrate.standing(store.url) is Standing.CURRENT, "the services can ask too"


def test_two_at_once_wait_for_one_another(empty: str) -> None:
    assert migrate.standing(empty) is Standing.BEHIND
    assert together(*[lambda: migrate.upgrade(empty, SERVICE)] * 3) == []
    assert migrate.standing(empty) is Standing.CURRENT


def test_the_owner_may_not_be_the_services_role(empty: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        migrate.upgrade(empty, "postgres")


@pytest.mark.parametrize("words", [[], ["down"], ["upgrade"]])
def test_the_command_says_what_it_needs(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL"):
        monkeypatch.delenv(name, raising=False)
    assert migrate.main(words) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_check_tells_a_current_schema_from_another(
    empty: str, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", empty)
    assert migrate.main(["check"]) == 1
    assert "run the migration" in capsys.readouterr().err
    monkeypatch.setenv("DATABASE_OWNER_URL", store.owner_url)
    assert migrate.main(["check", "--wait", "5"]) == 0


def newer(store: Store, oldest: str | None = None) -> None:
    """As if a newer version had migrated it; with a contract step where it names the oldest code that it suits."""
    with create_engine(sqlalchemy_url(store.owner_url)).begin() as owner:
        owner.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        if oldest:
            note_oldest(owner, oldest)


@pytest.mark.parametrize(("oldest", "suits"), [(None, True), ("0001", True), ("9000", False)])
def test_a_newer_schema_suits_this_code_unless_it_says_otherwise(
    store: Store, oldest: str | None, suits: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An upgrade has migrated, and a pod of the version before starts; or the upgrade is rolled back."""
    newer(store, oldest)
    before = schema(store.owner_url)
    for url in (store.owner_url, store.url):
        monkeypatch.setenv("DATABASE_OWNER_URL", url)
        assert migrate.main(["check", "--wait", "60"]) == (0 if suits else 1), "waiting would not help"
    monkeypatch.setenv("DATABASE_OWNER_URL", store.owner_url)
    monkeypatch.setenv("DATABASE_URL", store.url)
    assert migrate.main(["upgrade"]) == (0 if suits else 1)
    assert ("stays as it is" if suits else "install that version again") in capsys.readouterr().err
    assert schema(store.owner_url) == before


def test_a_migration_makes_nobody_wait_behind_it(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """A long query holds the table that is to be changed; those who come after the migration still get through."""
    engine = create_engine(sqlalchemy_url(store.owner_url))
    slowest, over = 0.0, threading.Event()

    def ask() -> None:
        nonlocal slowest
        with psycopg.connect(store.owner_url, autocommit=True) as service:
            while not over.is_set():
                began = time.monotonic()
                service.execute("SELECT count(*) FROM alerts")
                slowest = max(slowest, time.monotonic() - began)

    with psycopg.connect(store.owner_url) as report:
        report.execute("SELECT count(*) FROM alerts")
        asking = threading.Thread(target=ask)
        ending = threading.Timer(1.5, report.commit)
        asking.start()
        ending.start()
        migrate.patiently(engine, lambda c: c.exec_driver_sql("ALTER TABLE alerts ADD COLUMN n int"), timeout_ms=200)
        over.set()
        asking.join()
        ending.join()
    assert 0.1 < slowest < 1.0, "behind the migration, and no longer than it waits for its lock"
    assert "waits for a long transaction" in capsys.readouterr().err
    with psycopg.connect(store.owner_url) as owner:
        assert owner.execute("SELECT n FROM alerts").fetchall() == []
        owner.execute("ALTER TABLE alerts DROP COLUMN n")


def test_a_migration_gives_up_in_the_end(store: Store) -> None:
    engine = create_engine(sqlalchemy_url(store.owner_url))
    with psycopg.connect(store.owner_url) as report:
        report.execute("SELECT count(*) FROM alerts")
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate.patiently(
                engine, lambda c: c.exec_driver_sql("ALTER TABLE alerts ADD COLUMN n int"), within=0.2, timeout_ms=50
            )


def test_an_owner_without_superpowers_can_migrate() -> None:
    """As managed PostgreSQL has it: a role that may create roles and owns its database, and is bound by FORCE."""
    with running_server() as server:
        with psycopg.connect(server.owner_url("postgres"), autocommit=True) as superuser:
            superuser.execute(f"CREATE ROLE deployer LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD '{PASSWORD}'")
            superuser.execute("CREATE DATABASE theirs OWNER deployer")
        url = f"postgresql://deployer:{PASSWORD}@127.0.0.1:{server.port}/theirs"
        for _ in range(2):
            migrate.upgrade(url, SERVICE)
            workspace_id = ensure_workspace(url, slug="shop", name="Shop", owner_user="ann")
        with psycopg.connect(server.service_url("theirs")) as service:
            assert service.execute("SELECT workspace_ids()").fetchall() == [(workspace_id,)]
            assert service.execute("SELECT count(*) FROM workspaces").fetchone() == (0,)
            assert service.execute("SELECT * FROM claim_events(1, 1, interval '1 s')").fetchall() == []
        with psycopg.connect(url, autocommit=True) as owner:
            assert make_ahead(owner, dt.datetime.now(dt.UTC) + dt.timedelta(days=30))


def slices(owner: Owner, table: str) -> dict[str, str]:
    """A table's partitions and their bounds."""
    rows = owner.execute(
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = %s::regclass",
        (table,),
    ).fetchall()
    return dict(rows)


def test_partitions_are_made_ahead(store: Store) -> None:
    now = dt.datetime.now(dt.UTC)
    with psycopg.connect(store.owner_url, autocommit=True) as owner:
        for table in TABLES:
            assert {slice_.name for slice_ in wanted(table, now)} | {f"{table.name}_default"} == set(
                slices(owner, table.name)
            )
        assert make_ahead(owner, now) == []
        later = now + dt.timedelta(days=7)
        made = make_ahead(owner, later)
        assert len(made) == sum(1 if table.days == 7 else 7 for table in TABLES)
        for table in TABLES:
            assert {slice_.name for slice_ in wanted(table, later)} <= set(slices(owner, table.name))


def test_rows_without_a_partition_are_kept_and_moved_into_theirs(store: Store) -> None:
    """Nobody made partitions for too long: rows go to the default one, and from there into a later slice."""
    now = dt.datetime.now(dt.UTC)
    late = now + dt.timedelta(days=60)
    slice_ = wanted(TABLES[0], late)[0]
    ids = [
        floor(int((slice_.start - dt.timedelta(milliseconds=1)).timestamp() * 1000)),
        floor(int(slice_.start.timestamp() * 1000)),
        floor(int(slice_.end.timestamp() * 1000) - 1),
        floor(int(slice_.end.timestamp() * 1000)),
    ]
    times = [late, late + dt.timedelta(days=20), dt.datetime(1999, 1, 1, tzinfo=dt.UTC)]
    with psycopg.connect(store.owner_url, autocommit=True) as owner:
        for event_id in ids:
            owner.execute(
                "INSERT INTO inbox (id, workspace_id, shard, kind, key, payload) VALUES (%s, %s, 1, 'trigger', '', '')",
                (event_id, store.workspace_id),
            )
        for at in times:
            owner.execute(
                "INSERT INTO observations (workspace_id, series, framework_id, metric, value, at) "
                "VALUES (%s, '', %s, 'm', 1, %s)",
                (store.workspace_id, store.workspace_id, at),
            )

        def where(table: str, column: str) -> dict[object, str]:
            found = owner.execute(f"SELECT {column}, tableoid::regclass::text FROM {table}").fetchall()
            return dict(found)

        assert set(where("inbox", "id").values()) == {"inbox_default"}
        made = make_ahead(owner, late)
        assert slice_.name in made
        homes = where("inbox", "id")
        assert homes[ids[0]] == "inbox_default", "before the slice"
        assert homes[ids[1]] == homes[ids[2]] == slice_.name
        assert homes[ids[3]] == wanted(TABLES[0], late)[1].name, "the end is the next one's"
        seen = where("observations", "at")
        assert seen[times[0]] == wanted(TABLES[3], late)[0].name
        assert seen[times[1]] == seen[times[2]] == "observations_default"
    with psycopg.connect(store.url) as service:
        service.execute("SELECT set_config('app.workspace_id', %s, true)", (str(store.workspace_id),))
        assert service.execute("SELECT count(*) FROM inbox").fetchone() == (4,)


def test_new_partitions_have_what_the_others_have(store: Store) -> None:
    """The parents' indexes, and no grants."""
    with psycopg.connect(store.owner_url, autocommit=True) as owner:
        made = make_ahead(owner, dt.datetime.now(dt.UTC) + dt.timedelta(days=7))
        for name in made:
            parent = name.rpartition("_")[0]
            indexes = "SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass"
            assert owner.execute(indexes, (name,)).fetchone() == owner.execute(indexes, (parent,)).fetchone()
            assert owner.execute("SELECT relacl FROM pg_class WHERE relname = %s", (name,)).fetchone() == (None,)
