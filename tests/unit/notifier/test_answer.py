"""What an HTTP answer means."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_notifier.domain import answer
from convex_notifier.domain.answer import LONGEST_EXCERPT, Verdict, of_status, wait_asked_for

NOW = dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        *((status, Verdict.ACCEPTED) for status in (200, 201, 202, 204, 299)),
        *((status, Verdict.REJECTED) for status in (301, 302, 304, 307, 308)),
        *((status, Verdict.REJECTED) for status in (400, 401, 403, 404, 405, 409, 410, 413, 418, 422, 451, 499)),
        *((status, Verdict.UNAVAILABLE) for status in (408, 425, 429)),
        *((status, Verdict.UNAVAILABLE) for status in (500, 501, 502, 503, 504, 507, 599)),
    ],
)
def test_a_status_has_a_verdict(status: int, verdict: Verdict) -> None:
    assert of_status(status, None, b"", NOW).verdict is verdict


def test_a_redirect_names_the_cure() -> None:
    assert "final address" in (of_status(302, None, b"", NOW).error or "")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 120 ", 120),
        ("999999999999", 3600),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Mon, 01 Mar 2027 12:00:00 GMT", 3600),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert wait_asked_for(header, NOW) == seconds


def test_only_a_temporary_answer_has_a_wait() -> None:
    assert of_status(503, "9", b"", NOW).retry_after == 9
    assert of_status(429, "9", b"", NOW).retry_after == 9
    assert of_status(400, "9", b"", NOW).retry_after is None


@given(st.binary(max_size=6000))
def test_an_excerpt_is_short_and_storable(body: bytes) -> None:
    excerpt = of_status(500, None, body, NOW).excerpt or ""
    assert len(excerpt) <= LONGEST_EXCERPT
    assert "\x00" not in excerpt
    excerpt.encode()


@given(st.text())
def test_any_retry_after_is_bounded_or_none(header: str) -> None:
    wait = wait_asked_for(header, NOW)
    assert wait is None or 0 <= wait <= answer.LONGEST_RETRY_AFTER
