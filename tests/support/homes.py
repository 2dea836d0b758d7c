"""Homes for installations, prepared: what `convex dev up` makes of an empty folder before it starts services.

initdb and migrations take longer than copying what they make. It is made once a run, by `convex dev up` itself.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from convex_dev.ports import FILE as PORTS
from convex_dev.stack import Stack
from convex_dev.up import Options, up

LEFT_OUT = (PORTS, "logs", "lock", "supervisor.log")
"""What is an installation's own: two of one port would take it from each other."""


class Homes:
    """Copies of one prepared home; the first that is asked for has it made, whichever worker asks."""

    def __init__(self, folder: Path) -> None:
        self._prepared = folder / "prepared-home"
        self._lock = folder / "prepared-home.lock"

    def new(self, target: Path | None = None) -> Path:
        """A copy in `target`, or in a folder of its own, which the database's own user can pass through."""
        from tests.support.scratch import scratch  # which this file does not find where it runs as a program

        if target is None:
            target = scratch("convex-stack-")
        self._copy(self._made(), target)
        target.chmod(0o711)
        return target

    def _made(self) -> Path:
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._prepared.exists():
                self._make()
        return self._prepared

    def _make(self) -> None:
        with tempfile.TemporaryDirectory(prefix="convex-home-") as folder:
            Path(folder).chmod(0o711)
            stack = Stack(Path(folder), command=[sys.executable, "-P", __file__, folder])
            stack.start()
            assert stack.stop() == 0, stack.progress()
            beginning = self._prepared.with_suffix(".new")
            self._copy(Path(folder), beginning)
            beginning.rename(self._prepared)

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        """With its owners: the database's files belong to its user."""
        target.mkdir(exist_ok=True)
        kept = [path for path in source.iterdir() if path.name not in LEFT_OUT]
        subprocess.run(["cp", "-a", *kept, target], check=True)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Homes:
    base = tmp_path_factory.getbasetemp()
    return Homes(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)


if __name__ == "__main__":
    sys.exit(up(Options(Path(sys.argv[1]), 0, demo=False), dict(os.environ), lambda *_: []))
