"""The breaker opens after failures in a row, tries once per pause, and closes with a success."""

from __future__ import annotations

import pytest

from convex_common.redis.breaker import Breaker


def test_its_life(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    now = [0.0]
    breaker = Breaker("sending", failures=3, pause=1.0, clock=lambda: now[0])

    breaker.failed("a")
    breaker.succeeded()
    for _ in range(2):
        breaker.failed("b")
    assert breaker.allows(), "two in a row are not enough"
    breaker.failed("c")
    assert not breaker.allows(), "open"

    now[0] = 1.0
    assert breaker.allows(), "one trial"
    assert not breaker.allows(), "and no second one"
    breaker.failed("d")
    now[0] = 1.5
    assert not breaker.allows(), "a failed trial costs another pause"

    now[0] = 2.0
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.allows()
    assert not breaker.is_open
    assert [r.levelname for r in caplog.records] == ["WARNING", "INFO"], "told once when it opens, once when it closes"


def test_a_trial_that_never_reports_does_not_close_it_for_good() -> None:
    now = [0.0]
    breaker = Breaker("sending", failures=1, pause=1.0, clock=lambda: now[0])
    breaker.failed("a")
    for moment in (1.0, 2.0, 3.0):
        now[0] = moment
        assert breaker.allows()
