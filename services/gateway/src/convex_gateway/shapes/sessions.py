"""Signing in and out, and who is signed in."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from convex_common.domain.role import Role
from convex_gateway.problems import NO_NUL
from convex_gateway.shapes.body import Answer, Body
from convex_gateway.shapes.workspace import Workspace
from convex_gateway.tokens import LONGEST_TOKEN


class Way(StrEnum):
    """How a session can begin."""

    TOKEN = "token"  # noqa: S105 - its name
    OIDC = "oidc"


class SignIn(Body):
    """A JWT or an API key, to be exchanged for a session."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TOKEN, pattern=NO_NUL)]


class Switch(Body):
    """The workspace to go on in."""

    workspace_id: uuid.UUID


class SignedIn(Answer):
    """Who is signed in. The role is the lower of what the session began with and what the member has now."""

    user_id: str
    name: str
    email: str | None
    role: Role
    operator: bool
    way: Way
    expires_at: dt.datetime
    csrf_token: str = Field(description="To be sent as X-CSRF-Token with everything that is no GET")
    workspace: Workspace
    workspaces: list[Workspace] = Field(description="Those that the person can switch to, this one among them")


class SessionState(Answer):
    """The browser's session, if there is one, and how one can begin."""

    ways: list[Way]
    session: SignedIn | None
