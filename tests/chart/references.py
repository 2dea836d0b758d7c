"""Whether everything that the chart's objects name is there, and there in time.

Each function gives sentences about what is wrong, and nothing where all is well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.support.manifests import Json, Manifest, Manifests, Pod


def dangling(manifests: Manifests, foreign: frozenset[str] = frozenset()) -> list[str]:
    """References to ConfigMaps, Secrets, ServiceAccounts, Services or workloads that nobody makes.

    `foreign` are the names that the values give as existing already.
    """
    found = []
    for pod in manifests.pods:
        account = pod.spec.get("serviceAccountName", "default")
        if account not in {"default", *foreign} and not manifests.all("ServiceAccount", name=account):
            found.append(f"{pod}: there is no serviceaccount/{account}")
        for kind, name, key in _references(pod):
            if name in foreign:
                continue
            made = manifests.all(kind, name=name)
            if not made:
                found.append(f"{pod}: there is no {kind.lower()}/{name}")
            elif key is not None and key not in made[0].data:
                found.append(f"{pod}: {made[0]} has no {key}")
    for document in (*manifests.all("HorizontalPodAutoscaler"), *manifests.all("ScaledObject")):
        target = document.spec["scaleTargetRef"]
        if not manifests.all(target.get("kind", "Deployment"), name=target["name"]):
            found.append(f"{document}: there is no {target['name']} to scale")
    for document, name, port in _backends(manifests):
        services = manifests.all("Service", name=name)
        if not services or not any(port in {each["port"], each["name"]} for each in services[0].spec["ports"]):
            found.append(f"{document}: there is no service/{name} with the port {port}")
    for document in manifests.all("StatefulSet"):
        if not manifests.all("Service", name=document.spec["serviceName"]):
            found.append(f"{document}: there is no service/{document.spec['serviceName']}")
    return found


def _references(pod: Pod) -> Iterator[tuple[str, str, str | None]]:
    """Kind, name and key of what a pod does not start without."""
    for container in (*pod.init_containers, *pod.containers):
        for source in container.body.get("envFrom") or ():
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in source and not source[field].get("optional"):
                    yield kind, source[field]["name"], None
        for entry in container.body.get("env") or ():
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                reference = (entry.get("valueFrom") or {}).get(field)
                if reference and not reference.get("optional"):
                    yield kind, reference["name"], reference["key"]
    for volume in pod.spec.get("volumes", ()):
        parts = [volume, *(volume.get("projected") or {}).get("sources", ())]
        for part in parts:
            if (source := part.get("configMap")) and not source.get("optional"):
                yield from _keyed("ConfigMap", source["name"], source)
            if (source := part.get("secret")) and not source.get("optional"):
                yield from _keyed("Secret", source.get("secretName", source.get("name")), source)


def _keyed(kind: str, name: str, source: Json) -> Iterator[tuple[str, str, str | None]]:
    yield kind, name, None
    for item in source.get("items") or ():
        yield kind, name, item["key"]


def _backends(manifests: Manifests) -> Iterator[tuple[Manifest, str, Any]]:
    for ingress in manifests.all("Ingress"):
        for rule in ingress.spec["rules"]:
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                yield ingress, service["name"], service["port"].get("name", service["port"].get("number"))
    for route in manifests.all("HTTPRoute"):
        for rule in route.spec["rules"]:
            for backend in rule.get("backendRefs", ()):
                yield route, backend["name"], backend["port"]


def unhooked(manifests: Manifests) -> list[str]:
    """Hooks that stay in the way of their successors, or that need what is made only after them."""
    found = []
    for document in manifests:
        if document.hooks and "helm.sh/hook-delete-policy" not in document.annotations:
            found.append(f"{document}: a hook without a delete policy fails where an earlier one is left")
        pod = document.pod
        if pod is None or not document.hooks & {"pre-install", "pre-upgrade"}:
            continue
        weight = _weight(document)
        needed = {(kind, name) for kind, name, _ in _references(pod)} | {
            ("ServiceAccount", pod.spec.get("serviceAccountName", "default"))
        }
        for kind, name in sorted(needed):
            for made in manifests.all(kind, name=name):
                if not made.hooks >= document.hooks & {"pre-install", "pre-upgrade"} or _weight(made) >= weight:
                    found.append(f"{document}: needs {made}, which is not made before it")
    return found


def _weight(document: Manifest) -> int:
    return int(document.annotations.get("helm.sh/hook-weight", 0))
