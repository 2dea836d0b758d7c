"""One offset of a workspace's feed, as the gateway keeps and sends it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Entry:
    """A change of an alert: `frame` is the client's JSON text, `at` in seconds since the epoch."""

    offset: int
    framework_id: UUID
    frame: bytes
    at: float
