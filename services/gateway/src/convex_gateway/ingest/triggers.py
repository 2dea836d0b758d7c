"""POST /triggers: occurrences of rules' conditions, vouched for by their senders."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from starlette.responses import Response

from convex_common import events
from convex_common.domain.fingerprint import fingerprint, shard_of
from convex_common.domain.rule import AlertType
from convex_common.domain.severity import Severity
from convex_common.errors import Invalid
from convex_gateway.ingest.body import Items, ItemsDecoder, Labels, Time, check_time, in_turns
from convex_gateway.ingest.connection import InboxRow
from convex_gateway.ingest.endpoint import Received, json_answer
from convex_gateway.ingest.rules import KnownRule, RuleDirectory
from convex_gateway.ingest.writer import InboxWriter

MAX_TRIGGERS: Final = 1000
MAX_CONTEXT: Final = 16 * 1024

_encode = msgspec.json.Encoder().encode


class Trigger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One occurrence of a rule's condition; what it does not say, its rule does."""

    alert_rule_id: uuid.UUID
    current_value: float
    threshold_value: float | None = None
    alert_type: AlertType | None = None
    severity: Severity | None = None
    status: Literal["firing", "resolved"] = "firing"
    framework_id: Annotated[uuid.UUID, Meta(description="Must be the rule's")] | None = None
    labels: Labels = {}
    context: Annotated[dict[str, Any], Meta(description="Kept with the alert; 16 KiB of JSON at most")] = {}
    occurred_at: Time | None = None


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What was accepted: it is committed, and will be processed. Ids in the order of the triggers."""

    accepted: int
    event_ids: list[uuid.UUID]


DECODER: Final = ItemsDecoder(Trigger, MAX_TRIGGERS)


class Triggers:
    """Accepts triggers of known, enabled rules."""

    def __init__(self, rules: RuleDirectory, writer: InboxWriter) -> None:
        self._rules = rules
        self._writer = writer

    async def post(self, received: Received) -> Response:
        """202 after the commit; a list with a bad item is refused whole."""
        triggers = DECODER.decode(received.body)
        await received.admit(len(triggers.items))
        rules = await self._rules.find(received.workspace_id, {item.alert_rule_id for item in triggers.items})
        rows: list[InboxRow] = []
        async for some in in_turns(triggers.items):
            for trigger in some:
                event = event_of(trigger, rules, received.now, triggers, len(rows))
                rows.append(_row(received, event, rules[trigger.alert_rule_id]))
        return _accepted(await self._writer.write(received.workspace_id, rows, received.keeping(_accepted)))


def _accepted(ids: Sequence[uuid.UUID]) -> Response:
    return json_answer(202, Accepted(accepted=len(ids), event_ids=list(ids)))


def event_of(
    trigger: Trigger, rules: Mapping[uuid.UUID, KnownRule], now: dt.datetime, among: Items[Trigger], index: int
) -> events.Trigger:
    """The event of a trigger, or Invalid naming the field."""
    rule = rules.get(trigger.alert_rule_id)
    if rule is None:
        raise Invalid(among.path(index, "alert_rule_id"), "there is no such rule in this workspace")
    if not rule.enabled:
        raise Invalid(among.path(index, "alert_rule_id"), "the rule is disabled")
    if trigger.framework_id is not None and trigger.framework_id != rule.framework_id:
        raise Invalid(among.path(index, "framework_id"), "is not the rule's framework")
    if trigger.occurred_at is not None:
        check_time(trigger.occurred_at, now, among.path(index, "occurred_at"))
    if trigger.context and len(_encode(trigger.context)) > MAX_CONTEXT:
        raise Invalid(among.path(index, "context"), f"has more than {MAX_CONTEXT} bytes")
    return events.Trigger(
        rule_id=trigger.alert_rule_id,
        framework_id=rule.framework_id,
        value=trigger.current_value,
        threshold=trigger.threshold_value,
        alert_type=trigger.alert_type,
        severity=trigger.severity,
        resolved=trigger.status == "resolved",
        labels=trigger.labels,
        context=trigger.context,
        occurred_at=trigger.occurred_at,
    )


def _row(received: Received, event: events.Trigger, rule: KnownRule) -> InboxRow:
    key = fingerprint(received.workspace_id, event.framework_id, event.rule_id, event.labels)
    severity = event.severity or rule.severity
    return InboxRow(
        kind=event.kind,
        key=key,
        shard=shard_of(key),
        lane=events.CRITICAL_LANE if severity == Severity.CRITICAL else events.NORMAL_LANE,
        payload=events.encode(event),
        traceparent=received.traceparent,
    )
