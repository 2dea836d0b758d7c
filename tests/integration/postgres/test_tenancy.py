"""One workspace's rows are nobody else's: asked of the catalogue, so that no table and no function is forgotten."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from convex_common.postgres.bootstrap import ensure_workspace
from tests.integration.postgres.catalogue import (
    OTHER_TABLES,
    Owner,
    TenantTable,
    a_row,
    count,
    fill,
    insert,
    tenant_tables,
)
from tests.support.postgres import Store

# Of the installation: nothing of a tenant is in them.
INSTALLATION = {
    "alembic_version",
    "cluster_sight",
    "cron_jobs",
    "inbox_shards",
    "job_orders",
    "job_runs",
    "job_totals",
    "self_audit",
}


@pytest.fixture
def owner(store: Store) -> Iterator[Owner]:
    with psycopg.connect(store.owner_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def service(store: Store) -> Iterator[Owner]:
    with psycopg.connect(store.url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def workspaces(store: Store, owner: Owner) -> list[uuid.UUID]:
    """Two, with at least a row in every table."""
    other = ensure_workspace(store.owner_url, slug="other", name="Other", owner_user="owner")
    fill(owner, [store.workspace_id, other])
    return [store.workspace_id, other]


def as_workspace(connection: Owner, workspace_id: uuid.UUID) -> None:
    connection.execute("SELECT set_config('app.workspace_id', %s, true)", (str(workspace_id),))


def refused(connection: Owner, act: Callable[[], object]) -> bool:
    try:
        with connection.transaction():
            act()
    except InsufficientPrivilege:
        return True
    return False


def test_every_table_is_a_tenants_or_known_to_be_the_installations(owner: Owner) -> None:
    assert {row[0] for row in owner.execute(OTHER_TABLES).fetchall()} == INSTALLATION
    assert len(tenant_tables(owner)) >= 20


def test_policies_are_on_and_bind_the_owner_too(owner: Owner) -> None:
    for table in tenant_tables(owner):
        on = owner.execute(
            "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", (table.name,)
        ).fetchone()
        assert on == (True, True), table.name


def test_without_a_workspace_nothing_is_visible(owner: Owner, service: Owner, workspaces: list[uuid.UUID]) -> None:
    for table in tenant_tables(owner):
        assert all(count(owner, table, workspace_id) for workspace_id in workspaces), f"{table.name} is not filled"
        assert count(service, table) == 0, table.name
    with service.transaction():
        as_workspace(service, workspaces[0])
    assert service.execute("SELECT current_setting('app.workspace_id')").fetchone() == ("",)
    for table in tenant_tables(owner):
        assert count(service, table) == 0, f"{table.name} after a transaction with a workspace"


def test_with_a_workspace_its_rows_are_visible_and_no_others(
    owner: Owner, service: Owner, workspaces: list[uuid.UUID]
) -> None:
    for mine in workspaces:
        for table in tenant_tables(owner):
            with service.transaction():
                as_workspace(service, mine)
                assert count(service, table) == count(service, table, mine) == count(owner, table, mine), table.name


def test_rows_of_another_workspace_cannot_be_written(owner: Owner, service: Owner, workspaces: list[uuid.UUID]) -> None:
    mine, theirs = workspaces
    for table in tenant_tables(owner):
        row = a_row(owner, table, theirs)

        def add(table: TenantTable = table, row: dict[str, object] = row) -> None:
            as_workspace(service, mine)
            insert(service, table, row)

        def add_without_a_workspace(table: TenantTable = table, row: dict[str, object] = row) -> None:
            insert(service, table, row)

        def give_away(table: TenantTable = table) -> None:
            as_workspace(service, mine)
            statement = sql.SQL("UPDATE {} SET {} = %s WHERE {} = %s").format(
                sql.Identifier(table.name), sql.Identifier(table.column), sql.Identifier(table.column)
            )
            service.execute(statement, (theirs, mine))

        assert refused(service, add), f"INSERT into {table.name}"
        assert refused(service, give_away), f"UPDATE of {table.name}"
        assert refused(service, add_without_a_workspace), f"INSERT into {table.name} without a workspace"


def test_rows_of_another_workspace_cannot_be_changed_or_deleted(
    owner: Owner, service: Owner, workspaces: list[uuid.UUID]
) -> None:
    mine, theirs = workspaces
    for table in tenant_tables(owner):
        before = count(owner, table, theirs)
        for statement in ("UPDATE {0} SET {1} = {1} WHERE {1} = %s", "DELETE FROM {0} WHERE {1} = %s"):
            query = sql.SQL(statement).format(sql.Identifier(table.name), sql.Identifier(table.column))
            try:
                with service.transaction():
                    as_workspace(service, mine)
                    assert service.execute(query, (theirs,)).rowcount == 0, f"{statement} {table.name}"
            except InsufficientPrivilege:
                assert table.name in ("audit_log", "audit_head")
        assert count(owner, table, theirs) == before


def test_the_audit_log_cannot_be_rewritten(owner: Owner, service: Owner, workspaces: list[uuid.UUID]) -> None:
    for statement in (
        "UPDATE audit_log SET actor = 'nobody'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "INSERT INTO audit_log SELECT * FROM audit_log",
        "UPDATE audit_head SET sequence = 0",
        "DELETE FROM audit_head",
        "ALTER TABLE audit_log DISABLE TRIGGER stays",
    ):

        def rewrite(statement: LiteralString = statement) -> None:
            as_workspace(service, workspaces[0])
            service.execute(statement)

        assert refused(service, rewrite), statement


def test_partitions_cannot_be_reached_past_their_parents(
    owner: Owner, service: Owner, workspaces: list[uuid.UUID]
) -> None:
    partitions = owner.execute(
        "SELECT c.relname, c.relacl IS NULL OR NOT EXISTS (SELECT FROM aclexplode(c.relacl) a "
        "WHERE a.grantee <> c.relowner) "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'public' AND c.relispartition AND c.relkind IN ('r', 'p')"
    ).fetchall()
    assert len(partitions) >= 8
    for name, ungranted in partitions:
        assert ungranted, f"a grant on {name}"

        def read(name: str = name) -> None:
            as_workspace(service, workspaces[0])
            service.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name)))

        assert refused(service, read), name


def test_the_service_role_has_no_power_of_its_own(owner: Owner, service: Owner) -> None:
    (name,) = service.execute("SELECT current_user").fetchone() or ("",)
    for role in (name, "convex_service", "convex_definer"):
        powers = owner.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles "
            "WHERE rolname = %s",
            (role,),
        ).fetchone()
        assert powers == (False,) * 5, role
    for role in ("convex_service", "convex_definer"):
        assert owner.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", (role,)).fetchone() == (False,)
    memberships = owner.execute(
        "SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = %s::regrole",
        (name,),
    ).fetchall()
    assert memberships == [("convex_service",)]
    owned = owner.execute(
        "SELECT relname FROM pg_class WHERE relowner IN (%s::regrole, 'convex_service'::regrole) UNION ALL "
        "SELECT proname FROM pg_proc WHERE proowner IN (%s::regrole, 'convex_service'::regrole)",
        (name, name),
    ).fetchall()
    assert owned == []
    assert refused(service, lambda: service.execute("SET ROLE convex_definer"))
    assert refused(service, lambda: service.execute("CREATE TABLE public.mine (x int)"))
    assert refused(service, lambda: service.execute("ALTER TABLE alerts DISABLE ROW LEVEL SECURITY"))
    assert refused(service, lambda: service.execute("SELECT * FROM inbox_shards"))


def test_functions_that_look_across_workspaces_are_closed(owner: Owner) -> None:
    functions = owner.execute(
        "SELECT p.oid::regprocedure::text, p.proconfig, p.proowner::regrole::text, EXISTS (SELECT FROM aclexplode("
        "coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE') "
        "FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace"
    ).fetchall()
    names = {signature.partition("(")[0] for signature, *_ in functions}
    assert {"claim_events", "release_shards", "fire_timers", "claim_deliveries", "feed_positions"} <= names
    for signature, settings, function_owner, public in functions:
        paths = [setting for setting in settings or () if setting.startswith("search_path=")]
        assert paths == ["search_path=pg_catalog, public, pg_temp"], signature
        assert function_owner == "convex_definer", signature
        assert not public, f"{signature} may be called by PUBLIC"


def test_nobody_can_put_a_table_before_the_functions_own(service: Owner) -> None:
    """pg_temp comes last in their path: a temporary table of the caller is not what they read."""
    service.execute("CREATE TEMPORARY TABLE workspaces (id uuid, config_version bigint)")
    service.execute("INSERT INTO workspaces VALUES (gen_random_uuid(), 1)")
    planted = service.execute("SELECT id FROM pg_temp.workspaces").fetchone()
    assert planted not in service.execute("SELECT workspace_ids()").fetchall()


def test_pollers_work_without_a_workspace(owner: Owner, service: Owner, workspaces: list[uuid.UUID]) -> None:
    owner.execute("UPDATE timers SET due_at = now(), shard = 5")
    owner.execute("UPDATE inbox SET shard = 5, due_at = '-infinity', attempts = 0")
    owner.execute("UPDATE deliveries SET status = 'pending', due_at = now(), lease_token = NULL")
    assert service.execute("SELECT fire_timers(10)").fetchone() == ([5],)
    events = service.execute("SELECT workspace_id FROM claim_events(64, 100, interval '1 min')").fetchall()
    assert {row[0] for row in events} == set(workspaces)
    assert len(events) == 4, "an event and a timer of each"
    deliveries = service.execute("SELECT workspace_id FROM claim_deliveries(10, 10, interval '1 min')").fetchall()
    assert {row[0] for row in deliveries} == set(workspaces)
    positions = service.execute("SELECT workspace_id FROM feed_positions(%s)", (workspaces,)).fetchall()
    assert {row[0] for row in positions} == set(workspaces)
