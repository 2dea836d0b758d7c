"""Debian's Alertmanager with grouping off: every alert is a notification of its own, sent at once."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.bench.job import ALERTMANAGER, Job
from tests.support import debian
from tests.support.ports import free_port

CONFIGURATION = """\
route:
  receiver: bench
  group_by: ['...']
  group_wait: 0s
  group_interval: 5m
  repeat_interval: 4h
receivers:
  - name: bench
    webhook_configs:
      - url: http://127.0.0.1:{port}/
        send_resolved: false
"""
"""`group_interval` at its default: each group has one alert, which goes out after `group_wait`; a short interval would
only make it look after thousands of groups that have nothing to say."""


class Alertmanager:
    """One on loopback ports, in a folder of its own, which it keeps when it is started again."""

    def __init__(self, webhook_port: int) -> None:
        self._program, self._tools = debian.relocated("alertmanager")
        self._folder = Path(tempfile.mkdtemp(prefix="convex-bench-alertmanager-"))
        (self._folder / "alertmanager.yml").write_text(CONFIGURATION.format(port=webhook_port))
        self._port = free_port()
        self._webhook_port = webhook_port
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._remove()

    def start(self) -> None:
        """Start it, on what an earlier one left, and return when it is ready."""
        self._end()
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self._folder}/alertmanager.yml",
                    f"--storage.path={self._folder}/data",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                    "--cluster.listen-address=",
                    "--log.level=warn",
                ],
                cwd=self._tools,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 20
        while not self._ready():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"Alertmanager does not start: {(self._folder / 'log').read_text()[-500:]}")
            time.sleep(0.05)

    @property
    def job(self) -> Job:
        """A job whose every alert is new."""
        url = f"http://127.0.0.1:{self._port}"
        return Job(url, path=ALERTMANAGER, new_percent=100, webhook_port=self._webhook_port)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def memory_mib(self) -> float:
        """Resident memory."""
        return float(psutil.Process(self.pid).memory_info().rss) / 2**20

    @staticmethod
    def version() -> str:
        """As it tells itself."""
        command = [str(debian.program("alertmanager")), "--version"]
        told = subprocess.check_output(command, stderr=subprocess.STDOUT, text=True)
        return f"Alertmanager {told.split()[2]}"

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _remove(self) -> None:
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None
