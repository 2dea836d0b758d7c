"""Containers of the rendered chart as processes of this machine: their command, their environment, their probes.

A process gets what the kubelet would give it and nothing of the tests' own, but for three things: PATH leads to this
virtual environment as the image's does to its own, the current folder is an empty one, and a declared port becomes a
free one, by the variable of the chart that carries its number.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from tests.support.manifests import Container, Json, Manifests, Pod
from tests.support.ports import free_ports

PORTS = {"http": "GATEWAY_PORT", "metrics": "PROMETHEUS_PORT"}
"""The variable that carries the number of a declared port."""


@dataclass
class Running:
    """A container that was started. `ports` are those of this machine, by the names that the chart gives them."""

    name: str
    container: Container
    process: subprocess.Popen[bytes]
    log: Path
    ports: Mapping[str, int] = field(default_factory=dict)
    grace: float = 30.0

    def url(self, port: str, path: str = "") -> str:
        return f"http://127.0.0.1:{self.ports[port]}{path}"

    def ended(self, within: float) -> int:
        """Its exit code; AssertionError with its last words where it does not end."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {within:g} s: {self.told}") from None

    @property
    def told(self) -> str:
        """The end of what it wrote."""
        return self.log.read_text(errors="replace")[-3000:]

    def probed(self, kind: str) -> bool:
        """Whether a probe of the chart's is content now, asked as the kubelet asks."""
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}: {self.told}"
        probe = self.container.probe(kind)
        assert probe is not None, f"{self.name} has no {kind} probe"
        get = probe["httpGet"]
        try:
            answer = httpx.get(self.url(get["port"], get["path"]), timeout=probe.get("timeoutSeconds", 1))
        except httpx.TransportError:
            return False
        return 200 <= answer.status_code < 400

    def wait_until_ready(self) -> None:
        """Startup, then readiness and liveness; AssertionError where the kubelet would have killed it by then."""
        startup = self.container.probe("startup") or {}
        patience = startup.get("periodSeconds", 10) * startup.get("failureThreshold", 3)
        for kind in ("startup", "readiness", "liveness"):
            deadline = time.monotonic() + patience
            while not self.probed(kind):
                assert time.monotonic() < deadline, f"{self.name}: no {kind} within {patience:g} s: {self.told}"
                time.sleep(0.1)

    def listening(self) -> set[int]:
        """The ports that it listens on."""
        connections = psutil.Process(self.process.pid).net_connections("tcp")
        return {connection.laddr.port for connection in connections if connection.status == psutil.CONN_LISTEN}


class Machine:
    """Starts containers of one rendering, and ends what is left of them."""

    def __init__(self, manifests: Manifests, folder: Path) -> None:
        self._manifests = manifests
        self._folder = folder
        self._started: list[Running] = []

    def start(self, pod: Pod, container: Container, **beyond: str) -> Running:
        """One container of a pod, as it would be started there; `beyond` has what is elsewhere on this machine."""
        environment = self._manifests.environment(pod, container)
        ports = dict(zip(container.ports, free_ports(len(container.ports)), strict=True))
        for name, number in ports.items():
            variable = PORTS[name]
            declared = container.ports[name]
            assert environment.get(variable) == str(declared), (
                f"{pod} declares {declared} as {name}, and {variable} is {environment.get(variable)}"
            )
            environment[variable] = str(number)
        number = len(self._started)
        cwd = self._folder / f"cwd-{number}"
        cwd.mkdir(mode=0o555)
        log = self._folder / f"{number}-{pod.owner.name}-{container}.log"
        path = f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin"
        with log.open("wb") as file:
            process = subprocess.Popen(
                container.argv,
                cwd=cwd,
                env={**environment, **beyond, "PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        grace = float(pod.spec.get("terminationGracePeriodSeconds", 30)) - _sleep(container)
        running = Running(f"{pod.owner.name}/{container}", container, process, log, ports, grace)
        self._started.append(running)
        return running

    def run(self, pod: Pod, container: Container, within: float, **beyond: str) -> Running:
        """One container to its end, which has to be a good one."""
        running = self.start(pod, container, **beyond)
        code = running.ended(within)
        assert code == 0, f"{running.name} ended with {code}: {running.told}"
        return running

    def untouched(self) -> bool:
        """Whether every current folder is as empty as it was."""
        return not any(any(folder.iterdir()) for folder in self._folder.glob("cwd-*"))

    def end(self) -> None:
        """Whatever still runs, at once."""
        for running in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait(10)


def _sleep(container: Container) -> float:
    """Seconds that the kubelet lets pass before the signal."""
    stop: Json = (container.body.get("lifecycle") or {}).get("preStop") or {}
    return float(stop.get("sleep", {}).get("seconds", 0))


@contextlib.contextmanager
def machine(manifests: Manifests, folder: Path) -> Iterator[Machine]:
    """A machine whose processes end with the test."""
    made = Machine(manifests, folder)
    try:
        yield made
    finally:
        made.end()
