"""Alerts as Alertmanager's clients send them, after its own rules."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.errors import Invalid
from convex_gateway.ingest.alertmanager import DECODER, Alert, PostableAlert, normalised
from convex_gateway.ingest.body import EARLIEST

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
BEFORE, AFTER = "2026-11-23T11:00:00Z", "2026-11-23T13:00:00.000000001Z"
ZERO = "0001-01-01T00:00:00Z"


def alert(**changed: Any) -> Alert:
    return normalised("[0]", PostableAlert(**({"labels": {"alertname": "Down"}} | changed)), NOW)


@pytest.mark.parametrize(
    ("times", "starts_at", "ends_at", "resolved"),
    [
        pytest.param({}, None, NOW + dt.timedelta(minutes=5), False, id="no times: ends after the resolve timeout"),
        pytest.param({"starts_at": ZERO, "ends_at": ZERO}, None, NOW + dt.timedelta(minutes=5), False, id="Go's zero"),
        pytest.param({"starts_at": "", "ends_at": ""}, None, NOW + dt.timedelta(minutes=5), False, id="empty"),
        pytest.param({"starts_at": BEFORE}, NOW - HOUR, NOW + dt.timedelta(minutes=5), False, id="start alone"),
        pytest.param({"starts_at": BEFORE, "ends_at": AFTER}, NOW - HOUR, NOW + HOUR, False, id="ends later"),
        pytest.param({"ends_at": BEFORE}, None, NOW - HOUR, True, id="ended"),
        pytest.param({"starts_at": BEFORE, "ends_at": BEFORE}, NOW - HOUR, NOW - HOUR, True, id="ended at its start"),
        pytest.param({"ends_at": "2026-11-23T12:00:00Z"}, None, NOW, True, id="ends now: resolved"),
        pytest.param({"ends_at": "2026-11-23T13:00:00+01:00"}, None, NOW, True, id="another zone"),
    ],
)
def test_times(times: dict[str, str], starts_at: dt.datetime | None, ends_at: dt.datetime, resolved: bool) -> None:
    found = alert(**times)
    assert (found.starts_at, found.ends_at, found.resolved) == (starts_at, ends_at, resolved)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        pytest.param({"labels": {}}, "[0].labels", id="no labels"),
        pytest.param({"labels": {"a": ""}}, "[0].labels", id="only empty labels"),
        pytest.param({"starts_at": "soon"}, "[0].startsAt", id="no time"),
        pytest.param({"ends_at": "2026-11-23T12:00:00"}, "[0].endsAt", id="no zone"),
        pytest.param({"starts_at": AFTER, "ends_at": BEFORE}, "[0].startsAt", id="ends before it starts"),
    ],
)
def test_refusals(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        alert(**changed)
    assert refusal.value.field == field


def test_empty_labels_are_dropped_and_absent_maps_are_empty() -> None:
    found = alert(labels={"alertname": "Down", "pod": ""}, annotations=None, generator_url=None)
    assert (found.labels, found.annotations, found.generator_url) == ({"alertname": "Down"}, {}, "")


def test_prometheus_own_body_is_read_whole_and_what_it_adds_is_left_aside() -> None:
    body = [
        {
            "labels": {"alertname": "Down", "severity": "page"},
            "annotations": {"summary": "it is down"},
            "startsAt": "2026-11-23T11:59:58.123456789Z",
            "endsAt": "2026-11-23T12:03:58.123456789Z",
            "generatorURL": "http://prometheus/graph?g0.expr=up",
            "fingerprint": "something of a later version",
        }
    ]
    sent = DECODER.decode(msgspec.json.encode(body)).items[0]
    found = normalised("[0]", sent, NOW)
    assert found.starts_at == dt.datetime(2026, 11, 23, 11, 59, 58, 123457, dt.UTC)
    assert found.generator_url == "http://prometheus/graph?g0.expr=up"


ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
TIMES = st.datetimes(timezones=ZONES) | st.none()


@given(TIMES, TIMES)
def test_an_alert_that_is_taken_makes_sense(starts: dt.datetime | None, ends: dt.datetime | None) -> None:
    times = {"starts_at": starts and starts.isoformat(), "ends_at": ends and ends.isoformat()}
    if starts and ends and EARLIEST < ends < starts:
        with pytest.raises(Invalid, match="startsAt: is after endsAt"):
            alert(**times)
        return
    found = alert(**times)
    assert found.resolved == (found.ends_at <= NOW)
    assert found.starts_at is None or found.starts_at > EARLIEST
    if ends is not None and ends > EARLIEST and found.starts_at is not None:
        assert found.starts_at <= found.ends_at
