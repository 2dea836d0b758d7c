"""The self-audit: an alert of the installation's own, sent through the whole path to prove it. Pure."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
    began_at: dt.datetime | None = None
    """Of the run that began last, which may be under way."""
    next_within: dt.timedelta | None = None
    """So soon after `began_at` the next run begins; None where it is switched off."""
    read_at: dt.datetime | None = None
    """When this stood so, by the clock of the database, as all times here are."""


class SelfAuditStatus(StrEnum):
    """What the record says of the path now."""

    PASSED = "passed"
    """The last run proved the whole path."""
    FAILED = "failed"
    """The last run did not come through."""
    STALE = "stale"
    """No run was begun for too long: what is on record is old."""
    NEVER = "never"
    """No run has ended yet."""
    OFF = "off"
    """It is switched off: nothing proves the path."""
    UNKNOWN = "unknown"
    """The record cannot be read."""


@dataclass(frozen=True, slots=True)
class Report:
    """Whether the path is proved, as people are told it. The stages are those of the run that ended last."""

    status: SelfAuditStatus
    about: str
    last_passed_at: dt.datetime | None = None
    last_run_at: dt.datetime | None = None
    failed_stage: Stage | None = None
    reason: str | None = None
    stages: Mapping[Stage, float | None] = field(default_factory=lambda: dict.fromkeys(Stage))
    """Milliseconds, in the order of the path; None where it did not come so far."""

    def without_insides(self) -> Report:
        """For those who do not run the installation: the reason may name what is behind it."""
        return replace(self, reason=None)


UNREADABLE: Final = Report(SelfAuditStatus.UNKNOWN, "PostgreSQL is away, and the record is there")


def report(standing: Standing | None) -> Report:
    """What is told of a record; None where no scheduler ever wrote one."""
    if standing is None:
        return Report(SelfAuditStatus.NEVER, "no scheduler has made a run yet")
    status, about = _status(standing)
    return Report(
        status,
        about,
        standing.last_passed_at,
        standing.ended_at,
        None if standing.stage is None else Stage(standing.stage),
        standing.reason,
        {stage: _milliseconds(standing.seconds.get(stage.value)) for stage in Stage},
    )


def _status(standing: Standing) -> tuple[SelfAuditStatus, str]:
    if standing.next_within is None or standing.began_at is None or standing.read_at is None:
        return SelfAuditStatus.OFF, "it is switched off: SELF_AUDIT_URL is not set for the scheduler"
    if standing.read_at - standing.began_at > standing.next_within:
        return SelfAuditStatus.STALE, "no run has begun lately: is a scheduler there?"
    if standing.passed is None:
        return SelfAuditStatus.NEVER, "the first run is under way"
    if standing.passed:
        return SelfAuditStatus.PASSED, "an alert came through the whole path"
    return SelfAuditStatus.FAILED, f"an alert did not come as far as {standing.stage}"


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
