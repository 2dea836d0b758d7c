"""The description of the API: what FastAPI knows of the operations, and what plain routes say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from convex_gateway.shapes.problem import Problem

TITLE: Final = "Convex Alerts"
ABOUT: Final = (
    "Observations and other tools' alerts in, notifications that people can trust out. "
    "Lists take `limit` and `cursor`; errors are problem details (RFC 9457)."
)
BEARER: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT or cvx_…",
    "description": "An API key, or a JWT with the claims sub, workspace_id, role, iat, exp, iss and aud",
}
PROBES: Final = {
    path: {
        "get": {
            "operationId": name,
            "tags": ["health"],
            "summary": summary,
            "responses": {
                "200": {"description": "Yes", "content": {"text/plain": {"schema": {"type": "string"}}}},
                **more,
            },
        }
    }
    for path, name, summary, more in (
        ("/healthz", "get_liveness", "Whether the process lives", {}),
        ("/readyz", "get_readiness", "Whether it takes requests", {"503": {"description": "Not yet, or no more"}}),
    )
}


def describe(
    app: FastAPI, version: str, paths: Mapping[str, Mapping[str, Any]], components: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The OpenAPI document; `paths` and `components` are merged in member by member."""
    document = get_openapi(title=TITLE, version=version, description=ABOUT, routes=app.routes)
    _drop_unused_validation_errors(document)
    _, problem = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
    own = {"schemas": problem["$defs"], "securitySchemes": {"bearer": BEARER}}
    for path, item in (*PROBES.items(), *paths.items()):
        document["paths"].setdefault(path, {}).update(item)
    for added in (own, components):
        for kind, members in added.items():
            document.setdefault("components", {}).setdefault(kind, {}).update(members)
    return document


def _drop_unused_validation_errors(document: dict[str, Any]) -> None:
    """FastAPI gives each operation a 422 of its own shape; where ours declare none there is none."""
    for item in document["paths"].values():
        for operation in item.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
