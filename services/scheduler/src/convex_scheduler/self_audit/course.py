"""How far a run has come. Pure: facts and times come in, what to do next and how it ended come out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from convex_common.domain.self_audit import Result, Stage

RUN: Final = "run"
"""The label by which an alert says which run it is of."""

AFTER_THE_TRIGGER: Final = frozenset({Stage.ACCEPTED, Stage.STORED, Stage.SEEN, Stage.NOTIFIED})
"""Their seconds count from the sending of the trigger, the others' from the end of the stage before."""


class Course:
    """One run's. Stages may be reached out of order: the live feed is often quicker than the API is asked."""

    def __init__(self, run: str, began: float, within: float) -> None:
        self.run = run
        self.alert_id: str | None = None
        self.closed = False
        """Whether somebody was asked to acknowledge and resolve the alert."""
        self.trouble: str | None = None
        """What went wrong last; told only where it was not overcome in time."""
        self._deadline = began + within
        self._within = within
        self._mark = began
        self._reached: dict[Stage, float] = {}

    @property
    def next(self) -> Stage | None:
        """The first stage that is not reached; None at the end."""
        return next((stage for stage in Stage if stage not in self._reached), None)

    def late(self, now: float) -> bool:
        """Whether the time for the whole run is over."""
        return now >= self._deadline

    def begins(self, now: float) -> None:
        """What follows counts from now."""
        self._mark = now

    def reach(self, stage: Stage, now: float) -> None:
        """It is proved, or was before."""
        if stage in self._reached:
            return
        self._reached[stage] = now - self._mark
        self.trouble = None
        if stage not in AFTER_THE_TRIGGER:
            self._mark = now

    def hear(self, frame: Mapping[str, Any], now: float) -> None:
        """A frame of the live feed; those of other runs, and of other kinds, say nothing."""
        if frame.get("type") != "alert" or not self.is_of(frame.get("data")):
            return
        self.alert_id = str(frame["data"]["id"])
        if frame.get("event") == "created":
            self.reach(Stage.SEEN, now)
        elif frame.get("event") == "resolved" and self.next is Stage.RESOLVED:
            self.reach(Stage.RESOLVED, now)

    def find(self, alerts: list[Mapping[str, Any]], now: float) -> None:
        """Alerts as the API answers them: this run's is stored."""
        for alert in alerts:
            if self.is_of(alert):
                self.alert_id = str(alert["id"])
                self.reach(Stage.STORED, now)

    def read(self, deliveries: list[Mapping[str, Any]], now: float) -> None:
        """The ledger of this run's alert: one that was delivered is enough."""
        if any(delivery.get("status") == "delivered" for delivery in deliveries):
            self.reach(Stage.NOTIFIED, now)
        elif error := next((one["last_error"] for one in deliveries if one.get("last_error")), None):
            self.trouble = f"a delivery failed: {error}"

    def is_of(self, alert: object) -> bool:
        """Whether an alert is this run's."""
        return isinstance(alert, Mapping) and (alert.get("labels") or {}).get(RUN) == self.run

    def result(self) -> Result:
        """How it ended, or stands."""
        stage = self.next
        if stage is None:
            return Result(dict(self._reached))
        return Result(dict(self._reached), stage, self.trouble or f"not {stage.value} within {self._within:g} s")
