"""Which rates hold for which kind of request, and how they are told to a client."""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from convex_common.domain.rate import Rate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from convex_gateway.settings import GatewaySettings

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_IPV6_NETWORK: Final = 64
"""Bits of an IPv6 address that one customer gets: the rest is theirs to choose."""


class Kind(StrEnum):
    """What is limited apart from the others. Ingest counts events, the others requests."""

    INGEST = "ingest"
    READ = "read"
    WRITE = "write"
    SIGN_IN = "sign-in"


class Scope(StrEnum):
    """Whose rate it is."""

    USER = "user"
    WORKSPACE = "workspace"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Policy:
    """A rate that holds for each user, workspace or address."""

    kind: Kind
    scope: Scope
    rate: Rate

    @property
    def name(self) -> str:
        """As headers call it: `ingest-workspace`."""
        return f"{self.kind}-{self.scope}"


@dataclass(frozen=True)
class Policies:
    """The policies of an installation; a kind without any is not limited."""

    of_kind: Mapping[Kind, Sequence[Policy]] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: GatewaySettings) -> Policies:
        """As the settings have them; rates of 0 are left out."""
        seconds = settings.rate_limit_burst_seconds
        per_second = {
            (Kind.INGEST, Scope.USER): settings.rate_limit_ingest_per_user,
            (Kind.INGEST, Scope.WORKSPACE): settings.rate_limit_ingest_per_workspace,
            (Kind.READ, Scope.USER): settings.rate_limit_reads_per_user,
            (Kind.READ, Scope.WORKSPACE): settings.rate_limit_reads_per_workspace,
            (Kind.WRITE, Scope.USER): settings.rate_limit_writes_per_user,
            (Kind.WRITE, Scope.WORKSPACE): settings.rate_limit_writes_per_workspace,
        }
        policies = [
            Policy(kind, scope, Rate(rate, max(1.0, rate * seconds)))
            for (kind, scope), rate in per_second.items()
            if rate
        ]
        if tries := settings.rate_limit_sign_in_per_address:
            policies.append(Policy(Kind.SIGN_IN, Scope.ADDRESS, Rate(tries / 60, tries)))
        return cls({kind: tuple(policy for policy in policies if policy.kind is kind) for kind in Kind})

    def named(self, kind: Kind) -> Sequence[Policy]:
        """The policies of a kind, none where it is not limited."""
        return self.of_kind.get(kind, ())


def headers(policies: Sequence[Policy], reached: Policy, wait: float) -> Mapping[str, str]:
    """The fields of draft-ietf-httpapi-ratelimit-headers: every policy, and the one that was reached."""
    return {
        "RateLimit-Policy": ", ".join(f'"{p.name}";q={p.rate.burst:.0f};w={_window(p.rate)}' for p in policies),
        "RateLimit": f'"{reached.name}";r=0;t={max(1, math.ceil(wait))}',
    }


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or an IPv6 network of the size that one customer gets."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False).network_address)
    return str(parsed)


def _window(rate: Rate) -> int:
    """Seconds in which the whole burst comes back."""
    return max(1, round(rate.tolerance))
