"""Noise, and what is proposed against it: never at the price of what people heeded."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest

from convex_analytics.domain.patterns.advice import Advice, advise
from convex_analytics.domain.patterns.history import Episode, history
from convex_analytics.domain.patterns.noisy import Noise, noise
from convex_analytics.domain.patterns.pattern import Kind, Pattern
from convex_common.domain.replay import Setting, Span
from convex_common.domain.severity import Severity
from tests.support.planted import SINCE, UNTIL, subject

SETTING = Setting(for_seconds=0, suppression_seconds=300, severity=Severity.ERROR)
NOISE: dict[str, Any] = {"reasons": {"ends_by_itself": {"count": 40, "of": 40}}}


def pattern(kind: Kind, lead: bool = False, **evidence: Any) -> Pattern:
    return Pattern(
        kind=kind,
        subject=subject(1),
        lead=subject(2) if lead else None,
        confidence=90,
        occurrences=40,
        evidence=evidence,
    )


def spans(minutes: float, count: int = 40, every: float = 360, **how: Any) -> list[Span]:
    return [
        Span(
            fingerprint=b"a",
            began_at=SINCE + dt.timedelta(minutes=every * i),
            ended_at=SINCE + dt.timedelta(minutes=every * i + minutes),
            **how,
        )
        for i in range(count)
    ]


def advised(kind: Kind, on: list[Span], setting: Setting | None = SETTING, **more: Any) -> Advice:
    return advise(pattern(kind, **more), setting, on, UNTIL)


def change(advice: Advice) -> dict[str, Any]:
    return {field: one["to"] for field, one in advice.change.items()}


@pytest.mark.parametrize(
    ("kind", "on", "setting", "more", "proposed"),
    [
        pytest.param(Kind.NOISY, spans(3), SETTING, NOISE, {"for_seconds": 300}, id="short: a hold"),
        pytest.param(
            Kind.NOISY, spans(40, every=50), SETTING, NOISE, {"suppression_seconds": 7200}, id="flapping: a window"
        ),
        pytest.param(Kind.NOISY, spans(3, acknowledged=True), SETTING, NOISE, {}, id="people acknowledge them"),
        pytest.param(Kind.NOISY, spans(3, useful=True), SETTING, NOISE, {}, id="people call them useful"),
        pytest.param(
            Kind.NOISY,
            spans(300),
            SETTING,
            {"reasons": {"never_acknowledged": {}}},
            {"severity": "warning"},
            id="nobody heeds it",
        ),
        pytest.param(Kind.NOISY, spans(3), None, NOISE, {}, id="another tool's alerts have no rule here"),
        pytest.param(
            Kind.TRIGGERED_BY, spans(30), SETTING, {"lead": True}, {"severity": "warning"}, id="the one that follows"
        ),
        pytest.param(Kind.ESCALATING, spans(30), SETTING, {}, {"severity": "critical"}, id="more and more"),
        pytest.param(Kind.CORRELATED, spans(30), SETTING, {"lead": True}, {}, id="two of one cause"),
        pytest.param(Kind.CYCLICAL, spans(300), SETTING, {}, {}, id="long ones of a cycle"),
        pytest.param(Kind.SEASONAL, spans(3), SETTING, {}, {"for_seconds": 300}, id="short ones of a season"),
    ],
)
def test_proposals(
    kind: Kind, on: list[Span], setting: Setting | None, more: dict[str, Any], proposed: dict[str, Any]
) -> None:
    advice = advised(kind, on, setting, **more)
    assert change(advice) == proposed
    assert advice.action
    assert (advice.expected is None) == (not proposed)


def test_the_expected_is_told_in_figures() -> None:
    advice = advised(Kind.NOISY, spans(3) + spans(20, count=4, acknowledged=True), SETTING, **NOISE)
    assert advice.expected is not None
    before, after = advice.expected["before"], advice.expected["after"]
    assert before["notified"] > 2 * after["notified"]
    assert after["acknowledged"] == before["acknowledged"] == 4


def strand(**how: Any) -> list[Episode]:
    usual: dict[str, Any] = {"minutes": 240.0, "every": 600.0, "count": 40}
    told = {**usual, **how}
    minutes, every, count = told.pop("minutes"), told.pop("every"), told.pop("count")
    return [
        Episode(
            subject=subject(1),
            triggered_at=SINCE + dt.timedelta(minutes=every * i),
            resolved_at=SINCE + dt.timedelta(minutes=every * i + minutes),
            severity=Severity.WARNING,
            **told,
        )
        for i in range(count)
    ]


@pytest.mark.parametrize(
    ("alerts", "reasons"),
    [
        pytest.param(strand(acknowledged=True), None, id="people acknowledge it"),
        pytest.param(strand(), [Noise.NEVER_ACKNOWLEDGED], id="nobody ever does"),
        pytest.param(strand(count=16), None, id="nobody did, but it was seldom"),
        pytest.param(strand(acknowledged=True, useful=False), [Noise.FALSE_ALARMS], id="people call it false"),
        pytest.param(strand(acknowledged=True, reopened=2), [Noise.FLAPPING], id="reopened again and again"),
        pytest.param(
            strand(acknowledged=True, by_itself=True, minutes=20.0, every=25.0), [Noise.FLAPPING], id="soon again"
        ),
        pytest.param(
            strand(by_itself=True, minutes=3.0),
            [Noise.ENDS_BY_ITSELF, Noise.NEVER_ACKNOWLEDGED],
            id="over before anybody looks",
        ),
        pytest.param(strand(by_itself=True, minutes=3.0, useful=True), None, id="short, and useful"),
        pytest.param(strand(by_itself=True, minutes=3.0, count=10), None, id="too few"),
    ],
)
def test_noise(alerts: list[Episode], reasons: list[Noise] | None) -> None:
    (one,) = history(alerts, UNTIL, dt.UTC).strands
    found = noise(one)
    assert (None if found is None else sorted(found.reasons)) == (None if reasons is None else sorted(reasons))
    assert np.all(np.diff(one.onsets) > 0)
