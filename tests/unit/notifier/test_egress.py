"""Which addresses notifications may reach."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.errors import SettingsError
from convex_notifier.domain.egress import Egress, is_public

REFUSED = {
    "loopback": "127.0.0.1",
    "loopback's other end": "127.255.255.254",
    "this network": "0.0.0.0",
    "private 10": "10.1.2.3",
    "private 172.16": "172.16.0.1",
    "private 172.31": "172.31.255.255",
    "private 192.168": "192.168.1.1",
    "carrier-grade NAT": "100.64.0.1",
    "carrier-grade NAT's end": "100.127.255.255",
    "metadata": "169.254.169.254",
    "link-local": "169.254.1.1",
    "documentation": "203.0.113.9",
    "benchmarks": "198.19.0.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "loopback 6": "::1",
    "unspecified 6": "::",
    "link-local 6": "fe80::1",
    "link-local 6 with a scope": "fe80::1%eth0",
    "unique local": "fd12:3456::1",
    "metadata 6 of AWS": "fd00:ec2::254",
    "multicast 6": "ff02::1",
    "documentation 6": "2001:db8::1",
    "site-local": "fec0::1",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped private": "::ffff:10.0.0.1",
    "mapped metadata": "::ffff:169.254.169.254",
    "compatible loopback": "::127.0.0.1",
    "6to4 of loopback": "2002:7f00:1::",
    "6to4 of private": "2002:a00:1::1",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "NAT64 of loopback": "64:ff9b::7f00:1",
    "NAT64 of metadata": "64:ff9b::a9fe:a9fe",
    "local NAT64": "64:ff9b:1::a00:1",
}
PUBLIC = {
    "IPv4": "1.1.1.1",
    "next to private": "172.32.0.1",
    "next to carrier-grade NAT": "100.128.0.1",
    "IPv6": "2606:4700:4700::1111",
    "mapped public": "::ffff:8.8.8.8",
    "NAT64 of public": "64:ff9b::808:808",
    "6to4 of public": "2002:808:808::1",
}


@pytest.mark.parametrize("address", REFUSED.values(), ids=REFUSED)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not Egress().permits("hooks.example", address)


@pytest.mark.parametrize("address", PUBLIC.values(), ids=PUBLIC)
def test_what_is_public_is_permitted(address: str) -> None:
    assert Egress().permits("hooks.example", address)


@given(st.ip_addresses())
def test_nothing_that_python_knows_as_not_global_is_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    embeds = address.version == 6 and (address.ipv4_mapped or address.sixtofour or address in NAT64)
    if is_public(address) and not embeds:
        flags = ("private", "loopback", "link_local", "multicast", "unspecified", "reserved")
        assert [flag for flag in flags if getattr(address, f"is_{flag}")] == []


NAT64 = ipaddress.ip_network("64:ff9b::/96")

ALLOW = Egress.parse("127.0.0.0/8, fd12::/16 hooks.internal,*.corp.example, 10.0.0.7")


@pytest.mark.parametrize(
    ("host", "address", "permitted"),
    [
        ("x", "127.0.0.1", True),
        ("x", "::ffff:127.0.0.1", True),
        ("x", "fd12::1", True),
        ("x", "fd13::1", False),
        ("x", "10.0.0.7", True),
        ("x", "10.0.0.8", False),
        ("hooks.internal", "10.9.9.9", True),
        ("HOOKS.internal.", "10.9.9.9", True),
        ("evil-hooks.internal", "10.9.9.9", False),
        ("a.corp.example", "10.9.9.9", True),
        ("a.b.corp.example", "10.9.9.9", True),
        ("corp.example", "10.9.9.9", False),
        ("evilcorp.example", "10.9.9.9", False),
        ("x", "8.8.8.8", True),
    ],
)
def test_the_operator_may_allow_networks_and_hosts(host: str, address: str, permitted: bool) -> None:
    assert ALLOW.permits(host, address) is permitted


@pytest.mark.parametrize(
    "text", ["10.0.0.0/99", "10.0.0.1/8", "300.1.1.1", "a b/c", "http://x", "*", "foo..bar", "::g"]
)
def test_anything_else_is_told_by_its_name_and_cure(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^EGRESS_ALLOW: .*; give networks"):
        Egress.parse(text)


def test_nothing_is_allowed_by_default() -> None:
    assert Egress.parse("") == Egress.parse(" , ") == Egress()
