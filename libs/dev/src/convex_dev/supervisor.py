"""Brings stores and services up in order, keeps them up, and takes them down in the opposite order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from convex_dev import state
from convex_dev.errors import DevError, StartFailed
from convex_dev.home import Home
from convex_dev.journal import Echo, Journal
from convex_dev.spec import Spec
from convex_dev.unit import Unit, mortal

STORE_PATIENCE = 60.0
SERVICE_PATIENCE = 90.0


@dataclass(frozen=True)
class Plan:
    """What to run: stores first, then `prepare`, then services, then `extras`, which readiness does not wait for."""

    home: Home
    url: str
    owner_url: str = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    stores: Sequence[Spec]
    services: Sequence[Spec]
    extras: Sequence[Spec] = ()
    external: Sequence[state.ProcessState] = ()
    prepare: Callable[[], Awaitable[None]] | None = None


class Supervisor:
    """Runs one plan. Progress goes to stderr; `announce` is called when every service is ready."""

    def __init__(self, plan: Plan, announce: Callable[[], None]) -> None:
        self._plan = plan
        self._announce = announce
        self._units: dict[str, Unit] = {}
        self._stop = asyncio.Event()
        self._pid = os.getpid()
        self._created = state.created(self._pid) or 0.0
        self._ready = False
        self._last: state.State | None = None

    async def run(self) -> int:
        """Until SIGTERM, SIGINT or SIGHUP: 0. When the start fails: what is up is taken down and the error raised."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        stop = asyncio.ensure_future(self._stop.wait())
        start = asyncio.create_task(self._bring_up())
        try:
            await asyncio.wait({stop, start}, return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                start.result()
                self._ready = True
                self._write_state()
                self._announce()
                await stop
            return 0
        finally:
            start.cancel()
            await asyncio.wait({start})
            await self._take_down()
            stop.cancel()

    async def _bring_up(self) -> None:
        began = time.monotonic()
        plan = self._plan
        if plan.stores:
            say(f"starting {_listed(plan.stores)}")
        await self._up(plan.stores, STORE_PATIENCE)
        if plan.prepare:
            await plan.prepare()
        say(f"starting {_listed(plan.services)}")
        await self._up(plan.services, SERVICE_PATIENCE)
        say(f"all ready after {time.monotonic() - began:.1f} s; logs in {plan.home.logs}")
        for spec in plan.extras:
            self._unit(spec).start()

    async def _up(self, specs: Sequence[Spec], patience: float) -> None:
        units = [self._unit(spec) for spec in specs]
        for unit in units:
            unit.start()
        waiting = [asyncio.create_task(unit.serving(patience)) for unit in units]
        try:
            await asyncio.gather(*waiting)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _unit(self, spec: Spec) -> Unit:
        journal = Journal(self._plan.home.logs / f"{spec.name}.log")
        unit = Unit(spec, journal, Echo(say), say, self._write_state)
        self._units[spec.name] = unit
        return unit

    async def _take_down(self) -> None:
        say("stopping")
        for specs in (self._plan.extras, self._plan.services, self._plan.stores):
            units = [self._units[spec.name] for spec in specs if spec.name in self._units]
            await asyncio.gather(*(unit.stop() for unit in units))
        self._plan.home.state_file.unlink(missing_ok=True)
        say("stopped; the data is kept")

    def _write_state(self) -> None:
        now = state.State(
            pid=self._pid,
            created=self._created,
            ready=self._ready,
            url=self._plan.url,
            owner_url=self._plan.owner_url,
            environment=self._plan.environment,
            processes=(*self._plan.external, *(unit.state() for unit in self._units.values())),
        )
        if now != self._last:
            self._last = now
            state.save(self._plan.home, now)


async def run_once(name: str, argv: Sequence[str], env: Mapping[str, str], home: Home) -> None:
    """Run a program to its end, its output in logs/<name>.log; `StartFailed` with its last line when it fails."""
    path = home.logs / f"{name}.log"
    with path.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *mortal(argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(env),
            start_new_session=True,
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
    if code:
        said = path.read_text(errors="replace").strip().splitlines()
        raise StartFailed(f"{name}: {said[-1] if said else f'exit code {code}'}")


def run(plan: Plan, announce: Callable[[], None]) -> int:
    """Run the plan to its end; the exit code. What went wrong is said in one line."""

    async def whole() -> int:
        return await Supervisor(plan, announce).run()

    try:
        return asyncio.run(whole())
    except DevError as error:
        say(str(error))
        return error.exit_code


def say(line: str) -> None:
    """Progress and warnings, for a person, on stderr."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _listed(specs: Sequence[Spec]) -> str:
    return ", ".join(spec.name for spec in specs)
