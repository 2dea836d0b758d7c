"""Frameworks: the monitored scopes of a workspace."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import asdict

from sqlalchemy.exc import IntegrityError

from convex_common.domain.audit import differences
from convex_common.domain.role import Role
from convex_common.errors import Conflict, NotFound
from convex_common.postgres import frameworks as rows
from convex_common.postgres.withdrawals import withdraw_framework
from convex_gateway.limits.quotas import Quota
from convex_gateway.operations import Authorized, Resource
from convex_gateway.pagination import PageAsked, cursor_of, cut
from convex_gateway.shapes.body import changes
from convex_gateway.shapes.frameworks import Framework, FrameworkDraft, FrameworkPage, FrameworkPatch

resource = Resource("frameworks")


@resource.operation("POST", "/frameworks", role=Role.EDITOR, answer=Framework, status=201, errors=(409,))
async def create_framework(call: Authorized, draft: FrameworkDraft) -> object:
    """Make a framework."""
    try:
        async with call.configuring() as connection:
            await call.within(Quota.FRAMEWORKS, connection)
            values = draft.model_dump()
            made = await rows.frameworks.create(connection, call.workspace_id, call.gateway.ids.new(), values)
            await call.audit(connection, "framework.created", f"framework:{made.id}", **values)
            return made
    except IntegrityError:
        raise _taken(draft.name) from None


@resource.operation("GET", "/frameworks", role=Role.VIEWER, answer=FrameworkPage)
async def list_frameworks(call: Authorized, asked: PageAsked) -> object:
    """List the frameworks, the oldest first."""
    async with call.transaction() as connection:
        found = await rows.frameworks.page(connection, call.workspace_id, after=asked.after, count=asked.limit + 1)
    items, last = cut(found, asked.limit)
    return {"items": items, "next_cursor": cursor_of(last.id if last else None)}


@resource.operation("GET", "/frameworks/{framework_id}", role=Role.VIEWER, answer=Framework)
async def get_framework(call: Authorized, framework_id: uuid.UUID) -> object:
    """Get a framework."""
    async with call.transaction() as connection:
        return _found(await rows.frameworks.find(connection, call.workspace_id, framework_id))


@resource.operation("PATCH", "/frameworks/{framework_id}", role=Role.EDITOR, answer=Framework, errors=(409,))
async def change_framework(call: Authorized, framework_id: uuid.UUID, patch: FrameworkPatch) -> object:
    """Change a framework."""
    try:
        async with call.configuring() as connection:
            before = _found(await rows.frameworks.find(connection, call.workspace_id, framework_id))
            changed = changes(patch)
            after = _found(await rows.frameworks.change(connection, call.workspace_id, framework_id, changed))
            told = differences(asdict(before), changed)
            await call.audit(connection, "framework.changed", f"framework:{framework_id}", changes=told)
            return after
    except IntegrityError:
        raise _taken(patch.name) from None


@resource.operation("DELETE", "/frameworks/{framework_id}", role=Role.EDITOR, status=204)
async def delete_framework(call: Authorized, framework_id: uuid.UUID) -> None:
    """Delete a framework, and its rules with it; its open alerts are resolved."""
    now = dt.datetime.now(dt.UTC)
    async with call.configuring() as connection:
        framework = _found(await rows.frameworks.find(connection, call.workspace_id, framework_id))
        await rows.frameworks.delete(connection, call.workspace_id, framework_id, now)
        await rows.delete_rules_of(connection, call.workspace_id, framework_id, now)
        await withdraw_framework(connection, call.workspace_id, framework_id)
        await call.audit(connection, "framework.deleted", f"framework:{framework_id}", name=framework.name)


def _found(framework: rows.Framework | None) -> rows.Framework:
    if framework is None:
        raise NotFound("there is no such framework in this workspace")
    return framework


def _taken(name: str) -> Conflict:
    return Conflict(f"name: a framework is called {name!r} already")
