"""The evaluation's stores, configured as the chart renders it: the first start of PostgreSQL, and both Valkeys."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psycopg
import pytest
import redis

from convex_dev.stores.binaries import installed
from convex_dev.stores.valkey import binary
from tests.support.manifests import render
from tests.support.ports import free_port
from tests.support.postgres import PASSWORD, Server

ODD = """it's "an odd" $(password) \\ """


def test_the_services_role_is_made_and_may_nothing(postgres_server: Server, empty: str) -> None:
    script = render().one("ConfigMap", component="postgresql").data["10-service-role.sh"]
    environment = {
        "PATH": f"{installed().folder / 'bin'}{os.pathsep}{os.defpath}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgres_server.port),
        "PGPASSWORD": PASSWORD,
        "POSTGRES_USER": "postgres",
        "POSTGRES_DB": empty.rpartition("/")[2],
        "SERVICE_ROLE": "odd role",
        "SERVICE_PASSWORD": ODD,
    }
    done = subprocess.run(["sh", "-c", script], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ODD not in done.stdout + done.stderr
    try:
        with psycopg.connect(empty, user="odd role", password=ODD) as service:
            may = service.execute(
                "SELECT rolsuper, rolcreatedb, rolcreaterole, rolbypassrls FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
        assert may == (False, False, False, False)
    finally:
        with psycopg.connect(empty, autocommit=True) as owner:
            owner.execute('DROP ROLE "odd role"')


@pytest.mark.parametrize(
    ("component", "policy", "appends"), [("valkey", "noeviction", "yes"), ("cache", "allkeys-lru", "no")]
)
def test_valkey_starts_with_its_password_and_policy(component: str, policy: str, appends: str, tmp_path: Path) -> None:
    rendered = render(values={"valkey": {"auth": {"password": "secret"}}})
    configuration = rendered.one("ConfigMap", component=component).data["valkey.conf"]
    secret = next(found for found in rendered.all("Secret") if "valkey-auth.conf" in found.data)
    (tmp_path / "auth.conf").write_text(secret.data["valkey-auth.conf"])
    port = free_port()
    for inside, here in (("port 6379", f"port {port}"), ("/data", str(tmp_path)), ("/etc/valkey", str(tmp_path))):
        assert inside in configuration
        configuration = configuration.replace(inside, here)
    (tmp_path / "valkey.conf").write_text(configuration)
    server = subprocess.Popen([binary(), tmp_path / "valkey.conf"], stdout=subprocess.DEVNULL)
    try:
        client = redis.Redis(port=port, password="secret", decode_responses=True)
        deadline = time.monotonic() + 20
        while True:
            try:
                client.ping()
                break
            except redis.ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": policy}
        assert client.config_get("appendonly") == {"appendonly": appends}
        assert client.config_get("save") == {"save": ""}
        client.close()
    finally:
        server.terminate()
        server.wait(10)
