"""What the Prometheus operator makes of ServiceMonitors, with processes of this machine in place of pods."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.manifests import Json, Manifest, Manifests

SNAKE = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True)
class Process:
    """A process in the place of a pod of a component, and the port that its figures are on."""

    component: str
    number: int
    port: int


@dataclass(frozen=True)
class Endpoint:
    """A port of a Service that a ServiceMonitor points at, down to the container that listens."""

    monitor: Manifest
    service: Manifest
    workload: Manifest
    container: str
    body: Json


def endpoints(manifests: Manifests) -> Iterator[Endpoint]:
    """All that would be scraped. AssertionError where a monitor, or an endpoint of it, finds nothing."""
    for monitor in manifests.all("ServiceMonitor"):
        namespaces = monitor.spec.get("namespaceSelector") or {}
        assert namespaces.get("any") or monitor.namespace in namespaces.get("matchNames", [monitor.namespace])
        services = [one for one in manifests.all("Service") if _selected(monitor.spec["selector"], one.labels)]
        assert services, f"{monitor} selects no Service"
        for body in monitor.spec["endpoints"]:
            found = [
                Endpoint(monitor, service, workload, container, body)
                for service in services
                for workload, container in _listening(manifests, service, body["port"])
            ]
            assert found, f"{monitor}: no Service that it selects has a port {body['port']}"
            yield from found


def scrape_configs(manifests: Manifests, processes: Sequence[Process], *, every: str) -> list[dict[str, Any]]:
    """A job for each endpoint, with the relabelling of the operator and then the monitor's own."""
    configs = []
    for place, endpoint in enumerate(endpoints(manifests)):
        body, component = endpoint.body, endpoint.workload.component
        mine = [process for process in processes if process.component == component]
        assert mine, f"{endpoint.workload}: nothing runs here in its place"
        configs.append(
            {
                "job_name": f"serviceMonitor/{endpoint.monitor.namespace}/{endpoint.monitor.name}/{place}",
                "scrape_interval": every,
                "scrape_timeout": every,
                "metrics_path": body.get("path", "/metrics"),
                "scheme": body.get("scheme", "http"),
                "honor_labels": body.get("honorLabels", False),
                "honor_timestamps": body.get("honorTimestamps", True),
                "params": body.get("params", {}),
                "static_configs": [
                    {"targets": [f"127.0.0.1:{process.port}"], "labels": _discovered(endpoint, process)}
                    for process in mine
                ],
                "relabel_configs": [*_operators(endpoint), *map(_snake, body.get("relabelings", ()))],
                "metric_relabel_configs": [*map(_snake, body.get("metricRelabelings", ()))],
            }
        )
    return configs


def _discovered(endpoint: Endpoint, process: Process) -> dict[str, str]:
    """As Kubernetes' service discovery tells of an address behind a Service."""
    pod = endpoint.workload.pod
    assert pod is not None
    of_service = {f"__meta_kubernetes_service_label_{_plain(k)}": v for k, v in endpoint.service.labels.items()}
    of_pod = {f"__meta_kubernetes_pod_label_{_plain(k)}": v for k, v in pod.labels.items()}
    return {
        **of_service,
        **of_pod,
        "__meta_kubernetes_namespace": endpoint.service.namespace,
        "__meta_kubernetes_service_name": endpoint.service.name,
        "__meta_kubernetes_pod_name": f"{endpoint.workload.name}-{process.number}",
        "__meta_kubernetes_pod_container_name": endpoint.container,
        "__meta_kubernetes_endpoint_port_name": endpoint.body["port"],
    }


def _operators(endpoint: Endpoint) -> list[dict[str, Any]]:
    spec = endpoint.monitor.spec
    taken = {"namespace": "namespace", "service": "service_name", "pod": "pod_name", "container": "pod_container_name"}
    rules: list[dict[str, Any]] = [
        {"source_labels": [f"__meta_kubernetes_{source}"], "target_label": label} for label, source in taken.items()
    ]
    for key, of in (("targetLabels", "service"), ("podTargetLabels", "pod")):
        rules += [_copied(f"__meta_kubernetes_{of}_label_{_plain(k)}", _plain(k)) for k in spec.get(key, ())]
    rules.append({"source_labels": ["__meta_kubernetes_service_name"], "target_label": "job"})
    if label := spec.get("jobLabel"):
        rules.append(_copied(f"__meta_kubernetes_service_label_{_plain(label)}", "job"))
    rules.append({"target_label": "endpoint", "replacement": endpoint.body["port"]})
    return rules


def _copied(source: str, label: str) -> dict[str, Any]:
    return {"source_labels": [source], "target_label": label, "regex": "(.+)", "replacement": "${1}"}


def _listening(manifests: Manifests, service: Manifest, port: str) -> Iterator[tuple[Manifest, str]]:
    """Workloads, each with its container, that a named port of a Service leads to."""
    for offered in service.spec["ports"]:
        if offered.get("name") != port:
            continue
        wanted = offered.get("targetPort", offered["port"])
        for workload in manifests.all("Deployment"):
            pod = workload.pod
            if pod is None or not service.spec["selector"].items() <= pod.labels.items():
                continue
            for container in pod.containers:
                if wanted in container.ports or wanted in container.ports.values():
                    yield workload, container.name


def _selected(selector: Json, labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    for wanted in selector.get("matchExpressions", ()):
        value, among = labels.get(wanted["key"]), wanted.get("values", ())
        holds = {
            "In": value in among,
            "NotIn": value not in among,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not holds[wanted["operator"]]:
            return False
    return True


def _snake(relabeling: Json) -> dict[str, Any]:
    return {SNAKE.sub("_", key).lower(): value for key, value in relabeling.items()}


def _plain(label: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", label)
