"""API keys on the wire."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated

from pydantic import Field

from convex_common.domain.role import Role, Scope
from convex_gateway.pagination import Page
from convex_gateway.shapes.body import Answer, Body, Moment, Name, patch

Scopes = Annotated[list[Scope], Field(max_length=len(Scope))]


class ApiKeyDraft(Body):
    """A key to be made."""

    name: Name = Field(description="What it is for")
    role: Role = Field(description="Not above your own")
    scopes: Scopes = Field(
        default_factory=list,
        description="What it is for: `ingest` sends, `read` looks and follows live, `respond` acts on alerts, "
        "`configure` changes frameworks, rules and channels, `admin` keys and members. Empty: all that the role may",
    )
    expires_at: Moment | None = Field(default=None, description="When it ends; null: when it is revoked")


@patch
class ApiKeyPatch(Body):
    """What to change; what is left out stays. What a key may is never changed: make another."""

    name: Name


class ApiKey(Answer):
    """A key. Its secret was told when it was made, and is not kept."""

    id: uuid.UUID
    name: str
    prefix: str = Field(description="How its text begins, to know it by")
    role: Role
    scopes: list[Scope]
    created_by: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    last_used_at: dt.datetime | None = Field(description="To the minute")
    revoked_at: dt.datetime | None


class NewApiKey(ApiKey):
    """A key with its text, which is told in this answer and never again."""

    key: str = Field(description="Send it as `Authorization: Bearer cvx_…`")


class ApiKeyPage(Page[ApiKey]):
    """Keys, the oldest first."""
