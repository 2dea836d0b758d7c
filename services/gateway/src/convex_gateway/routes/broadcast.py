"""A person's message to whoever is connected."""

from __future__ import annotations

import asyncio

import msgspec

from convex_common.domain.role import Role
from convex_common.errors import Invalid, StoreUnavailable
from convex_common.feed import LiveBroadcast, message_frame
from convex_common.postgres.frameworks import frameworks
from convex_gateway.operations import Authorized, Call, Resource
from convex_gateway.shapes.people import Broadcast, BroadcastSent

resource = Resource("broadcast")


@resource.operation("POST", "/broadcast", role=Role.EDITOR, answer=BroadcastSent, status=202)
async def broadcast(call: Authorized, draft: Broadcast) -> object:
    """Send a `message` frame to one client, a framework's subscribers, or the workspace."""
    if draft.framework_id is not None and draft.client_id is not None:
        raise Invalid("client_id", "does not go with framework_id", cure="give one of them, or neither")
    encoded = msgspec.json.encode(draft.message)
    async with call.transaction() as connection:
        if draft.framework_id is not None and await frameworks.missing(
            connection, call.workspace_id, {draft.framework_id}
        ):
            raise Invalid("framework_id", "there is no such framework in this workspace")
        await call.audit(connection, "broadcast.sent", _audience(draft, call), bytes=len(encoded))
    frame = message_frame(encoded)
    message = LiveBroadcast(call.workspace_id, draft.framework_id, draft.client_id, frame)
    if not await asyncio.to_thread(call.gateway.publisher.publish, [message]):
        raise StoreUnavailable("the live feed is away")
    return BroadcastSent()


def _audience(draft: Broadcast, call: Call) -> str:
    if draft.client_id is not None:
        return f"client:{draft.client_id}"
    return f"framework:{draft.framework_id}" if draft.framework_id else f"workspace:{call.workspace_id}"
