"""Every operation of the API as it is described, with a request that fits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from convex_common.domain.role import Role, Scope
from convex_gateway.operations import ROLE, SCOPE

Document = Mapping[str, Any]
_PARAMETER: Final = re.compile(r"([\w-]+)/{(\w+)}")


@dataclass(frozen=True)
class Described:
    """One operation: what it takes, and a body that its schema accepts."""

    id: str
    method: str
    path: str
    role: Role
    scope: Scope
    body: Any

    @property
    def parameters(self) -> set[str]:
        """The names in its path: `rule_id`, and `jobs.name` for one that says nothing without its collection."""
        return {_named(found) for found in _PARAMETER.finditer(self.path)}

    def at(self, ids: Mapping[str, str]) -> str:
        """Its address with these ids."""
        return _PARAMETER.sub(lambda found: f"{found[1]}/{quote(ids[_named(found)], safe='')}", self.path)


def _named(found: re.Match[str]) -> str:
    return found[2] if "_" in found[2] else f"{found[1]}.{found[2]}"


def guarded(document: Document) -> list[Described]:
    """Those that take a role: what reads first, what deletes last."""
    found = [
        Described(
            operation["operationId"],
            method.upper(),
            path,
            Role(operation[ROLE]),
            Scope(operation[SCOPE]),
            _body(document, operation),
        )
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if ROLE in operation
    ]
    order = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return sorted(found, key=lambda one: (order.index(one.method), one.path))


def open_to_all(document: Document) -> set[tuple[str, str]]:
    """Those that take none."""
    return {
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if ROLE not in operation
    }


def _body(document: Document, operation: Mapping[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {})
    return sample(document, content["application/json"]["schema"]) if content else None


def sample(document: Document, schema: Mapping[str, Any]) -> Any:
    """The least that a schema accepts."""
    if "$ref" in schema:
        return sample(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for choice in ("oneOf", "anyOf"):
        if choice in schema:
            return sample(document, schema[choice][0])
    if "allOf" in schema:
        return sample(document, schema["allOf"][0])
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {
                name: sample(document, properties[name]) for name in schema.get("required", ()) if name in properties
            }
        case "array":
            return [sample(document, schema["items"])] * max(1, schema.get("minItems", 1))
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case "boolean":
            return True
        case "string":
            return _text(schema)
    return "anything"


def _text(schema: Mapping[str, Any]) -> str:
    match schema.get("format"):
        case "uuid":
            return "00000000-0000-7000-8000-000000000000"
        case "date-time":
            return "2099-01-01T00:00:00Z"
    least: int = schema.get("minLength", 1)
    return "x" * max(1, least)
