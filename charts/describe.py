"""Writes the chart's values.schema.json, and the tables of its README.md, from the comments of values.yaml.

`python charts/describe.py` writes both; with `--check` it only says what is stale, and exits 1. The comments are those
of Bitnami's readme generator: `## @section TITLE`, and above each value `## @param PATH [object] What it is`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

CHART: Final = Path(__file__).parent / "convex-alerts"
TABLES: Final = "## Parameters\n"

Schema = dict[str, Any]

PORT: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 65535}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
POSITIVE: Final[Schema] = {"type": "integer", "minimum": 1}
SECONDS: Final[Schema] = {"type": "number", "exclusiveMinimum": 0}
RATE: Final[Schema] = {"type": "number", "minimum": 0}
STRINGS: Final[Schema] = {"type": "array", "items": {"type": "string", "minLength": 1}}
OBJECTS: Final[Schema] = {"type": "array", "items": {"type": "object"}}
PORTS: Final[Schema] = {"type": "array", "items": PORT}
TEXTS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}
SCALAR: Final[Schema] = {"type": ["string", "number", "boolean"]}
SECRET_KEY: Final[Schema] = {"type": "string", "pattern": r"^[-._a-zA-Z0-9]+$"}
WANTED: Final[Schema] = {"enum": ["auto", True, False, "true", "false"]}
URL: Final[Schema] = {"type": "string", "pattern": r"^(https?://\S+)?$"}
ENVIRONMENT: Final[Schema] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "value": {"type": "string"},
            "valueFrom": {"type": "object"},
        },
    },
}
PULL_SECRETS: Final[Schema] = {
    "type": "array",
    "items": {
        "anyOf": [
            {"type": "string", "minLength": 1},
            {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {"name": {"type": "string"}},
            },
        ]
    },
}
HOSTS: Final[Schema] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["host", "paths"],
        "additionalProperties": False,
        "properties": {
            "host": {"type": "string"},
            "paths": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["path"],
                    "additionalProperties": False,
                    "properties": {
                        "path": {"type": "string", "pattern": "^/"},
                        "pathType": {"enum": ["Prefix", "Exact", "ImplementationSpecific"]},
                    },
                },
            },
        },
    },
}
COMPONENTS: Final = (
    "gateway", "processor", "notifier", "analytics", "scheduler", "job", "migrate", "bootstrap", "postgresql", "valkey",
    "cache", "test",
)  # fmt: skip
EXTRA_RULES: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        name: {"type": "object", "additionalProperties": False, "properties": {"ingress": OBJECTS, "egress": OBJECTS}}
        for name in COMPONENTS
    },
}


def numbers(least: float, most: float, kind: str = "integer") -> Schema:
    """From one number to another."""
    return {"type": kind, "minimum": least, "maximum": most}


def choice(*words: str) -> Schema:
    """One of these words."""
    return {"enum": list(words)}


def nullable(schema: Schema) -> Schema:
    """The same, or nothing."""
    return {**schema, "type": [schema["type"], "null"]}


# By the end of a path, the longest first: what the default's type alone does not say.
RULES: Final[Mapping[str, Schema]] = {
    "global.imagePullSecrets": PULL_SECRETS,
    "imagePullSecrets": PULL_SECRETS,
    "image.digest": {"type": "string", "pattern": "^(sha256:[a-f0-9]{64})?$"},
    "pullPolicy": choice("Always", "IfNotPresent", "Never"),
    "port": PORT,
    "ports": PORTS,
    "smtp.port": nullable(PORT),
    "nodePort": nullable(numbers(1, 65535)),
    "ttlSecondsAfterFinished": nullable(COUNT),
    "fallbackReplicas": nullable(POSITIVE),
    "replicaCount": COUNT,
    "minReplicas": POSITIVE,
    "maxReplicas": POSITIVE,
    "targetBacklog": {"type": "number", "exclusiveMinimum": 0},
    "targetCPUUtilizationPercentage": COUNT,
    "podDisruptionBudget.maxUnavailable": {
        "anyOf": [POSITIVE, {"type": "string", "pattern": "^[1-9][0-9]*%$"}],
    },
    "logLevel": choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    "smtp.tls": choice("starttls", "tls", "none"),
    "migration.mode": choice("auto", "hook", "job"),
    "keda.trigger": choice("postgresql", "prometheus"),
    "keda.fallback.behavior": choice(
        "", "static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"),
    "service.type": choice("ClusterIP", "NodePort", "LoadBalancer"),
    "externalTrafficPolicy": choice("", "Cluster", "Local"),
    "ipFamilyPolicy": choice("", "SingleStack", "PreferDualStack", "RequireDualStack"),
    "serviceMonitor.enabled": WANTED,
    "prometheusRule.enabled": WANTED,
    "interval": {"type": "string", "pattern": "^([0-9]+(ms|[smh]))+$"},
    "scrapeTimeout": {"type": "string", "pattern": "^([0-9]+(ms|[smh]))+$"},
    "tracing.sampler": choice(
        "always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off",
        "parentbased_traceidratio"),
    "tracing.samplerArg": {"type": ["string", "number"]},
    "tracing.endpoint": URL,
    "auth.jwksUrl": URL,
    "auth.oidc.issuer": URL,
    "auth.sessionTtlSeconds": numbers(60, 2_592_000),
    "publicUrl": {"type": "string", "pattern": r"^(https?://[^/?#@\s]+)?$"},
    "queue.prefix": {"type": "string", "pattern": r"^[A-Za-z0-9_.:-]{1,64}$"},
    "bootstrap.workspace": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"},
    "bootstrap.owner": {"type": "string", "minLength": 1, "maxLength": 255},
    "auth.algorithms": {"type": "array", "items": choice(
        "HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA")},
    "auth.oidc.scopes": STRINGS,
    "allowedOrigins": STRINGS,
    "forwardedAllowIps": STRINGS,
    "egressAllow": STRINGS,
    "websocket.server": choice("lean", "uvicorn"),
    "websocket.heartbeatIntervalMs": {"type": "integer", "minimum": 100},
    "websocket.timeoutMs": {"type": "integer", "minimum": 200},
    "websocket.connectRate": RATE,
    "websocket": COUNT,
    "limits.rates.burstSeconds": numbers(0.001, 3600, "number"),
    "limits.rates.signInPerAddress": COUNT,
    "limits.rates": RATE,
    "limits.quotas": COUNT,
    "retention.observationsDays": numbers(1, 36500),
    "retention": numbers(3, 36500),
    "processor.threads": numbers(1, 64),
    "processor.drainers": numbers(1, 16),
    "processor.batch": numbers(1, 5000),
    "notifier.threads": numbers(1, 256),
    "notifier.perTarget": numbers(1, 256),
    "notifier.attemptSeconds": numbers(0.001, 300, "number"),
    "analytics.threads": numbers(1, 32),
    "leaseSeconds": numbers(1, 600, "number"),
    "backoffSeconds": SECONDS,
    "breakerSeconds": SECONDS,
    "preStopSleepSeconds": COUNT,
    "terminationGracePeriodSeconds": COUNT,
    "activeDeadlineSeconds": {"type": "integer", "minimum": 120},
    "startingDeadlineSeconds": {"type": "integer", "minimum": 10},
    "schedule": {"type": "string", "pattern": r"^\S+ \S+ \S+ \S+ \S+$"},
    "config": {"type": "object", "additionalProperties": SCALAR,
               "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}},
    "postgresql.parameters": {"type": "object", "additionalProperties": SCALAR},
    "commonLabels": TEXTS, "commonAnnotations": TEXTS, "podLabels": TEXTS, "podAnnotations": TEXTS,
    "annotations": TEXTS, "labels": TEXTS, "nodeSelector": TEXTS, "extraLabels": TEXTS,
    "resourceAttributes": {"type": "object", "additionalProperties": SCALAR},
    "extraEnv": ENVIRONMENT,
    "ingress.hosts": HOSTS,
    "httpRoute.hostnames": STRINGS,
    "loadBalancerSourceRanges": STRINGS,
    "notifications.except": STRINGS,
    "notifications.except6": STRINGS,
    "prometheusRule.disabled": STRINGS,
    "prometheusRule.overrides": {"type": "object", "additionalProperties": {
        "type": "object", "additionalProperties": False,
        "properties": {"expr": {"type": "string"}, "for": {"type": "string"}, "keep_firing_for": {"type": "string"},
                       "labels": TEXTS, "annotations": TEXTS}}},
    "networkPolicy.extra": EXTRA_RULES,
    "extraConfig": STRINGS,
    "extraObjects": {"type": "array", "items": {"type": ["object", "string"]}},
}  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """A documented value. `kind` is what its comment says in brackets: object, array, or nothing."""

    path: tuple[str, ...]
    kind: str
    text: str
    section: str


class Undescribed(Exception):  # noqa: N818 - as the others of the product
    """values.yaml and its comments do not fit."""


def parameters(text: str) -> Iterator[Parameter]:
    """As the comments have them, in order."""
    section = ""
    for line in text.splitlines():
        if title := re.match(r"\s*## @section (.+)", line):
            section = title.group(1)
        elif found := re.match(r"\s*## @param (\S+) (?:\[(\w+)\] )?(.+)", line):
            path, kind, words = found.groups()
            yield Parameter(tuple(path.split(".")), kind or "", words, section)


def default_of(values: Any, path: tuple[str, ...]) -> Any:
    """The value at a path."""
    for name in path:
        if not isinstance(values, dict) or name not in values:
            raise Undescribed(f"{'.'.join(path)} is described, but not there")
        values = values[name]
    return values


def leaves(
    values: Mapping[str, Any], known: set[tuple[str, ...]], at: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Paths of everything that takes a description: what is described as a whole, and what holds nothing further."""
    for name, value in values.items():
        path = (*at, name)
        if path in known or not isinstance(value, dict) or not value:
            yield path
        else:
            yield from leaves(value, known, path)


