"""One run: an alert sent, stored, seen, told of, and closed again. What fails is tried again until the deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from convex_common.domain.self_audit import Result, Stage
from convex_common.errors import ConvexError
from convex_scheduler.self_audit.api import Api
from convex_scheduler.self_audit.course import RUN, Course

LISTEN: Final = 0.25
"""Seconds for which the live feed is listened to before the API is asked again."""

PAUSE: Final = 0.5
OPEN: Final = ("firing", "acknowledged")


class Walk:
    """Makes runs, with a client that it keeps for as long as runs pass; after a failure everything is made anew."""

    def __init__(self, client: Callable[[], Api], within: float, stopping: threading.Event) -> None:
        self._client = client
        self._within = within
        self._stopping = stopping
        self._api: Api | None = None
        self._tidied = False

    def __call__(self, run: str) -> Result:
        """How it ended; without an exception, whatever it was."""
        course = Course(run, time.monotonic(), self._within)
        while (stage := course.next) is not None and not course.late(time.monotonic()):
            try:
                self._step(stage, course)
            except ConvexError as error:
                course.trouble = str(error)
                if self._stopping.wait(PAUSE):
                    break
        result = course.result()
        self._leave(course, result)
        return result

    def close(self) -> None:
        """Forget the key."""
        api, self._api = self._api, None
        if api is not None:
            api.close()

    def _step(self, stage: Stage, course: Course) -> None:
        if self._api is None:
            self._api = self._client()
            self._tidied = False
        api = self._api
        match stage:
            case Stage.PREPARED:
                course.reach(stage, time.monotonic())
            case Stage.CONNECTED:
                api.follow()
                self._tidy(api)
                course.reach(stage, time.monotonic())
            case Stage.ACCEPTED:
                course.begins(time.monotonic())
                api.trigger({RUN: course.run})
                course.reach(stage, time.monotonic())
            case _:
                self._watch(stage, course, api)

    def _watch(self, stage: Stage, course: Course, api: Api) -> None:
        frame = api.next_frame(LISTEN)
        if frame is not None:
            course.hear(frame, time.monotonic())
        if stage is Stage.STORED:
            course.find(api.alerts(), time.monotonic())
        elif stage is Stage.NOTIFIED and course.alert_id is not None:
            course.read(api.deliveries(course.alert_id), time.monotonic())
        elif stage is Stage.RESOLVED and course.alert_id is not None and not course.closed:
            course.begins(time.monotonic())
            api.acknowledge(course.alert_id)
            api.resolve(course.alert_id)
            course.closed = True

    def _leave(self, course: Course, result: Result) -> None:
        """An alert that was not closed is, if that can be; the rest the next run tidies up."""
        if self._api is None:
            return
        self._api.hang_up()
        if not result.passed:
            try:
                if course.alert_id is not None and not course.closed:
                    self._api.resolve(course.alert_id)
            except ConvexError as error:
                course.trouble = str(error)
            self.close()

    def _tidy(self, api: Api) -> None:
        """Nothing of earlier runs stays open, such as what came late."""
        if self._tidied:
            return
        for status in OPEN:
            if left := [str(alert["id"]) for alert in api.alerts(status=status)]:
                api.resolve_all(left)
        self._tidied = True
