"""The alert history that patterns are looked for in. Pure."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convex_common.domain.severity import Severity

DAYS: Final = 56
"""Whole weeks, so that a shift by days keeps both rhythms, the day's and the week's."""
DAY: Final = 86_400.0
SPAN: Final = DAYS * DAY
MOST_SUBJECTS: Final = 200
"""Those with the most alerts: what is compared grows with their square."""
MOST_ONSETS: Final = 1_000
"""Of one subject, the newest: what fires more often needs no statistics to be seen."""

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose alerts: a rule's, or those that another tool sends under one name."""

    framework_id: uuid.UUID
    rule_id: uuid.UUID | None
    name: str

    @property
    def key(self) -> str:
        """Tells it from every other subject of the workspace; a renamed rule stays the same."""
        return str(self.rule_id) if self.rule_id else f"{self.framework_id}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One alert, as far as patterns go. `useful` None: nobody has said."""

    subject: Subject
    triggered_at: dt.datetime
    resolved_at: dt.datetime | None
    severity: Severity
    acknowledged: bool = False
    by_itself: bool = False
    reopened: int = 0
    useful: bool | None = None


@dataclass(frozen=True, slots=True)
class Strand:
    """A subject's episodes in order, and when each began: seconds of the wall clock since `History.since`."""

    subject: Subject
    episodes: Sequence[Episode]
    onsets: Times

    def sessions(self, gap: float) -> Times:
        """The onsets without those that follow the one before within `gap` seconds: what flaps began once."""
        if not len(self.onsets):
            return self.onsets
        return self.onsets[np.concatenate(([True], np.diff(self.onsets) >= gap))]


@dataclass(frozen=True, slots=True)
class History:
    """The strands of a workspace, the busiest first; `since` is a naive time of the workspace's wall clock."""

    since: dt.datetime
    strands: Sequence[Strand]

    @property
    def origin(self) -> float:
        """Seconds from a Monday's midnight to `since`: added to an onset, it tells the time of the week."""
        midnight = dt.datetime.combine(self.since.date(), dt.time())
        return self.since.weekday() * DAY + (self.since - midnight).total_seconds()


def history(episodes: Sequence[Episode], until: dt.datetime, timezone: dt.tzinfo) -> History:
    """The last eight weeks before `until`, by the wall clock: what happens at nine does so in summer and in winter."""
    end = until.astimezone(timezone).replace(tzinfo=None)
    since = end - dt.timedelta(days=DAYS)
    named: dict[str, list[Episode]] = {}
    for episode in sorted(episodes, key=lambda one: one.triggered_at):
        named.setdefault(episode.subject.key, []).append(episode)
    counts = Counter({key: len(found) for key, found in named.items()})
    strands = []
    for key, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:MOST_SUBJECTS]:
        kept = named[key][-MOST_ONSETS:]
        local = [one.triggered_at.astimezone(timezone).replace(tzinfo=None) - since for one in kept]
        onsets = np.array([one.total_seconds() for one in local])
        inside = (onsets >= 0) & (onsets < SPAN)
        chosen = [one for one, is_in in zip(kept, inside, strict=True) if is_in]
        if chosen:
            order = np.argsort(onsets[inside], kind="stable")
            strands.append(Strand(chosen[-1].subject, [chosen[i] for i in order], onsets[inside][order]))
    return History(since, strands)
