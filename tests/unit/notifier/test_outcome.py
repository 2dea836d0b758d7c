"""What an answer makes of its delivery."""

from __future__ import annotations

import pytest

from convex_notifier.domain import answer
from convex_notifier.domain.answer import Answer, Verdict
from convex_notifier.domain.backoff import Backoff
from convex_notifier.domain.outcome import Delivered, Failed, Outcome, Quarantined, RetryIn, of_answer, refusal

BUSY = answer.unavailable("busy")


@pytest.mark.parametrize(
    ("given", "failures", "expected"),
    [
        (answer.accepted(200), 0, Delivered()),
        (answer.accepted(200), 4, Delivered()),
        (answer.rejected("no"), 0, Failed("no")),
        (answer.rejected("no"), 4, Failed("no")),
        (BUSY, 0, RetryIn(1.0, "waits for attempt 2 of 5", "busy")),
        (BUSY, 3, RetryIn(160.0, "waits for attempt 5 of 5", "busy")),
        (BUSY, 4, Quarantined("busy")),
        (BUSY, 9, Quarantined("busy")),
        (
            Answer(Verdict.UNAVAILABLE, "busy", 429, None, 90.0),
            0,
            RetryIn(90.0, "the other side asked to wait 90 s", "busy"),
        ),
        (Answer(Verdict.UNAVAILABLE, "busy", 429, None, 0.5), 0, RetryIn(1.0, "waits for attempt 2 of 5", "busy")),
    ],
)
def test_outcome(given: Answer, failures: int, expected: Outcome) -> None:
    assert of_answer(given, failures, Backoff(), 0.0) == expected


@pytest.mark.parametrize(
    ("cause", "enabled", "deleted", "known", "expected"),
    [
        ("fired", True, False, True, None),
        ("fired", False, False, True, "the channel is disabled"),
        ("test", False, False, True, None),
        ("test", False, True, True, "the channel was deleted"),
        ("fired", True, True, True, "the channel was deleted"),
        ("fired", True, False, False, "channels of kind email cannot be sent to by this version"),
    ],
)
def test_refusal(cause: str, enabled: bool, deleted: bool, known: bool, expected: str | None) -> None:
    assert refusal("email", cause, enabled=enabled, deleted=deleted, known=known) == expected
