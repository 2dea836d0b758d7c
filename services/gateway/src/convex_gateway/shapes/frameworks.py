"""Frameworks on the wire."""

from __future__ import annotations

import datetime as dt
import uuid

from pydantic import Field

from convex_gateway.pagination import Page
from convex_gateway.shapes.body import Answer, Body, Labels, Name, Words, patch


class FrameworkDraft(Body):
    """A framework to be made."""

    name: Name = Field(description="Unique among the workspace's frameworks")
    description: Words = ""
    labels: Labels = Field(default_factory=dict)


@patch
class FrameworkPatch(FrameworkDraft):
    """What to change; what is left out stays."""


class Framework(Answer):
    """A monitored scope inside the workspace: a product, a campaign, a service."""

    id: uuid.UUID
    name: str
    description: str
    labels: dict[str, str]
    source: str | None = Field(description="The tool whose alerts made it on first use, or null")
    created_at: dt.datetime
    updated_at: dt.datetime


class FrameworkPage(Page[Framework]):
    """Frameworks, the oldest first."""
