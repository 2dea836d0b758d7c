"""Schemas of Kubernetes' own kinds and of the operators' kinds, as strict as an API server that refuses unknown fields.

The published schemas leave out what the API server checks in code; what the chart can get wrong of that is added here.
"""

from __future__ import annotations

import functools
import importlib
import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import jsonschema_rs

Json = Mapping[str, Any]
Schema = dict[str, Any]

OPERATORS = {
    ("monitoring.coreos.com/v1", "PrometheusRule"): "cloudcoil.models.prometheus_operator.v1",
    ("monitoring.coreos.com/v1", "ServiceMonitor"): "cloudcoil.models.prometheus_operator.v1",
    ("keda.sh/v1alpha1", "ScaledObject"): "cloudcoil.models.keda.v1alpha1",
    ("keda.sh/v1alpha1", "TriggerAuthentication"): "cloudcoil.models.keda.v1alpha1",
}

_LABEL = r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_DNS_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"
_KEY = rf"^({_SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$"
_PORT = {"minimum": 1, "maximum": 65535}
_PORT_NAME = {"pattern": "^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$"}
_QUANTITY = {"pattern": r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"}

CHECKED_BY_CODE: Mapping[str, Mapping[str, Schema]] = {
    "api.apps.v1.DeploymentStrategy": {"type": {"enum": ["Recreate", "RollingUpdate"]}},
    "api.autoscaling.v2.HPAScalingPolicy": {"type": {"enum": ["Pods", "Percent"]}, "periodSeconds": {"maximum": 1800}},
    "api.autoscaling.v2.HPAScalingRules": {
        "selectPolicy": {"enum": ["Max", "Min", "Disabled"]},
        "stabilizationWindowSeconds": {"minimum": 0, "maximum": 3600},
    },
    "api.autoscaling.v2.MetricSpec": {
        "type": {"enum": ["ContainerResource", "External", "Object", "Pods", "Resource"]}
    },
    "api.autoscaling.v2.MetricTarget": {"type": {"enum": ["AverageValue", "Utilization", "Value"]}},
    "api.batch.v1.CronJobSpec": {
        "concurrencyPolicy": {"enum": ["Allow", "Forbid", "Replace"]},
        "schedule": {"pattern": r"^([-0-9*/,A-Za-z]+ ){4}[-0-9*/,A-Za-z]+$"},  # a TZ= in it is refused
        "timeZone": {"pattern": r"^[A-Za-z_]+(/[A-Za-z_]+)*$"},
    },
    "api.core.v1.Capabilities": {"drop": {"items": {"pattern": "^[A-Z_]+$"}}},
    "api.core.v1.Container": {
        "imagePullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
        "image": {"pattern": r"^[^\s:@/]+(:\d+)?(/[^\s:@/]+)*(:[\w][\w.-]{0,127})?(@sha256:[a-f0-9]{64})?$"},
        "name": {"pattern": f"^{_DNS_LABEL}$"},
    },
    "api.core.v1.ContainerPort": {
        "containerPort": _PORT,
        "name": _PORT_NAME,
        "protocol": {"enum": ["TCP", "UDP", "SCTP"]},
    },
    "api.core.v1.EnvVar": {"name": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}},
    "api.core.v1.HTTPGetAction": {"scheme": {"enum": ["HTTP", "HTTPS"]}, "path": {"pattern": "^/"}},
    "api.core.v1.PodSpec": {
        "dnsPolicy": {"enum": ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]},
        "restartPolicy": {"enum": ["Always", "OnFailure", "Never"]},
    },
    "api.core.v1.SeccompProfile": {"type": {"enum": ["Localhost", "RuntimeDefault", "Unconfined"]}},
    "api.core.v1.ServicePort": {"port": _PORT, "name": _PORT_NAME, "protocol": {"enum": ["TCP", "UDP", "SCTP"]}},
    "api.core.v1.ServiceSpec": {
        "type": {"enum": ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]},
        "sessionAffinity": {"enum": ["ClientIP", "None"]},
    },
    "api.core.v1.TopologySpreadConstraint": {
        "maxSkew": {"minimum": 1},
        "whenUnsatisfiable": {"enum": ["DoNotSchedule", "ScheduleAnyway"]},
    },
    "api.core.v1.VolumeMount": {"mountPath": {"pattern": "^/[^:]*$"}},
    "api.networking.v1.HTTPIngressPath": {"pathType": {"enum": ["Exact", "ImplementationSpecific", "Prefix"]}},
    "api.networking.v1.NetworkPolicyPort": {"protocol": {"enum": ["TCP", "UDP", "SCTP"]}},
    "api.networking.v1.NetworkPolicySpec": {"policyTypes": {"items": {"enum": ["Egress", "Ingress"]}}},
    "api.policy.v1.PodDisruptionBudgetSpec": {
        "unhealthyPodEvictionPolicy": {"enum": ["AlwaysAllow", "IfHealthyBudget"]}
    },
    "apimachinery.pkg.apis.meta.v1.LabelSelector": {
        "matchLabels": {"propertyNames": {"pattern": _KEY}, "additionalProperties": {"pattern": f"^{_LABEL}$"}}
    },
    "apimachinery.pkg.apis.meta.v1.ObjectMeta": {
        "name": {"pattern": f"^{_SUBDOMAIN}$", "maxLength": 253},
        "labels": {
            "propertyNames": {"pattern": _KEY},
            "additionalProperties": {"type": "string", "pattern": f"^{_LABEL}$"},
        },
        "annotations": {"propertyNames": {"pattern": _KEY}, "additionalProperties": {"type": "string"}},
    },
}
"""What a field may hold beyond its type, by definition and field; cut off is `io.k8s.` of the definition's name."""

