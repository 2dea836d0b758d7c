"""How many pods there are: autoscalers, budgets, and what may not be said twice.

Each function gives sentences about what is wrong, and nothing where all is well.
"""

from __future__ import annotations

from tests.chart.wiring import WORKLOADS, selects
from tests.support.manifests import Manifest, Manifests


def badly_scaled(manifests: Manifests) -> list[str]:
    """`replicas` beside an autoscaler, two autoscalers of one Deployment, workers scaled to nothing."""
    targets: dict[str, list[Manifest]] = {}
    for scaler in (*manifests.all("HorizontalPodAutoscaler"), *manifests.all("ScaledObject")):
        targets.setdefault(scaler.spec["scaleTargetRef"]["name"], []).append(scaler)
    found = []
    for name, scalers in targets.items():
        if len(scalers) > 1:
            found.append(f"deployment/{name}: is scaled by {' and '.join(map(str, scalers))}")
        for deployment in manifests.all("Deployment", name=name):
            if "replicas" in deployment.spec:
                found.append(f"{deployment}: has replicas beside {scalers[0]}, which every upgrade would undo")
        least = scalers[0].spec.get("minReplicas", scalers[0].spec.get("minReplicaCount", 0))
        most = scalers[0].spec.get("maxReplicas", scalers[0].spec.get("maxReplicaCount", 0))
        if not 1 <= least <= most:
            found.append(f"{scalers[0]}: from {least} to {most} pods")
    for deployment in manifests.all("Deployment"):
        if deployment.name not in targets and "replicas" not in deployment.spec:
            found.append(f"{deployment}: nobody says how many pods it has")
    return found


def blocking(manifests: Manifests) -> list[str]:
    """PodDisruptionBudgets that let no pod go, so that a node cannot be drained."""
    found = []
    for budget in manifests.all("PodDisruptionBudget"):
        for workload in manifests:
            if workload.kind not in WORKLOADS or not selects(budget.spec["selector"], workload.template.labels):
                continue
            pods = least_pods(manifests, workload)
            away = budget.spec.get("maxUnavailable")
            allowed = (
                _of(away, pods, up=True) if away is not None else pods - _of(budget.spec["minAvailable"], pods, up=True)
            )
            if pods > 1 and allowed < 1:
                found.append(f"{budget}: lets none of the {pods} pods of {workload} go")
            if pods <= 1 and (away is None or allowed < 1):
                found.append(f"{budget}: blocks every drain, {workload} may be down to one pod")
    return found


def least_pods(manifests: Manifests, workload: Manifest) -> int:
    """How few pods a workload may have."""
    for scaler in (*manifests.all("HorizontalPodAutoscaler"), *manifests.all("ScaledObject")):
        if scaler.spec["scaleTargetRef"]["name"] == workload.name:
            return int(scaler.spec.get("minReplicas", scaler.spec.get("minReplicaCount", 0)))
    return int(workload.spec.get("replicas", 1))


def _of(amount: int | str, pods: int, *, up: bool) -> int:
    if isinstance(amount, int):
        return amount
    share = pods * int(amount.removesuffix("%"))
    return -(-share // 100) if up else share // 100
