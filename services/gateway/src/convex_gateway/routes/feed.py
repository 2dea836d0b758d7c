"""The live feed by REST, for those whom no WebSocket reaches."""

from __future__ import annotations

import uuid
from typing import Annotated, Final

import msgspec
from fastapi import Query
from starlette.responses import Response

from convex_common.domain.role import Role
from convex_common.errors import Invalid
from convex_gateway.live.history import History
from convex_gateway.live.replays import MAX_SCANNED
from convex_gateway.operations import Authorized, Resource
from convex_gateway.shapes.feed import FeedPage

resource = Resource("alerts")

_MOST: Final = 200


class _Page(msgspec.Struct):
    epoch: uuid.UUID
    offset: int
    recovered: bool
    more: bool
    items: list[msgspec.Raw]


@resource.operation("GET", "/feed", role=Role.VIEWER, answer=FeedPage)
async def read_feed(
    call: Authorized,
    framework_id: uuid.UUID | None = None,
    epoch: Annotated[uuid.UUID | None, Query(description="With `offset`: where the caller stands")] = None,
    offset: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="What came after it is read")] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = _MOST,
) -> Response:
    """Read what came after a position, as the WebSocket would have sent it; without one, where the feed stands.

    `recovered` false: what was missed is too old, or of another epoch; reload by `/alerts`, and go on from here.
    """
    if (epoch is None) is not (offset is None):
        raise Invalid("offset", "goes with epoch", cure="give both of them, or neither")
    history = History(call.gateway.database)
    [standing] = await history.positions([call.workspace_id])
    page = _Page(standing.epoch, standing.offset, recovered=True, more=False, items=[])
    if offset is not None and epoch is not None:
        page.recovered = await _is_there(history, call.workspace_id, page, epoch, offset)
        if page.recovered and offset < standing.offset:
            await _read(history, call.workspace_id, framework_id, page, offset, limit)
    return Response(msgspec.json.encode(page), media_type="application/json", headers={"Cache-Control": "no-store"})


async def _is_there(history: History, workspace_id: uuid.UUID, page: _Page, epoch: uuid.UUID, after: int) -> bool:
    """Whether everything after the position is still to be had."""
    if epoch != page.epoch or after > page.offset or page.offset - after > MAX_SCANNED:
        return False
    return after == page.offset or await history.is_kept(workspace_id, after + 1)


async def _read(
    history: History, workspace_id: uuid.UUID, framework_id: uuid.UUID | None, page: _Page, after: int, limit: int
) -> None:
    """Up to `limit` entries; where there are more, the page ends with its last one."""
    if framework_id is None:
        upto = min(page.offset, after + limit)
        entries = await history.between(workspace_id, after, upto)
        page.more, page.offset = upto < page.offset, upto
    else:
        found = await history.of_framework(workspace_id, framework_id, after, page.offset, limit + 1)
        entries = found[:limit]
        if len(found) > limit:
            page.more, page.offset = True, entries[-1].offset
    page.items = [msgspec.Raw(entry.frame) for entry in entries]
