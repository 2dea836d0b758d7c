"""Alerts: lists, one, its timeline, and what people do with it."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Annotated

import msgspec
from fastapi import Body, Query
from starlette.responses import Response

from convex_common.domain import facets
from convex_common.domain.alert import Status, as_wire
from convex_common.domain.role import Role
from convex_common.domain.rule import AlertType
from convex_common.domain.self_audit import of_people
from convex_common.domain.severity import Severity
from convex_common.errors import NotFound
from convex_common.postgres import alerts_query, timeline, verdicts
from convex_common.postgres.alert_actions import (
    Decide,
    Done,
    acknowledging,
    assigning,
    commenting,
    judging,
    resolving,
    snoozing,
)
from convex_common.redis.cache.cache import Loaded
from convex_common.redis.cache.classes import ALERTS
from convex_gateway.operations import Authorized, Resource
from convex_gateway.pagination import PageAsked, cursor_of, cut, moment_cursor_of, text_cursor_of
from convex_gateway.preconditions import IfMatch, etag, version_in
from convex_gateway.problems import NO_NUL, Problems, of_error
from convex_gateway.shapes.alerts import (
    Acknowledgement,
    Alert,
    AlertPage,
    Assignment,
    BulkAction,
    BulkAnswer,
    Comment,
    Resolution,
    Snooze,
    TimelinePage,
    VerdictGiven,
    VerdictPage,
    faults,
)
from convex_gateway.shapes.body import Moment, UserId

resource = Resource("alerts")

JSON = "application/json"
ETAG = {"ETag": "The alert's version, for If-Match"}
BULK_ROOM = 512 * 1024
"""Bytes of alerts in an answer to many actions: with the rest of it, less than what is kept for an Idempotency-Key."""
_encode = msgspec.json.Encoder().encode


class _Glance(msgspec.Struct):
    """What an answer's header and metric need of an alert."""

    version: int
    triggered_at: dt.datetime


_glance = msgspec.json.Decoder(_Glance).decode


@resource.operation("GET", "/alerts", role=Role.VIEWER, answer=AlertPage)
async def list_alerts(
    call: Authorized,
    asked: PageAsked,
    framework_id: uuid.UUID | None = None,
    status: Annotated[list[Status] | None, Query(description="One or more")] = None,
    severity: Annotated[list[Severity] | None, Query(description="One or more")] = None,
    alert_type: AlertType | None = None,
    since: Annotated[Moment | None, Query(description="Triggered at this time or later")] = None,
    assigned_to: Annotated[UserId | None, Query(description="The member who is to look after them")] = None,
    q: Annotated[
        str | None, Query(max_length=200, pattern=NO_NUL, description="Part of title, rule name or labels")
    ] = None,
) -> Response:
    """List alerts, the newest first."""
    wanted = alerts_query.Filter(
        framework_id=framework_id,
        statuses=tuple(status or ()),
        severities=tuple(severity or ()),
        alert_type=alert_type,
        since=since,
        assigned_to=assigned_to,
        text=q,
    )
    before = asked.after

    async def load() -> Loaded:
        async with call.transaction() as connection:
            found, position = await alerts_query.page(
                connection, call.workspace_id, wanted, before=before, count=asked.limit + 1
            )
        items, last = cut(found, asked.limit)
        body = _items(map(as_wire, items), cursor_of(last.id if last else None))
        return Loaded(body, position.epoch, position.offset)

    answer = await call.gateway.cache.find(
        call.workspace_id,
        ALERTS,
        f"list {wanted.spelled()} {before} {asked.limit}",
        load,
        facets=facets.needed(framework_id, wanted.severities, wanted.statuses),
    )
    return _at(answer.value, alerts_query.Position(answer.epoch, answer.stamp))


@resource.operation("GET", "/alerts/{alert_id}", role=Role.VIEWER, answer=Alert, headers=ETAG)
async def get_alert(call: Authorized, alert_id: uuid.UUID) -> Response:
    """Get an alert."""
    async with call.transaction() as connection:
        alert = await alerts_query.find(connection, call.workspace_id, alert_id)
    if alert is None:
        raise _absent()
    return _alert(as_wire(alert))


