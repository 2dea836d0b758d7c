"""The five services, as this machine runs them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from convex_dev.errors import StartFailed
from convex_dev.ports import Ports
from convex_dev.spec import Spec

WORKERS = ("processor", "notifier", "analytics", "scheduler")
OWNERS = ("analytics", "scheduler")
"""Those that make and drop partitions, and so are given the owner's URL."""


def specs(env: Mapping[str, str], owner_url: str, ports: Ports, gateway_port: int, processors: int) -> list[Spec]:
    """One process of each, `processors` of the processor: processor, processor-2, …"""
    return [
        _gateway(env, ports, gateway_port),
        *(_worker(service, name, env, owner_url, ports, gateway_port) for service, name in _names(processors)),
    ]


def _names(processors: int) -> list[tuple[str, str]]:
    more = [("processor", f"processor-{number}") for number in range(2, processors + 1)]
    return [("processor", "processor"), *more, *((service, service) for service in WORKERS[1:])]


def _gateway(env: Mapping[str, str], ports: Ports, port: int) -> Spec:
    own = {"GATEWAY_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "PROMETHEUS_PORT": str(ports.take("gateway"))}
    return Spec(
        name="gateway",
        argv=(program("convex-gateway"),),
        env={**env, **own},
        port=port,
        probe=f"http://127.0.0.1:{port}/readyz",
    )


def _worker(service: str, name: str, env: Mapping[str, str], owner_url: str, ports: Ports, gateway_port: int) -> Spec:
    port = ports.take(name)
    owner = {"DATABASE_OWNER_URL": owner_url} if service in OWNERS else {}
    return Spec(
        name=name,
        argv=(program(f"convex-{service}"),),
        env={"SELF_AUDIT_URL": f"http://127.0.0.1:{gateway_port}", **env, **owner, "PROMETHEUS_PORT": str(port)},
        port=port,
        probe=f"http://127.0.0.1:{port}/readyz",
    )


def program(name: str) -> str:
    """The console script `name` of this virtual environment."""
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise StartFailed(f"{name} is not installed beside {sys.executable}; run `make setup`")
    return str(path)


def demo(env: Mapping[str, str], home: Path) -> Spec:
    """The process that fills the workspace `demo`; it signs in as a person would, with a token of this instance."""
    return Spec(
        name="demo",
        kind="demo",
        argv=(sys.executable, "-m", "convex_dev.demo", str(home)),
        env=env,
        grace=3.0,
    )