_ROUTE_MATCH: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "path": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "type": {"enum": ["Exact", "PathPrefix", "RegularExpression"]},
                "value": {"type": "string", "pattern": "^/", "maxLength": 1024},
            },
        },
        "method": {"enum": ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]},
        "headers": {"type": "array", "items": {"type": "object", "required": ["name", "value"]}},
        "queryParams": {"type": "array", "items": {"type": "object", "required": ["name", "value"]}},
    },
}
HTTP_ROUTE: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "gateway.networking.k8s.io/v1"},
        "kind": {"const": "HTTPRoute"},
        "metadata": {"type": "object", "required": ["name"]},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "hostnames": {
                    "type": "array",
                    "maxItems": 16,
                    "items": {"type": "string", "pattern": rf"^(\*\.)?{_SUBDOMAIN}$"},
                },
                "parentRefs": {
                    "type": "array",
                    "maxItems": 32,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["name"],
                        "properties": {
                            "group": {"type": "string"},
                            "kind": {"type": "string"},
                            "name": {"type": "string", "minLength": 1},
                            "namespace": {"type": "string", "pattern": f"^{_DNS_LABEL}$"},
                            "port": {"type": "integer", **_PORT},
                            "sectionName": {"type": "string", "minLength": 1},
                        },
                    },
                },
                "rules": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 16,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            "name": {"type": "string"},
                            "matches": {"type": "array", "maxItems": 64, "items": _ROUTE_MATCH},
                            "filters": {
                                "type": "array",
                                "maxItems": 16,
                                "items": {"type": "object", "required": ["type"]},
                            },
                            "backendRefs": {
                                "type": "array",
                                "maxItems": 16,
                                "items": {
                                    "type": "object",
                                    "additionalProperties": False,
                                    "required": ["name", "port"],
                                    "properties": {
                                        "group": {"type": "string"},
                                        "kind": {"type": "string"},
                                        "name": {"type": "string", "pattern": f"^{_DNS_LABEL}$"},
                                        "namespace": {"type": "string"},
                                        "port": {"type": "integer", **_PORT},
                                        "weight": {"type": "integer", "minimum": 0, "maximum": 1_000_000},
                                    },
                                },
                            },
                            "timeouts": {
                                "type": "object",
                                "additionalProperties": False,
                                "properties": {
                                    name: {"type": "string", "pattern": r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"}
                                    for name in ("request", "backendRequest")
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}
"""What the Gateway API's HTTPRoute may hold as far as a chart has use for it; written here since no package has it."""


def problems(document: Json, kube_version: str) -> list[str]:
    """What a strict API server of that version would say against the document, `path: what`; nothing if it is good."""
    return list(_problems(json.dumps(document, sort_keys=True), ".".join(kube_version.split(".")[:2])))


@functools.cache
def _problems(document: str, version: str) -> tuple[str, ...]:
    body = json.loads(document)
    schema = _schema(body["apiVersion"], body["kind"], version)
    if schema is None:
        return (f"{body['apiVersion']} {body['kind']}: Kubernetes {version} and the operators know no such kind",)
    compiled, raw = schema
    found = [f"{_path(error.instance_path)}: {error.message}" for error in compiled.iter_errors(body)]
    found += [f"{_path(path)}: null, which is better left out" for path in _nulls(body)]
    found += _repeated(raw, body, (), _definitions(version))
    return tuple(found)


def _path(parts: Any) -> str:
    return ".".join(map(str, parts)) or "(root)"


@functools.cache
def _schema(api_version: str, kind: str, version: str) -> tuple[Any, Schema] | None:
    if (api_version, kind) == ("gateway.networking.k8s.io/v1", "HTTPRoute"):
        return jsonschema_rs.Draft202012Validator(HTTP_ROUTE), {}
    if module := OPERATORS.get((api_version, kind)):
        model = getattr(importlib.import_module(module), kind)
        return jsonschema_rs.Draft202012Validator(_closed(model.model_json_schema(by_alias=True))), {}
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    file = _folder(version) / f"{kind.lower()}-{group}.json"
    if not file.is_file():
        return None
    schema = json.loads(file.read_text())
    if schema["properties"]["apiVersion"]["enum"] != [api_version]:
        return None
    return jsonschema_rs.Draft202012Validator(schema, registry=_registry(version)), schema


def _folder(version: str) -> Any:
    return files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}.0-local-strict"


@functools.cache
def _definitions(version: str) -> Schema:
    """By their full names, with what is CHECKED_BY_CODE."""
    definitions: Schema = json.loads((_folder(version) / "_definitions.json").read_text())["$defs"]
    for name, fields in CHECKED_BY_CODE.items():
        properties = definitions[f"io.k8s.{name}"]["properties"]
        for field, more in fields.items():
            properties[field] = {"allOf": [properties[field], more], **_extensions(properties[field])}
    quantity = definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"]
    definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] = {"allOf": [quantity, _QUANTITY]}
    return definitions


