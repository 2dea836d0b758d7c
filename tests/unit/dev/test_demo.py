"""The demo's story, told by its series and rules alone: no service is needed to know that it is lively."""

from __future__ import annotations

from typing import Any

import pytest

from convex_dev.demo import scenario
from convex_dev.demo.series import Series, incident, rhythm, sawtooth, step
from convex_dev.demo.traffic import SEED

LENGTH = 600


def holds(rule: dict[str, Any], value: float, before: float | None, firing: bool) -> bool:
    """The plain meaning of a rule, hysteresis included."""
    if rule["condition"] == "changes_by":
        return before is not None and abs(value - before) / before * 100 >= rule["change_percentage"]
    limit = rule["clear_value"] if firing else rule["threshold_value"]
    return bool(value > limit if rule["condition"] == "above" else value < limit)


def episodes(rule: dict[str, Any], series: Series) -> list[tuple[int, int]]:
    """(fired, cleared) in seconds, as a rule that looks at each second's value would see them."""
    found: list[tuple[int, int]] = []
    since: int | None = None
    fired: int | None = None
    before: float | None = None
    for second in range(LENGTH):
        value = series.value(second, SEED)
        if holds(rule, value, before, fired is not None):
            since = second if since is None else since
            if fired is None and second - since >= rule.get("for_seconds", 0):
                fired = second
        else:
            if fired is not None:
                found.append((fired, second))
            since = fired = None
        before = value
    return found


def watched() -> list[tuple[dict[str, Any], Series]]:
    return [
        (rule, series)
        for rule in scenario.RULES
        for series in scenario.SERIES
        if (series.framework, series.metric) == (rule["framework"], rule["metric"])
    ]


ALL = [episode for rule, series in watched() for episode in episodes(rule, series)]


def test_the_first_alert_fires_within_20_seconds() -> None:
    assert min(fired for fired, _ in ALL) <= 15  # and 5 s for the way through the services


@pytest.mark.parametrize("begin", range(0, LENGTH - 60, 20))
def test_in_every_minute_alerts_fire_and_clear(begin: int) -> None:
    assert sum(begin <= fired < begin + 60 for fired, _ in ALL) >= 4
    assert sum(begin <= cleared < begin + 60 for _, cleared in ALL) >= 3


@pytest.mark.parametrize(("rule", "series"), watched(), ids=lambda part: str(getattr(part, "labels", "")) or None)
def test_every_rule_fires_and_clears_on_each_of_its_series(rule: dict[str, Any], series: Series) -> None:
    found = episodes(rule, series)
    assert len(found) >= LENGTH // 80
    assert all(cleared - fired < 60 for fired, cleared in found)


def test_every_series_is_watched_and_every_severity_occurs() -> None:
    assert len(watched()) == len(scenario.SERIES)
    assert {rule["severity"] for rule in scenario.RULES} == {"info", "warning", "error", "critical"}
    assert {rule["framework"] for rule in scenario.RULES} == {body["name"] for body in scenario.FRAMEWORKS}


def test_values_are_the_same_for_the_same_seed_and_never_negative() -> None:
    for series in scenario.SERIES:
        first = [series.value(second, 1) for second in range(100)]
        assert first == [series.value(second, 1) for second in range(100)]
        assert first != [series.value(second, 2) for second in range(100)]
        assert min(first) >= 0


@pytest.mark.parametrize(
    ("shape", "values"),
    [
        (rhythm(100, 10), {0: 100, 30: 110, 60: 100, 90: 90, 120: 100}),
        (sawtooth(0, 100, every=10), {0: 0, 5: 50, 9: 90, 10: 0}),
        (sawtooth(0, 100, every=10, phase=4), {0: 40, 6: 0}),
        (step(1, 2, every=5), {0: 1, 4: 1, 5: 2, 9: 2, 10: 1}),
        (
            incident(lambda _: 10, 3, every=50, start=20, length=12),
            {0: 10, 19: 10, 20: 10 + 20 / 3, 22: 30, 28: 30, 31: 10 + 20 / 3, 32: 10, 72: 30},
        ),
    ],
    ids=["rhythm", "sawtooth", "sawtooth with phase", "step", "incident"],
)
def test_shapes(shape: Any, values: dict[int, float]) -> None:
    assert {t: shape(t) for t in values} == pytest.approx(values)
