"""Anomaly rules, as tables: what each score means for a rule, until it is over."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from convex_common.domain import unusual
from convex_common.domain.bar import Raised
from convex_common.domain.conditions import Mark, Outcome
from convex_common.domain.rule import AlertType, Condition, Rule
from convex_common.domain.severity import Severity
from convex_detection.score import Reason, Score
from tests.unit.processor.world import a_rule

MINUTE = 60.0


def a_learning_rule(**fields: Any) -> Rule:
    usual = {"alert_type": AlertType.ANOMALY, "condition": Condition.CHANGES_BY, "threshold_value": None}
    return a_rule(**{**usual, "sensitivity": 0.5, **fields})


def a_score(value: float, low: float = 10.0, high: float = 30.0) -> Score:
    reason = Reason.NEVER_SEEN if value >= 0.5 else Reason.USUAL
    return Score(value, (low + high) / 2, low, high, 0.8, reason, 1.0)


def outcomes(rule: Rule, *told: tuple[float, float], every: float = MINUTE) -> str:
    """What each (value, score) leads to: f(ires), c(lears), p(ending) or . (nothing)."""
    mark, letters = Mark(), []
    for n, (value, score) in enumerate(told):
        found = unusual.evaluate(rule, mark, value, n * every, a_score(score))
        mark = found.mark
        letters.append({"FIRES": "f", "CLEARS": "c", "PENDING": "p", "NOTHING": "."}[found.outcome.name])
    return "".join(letters)


RAISED = Raised(by=0.15, false_alarms=6, judged=10, moved_at=dt.datetime(2026, 3, 2, tzinfo=dt.UTC))
HIGHER = (90.0, 0.66)
NEW, STILL, USUAL, FAINT = (90.0, 0.6), (90.0, 0.0), (20.0, 0.1), (90.0, 0.4)


@pytest.mark.parametrize(
    ("fields", "told", "expected"),
    [
        pytest.param({}, [USUAL, NEW, STILL, USUAL, USUAL, USUAL, USUAL], ".ff..c.", id="three usual values end it"),
        pytest.param({}, [NEW, USUAL, USUAL, STILL, USUAL, USUAL, USUAL], "f..f..c", id="in a row"),
        pytest.param({}, [STILL, FAINT], "..", id="outside of the band alone, or a faint score, is not enough"),
        pytest.param({"sensitivity": 0.7}, [FAINT], "f", id="more sensitive"),
        pytest.param({"sensitivity": 0.3}, [NEW], ".", id="less sensitive"),
        pytest.param({"raised": RAISED}, [NEW, HIGHER], ".f", id="a bar that false alarms raised"),
        pytest.param({"raised": RAISED, "severity": Severity.CRITICAL}, [NEW], "f", id="not of a critical rule"),
        pytest.param({"raised": RAISED, "heeds_verdicts": False}, [NEW], "f", id="nor where nobody wants it"),
        pytest.param({"for_seconds": 120}, [NEW, STILL, STILL], "ppf", id="a hold"),
        pytest.param({"for_seconds": 120}, [NEW, USUAL, USUAL, USUAL, STILL], "p....", id="a hold that ended"),
        pytest.param({"condition": Condition.BELOW}, [NEW], ".", id="on the other side"),
        pytest.param({"condition": Condition.BELOW}, [(2.0, 0.6), NEW, USUAL, USUAL], "f..c", id="on the other"),
        pytest.param({"condition": Condition.ABOVE, "threshold_value": 95.0}, [NEW], ".", id="within the threshold"),
        pytest.param({"condition": Condition.ABOVE, "threshold_value": 85.0}, [NEW], "f", id="beyond the threshold"),
    ],
)
def test_values(fields: dict[str, Any], told: list[tuple[float, float]], expected: str) -> None:
    assert outcomes(a_learning_rule(**fields), *told) == expected


def test_what_lasts_for_a_day_is_how_things_are_now() -> None:
    hours = [NEW, *[STILL] * 26]
    assert outcomes(a_learning_rule(), *hours, every=3600.0) == "f" * 25 + "c."


def test_the_band_that_an_anomaly_moved_does_not_keep_it_open() -> None:
    rule, mark = a_learning_rule(), Mark()
    for n, (value, score) in enumerate([(90.0, a_score(0.6)), *[(20.0, a_score(0.0, 25.0, 45.0))] * 3]):
        found = unusual.evaluate(rule, mark, value, n * MINUTE, score)
        mark = found.mark
    assert found.outcome is Outcome.CLEARS


def test_the_evidence_explains_itself() -> None:
    told = unusual.evidence(a_learning_rule(), 90.0, a_score(0.6), 0.6)
    assert told["why"] == "90 is 1 away from anything seen before (usual: 10 to 30)"
    later = unusual.evidence(a_learning_rule(), 90.0, a_score(0.0), 0.6)
    assert (later["why"], later["score"]) == ("90 is unusual (usual: 10 to 30)", 0.6)


def test_an_alert_tells_of_a_raised_bar_and_of_no_other() -> None:
    score = a_score(0.66)
    told = unusual.evidence(a_learning_rule(raised=RAISED), 90.0, score, 0.66)
    assert told["why"].endswith("; threshold 0.65 instead of 0.50 after 6 false alarms of 10")
    assert (told["threshold"], told["usual_threshold"]) == (0.65, 0.5)
    plain = unusual.evidence(a_learning_rule(), 90.0, score, 0.66)
    assert "threshold" not in plain["why"]
    assert "threshold" not in plain
