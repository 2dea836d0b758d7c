"""The rendered chart: what `helm template` makes of it, parsed strictly, and what its containers would see."""

from __future__ import annotations

import base64
import functools
import json
import re
import subprocess
import tempfile
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.helm import program_or_skip

CHART = Path(__file__).resolve().parent.parent.parent / "charts" / "convex-alerts"
RELEASE, NAMESPACE = "convex", "alerting"
KUBE_VERSION = "1.33.0"

CUSTOM_RESOURCES = (
    "gateway.networking.k8s.io/v1/HTTPRoute",
    "keda.sh/v1alpha1/ScaledObject",
    "keda.sh/v1alpha1/TriggerAuthentication",
    "monitoring.coreos.com/v1/PrometheusRule",
    "monitoring.coreos.com/v1/ServiceMonitor",
)
"""Capabilities of a cluster that has every operator which the chart knows; with their groups, as Helm lists both."""

OPERATORS = tuple(sorted({kind.rpartition("/")[0] for kind in CUSTOM_RESOURCES} | set(CUSTOM_RESOURCES)))

Json = Mapping[str, Any]


class Refused(Exception):  # noqa: N818 - reads as an outcome
    """Helm did not render the chart; the message is what a person would read."""


class Unresolvable(Exception):  # noqa: N818 - reads as a state
    """A container would not start: what it refers to is not there."""


@dataclass(frozen=True)
class Container:
    """A container of a pod, with what is asked of it most."""

    body: Json
    init: bool = False

    @property
    def name(self) -> str:
        return str(self.body["name"])

    @property
    def argv(self) -> list[str]:
        return [*self.body.get("command", ()), *self.body.get("args", ())]

    @property
    def ports(self) -> dict[str, int]:
        """Declared ports by their names."""
        return {port["name"]: int(port["containerPort"]) for port in self.body.get("ports", ())}

    def probe(self, kind: str) -> Json | None:
        """`startup`, `readiness` or `liveness`."""
        found: Json | None = self.body.get(f"{kind}Probe")
        return found

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Pod:
    """A pod template, or a pod of its own such as a test."""

    body: Json
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    owner: Manifest

    @property
    def spec(self) -> Json:
        found: Json = self.body["spec"]
        return found

    @property
    def containers(self) -> tuple[Container, ...]:
        return tuple(Container(body) for body in self.spec["containers"])

    @property
    def init_containers(self) -> tuple[Container, ...]:
        return tuple(Container(body, init=True) for body in self.spec.get("initContainers", ()))

    @property
    def main(self) -> Container:
        """The container, where it has but one."""
        (container,) = self.containers
        return container

    def __str__(self) -> str:
        return str(self.owner)


@dataclass(frozen=True)
class Manifest:
    """One document. Printed as kubectl does: `deployment/convex-gateway`."""

    body: Json
    source: str = ""

    @property
    def api_version(self) -> str:
        return str(self.body["apiVersion"])

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.body["metadata"].get("namespace", NAMESPACE))

    @property
    def labels(self) -> Mapping[str, str]:
        return self.body["metadata"].get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.body["metadata"].get("annotations") or {}

    @property
    def component(self) -> str:
        """Its `app.kubernetes.io/component`, or nothing."""
        return self.labels.get("app.kubernetes.io/component", "")

    @property
    def spec(self) -> Json:
        found: Json = self.body["spec"]
        return found

    @property
    def hooks(self) -> frozenset[str]:
        """The Helm hooks that it is, such as `test` or `pre-install`; none for most."""
        return frozenset(filter(None, self.annotations.get("helm.sh/hook", "").split(",")))

    @property
    def pod(self) -> Pod | None:
        """The pods that it makes."""
        match self.kind:
            case "Pod":
                body = self.body
            case "Deployment" | "StatefulSet" | "DaemonSet" | "Job":
                body = self.spec["template"]
            case "CronJob":
                body = self.spec["jobTemplate"]["spec"]["template"]
            case _:
                return None
        metadata = body.get("metadata") or {}
        return Pod(body, metadata.get("labels") or {}, metadata.get("annotations") or {}, self)

    @property
    def template(self) -> Pod:
        """The same of what surely makes some."""
        assert self.pod is not None, f"{self} makes no pods"
        return self.pod

    @property
    def data(self) -> dict[str, str]:
        """The text of a ConfigMap or a Secret, decoded."""
        encoded = self.body.get("data") or {}
        if self.kind == "Secret":
            decoded = {key: base64.b64decode(value, validate=True).decode() for key, value in encoded.items()}
            return {**decoded, **(self.body.get("stringData") or {})}
        return dict(encoded)

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}"


