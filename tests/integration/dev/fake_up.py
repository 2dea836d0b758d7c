"""`convex dev up` with real stores and small fake services: `fake_up.py HOME PORT`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from convex_dev.ports import Ports
from convex_dev.spec import Spec
from convex_dev.up import Options, up

SCRIPT = str(Path(__file__).with_name("fake_service.py"))


def fakes(env: Mapping[str, str], owner_url: str, ports: Ports, gateway_port: int, processors: int) -> list[Spec]:
    del owner_url, processors
    return [_fake("gateway", gateway_port, env), _fake("processor", ports.take("processor"), env)]


def _fake(name: str, port: int, env: Mapping[str, str]) -> Spec:
    argv = (sys.executable, SCRIPT, name, str(port))
    return Spec(name=name, argv=argv, env=env, port=port, probe=f"http://127.0.0.1:{port}/readyz")


if __name__ == "__main__":
    sys.exit(up(Options(Path(sys.argv[1]), int(sys.argv[2]), demo=False), dict(os.environ), fakes))
