"""A gateway process for all of a file's tests: they change nothing, and its database is not there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.gateways import GatewayProcess, gateway_process

LISTED = "https://app.example.com"


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    with gateway_process("postgresql://convex@127.0.0.1:1/none", CORS_ALLOWED_ORIGINS=LISTED) as process:
        yield process
