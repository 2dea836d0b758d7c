"""Back-up and restore on real databases: by a superuser, and by an owner whom row security binds."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from convex_common.domain.audit import Act
from convex_common.postgres import audit, migrate
from convex_common.postgres.bootstrap import ensure_workspace
from convex_common.postgres.database import Database
from convex_common.postgres.standing import Standing
from convex_dev.stores.postgres import SERVICE
from tests.integration.postgres.catalogue import Owner, a_row, count, insert, tenant_tables
from tests.support.admin import admin, admin_of
from tests.support.postgres import PASSWORD, Server, Store

pytestmark = pytest.mark.timeout(180)

FOREIGN_KEYS = """
SELECT ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(n, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY place),
       r.relname, ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(n, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY place)
FROM pg_constraint k JOIN pg_class r ON r.oid = k.confrelid
WHERE k.conrelid = %s::regclass AND k.contype = 'f'"""


@pytest.fixture
def filled(store: Store, database: Database) -> Store:
    """A row in every table, an observation of last year, an old partition, and a chain of ten records."""
    with database.transaction(store.workspace_id) as connection:
        known = audit.head(connection, store.workspace_id)
        acts = [Act("ada", "rule.changed", f"rule:{n}", {"n": n}) for n in range(10)]
        audit.record_now(connection, store.workspace_id, *acts[known.sequence if known else 0 :])
    with psycopg.connect(store.owner_url, autocommit=True) as owner:
        owner.execute(
            "CREATE TABLE observations_20250101 PARTITION OF observations "
            "FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2025-01-02 00:00+00')"
        )
        owner.execute(
            "INSERT INTO observations (workspace_id, series, framework_id, metric, value, at) "
            "VALUES (%s, 's', gen_random_uuid(), 'm', 1, '2025-01-01 12:00+00')",
            (store.workspace_id,),
        )
        fill_soundly(owner, store.workspace_id)
        owner.execute(
            "UPDATE deliveries SET status = 'pending', lease_token = 7, lease_until = now() + interval '1 h', "
            "due_at = now() + interval '1 h'"
        )
        owner.execute(
            "INSERT INTO job_runs (id, job, slot, queue, status, lease_token, kubernetes_job) "
            "VALUES (gen_random_uuid(), 'cleanup', now(), 'analytics', 'running', 7, 'a-job')"
        )
        owner.execute("INSERT INTO job_orders (job, suspended, ordered_by) VALUES ('cleanup', true, 'ada')")
        owner.execute(
            "INSERT INTO cron_jobs (job, name, schedule, suspended, by_values, active) "
            "VALUES ('cleanup', 'a', '0 * * * *', true, false, 0)"
        )
        owner.execute(
            "INSERT INTO job_runs (id, job, slot, queue) VALUES (gen_random_uuid(), 'done', now(), 'analytics')"
        )
        owner.execute("UPDATE job_runs SET status = 'completed', finished_at = now() WHERE job = 'done'")
        owner.execute("UPDATE inbox_shards SET lease_token = 7, lease_until = now() + interval '1 h'")
    return store


def fill_soundly(owner: Owner, workspace_id: uuid.UUID) -> None:
    """A row in every table that has none, referring to rows that there are."""
    missing = [table for table in tenant_tables(owner) if not count(owner, table, workspace_id)]
    while missing:
        left = []
        for table in missing:
            row = a_row(owner, table, workspace_id)
            for columns, other, others in owner.execute(FOREIGN_KEYS, (table.name,)).fetchall():
                query = sql.SQL("SELECT {} FROM {} LIMIT 1").format(
                    sql.SQL(", ").join(map(sql.Identifier, others)), sql.Identifier(other)
                )
                row |= dict(zip(columns, owner.execute(query).fetchone() or (), strict=False))
            try:
                with owner.transaction():
                    insert(owner, table, row)
            except psycopg.errors.ForeignKeyViolation:
                left.append(table)
        assert len(left) < len(missing), left
        missing = left


def read(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def counts(url: str) -> dict[str, int]:
    with psycopg.connect(url) as owner:
        return {table.name: count(owner, table) for table in tenant_tables(owner)}


def test_everything_comes_back_and_what_must_not_does_not(filled: Store, empty: str, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    made = admin_of(filled, "backup", "--out", str(folder))
    assert made.code == 0, made
    assert PASSWORD.encode() not in b"".join(file.read_bytes() for file in folder.iterdir())
    before = counts(filled.owner_url)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {table: manifest["rows"][table] for table in before} == before
    (epoch,) = read(filled.owner_url, "SELECT epoch FROM workspace_feed")

    service_url = filled.url.rpartition("/")[0] + "/" + empty.rpartition("/")[2]
    ran = admin(empty, "restore", "--from", str(folder), DATABASE_URL=service_url)
    assert ran.code == 0, ran
    after = counts(empty)
    assert after == before | {"sessions": 0, "audit_log": 11}
    assert read(empty, "SELECT epoch FROM workspace_feed") != [epoch]
    assert read(empty, "SELECT lease_token, due_at <= now() FROM deliveries") == [(None, True)]
    cleanup = "SELECT status, lease_token, kubernetes_job FROM job_runs WHERE job = 'cleanup'"
    assert read(empty, cleanup) == [("pending", None, None)]
    assert read(empty, "SELECT job, suspended FROM job_orders") == [("cleanup", True)]
    assert read(empty, "SELECT count(*) FROM cron_jobs") == [(0,)], "that is another cluster's"
    assert read(empty, "SELECT job, completed FROM job_totals") == [("done", 1)], "counted once"
    assert read(empty, "SELECT DISTINCT lease_token FROM inbox_shards") == [(0,)]
    assert read(empty, "SELECT count(*) FROM inbox_shards") == [(64,)]
    assert read(empty, "SELECT count(*) FROM idempotency_keys") == [(1,)]
    assert read(empty, "SELECT count(*) FROM observations_20250101") == [(1,)]
    newest = read(empty, "SELECT action, actor FROM audit_log ORDER BY sequence DESC LIMIT 1")
    assert newest == [("installation.restored", "convex admin")]
    assert admin(empty, "audit", "verify", "--anchor", str(folder / "manifest.json")).code == 0
    assert migrate.standing(empty) is Standing.CURRENT
    # As the migrations make it: policies bind, triggers are on, the services' role may work and owns nothing.
    for table, forced in read(empty, "SELECT relname, relforcerowsecurity FROM pg_class WHERE relrowsecurity"):
        assert forced, table
    assert read(empty, "SELECT tgname FROM pg_trigger WHERE tgenabled <> 'O'") == []
    with psycopg.connect(service_url) as service:
        assert service.execute("SELECT count(*) FROM alerts").fetchone() == (0,)
        service.execute("SELECT set_config('app.workspace_id', %s, true)", (str(filled.workspace_id),))
        assert service.execute("SELECT count(*) FROM alerts").fetchone() == (1,)


def test_an_owner_whom_row_security_binds_can_do_both(
    postgres_server: Server, tmp_path: Path, database: Database
) -> None:
    """As on a managed PostgreSQL, where nobody is a superuser."""
    name, suffix = f"owner_{uuid.uuid4().hex[:8]}", uuid.uuid4().hex[:8]
    maintenance = postgres_server.owner_url("postgres")
    urls = []
    with psycopg.connect(maintenance, autocommit=True) as root:
        root.execute(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD '{PASSWORD}'")
        root.execute(f"GRANT convex_definer, convex_service TO {name} WITH ADMIN OPTION")
        for which in ("from", "to"):
            root.execute(f"CREATE DATABASE {which}_{suffix} OWNER {name}")
            urls.append(f"postgresql://{name}:{PASSWORD}@127.0.0.1:{postgres_server.port}/{which}_{suffix}")
    source, target = urls
    try:
        migrate.upgrade(source, SERVICE)
        workspaces = [ensure_workspace(source, slug=slug, name=slug, owner_user="ada") for slug in ("a", "b")]
        with psycopg.connect(source) as owner:
            for workspace_id in workspaces:
                owner.execute(
                    "INSERT INTO frameworks (workspace_id, id, name) VALUES (%s, gen_random_uuid(), 'shop')",
                    (workspace_id,),
                )
            powers = "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
            assert owner.execute(powers).fetchone() == (False, False)
        before = counts(source.replace(f"{name}:", "postgres:"))
        assert before["workspaces"] == before["frameworks"] == 2
        folder = tmp_path / "backup"
        assert admin(source, "backup", "--out", str(folder)).code == 0
        ran = admin(target, "restore", "--from", str(folder))
        assert ran.code == 0, ran
        after = counts(target.replace(f"{name}:", "postgres:"))
        recorded = after["audit_log"] - before["audit_log"]
        assert after == before | {"audit_log": before["audit_log"] + 2, "audit_head": 2}
        assert recorded == 2
        for table, forced in read(target, "SELECT relname, relforcerowsecurity FROM pg_class WHERE relrowsecurity"):
            assert forced, table

        with psycopg.connect(maintenance, autocommit=True) as root:
            root.execute(f"REVOKE convex_definer FROM {name}")
        refused = admin(source, "backup", "--out", str(tmp_path / "second"))
        assert (refused.code, "row security hides rows of" in refused.err) == (2, True), refused
        assert not (tmp_path / "second" / "manifest.json").exists()
    finally:
        with psycopg.connect(maintenance, autocommit=True) as root:
            for which in ("from", "to"):
                root.execute(f"DROP DATABASE {which}_{suffix} WITH (FORCE)")
            root.execute(f"DROP OWNED BY {name}")
            root.execute(f"DROP ROLE {name}")


def test_a_restore_refuses_rather_than_harms(filled: Store, empty: str, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    assert admin_of(filled, "backup", "--out", str(folder)).code == 0
    assert "not an empty folder" in admin_of(filled, "backup", "--out", str(folder)).err

    def refused(url: str, *words: str, code: int = 2) -> str:
        ran = admin(url, "restore", "--from", *words)
        assert (ran.code, len(ran.err.splitlines())) == (code, 1), ran
        return ran.err

    assert "has" in refused(filled.owner_url, str(folder))
    with psycopg.connect(filled.owner_url):
        assert "stop the services first" in refused(filled.owner_url, str(folder), "--replace")
    assert "is no back-up" in refused(empty, str(tmp_path))
    manifest = json.loads((folder / "manifest.json").read_text())
    for changed, code, told in (
        ({"revision": "9999"}, 2, "with a newer version"),
        ({"format": 2}, 2, "is of format 2"),
        ({"sha256": "00"}, 1, "is damaged"),
    ):
        (folder / "manifest.json").write_text(json.dumps(manifest | changed))
        assert told in refused(empty, str(folder), code=code), changed
    short = manifest | {"rows": manifest["rows"] | {"alerts": 2}}
    (folder / "manifest.json").write_text(json.dumps(short))
    assert "alerts: 1 rows were loaded, not 2" in refused(empty, str(folder), code=1)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert admin(empty, "restore", "--from", str(folder), "--replace").code == 0, "what was half done is replaced"
    created = dt.datetime.fromisoformat(manifest["created_at"])
    assert abs(dt.datetime.now(dt.UTC) - created) < dt.timedelta(hours=1)
