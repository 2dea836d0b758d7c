"""A trigger's event: what its rule adds, and what is refused."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest

from convex_common.domain.severity import Severity
from convex_common.errors import Invalid
from convex_gateway.ingest.body import Items
from convex_gateway.ingest.rules import KnownRule
from convex_gateway.ingest.triggers import Trigger, event_of

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
RULE, DISABLED, FRAMEWORK, OTHER = (uuid.UUID(int=number) for number in range(1, 5))
RULES = {
    RULE: KnownRule(FRAMEWORK, Severity.WARNING, enabled=True),
    DISABLED: KnownRule(FRAMEWORK, Severity.WARNING, enabled=False),
}


def sent(**changed: Any) -> Trigger:
    fields: dict[str, Any] = {"alert_rule_id": RULE, "current_value": 1.0} | changed
    return Trigger(**fields)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        pytest.param({"alert_rule_id": OTHER}, "alert_rule_id", id="unknown rule"),
        pytest.param({"alert_rule_id": DISABLED}, "alert_rule_id", id="disabled rule"),
        pytest.param({"framework_id": OTHER}, "framework_id", id="not the rule's framework"),
        pytest.param({"occurred_at": NOW + dt.timedelta(minutes=6)}, "occurred_at", id="from the future"),
        pytest.param({"context": {"text": "x" * 16_400}}, "context", id="context too large"),
    ],
)
def test_refusals_name_the_field_and_its_place(changed: dict[str, Any], field: str) -> None:
    trigger = sent(**changed)
    with pytest.raises(Invalid) as alone:
        event_of(trigger, RULES, NOW, Items([trigger], listed=False), 0)
    with pytest.raises(Invalid) as listed:
        event_of(trigger, RULES, NOW, Items([sent(), trigger], listed=True), 1)
    assert (alone.value.field, listed.value.field) == (field, f"[1].{field}")


def test_the_framework_is_the_rules() -> None:
    trigger = sent(status="resolved", severity=Severity.CRITICAL, labels={"a": "b"}, occurred_at=NOW)
    event = event_of(trigger, RULES, NOW, Items([trigger], listed=False), 0)
    assert (event.framework_id, event.rule_id, event.resolved) == (FRAMEWORK, RULE, True)
    assert (event.severity, event.labels, event.occurred_at) == ("critical", {"a": "b"}, NOW)
