"""How the hot routes are described: schemas made from the very types that decode and encode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import cleandoc
from typing import Any, Final

import msgspec

from convex_common.domain.role import Role, Scope
from convex_gateway.idempotency import parameter
from convex_gateway.ingest.alertmanager import MAX_ALERTS, PostableAlert
from convex_gateway.ingest.alertmanager_reads import GettableAlert
from convex_gateway.ingest.endpoint import SENDER
from convex_gateway.ingest.observations import MAX_OBSERVATIONS, Count, Observation
from convex_gateway.ingest.routes import ALERTMANAGER, OBSERVATIONS, TRIGGERS
from convex_gateway.ingest.triggers import MAX_TRIGGERS, Accepted, Trigger
from convex_gateway.operations import MEANINGS, PROBLEM_SCHEMA, ROLE, SCOPE
from convex_gateway.problems import MEDIA_TYPE

_TYPES: Final[Sequence[type[Any]]] = (Trigger, Accepted, Observation, Count, PostableAlert, GettableAlert)
_REFERENCE: Final = "#/components/schemas/{name}"
_AUTHORIZED: Final = (401, 403, 429, 500, 503)
_READING: Final = (400, *_AUTHORIZED)
_TAKING: Final = (400, 401, 403, 409, 413, 415, 422, 429, 500, 503)
_JSON: Final = "application/json"

Schema = Mapping[str, Any]


def _schemas() -> Mapping[str, Schema]:
    _, components = msgspec.json.schema_components(_TYPES, ref_template=_REFERENCE)
    for schema in components.values():
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])
    return components


def _of(item: type[Any]) -> Schema:
    return {"$ref": _REFERENCE.format(name=item.__name__)}


def _list_of(item: type[Any], most: int) -> Schema:
    return {"type": "array", "items": _of(item), "maxItems": most}


def _one_or_many(item: type[Any], most: int) -> Schema:
    return {"oneOf": [_of(item), _list_of(item, most)]}


def _operation(
    name: str,
    summary: str,
    description: str,
    *,
    role: Role,
    answers: Mapping[str, Schema],
    errors: Sequence[int],
    body: Schema | None = None,
    parameters: Sequence[Schema] = (),
) -> Mapping[str, Any]:
    problems = {
        str(code): {"description": MEANINGS[code], "content": {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}}
        for code in errors
    }
    operation: dict[str, Any] = {
        "operationId": name,
        "tags": ["ingest"],
        "summary": summary,
        "description": description,
        "security": [{"bearer": []}],
        ROLE: role.value,
        SCOPE: (Scope.READ if body is None else Scope.INGEST).value,
        "responses": {**answers, **problems},
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": body}}}
    if parameters:
        operation["parameters"] = list(parameters)
    return operation


def _answer(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {_JSON: {"schema": schema}}}


def _probe(name: str, summary: str) -> Mapping[str, Any]:
    text = {"description": "Yes", "content": {"text/plain": {"schema": {"type": "string"}}}}
    return {"operationId": name, "tags": ["ingest"], "summary": summary, "responses": {"200": text}}


def _parameter(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


_TRACE: Final = {
    "name": "traceparent",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "W3C trace context: the events' processing and deliveries join this trace",
}
_SWITCH: Final = {"type": "boolean", "default": True}
_COMMITTED: Final = (
    "Answered after the commit: what was accepted is never lost. A list with a bad item is refused whole"
)
_FILTERS: Final = (
    _parameter(
        "filter",
        {"type": "array", "items": {"type": "string"}},
        'Matchers such as `severity="critical"` or `alertname=~"Disk.*"` (RE2, anchored); all must fit',
    ),
    _parameter("active", _SWITCH, "Open alerts are all active here: `false` asks for none"),
    _parameter("silenced", _SWITCH, "Has no effect: a silence withholds notifications and leaves the alert active"),
    _parameter("inhibited", _SWITCH, "Has no effect"),
    _parameter("unprocessed", _SWITCH, "Has no effect"),
    _parameter("receiver", {"type": "string"}, "A regular expression on the receiver, which is `convex-alerts`"),
)
_STATUS: Final = {
    "type": "object",
    "required": ["cluster", "versionInfo", "config", "uptime"],
    "properties": {
        "cluster": {
            "type": "object",
            "required": ["status"],
            "properties": {
                "status": {"type": "string", "enum": ["disabled"]},
                "peers": {"type": "array", "items": {"type": "object"}},
            },
        },
        "versionInfo": {"type": "object", "additionalProperties": {"type": "string"}},
        "config": {"type": "object", "properties": {"original": {"type": "string"}}},
        "uptime": {"type": "string", "format": "date-time", "description": "When the gateway was started"},
    },
}

PATHS: Final[Mapping[str, Mapping[str, Any]]] = {
    TRIGGERS: {
        "post": _operation(
            "send_triggers",
            "Send triggers",
            f"One, or a list of up to {MAX_TRIGGERS}. The sender vouches for the condition; it is not checked again. "
            f"{_COMMITTED}. Each trigger's rule must exist and be enabled; bodies have 8 MiB at most.",
            role=SENDER,
            body=_one_or_many(Trigger, MAX_TRIGGERS),
            answers={"202": _answer("Accepted", _of(Accepted))},
            errors=_TAKING,
            parameters=[_TRACE, parameter()],
        )
    },
    OBSERVATIONS: {
        "post": _operation(
            "send_observations",
            "Send observations",
            f"One, or a list of up to {MAX_OBSERVATIONS}, in the order of each series. {_COMMITTED}. Each "
            "observation's framework must exist; bodies have 8 MiB at most.",
            role=SENDER,
            body=_one_or_many(Observation, MAX_OBSERVATIONS),
            answers={"202": _answer("Accepted", _of(Count))},
            errors=_TAKING,
            parameters=[_TRACE, parameter()],
        )
    },
    f"{ALERTMANAGER}/api/v2/alerts": {
        "post": _operation(
            "send_alertmanager_alerts",
            "Send alerts as to an Alertmanager",
            "Alertmanager's API v2, for Prometheus (`path_prefix`, `authorization`) and amtool. The same labels and "
            f"`startsAt` again are no new occurrence. {_COMMITTED}.",
            role=SENDER,
            body=_list_of(PostableAlert, MAX_ALERTS),
            answers={"200": {"description": "Accepted"}},
            errors=_TAKING,
            parameters=[_TRACE, parameter()],
        ),
        "get": _operation(
            "list_alertmanager_alerts",
            "The open alerts, as from an Alertmanager",
            "Alerts that Alertmanager's clients sent, by fingerprint; the newest 10,000.",
            role=Role.VIEWER,
            answers={"200": _answer("The alerts", {"type": "array", "items": _of(GettableAlert)})},
            errors=_READING,
            parameters=_FILTERS,
        ),
    },
    f"{ALERTMANAGER}/api/v2/status": {
        "get": _operation(
            "get_alertmanager_status",
            "Who answers, as an Alertmanager tells it",
            "There is no cluster of Alertmanagers behind this, and no configuration of theirs.",
            role=Role.VIEWER,
            answers={"200": _answer("The status", _STATUS)},
            errors=_AUTHORIZED,
        )
    },
    f"{ALERTMANAGER}/-/healthy": {"get": _probe("get_alertmanager_healthy", "Whether it lives, as tools probe it")},
    f"{ALERTMANAGER}/-/ready": {"get": _probe("get_alertmanager_ready", "Whether it takes alerts, as tools probe it")},
}
COMPONENTS: Final[Mapping[str, Mapping[str, Any]]] = {"schemas": _schemas()}
