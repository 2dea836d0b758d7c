"""Alerts as notifications carry them: sensible ones, and by Hypothesis whatever people and tools may send."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from hypothesis import strategies as st

from convex_common.domain.alert import Reason
from convex_notifier.domain.message import Message
from tests.unit.notifier.messages import a_message

BEGAN = dt.datetime(2026, 3, 1, 11, 55, tzinfo=dt.UTC)

ALERT: dict[str, Any] = {
    "id": "01957a00-0000-7000-8000-000000000004",
    "fingerprint": "ab" * 32,
    "status": "firing",
    "severity": "critical",
    "alert_type": "threshold",
    "rule_id": "01957a00-0000-7000-8000-000000000005",
    "rule_name": "Checkout is slow",
    "framework_id": "01957a00-0000-7000-8000-000000000006",
    "title": "Checkout is slow: latency_p95_ms above 350",
    "current_value": 463.2,
    "threshold_value": 350.0,
    "labels": {"region": "eu", "team": "payments"},
    "context": {"metric": "latency_p95_ms"},
    "occurrences": 4,
    "triggered_at": BEGAN.isoformat(),
    "last_seen_at": BEGAN.isoformat(),
    "acknowledged_by": None,
    "acknowledged_at": None,
    "resolved_by": None,
    "resolved_at": None,
    "resolution_notes": None,
    "version": 3,
}


def telling(cause: str = "fired", *, sequence: int = 1, reason: str | None = "first_trigger", **alert: Any) -> Message:
    """A message about an alert, five minutes after it began to fire."""
    content = json.dumps({**ALERT, **alert}).encode()
    return a_message(cause=cause, sequence=sequence, reason=reason, alert=content)


_words = st.text(max_size=60) | st.sampled_from(
    [
        "<!channel> <!here> @channel @everyone",
        "<script>alert(1)</script>",
        "</td><h1>\"'",
        "&" * 3000,
        "a\r\nBcc: all@example.com",
        "\u202egnirts\u2066",
        "=?utf-8?q?=0D=0ABcc:_x?=",
        "x" * 4000,
        "<https://evil.example|click>",
        "{{ 7 * 7 }} {% raw %}",
        ".\r\n.\r\nQUIT",
        "ة" * 2000,
    ]
)
_values = st.none() | st.floats(allow_nan=False, allow_infinity=False)

messages = st.builds(
    lambda cause, sequence, reason, alert: telling(cause, sequence=sequence, reason=reason, **alert),
    st.sampled_from(["fired", "reminder", "escalation", "resolved", "digest", "test"]),
    st.integers(1, 1000),
    st.none() | st.sampled_from([reason.value for reason in Reason]),
    st.fixed_dictionaries(
        {
            "title": _words,
            "severity": st.sampled_from(["info", "warning", "error", "critical"]),
            "rule_name": _words,
            "current_value": _values,
            "threshold_value": _values,
            "labels": st.dictionaries(_words.map(lambda name: name[:128]), _words, max_size=12),
            "context": st.just({})
            | st.fixed_dictionaries({"annotations": st.fixed_dictionaries({"description": _words})}),
            "occurrences": st.integers(1, 10**9),
            "resolved_by": st.none() | _words,
            "resolution_notes": st.none() | _words,
            "resolved_at": st.none() | st.just((BEGAN + dt.timedelta(hours=3)).isoformat()),
        }
    ),
)
"""Any notification, with texts that mean harm."""
