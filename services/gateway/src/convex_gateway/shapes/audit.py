"""The audit log as it is told."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, Field

from convex_gateway.shapes.body import Answer


class AuditRecord(Answer):
    """Who did what, and the place of this record in the workspace's chain."""

    sequence: int = Field(description="From 1, without a gap")
    at: dt.datetime
    actor: str = Field(description="A member, or `key:ID` for an API key")
    action: str = Field(description="What was done, as `rule.changed`")
    subject: str = Field(description="To what, as `rule:ID`")
    detail: dict[str, Any] = Field(description="What it was made of or what changed; of a secret only that it changed")
    trace_id: str | None
    previous_hash: str = Field(description="The hash of the record before it; empty for the first")
    hash: str = Field(description="SHA-256 over all of the above and the workspace")


class AuditPage(BaseModel):
    """Records, the newest first."""

    items: list[AuditRecord]
    next_cursor: str | None
