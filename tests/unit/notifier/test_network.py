"""Connections go to the address that was checked, or nowhere."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import httpcore
import pytest

from convex_notifier.domain.egress import Egress
from convex_notifier.network import EgressRefused, Network, resolve

PUBLIC = "93.184.216.34"


@dataclass
class Dialled:
    """A dialler that notes addresses; those in `dead` refuse."""

    dead: Sequence[str] = ()
    addresses: list[str] = field(default_factory=list)

    def __call__(self, address: str, port: int, timeout: float) -> httpcore.NetworkStream:
        self.addresses.append(address)
        if address in self.dead:
            raise httpcore.ConnectError("refused")
        return httpcore.MockStream([])


def network(dialled: Dialled, *answers: Sequence[str], egress: str = "") -> Network:
    """A network whose resolver gives one answer after the other."""
    asked = iter(answers)
    return Network(Egress.parse(egress), resolve=lambda host, port: next(asked), dial=dialled)


def test_the_checked_address_is_the_connected_one() -> None:
    dialled = Dialled()
    rebinding = network(dialled, [PUBLIC], ["127.0.0.1"])
    rebinding.connect_tcp("rebind.example", 443)
    assert dialled.addresses == [PUBLIC]
    with pytest.raises(EgressRefused):
        rebinding.connect_tcp("rebind.example", 443)
    assert dialled.addresses == [PUBLIC]


def test_private_addresses_among_public_ones_are_left_out() -> None:
    dialled = Dialled()
    network(dialled, ["10.0.0.1", "::1", PUBLIC]).connect_tcp("mixed.example", 80)
    assert dialled.addresses == [PUBLIC]


def test_a_refusal_names_the_cure_and_not_the_address() -> None:
    with pytest.raises(EgressRefused, match="EGRESS_ALLOW") as raised:
        network(Dialled(), ["10.0.0.1"]).connect_tcp("internal.example", 80)
    assert "10.0.0.1" not in str(raised.value)


def test_what_the_operator_allowed_is_connected() -> None:
    dialled = Dialled()
    network(dialled, ["10.0.0.1"], egress="10.0.0.0/8").connect_tcp("internal.example", 80)
    assert dialled.addresses == ["10.0.0.1"]


def test_the_next_address_is_tried_when_one_is_dead() -> None:
    dialled = Dialled(dead=["1.1.1.1"])
    network(dialled, ["1.1.1.1", PUBLIC]).connect_tcp("two.example", 80)
    assert dialled.addresses == ["1.1.1.1", PUBLIC]


def test_with_every_address_dead_the_last_error_is_told() -> None:
    with pytest.raises(httpcore.ConnectError, match="refused"):
        network(Dialled(dead=["1.1.1.1", PUBLIC]), ["1.1.1.1", PUBLIC]).connect_tcp("two.example", 80)


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.1", "0", "localhost", "::1"]
)
def test_odd_spellings_of_the_loopback_are_refused(host: str) -> None:
    with pytest.raises(EgressRefused):
        Network(Egress(), dial=Dialled()).connect_tcp(host, 80)


def test_the_system_resolver_gives_addresses() -> None:
    assert set(resolve("localhost", 80)) <= {"127.0.0.1", "::1"}


def test_a_name_that_does_not_exist_is_a_failed_connection() -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(httpcore.ConnectError, match="cannot be resolved"):
        Network(Egress(), resolve=unknown).connect_tcp("nowhere.invalid", 80)


def test_a_resolver_that_hangs_does_not_hold_the_attempt() -> None:
    released = threading.Event()

    def hanging(host: str, port: int) -> Sequence[str]:
        released.wait(10)
        return [PUBLIC]

    began = time.monotonic()
    with pytest.raises(httpcore.ConnectTimeout):
        Network(Egress(), connect_timeout=0.1, resolve=hanging).connect_tcp("slow.example", 80)
    assert time.monotonic() - began < 1
    released.set()


def test_no_address_gets_more_than_its_share_of_the_time() -> None:
    shares: list[float] = []

    def slow(address: str, port: int, timeout: float) -> httpcore.NetworkStream:
        shares.append(timeout)
        raise httpcore.ConnectTimeout

    with pytest.raises(httpcore.ConnectTimeout):
        Network(Egress(), connect_timeout=4.0, resolve=lambda *_: ["1.1.1.1", PUBLIC], dial=slow).connect_tcp("x", 80)
    assert shares == [pytest.approx(2.0, abs=0.2), pytest.approx(4.0, abs=0.2)]


def test_unix_sockets_are_refused() -> None:
    with pytest.raises(EgressRefused):
        Network(Egress()).connect_unix_socket("/run/docker.sock")


@pytest.fixture
def mute() -> Iterator[int]:
    """A port that accepts connections and then neither reads nor writes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.mark.parametrize(
    "act",
    [lambda stream: stream.read(10, 30.0), lambda stream: stream.write(b"x" * 50_000_000, 30.0)],
    ids=["reading", "writing"],
)
def test_an_operation_ends_by_the_deadline_whatever_its_own_timeout(
    act: Callable[[httpcore.NetworkStream], object], mute: int
) -> None:
    net = Network(Egress.parse("127.0.0.0/8"))
    began = time.monotonic()
    with net.until(began + 0.3):
        stream = net.connect_tcp("127.0.0.1", mute, 30.0)
        with pytest.raises(httpcore.TimeoutException):
            act(stream)
        stream.close()
    assert time.monotonic() - began < 1.0
