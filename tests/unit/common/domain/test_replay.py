"""What another setting would have made of what is on record."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from convex_common.domain.replay import Setting, Span, replay
from convex_common.domain.severity import Severity

NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(days=1)
SETTING = Setting(for_seconds=60, suppression_seconds=300, severity=Severity.ERROR)


def span(begins: float, lasts: float | None, key: bytes = b"a", **more: Any) -> Span:
    """Minutes after noon, and how many it lasted."""
    began = NOON + dt.timedelta(minutes=begins)
    ended = None if lasts is None else began + dt.timedelta(minutes=lasts)
    return Span(fingerprint=key, began_at=began, ended_at=ended, **more)


FLAPS = [span(0, 1), span(2, 1), span(4, 1), span(10, 1), span(60, 30, acknowledged=True)]


@pytest.mark.parametrize(
    ("spans", "change", "fired", "alerts", "notified"),
    [
        pytest.param([], {}, 0, 0, 0, id="nothing"),
        pytest.param(FLAPS, {}, 5, 3, 3, id="as it was: what comes back within the window is the same alert"),
        pytest.param(FLAPS, {"for_seconds": 119}, 5, 3, 3, id="a hold that all outlast"),
        pytest.param(FLAPS, {"for_seconds": 120}, 1, 1, 1, id="a hold that ends with most of them"),
        pytest.param(FLAPS, {"for_seconds": 0}, 5, 3, 3, id="a shorter hold is not guessed"),
        pytest.param(FLAPS, {"suppression_seconds": 3600}, 5, 2, 2, id="a longer window"),
        pytest.param(FLAPS, {"suppression_seconds": 0}, 5, 5, 5, id="no window"),
        pytest.param(FLAPS, {"enabled": False}, 0, 0, 0, id="disabled"),
        pytest.param([span(0, 1), span(2, 10)], {}, 2, 1, 2, id="still firing when the window ends"),
        pytest.param([span(0, 1), span(2, 1, b"b")], {}, 2, 2, 2, id="each fingerprint has its window"),
        pytest.param([span(0, None)], {"for_seconds": 3600}, 1, 1, 1, id="still firing now"),
    ],
)
def test_replays(spans: list[Span], change: dict[str, Any], fired: int, alerts: int, notified: int) -> None:
    found = replay(spans, SETTING, SETTING.changed(change), LATER)
    assert (found.fired, found.alerts, found.notified) == (fired, alerts, notified)


def test_what_people_said_is_counted_of_what_still_fires() -> None:
    spans = [span(0, 1, useful=False), span(60, 30, acknowledged=True, useful=True)]
    before = replay(spans, SETTING, SETTING, LATER)
    after = replay(spans, SETTING, SETTING.changed({"for_seconds": 600, "severity": "info"}), LATER)
    assert (before.acknowledged, before.useful, before.false_alarms) == (1, 1, 1)
    assert (after.acknowledged, after.useful, after.false_alarms) == (1, 1, 0)
    assert after.severity is Severity.INFO
