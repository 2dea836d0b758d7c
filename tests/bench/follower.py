"""Follows accepted triggers to where people see them: WebSocket frames or webhooks."""

from __future__ import annotations

import time
from collections import deque

import msgspec

from tests.bench.job import ALERTMANAGER, Job, Result


class _Data(msgspec.Struct):
    labels: dict[str, str]
    occurrences: int


class _Frame(msgspec.Struct):
    type: str
    data: _Data | None = None


class _Alert(msgspec.Struct):
    labels: dict[str, str]


class _OurData(msgspec.Struct):
    alert: _Alert


class _OurHook(msgspec.Struct):
    data: _OurData


class _TheirHook(msgspec.Struct):
    alerts: list[_Alert]


class Follower:
    """Notes what was seen in `result`, the oldest trigger of a fingerprint first.

    A frame stands for as many triggers as its alert's occurrences grew by: folds of one batch share a frame.
    """

    def __init__(self, job: Job, result: Result) -> None:
        self.result = result
        self.seen = 0
        self.last_at = 0.0
        self._waiting: dict[str, deque[float]] = {}
        self._occurrences: dict[str, int] = {}
        self._frame = msgspec.json.Decoder(_Frame)
        self._ours = msgspec.json.Decoder(_OurHook)
        self._theirs = msgspec.json.Decoder(_TheirHook) if job.path == ALERTMANAGER else None

    def expect(self, host: str, due: float) -> None:
        """A trigger is on its way."""
        waiting = self._waiting.get(host)
        if waiting is None:
            waiting = self._waiting[host] = deque()
        waiting.append(due)

    def on_frame(self, payload: bytes) -> None:
        """A text frame of the WebSocket."""
        now = time.perf_counter()
        frame = self._frame.decode(payload)
        if frame.type != "alert" or frame.data is None:
            return
        self.result.frames += 1
        host, occurrences = frame.data.labels.get("host", ""), frame.data.occurrences
        before = self._occurrences.get(host, 0)
        if occurrences > before:
            self._occurrences[host] = occurrences
            self._saw(host, occurrences - before, now)

    def on_webhook(self, body: bytes) -> None:
        """A webhook's body; a repeated one counts once."""
        now = time.perf_counter()
        alerts = self._theirs.decode(body).alerts if self._theirs else [self._ours.decode(body).data.alert]
        for alert in alerts:
            self._saw(alert.labels.get("host", ""), 1, now)

    def _saw(self, host: str, count: int, now: float) -> None:
        waiting = self._waiting.get(host)
        for _ in range(count):
            if not waiting:
                return
            self.result.seen_ms.append((now - waiting.popleft()) * 1000)
            self.seen += 1
            self.last_at = now
