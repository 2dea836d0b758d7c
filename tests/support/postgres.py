"""A real PostgreSQL for the session and a fresh, migrated database per test that asks for one.

The server is started once per test worker; the schema is migrated once into a template that databases are copied from.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from convex_common.postgres import migrate
from convex_common.postgres.bootstrap import ensure_workspace
from convex_common.postgres.database import Database
from convex_dev.home import Home
from convex_dev.ports import Ports, port_range
from convex_dev.stores.binaries import installed, owner_uid
from convex_dev.stores.postgres import OWNER, SERVICE, EmbeddedPostgres
from tests.support.eventually import eventually
from tests.support.scratch import scratch

PASSWORD = "only-for-tests"

QUICK = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",  # which would visit hundreds of databases that are gone soon
    "max_wal_size": "256MB",
    "shared_buffers": "64MB",  # all of which is looked through whenever a database is made or removed
    "scram_iterations": "1",
}
"""These servers outlive no crash of the machine, and copy a database in a fraction of the time. The installations of
end-to-end and chaos tests keep theirs as the product has it."""


LARGE = {name: QUICK[name] for name in ("fsync", "full_page_writes")}


@dataclass(frozen=True)
class Server:
    """A running server: its port, and the two roles that tests use."""

    port: int

    def owner_url(self, database: str) -> str:
        return f"postgresql://{OWNER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def service_url(self, database: str) -> str:
        return f"postgresql://{SERVICE}:{PASSWORD}@127.0.0.1:{self.port}/{database}"


@dataclass(frozen=True)
class Store:
    """A fresh database with one workspace."""

    url: str
    owner_url: str
    workspace_id: uuid.UUID


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    with running_server() as server:
        with psycopg.connect(server.owner_url("postgres"), autocommit=True) as owner:
            owner.execute("CREATE DATABASE template_convex")
        migrate.upgrade(server.owner_url("template_convex"), SERVICE)
        yield server


class OwnServer:
    """A server that a test may kill, and that comes back on its port with all that was committed."""

    def __init__(self, folder: Path, settings: Mapping[str, str] = QUICK) -> None:
        self._settings = settings
        self._uid = owner_uid()
        if self._uid is not None:
            os.chown(folder, self._uid, self._uid)
        ports = Ports(Home(folder), port_range(os.environ))
        self._embedded = EmbeddedPostgres(folder, installed(), ports.take("postgres"), PASSWORD, PASSWORD, self._uid)
        self._process: subprocess.Popen[bytes] | None = None
        self.server = Server(self._embedded.port)

    def start(self) -> None:
        """Until it answers: after a kill, what was committed is recovered first."""
        spec = self._embedded.spec()
        self._embedded.make_startable()
        run_as = {} if self._uid is None else {"user": self._uid, "group": self._uid}
        settings = (word for item in self._settings.items() for word in ("-c", "=".join(item)))
        self._process = subprocess.Popen(
            [*spec.argv, "-c", "max_connections=200", *settings],
            cwd="/",
            env=dict(spec.env),
            stderr=subprocess.DEVNULL,
            user=run_as.get("user"),
            group=run_as.get("group"),
            extra_groups=[] if run_as else None,
        )
        eventually(lambda: _answers(self._embedded.maintenance_url), within=60.0)

    def provision(self) -> None:
        """The roles, once."""
        with psycopg.connect(self._embedded.maintenance_url) as owner:  # made with the product's iterations, 4,096
            owner.execute(f"ALTER ROLE {OWNER} PASSWORD '{PASSWORD}'")
        self._embedded.provision()

    def kill(self) -> None:
        """At once: nobody is waited for, and nothing is written down."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None


@contextmanager
def own_server(*, large: bool = False) -> Iterator[OwnServer]:
    """A server that no migration has seen yet, with the service's role. A `large` one holds gigabytes: on disk, and
    with the memory that the product gives it."""
    folder = Path(tempfile.mkdtemp(prefix="convex-pg-")) if large else scratch("convex-pg-")
    folder.chmod(0o711)
    own = OwnServer(folder, LARGE if large else QUICK)
    try:
        own.start()
        own.provision()
        yield own
    finally:
        own.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_server(*, large: bool = False) -> Iterator[Server]:
    """The same for those who leave it alone."""
    with own_server(large=large) as own:
        yield own.server


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def store(postgres_server: Server) -> Iterator[Store]:
    with fresh_store(postgres_server) as made:
        yield made


@contextmanager
def fresh_store(postgres_server: Server) -> Iterator[Store]:
    """A migrated database of its own with one workspace, for as long as it is wanted."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.owner_url("postgres"), autocommit=True) as owner:
        owner.execute(f'CREATE DATABASE "{name}" TEMPLATE template_convex STRATEGY FILE_COPY')
    owner_url = postgres_server.owner_url(name)
    workspace_id = ensure_workspace(owner_url, slug="test", name="Test", owner_user="owner")
    yield Store(postgres_server.service_url(name), owner_url, workspace_id)
    with psycopg.connect(postgres_server.owner_url("postgres"), autocommit=True) as owner:
        owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def empty(postgres_server: Server) -> Iterator[str]:
    """The owner's URL of a database that was never migrated."""
    name = f"e_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.owner_url("postgres"), autocommit=True) as owner:
        owner.execute(f'CREATE DATABASE "{name}"')
        yield postgres_server.owner_url(name)
        owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database(store: Store) -> Iterator[Database]:
    pool = Database(store.url, "tests", size=8)
    pool.open()
    yield pool
    pool.close()