@dataclass(frozen=True)
class Manifests:
    """Every document of one rendering, in Helm's order."""

    documents: tuple[Manifest, ...]
    text: str = field(default="", repr=False)

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self.documents)

    def all(self, kind: str = "", *, component: str = "", name: str = "") -> tuple[Manifest, ...]:
        """Those of a kind, of a component, of a name."""
        return tuple(
            document
            for document in self
            if kind in {"", document.kind} and component in {"", document.component} and name in {"", document.name}
        )

    def one(self, kind: str, *, component: str = "", name: str = "") -> Manifest:
        """The only one; AssertionError names what there is instead."""
        found = self.all(kind, component=component, name=name)
        asked = f"{kind} {component or name}".strip()
        assert len(found) == 1, f"{len(found)} of {asked} among {', '.join(map(str, self.all(kind)))}"
        return found[0]

    @property
    def pods(self) -> tuple[Pod, ...]:
        """Every pod template, hooks and tests included."""
        return tuple(pod for document in self if (pod := document.pod) is not None)

    def environment(
        self, pod: Pod, container: Container, secrets: Mapping[str, Mapping[str, str]] | None = None
    ) -> dict[str, str]:
        """What the container's process would see, as the kubelet makes it.

        `secrets` are those that the chart refers to and does not make. Raises Unresolvable for what would keep the
        container from starting.
        """
        found: dict[str, str] = {}
        for source in container.body.get("envFrom") or ():
            found |= self._from_whole(source, secrets or {})
        for entry in container.body.get("env") or ():
            value = entry.get("value", "") if "valueFrom" not in entry else self._from_key(pod, entry, secrets or {})
            if value is not None:
                found[entry["name"]] = expanded(value, found)
        return found

    def _from_whole(self, source: Json, secrets: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        (kind,) = [kind for kind in ("configMapRef", "secretRef") if kind in source]
        reference = source[kind]
        data = self._data(kind, reference["name"], secrets)
        if data is None:
            if reference.get("optional"):
                return {}
            raise Unresolvable(f"envFrom: there is no {kind} {reference['name']}")
        prefix = source.get("prefix", "")
        return {f"{prefix}{key}": value for key, value in data.items()}

    def _from_key(self, pod: Pod, entry: Json, secrets: Mapping[str, Mapping[str, str]]) -> str | None:
        source = entry["valueFrom"]
        if "fieldRef" in source:
            return _field(pod, source["fieldRef"]["fieldPath"])
        if "resourceFieldRef" in source:
            return "1"
        (kind,) = [kind for kind in ("configMapKeyRef", "secretKeyRef") if kind in source]
        reference = source[kind]
        data = self._data(kind, reference["name"], secrets)
        if data is None or reference["key"] not in data:
            if reference.get("optional"):
                return None
            raise Unresolvable(f"{entry['name']}: {kind} {reference['name']} has no {reference['key']}")
        return data[reference["key"]]

    def _data(self, kind: str, name: str, secrets: Mapping[str, Mapping[str, str]]) -> Mapping[str, str] | None:
        made = self.all("ConfigMap" if kind.startswith("configMap") else "Secret", name=name)
        if made:
            return made[0].data
        return secrets.get(name) if kind.startswith("secret") else None


def _field(pod: Pod, path: str) -> str:
    if match := re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path):
        held = pod.labels if match.group(1) == "labels" else pod.annotations
        return held.get(match.group(2), "")
    faked: dict[str, str] = {
        "metadata.name": f"{pod.owner.name}-abcde",
        "metadata.namespace": NAMESPACE,
        "metadata.uid": "0a1b2c3d-0000-4000-8000-000000000000",
        "spec.nodeName": "node-1",
        "spec.serviceAccountName": pod.spec.get("serviceAccountName", "default"),
        "status.podIP": "127.0.0.1",
        "status.hostIP": "127.0.0.1",
    }
    if path not in faked:
        raise Unresolvable(f"fieldRef {path} is no field that the downward API has")
    return faked[path]


