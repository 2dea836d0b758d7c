"""How a run of the self-audit is judged."""

from __future__ import annotations

from typing import Any

import pytest

from convex_common.domain.self_audit import Stage
from convex_scheduler.self_audit.course import Course

LABELS = {"run": "r1"}


def alert(event: str, run: str = "r1", kind: str = "alert") -> dict[str, Any]:
    return {"type": kind, "event": event, "offset": 1, "data": {"id": "a1", "labels": {"run": run}}}


def accepted() -> Course:
    course = Course("r1", 100.0, 30.0)
    course.reach(Stage.PREPARED, 100.5)
    course.reach(Stage.CONNECTED, 101.0)
    course.begins(102.0)
    course.reach(Stage.ACCEPTED, 102.25)
    return course


def test_the_whole_path() -> None:
    course = accepted()
    course.hear(alert("created"), 102.5)
    assert course.next is Stage.STORED, "seen before the API was asked"
    course.find([{"id": "a1", "labels": LABELS}], 103.0)
    course.read([{"status": "delivered"}], 104.0)
    course.begins(104.0)
    course.hear(alert("resolved"), 104.5)
    assert course.next is None
    result = course.result()
    assert result.passed
    assert result.seconds == {
        Stage.PREPARED: 0.5,
        Stage.CONNECTED: 0.5,
        Stage.ACCEPTED: 0.25,
        Stage.SEEN: 0.5,
        Stage.STORED: 1.0,
        Stage.NOTIFIED: 2.0,
        Stage.RESOLVED: 0.5,
    }


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        (alert("created", run="r0"), "another run's"),
        (alert("updated"), "not its beginning"),
        (alert("created", kind="notification"), "no event of the feed"),
        ({"type": "position", "offset": 7}, "no alert"),
        ({"type": "alert", "event": "created", "data": {"id": "a1", "labels": None}}, "without labels"),
    ],
)
def test_what_is_not_seen(frame: dict[str, Any], what: str) -> None:
    course = accepted()
    course.hear(frame, 103.0)
    course.find([{"id": "a1", "labels": LABELS}], 103.0)
    assert course.next is Stage.SEEN, what


def test_the_first_stage_that_is_missing_is_named_though_later_ones_were_reached() -> None:
    course = accepted()
    course.hear(alert("created"), 102.5)
    result = course.result()
    assert (result.failed_at, result.reason) == (Stage.STORED, "not stored within 30 s")


def test_trouble_is_told_until_it_is_overcome() -> None:
    course = accepted()
    course.trouble = "GET /alerts answered 503"
    assert course.result().reason == "GET /alerts answered 503"
    course.find([{"id": "a1", "labels": LABELS}], 103.0)
    assert course.result().reason == "not seen within 30 s"


def test_a_delivery_that_failed_says_why() -> None:
    course = accepted()
    course.hear(alert("created"), 102.5)
    course.find([{"id": "a1", "labels": LABELS}], 103.0)
    course.read([{"status": "pending", "last_error": "the channel is away"}], 104.0)
    result = course.result()
    assert (result.failed_at, result.reason) == (Stage.NOTIFIED, "a delivery failed: the channel is away")


def test_the_deadline_is_of_the_whole_run() -> None:
    course = accepted()
    assert not course.late(129.9)
    assert course.late(130.0)
