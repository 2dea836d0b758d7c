"""End what an earlier supervisor left running in a folder, where the kernel did not do it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from convex_dev import state
from convex_dev.home import Home
from convex_dev.state import ProcessState

PATIENCE = 15.0


def end_leftovers(home: Home) -> int:
    """Called with the folder's lock held, so whatever the state file lists belongs to nobody. How many were ended."""
    earlier = state.read(home)
    if earlier is None:
        return 0
    left = _alive(earlier.processes)
    count = len(left)
    deadline = time.monotonic() + PATIENCE
    for process in left:
        _signal(process, signal.SIGINT if process.name == "postgres" else signal.SIGTERM)
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = _alive(left)
    for process in left:
        _signal(process, signal.SIGKILL)
    home.state_file.unlink(missing_ok=True)
    return count


def _alive(processes: tuple[ProcessState, ...] | list[ProcessState]) -> list[ProcessState]:
    return [p for p in processes if p.pid and p.created and state.same_process(p.pid, p.created)]


def _signal(process: ProcessState, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if process.pid:
            os.kill(process.pid, number)
