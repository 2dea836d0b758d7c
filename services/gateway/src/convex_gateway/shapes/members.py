"""Members on the wire."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, Field, StringConstraints

from convex_common.domain.api_key import PRINCIPAL
from convex_common.domain.role import Role
from convex_gateway.pagination import Page
from convex_gateway.problems import NO_NUL
from convex_gateway.shapes.body import Answer, Body, Name, UserId, patch

Email = Annotated[str, StringConstraints(min_length=3, max_length=320, pattern=r"^[^\x00@\s]+@[^\x00@\s]+$")]
MemberId = Annotated[str, Path(min_length=1, max_length=255, pattern=NO_NUL, description="The `sub` of their tokens")]


def _no_key(user_id: str) -> str:
    if user_id.startswith(PRINCIPAL):
        raise ValueError(f"may not start with {PRINCIPAL!r}: so do API keys")
    return user_id


@patch
class MemberPatch(Body):
    """What to change; what is left out stays."""

    role: Role = Field(description="Not above your own")
    name: Name
    email: Email | None = None


class MemberDraft(Body):
    """Somebody who is to belong to the workspace."""

    user_id: Annotated[UserId, AfterValidator(_no_key)] = Field(description="The `sub` of their tokens")
    role: Role = Field(description="Not above your own")
    name: Name | None = Field(default=None, description="What people call them; the user id where it is left out")
    email: Email | None = None


class Member(Answer):
    """Somebody who belongs to the workspace."""

    user_id: str
    role: Role
    name: str
    email: str | None
    created_at: dt.datetime


class MemberPage(Page[Member]):
    """Members, in the order of their user ids."""


class Assignee(Answer):
    """A member, as everybody may know them who assigns alerts."""

    user_id: str
    name: str


class AssigneePage(Page[Assignee]):
    """Members, in the order of their user ids."""
