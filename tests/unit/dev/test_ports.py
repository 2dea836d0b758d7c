import socket
from pathlib import Path

import pytest

from convex_dev.errors import Refused
from convex_dev.home import Home
from convex_dev.ports import FIRST, LAST, RANGE, Ports, is_free, port_range
from tests.support.ports import free_ports, range_of


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


def test_ports_are_of_the_range_that_one_is_given(tmp_path: Path) -> None:
    within = port_range({RANGE: "21000-21009"})
    ports = Ports(Home(tmp_path), within)
    taken = {ports.take(str(name)) for name in range(5)}
    assert len(taken) == 5
    assert taken <= set(within)
    assert port_range({}) == port_range({RANGE: ""}) == range(FIRST, LAST + 1)


@pytest.mark.parametrize("wrong", ["15000", "15000-", "80-443", "20000-10000", "15000-70000", "a-b", "15000-15001 "])
def test_what_is_no_range_of_ports_is_named_with_an_example(wrong: str) -> None:
    with pytest.raises(Refused, match=r"^CONVEX_PORT_RANGE: .* such as 15000-29999$"):
        port_range({RANGE: wrong})


def test_workers_that_test_side_by_side_have_no_port_in_common() -> None:
    of_workers = [
        set(port_range({RANGE: range_of({"PYTEST_XDIST_WORKER": f"gw{one}", "PYTEST_XDIST_WORKER_COUNT": "3"})}))
        for one in range(3)
    ]
    assert sum(map(len, of_workers)) == len(set.union(*of_workers)) == LAST + 1 - FIRST
    ports = free_ports(20)
    assert len({*ports, *free_ports(20)}) == 40, "none is given twice before all others were"
