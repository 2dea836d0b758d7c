"""The fixtures of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from convex_common.domain.rate import Rate
from convex_common.metrics import Metrics
from convex_common.postgres.database import Database
from convex_gateway.limits.limiter import RateLimits
from convex_gateway.limits.policies import Kind, Policies, Policy, Scope
from tests.integration.gateway.ingest.conftest import Ingest, elsewhere, ingest
from tests.support.postgres import Store
from tests.support.rest import add_members, api

__all__ = ["Ingest", "api", "elsewhere", "ingest"]


@pytest.fixture
def limited(store: Store, database: Database) -> Iterator[Ingest]:
    """Ingest of a hundred events a workspace; none come back while a test runs."""
    add_members(store)
    policy = Policy(Kind.INGEST, Scope.WORKSPACE, Rate(1e-3, 100))
    made = Ingest(
        store,
        database,
        RateLimits(Policies({Kind.INGEST: (policy,)}), None, Metrics(CollectorRegistry()), hold=0),
    )
    yield made
    made.close()
