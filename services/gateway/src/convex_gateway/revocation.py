"""A role that was changed, a member who was removed, a key that was revoked: in force here at once, elsewhere soon.

Other gateways hear of it where they have sockets of the workspace. That is best effort: where Redis is away they find
out when what they remember runs out, within 30 seconds, and their sockets within 60.
"""

from __future__ import annotations

import asyncio

from convex_common.feed import LiveRevocation
from convex_gateway.operations import Call


def tell(call: Call, *user_ids: str) -> None:
    """After the commit: whoever these are, they are looked up anew, their open sockets included."""

    async def told() -> None:
        for user_id in user_ids:
            call.gateway.hub.revoked(call.workspace_id, user_id)
        messages = [LiveRevocation(call.workspace_id, user_id) for user_id in user_ids]
        await asyncio.to_thread(call.gateway.publisher.publish, messages)

    call.after_commit(told)