@resource.operation("GET", "/alerts/{alert_id}/timeline", role=Role.VIEWER, answer=TimelinePage)
async def get_alert_timeline(call: Authorized, alert_id: uuid.UUID, asked: PageAsked) -> Response:
    """List what happened with an alert, the oldest first.

    Triggers, decisions with their reasons, notifications, attempts to deliver them, and people's actions.
    """
    async with call.transaction() as connection:
        found, position = await timeline.page(
            connection, call.workspace_id, alert_id, after=asked.after_moment, count=asked.limit + 1
        )
        if not found and await alerts_query.find(connection, call.workspace_id, alert_id) is None:
            raise _absent()
    items, last = cut(found, asked.limit)
    # An entry is a JSON object already; its time is put in front.
    entries = (b'{"at":' + _encode(item.at) + b"," + item.entry[1:].encode() for item in items)
    return _at(_items(entries, moment_cursor_of((last.at, last.id) if last else None)), position)


@resource.operation(
    "POST", "/alerts/{alert_id}/acknowledge", role=Role.RESPONDER, answer=Alert, errors=(409, 412), headers=ETAG
)
async def acknowledge_alert(
    call: Authorized,
    alert_id: uuid.UUID,
    _: Annotated[Acknowledgement | None, Body()] = None,
    if_match: IfMatch = None,
) -> Response:
    """Acknowledge an alert: somebody is on it, and it reminds nobody."""
    now = dt.datetime.now(dt.UTC)
    return await _act(call, alert_id, "acknowledge", acknowledging(call.principal.user_id, now), if_match, now)


@resource.operation(
    "POST", "/alerts/{alert_id}/resolve", role=Role.RESPONDER, answer=Alert, errors=(409, 412), headers=ETAG
)
async def resolve_alert(
    call: Authorized,
    alert_id: uuid.UUID,
    resolution: Annotated[Resolution | None, Body()] = None,
    if_match: IfMatch = None,
) -> Response:
    """Resolve an alert; it stays closed until its condition has cleared once, or its window has ended."""
    now = dt.datetime.now(dt.UTC)
    notes = resolution.notes if resolution else None
    return await _act(call, alert_id, "resolve", resolving(call.principal.user_id, notes, now), if_match, now)


@resource.operation(
    "POST", "/alerts/{alert_id}/snooze", role=Role.RESPONDER, answer=Alert, errors=(409, 412), headers=ETAG
)
async def snooze_alert(call: Authorized, alert_id: uuid.UUID, asked: Snooze, if_match: IfMatch = None) -> Response:
    """Snooze an open alert: nobody is told of it until then, and everybody again if it is still open by that time.

    Another snooze moves its end, and `until` null ends it; so does whoever acknowledges or resolves the alert.
    """
    now = dt.datetime.now(dt.UTC)
    return await _act(call, alert_id, "snooze", snoozing(call.principal.user_id, asked.until, now), if_match, now)


@resource.operation(
    "POST", "/alerts/{alert_id}/assign", role=Role.RESPONDER, answer=Alert, errors=(409, 412), headers=ETAG
)
async def assign_alert(call: Authorized, alert_id: uuid.UUID, asked: Assignment, if_match: IfMatch = None) -> Response:
    """Assign an open alert to a member, who finds that in their inbox; `user_id` null takes it from everybody."""
    now = dt.datetime.now(dt.UTC)
    return await _act(call, alert_id, "assign", assigning(call.principal.user_id, asked.user_id), if_match, now)


@resource.operation(
    "POST", "/alerts/{alert_id}/comment", role=Role.RESPONDER, answer=Alert, errors=(412,), headers=ETAG
)
async def comment_on_alert(call: Authorized, alert_id: uuid.UUID, asked: Comment, if_match: IfMatch = None) -> Response:
    """Comment on an alert, open or resolved: the text is on its timeline, for everybody who looks."""
    now = dt.datetime.now(dt.UTC)
    return await _act(call, alert_id, None, commenting(call.principal.user_id, asked.text), if_match, now)


@resource.operation("GET", "/alerts/{alert_id}/verdicts", role=Role.VIEWER, answer=VerdictPage)
async def list_alert_verdicts(call: Authorized, alert_id: uuid.UUID, asked: PageAsked) -> object:
    """List what people said of an alert: was it useful, or a false alarm?"""
    async with call.transaction() as connection:
        found = await verdicts.page(
            connection, call.workspace_id, alert_id, after=asked.after_text or "", count=asked.limit + 1
        )
        if not found and await alerts_query.find(connection, call.workspace_id, alert_id) is None:
            raise _absent()
    items, last = cut(found, asked.limit)
    return {"items": items, "next_cursor": text_cursor_of(last.user_id if last else None)}


