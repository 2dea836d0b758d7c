"""Whom a silence concerns as it is made, begins or is expired: the open alerts to look at again. Pure."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from convex_common.domain.change import Timer
from convex_common.domain.fingerprint import shard_of
from convex_common.domain.silence import Silence, silence_key
from convex_common.events import SilenceDue, SilenceEnd, encode

SECOND_LOOK: Final = dt.timedelta(seconds=20)
"""Longer than a transaction lives that decided before the silence was there, and was not seen by the first look."""


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """What is needed of one: its labels as silences see them, and what it shows."""

    id: uuid.UUID
    fingerprint: bytes
    labels: Mapping[str, str]
    silenced_by: uuid.UUID | None


def look(due: SilenceDue, silence: Silence | None, alerts: Iterable[OpenAlert], now: dt.datetime) -> Iterator[Timer]:
    """Timers for the alerts that it fits, and for those that show it; and its own for the next look.

    `silence` is None where it is over.
    """
    in_effect = silence is not None and silence.span(now) is not None
    for alert in alerts:
        fits = in_effect and silence is not None and silence.fits(alert.labels)
        if fits or alert.silenced_by == due.silence_id:
            timer = SilenceEnd(alert_id=alert.id)
            yield _timer(timer.kind, str(alert.id), alert.fingerprint, now, encode(timer))
    next_start = None if silence is None else silence.next_start(now)
    at = next_start if due.again else now + SECOND_LOOK
    if at is not None:
        timer_of_its_own = SilenceDue(silence_id=due.silence_id, again=not due.again)
        key = silence_key(due.silence_id)
        yield _timer(SilenceDue.kind, str(due.silence_id), key, at, encode(timer_of_its_own))


def _timer(kind: str, subject: str, key: bytes, due_at: dt.datetime, payload: bytes) -> Timer:
    return Timer(
        kind=kind.removeprefix("timer:"), subject=subject, key=key, shard=shard_of(key), due_at=due_at, payload=payload
    )
