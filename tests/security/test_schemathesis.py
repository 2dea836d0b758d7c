"""The API against its own description: every operation, by generated requests, good ones and bad ones.

No 5xx, no status that is not described, answers of the shape that is described, bad input refused, good input taken.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateways import GatewayProcess, gateway_process
from tests.support.postgres import Store
from tests.support.rest import token_of
from tests.support.valkey import Valkey

pytestmark = pytest.mark.timeout(1800)

CONFIG = """
# Some rules are beyond a schema: an id that has to exist, two fields that go together, a key that was used before.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "412", "422", "429", "503"]

# What is too long for a field may be too long for a body first.
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "412", "413", "415", "422", "429", "503"]
"""


@pytest.fixture
def gateway(store: Store, valkey: Valkey, queue_prefix: str) -> Iterator[GatewayProcess]:
    redis = {"REDIS_URL": valkey.url, "QUEUE_PREFIX": queue_prefix}
    with gateway_process(store.url, **redis) as process:
        yield process


def schemathesis(folder: Path, gateway: GatewayProcess, store: Store, *options: str) -> str:
    """What it reports; it fails the test where a check does."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    token = token_of(store.workspace_id, "owner", "owner", exp=2_000_000_000)
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config)),
        *("run", f"{gateway.url}/openapi.json"),
        *("--header", f"Authorization: Bearer {token}", "--checks", "all", "--continue-on-failure", "--no-color"),
        *("--seed", "4", "--suppress-health-check", "all", "--request-timeout", "20", *options),
    ]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    report = ran.stdout + ran.stderr
    assert ran.returncode == 0, report
    return report


def test_every_operation_does_as_it_is_described(tmp_path: Path, gateway: GatewayProcess, store: Store) -> None:
    """Every boundary of every field; of requests at random only two for each operation, of which the other has 200."""
    schemathesis(
        tmp_path, gateway, store, "--max-examples", "2", "--workers", "1", "--phases", "examples,coverage,fuzzing"
    )


@pytest.mark.long
def test_every_operation_does_as_it_is_described_at_length(
    tmp_path: Path, gateway: GatewayProcess, store: Store
) -> None:
    schemathesis(tmp_path, gateway, store, "--max-examples", "200", "--workers", "1")
