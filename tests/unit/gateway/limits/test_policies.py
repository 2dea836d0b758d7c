"""Which rates hold, and how they are told."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from convex_common.domain.rate import Rate
from convex_gateway.limits.policies import Kind, Policies, Policy, Scope, headers, network_of
from convex_gateway.settings import GatewaySettings


def settings(**changed: float) -> GatewaySettings:
    given = {
        "database_url": "postgresql://x@h/n",
        "redis_url": "redis://h",
        "jwt_secret": "s" * 32,
        "encryption_keys": Fernet.generate_key().decode(),
    }
    return GatewaySettings(**given | changed)  # type: ignore[arg-type]  # a table of fields


def test_rates_of_zero_are_no_limit() -> None:
    policies = Policies.of(settings(rate_limit_ingest_per_user=0, rate_limit_ingest_per_workspace=100))
    assert policies.named(Kind.INGEST) == (Policy(Kind.INGEST, Scope.WORKSPACE, Rate(100, 1000)),)
    none = Policies.of(settings(rate_limit_ingest_per_workspace=0, rate_limit_sign_in_per_address=0))
    assert (none.named(Kind.INGEST), none.named(Kind.SIGN_IN)) == ((), ())


def test_a_burst_is_some_seconds_of_the_rate_and_one_at_least() -> None:
    policies = Policies.of(settings(rate_limit_reads_per_user=0.01, rate_limit_burst_seconds=2))
    assert [policy.rate.burst for policy in policies.named(Kind.READ)] == [1, 4000]
    assert Policies.of(settings(rate_limit_sign_in_per_address=12)).named(Kind.SIGN_IN)[0].rate == Rate(0.2, 12)


def test_headers_are_those_of_the_draft() -> None:
    user = Policy(Kind.WRITE, Scope.USER, Rate(5, 50))
    workspace = Policy(Kind.WRITE, Scope.WORKSPACE, Rate(100, 1000))
    assert headers([user, workspace], workspace, 2.3) == {
        "RateLimit-Policy": '"write-user";q=50;w=10, "write-workspace";q=1000;w=10',
        "RateLimit": '"write-workspace";r=0;t=3',
    }


ADDRESSES = [
    ("192.0.2.1", "192.0.2.1"),
    ("::ffff:192.0.2.1", "192.0.2.1"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
    ("2001:db8:1:2::9", "2001:db8:1:2::"),
    ("2001:db8:1:3::9", "2001:db8:1:3::"),
    ("testclient", "testclient"),
    ("", ""),
]


@pytest.mark.parametrize(("address", "network"), ADDRESSES)
def test_an_ipv6_customer_is_one_address(address: str, network: str) -> None:
    assert network_of(address) == network
