"""POST /observations: values of frameworks' metrics, for the rules to decide on."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.responses import Response

from convex_common import events
from convex_common.domain.fingerprint import observations_key, series_key, shard_of
from convex_common.errors import Invalid
from convex_gateway.ingest.body import Items, ItemsDecoder, Labels, Time, check_time, in_turns
from convex_gateway.ingest.connection import InboxRow
from convex_gateway.ingest.endpoint import Received, json_answer
from convex_gateway.ingest.rules import FrameworkDirectory
from convex_gateway.ingest.writer import InboxWriter

MAX_OBSERVATIONS: Final = 5000


class Observation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value of one series: a framework's metric with its labels. Without `at` it is of now."""

    framework_id: uuid.UUID
    metric: Annotated[str, Meta(min_length=1, max_length=256)]
    value: float
    labels: Labels = {}
    at: Time | None = None


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many were accepted: they are committed, and will be processed."""

    accepted: int


DECODER: Final = ItemsDecoder(Observation, MAX_OBSERVATIONS)


class Observations:
    """Accepts observations of known frameworks."""

    def __init__(self, frameworks: FrameworkDirectory, writer: InboxWriter) -> None:
        self._frameworks = frameworks
        self._writer = writer

    async def post(self, received: Received) -> Response:
        """202 after the commit; a list with a bad item is refused whole."""
        sent = DECODER.decode(received.body)
        await received.admit(len(sent.items))
        existing = await self._frameworks.existing(received.workspace_id, {item.framework_id for item in sent.items})
        of_shard: dict[int, list[events.Observation]] = {}
        index = 0
        async for some in in_turns(sent.items):
            for item in some:
                observation = event_of(item, existing, received.now, sent, index)
                series = series_key(received.workspace_id, item.framework_id, item.metric, item.labels)
                of_shard.setdefault(shard_of(series), []).append(observation)
                index += 1
        answer = json_answer(202, Count(accepted=len(sent.items)))
        await self._writer.write(received.workspace_id, _rows(received, of_shard), received.keeping(lambda _: answer))
        return answer


def event_of(
    item: Observation, existing: Collection[uuid.UUID], now: dt.datetime, among: Items[Observation], index: int
) -> events.Observation:
    """The event of an observation, or Invalid naming the field."""
    if item.framework_id not in existing:
        raise Invalid(among.path(index, "framework_id"), "there is no such framework in this workspace")
    if item.at is not None:
        check_time(item.at, now, among.path(index, "at"))
    return events.Observation(item.framework_id, item.metric, item.value, item.labels, item.at or now)


def _rows(received: Received, of_shard: dict[int, list[events.Observation]]) -> list[InboxRow]:
    """A row for each 500 of a shard's observations, in the order sent."""
    return [
        InboxRow(
            kind=events.Observations.kind,
            key=observations_key(received.workspace_id, shard),
            shard=shard,
            lane=events.NORMAL_LANE,
            payload=events.encode(events.Observations(items=items[start : start + events.MAX_OBSERVATIONS])),
            traceparent=received.traceparent,
        )
        for shard, items in of_shard.items()
        for start in range(0, len(items), events.MAX_OBSERVATIONS)
    ]
