"""The self-audit: an alert of the installation's own, sent through the whole path to prove it. Pure."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

WORKSPACE: Final = uuid.UUID("5e1fa0d1-0000-8000-8000-000000000001")
"""Where its alerts are. Nobody is a member, and what happens there is in nobody's figures."""


def of_people(workspace_id: uuid.UUID) -> bool:
    """Whether a workspace is somebody's, so that what happens there counts."""
    return workspace_id != WORKSPACE


class Stage(StrEnum):
    """What is proved, in the order in which it is: a failed run names the first that it did not reach."""

    PREPARED = "prepared"
    """The workspace, its rule, its channel and a key are there."""
    CONNECTED = "connected"
    """A socket follows the live feed."""
    ACCEPTED = "accepted"
    """The gateway took the trigger."""
    STORED = "stored"
    """A processor made an alert of it, which the API answers."""
    SEEN = "seen"
    """The alert came by the live feed."""
    NOTIFIED = "notified"
    """A notifier delivered its notification."""
    RESOLVED = "resolved"
    """It was acknowledged and resolved, and the live feed said so."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended: `failed_at` is None where the whole path was proved. Seconds by the stages that were reached."""

    seconds: Mapping[Stage, float]
    failed_at: Stage | None = None
    reason: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the whole path was proved."""
        return self.failed_at is None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is on record: the run that ended last, and when one last passed."""

    ended_at: dt.datetime | None = None
    passed: bool | None = None
    stage: str | None = None
    reason: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    last_passed_at: dt.datetime | None = None
