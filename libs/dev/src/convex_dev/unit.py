"""One process kept running: started, listened to, started again when it dies, ended when it is time."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from convex_dev import launcher, probes
from convex_dev.backoff import Backoff
from convex_dev.errors import DevError, StartFailed
from convex_dev.journal import Echo, Journal
from convex_dev.spec import KEEP_USER, Spec
from convex_dev.state import ProcessState, created

PROBE_EVERY = 0.1
LONGEST_LINE = 256 * 1024
WRONG_SETTING = 2
RESTARTS_BEFORE_SERVING = 4


class Unit:
    """Runs in the main thread's event loop: the kernel ends a child when the thread that started it ends."""

    def __init__(
        self, spec: Spec, journal: Journal, echo: Echo, say: Callable[[str], None], changed: Callable[[], None]
    ) -> None:
        self.spec = spec
        self._journal = journal
        self._echo = echo
        self._say = say
        self._changed = changed
        self._backoff = Backoff()
        self._process: asyncio.subprocess.Process | None = None
        self._created: float | None = None
        self._restarts = 0
        self._served = False
        self._serving = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopping = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.spec.name}")

    async def serving(self, timeout: float) -> None:  # noqa: ASYNC109 - the message names it
        """Return once it serves; `StartFailed` when it gives up or `timeout` seconds have passed."""
        wait = asyncio.create_task(self._serving.wait())
        futures: set[asyncio.Future[Any]] = {wait, self._failed}
        try:
            done, _ = await asyncio.wait(futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if self._failed in done:
                self._failed.result()
            if not done:
                raise StartFailed(f"{self.spec.name}: not ready after {timeout:.0f} s; {self._hint()}")
        finally:
            wait.cancel()

    async def stop(self) -> None:
        """Ask it to end, insist after its grace, return when it is gone. It is not started again."""
        self._stopping.set()
        if self._process and self._process.returncode is None:
            self._send(self.spec.stop_signal)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), self.spec.grace)
            if self._process.returncode is None:
                self._say(f"{self.spec.name}: still running after {self.spec.grace:.0f} s, killed")
            self._send_group(signal.SIGKILL)
        if self._keeper:
            await self._keeper
        if self._failed.done():
            self._failed.exception()
        self._journal.close()

    def state(self) -> ProcessState:
        pid = self._process.pid if self._process and self._process.returncode is None else None
        return ProcessState(
            self.spec.name,
            self.spec.kind,
            pid,
            self._created if pid else None,
            self.spec.port,
            self._restarts,
            self.spec.probe,
        )

    async def _keep(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                code = await self._live()
            except (DevError, OSError) as error:
                if not self._served:
                    self._fail(StartFailed(f"{self.spec.name}: {error}"))
                    return
                code, reason = 1, str(error)
            else:
                reason = _ended(code)
            if self._stopping.is_set():
                return
            if not self._served and code == WRONG_SETTING:
                self._fail(StartFailed(f"{self.spec.name}: {self._journal.last or 'a setting is wrong'}"))
                return
            if not self._served and self._restarts == RESTARTS_BEFORE_SERVING:
                self._fail(StartFailed(f"{self.spec.name}: {reason} again and again; {self._hint()}"))
                return
            delay = self._backoff.after(time.monotonic() - began)
            self._say(f"{self.spec.name}: {reason}; started again in {delay:.1f} s")
            self._restarts += 1
            self._changed()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _live(self) -> int:
        """One life, from before the start to after the end."""
        if self.spec.before:
            await asyncio.to_thread(self.spec.before)
        if self._stopping.is_set():
            return 0
        self._process = await asyncio.create_subprocess_exec(
            *mortal(self.spec.argv, self.spec.death_signal, self.spec.uid),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(self.spec.env),
            cwd="/" if self.spec.uid >= 0 else None,
            start_new_session=True,
        )
        self._created = created(self._process.pid)
        self._changed()
        listener = asyncio.create_task(self._listen(self._process))
        watcher = asyncio.create_task(self._watch())
        code = await self._process.wait()
        watcher.cancel()
        self._serving.clear()
        await asyncio.wait({listener}, timeout=1.0)  # a grandchild may still hold the pipe
        listener.cancel()
        self._journal.flush()
        self._changed()
        return code

    async def _watch(self) -> None:
        began = time.monotonic()
        while self.spec.probe and not await probes.healthy(self.spec.probe):  # noqa: ASYNC110 - asks another process
            await asyncio.sleep(PROBE_EVERY)
        self._serving.set()
        if self._served:
            self._say(f"{self.spec.name}: serves again after {time.monotonic() - began:.1f} s")
        self._served = True
        self._changed()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        rest = b""
        while chunk := await process.stdout.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._journal.write(line)
                self._echo.line(self.spec.name, line, time.monotonic())
            self._journal.flush()
        if rest:
            self._journal.write(rest)

    def _fail(self, error: StartFailed) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    def _hint(self) -> str:
        return f"see logs/{self.spec.name}.log: {self._journal.last or 'it said nothing'}"

    def _send(self, number: int) -> None:
        with suppress(ProcessLookupError):
            if self._process:
                self._process.send_signal(number)

    def _send_group(self, number: int) -> None:
        """To the process and what it started itself and left in its group."""
        with suppress(ProcessLookupError, PermissionError):
            if self._process:
                os.killpg(self._process.pid, number)


def mortal(argv: Sequence[str], death_signal: int = signal.SIGKILL, uid: int = KEEP_USER) -> list[str]:
    """The command that runs `argv` as `uid` and has it sent `death_signal` when this process dies."""
    start = [sys.executable, "-I", "-S", str(Path(launcher.__file__))]
    return [*start, str(os.getpid()), str(int(death_signal)), str(uid), *argv]


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"ended by {signal.Signals(-code).name}"
