"""The schemas that the chart is held against do refuse what a cluster refuses."""

from __future__ import annotations

import pytest
import yaml

from tests.support.schemas import problems

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway, labels: {app: gateway}}
spec:
  selector: {matchLabels: {app: gateway}}
  template:
    metadata: {labels: {app: gateway}}
    spec:
      restartPolicy: Always
      containers:
        - name: gateway
          image: ghcr.io/convex/convex:1.0.0
          ports: [{name: http, containerPort: 8080}]
          env: [{name: LOG_LEVEL, value: INFO}]
          resources: {limits: {memory: 256Mi}}
"""
CRON_JOB = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: cleanup}
spec:
  schedule: "*/5 * * * *"
  timeZone: Etc/UTC
  concurrencyPolicy: Forbid
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: job, image: "x:1"}]}}}}
"""
MONITOR = """
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: gateway}
spec: {selector: {matchLabels: {app: gateway}}, endpoints: [{port: metrics, interval: 30s}]}
"""
RULE = """
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: rules}
spec: {groups: [{name: g, rules: [{alert: A, expr: up == 0, for: 5m, labels: {severity: warning}}]}]}
"""
SCALED = """
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: processor}
spec: {scaleTargetRef: {name: processor}, triggers: [{type: prometheus, metadata: {threshold: "5"}}]}
"""
AUTHENTICATION = """
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata: {name: redis}
spec: {secretTargetRef: [{parameter: password, name: secret, key: password}]}
"""
ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: gateway}
spec: {parentRefs: [{name: in}], hostnames: [alerts.example.com], rules: [{backendRefs: [{name: gw, port: 80}]}]}
"""


@pytest.mark.parametrize("version", ["1.30.0", "1.33.0", "1.37.0"])
@pytest.mark.parametrize("text", [DEPLOYMENT, CRON_JOB, MONITOR, RULE, SCALED, AUTHENTICATION, ROUTE])
def test_what_is_good_passes(text: str, version: str) -> None:
    assert problems(yaml.safe_load(text), version) == []


@pytest.mark.parametrize(
    ("text", "good", "bad", "told"),
    [
        (DEPLOYMENT, "selector:", "selectors:", "'selectors' was unexpected"),
        (DEPLOYMENT, "restartPolicy: Always", "restartPolicy: Sometimes", "spec.template.spec.restartPolicy"),
        (DEPLOYMENT, "containerPort: 8080", 'containerPort: "8080"', "is not of type"),
        (DEPLOYMENT, "containerPort: 8080", "containerPort: 80800", "maximum"),
        (DEPLOYMENT, "value: INFO", "value: 1", "spec.template.spec.containers.0.env.0.value"),
        (DEPLOYMENT, "value: INFO}", "value: a}, {name: LOG_LEVEL, value: b}", "('LOG_LEVEL',) is given twice"),
        (DEPLOYMENT, "256Mi", "256MB", "resources.limits.memory"),
        (DEPLOYMENT, "convex:1.0.0", "convex 1.0.0", "containers.0.image"),
        (DEPLOYMENT, "{name: gateway, labels: {app: gateway}}", "{name: Gateway}", "metadata.name"),
        (DEPLOYMENT, "labels: {app: gateway}}\nspec", "labels: {app: a b}}\nspec", "metadata.labels.app"),
        (DEPLOYMENT, "labels: {app: gateway}}\nspec", "annotations: {a: true}}\nspec", "metadata.annotations.a"),
        (DEPLOYMENT, "labels: {app: gateway}}\nspec", "labels: }\nspec", "metadata.labels: null"),
        (DEPLOYMENT, "apps/v1", "apps/v1beta1", "know no such kind"),
        (CRON_JOB, "Forbid", "Never", "spec.concurrencyPolicy"),
        (CRON_JOB, "*/5 * * * *", "TZ=UTC */5 * * * *", "spec.schedule"),
        (MONITOR, "interval", "intervall", "'intervall' was unexpected"),
        (MONITOR, "30s", "30 s", "spec.endpoints.0"),
        (RULE, "for: 5m", "fore: 5m", "'fore' was unexpected"),
        (RULE, "expr: up == 0, ", "", "expr"),
        (SCALED, '"5"', "5", "spec.triggers.0.metadata.threshold"),
        (SCALED, "triggers:", "trigger:", "'trigger' was unexpected"),
        (AUTHENTICATION, ", key: password", "", "key"),
        (ROUTE, "port: 80", "prot: 80", "'prot' was unexpected"),
        (ROUTE, "alerts.example.com", "alerts.example.com/x", "spec.hostnames.0"),
    ],
)
def test_what_a_cluster_refuses_is_told(text: str, good: str, bad: str, told: str) -> None:
    assert good in text
    found = problems(yaml.safe_load(text.replace(good, bad)), "1.33.0")
    assert any(told in problem for problem in found), found
