"""The problem details, as OpenAPI describes them."""

from __future__ import annotations

from pydantic import BaseModel, Field


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="Its path: `labels.team`, `matchers[2].value`, `[3].value` in a list")
    message: str


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="A URN that names the kind of problem")
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = Field(description="The fields that are wrong; empty where it is about none")
    instance: str | None = Field(default=None, description="With status 500: the trace id, for the logs")