@resource.operation(
    "POST", "/alerts/{alert_id}/verdict", role=Role.RESPONDER, answer=Alert, errors=(409, 412), headers=ETAG
)
async def judge_alert(call: Authorized, alert_id: uuid.UUID, given: VerdictGiven, if_match: IfMatch = None) -> Response:
    """Say whether an alert was useful or a false alarm; one's last word counts, and the statistics tell how often."""
    now = dt.datetime.now(dt.UTC)
    return await _act(call, alert_id, None, judging(call.principal.user_id, given.verdict, now), if_match, now)


@resource.operation("POST", "/alerts/bulk", role=Role.RESPONDER, answer=BulkAnswer)
async def act_on_alerts(call: Authorized, asked: BulkAction) -> Response:
    """Do the same to many alerts at once.

    Each is as it would be alone: done, or refused and left as it was. What is done is done in one transaction, and each
    alert's change is on its timeline, on the live feed and on the audit log.
    """
    now = dt.datetime.now(dt.UTC)
    if wrong := faults(asked, now):
        raise Problems(wrong)
    decide = _decision(asked, call.principal.user_id, now)
    kept = call.keeping(_json)
    done = await asyncio.to_thread(
        partial(
            call.gateway.actions.many,
            call.workspace_id,
            asked.ids,
            decide,
            now=now,
            keep=None if kept is None else lambda connection, done: kept(connection, _outcomes(done)),
        )
    )
    for one in done:
        if one.alert is not None:
            _responded(call, asked.action, _glance(one.alert), now)
    return _json(_outcomes(done))


def _decision(asked: BulkAction, user_id: str, now: dt.datetime) -> Decide:
    match asked.action:
        case "acknowledge":
            return acknowledging(user_id, now)
        case "resolve":
            return resolving(user_id, asked.notes, now)
        case "snooze":
            return snoozing(user_id, asked.until, now)
        case "assign":
            return assigning(user_id, asked.user_id)


async def _act(
    call: Authorized, alert_id: uuid.UUID, action: str | None, decide: Decide, if_match: str | None, now: dt.datetime
) -> Response:
    act = partial(
        call.gateway.actions.one,
        call.workspace_id,
        alert_id,
        decide,
        if_match=version_in(if_match, "an alert"),
        now=now,
        keep=call.keeping(_alert),
    )
    data = await asyncio.to_thread(act)
    glance = _glance(data)
    if action is not None:
        _responded(call, action, glance, now)
    return _versioned(data, glance)


def _responded(call: Authorized, action: str, glance: _Glance, now: dt.datetime) -> None:
    if not of_people(call.workspace_id):
        return
    seconds = max(0.0, (now - glance.triggered_at).total_seconds())
    call.gateway.metrics.alert_response_seconds.labels(action).observe(seconds)


def _outcomes(done: Sequence[Done]) -> bytes:
    """What became of each; the alerts in full as far as the answer's room goes."""
    items: list[bytes] = []
    room = BULK_ROOM
    for one in done:
        alert, problem = b"null", b"null"
        if one.refused is not None:
            problem = bytes(of_error(one.refused).body)
        elif one.alert is not None and len(one.alert) <= room:
            alert = one.alert
            room -= len(alert)
        ok = b"true" if one.refused is None else b"false"
        items.append(b'{"id":"%s","ok":%s,"alert":%s,"problem":%s}' % (str(one.alert_id).encode(), ok, alert, problem))
    return b'{"items":[' + b",".join(items) + b"]}"


def _alert(data: bytes) -> Response:
    return _versioned(data, _glance(data))


def _versioned(data: bytes, glance: _Glance) -> Response:
    return Response(data, media_type=JSON, headers={"ETag": etag(glance.version)})


def _json(data: bytes) -> Response:
    return Response(data, media_type=JSON)


def _items(items: Iterable[bytes], next_cursor: str | None) -> bytes:
    """A page of items that are JSON already, but for where the feed stood."""
    return b'{"items":[' + b",".join(items) + b'],"next_cursor":' + _encode(next_cursor)


def _at(page: bytes, position: alerts_query.Position) -> Response:
    """The page, of that moment."""
    return Response(page + b"," + _encode(position)[1:], media_type=JSON)


def _absent() -> NotFound:
    return NotFound("there is no such alert in this workspace")
