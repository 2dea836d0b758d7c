"""The load client (`client.c`) from Python: compiled when it is needed, told what to watch, asked what came."""

from __future__ import annotations

import json
import selectors
import shutil
import subprocess
import tempfile
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.bench.live.figures import Connects
from tests.bench.load import ROOT

SOURCE = Path(__file__).with_name("client.c")
BUILT = ROOT / ".tools" / "live-client"
COMPILERS = ("cc", "gcc", "clang")


class CompilerMissing(Exception):  # noqa: N818 - reads as a state
    """There is nothing to compile the client with."""


def compiled() -> Path:
    """The client's program, compiled anew where its source is newer. CompilerMissing."""
    if BUILT.exists() and BUILT.stat().st_mtime > SOURCE.stat().st_mtime:
        return BUILT
    compiler = next((found for name in COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        raise CompilerMissing(f"the load client is C and needs a compiler: install one of {', '.join(COMPILERS)}")
    BUILT.parent.mkdir(exist_ok=True)
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", str(BUILT), str(SOURCE)], check=True)
    return BUILT


class Client:
    """`len(tokens)` sockets in a process of their own; the first `mute` of them never read what they are sent."""

    def __init__(self, port: int, tokens: Sequence[str], *, at_once: int = 50, mute: int = 0) -> None:
        self.count, self.mute = len(tokens), mute
        self._folder = tempfile.TemporaryDirectory(prefix="convex-live-")
        self._reported = Path(self._folder.name) / "report"
        connects, given = Path(self._folder.name) / "connects", Path(self._folder.name) / "tokens"
        given.write_text("\n".join(tokens) + "\n")
        arguments = [port, self.count, at_once, mute, given, connects]
        self._process = subprocess.Popen(
            [str(compiled()), *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._lines: list[bytes] = []
        self._rest = b""
        assert self._process.stdout is not None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)
        try:
            self._until("open", within=60 + self.count / 20)  # it gives up itself where nothing goes on any more
            times = _numbers(connects)
            self.connects = Connects(list(zip(times[::3], times[1::3], times[2::3], strict=True)))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        """End it; its sockets are reset."""
        self._process.kill()
        self._process.wait(10)
        self._selector.close()
        self._folder.cleanup()

    def watch(self, first: int, alerts: int) -> None:
        """Note when the alerts of these offsets come."""
        self._tell(f"watch {first} {alerts}")
        self._until("watching", within=10)

    def wait(self, offset: int, within: float) -> bool:
        """Whether everybody who reads has got this alert in time."""
        try:
            self._until(f"got {offset}", within)
        except TimeoutError:
            return False
        return True

    def unmute(self) -> None:
        """Who did not read begins to."""
        self._tell("unmute")
        self._until("unmuted", within=10)

    def report(self) -> tuple[list[array[int]], dict[str, int], dict[str, int]]:
        """Arrivals of what was watched, a column a socket that reads; what went wrong by kind; close codes."""
        self._tell(f"report {self._reported}")
        found = json.loads(self._until("{", within=30))
        closed: dict[str, int] = found.pop("closed")
        seen = _numbers(self._reported)
        starts = range(0, len(seen), self.count)
        return [seen[start + self.mute : start + self.count] for start in starts], found, closed

    def _tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")

    def _until(self, wanted: str, within: float) -> str:
        """The first line that begins so; those before it are passed over."""
        deadline = time.monotonic() + within
        while True:
            while self._lines:
                line = self._lines.pop(0).decode()
                if line.startswith("failed: "):
                    raise ConnectionError(f"the load client {line}")
                if line == wanted or (wanted == "{" and line.startswith(wanted)):
                    return line
            left = deadline - time.monotonic()
            if left <= 0 or not self._selector.select(left):
                raise TimeoutError(f"the load client did not say {wanted!r} within {within:g} s")
            assert self._process.stdout is not None
            data = self._process.stdout.read(1 << 16)
            if not data:
                raise ConnectionError(f"the load client ended while it was to say {wanted!r}")
            *self._lines, self._rest = (self._rest + data).split(b"\n")


def _numbers(path: Path) -> array[int]:
    return array("Q", path.read_bytes())
