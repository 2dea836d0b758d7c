"""What the supervisor needs to know of a process that it keeps running."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

KEEP_USER = -1


@dataclass(frozen=True)
class Spec:
    """One process. `probe` is the URL that says whether it serves; without one, it serves as soon as it runs.

    `before` runs ahead of every start, restarts included. Ended by `stop_signal`, and by SIGKILL when it still runs
    `grace` seconds later; when the supervisor dies the kernel sends `death_signal`.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    kind: Literal["store", "service", "demo"] = "service"
    port: int | None = None
    probe: str | None = field(default=None, repr=False)
    uid: int = KEEP_USER
    before: Callable[[], None] | None = None
    stop_signal: int = signal.SIGTERM
    death_signal: int = signal.SIGKILL
    grace: float = 10.0
