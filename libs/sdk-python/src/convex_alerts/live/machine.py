"""Decides everything about a feed, and does nothing: told what happened and when, it answers with what to do.

A shell (`feed.py`) carries out the steps and reports back; times are seconds of a monotonic clock, but for a token's
end. The rules are those of decision 0025: backoff with full jitter, attempts counted until a signed-in connection has
stayed, resumption by offset, each offset once and in order, whatever is cut where.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeAlias

import msgspec

from convex_alerts.errors import ConvexAlertsError, FeedClosed, NotFound, Unreachable
from convex_alerts.live.items import Broadcast, Change, Gap, Item, Notified, Position, Snapshot, State
from convex_alerts.models import Alert

TOKEN_EXPIRED: Final = 4501


@dataclass(frozen=True, slots=True)
class Terms:
    """How patient a feed is; seconds. `attempts` None: it never gives up; `polling` False: it never asks by REST."""

    attempts: int | None = 10
    base: float = 0.5
    longest: float = 30.0
    stable: float = 10.0
    opening: float = 15.0
    ping: float = 30.0
    answer: float = 15.0
    renewal: float = 30.0
    polling: bool = True
    polling_after: int = 3
    polling_every: float = 5.0


class Step(Enum):
    """What the shell does next, besides sending a text, giving an item or failing."""

    CONNECT = "connect"
    """Open a socket with the present token; report `opened` or `lost`."""
    DROP = "drop"
    """Cut the socket without waiting; nothing is to be reported of it any more."""
    RENEW = "renew"
    """Ask for a token; report `renewed`."""
    POLL = "poll"
    """Read the open alerts by REST; report `polled`."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send this text."""

    text: str


@dataclass(frozen=True, slots=True)
class Give:
    """Hand this to the reader."""

    item: Item


@dataclass(frozen=True, slots=True)
class Fail:
    """It is over."""

    error: ConvexAlertsError


Action: TypeAlias = Step | Send | Give | Fail


class _Timer(Enum):
    ATTEMPT = "attempt"
    OPENING = "opening"
    STABLE = "stable"
    PING = "ping"
    ANSWER = "answer"
    RENEWAL = "renewal"
    POLL = "poll"


