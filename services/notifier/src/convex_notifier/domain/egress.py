"""Which addresses notifications may reach: public ones, and what the operator allowed on top."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from convex_common.errors import SettingsError

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# By the IANA registries of special-purpose addresses; `ipaddress.is_global` differs between versions of Python.
_RESERVED_4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_6: Final = IPv6Network("2000::/3")
_RESERVED_6: Final = tuple(IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
_NAT64: Final = IPv6Network("64:ff9b::/96")
_HOST: Final = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


@dataclass(frozen=True, slots=True)
class Egress:
    """What EGRESS_ALLOW names beyond public addresses: networks, hosts, and `*.domain` for all hosts below one."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Egress:
        """From networks, addresses and hosts, separated by commas or spaces; SettingsError for anything else."""
        networks: list[Network] = []
        hosts: set[str] = set()
        for part in re.split(r"[\s,]+", text.strip().lower()):
            if not part:
                continue
            try:
                networks.append(ip_network(part))
            except ValueError:
                if "/" in part or part.replace(".", "").isdigit() or not _HOST.fullmatch(part):
                    raise SettingsError(
                        f"EGRESS_ALLOW: {part!r} is neither a network nor a host",
                        cure="give networks such as 10.1.0.0/16 or hosts such as hooks.internal, comma-separated",
                    ) from None
                hosts.add(part)
        return cls(tuple(networks), frozenset(hosts))

    @classmethod
    def anywhere(cls) -> Egress:
        """For what the operator names, not a tenant."""
        return cls((ip_network("0.0.0.0/0"), ip_network("::/0")))

    def permits(self, host: str, address: str) -> bool:
        """Whether a connection to `address` may be made for `host`."""
        found = ip_address(address.partition("%")[0])
        embedded = _embedded(found)
        reached = (found,) if embedded is None else (found, embedded)
        if any(one.version == network.version and one in network for network in self.networks for one in reached):
            return True
        return self._names(host) or is_public(found)

    def _names(self, host: str) -> bool:
        name = host.lower().rstrip(".")
        parents = ("*." + name.split(".", n)[-1] for n in range(1, name.count(".") + 1))
        return name in self.hosts or any(parent in self.hosts for parent in parents)


def is_public(address: Address) -> bool:
    """Whether the address belongs to the public internet. IPv6 that leads to an IPv4 address is judged by that one."""
    embedded = _embedded(address)
    if embedded is not None:
        return is_public(embedded)
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _RESERVED_4)
    return address in _PUBLIC_6 and not any(address in network for network in _RESERVED_6)


def _embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for: mapped, 6to4 or NAT64."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
