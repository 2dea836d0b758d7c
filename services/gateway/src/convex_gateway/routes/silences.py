"""Silences: nobody is told of what they fit, which goes on, is seen and is logged all the same."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from convex_common.domain.alert import as_wire
from convex_common.domain.role import Role
from convex_common.domain.silence import Silence as DomainSilence
from convex_common.domain.silence import State
from convex_common.errors import Conflict, Invalid, NotFound, QuotaReached
from convex_common.postgres import alerts_query
from convex_common.postgres import silences as rows
from convex_gateway.operations import Authorized, Resource
from convex_gateway.pagination import PageAsked, cursor_of, cut
from convex_gateway.problems import Problems
from convex_gateway.shapes.silences import (
    Silence,
    SilenceDraft,
    SilenceMatches,
    SilencePage,
    SilencePreview,
    faults,
    matchers_of,
    told,
)

resource = Resource("silences")

SHOWN: Final = 50


@resource.operation("POST", "/silences", role=Role.RESPONDER, answer=Silence, status=201)
async def create_silence(call: Authorized, draft: SilenceDraft) -> object:
    """Make a silence.

    It is in effect at once. Alerts that it fits are shown with `silenced_by` and `silenced_until`; what still fires
    when it ends is told then, once.
    """
    now = dt.datetime.now(dt.UTC)
    if wrong := faults(draft, now):
        raise Problems(wrong)
    silence = DomainSilence(
        id=call.gateway.ids.new(),
        matchers=matchers_of(draft.matchers),
        starts_at=draft.starts_at or now,
        ends_at=draft.ends_at,
        rrule=draft.rrule,
        timezone=draft.timezone,
    )
    try:
        over_at = silence.over_at
    except (ValueError, OverflowError) as error:
        raise Invalid("rrule", str(error)) from None
    if over_at <= now:
        raise Invalid("rrule", "has had its last time")
    async with call.configuring() as connection:
        if await rows.count_unexpired(connection, call.workspace_id, now) >= rows.MOST:
            raise QuotaReached(f"this workspace has {rows.MOST} silences that are not over", cure="expire some")
        made = await rows.create(connection, call.workspace_id, silence, draft.comment, call.principal.user_id)
        due_at = None if silence.span(now) else silence.next_start(now)
        await rows.look_at(connection, call.workspace_id, silence.id, due_at)
        values = draft.model_dump(mode="json")
        await call.audit(connection, "silence.created", f"silence:{silence.id}", **values)
    return told(made, now)


@resource.operation("GET", "/silences", role=Role.VIEWER, answer=SilencePage)
async def list_silences(
    call: Authorized, asked: PageAsked, state: Annotated[State | None, Query(description="All, if absent")] = None
) -> object:
    """List the silences, the newest first; those that are over are kept."""
    now = dt.datetime.now(dt.UTC)
    async with call.transaction() as connection:
        found = await rows.page(connection, call.workspace_id, state, now, before=asked.after, count=asked.limit + 1)
    items, last = cut(found, asked.limit)
    next_cursor = cursor_of(last.silence.id if last else None)
    return {"items": [told(item, now) for item in items], "next_cursor": next_cursor}


@resource.operation("GET", "/silences/{silence_id}", role=Role.VIEWER, answer=Silence)
async def get_silence(call: Authorized, silence_id: uuid.UUID) -> object:
    """Get a silence."""
    async with call.transaction() as connection:
        return told(_found(await rows.find(connection, call.workspace_id, silence_id)), dt.datetime.now(dt.UTC))


@resource.operation("DELETE", "/silences/{silence_id}", role=Role.RESPONDER, status=204, errors=(409,))
async def expire_silence(call: Authorized, silence_id: uuid.UUID) -> None:
    """End a silence now; it is kept as history.

    What still fires is told.
    """
    now = dt.datetime.now(dt.UTC)
    async with call.configuring() as connection:
        stored = _found(await rows.find(connection, call.workspace_id, silence_id))
        if stored.silence.state(now) is State.EXPIRED:
            raise Conflict("the silence is over already")
        await rows.expire(connection, call.workspace_id, silence_id, call.principal.user_id, now)
        await rows.look_at(connection, call.workspace_id, silence_id, None)
        await call.audit(connection, "silence.expired", f"silence:{silence_id}", comment=stored.comment)


@resource.operation("POST", "/silences/preview", role=Role.RESPONDER, answer=SilencePreview)
async def preview_silence(call: Authorized, asked: SilenceMatches) -> Response:
    """Tell which alerts matchers fit: those open now, and how many of the last day."""
    now = dt.datetime.now(dt.UTC)
    if wrong := faults(asked, now):
        raise Problems(wrong)
    silence = DomainSilence(id=uuid.UUID(int=0), matchers=matchers_of(asked.matchers), starts_at=now, ends_at=now)
    async with call.transaction() as connection:
        found = await rows.fitting(connection, call.workspace_id, silence, now)
        shown = await alerts_query.these(connection, call.workspace_id, found.open_ids[:SHOWN])
    body = b'{"open":%d,"alerts":[%s],"last_day":%d,"cut":%s}' % (
        len(found.open_ids),
        b",".join(map(as_wire, shown)),
        found.last_day,
        b"true" if found.cut else b"false",
    )
    return Response(body, media_type="application/json")


def _found(stored: rows.Stored | None) -> rows.Stored:
    if stored is None:
        raise NotFound("there is no such silence in this workspace")
    return stored