@dataclass
class Machine:
    """One feed: of the workspace, or of one framework. `position` is where it stands; None: it begins with the present.

    `can_renew` says that tokens can be asked for anew; `draw` is a random number from 0 to 1.
    """

    framework_id: str | None = None
    position: Position | None = None
    terms: Terms = field(default_factory=Terms)
    can_renew: bool = False
    draw: Callable[[], float] = random.random
    state: State = State.IDLE
    reason: str = ""
    """Why the last connection was lost."""
    failures: int = 0
    """Attempts in vain since the last connection that stayed."""

    def __post_init__(self) -> None:
        self._timers: dict[_Timer, float] = {}
        self._open = False
        self._signed_in = False
        self._replaying = 0
        self._leads_to = 0
        self._wait = 0.0
        self._polls_well = False
        self._last_seen: Position | None = None

    @property
    def _over(self) -> bool:
        return self.state in (State.CLOSED, State.FAILED)

    @property
    def next_at(self) -> float | None:
        """When `due` has something to do if nothing else happens before."""
        return min(self._timers.values(), default=None)

    def start(self) -> list[Action]:
        """Begin."""
        self.state = State.CONNECTING
        return [Step.CONNECT]

    def stop(self) -> list[Action]:
        """The reader wants no more."""
        if self._over:
            return []
        return self._end(State.CLOSED)

    def opened(self, now: float) -> list[Action]:
        """The socket is open; the service says next whether the token is good."""
        if self._over:
            return [Step.DROP]
        self._open = True
        self._timers = {_Timer.OPENING: now + self.terms.opening, **self._kept(_Timer.POLL)}
        return []

    def received(self, text: str | bytes, now: float, wall: float) -> list[Action]:
        """A frame came; `wall` is seconds since 1970."""
        if self._over:
            return []
        self._timers.pop(_Timer.ANSWER, None)
        try:
            return self._read(json.loads(text), now, wall)
        except (ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
            return self._dropped(now, f"a frame came that is none of Convex Alerts' ({error})")

    def lost(
        self, now: float, *, code: int | None = None, reason: str = "", retry_after: float | None = None
    ) -> list[Action]:
        """The socket is gone, or could not be had; `code` is the one that it was closed with."""
        if self._over:
            return []
        self.reason = reason or (f"closed with {code}" if code else "the connection was lost")
        if code is not None and 4400 <= code <= 4499:
            return self._fail(FeedClosed(code, reason))
        if code == TOKEN_EXPIRED and not self.can_renew:
            return self._fail(FeedClosed(code, "the token has expired, and there is no way to get another"))
        asked = max(self._wait, retry_after or 0.0)
        was_good = self._signed_in and code == TOKEN_EXPIRED
        self._reset()
        self.failures += not was_good
        if self._exhausted():
            return self._exhaust()
        polling = self.terms.polling and self.failures >= self.terms.polling_after
        self.state = State.POLLING if polling and self._polls_well else State.RECONNECTING
        self._timers[_Timer.ATTEMPT] = now + asked + self._backoff()
        if polling and _Timer.POLL not in self._timers:
            self._timers[_Timer.POLL] = now
        return []

    def renewed(self, token: str) -> list[Action]:
        """A token for the connection that there is."""
        return [Send(_frame("auth", token=token))] if self._signed_in else []

    def not_renewed(self, now: float) -> list[Action]:
        """There was none to be had; asked again soon, and the service says when it is too late."""
        if self._signed_in:
            self._timers[_Timer.RENEWAL] = now + self.terms.base
        return []

    def polled(self, snapshot: Snapshot | None, now: float, reason: str = "") -> list[Action]:
        """The open alerts; None where they could not be had either."""
        if self._over or self.state in (State.CONNECTED, State.STALE):
            return []
        self._timers[_Timer.POLL] = now + self.terms.polling_every
        self._polls_well = snapshot is not None
        if snapshot is None:
            self.state = State.RECONNECTING
            self.reason = reason or self.reason
            return self._exhaust() if self._exhausted() else []
        self.state = State.POLLING
        if snapshot.position is not None and snapshot.position == self._last_seen:
            return []
        self._last_seen = snapshot.position
        if self.position is None:  # the socket goes on from what was shown first
            self.position = snapshot.position
        return [Give(snapshot)]

    def refused(self, error: ConvexAlertsError) -> list[Action]:
        """REST says that asking again would not help."""
        return self._fail(error)

    def due(self, now: float) -> list[Action]:
        """Time has passed."""
        actions: list[Action] = []
        for timer in [timer for timer, at in self._timers.items() if at <= now]:
            if self._timers.pop(timer, None) is not None:
                actions += self._rung(timer, now)
        return actions

    def _read(self, frame: dict[str, Any], now: float, wall: float) -> list[Action]:
        match frame["type"]:
            case "auth_success":
                return self._welcomed(frame, now, wall)
            case "subscribed":
                return self._subscribed(frame, now)
            case "alert":
                return self._changed(frame)
            case "position":
                return self._moved(frame)
            case "message":
                return [Give(Broadcast(frame["data"]))]
            case "notification":
                return [Give(Notified(frame["data"]))]
            case "error":
                return self._told(frame, now)
        return []  # a pong, or what a newer service has to say

    def _rung(self, timer: _Timer, now: float) -> list[Action]:
        match timer:
            case _Timer.ATTEMPT:
                return [Step.CONNECT]
            case _Timer.OPENING:
                return self._dropped(now, "the service did not answer in time")
            case _Timer.ANSWER:
                return self._dropped(now, "no sign of life")
            case _Timer.STABLE:
                self.failures = 0
                return []
            case _Timer.PING:
                self._timers[_Timer.PING] = now + self.terms.ping
                self._timers.setdefault(_Timer.ANSWER, now + self.terms.answer)
                return [Send(_frame("ping"))]
            case _Timer.RENEWAL:
                return [Step.RENEW]
            case _Timer.POLL:
                return [Step.POLL]

    def _welcomed(self, frame: dict[str, Any], now: float, wall: float) -> list[Action]:
        again, self._signed_in = self._signed_in, True
        self._timers.pop(_Timer.RENEWAL, None)
        if self.can_renew and frame.get("expires_at"):
            left = datetime.fromisoformat(frame["expires_at"]).timestamp() - wall
            self._timers[_Timer.RENEWAL] = now + max(left - self.terms.renewal, left / 2, 0.0)
        if again:
            return []
        subscribe: dict[str, Any] = {}
        if self.framework_id is not None:
            subscribe["framework_id"] = self.framework_id
        if self.position is not None:
            subscribe["since"] = {"epoch": self.position.epoch, "offset": self.position.offset}
        return [Send(_frame("subscribe", **subscribe))]

    def _subscribed(self, frame: dict[str, Any], now: float) -> list[Action]:
        self.state = State.CONNECTED
        self._polls_well = False
        self._last_seen = None
        self._timers.pop(_Timer.OPENING, None)
        self._timers.pop(_Timer.POLL, None)
        self._timers[_Timer.STABLE] = now + self.terms.stable
        self._timers[_Timer.PING] = now + self.terms.ping
        before, after = self.position, Position(str(frame["epoch"]), int(frame["offset"]))
        if before is not None and (not frame["recovered"] or before.epoch != after.epoch):
            self.position = after
            self._replaying = 0
            return [Give(Gap(before, after))]
        self._replaying, self._leads_to = int(frame["replayed"]), after.offset
        if before is None:
            self.position = after
        elif self._replaying == 0:
            self._advance(after.offset)
        return []

    def _changed(self, frame: dict[str, Any]) -> list[Action]:
        if self.position is None:
            raise ValueError("a change before the answer to subscribe")
        offset, data = int(frame["offset"]), frame["data"]
        change = Change(str(frame["event"]), Position(self.position.epoch, offset), msgspec.convert(data, Alert), data)
        fresh = offset > self.position.offset
        self._came()
        self._advance(offset)
        if self._replaying:
            self._replaying -= 1
            if self._replaying == 0:
                self._advance(self._leads_to)
        return [Give(change)] if fresh else []

    def _moved(self, frame: dict[str, Any]) -> list[Action]:
        self._came()
        if not self._replaying:
            self._advance(int(frame["offset"]))
        return []

    def _told(self, frame: dict[str, Any], now: float) -> list[Action]:
        match frame.get("code"):
            case "stale":
                self.state = State.STALE  # it answers, and goes on when its store is back
                self._timers.pop(_Timer.OPENING, None)
                self._timers.setdefault(_Timer.PING, now + self.terms.ping)
            case "restart" | "unavailable":
                self._wait = float(frame.get("retry_after") or 0.0)
            case "not_found":
                return self._fail(NotFound(404, "Not found", detail=str(frame.get("message", ""))))
        return []

    def _came(self) -> None:
        if self.state is State.STALE:
            self.state = State.CONNECTED

    def _advance(self, offset: int) -> None:
        if self.position is not None and offset > self.position.offset:
            self.position = Position(self.position.epoch, offset)

    def _dropped(self, now: float, reason: str) -> list[Action]:
        return [Step.DROP, *self.lost(now, reason=reason)]

    def _backoff(self) -> float:
        """Full jitter: from nothing to twice the pause before, up to a bound."""
        most = self.terms.base * 2.0 ** min(max(self.failures - 1, 0), 30)
        return min(self.terms.longest, most) * self.draw()

    def _exhausted(self) -> bool:
        most = self.terms.attempts
        return most is not None and self.failures >= most and not self._polls_well

    def _exhaust(self) -> list[Action]:
        return self._fail(Unreachable(f"the live feed was lost: {self.reason} (after {self.failures} attempts)"))

    def _reset(self) -> None:
        self._timers = self._kept(_Timer.POLL)
        self._open = self._signed_in = False
        self._replaying = 0
        self._wait = 0.0

    def _kept(self, *timers: _Timer) -> dict[_Timer, float]:
        return {timer: self._timers[timer] for timer in timers if timer in self._timers}

    def _fail(self, error: ConvexAlertsError) -> list[Action]:
        return [*self._end(State.FAILED), Fail(error)]

    def _end(self, state: State) -> list[Action]:
        self._timers.clear()
        was_open, self._open = self._open, False
        self._signed_in = False
        self.state = state
        return [Step.DROP] if was_open else []


def _frame(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields})
