"""POST …/api/v2/alerts: Prometheus and amtool take us for an Alertmanager, whose API this is."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.responses import Response

from convex_common import events
from convex_common.domain.fingerprint import fingerprint, shard_of
from convex_common.domain.severity import Severity, from_label
from convex_common.errors import Invalid
from convex_gateway.ingest.body import EARLIEST, Items, ItemsDecoder, in_turns
from convex_gateway.ingest.connection import InboxRow
from convex_gateway.ingest.endpoint import Received
from convex_gateway.ingest.rules import FrameworkDirectory
from convex_gateway.ingest.writer import InboxWriter
from convex_gateway.problems import problem

SOURCE: Final = "alertmanager"
MAX_ALERTS: Final = 5000
RESOLVE_TIMEOUT: Final = dt.timedelta(minutes=5)
"""How long an alert without an end stands if it is not sent again: Alertmanager's default."""

_Name = Annotated[str, Meta(min_length=1, max_length=256)]
_Labels = Annotated[dict[_Name, Annotated[str, Meta(max_length=4096)]], Meta(max_length=64)]
_Annotations = Annotated[dict[_Name, Annotated[str, Meta(max_length=32_768)]], Meta(max_length=64)]
_Moment = Annotated[str, Meta(description="RFC 3339 with a zone; empty or 0001-01-01T00:00:00Z counts as absent")]


class PostableAlert(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An alert as Alertmanager's API v2 takes it; what we do not know of it is left aside.

    Labels with an empty value are dropped; one must remain. An `endsAt` that has passed resolves the alert; without
    one it ends after five minutes unless it is sent again.
    """

    labels: _Labels
    annotations: _Annotations | None = None
    starts_at: _Moment | None = None
    ends_at: _Moment | None = None
    generator_url: Annotated[str, Meta(max_length=8192)] | None = msgspec.field(name="generatorURL", default=None)


DECODER: Final = ItemsDecoder(PostableAlert, MAX_ALERTS)


class AlertmanagerAlerts:
    """Accepts alerts into the framework that belongs to Alertmanager's clients."""

    def __init__(self, frameworks: FrameworkDirectory, writer: InboxWriter) -> None:
        self._frameworks = frameworks
        self._writer = writer

    async def post(self, received: Received) -> Response:
        """200 and an empty body after the commit, 400 for a list with a bad alert, of which none is taken."""
        try:
            sent = _numbered(DECODER.decode(received.body))
            await received.admit(len(sent))
            alerts = [normalised(*item, received.now) for item in sent]
        except Invalid as error:
            return refused(error)
        answer = Response()
        if alerts:
            framework_id = await self._frameworks.ensure_source_framework(received.workspace_id, SOURCE)
            rows: list[InboxRow] = []
            async for some in in_turns(alerts):
                rows += [_row(received, alert.event(framework_id)) for alert in some]
            await self._writer.write(received.workspace_id, rows, received.keeping(lambda _: answer))
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert after Alertmanager's own rules for absent times. `starts_at` None: its sender did not say."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: dt.datetime | None
    ends_at: dt.datetime
    resolved: bool
    generator_url: str

    def event(self, framework_id: uuid.UUID) -> events.SourceAlert:
        """The event to accept."""
        return events.SourceAlert(
            source=SOURCE,
            framework_id=framework_id,
            labels=dict(self.labels),
            annotations=dict(self.annotations),
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            resolved=self.resolved,
            generator_url=self.generator_url,
        )


def normalised(path: str, sent: PostableAlert, now: dt.datetime) -> Alert:
    """The alert, or Invalid naming the field below `path`.

    An absent startsAt stays absent: Alertmanager would take the time of arrival and then merge it into the alert that
    it overlaps, which keeps the older start. Here such an alert continues the open one all the same.
    """
    labels = {name: value for name, value in sent.labels.items() if value}
    if not labels:
        raise Invalid(f"{path}.labels", "must have a label with a value")
    starts_at = _time(sent.starts_at, f"{path}.startsAt")
    ends_at = _time(sent.ends_at, f"{path}.endsAt")
    if starts_at is not None and ends_at is not None and starts_at > ends_at:
        raise Invalid(f"{path}.startsAt", "is after endsAt")
    return Alert(
        labels=labels,
        annotations=sent.annotations or {},
        starts_at=starts_at,
        ends_at=ends_at or now + RESOLVE_TIMEOUT,
        resolved=ends_at is not None and ends_at <= now,
        generator_url=sent.generator_url or "",
    )


def refused(error: Invalid) -> Response:
    """Invalid as 400, as Alertmanager answers it."""
    message = str(error).removeprefix(f"{error.field}: ")
    return problem(400, "invalid", "A field is wrong", message, field=error.field)


def _numbered(sent: Items[PostableAlert]) -> list[tuple[str, PostableAlert]]:
    if not sent.listed:
        raise Invalid("", "must be a list of alerts")
    return [(f"[{index}]", alert) for index, alert in enumerate(sent.items)]


def _time(text: str | None, path: str) -> dt.datetime | None:
    """None for what is absent, also as Go writes it: empty, or the year 1."""
    if not text:
        return None
    try:
        at = msgspec.convert(text, dt.datetime)
    except msgspec.ValidationError:
        raise Invalid(path, "is no RFC 3339 time") from None
    if at.tzinfo is None:
        raise Invalid(path, "has no time zone")
    return at if at > EARLIEST else None


def _row(received: Received, event: events.SourceAlert) -> InboxRow:
    key = fingerprint(received.workspace_id, event.framework_id, None, event.labels)
    critical = from_label(event.labels.get("severity")) is Severity.CRITICAL
    return InboxRow(
        kind=event.kind,
        key=key,
        shard=shard_of(key),
        lane=events.CRITICAL_LANE if critical else events.NORMAL_LANE,
        payload=events.encode(event),
        traceparent=received.traceparent,
    )
