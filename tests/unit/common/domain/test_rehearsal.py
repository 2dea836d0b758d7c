"""A rule's change is decided anew on the observations that are kept, and people's words go with what fires."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from convex_common.domain.fingerprint import fingerprint
from convex_common.domain.rehearsal import Observed, Rehearsal, Why, rehearse
from convex_common.domain.replay import Span
from convex_common.domain.rule import Rule
from tests.unit.common.domain.test_outlook import a_forecast_rule
from tests.unit.common.domain.test_unusual import a_learning_rule
from tests.unit.processor.world import FRAMEWORK, START, WORKSPACE, a_rule

END = START + dt.timedelta(hours=10)
MINUTE = 60.0


def observed(values: list[float], *, cut: bool = False, **labels: str) -> Observed:
    """One value a minute from START on."""
    return Observed(labels, [(START.timestamp() + n * MINUTE, value) for n, value in enumerate(values)], cut)


def on_record(rule: Rule, minute: float, length: float, *, useful: bool | None = None, **labels: str) -> Span:
    began = START + dt.timedelta(minutes=minute)
    key = fingerprint(WORKSPACE, FRAMEWORK, rule.id, labels)
    ended = began + dt.timedelta(minutes=length)
    return Span(fingerprint=key, began_at=began, ended_at=ended, acknowledged=True, useful=useful)


def told(rule: Rule, change: dict[str, Any], *seen: Observed, known: list[Span] | None = None) -> Rehearsal:
    found = rehearse(WORKSPACE, rule, change, seen, known or [], END)
    assert isinstance(found, Rehearsal)
    return found


# Two short peaks, and one that lasts ten minutes; before them what a hold has to see first.
PEAKS = [*[0.0] * 10, 0, 150, 0, 0, 150, *[0.0] * 20, *[120.0] * 10, 0]


@pytest.mark.parametrize(
    ("change", "fired", "notified"),
    [
        pytest.param({"for_seconds": 300}, 1, 1, id="a longer hold loses the short ones"),
        pytest.param({"threshold_value": 130.0}, 2, 2, id="a higher threshold loses the low one"),
        pytest.param({"threshold_value": -1.0}, 1, 1, id="a lower one fires all the time"),
        pytest.param({"suppression_seconds": 600}, 3, 2, id="a longer window tells of less and fires as often"),
        pytest.param({"severity": "info"}, 3, 3, id="a severity changes nothing of that"),
        pytest.param({"enabled": False}, 0, 0, id="a rule that is off"),
    ],
)
def test_both_rules_are_decided_on_the_same_values(change: dict[str, Any], fired: int, notified: int) -> None:
    found = told(a_rule(suppression_seconds=0), change, observed(PEAKS))
    assert (found.before.fired, found.before.notified) == (3, 3)
    assert (found.after.fired, found.after.notified) == (fired, notified)


def test_a_shorter_hold_catches_what_was_never_on_record() -> None:
    rule = a_rule(for_seconds=300, suppression_seconds=0)
    found = told(rule, {"for_seconds": 0}, observed(PEAKS))
    assert (found.before.fired, found.after.fired) == (1, 3)


def test_what_people_said_goes_with_what_fires_at_its_time_and_on_its_series() -> None:
    rule = a_rule(suppression_seconds=0)
    known = [
        on_record(rule, 11.2, 0.5, useful=False, host="a"),
        on_record(rule, 35, 9, useful=True, host="a"),
        on_record(rule, 14, 1, useful=True, host="b"),
    ]
    found = told(rule, {"for_seconds": 300}, observed(PEAKS, host="a"), known=known)
    assert (found.before.fired, found.before.acknowledged) == (3, 2)
    assert (found.before.useful, found.before.false_alarms) == (1, 1)
    assert (found.after.fired, found.after.useful, found.after.false_alarms) == (1, 1, 0)


def test_what_is_not_known_of_every_series_is_left_out() -> None:
    later = Observed({"host": "b"}, [(START.timestamp() + 1200, 0.0), (START.timestamp() + 1800, 0.0)], cut=True)
    found = told(a_rule(), {"for_seconds": 300}, observed(PEAKS), later)
    assert found.since == START + dt.timedelta(minutes=25)
    assert found.before.fired == 1


@pytest.mark.parametrize(
    ("rule", "seen", "why"),
    [
        pytest.param(a_rule(), [], Why.NOT_OBSERVED, id="triggered by calls"),
        pytest.param(a_rule(), [Observed({}, [])], Why.NOT_OBSERVED, id="its values are gone"),
        pytest.param(a_rule(), [observed([0.0] * 20)], Why.NEVER_FIRED, id="quiet since"),
        pytest.param(a_forecast_rule(), [observed(PEAKS)], Why.FORECAST, id="a forecast"),
    ],
)
def test_where_nothing_can_be_decided_anew_it_says_why(rule: Rule, seen: list[Observed], why: Why) -> None:
    assert rehearse(WORKSPACE, rule, {"for_seconds": 300}, seen, [], END) is why


def test_an_anomaly_rule_learns_from_the_first_half_and_is_decided_on_the_second() -> None:
    values = [20 + (n * 7919 % 13) / 10 for n in range(6 * 144)]
    values[5 * 144] = 90.0
    values[6 * 144 - 20 : 6 * 144 - 10] = [95.0] * 10
    samples = [(START.timestamp() + 600.0 * n, value) for n, value in enumerate(values)]
    now = START + dt.timedelta(days=6)
    found = rehearse(WORKSPACE, a_learning_rule(), {"for_seconds": 1800}, [Observed({}, samples)], [], now)
    assert isinstance(found, Rehearsal)
    assert found.since == START + dt.timedelta(days=3)
    assert found.before.fired > found.after.fired
