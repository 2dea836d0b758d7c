"""Whether the chart's objects find one another: selectors, ports, references, autoscalers, budgets, roles.

Each function gives sentences about what is wrong, and nothing where all is well.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from tests.support.manifests import Json, Manifest, Manifests

SELECTED_BY = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component")
LABELS = (*SELECTED_BY, "app.kubernetes.io/version", "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by")
WORKLOADS = frozenset({"Deployment", "StatefulSet"})


def selects(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector fits; an empty one fits everything, none at all nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_fits(expression, labels) for expression in selector.get("matchExpressions") or ())


def _fits(expression: Json, labels: Mapping[str, str]) -> bool:
    held, values = labels.get(expression["key"]), expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return held in values
        case "NotIn":
            return held not in values
        case "Exists":
            return held is not None
        case "DoesNotExist":
            return held is None
    raise AssertionError(expression)


def unlabelled(manifests: Manifests) -> list[str]:
    """Objects and pods without the labels that people and tools look for."""
    found = []
    for document in manifests:
        if missing := {*LABELS, "helm.sh/chart"} - document.labels.keys():
            found.append(f"{document}: has no {', '.join(sorted(missing))}")
        pod = document.pod
        if pod is not None and document.kind != "Pod" and (missing := set(SELECTED_BY) - pod.labels.keys()):
            found.append(f"{document}: its pods have no {', '.join(sorted(missing))}")
    return found


def misselecting(manifests: Manifests) -> list[str]:
    """Selectors that select no pod or another's, that change with a version, or that overlap."""
    found = []
    workloads = [document for document in manifests if document.kind in WORKLOADS]
    for workload in workloads:
        pod, selector = workload.template, workload.spec["selector"]
        if not selects(selector, pod.labels):
            found.append(f"{workload}: does not select its own pods")
        if extra := (selector.get("matchLabels") or {}).keys() - set(SELECTED_BY):
            found.append(f"{workload}: is selected by {sorted(extra)}, and a selector can never be changed")
        found += [
            f"{workload}: selects the pods of {other}, too"
            for other in manifests
            if other is not workload and (others := other.pod) is not None and selects(selector, others.labels)
        ]
    for document in manifests.all("Service"):
        selector = document.spec.get("selector") or {}
        chosen = [pod for pod in manifests.pods if selects({"matchLabels": selector}, pod.labels)]
        if not selector or len(chosen) != 1:
            found.append(f"{document}: selects {', '.join(map(str, chosen)) or 'no pod'}")
            continue
        ports = {port for container in chosen[0].containers for port in container.ports}
        found += [
            f"{document}: the port {port['name']} goes to {port['targetPort']}, which {chosen[0]} has not"
            for port in document.spec["ports"]
            if port["targetPort"] not in ports
        ]
    for document in (*manifests.all("PodDisruptionBudget"), *_by_pod_selector(manifests)):
        selector = document.spec.get("selector", document.spec.get("podSelector"))
        if not any(selects(selector, pod.labels) for pod in manifests.pods):
            found.append(f"{document}: selects no pod")
    for pod in manifests.pods:
        for constraint in pod.spec.get("topologySpreadConstraints", ()):
            if not selects(constraint.get("labelSelector"), pod.labels):
                found.append(f"{pod}: is not among the pods that it is spread with")
    return found


def _by_pod_selector(manifests: Manifests) -> Iterator[Manifest]:
    return (policy for policy in manifests.all("NetworkPolicy") if policy.spec.get("podSelector"))


def unmonitored(manifests: Manifests) -> list[str]:
    """Services' pods that no ServiceMonitor scrapes, and ServiceMonitors that scrape nothing or something twice."""
    monitors = manifests.all("ServiceMonitor")
    found = []
    scraped: list[str] = []
    for monitor in monitors:
        chosen = [service for service in manifests.all("Service") if selects(monitor.spec["selector"], service.labels)]
        ports = {port["name"] for service in chosen for port in service.spec["ports"]}
        for endpoint in monitor.spec["endpoints"]:
            if endpoint["port"] not in ports:
                found.append(f"{monitor}: no Service that it selects has the port {endpoint['port']}")
            scraped += [
                str(pod)
                for service in chosen
                if endpoint["port"] in {port["name"] for port in service.spec["ports"]}
                for pod in manifests.pods
                if selects({"matchLabels": service.spec["selector"]}, pod.labels)
            ]
    if monitors:
        wanted = sorted(str(each) for each in manifests.all("Deployment"))
        if sorted(scraped) != wanted:
            found.append(f"scraped are {sorted(scraped)}, and there are {wanted}")
    return found


def overlapping(manifests: Manifests) -> list[str]:
    """Deployments that would take each other's pods for their own."""
    return [
        f"{one} and {other}: have the same selector"
        for one, other in itertools.combinations([each for each in manifests if each.kind in WORKLOADS], 2)
        if one.spec["selector"] == other.spec["selector"]
    ]
