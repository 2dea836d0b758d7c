"""How verdicts move a bar, as tables: where it belongs, and how it goes there."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_analytics.domain.bars import APART, STEPS, Judged, Judgement, moved, target
from convex_common.domain.bar import Raised, bar
from convex_common.domain.severity import Severity

NOW = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)


def a_rule(*judged: Judged, **fields: Any) -> Judgement:
    """Told from a score of 0.5 on, so that a step is 0.05 and the limit 0.75."""
    usual = {"sensitivity": 0.5, "severity": Severity.WARNING, "heeds_verdicts": True, "raised": None}
    return Judgement(**{**usual, **fields}, judged=judged)


def false_alarms(count: int, score: float = 0.52) -> list[Judged]:
    return [Judged(score, useful=False)] * count


def useful(count: int, score: float = 0.9) -> list[Judged]:
    return [Judged(score, useful=True)] * count


@pytest.mark.parametrize(
    ("rule", "step"),
    [
        pytest.param(a_rule(), 0, id="nobody has said anything"),
        pytest.param(a_rule(*false_alarms(4)), 0, id="too few verdicts"),
        pytest.param(a_rule(*false_alarms(5)), 1, id="as high as they are, and no higher"),
        pytest.param(a_rule(*false_alarms(6), *useful(4)), 1, id="six of ten"),
        pytest.param(a_rule(*false_alarms(5), *useful(5)), 0, id="five of ten may be chance"),
        pytest.param(a_rule(*false_alarms(6, 0.68), *useful(4)), 4, id="up to where they end"),
        pytest.param(a_rule(*false_alarms(20, 0.99)), STEPS, id="never beyond the limit"),
        pytest.param(a_rule(*false_alarms(20), *useful(1, 0.51)), 0, id="one useful alert is worth more than quiet"),
        pytest.param(a_rule(*false_alarms(20, 0.99), *useful(1, 0.66)), 3, id="as far as nothing useful is hidden"),
        pytest.param(a_rule(*false_alarms(20), severity=Severity.CRITICAL), 0, id="never of a critical rule"),
        pytest.param(a_rule(*false_alarms(20), heeds_verdicts=False), 0, id="switched off"),
        pytest.param(a_rule(*false_alarms(20, 0.2), *false_alarms(20, 0.3)), 0, id="what would not be told any more"),
    ],
)
def test_where_a_bar_belongs(rule: Judgement, step: int) -> None:
    assert target(rule) == step


def test_a_bar_moves_by_a_step_a_day_and_says_why() -> None:
    rule = a_rule(*false_alarms(6, 0.68), *useful(4))
    raised, now = None, NOW
    for step in (1, 2, 3, 4):
        raised = moved(replace(rule, raised=raised), now)
        assert raised is not None
        assert raised.by == pytest.approx(0.05 * step)
        assert (raised.false_alarms, raised.judged) == (6, 10)
        assert moved(replace(rule, raised=raised), now) == raised, "the same run once more"
        assert moved(replace(rule, raised=raised), now + APART / 2) == raised, "the same day"
        assert moved(replace(rule, raised=raised), now - APART) == raised, "a run for an older slot"
        now += APART
    assert moved(replace(rule, raised=raised), now) == raised, "there it stays"
    told = bar(0.5, raised, Severity.WARNING, heeds_verdicts=True)
    assert told.words == "threshold 0.70 instead of 0.50 after 6 false alarms of 10"


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"judged": ()}, id="the verdicts are older than eight weeks"),
        pytest.param({"judged": [*false_alarms(6, 0.68), *useful(30, 0.51)]}, id="people call them useful"),
        pytest.param({"severity": Severity.CRITICAL}, id="the rule is critical by now"),
        pytest.param({"heeds_verdicts": False}, id="it was switched off"),
    ],
)
def test_it_comes_down_again(fields: dict[str, Any]) -> None:
    raised: Raised | None = Raised(by=0.1, false_alarms=6, judged=10, moved_at=NOW)
    rule = replace(a_rule(*false_alarms(6, 0.68), *useful(4)), **fields)
    raised = moved(replace(rule, raised=raised), NOW + APART)
    assert raised is not None
    assert raised.by == pytest.approx(0.05)
    assert moved(replace(rule, raised=raised), NOW + 2 * APART) is None


def test_a_critical_rule_and_one_that_heeds_nothing_need_what_people_said() -> None:
    raised = Raised(by=0.2, false_alarms=9, judged=9, moved_at=NOW)
    for severity, heeds in ((Severity.CRITICAL, True), (Severity.ERROR, False)):
        told = bar(0.5, raised, severity, heeds_verdicts=heeds)
        assert (told.needed, told.words) == (0.5, "")


@given(
    st.lists(st.builds(Judged, st.floats(0, 1), st.booleans()), max_size=30),
    st.floats(0.01, 0.99),
    st.lists(st.integers(0, 3), max_size=12),
)
def test_whatever_people_say_it_stays_within_its_limits(
    judged: list[Judged], sensitivity: float, days: list[int]
) -> None:
    rule, now = a_rule(*judged, sensitivity=sensitivity), NOW
    for day in days:
        now += day * APART
        before = rule.raised.by if rule.raised else 0.0
        rule = replace(rule, raised=moved(rule, now))
        after = rule.raised.by if rule.raised else 0.0
        assert 0 <= after <= sensitivity / 2 + 1e-6
        assert abs(after - before) <= sensitivity / 10 + 2e-6
    for step in range(target(rule)):
        hidden = 1 - sensitivity + (step + 1) * sensitivity / 10
        assert not any(one.useful and one.score < hidden for one in judged)
