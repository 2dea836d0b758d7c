"""Work in rounds: it outlives its failures, and tells of those in a row once."""

from __future__ import annotations

import logging
import threading

import pytest

from convex_common.errors import StoreUnavailable
from convex_scheduler.rounds import rounds


def test_failures_in_a_row_are_told_once_and_only_unknown_ones_with_their_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away, bug = StoreUnavailable("postgres"), ValueError("a bug")
    script: list[Exception | None] = [None, away, away, None, bug, bug, None]
    stopping = threading.Event()
    went: list[bool] = []

    def work() -> None:
        outcome = script[len(went)]
        if len(went) == len(script) - 1:
            stopping.set()
        if outcome is not None:
            raise outcome

    with caplog.at_level(logging.WARNING):
        rounds(work, stopping, 0.0, waits="the work waits", went=went.append)
    assert went == [outcome is None for outcome in script]
    assert [record.message for record in caplog.records] == [f"the work waits: {away}", "the work waits: a bug"]
    assert [bool(record.exc_info) for record in caplog.records] == [False, True]
