"""Which channels an alert goes to, as a table."""

from __future__ import annotations

import uuid

import pytest

from convex_common.domain.alert import Alert, Reason, Status
from convex_common.domain.change import Cause
from convex_common.domain.channel import Channel, Matcher, Operator, matched_labels, route
from convex_common.domain.notice import announce, take_back
from convex_common.domain.severity import Severity
from tests.unit.processor.world import FRAMEWORK, START, WORKSPACE, a_channel

IS, NOT, LIKE, UNLIKE = Operator.EQUAL, Operator.NOT_EQUAL, Operator.MATCHES, Operator.NOT_MATCHES


def an_alert(**fields: object) -> Alert:
    values: dict[str, object] = {
        "workspace_id": WORKSPACE, "id": uuid.UUID(int=9), "fingerprint": b"f", "framework_id": FRAMEWORK,
        "rule_id": uuid.UUID(int=3), "rule_name": "slow", "alert_type": "threshold", "status": Status.FIRING,
        "severity": Severity.WARNING, "title": "slow", "labels": {"team": "shop", "host": "a1"}, "context": {},
        "current_value": 1.0, "threshold_value": 0.0, "occurrences": 1, "triggered_at": START, "last_seen_at": START,
        "suppression_seconds": 300,
    }  # fmt: skip
    return Alert(**{**values, **fields})  # type: ignore[arg-type]  # a table of fields


def matching(*matchers: tuple[str, Operator, str]) -> Channel:
    return a_channel(matchers=tuple(Matcher(*matcher) for matcher in matchers))


@pytest.mark.parametrize(
    ("channel", "fits"),
    [
        pytest.param(a_channel(), True, id="no matchers: everything"),
        pytest.param(a_channel(enabled=False), False, id="disabled"),
        pytest.param(a_channel(min_severity=Severity.WARNING), True, id="its minimum severity itself"),
        pytest.param(a_channel(min_severity=Severity.ERROR), False, id="below its minimum severity"),
        pytest.param(matching(("team", IS, "shop")), True, id="equal"),
        pytest.param(matching(("team", IS, "Shop")), False, id="case matters"),
        pytest.param(matching(("team", NOT, "shop")), False, id="not equal"),
        pytest.param(matching(("zone", IS, "")), True, id="a missing label is empty"),
        pytest.param(matching(("zone", NOT, "eu")), True, id="a missing label differs"),
        pytest.param(matching(("host", LIKE, "a[0-9]+")), True, id="regex"),
        pytest.param(matching(("host", LIKE, "a")), False, id="regex is anchored at its end"),
        pytest.param(matching(("host", LIKE, "1")), False, id="regex is anchored at its start"),
        pytest.param(matching(("host", LIKE, "b|a1")), True, id="an alternative is anchored whole"),
        pytest.param(matching(("host", LIKE, "a|b1")), False, id="an alternative is no prefix"),
        pytest.param(matching(("host", UNLIKE, "b.*")), True, id="regex that does not match"),
        pytest.param(matching(("zone", LIKE, ".*")), True, id="regex on a missing label"),
        pytest.param(matching(("zone", LIKE, ".+")), False, id="regex that wants something"),
        pytest.param(matching(("team", IS, "shop"), ("host", IS, "b1")), False, id="all must fit"),
        pytest.param(matching(("severity", IS, "warning")), True, id="severity is a label"),
        pytest.param(matching(("rule_name", IS, "slow")), True, id="the rule's name is a label"),
        pytest.param(matching(("framework_id", IS, str(FRAMEWORK))), True, id="the framework is a label"),
        pytest.param(matching(("host", LIKE, "(a+)+$")), False, id="a regex that would explode elsewhere"),
    ],
)
def test_a_channel_fits(channel: Channel, *, fits: bool) -> None:
    assert route(an_alert(), [channel], None) == ((channel,) if fits else ())


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        pytest.param(None, [1, 4], id="no own channels: those that fit"),
        pytest.param((a_channel(2).id,), [2], id="own channels: matchers do not matter"),
        pytest.param((a_channel(3).id,), [], id="own channel, disabled"),
        pytest.param((a_channel(5).id,), [], id="own channel, its minimum severity holds"),
        pytest.param((), [], id="own channels: none"),
        pytest.param((uuid.UUID(int=77),), [], id="own channel, deleted"),
    ],
)
def test_a_rules_own_channels(chosen: tuple[uuid.UUID, ...] | None, expected: list[int]) -> None:
    channels = [
        a_channel(1),
        a_channel(2, matchers=(Matcher("team", IS, "other"),)),
        a_channel(3, enabled=False),
        a_channel(4),
        a_channel(5, min_severity=Severity.CRITICAL),
    ]
    assert route(an_alert(), channels, chosen) == tuple(
        a_channel(number) if number != 2 else channels[1] for number in expected
    )


def test_a_label_cannot_pose_as_a_reserved_one() -> None:
    labels = matched_labels(an_alert(labels={"severity": "critical", "rule_name": "other"}))
    assert (labels["severity"], labels["rule_name"]) == ("warning", "slow")


def test_a_resolve_goes_to_those_who_were_told_and_are_still_there() -> None:
    first, second, third = a_channel(1), a_channel(2), a_channel(3)
    alert, _ = announce(an_alert(), Cause.FIRED, Reason.FIRST_TRIGGER, START, [first, second], None)
    alert, notice = take_back(alert, Reason.CONDITION_CLEARED, [first, a_channel(2, enabled=False), third])
    assert notice is not None
    assert notice.channels == (first,)
    assert (notice.sequence, alert.announced, alert.announced_channels) == (2, False, ())


def test_nobody_hears_of_the_end_of_what_nobody_heard_of() -> None:
    after, notice = take_back(an_alert(), Reason.CONDITION_CLEARED, [a_channel()])
    assert notice is None
    assert after.notifications_sent == 0


def test_everybody_told_once_hears_of_the_end_also_after_the_routing_changed() -> None:
    alert, _ = announce(an_alert(), Cause.FIRED, Reason.FIRST_TRIGGER, START, [a_channel(1)], None)
    alert, _ = announce(alert, Cause.REMINDER, Reason.STILL_FIRING, START, [a_channel(2)], None)
    _, notice = take_back(alert, Reason.CONDITION_CLEARED, [a_channel(1), a_channel(2)])
    assert notice is not None
    assert len(notice.channels) == 2
