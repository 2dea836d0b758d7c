"""The audit log: who did what."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from convex_common.domain.role import Role
from convex_common.postgres import audit as rows
from convex_gateway.operations import Authorized, Resource
from convex_gateway.pagination import PageAsked, cut, sequence_cursor_of
from convex_gateway.problems import NO_NUL
from convex_gateway.shapes.audit import AuditPage
from convex_gateway.shapes.body import Moment

resource = Resource("audit")


@resource.operation("GET", "/audit", role=Role.ADMIN, answer=AuditPage)
async def list_audit_records(
    call: Authorized,
    asked: PageAsked,
    actor: Annotated[
        str | None, Query(max_length=300, pattern=NO_NUL, description="A member's user id, or `key:ID` of an API key")
    ] = None,
    action: Annotated[str | None, Query(max_length=100, pattern=NO_NUL, description="As `rule.changed`")] = None,
    subject: Annotated[str | None, Query(max_length=300, pattern=NO_NUL, description="As `rule:ID`")] = None,
    since: Annotated[Moment | None, Query(description="At this time or later")] = None,
    until: Annotated[Moment | None, Query(description="Before this time")] = None,
) -> object:
    """List who did what, the newest first.

    Every change of configuration, credentials and members, and what people did with alerts. What the product did
    with an alert by itself is on the alert's timeline.
    """
    wanted = rows.Filter(actor=actor, action=action, subject=subject, since=since, until=until)
    async with call.transaction() as connection:
        found = await rows.page(
            connection, call.workspace_id, wanted, before=asked.after_sequence, count=asked.limit + 1
        )
    items, last = cut(found, asked.limit)
    return {"items": items, "next_cursor": sequence_cursor_of(last.sequence if last else None)}
