"""The checks can fail: each is given the chart with one thing broken, and says what it is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.chart import objects, pods, references, scaling, wiring
from tests.chart.examples import rendered
from tests.chart.network import INTERNET, NEIGHBOUR, OTHER_POD, Peer, allows
from tests.support.manifests import Manifest, Manifests, parsed

Body = dict[str, Any]
GONE = object()
"""Instead of a value: the field is left out."""


@dataclass(frozen=True)
class Added:
    """Instead of a value: one more item of a list."""

    item: Any


STARTS: Mapping[str, Callable[[Body], Body]] = {
    "": lambda body: body,
    "template": lambda body: body["spec"].get("jobTemplate", body)["spec"]["template"],
    "pod": lambda body: STARTS["template"](body)["spec"],
    "container": lambda body: STARTS["pod"](body)["containers"][0],
}


def broken(target: str, path: str, value: Any) -> Manifests:
    """The evaluation with one field of one document changed; the path starts at the document or at one of STARTS."""
    whole = rendered("minimal")
    kind, _, component = target.partition(" ")
    chosen = whole.all(kind, component=component)[0]
    body = copy.deepcopy(dict(chosen.body))
    start, _, rest = path.partition("/")
    *between, last = rest.split("/")
    inner: Any = STARTS[start](body)
    for key in between:
        inner = inner[_key(inner, key)]
    if value is GONE:
        del inner[_key(inner, last)]
    elif isinstance(value, Added):
        inner[last].append(value.item)
    else:
        inner[_key(inner, last)] = value
    return Manifests(tuple(Manifest(body) if each is chosen else each for each in whole), whole.text)


def _key(inner: Any, key: str) -> Any:
    return int(key) if isinstance(inner, list) else key.replace("~", "/")


def more(*texts: str) -> Manifests:
    """The evaluation and some documents more."""
    whole = rendered("minimal")
    return Manifests((*whole.documents, *parsed("\n---\n".join(texts)).documents), whole.text)


D, C = "Deployment gateway", "CronJob job"
LABEL = "app.kubernetes.io~{}"
CASES: dict[str, tuple[Callable[[Manifests], list[str]], str, str, Any, str]] = {
    "root": (pods.unrestricted, D, "pod/securityContext/runAsNonRoot", GONE, "runAsNonRoot"),
    "uid 0": (pods.unrestricted, D, "pod/securityContext/runAsUser", 0, "runs as root"),
    "no seccomp": (pods.unrestricted, "StatefulSet valkey", "pod/securityContext/seccompProfile", GONE, "seccomp"),
    "escalation": (pods.unrestricted, C, "container/securityContext/allowPrivilegeEscalation", GONE, "Escalation"),
    "capabilities": (pods.unrestricted, D, "container/securityContext/capabilities", {"drop": []}, "ALL"),
    "more capabilities": (pods.unrestricted, D, "container/securityContext/capabilities/add", ["SYS_TIME"], "adds"),
    "an init container": (pods.unrestricted, D, "pod/initContainers/0/securityContext", GONE, "wait-for-schema: allow"),
    "the node's files": (pods.unrestricted, D, "pod/volumes", Added({"name": "x", "hostPath": {}}), "hostPath"),
    "the node's network": (pods.unrestricted, D, "pod/hostNetwork", True, "hostNetwork"),
    "a writable root": (pods.careless, D, "container/securityContext/readOnlyRootFilesystem", GONE, "may write"),
    "service links": (pods.careless, D, "pod/enableServiceLinks", GONE, "REDIS_PORT"),
    "no requests": (pods.careless, C, "container/resources/requests", GONE, "requests no CPU"),
    "no memory limit": (pods.careless, C, "container/resources/limits", GONE, "no limit on memory"),
    "latest": (pods.careless, D, "container/image", "ghcr.io/a/b:latest", "may change"),
    "no tag": (pods.careless, D, "container/image", "registry:5000/a/b", "may change"),
    "no command": (pods.careless, D, "container/command", GONE, "no command"),
    "a forgotten volume": (pods.careless, D, "pod/volumes", Added({"name": "x", "emptyDir": {}}), "nothing mounts"),
    "a mount of nothing": (pods.careless, D, "pod/volumes", [], "is no volume"),
    "no probe": (pods.badly_probed, "Deployment scheduler", "container/readinessProbe", GONE, "no readiness probe"),
    "a lost probe": (pods.badly_probed, D, "container/livenessProbe/httpGet/port", "web", "the port web"),
    "a deadly probe": (pods.badly_probed, D, "container/livenessProbe/httpGet/path", "/readyz", "restart nobody"),
    "a hasty probe": (pods.badly_probed, D, "container/livenessProbe/timeoutSeconds", 1, "a second at most"),
    "no grace": (pods.badly_ending, D, "pod/terminationGracePeriodSeconds", 12, "sleeps for"),
    "an endless job": (pods.badly_ending, C, "/spec/jobTemplate/spec/activeDeadlineSeconds", GONE, "activeDeadline"),
    "a restarted job": (pods.badly_ending, C, "pod/restartPolicy", "Always", "Always"),
    "no time to start": (pods.badly_timed, C, "/spec/startingDeadlineSeconds", GONE, "startingDeadlineSeconds"),
    "little time to start": (pods.badly_timed, C, "/spec/startingDeadlineSeconds", 5, "less than a minute"),
    "twice at once": (pods.badly_timed, C, "/spec/concurrencyPolicy", "Allow", "Allow"),
    "the controller's zone": (pods.badly_timed, C, "/spec/timeZone", GONE, "timeZone"),
    "a token": (pods.trusting, D, "pod/automountServiceAccountToken", True, "a token"),
    "another's pods": (
        wiring.misselecting, D, f"/spec/selector/matchLabels/{LABEL.format('component')}", GONE, "selects the pods of",
    ),
    "nobody's pods": (
        wiring.misselecting, D, f"template/metadata/labels/{LABEL.format('instance')}", "x", "does not select its own",
    ),
    "a version in a selector": (
        wiring.misselecting, D, f"/spec/selector/matchLabels/{LABEL.format('version')}", "1", "can never be changed",
    ),
    "a service of no pods": (
        wiring.misselecting, "Service gateway", f"/spec/selector/{LABEL.format('component')}", "x", "no pod",
    ),
    "a service of all pods": (
        wiring.misselecting, "Service gateway", f"/spec/selector/{LABEL.format('component')}", GONE, "selects depl",
    ),
    "a service to no port": (wiring.misselecting, "Service gateway", "/spec/ports/0/targetPort", "web", "goes to web"),
    "no labels": (wiring.unlabelled, "Service gateway", "/metadata/labels", GONE, "has no"),
    "one name twice": (objects.misnamed, "Service gateway", "/metadata/name", "convex-convex-alerts-valkey", "2 times"),
    "a long name": (objects.misnamed, C, "/metadata/name", "x" * 53, "too many"),
    "no such account": (references.dangling, D, "pod/serviceAccountName", "gone", "serviceaccount/gone"),
    "no such key": (references.dangling, "Secret", "/data/redis-url", GONE, "has no redis-url"),
    "no replicas": (scaling.badly_scaled, D, "/spec/replicas", GONE, "nobody says"),
    "all secrets": (
        objects.overreaching, "Role scheduler", "/rules",
        Added({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}), "secrets",
    ),
    "deletion": (objects.overreaching, "Role scheduler", "/rules/2/verbs", ["delete"], "delete"),
    "others' jobs": (objects.overreaching, "Role scheduler", "/rules/1/resourceNames", GONE, "other CronJobs"),
    "another's rights": (
        objects.overreaching, "RoleBinding scheduler", "/subjects/0/name", "convex-convex-alerts-gateway", "gives",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_broken_is_told(case: str) -> None:
    check, target, path, value, told = CASES[case]
    assert check(rendered("minimal")) == []
    found = check(broken(target, path, value))
    assert any(told in problem for problem in found), found


def scaler(kind: str, **fields: Any) -> str:
    target = {"kind": "Deployment", "name": rendered("minimal").one("Deployment", component="gateway").name}
    spec = {"scaleTargetRef": target, **fields}
    return yaml.safe_dump({"apiVersion": "x/v1", "kind": kind, "metadata": {"name": kind.lower()}, "spec": spec})


def test_replicas_beside_an_autoscaler_are_told() -> None:
    found = scaling.badly_scaled(more(scaler("HorizontalPodAutoscaler", minReplicas=2, maxReplicas=3)))
    assert ["has replicas beside" in problem for problem in found] == [True]


def test_two_autoscalers_are_told() -> None:
    both = [scaler("HorizontalPodAutoscaler", minReplicas=2, maxReplicas=3), scaler("ScaledObject", minReplicaCount=1)]
    assert any("is scaled by" in problem for problem in scaling.badly_scaled(more(*both)))


@pytest.mark.parametrize(
    ("component", "budget", "blocks"),
    [
        ("gateway", "maxUnavailable: 1", False),
        ("gateway", "maxUnavailable: 0", True),
        ("gateway", "minAvailable: 2", True),
        ("gateway", "minAvailable: 1", False),
        ("gateway", "minAvailable: 51%", True),
        ("gateway", "maxUnavailable: 25%", False),
        ("processor", "minAvailable: 1", True),
        ("processor", "maxUnavailable: 0", True),
        ("processor", "maxUnavailable: 1", False),
    ],
)
def test_a_budget_that_blocks_drains_is_told(component: str, budget: str, blocks: bool) -> None:
    deployment = rendered("minimal").one("Deployment", component=component)
    assert deployment.spec["replicas"] == (2 if component == "gateway" else 1)
    labels = ", ".join(f"{key}: {value}" for key, value in deployment.spec["selector"]["matchLabels"].items())
    found = scaling.blocking(
        more(f"""
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: budget}}
spec: {{selector: {{matchLabels: {{{labels}}}}}, {budget}}}
""")
    )
    assert bool(found) is blocks, found


def test_an_image_from_elsewhere_is_told() -> None:
    assert any("postgres" in image for image in objects.strays(rendered("minimal"), "ghcr.io"))


def test_a_hook_that_comes_too_early_is_told() -> None:
    whole = more("""
