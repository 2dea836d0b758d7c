import socket
from pathlib import Path

import pytest

from convex_dev.errors import Refused
from convex_dev.home import Home
from convex_dev.ports import FIRST, LAST, Ports, is_free


def listening() -> socket.socket:
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    return server


def test_ports_stay_the_same_from_run_to_run(tmp_path: Path) -> None:
    first = Ports(Home(tmp_path))
    taken = {name: first.take(name) for name in ("postgres", "valkey", "gateway")}
    assert len(set(taken.values())) == 3
    assert all(FIRST <= port <= LAST for port in taken.values())
    second = Ports(Home(tmp_path))
    assert {name: second.take(name) for name in taken} == taken


def test_a_kept_port_that_others_took_is_replaced(tmp_path: Path) -> None:
    with listening() as server:
        Home(tmp_path).write("ports.json", {"valkey": server.getsockname()[1]})
        port = Ports(Home(tmp_path)).take("valkey")
        assert port != server.getsockname()[1]
    assert Ports(Home(tmp_path)).take("valkey") == port


def test_a_wanted_port_in_use_is_named_with_its_cure(tmp_path: Path) -> None:
    with listening() as server:
        port = server.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(Refused, match=rf"^port {port} is in use; .*--port or CONVEX_PORT$"):
            Ports(Home(tmp_path)).claim(port)
