"""Slack's form of a notification: within Slack's limits, whatever the alert; and what Slack's answers mean."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex_notifier.domain import answer, slack, summary
from convex_notifier.domain.answer import Verdict
from convex_notifier.domain.colours import COLOURS
from convex_notifier.domain.message import Message
from tests.support.slack import check
from tests.support.told import messages, telling
from tests.unit.notifier.messages import a_message

PAGE = "https://alerts.example.com"
NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@settings(deadline=None)
@given(messages, st.none() | st.just(PAGE))
def test_any_alert_is_within_the_limits(message: Message, page: str | None) -> None:
    told = summary.of(message, page)
    check(slack.body(told), told.link)


def test_an_alert_is_shown_whole() -> None:
    told = summary.of(telling(), PAGE)
    payload = check(slack.body(told), told.link)
    assert payload["text"].startswith("*Critical*: Checkout is slow: latency_p95_ms above 350 (value 463.2) <https://")
    ((header,), (attachment,)) = payload["blocks"], payload["attachments"]
    assert header["text"]["text"] == "Critical: Checkout is slow: latency_p95_ms above 350"
    assert attachment["color"] == COLOURS["critical"]
    lead, facts, labels, times, actions = attachment["blocks"]
    assert lead["text"]["text"] == "It has begun to fire."
    assert [field["text"] for field in facts["fields"]] == [
        "*Value*\n463.2", "*Threshold*\n350", "*Severity*\ncritical", "*Rule*\nCheckout is slow", "*Occurrences*\n4",
    ]  # fmt: skip
    assert labels["text"]["text"] == "region=eu   team=payments"
    assert [one["text"] for one in times["elements"]] == ["Since 2026-03-01 11:55:00 UTC"]
    assert actions["elements"][0]["url"] == told.link


@pytest.mark.parametrize(
    ("cause", "colour", "start"),
    [
        ("reminder", "critical", "Still firing: critical: Checkout"),
        ("resolved", "resolved", "Resolved: Checkout"),
        ("test", "critical", "Test: Checkout"),
    ],
)
def test_its_variants(cause: str, colour: str, start: str) -> None:
    payload = check(slack.body(summary.of(telling(cause), None)))
    assert payload["attachments"][0]["color"] == COLOURS[colour]
    assert payload["blocks"][0]["text"]["text"].startswith(start)
    assert not [block for block in payload["attachments"][0]["blocks"] if block["type"] == "actions"]


def test_an_alert_of_which_little_is_known_is_shown_all_the_same() -> None:
    check(slack.body(summary.of(a_message(alert=b"{}"), None)))


def test_labels_that_do_not_fit_are_counted() -> None:
    many = {f"label{number:02}": "v" * 200 for number in range(64)}
    payload = check(slack.body(summary.of(telling(labels=many), None)))
    (labels,) = [one["text"]["text"] for one in payload["attachments"][0]["blocks"] if "label00" in str(one)]
    shown = labels.count("=v")
    assert labels.endswith(f"_and {64 - shown} more_")
    assert 5 < shown < 64


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("<!channel>", "&lt;!channel&gt;"),
        ("a & b", "a &amp; b"),
        ("&lt;", "&amp;lt;"),
        ("@channel", "@\N{WORD JOINER}channel"),
        ("@Here!", "@\N{WORD JOINER}Here!"),
        ("ops@heretic.example", "ops@heretic.example"),
        ("<https://evil.example|safe>", "&lt;https://evil.example|safe&gt;"),
    ],
)
def test_text_is_no_markup(given: str, told: str) -> None:
    assert slack.escape(given) == told


@given(st.text(alphabet="ab&<>@ channel", max_size=200), st.integers(1, 100))
def test_what_is_fitted_fits_and_ends_within_no_entity(text: str, longest: int) -> None:
    told = slack.fitted(text, longest)
    assert len(told) <= longest
    assert "&" not in told.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")


@pytest.mark.parametrize(
    ("status", "said", "verdict", "error"),
    [
        (200, "ok", Verdict.ACCEPTED, None),
        (429, "rate_limited", Verdict.DEFERRED, "answered 429 Too Many Requests"),
        (500, "rollup_error", Verdict.UNAVAILABLE, "answered 500 Internal Server Error"),
        (400, "invalid_payload", Verdict.REJECTED, "answered 400 Bad Request"),
        (404, "no_service", Verdict.REJECTED, "answered 404 Not Found: the webhook does not exist any more"),
        (410, "channel_is_archived", Verdict.REJECTED, "answered 410 Gone: the Slack channel was archived"),
        (403, "action_prohibited", Verdict.REJECTED, "answered 403 Forbidden: the Slack workspace's administrators"),
        (403, "<html>", Verdict.REJECTED, "answered 403 Forbidden"),
    ],
)
def test_what_slack_answers_means(status: int, said: str, verdict: Verdict, error: str | None) -> None:
    explained = slack.explained(answer.of_status(status, "7", said.encode(), NOW))
    assert explained.verdict is verdict
    assert (explained.error or "").startswith(error or "")
    assert (explained.error is None) == (error is None)
    assert explained.retry_after == (7 if status in (429, 500) else None)
