"""A workspace on the wire; the caller's own with what its admins set."""

from __future__ import annotations

import datetime as dt
import uuid

from pydantic import Field

from convex_gateway.shapes.body import Answer, Body, Name, patch
from convex_gateway.shapes.silences import Timezone


class WorkspaceDraft(Body):
    """What an admin may set."""

    name: Name
    timezone: Timezone = Field(description="By whose clock it tells days and hours, such as Europe/Berlin")


@patch
class WorkspacePatch(WorkspaceDraft):
    """What to change; what is left out stays."""


class Workspace(Answer):
    """A workspace, as one tells it from others."""

    id: uuid.UUID
    slug: str = Field(description="As tokens and addresses name it; it does not change")
    name: str


class OwnWorkspace(Workspace):
    """The caller's workspace: whose alerts, rules and members those are."""

    timezone: str = Field(description="By whose clock statistics and patterns tell days and hours")
    created_at: dt.datetime
