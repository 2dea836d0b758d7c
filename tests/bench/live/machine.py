"""What processes take, and what is left to others."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass

import psutil


@dataclass
class Watch:
    """From its making on: the CPU of one process, and of what belongs to nobody here."""

    pid: int

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        self._ours, self._idle, self._used = _tree_seconds(), _idle_seconds(), cpu_seconds(self.pid)

    def used(self) -> float:
        """Seconds of CPU that the process took, its threads' and the kernel's for it included."""
        return cpu_seconds(self.pid) - self._used

    def share(self) -> float:
        """Percent of a core that the process took."""
        return 100 * self.used() / (time.monotonic() - self._began)

    def others(self) -> float:
        """Percent of a core taken by processes that are not this bench's, and by the machine's own host."""
        took = time.monotonic() - self._began
        busy = took * (psutil.cpu_count() or 1) - (_idle_seconds() - self._idle)
        return 100 * max(0.0, busy - (_tree_seconds() - self._ours)) / took


def cpu_seconds(pid: int) -> float:
    """By the process's own CPU clock, to the nanosecond (clock_getcpuclockid)."""
    return time.clock_gettime((~pid << 3) | 2)


def resident_kib(pid: int) -> float:
    """Memory that the process has in RAM."""
    return float(psutil.Process(pid).memory_info().rss) / 1024


def allow_files(wanted: int) -> int:
    """How many files a process started from now on may have open: `wanted`, or as many as the machine allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return max(soft, most)


def _idle_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0.0))


def _tree_seconds() -> float:
    """This process and all that it started; children that ended are in their parent's."""
    me = psutil.Process()
    total = 0.0
    for process in (me, *me.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