apiVersion: v1
kind: Pod
metadata: {name: early, annotations: {helm.sh/hook: "pre-install,pre-upgrade"}}
spec: {serviceAccountName: late, containers: [{name: x, image: "x:1", envFrom: [{configMapRef: {name: late}}]}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: late}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: late, annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "-1",
  helm.sh/hook-delete-policy: before-hook-creation}}
""")
    found = references.unhooked(whole)
    assert any("without a delete policy" in problem for problem in found)
    assert [problem for problem in found if "late" in problem] == [
        "pod/early: needs configmap/late, which is not made before it"
    ]


POLICIES = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: to-b}
spec:
  podSelector: {matchLabels: {app: b}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app: a}}}], ports: [{port: http}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: from-a}
spec:
  podSelector: {matchLabels: {app: a}}
  policyTypes: [Egress]
  egress:
    - to: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [b]}]}}]
      ports: [{port: 8080}]
    - to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]
      ports: [{port: 400, endPort: 500}]
"""
A, B = Peer("a", {"app": "a"}, "alerting"), Peer("b", {"app": "b"}, "alerting", ports={"http": 8080})


@pytest.mark.parametrize(
    ("source", "target", "port", "protocol", "allowed"),
    [
        (A, B, 8080, "TCP", True),
        (A, B, 8080, "UDP", False),
        (A, B, 9090, "TCP", False),
        (B, A, 8080, "TCP", False),
        (OTHER_POD, B, 8080, "TCP", False),
        (NEIGHBOUR, B, 8080, "TCP", False),
        (INTERNET, B, 8080, "TCP", False),
        (A, INTERNET, 443, "TCP", True),
        (A, INTERNET, 501, "TCP", False),
        (A, Peer("inside", address="10.1.2.3"), 443, "TCP", False),
        (B, INTERNET, 443, "TCP", False),
        (OTHER_POD, INTERNET, 443, "TCP", True),
    ],
)
def test_policies_are_read_as_kubernetes_reads_them(
    source: Peer, target: Peer, port: int, protocol: str, allowed: bool
) -> None:
    assert allows(parsed(POLICIES), source, target, port, protocol) is allowed


def test_without_policies_everything_is_allowed() -> None:
    assert allows(Manifests(()), OTHER_POD, B, 9090)
