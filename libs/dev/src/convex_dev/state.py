"""What runs at the moment, as the supervisor writes it down and the other commands read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

import psutil

from convex_dev.errors import NotRunning
from convex_dev.home import Home

FILE = "state.json"
Kind = Literal["store", "service", "demo"]


@dataclass(frozen=True)
class ProcessState:
    """One supervised process. `created` tells it from a later process that was given the same pid."""

    name: str
    kind: Kind
    pid: int | None
    created: float | None
    port: int | None
    restarts: int
    probe: str | None


@dataclass(frozen=True)
class State:
    """The running installation. `environment` is what every service was given, secrets included."""

    pid: int
    created: float
    ready: bool
    url: str
    owner_url: str
    environment: Mapping[str, str] = field(repr=False)
    processes: tuple[ProcessState, ...]

    def process(self, name: str) -> ProcessState:
        return next(process for process in self.processes if process.name == name)

    def alive(self) -> bool:
        """Whether the supervisor that wrote this still runs."""
        return same_process(self.pid, self.created)


def save(home: Home, state: State) -> None:
    home.write(FILE, asdict(state))


def read(home: Home) -> State | None:
    """What the last supervisor wrote, whether it still runs or not."""
    content = home.read(FILE)
    if not content:
        return None
    try:
        processes = tuple(ProcessState(**process) for process in content.pop("processes"))
        return State(**content, processes=processes)
    except (KeyError, TypeError):
        return None


def running(home: Home) -> State:
    """What runs in this folder now; `NotRunning` otherwise."""
    state = read(home)
    if state is None or not state.alive():
        raise NotRunning(
            f"nothing runs in {home.path}; start it by `make run` or `convex dev up`, or name it by --home"
        )
    return state


def created(pid: int) -> float | None:
    """When the process started, as its system counts; `None` when there is no such process."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def same_process(pid: int, since: float) -> bool:
    """Whether `pid` is still the process that started at `since`, and more than a zombie."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - since) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
