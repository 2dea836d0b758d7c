"""What NetworkPolicies let through, as Kubernetes reads them: who may open a connection to whom, on which port."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.chart.wiring import selects
from tests.support.manifests import NAMESPACE, Json, Manifests, Pod


@dataclass(frozen=True)
class Peer:
    """One end of a connection: a pod of some namespace, or an address outside of the cluster."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""
    address: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, pod: Pod) -> Peer:
        """A pod of the chart."""
        ports = {name: number for container in pod.containers for name, number in container.ports.items()}
        return cls(str(pod), pod.labels, NAMESPACE, "", ports)

    @property
    def namespace_labels(self) -> Mapping[str, str]:
        return {"kubernetes.io/metadata.name": self.namespace}

    def __str__(self) -> str:
        return self.name


INTERNET = Peer("the Internet", address="198.51.100.7")
METADATA_SERVICE = Peer("the cloud's metadata service", address="169.254.169.254")
OTHER_POD = Peer("another namespace's pod", {"app": "other"}, "other")
INGRESS_CONTROLLER = Peer("the ingress controller", {"app.kubernetes.io/name": "ingress-nginx"}, "ingress-nginx")
PROMETHEUS = Peer("Prometheus", {"app.kubernetes.io/name": "prometheus"}, "monitoring")
DNS = Peer("the cluster's DNS", {"k8s-app": "kube-dns"}, "kube-system", ports={"dns": 53, "dns-tcp": 53})
NEIGHBOUR = Peer("another pod of the same namespace", {"app": "neighbour"}, NAMESPACE)


def allows(manifests: Manifests, source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
    """Whether `source` may open a connection to `target`: both ends have to agree."""
    return _leaves(manifests, source, target, port, protocol) and _enters(manifests, source, target, port, protocol)


def _leaves(manifests: Manifests, source: Peer, target: Peer, port: int, protocol: str) -> bool:
    rules = _rules(manifests, source, "Egress")
    if rules is None:
        return True
    return any(_matches(rule, "to", target, target, port, protocol) for rule in rules)


def _enters(manifests: Manifests, source: Peer, target: Peer, port: int, protocol: str) -> bool:
    rules = _rules(manifests, target, "Ingress")
    if rules is None:
        return True
    return any(_matches(rule, "from", source, target, port, protocol) for rule in rules)


def _rules(manifests: Manifests, peer: Peer, direction: str) -> list[Json] | None:
    """The rules that together say what a pod may; None where no policy concerns it, so that it may all."""
    if peer.namespace != NAMESPACE:
        return None
    concerning = [
        policy
        for policy in manifests.all("NetworkPolicy")
        if selects(policy.spec["podSelector"], peer.labels) and direction in _types(policy.spec)
    ]
    if not concerning:
        return None
    return [rule for policy in concerning for rule in policy.spec.get(direction.lower()) or ()]


def _types(spec: Json) -> Iterator[str]:
    if "policyTypes" in spec:
        yield from spec["policyTypes"]
        return
    yield "Ingress"
    if "egress" in spec:
        yield "Egress"


def _matches(rule: Json, key: str, peer: Peer, target: Peer, port: int, protocol: str) -> bool:
    peers, ports = rule.get(key), rule.get("ports")
    if peers and not any(_is(each, peer) for each in peers):
        return False
    return not ports or any(_is_port(each, target, port, protocol) for each in ports)


def _is(wanted: Json, peer: Peer) -> bool:
    if "ipBlock" in wanted:
        if not peer.address:
            return False
        address, block = ipaddress.ip_address(peer.address), wanted["ipBlock"]
        inside = address in ipaddress.ip_network(block["cidr"])
        return inside and not any(address in ipaddress.ip_network(cidr) for cidr in block.get("except", ()))
    if not peer.namespace:
        return False
    if "namespaceSelector" in wanted:
        if not selects(wanted["namespaceSelector"], peer.namespace_labels):
            return False
    elif peer.namespace != NAMESPACE:
        return False
    return "podSelector" not in wanted or selects(wanted["podSelector"], peer.labels)


def _is_port(wanted: Json, target: Peer, port: int, protocol: str) -> bool:
    if wanted.get("protocol", "TCP") != protocol:
        return False
    if "port" not in wanted:
        return True
    first = wanted["port"] if isinstance(wanted["port"], int) else target.ports.get(wanted["port"], -1)
    return bool(first <= port <= wanted.get("endPort", first))
