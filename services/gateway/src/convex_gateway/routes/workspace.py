"""The caller's workspace: its name, and by whose clock it tells days."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

from convex_common.domain.audit import differences
from convex_common.domain.role import Role
from convex_common.postgres import workspaces
from convex_common.postgres.positions import raise_by_gateway
from convex_common.redis.cache.classes import STATISTICS
from convex_gateway.operations import Authorized, Resource
from convex_gateway.shapes.body import changes
from convex_gateway.shapes.workspace import OwnWorkspace, WorkspacePatch

resource = Resource("workspace")


@resource.operation("GET", "/workspace", role=Role.VIEWER, answer=OwnWorkspace)
async def get_workspace(call: Authorized) -> object:
    """Get the caller's workspace."""
    async with call.transaction() as connection:
        return await workspaces.get(connection, call.workspace_id)


@resource.operation("PATCH", "/workspace", role=Role.ADMIN, answer=OwnWorkspace)
async def change_workspace(call: Authorized, patch: WorkspacePatch) -> object:
    """Change the workspace's name or timezone.

    Statistics are those of the new timezone's days at once, for the past as well; patterns with their next detection.
    """
    async with call.transaction() as connection:
        before = await workspaces.get(connection, call.workspace_id, to_change=True)
        told = differences(asdict(before), changes(patch))
        if not told:
            return before
        after = await workspaces.change(connection, call.workspace_id, changes(patch))
        if after.timezone != before.timezone:
            version = await raise_by_gateway(connection, call.workspace_id, STATISTICS.name)
            call.after_commit(partial(call.gateway.cache.changed, call.workspace_id, STATISTICS, version))
        await call.audit(connection, "workspace.changed", f"workspace:{before.id}", changes=told)
        return after