def expanded(text: str, known: Mapping[str, str]) -> str:
    """`$(NAME)` as Kubernetes replaces it in values, commands and arguments; `$$` is a dollar, the unknown stays."""

    def replaced(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        return known.get(match.group(1), str(match.group()))

    return re.sub(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)", replaced, text)


class _StrictLoader(yaml.CSafeLoader):
    """Refuses what the API server refuses and YAML parsers usually let pass: a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise yaml.constructor.ConstructorError(None, None, f"given twice: {sorted(twice)}", node.start_mark)
        return super().construct_mapping(node, deep)


def parsed(text: str) -> Manifests:
    """The documents of a stream that `helm template` printed; of a `List`, its items."""
    documents: list[Manifest] = []
    for part in re.split(r"^---\s*$", text, flags=re.MULTILINE):
        body = yaml.load(part, _StrictLoader)
        if body is None:
            continue
        source = re.search(r"^# Source: (.+)$", part, re.MULTILINE)
        bodies = body["items"] if body["kind"] == "List" else [body]
        documents += (Manifest(each, source.group(1) if source else "") for each in bodies)
    return Manifests(tuple(documents), text)


def helm(*arguments: str | Path, timeout: float = 60) -> str:
    """What helm prints; Refused with what it says on stderr."""
    done = subprocess.run(
        [program_or_skip("helm"), *arguments], check=False, capture_output=True, text=True, timeout=timeout
    )
    if done.returncode != 0:
        raise Refused(f"{done.stderr}{done.stdout}".strip())
    return done.stdout


def render(
    values_files: Sequence[Path] = (),
    *,
    values: Json | None = None,
    kube_version: str = KUBE_VERSION,
    api_versions: Sequence[str] = (),
    release: str = RELEASE,
    chart: Path = CHART,
) -> Manifests:
    """The chart as `helm template` renders it, hooks and tests included; `values` go above the files. Cached."""
    return _rendered(tuple(values_files), json.dumps(values or {}), kube_version, tuple(api_versions), release, chart)


@functools.cache
def _rendered(
    values_files: tuple[Path, ...],
    values: str,
    kube_version: str,
    api_versions: tuple[str, ...],
    release: str,
    chart: Path,
) -> Manifests:
    return parsed(template(values_files, json.loads(values), kube_version, api_versions, release, chart))


def template(
    values_files: Sequence[Path] = (),
    values: Json | None = None,
    kube_version: str = KUBE_VERSION,
    api_versions: Sequence[str] = (),
    release: str = RELEASE,
    chart: Path = CHART,
) -> str:
    """What `helm template` prints, rendered anew."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as above:
        json.dump(values or {}, above)
        above.flush()
        return helm(
            *("template", release, chart, "--namespace", NAMESPACE, "--kube-version", kube_version),
            *(argument for file in (*values_files, Path(above.name)) for argument in ("--values", file)),
            *(argument for version in api_versions for argument in ("--api-versions", version)),
        )


def values_files(chart: Path = CHART) -> list[Path]:
    """The chart's own examples, which CI installs: ci/*-values.yaml."""
    return sorted((chart / "ci").glob("*-values.yaml"))
