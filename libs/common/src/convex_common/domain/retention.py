"""How long what was recorded is kept: whole UTC days, by kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

SHORTEST: Final[Mapping[str, int]] = {"observations": 1, "log": 3, "alerts": 3, "statistics": 3}
"""The log is what a day's statistics are made of, which may take more than one night, and what a client that comes
back within 24 hours is replayed."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Days until something goes. `log` is the alert log with notifications, deliveries, attempts and in-app notices;
    `alerts` are resolved ones, counted from their end."""

    observations: int = 30
    log: int = 90
    alerts: int = 365
    statistics: int = 1095

    def shortened(self, own: Mapping[str, int | None]) -> Terms:
        """A workspace's terms: its own where it has some, but never longer than the installation's."""
        shorter = {kind: min(days, own.get(kind) or days) for kind, days in asdict(self).items()}
        return replace(self, **shorter)


def first_kept(now: dt.datetime, days: int) -> dt.datetime:
    """The midnight before which everything is over its term: the same for every moment of a day."""
    midnight = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - dt.timedelta(days=days)
