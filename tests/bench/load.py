"""Starts generators and reads what they found."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import msgspec

from tests.bench.job import Job, Result

ROOT = Path(__file__).resolve().parent.parent.parent


class Load:
    """A generator at work."""

    def __init__(self, job: Job) -> None:
        self.begun = threading.Event()
        """Set when its measurement begins, or when it ended without."""
        self.sent = threading.Event()
        """Set when the last request left."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.generator"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        threading.Thread(target=self._read_errors, daemon=True).start()
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(job))
        self._process.stdin.close()

    def result(self) -> Result:
        """What it found, waited for."""
        assert self._process.stdout is not None
        answer = self._process.stdout.read()
        if self._process.wait(timeout=60) != 0:
            raise RuntimeError("a generator failed, see above")
        return msgspec.json.decode(answer, type=Result)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line == b"begun\n":
                self.begun.set()
            elif line == b"sent\n":
                self.sent.set()
            else:
                sys.stderr.write("generator: " + line.decode(errors="replace"))
        self.begun.set()
        self.sent.set()


def run(job: Job) -> Result:
    """One job, from start to end."""
    return Load(job).result()
