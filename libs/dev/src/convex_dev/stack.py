"""The whole product for tests and benches: `convex dev up` in a process of its own, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from convex_dev import state, status, tokens
from convex_dev.errors import StartFailed
from convex_dev.home import Home
from convex_dev.services import program
from convex_dev.state import State
from convex_dev.status import Row

OURS = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "REDIS_HOST", "CACHE_REDIS_URL")


class Stack:
    """One installation, started by the very command a person uses; `env` is added to its environment.

    Nothing happens in it but what is asked of it: the self-audit is off, unless `env` gives SELF_AUDIT_URL.
    Without `home` it lives in a temporary folder, which `close` (or the end of a `with` block) removes. `stop` keeps
    the data, so that `start` can follow again. `command` starts something else that keeps the same promises.
    """

    def __init__(
        self,
        home: Path | None = None,
        *,
        port: int = 0,
        demo: bool = False,
        processors: int = 1,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        self._temporary = home is None
        if home is None:
            home = Path(tempfile.mkdtemp(prefix="convex-stack-"))
            home.chmod(0o711)  # the database's own user passes through
        self.home = Home(home.resolve())
        flags = ["--home", str(self.home.path), "--port", str(port), "--processors", str(processors)]
        self._command = list(command or [program("convex"), "dev", "up", *flags, "--demo" if demo else "--no-demo"])
        inherited = {k: v for k, v in os.environ.items() if k not in OURS and not k.startswith("CONVEX_")}
        self._given = dict(env or {})
        self._env = {"SELF_AUDIT_URL": "", **inherited, **self._given}
        self._process: subprocess.Popen[str] | None = None
        self.output: list[str] = []
        """Lines on stdout of the present run."""

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def start(self, timeout: float = 120.0) -> Self:
        """Start it and return when it says that it is ready; `StartFailed` with its last words otherwise."""
        self.home.prepare()
        self.output = []
        ready = threading.Event()
        with self._errors.open("a") as errors:
            self._process = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, env=self._env, text=True
            )
        threading.Thread(target=self._read, args=(self._process, ready), daemon=True).start()
        ready.wait(timeout)
        if not any(line.startswith("ready ") for line in self.output):
            self.stop()
            raise StartFailed(f"not ready: {self.progress().strip()[-2000:]}")
        return self

    def stop(self, timeout: float = 60.0) -> int | None:
        """Stop it by SIGTERM as a person would; its exit code, `None` when it did not run."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.terminate()
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def close(self) -> None:
        """Stop it, and remove the folder if it is a temporary one."""
        self.stop()
        if self._temporary:
            shutil.rmtree(self.home.path, ignore_errors=True)

    def kill(self, name: str) -> int:
        """Kill -9 a store, a service or, by `supervisor`, the supervisor; the pid that it had."""
        if name == "supervisor":
            assert self._process is not None
            self._process.kill()
            self._process.wait()
            return self._process.pid
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def pid(self, name: str, timeout: float = 30.0) -> int:
        """The process's pid, waited for while it is being started again."""
        deadline = time.monotonic() + timeout
        while True:
            process = self.state.process(name)
            if process.pid and process.created and state.same_process(process.pid, process.created):
                return process.pid
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{name} does not run; {self.progress()[-1000:]}")
            time.sleep(0.05)

    def wait_healthy(self, *names: str, timeout: float = 60.0) -> None:
        """Return when these, or all, are healthy."""
        deadline = time.monotonic() + timeout
        while True:
            rows = [row for row in self.status() if not names or row["name"] in names]
            if rows and all(row["health"] == "healthy" for row in rows):
                return
            if time.monotonic() >= deadline:
                logs = [self.home.logs / f"{row['name']}.log" for row in rows if row["health"] != "healthy"]
                said = "".join(f"\n{log.stem}: {self.log(log.stem)[-1500:]}" for log in logs if log.exists())
                raise TimeoutError(f"not healthy: {rows}; {self.progress()[-1000:]}{said}")
            time.sleep(0.1)

    def status(self) -> list[Row]:
        """What `convex dev status --json` prints."""
        return status.of(self.home)

    def token(
        self,
        role: str = "owner",
        user: str | None = None,
        workspace: str = "demo",
        ttl: int = tokens.DAY,
        *,
        operator: bool = False,
    ) -> str:
        """A token of a member, who is made where missing, as is the workspace."""
        return tokens.issue(self.state, workspace=workspace, role=role, user=user, ttl=ttl, operator=operator)[0]

    def tokens(self, count: int, role: str = "owner", workspace: str = "demo") -> list[str]:
        """Tokens of `count` members."""
        return tokens.issue(self.state, workspace=workspace, role=role, count=count)

    def log(self, name: str) -> str:
        """What a store or a service wrote lately."""
        return (self.home.logs / f"{name}.log").read_text(errors="replace")

    def progress(self) -> str:
        """What the supervisor wrote to stderr, over all runs."""
        return self._errors.read_text(errors="replace")

    @property
    def state(self) -> State:
        return state.running(self.home)

    @property
    def environment(self) -> Mapping[str, str]:
        """What every service is given, for a further process beside them."""
        return {**self._given, **self.state.environment}

    @property
    def url(self) -> str:
        return self.state.url

    @property
    def database_url(self) -> str:
        return self.environment["DATABASE_URL"]

    @property
    def owner_url(self) -> str:
        return self.state.owner_url

    @property
    def redis_url(self) -> str:
        return self.environment["REDIS_URL"]

    @property
    def cache_redis_url(self) -> str:
        return self.environment["CACHE_REDIS_URL"]

    @property
    def _errors(self) -> Path:
        return self.home.path / "supervisor.log"

    def _read(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output.append(line.rstrip("\n"))
            if line.startswith("ready "):
                ready.set()
        ready.set()
