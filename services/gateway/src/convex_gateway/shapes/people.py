"""What concerns the caller: who they are, their in-app inbox, what they broadcast."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated

import msgspec
from pydantic import AfterValidator, BaseModel, Field, JsonValue, StringConstraints

from convex_common.domain.role import Role, Scope
from convex_gateway.problems import NO_NUL
from convex_gateway.shapes.alerts import Alert
from convex_gateway.shapes.body import Answer, Body
from convex_gateway.shapes.workspace import Workspace

LONGEST_MESSAGE = 32_768


class OwnKey(Answer):
    """The key that is calling; empty `scopes` are all that its role may."""

    id: uuid.UUID
    prefix: str
    scopes: list[Scope]


class Me(Answer):
    """Who the token is. The role is the lower of the token's and the member's, or the key's own."""

    user_id: str
    name: str
    email: str | None
    role: Role
    operator: bool
    expires_at: dt.datetime | None = Field(description="Null for a key that does not expire")
    api_key: OwnKey | None = Field(description="Null for a person")
    workspace_id: uuid.UUID
    workspace: Workspace


class Notification(Answer):
    """An in-app notification of the caller; `data` is the alert as it was when people were told."""

    id: uuid.UUID
    notification_id: uuid.UUID
    alert_id: uuid.UUID | None
    cause: str
    title: str
    data: Alert
    created_at: dt.datetime
    read_at: dt.datetime | None


class NotificationPage(BaseModel):
    """The caller's in-app notifications, the newest first."""

    items: list[Notification]
    next_cursor: str | None


def _fits(message: JsonValue) -> JsonValue:
    if message is None:
        raise ValueError("is missing")
    if len(msgspec.json.encode(message)) > LONGEST_MESSAGE:
        raise ValueError(f"may have {LONGEST_MESSAGE} bytes of JSON at most")
    return message


class Broadcast(Body):
    """A message to one client, to a framework's subscribers, or (with neither) to the workspace."""

    framework_id: uuid.UUID | None = None
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NO_NUL)] | None = None
    message: Annotated[JsonValue, AfterValidator(_fits)] = Field(description="Any JSON but null, up to 32 KiB")


class BroadcastSent(BaseModel):
    """It was handed to the live feed; who is not connected now will not get it."""

    accepted: int = 1
