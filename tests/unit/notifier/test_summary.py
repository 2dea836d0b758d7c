"""What people read of each notification."""

from __future__ import annotations

import datetime as dt
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex_notifier.domain import summary
from convex_notifier.domain.message import Message
from convex_notifier.domain.summary import clean, duration, number
from tests.support.told import BEGAN, messages, telling

LATER = (BEGAN + dt.timedelta(hours=1, minutes=2, seconds=3)).isoformat()


@pytest.mark.parametrize(
    ("cause", "alert", "tag", "lead"),
    [
        ("fired", {}, "Critical", "It has begun to fire."),
        ("fired", {"reason": "severity_raised"}, "Critical", "Its severity has risen to critical."),
        (
            "fired",
            {"reason": "window_ended"},
            "Critical",
            "It came back after it had been resolved, and is still firing.",
        ),
        (
            "reminder",
            {"reason": "still_firing"},
            "Still firing: critical",
            "It has been firing for 5 min, and nobody has acknowledged it.",
        ),
        ("escalation", {}, "Escalated: critical", "It has been firing for 5 min, and nobody has acknowledged it."),
        (
            "resolved",
            {"reason": "condition_cleared", "resolved_at": LATER},
            "Resolved",
            "It is over after 1 h 2 min: its condition has cleared.",
        ),
        ("resolved", {"resolved_by": "ann", "resolved_at": LATER}, "Resolved", "ann resolved it after 1 h 2 min."),
        ("resolved", {"reason": "unheard_of"}, "Resolved", "It is over after 5 min."),
        ("digest", {}, "Digest", "What happened since the last digest."),
        ("test", {}, "Test", "This is a test of the channel. Nothing is wrong, and nothing is to be done."),
    ],
)
def test_each_cause_reads_well(cause: str, alert: dict[str, Any], tag: str, lead: str) -> None:
    told = summary.of(telling(cause, **alert), None)
    assert (told.tag, told.lead) == (tag, lead)
    assert told.tone == ("resolved" if cause == "resolved" else "critical")


def test_the_facts_are_those_that_there_are() -> None:
    facts = dict(summary.of(telling(), None).facts)
    assert facts == {
        "Value": "463.2",
        "Threshold": "350",
        "Severity": "critical",
        "Rule": "Checkout is slow",
        "Since": "2026-03-01 11:55:00 UTC",
        "Occurrences": "4",
    }
    over = dict(summary.of(telling("resolved", resolved_at=LATER, resolution_notes="rolled back"), None).facts)
    assert (over["Resolved"], over["Notes"]) == ("2026-03-01 12:57:03 UTC", "rolled back")
    silent = dict(summary.of(telling(current_value=None, threshold_value=None, occurrences=1), None).facts)
    assert not {"Value", "Threshold", "Occurrences", "Notes"} & silent.keys()


def test_annotations_of_another_tool_are_its_details() -> None:
    context = {"annotations": {"description": "two\nlines", "runbook_url": "https://x.example/r", "other": "no"}}
    assert summary.of(telling(context=context), None).details == "two\nlines\nhttps://x.example/r"
    assert summary.of(telling(context={"annotations": "none"}), None).details == ""


def test_the_link_is_the_alerts_on_the_page() -> None:
    message = telling()
    assert summary.of(message, "https://x.example").link == f"https://x.example/alerts/{message.alert_id}"
    assert summary.of(message, None).link is None


@settings(deadline=None)
@given(messages)
def test_nothing_in_it_breaks_a_line_or_turns_it_around(message: Message) -> None:
    told = summary.of(message, "https://x.example")
    pieces = [told.tag, told.title, told.lead, *(text for pair in (*told.facts, *told.labels) for text in pair)]
    for piece in pieces:
        assert not any(unicodedata.category(one) in ("Cc", "Zl", "Zp") or one in "\u202e\u2066" for one in piece)
        assert len(piece) <= 400
    assert told.title
    assert len(told.details) <= summary.LONGEST_DETAILS


@given(st.text(), st.integers(1, 50))
def test_cleaning_again_changes_nothing(text: str, longest: int) -> None:
    once = clean(text, longest)
    assert len(once) <= longest
    assert clean(once, longest) == once


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (0.0, "0"), (1250.0, "1,250"), (0.5, "0.5"), (-3.25, "-3.25"), (0.00015, "0.00015"),
     (123456.789, "123,456.789"), (1e20, "1e+20"), (2.00004, "2")],
)  # fmt: skip
def test_numbers_are_as_people_write_them(value: float | None, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (250, "4 min 10 s"), (3600, "1 h"), (3605, "1 h"),
     (90_000, "1 d 1 h"), (8_640_000, "100 d")],
)  # fmt: skip
def test_durations_have_two_units_at_most(seconds: float, shown: str) -> None:
    assert duration(dt.timedelta(seconds=seconds)) == shown
