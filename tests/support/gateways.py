"""Gateway processes: one on a test's own stores, or a further one beside an installation's."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
from cryptography.fernet import Fernet

from convex_dev.stack import Stack
from tests.support.eventually import eventually
from tests.support.ports import free_port, free_ports
from tests.support.rest import SECRET


class GatewayProcess:
    """A gateway of this environment, on free ports. `{port}` in a setting is the one that it serves on."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.port, self.metrics_port = free_ports(2)
        given = {
            "PATH": os.environ["PATH"],
            "GATEWAY_HOST": "127.0.0.1",
            "GATEWAY_PORT": "{port}",
            "METRICS_HOST": "127.0.0.1",
            **environment,
            "PROMETHEUS_PORT": str(self.metrics_port),
        }
        self._log = tempfile.NamedTemporaryFile(prefix="convex-gateway-", suffix=".log")  # noqa: SIM115 - until `kill`
        self._environment = {name: value.replace("{port}", str(self.port)) for name, value in given.items()}
        self._process = self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def live_url(self) -> str:
        return live_url(self.url)

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return Path(self._log.name).read_text(errors="replace")

    def get(self, path: str, token: str = "", *, port: int | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.get(f"http://127.0.0.1:{port or self.port}{path}", headers=headers, timeout=20)

    def ready(self) -> bool:
        assert self._process.poll() is None, self.log
        try:
            return self.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def ended(self) -> int:
        """Its exit code, once it has ended by itself."""
        return self._process.wait(30)

    def terminate(self) -> int:
        """End it as Kubernetes does; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def restart(self) -> None:
        """Kill it, and start it again on the same ports."""
        self.kill()
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "convex_gateway.main"]
        return subprocess.Popen(command, env=self._environment, stderr=self._log)


@contextlib.contextmanager
def started(environment: Mapping[str, str]) -> Iterator[GatewayProcess]:
    """A gateway that is not ready yet, and may never be; ended with the test."""
    process = GatewayProcess(environment)
    try:
        yield process
    finally:
        process.kill()


@contextlib.contextmanager
def ready(environment: Mapping[str, str]) -> Iterator[GatewayProcess]:
    """A gateway that serves; ended with the test."""
    with started(environment) as process:
        eventually(process.ready, within=90, what="a gateway")
        yield process


def alone(database_url: str, **changed: str) -> dict[str, str]:
    """The environment of a gateway on this database, and without Redis."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        "JWT_SECRET": SECRET,
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "RATE_LIMIT_SIGN_IN_PER_ADDRESS": "0",  # which nobody could count without Redis
        **changed,
    }


def gateway_process(database_url: str, **changed: str) -> contextlib.AbstractContextManager[GatewayProcess]:
    """A gateway on this database, ready to serve, without Redis unless told otherwise."""
    return ready(alone(database_url, **changed))


def gateway_beside(stack: Stack) -> contextlib.AbstractContextManager[GatewayProcess]:
    """One more gateway on the installation's stores, ready to serve."""
    return ready({**stack.environment, "GATEWAY_PORT": "{port}"})


def live_url(url: str) -> str:
    """Where a gateway's WebSocket is."""
    return url.replace("http", "ws", 1) + "/ws"
