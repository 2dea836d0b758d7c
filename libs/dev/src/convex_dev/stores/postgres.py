"""An embedded PostgreSQL on a loopback port, durable as in production, with an owner and a powerless service role."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from convex_dev.errors import StartFailed
from convex_dev.spec import KEEP_USER, Spec
from convex_dev.stores.binaries import Binaries
from convex_dev.stores.roles import ensure_role

OWNER, SERVICE, DATABASE = "postgres", "convex", "convex"
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "256MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "wal_buffers": "16MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "10min",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "10s",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


@dataclass(frozen=True)
class EmbeddedPostgres:
    """`uid` runs it where we may not (root). Passwords travel by file or by connection, never by command line."""

    side: Path
    binaries: Binaries
    port: int
    owner_password: str = field(repr=False)
    service_password: str = field(repr=False)
    uid: int | None = None

    @property
    def data(self) -> Path:
        return self.side / "postgres"

    @property
    def owner_url(self) -> str:
        return self._url(OWNER, self.owner_password, DATABASE)

    @property
    def service_url(self) -> str:
        return self._url(SERVICE, self.service_password, DATABASE)

    @property
    def maintenance_url(self) -> str:
        """The database that exists from the beginning; the probe asks this one."""
        return self._url(OWNER, self.owner_password, "postgres")

    def spec(self) -> Spec:
        """How it is kept running. SIGINT is PostgreSQL's fast shutdown: sessions are ended, a checkpoint is written."""
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        return Spec(
            name="postgres",
            kind="store",
            argv=(str(self.binaries.program("postgres")), "-D", str(self.data), "-p", str(self.port), *settings),
            env=ENVIRONMENT,
            port=self.port,
            probe=self.maintenance_url,
            uid=KEEP_USER if self.uid is None else self.uid,
            before=self.make_startable,
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
            grace=30.0,
        )

    def make_startable(self) -> None:
        """Data folder there, of the right version, and nothing of an earlier server in the way."""
        version = self.data / "PG_VERSION"
        if not version.exists():
            self._initialise()
        elif (found := version.read_text().strip()) != self.binaries.major:
            raise StartFailed(
                f"{self.data} holds data of PostgreSQL {found}, this is {self.binaries.major}; "
                "start with another --home, or remove that folder to begin anew"
            )
        end_leftovers(self.data)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def provision(self) -> None:
        """Database and service role exist, the role with its password and without any power of its own."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.maintenance_url, autocommit=True) as owner:
            ensure_role(owner, SERVICE, self.service_password)
            if not owner.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
                owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _url(self, user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def _initialise(self) -> None:
        """Made aside and moved into place, so that an interrupted initdb leaves nothing that looks complete."""
        beginning = self.data.with_name("postgres.new")
        run_as = {} if self.uid is None else {"user": self.uid, "group": self.uid}
        with tempfile.TemporaryDirectory(prefix="initdb-", dir=self.side) as folder:
            password = Path(folder) / "password"
            password.write_text(self.owner_password + "\n")
            shutil.rmtree(beginning, ignore_errors=True)
            beginning.mkdir(mode=0o700)
            if self.uid is not None:
                for path in (Path(folder), password, beginning):
                    os.chown(path, self.uid, self.uid)
            command: list[str | Path] = [
                *(self.binaries.program("initdb"), "-D", beginning, "-U", OWNER, "--pwfile", password),
                *("-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-instructions", "--data-checksums"),
                *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            ]
            done = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                cwd="/",
                env=ENVIRONMENT,
                user=run_as.get("user"),
                group=run_as.get("group"),
                extra_groups=[] if run_as else None,
            )
        if done.returncode != 0:
            raise StartFailed(f"initdb: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
        beginning.replace(self.data)


def end_leftovers(data: Path, patience: float = 10.0) -> None:
    """End what an earlier server left in `data`: itself, still shutting down, or its sessions after a kill -9."""
    deadline = time.monotonic() + patience
    asked = False
    while found := processes_in(data):
        late = time.monotonic() >= deadline
        if late or not asked:
            head = [process for process in found if _is_postmaster(process, data)]
            number = signal.SIGKILL if late else signal.SIGINT if head else signal.SIGQUIT
            for process in found if late else head or found:
                _send(process, number)
            asked = True
        time.sleep(0.02)


def processes_in(data: Path) -> list[psutil.Process]:
    """PostgreSQL's processes working in `data`, which each of them has as its current folder."""
    return [process for process in psutil.process_iter(["name"]) if _works_in(process, data)]


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return (
            process.info["name"] == "postgres"
            and process.status() != psutil.STATUS_ZOMBIE
            and Path(process.cwd()) == data.resolve()
        )
    except psutil.Error:
        return False


def _is_postmaster(process: psutil.Process, data: Path) -> bool:
    try:
        return (data / "postmaster.pid").read_text().split("\n", 1)[0] == str(process.pid)
    except OSError:
        return False


def _send(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return
