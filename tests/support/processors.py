"""Processors as processes of their own, without Redis: their pollers work alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from convex_dev.home import Home
from convex_dev.ports import Ports, port_range


@dataclass
class Processor:
    """One process; killed at will and started again."""

    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it works as soon as it is connected."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "convex_processor.main"], env=self.environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """End it without a warning."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)

    def freeze(self) -> None:
        """Let it stand still, with whatever it holds."""
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


@contextmanager
def processors(database_url: str, folder: Path, count: int, **settings: str) -> Iterator[list[Processor]]:
    """`count` running processors; killed in the end."""
    ports = Ports(Home(folder), port_range(os.environ))
    made = [
        Processor(
            {
                **{name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH", "LANG"}},
                "DATABASE_URL": database_url,
                "REDIS_URL": "redis://127.0.0.1:1/0",  # nobody listens there
                "PROMETHEUS_PORT": str(ports.take(f"processor-{n}")),
                "METRICS_HOST": "127.0.0.1",
                "LOG_LEVEL": "WARNING",
                **settings,
            },
            folder / f"processor-{n}.log",
        )
        for n in range(count)
    ]
    try:
        for one in made:
            one.start()
        yield made
    finally:
        for one in made:
            one.kill()
