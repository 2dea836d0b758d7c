"""Facets: no list changes without one of its facets being touched, and few are touched in vain."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.domain import facets
from convex_common.domain.alert import Alert, Event, Reason, Status
from convex_common.domain.change import Entry
from convex_common.domain.severity import Severity

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HERE, THERE = uuid.UUID(int=1), uuid.UUID(int=2)

ALERT = Alert(
    workspace_id=uuid.UUID(int=9), id=uuid.UUID(int=3), fingerprint=b"f" * 32, framework_id=HERE, rule_id=None,
    rule_name="r", alert_type="threshold", status=Status.FIRING, severity=Severity.WARNING, title="t", labels={},
    context={}, current_value=1.0, threshold_value=1.0, occurrences=1, triggered_at=NOW, last_seen_at=NOW,
    suppression_seconds=300,
)  # fmt: skip

places = st.tuples(st.sampled_from(Status), st.sampled_from(Severity), st.sampled_from([HERE, THERE]))
filters = st.tuples(
    st.none() | st.sampled_from([HERE, THERE]), st.sets(st.sampled_from(Severity)), st.sets(st.sampled_from(Status))
)


def at(place: tuple[Status, Severity, uuid.UUID], **more: object) -> Alert:
    status, severity, framework_id = place
    return replace(ALERT, status=status, severity=severity, framework_id=framework_id, **more)  # type: ignore[arg-type]


def changed(before: Alert | None, after: Alert) -> Entry:
    event = Event.CREATED if before is None else Event.UPDATED
    return Entry(alert=after, event=event, reason=Reason.DUPLICATE, before=before)


def listed(alerts: Iterable[Alert], asked: tuple[uuid.UUID | None, set[Severity], set[Status]]) -> list[Alert]:
    framework_id, severities, statuses = asked
    return [
        alert
        for alert in alerts
        if framework_id in (None, alert.framework_id)
        and (not severities or alert.severity in severities)
        and (not statuses or alert.status in statuses)
    ]


@given(st.none() | places, places, filters)
def test_a_list_that_changes_is_touched(
    before: tuple[Status, Severity, uuid.UUID] | None,
    after: tuple[Status, Severity, uuid.UUID],
    asked: tuple[uuid.UUID | None, set[Severity], set[Status]],
) -> None:
    old = None if before is None else replace(at(before), framework_id=after[2])  # an alert stays with its framework
    new = at(after, occurrences=2)
    touched = set(facets.touched(changed(old, new)))
    was, now = listed([old] if old else [], asked), listed([new], asked)
    assert (was != now) == bool(touched & set(facets.needed(*asked)))
    if len(was) != len(now) and not asked[1]:
        assert touched & set(facets.counted(asked[0], asked[2]))


def test_whoever_does_not_say_what_was_before_touches_all_of_the_framework() -> None:
    touched = set(facets.touched(Entry(alert=ALERT, event=Event.SNOOZED, reason=Reason.DUPLICATE)))
    assert touched >= {*facets.needed(HERE, (), ()), *facets.needed(None, (), ()), *facets.counted(HERE, ())}
    assert not touched & set(facets.needed(THERE, (), ()))


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        pytest.param(ALERT, replace(ALERT, occurrences=2), 2, id="a fold touches its place, here and in all"),
        pytest.param(None, ALERT, 4, id="a new one also the numbers"),
        pytest.param(ALERT, replace(ALERT, status=Status.RESOLVED), 8, id="a move touches both places"),
    ],
)
def test_few_are_touched(before: Alert | None, after: Alert, count: int) -> None:
    assert len(facets.touched(changed(before, after))) == count
