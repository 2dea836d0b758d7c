"""What has to be there before a question about it can be answered."""

from __future__ import annotations

import uuid

from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.errors import NotFound
from convex_common.postgres.frameworks import frameworks


async def check_framework(connection: AsyncConnection, workspace_id: uuid.UUID, framework_id: uuid.UUID | None) -> None:
    """NotFound unless the workspace has it; None stands for all of them."""
    if framework_id is not None and await frameworks.missing(connection, workspace_id, {framework_id}):
        raise NotFound("there is no such framework in this workspace")
