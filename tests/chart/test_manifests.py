"""How the tests read manifests: the kubelet's rules for environments, and YAML as strict as the API server's."""

from __future__ import annotations

import pytest
import yaml

from tests.support.manifests import Manifests, Unresolvable, expanded, parsed

POD = """
---
# Source: chart/templates/gateway.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: c-gateway, labels: {app.kubernetes.io/component: gateway}}
spec:
  template:
    metadata: {labels: {app.kubernetes.io/component: gateway}}
    spec:
      containers:
        - name: gateway
          command: [convex-gateway]
          ports: [{name: http, containerPort: 8080}]
          envFrom: %s
          env: %s
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {LOG_LEVEL: INFO, REDIS_HOST: from-the-map}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
data: {password: aHVudGVyMg==}
stringData: {user: app}
"""


def gateway(env: str = "[]", env_from: str = "[]") -> Manifests:
    return parsed(POD % (env_from, env))


def environment(manifests: Manifests, secrets: dict[str, dict[str, str]] | None = None) -> dict[str, str]:
    pod = manifests.one("Deployment", component="gateway").pod
    assert pod is not None
    return manifests.environment(pod, pod.main, secrets)


@pytest.mark.parametrize(
    ("env", "env_from", "seen"),
    [
        pytest.param("[{name: A, value: b}]", "[]", {"A": "b"}, id="a value"),
        pytest.param("[{name: A}]", "[]", {"A": ""}, id="no value is an empty one"),
        pytest.param("[]", "[{configMapRef: {name: settings}}]", {"LOG_LEVEL": "INFO", "REDIS_HOST": "from-the-map"}),
        pytest.param(
            "[{name: REDIS_HOST, value: own}]",
            "[{configMapRef: {name: settings}}]",
            {"LOG_LEVEL": "INFO", "REDIS_HOST": "own"},
            id="env goes before envFrom",
        ),
        pytest.param(
            "[{name: P, valueFrom: {secretKeyRef: {name: keys, key: password}}}, {name: U, value: '$(P)@$(NO)$$(P)'}]",
            "[]",
            {"P": "hunter2", "U": "hunter2@$(NO)$(P)"},
            id="a secret, and what is made of it",
        ),
        pytest.param(
            "[]", "[{prefix: X_, secretRef: {name: keys}}]", {"X_password": "hunter2", "X_user": "app"}, id="prefix"
        ),
        pytest.param(
            "[{name: N, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}]", "[]", {"N": "alerting"}, id="field"
        ),
        pytest.param(
            "[{name: A, valueFrom: {secretKeyRef: {name: gone, key: x, optional: true}}}]", "[]", {}, id="optional"
        ),
    ],
)
def test_an_environment_is_made_as_the_kubelet_makes_it(env: str, env_from: str, seen: dict[str, str]) -> None:
    assert environment(gateway(env, env_from)) == seen


@pytest.mark.parametrize(
    ("env", "env_from"),
    [
        pytest.param("[{name: A, valueFrom: {secretKeyRef: {name: gone, key: x}}}]", "[]", id="no secret"),
        pytest.param("[{name: A, valueFrom: {secretKeyRef: {name: keys, key: x}}}]", "[]", id="no key"),
        pytest.param("[]", "[{configMapRef: {name: gone}}]", id="no map"),
        pytest.param("[{name: A, valueFrom: {fieldRef: {fieldPath: metadata.generation}}}]", "[]", id="no field"),
    ],
)
def test_what_keeps_a_container_from_starting_is_told(env: str, env_from: str) -> None:
    with pytest.raises(Unresolvable):
        environment(gateway(env, env_from))


def test_secrets_of_others_are_given() -> None:
    env = "[{name: A, valueFrom: {secretKeyRef: {name: theirs, key: url}}}]"
    assert environment(gateway(env), {"theirs": {"url": "redis://x"}}) == {"A": "redis://x"}


def test_access_by_kind_component_and_name() -> None:
    manifests = gateway()
    deployment = manifests.one("Deployment")
    assert str(deployment) == "deployment/c-gateway"
    assert deployment.source == "chart/templates/gateway.yaml"
    assert manifests.one("Secret", name="keys").data == {"password": "hunter2", "user": "app"}
    assert [pod.main.ports for pod in manifests.pods] == [{"http": 8080}]
    with pytest.raises(AssertionError, match="0 of Deployment notifier among deployment/c-gateway"):
        manifests.one("Deployment", component="notifier")


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(yaml.YAMLError, match="given twice: \\['a'\\]"):
        parsed("apiVersion: v1\nkind: ConfigMap\ndata: {a: x, a: y}\n")


def test_an_unknown_variable_stays() -> None:
    assert expanded("$(A)-$(B)-$$(A)-$A", {"A": "1"}) == "1-$(B)-$(A)-$A"