def _extensions(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key.startswith("x-kubernetes-") or key == "items"}


@functools.cache
def _registry(version: str) -> Any:
    address = "https://kubernetes.io/api/_definitions.json"
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": address, "$defs": _definitions(version)}
    return jsonschema_rs.Registry([(address, whole)])


def _closed(schema: Any) -> Any:
    """The same with no unknown field anywhere but in objects that are maps, and without its nulls: a null is refused
    anyway, and a choice between something and null tells too little of what is wrong."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("anyOf", [])[1:] == [{"type": "null"}]:
        return _closed(schema["anyOf"][0])
    closed = {key: _closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and schema.get("properties"):
        closed.setdefault("additionalProperties", False)
    return closed


def _nulls(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    pairs = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in pairs:
        if value is None:
            yield (*path, key)
        yield from _nulls(value, (*path, key))


def _repeated(schema: Schema, body: Any, path: tuple[Any, ...], definitions: Schema) -> list[str]:
    """Items of lists that are maps by a key, such as env by name, with a key given twice: server-side apply fails."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    found: list[str] = []
    if isinstance(body, dict):
        for key, value in body.items():
            below = schema.get("properties", {}).get(key)
            if below:
                found += _repeated(below, value, (*path, key), definitions)
    elif isinstance(body, list):
        if keys := schema.get("x-kubernetes-list-map-keys"):
            named = [tuple(item.get(key, "TCP" if key == "protocol" else None) for key in keys) for item in body]
            twice = sorted({str(name) for name in named if named.count(name) > 1})
            found += [f"{_path(path)}: {name} is given twice" for name in twice]
        for index, item in enumerate(body):
            found += _repeated(schema.get("items", {}), item, (*path, index), definitions)
    return found