def schema_of(parameter: Parameter, default: Any) -> Schema:
    """From the rules, or else the default's type."""
    names = parameter.path
    for length in range(len(names), 0, -1):
        if (rule := RULES.get(".".join(names[-length:]))) is not None:
            return rule
    for length in range(len(names) - 1, 0, -1):
        rule = RULES.get(".".join(names[:length]))
        if rule is not None and "properties" not in rule and isinstance(default, int | float):
            return rule
    if "secretKeys" in names:
        return SECRET_KEY
    if parameter.kind == "object":
        return {"type": "object"}
    if parameter.kind == "array":
        return OBJECTS
    kinds: dict[type, Schema] = {
        bool: {"type": "boolean"},
        int: COUNT,
        float: {"type": "number"},
        str: {"type": "string"},
    }
    if type(default) not in kinds:
        raise Undescribed(f"{'.'.join(names)}: say its kind, [object] or [array], or add a rule")
    return kinds[type(default)]


def schema(text: str) -> str:
    """values.schema.json: nothing that is not described, but under `global`."""
    values = yaml.safe_load(text)
    described = list(parameters(text))
    known = {parameter.path for parameter in described}
    missing = set(leaves(values, known)) - known
    if missing or len(known) != len(described):
        raise Undescribed(f"described once are all but: {sorted('.'.join(path) for path in missing)}")
    root: Schema = {"type": "object", "additionalProperties": False, "properties": {}}
    for parameter in described:
        node = root
        for name in parameter.path[:-1]:
            node = node["properties"].setdefault(
                name, {"type": "object", "additionalProperties": False, "properties": {}}
            )
        found = schema_of(parameter, default_of(values, parameter.path))
        node["properties"][parameter.path[-1]] = {"description": parameter.text, **found}
    own = root["properties"]
    own["global"]["additionalProperties"] = True
    own["enabled"] = {"description": "For a chart that depends on this one: its condition.", "type": "boolean"}
    of_all = {name: rule for name, rule in own["cronJobs"]["properties"].items() if name != "serviceAccount"}
    for job in own["jobs"]["properties"].values():
        job["properties"] = {**of_all, **job["properties"]}
    document = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Convex Alerts", **root}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def tables(text: str) -> str:
    """The README's part: a table for each section."""
    values = yaml.safe_load(text)
    lines: list[str] = []
    section = None
    for parameter in parameters(text):
        if parameter.section != section:
            section = parameter.section
            lines += ["", f"### {section}", "", "| value | what it is | default |", "| --- | --- | --- |"]
        default = json.dumps(default_of(values, parameter.path), ensure_ascii=False)
        shown = f"`{default}`" if len(default) <= 60 else "see values.yaml"
        what = parameter.text.replace("|", "\\|")
        lines.append(f"| `{'.'.join(parameter.path)}` | {what} | {shown.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def main(words: list[str]) -> int:
    """Write, or with --check compare."""
    text = (CHART / "values.yaml").read_text()
    readme = CHART / "README.md"
    kept = readme.read_text().partition(TABLES)[0] if readme.exists() else ""
    wanted = {readme: kept + TABLES + tables(text), CHART / "values.schema.json": schema(text)}
    stale = [path for path, content in wanted.items() if not path.exists() or path.read_text() != content]
    if "--check" in words:
        for path in stale:
            sys.stderr.write(f"{path.name} is stale: run `make chart`\n")
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted[path])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
