"""What every pod of the chart has to keep to: Pod Security "restricted", and what experience adds to it.

Each function gives sentences about what is wrong, and nothing where all is well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.manifests import Container, Manifests, Pod

VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
STORES = frozenset({"postgresql", "valkey", "cache"})
LONG_RUNNING = frozenset({"Deployment", "StatefulSet"})


def unrestricted(manifests: Manifests) -> list[str]:
    """Against Pod Security "restricted", https://kubernetes.io/docs/concepts/security/pod-security-standards/."""
    return [f"{pod}: {problem}" for pod in manifests.pods for problem in _unrestricted(pod)]


def _unrestricted(pod: Pod) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(name):
            yield f"{name} is set"
    for volume in pod.spec.get("volumes", ()):
        kinds = volume.keys() - {"name"}
        if not kinds or not kinds <= VOLUMES:
            yield f"the volume {volume['name']} is of a kind that is not allowed: {sorted(kinds)}"
    whole = pod.spec.get("securityContext") or {}
    for container in _all(pod):
        own = container.body.get("securityContext") or {}
        for problem in _of_container(container, own, whole):
            yield f"{container}: {problem}"


def _of_container(container: Container, own: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[str]:
    if own.get("privileged"):
        yield "is privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        yield "does not drop ALL capabilities"
    if set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}:
        yield "adds capabilities"
    if own.get("runAsNonRoot", whole.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot is not true"
    if 0 in {own.get("runAsUser"), whole.get("runAsUser")}:
        yield "runs as root"
    seccomp = (own.get("seccompProfile") or whole.get("seccompProfile") or {}).get("type")
    if seccomp not in {"RuntimeDefault", "Localhost"}:
        yield f"seccompProfile is {seccomp}"
    if any("hostPort" in port for port in container.body.get("ports", ())):
        yield "takes a port of the node"
    if (own.get("procMount") or "Default") != "Default":
        yield "procMount is not Default"


def careless(manifests: Manifests) -> list[str]:
    """What "restricted" lets pass and a good chart does not do."""
    return [f"{pod}: {problem}" for pod in manifests.pods for problem in _careless(pod)]


def _careless(pod: Pod) -> Iterator[str]:
    if pod.spec.get("enableServiceLinks") is not False:
        yield "enableServiceLinks is not false: a Service named redis would set REDIS_PORT"
    if "serviceAccountName" not in pod.spec:
        yield "names no ServiceAccount"
    mounts_of = {volume["name"]: volume for volume in pod.spec.get("volumes", ())}
    claims = {claim["metadata"]["name"] for claim in pod.owner.spec.get("volumeClaimTemplates", ())}
    mounted = {mount["name"] for container in _all(pod) for mount in container.body.get("volumeMounts", ())}
    if missing := mounted - mounts_of.keys() - claims:
        yield f"mounts what is no volume: {sorted(missing)}"
    if unused := mounts_of.keys() - mounted:
        yield f"has volumes that nothing mounts: {sorted(unused)}"
    names = [container.name for container in _all(pod)]
    if len(set(names)) != len(names):
        yield f"two containers have the same name: {names}"
    for container in _all(pod):
        for problem in _careless_container(pod, container):
            yield f"{container}: {problem}"


def _careless_container(pod: Pod, container: Container) -> Iterator[str]:
    if (container.body.get("securityContext") or {}).get("readOnlyRootFilesystem") is not True:
        yield "may write to its image's file system"
    resources = container.body.get("resources") or {}
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    if not {"cpu", "memory"} <= requests.keys():
        yield "requests no CPU or no memory"
    if "memory" not in limits:
        yield "has no limit on memory"
    if "cpu" in limits and pod.owner.kind == "Deployment":
        yield "has a limit on CPU, which shows as latency"
    image = str(container.body["image"])
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    if "@sha256:" not in image and tag in {"", "latest"}:
        yield f"the image {image} may change under the same name"
    if not container.body.get("command") and pod.owner.component not in STORES:
        yield "has no command of its own"


def badly_probed(manifests: Manifests) -> list[str]:
    """Long-running containers without the probes they need, or with probes that go nowhere."""
    found = []
    for document in manifests:
        if document.kind not in LONG_RUNNING or document.pod is None:
            continue
        container = document.pod.containers[0]
        for kind in ("startup", "readiness", "liveness"):
            probe = container.probe(kind)
            if probe is None:
                found.append(f"{document}: {container} has no {kind} probe")
            elif "httpGet" in probe:
                found += [f"{document}: {kind}: {problem}" for problem in _badly_asked(kind, probe, container)]
    return found


def _badly_asked(kind: str, probe: Mapping[str, Any], container: Container) -> Iterator[str]:
    get = probe["httpGet"]
    if get["port"] not in container.ports:
        yield f"asks the port {get['port']}, which the container does not declare by that name"
    expected = "/readyz" if kind == "readiness" else "/healthz"
    if get["path"] != expected:
        yield f"asks {get['path']} rather than {expected}: a store that is away must restart nobody"
    if probe.get("timeoutSeconds", 1) < 2:
        yield "waits a second at most, which a busy node takes now and then"


def badly_ending(manifests: Manifests) -> list[str]:
    """Pods that are killed before they are done, and Jobs that go on for ever."""
    found = []
    for document in manifests:
        pod = document.pod
        if pod is None:
            continue
        grace = pod.spec.get("terminationGracePeriodSeconds", 30)
        for container in pod.containers:
            sleep = ((container.body.get("lifecycle") or {}).get("preStop") or {}).get("sleep", {}).get("seconds", 0)
            if sleep and grace - sleep < 15:
                found.append(f"{document}: {container} sleeps for {sleep} s of the {grace} s that it has to end")
        if document.kind in {"CronJob", "Job"}:
            spec = document.spec["jobTemplate"]["spec"] if document.kind == "CronJob" else document.spec
            found += [
                f"{document}: has no {limit}"
                for limit in ("activeDeadlineSeconds", "backoffLimit")
                if limit not in spec
            ]
            if pod.spec.get("restartPolicy") not in {"Never", "OnFailure"}:
                found.append(f"{document}: restartPolicy is {pod.spec.get('restartPolicy')}")
    return found


def badly_timed(manifests: Manifests) -> list[str]:
    """CronJobs that would die silently, run twice, or run at a time that depends on where the controller is."""
    wanted = {"concurrencyPolicy": "Forbid", "timeZone": "Etc/UTC"}
    found = []
    for job in manifests.all("CronJob"):
        found += [f"{job}: {key} is {job.spec.get(key)}" for key, value in wanted.items() if job.spec.get(key) != value]
        for key in ("failedJobsHistoryLimit", "startingDeadlineSeconds", "successfulJobsHistoryLimit"):
            if key not in job.spec:
                found.append(f"{job}: has no {key}")
        if job.spec.get("startingDeadlineSeconds", 60) < 60:
            found.append(
                f"{job}: startingDeadlineSeconds is less than a minute, in which the controller looks but six times"
            )
    return found


def trusting(manifests: Manifests) -> list[str]:
    """Pods other than the scheduler's that are given a token of the Kubernetes API."""
    allowing = {
        account.name
        for account in manifests.all("ServiceAccount")
        if account.body.get("automountServiceAccountToken") is not False
    }
    return [
        f"{pod}: is given a token of the Kubernetes API"
        for pod in manifests.pods
        if pod.owner.component != "scheduler"
        and pod.spec.get("automountServiceAccountToken", pod.spec.get("serviceAccountName", "default") in allowing)
    ]


def _all(pod: Pod) -> tuple[Container, ...]:
    return (*pod.init_containers, *pod.containers)
