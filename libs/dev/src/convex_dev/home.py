"""The folder that holds one local installation: data, keys, logs and what runs at the moment."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convex_dev.errors import Refused


@dataclass(frozen=True)
class Home:
    """Paths inside the folder. What is secret is kept in files of mode 0600."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    def prepare(self) -> None:
        """Make the folder. Others may pass through it, as the database's own user must, and not look around."""
        try:
            if not self.path.exists():
                self.path.mkdir(parents=True)
                self.path.chmod(0o711)
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Refused(f"{self.path}: {error.strerror}; choose another folder by --home or CONVEX_HOME") from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder alone; the kernel lets go of it however this process ends. `Refused` when it is held."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused(
                    f"{self.path} is in use by another `convex dev up`; stop that one, or choose another by --home"
                ) from None
            yield
        finally:
            os.close(descriptor)

    def read(self, name: str) -> dict[str, Any]:
        """The JSON object in the file `name`; empty when there is none."""
        try:
            content = json.loads((self.path / name).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        except OSError as error:
            raise Refused(f"{self.path / name}: {error.strerror}; choose another folder by --home") from error
        return content if isinstance(content, dict) else {}

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Replace the file `name` as a whole, readable by its owner only."""
        target = self.path / name
        fresh = target.with_name(f".{name}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=1)
        fresh.replace(target)
